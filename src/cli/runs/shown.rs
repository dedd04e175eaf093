//! What `houbu runs` shows of a run alike, whether it looks on the database or asks an API.

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use crate::http::shapes::{ChoiceLine, HistoryLine, VerbLine, Verdict};

/// A table with these headings.
pub(super) fn table<const N: usize>(headings: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if headings.iter().any(|heading| !heading.is_empty()) {
        table.set_header(headings);
    }
    table
}

/// A time by the hospital's clock.
pub(super) fn local(at: DateTime<impl TimeZone>, tz: Tz) -> String {
    at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string()
}

pub(super) fn print_history(told: Vec<HistoryLine>, tz: Tz) {
    let mut table = table(["at", "step", "woken by", "outcome", "next", "error or reason", "ms"]);
    for line in told {
        table.add_row([
            local(line.at, tz),
            line.step,
            line.woke.unwrap_or_default(),
            line.outcome.unwrap_or_else(|| "failed".to_owned()),
            line.next,
            line.error.unwrap_or_default(),
            line.took_ms.to_string(),
        ]);
    }
    println!("{table}");
}

pub(super) fn print_verbs(verbs: Vec<VerbLine>, choices: bool) {
    let mut table = table(["verb", "choice", "now", "what it would do"]);
    let line = |verb: String, choice: String, verdict: Verdict| {
        [verb, choice, if verdict.allowed { "yes" } else { "no" }.to_owned(), verdict.message]
    };
    for one in verbs {
        table.add_row(line(one.verb, String::new(), one.verdict));
        for ChoiceLine { name, verdict } in one.choices.into_iter().filter(|_| choices) {
            table.add_row(line(String::new(), name, verdict));
        }
    }
    println!("{table}");
}

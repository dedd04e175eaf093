//! What `houbu runs` shows of a run alike, whether it looks on the database or asks an API.

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use crate::http::shapes::{BulkDryRun, ChoiceLine, HistoryLine, VerbLine, Verdict};

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

/// What a bulk would do, as the console says it: how many, by step, why some refuse, and which would change.
pub(super) fn print_plan(plan: &BulkDryRun, verb: &str, reason: &str) {
    let BulkDryRun { preview_id, total, looked_at, would_change, refused, sample, by_steps, refusing } = plan;
    println!("{verb}, because: {reason}");
    println!("The filter holds {total} runs; {would_change} of the {looked_at} looked at would change.");
    if usize::try_from(*total).is_ok_and(|total| total > *looked_at) {
        println!("The others are judged as the bulk comes to them.");
    }
    if !by_steps.is_empty() {
        let mut table = table(["workflow", "step", "would change", "would refuse"]);
        for at in by_steps {
            let (changes, refuses) = (at.would_change.to_string(), at.would_refuse.to_string());
            table.add_row([at.workflow.clone(), at.step.clone(), changes, refuses]);
        }
        println!("{table}");
    }
    if !refused.is_empty() {
        let mut table = table(["refused", "runs", "the first of them"]);
        for (code, why) in refused {
            table.add_row([code.clone(), why.count.to_string(), why.message.clone()]);
        }
        println!("{table}");
    }
    for run in sample {
        println!("  {verb} {run}");
    }
    if sample.len() < *would_change {
        println!("  … and {} more", would_change - sample.len());
    }
    for one in refusing {
        println!("  not {}: {}", one.run_id, one.message);
    }
    if refusing.len() < looked_at - would_change {
        println!("  … and {} more", looked_at - would_change - refusing.len());
    }
    println!(
        "Nothing was changed. --yes --preview {preview_id} does it to these {total} runs and to no others, within a day."
    );
}

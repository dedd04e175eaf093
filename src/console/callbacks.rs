//! `GET /callbacks`: what the outside pushed and what became of it, and signals that wait for a run.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use chrono::DateTime;
use serde::Deserialize;

use super::access::Staff;
use super::page::{Frame, Page, ROWS, query, show};
use super::row::{Chip, Pick, picks};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::operations::OperationWords;
use crate::engine::store::unmatched::Standing;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::records::callbacks::{Place, Seen, Wanted as Filter};
use crate::waitlist::ids;

/// Fates that ask for a person.
const UNMATCHED: [&str; 3] = ["no-run", "received", "refused"];

/// Which callbacks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    source: String,
    fate: String,
    subject: String,
    before: String,
}

/// A callback, ready for the page.
struct Row {
    source: String,
    kind: String,
    subject: String,
    run: Option<String>,
    chip: Chip,
    times: i32,
    at: Stamp,
    body: String,
}

/// A signal that waits, ready for the page.
struct Waiting {
    name: String,
    to: String,
    at: Stamp,
}

#[derive(Template)]
#[template(path = "callbacks.html")]
struct Callbacks<'a> {
    frame: Frame,
    w: &'static OperationWords,
    wanted: &'a Wanted,
    sources: Vec<Pick>,
    fates: Vec<Pick>,
    rows: Vec<Row>,
    signals: Vec<Waiting>,
    older: Option<String>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let (desk, language) = (&surface.desk, staff.language);
    let w = OperationWords::of(language);
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language };
    let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let fates = match wanted.fate.as_str() {
        "" => None,
        "unmatched" => Some(UNMATCHED.map(str::to_owned).to_vec()),
        fate => Some(vec![fate.to_owned()]),
    };
    let filter = Filter {
        source: some(&wanted.source),
        fates,
        subject: some(&wanted.subject),
        before: place(&wanted.before),
        most: ROWS,
    };
    let found = desk.callbacks(&filter).await?;
    let full = i64::try_from(found.len()).is_ok_and(|length| length >= ROWS);
    let older = found.last().filter(|_| full).map(|last| {
        let before = format!("{}~{}~{}", last.received_at.to_rfc3339(), last.source, last.event_id);
        let pairs = [
            ("source", wanted.source.as_str()),
            ("fate", &wanted.fate),
            ("subject", &wanted.subject),
            ("before", &before),
        ];
        format!("/callbacks{}", query(&pairs))
    });
    let waiting = desk.unmatched(Standing::Waiting, None, ROWS).await?;
    let signals = waiting.into_iter().map(|one| Waiting {
        name: names::signal(&one.name, language),
        to: match (one.workflow, one.key, one.run_id) {
            (Some(workflow), Some(key), _) => format!("{} {key}", names::workflow(&workflow, language)),
            (.., Some(run)) => run.to_string(),
            _ => String::new(),
        },
        at: clock.stamp(one.received_at),
    });
    let mut fates =
        vec![Pick { value: "unmatched".to_owned(), name: w.unmatched_fate.to_owned(), is: wanted.fate == "unmatched" }];
    fates.extend(picks(
        ["delivered", "kept", "duplicate", "ignored", "no-run", "received", "refused"],
        &wanted.fate,
        names::state,
        language,
    ));
    let page = Callbacks {
        frame: Frame::of(&staff, "callbacks"),
        w,
        sources: picks(
            ["his", "wechat-pay", "pay-platform", "wechat", "platform"],
            &wanted.source,
            names::thing,
            language,
        ),
        fates,
        rows: found.into_iter().map(|one| row(one, &clock)).collect(),
        signals: signals.collect(),
        older,
        wanted: &wanted,
    };
    show(&page)
}

/// The place in the list from which a page goes on; from the beginning where it is none.
fn place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(3, '~');
    let received_at = DateTime::parse_from_rfc3339(parts.next()?).ok()?.to_utc();
    Some(Place { received_at, source: parts.next()?.to_owned(), event_id: parts.next()?.to_owned() })
}

fn row(one: Seen, clock: &Clock) -> Row {
    Row {
        source: names::thing(&one.source, clock.language),
        run: ids::run_of(&one.subject).map(|run| run.to_string()),
        chip: Chip::of(&one.fate, clock.language),
        times: one.times,
        at: clock.stamp(one.received_at),
        body: serde_json::to_string_pretty(&one.body).unwrap_or_default(),
        kind: one.kind,
        subject: one.subject,
    }
}

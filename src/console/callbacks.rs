//! `GET /callbacks`: what the outside pushed and what became of it, and signals that wait for a run; `POST /callbacks` has one done
//! again, or says that a person has seen to it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use chrono::TimeDelta;
use serde::Deserialize;

use super::access::{Permission, Staff};
use super::page::{Frame, Page, ROWS, query, reason, show, to};
use super::row::{Chip, Pick, picks};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::operations::OperationWords;
use crate::desk::faults;
use crate::desk::paging;
use crate::engine::store::unmatched::Standing;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::records::callbacks::{Fate, Place, Seen, Wanted as Filter};
use crate::waitlist::ids;

/// Asked for in the place of a fate: whatever waits for a person.
const FOR_A_PERSON: &str = "unmatched";

/// Which callbacks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    source: String,
    fate: String,
    subject: String,
    before: String,
    done: String,
}

/// Fates that ask for a person.
const WAITING: [Fate; 4] = [Fate::NoRun, Fate::Received, Fate::Refused, Fate::ForStaff];

/// A callback, ready for the page.
struct Row {
    from: String,
    event_id: String,
    /// False of what a person has seen to, and of what nobody can.
    open: bool,
    /// True where it waits for a person.
    waits: bool,
    /// True where it can be done again.
    replays: bool,
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
    /// What is drawn anew: this very page of the list.
    live: String,
    older: Option<String>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let (desk, language) = (&surface.desk, staff.language);
    let w = OperationWords::of(language);
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language };
    let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let for_a_person = wanted.fate == FOR_A_PERSON;
    let filter = Filter {
        source: some(&wanted.source),
        fate: some(&wanted.fate).filter(|_| !for_a_person),
        for_a_person,
        subject: some(&wanted.subject),
        before: Place::parse(&wanted.before),
        most: paging::asked(ROWS),
    };
    let mut found = desk.callbacks(&filter).await?;
    let address = |before: &str| {
        let pairs = [
            ("source", wanted.source.as_str()),
            ("fate", &wanted.fate),
            ("subject", &wanted.subject),
            ("before", before),
        ];
        format!("/callbacks{}", query(&pairs))
    };
    let older = paging::cut(&mut found, ROWS).map(|last| address(&Place::after(last).to_string()));
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
    let name = w.unmatched_fate.to_owned();
    let mut fates = vec![Pick { value: FOR_A_PERSON.to_owned(), name, is: for_a_person }];
    fates.extend(picks(Fate::ALL.map(Fate::as_str), &wanted.fate, names::state, language));
    let done = match wanted.done.as_str() {
        "" => None,
        "settled" => Some(w.settled.to_owned()),
        fate => Some(format!("{}{}", w.replayed, names::state(fate, language))),
    };
    let rows = found.into_iter().map(|one| {
        let replays = desk.can_replay(&one);
        row(one, replays, &clock)
    });
    let page = Callbacks {
        frame: Frame::of(&staff, "callbacks").done(done),
        w,
        sources: picks(
            ["his", "wechat-pay", "pay-platform", "wechat", "platform"],
            &wanted.source,
            names::thing,
            language,
        ),
        fates,
        rows: rows.collect(),
        signals: signals.collect(),
        live: address(&wanted.before),
        older,
        wanted: &wanted,
    };
    show(&page)
}

/// What a person does about a callback.
#[derive(Debug, Deserialize)]
pub(super) struct SeenTo {
    source: String,
    event_id: String,
    deed: String,
    reason: String,
    /// What the list was of, which goes on.
    from_source: String,
    from_fate: String,
    from_subject: String,
}

pub(super) async fn turn(State(surface): State<Arc<Surface>>, staff: Staff, Form(asked): Form<SeenTo>) -> Page {
    staff.require_to(Permission::Mend)?;
    let by = staff.by(reason(&asked.reason)?);
    let fate = if asked.deed == "replay" {
        surface.desk.replay_callback(&asked.source, &asked.event_id, &by).await?
    } else {
        surface.desk.settle_callback(&asked.source, &asked.event_id, &by).await?;
        Fate::Settled
    };
    let list = [
        ("source", asked.from_source.as_str()),
        ("fate", &asked.from_fate),
        ("subject", &asked.from_subject),
        ("done", fate.as_str()),
    ];
    to(&format!("/callbacks{}", query(&list)))
}

/// `replays`: enough of it was kept to do it again.
fn row(one: Seen, replays: bool, clock: &Clock) -> Row {
    // What came just now is being done.
    let fresh = one.fate == Fate::Received.as_str() && clock.now - one.received_at < TimeDelta::minutes(5);
    let waits = WAITING.iter().any(|fate| fate.as_str() == one.fate) && !fresh;
    let doubted = one.fate == Fate::Unbelieved.as_str();
    let mut body = one.body;
    if let Some(why) = body["why"].as_str() {
        body["why"] = faults::said(why, clock.language).into();
    }
    Row {
        source: names::thing(&one.source, clock.language),
        open: !doubted && one.fate != Fate::Settled.as_str() && (waits || replays),
        waits,
        replays,
        event_id: one.event_id,
        from: one.source,
        run: ids::run_of(&one.subject).map(|run| run.to_string()),
        chip: Chip::of(&one.fate, clock.language),
        times: one.times,
        at: clock.stamp(one.received_at),
        body: if doubted {
            body["why"].as_str().unwrap_or_default().to_owned()
        } else {
            serde_json::to_string_pretty(&body).unwrap_or_default()
        },
        kind: if ["unbelieved", "unreadable"].contains(&one.kind.as_str()) {
            names::state(&one.kind, clock.language)
        } else {
            one.kind
        },
        subject: one.subject,
    }
}

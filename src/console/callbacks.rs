//! `GET /callbacks`: what the outside pushed and what became of it, and signals that wait for a run; `POST /callbacks` has one done
//! again, or says that a person has seen to it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::Deserialize;

use super::access::{Permission, Staff};
use super::page::{Frame, Page, ROWS, query, reason, show, to};
use super::row::{Chip, Pick, picks};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::operations::OperationWords;
use crate::desk::faults;
use crate::desk::paging;
use crate::engine::store::unmatched::{Kept, Standing};
use crate::http::Surface;
use crate::http::extract::Query;
use crate::records::callbacks::{Fate, Place, Seen, Wanted as Filter};
use crate::waitlist::calendar::{day_begins, day_ends};
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
    /// Days of the hospital's, the last one included; what cannot be read asks for nothing.
    from: String,
    to: String,
    before: String,
    done: String,
}

impl Wanted {
    /// The address of the page behind `before`.
    fn address(&self, before: &str) -> String {
        let pairs = [
            ("source", self.source.as_str()),
            ("fate", &self.fate),
            ("subject", &self.subject),
            ("from", &self.from),
            ("to", &self.to),
            ("before", before),
        ];
        format!("/callbacks{}", query(&pairs))
    }

    fn filter(&self, tz: Tz) -> Filter {
        let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let for_a_person = self.fate == FOR_A_PERSON;
        Filter {
            source: some(&self.source),
            fate: some(&self.fate).filter(|_| !for_a_person),
            for_a_person,
            subject: some(&self.subject),
            from: day(&self.from).map(|day| day_begins(day, tz)),
            until: day(&self.to).map(|day| day_ends(day, tz)),
            before: Place::parse(&self.before),
            most: paging::asked(ROWS),
        }
    }
}

/// For so long a run may be on its way into the books beside a signal for it.
const SOON: TimeDelta = TimeDelta::minutes(10);

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
    /// What it is about, in words; empty where no list has them.
    what: &'static str,
    /// Its kind as its sender calls it; empty where that says nothing.
    kind: String,
    subject: String,
    run: Option<String>,
    chip: Chip,
    times: i32,
    at: Stamp,
    body: String,
}

/// A signal without a run, ready for the page.
struct Waiting {
    name: String,
    tells: &'static str,
    workflow: String,
    /// The run's key, or the id that no run has.
    to: String,
    at: Stamp,
    chip: Chip,
    becomes: &'static str,
    expires: Option<Stamp>,
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
    let mut found = desk.callbacks(&wanted.filter(clock.tz)).await?;
    let older = paging::cut(&mut found, ROWS).map(|last| wanted.address(&Place::after(last).to_string()));
    let mut signals = Vec::new();
    for standing in [Standing::Waiting, Standing::Expired] {
        let kept = desk.unmatched(standing, None, ROWS).await?;
        signals.extend(kept.into_iter().map(|one| signal(one, surface.console.signals_days, &clock)));
    }
    let name = w.unmatched_fate.to_owned();
    let mut fates = vec![Pick { value: FOR_A_PERSON.to_owned(), name, is: wanted.fate == FOR_A_PERSON }];
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
        signals,
        live: wanted.address(&wanted.before),
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
    #[serde(default)]
    from_from: String,
    #[serde(default)]
    from_to: String,
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
        ("from", &asked.from_from),
        ("to", &asked.from_to),
        ("done", fate.as_str()),
    ];
    to(&format!("/callbacks{}", query(&list)))
}

/// What waits for a run, and what becomes of it. A run of a key may be started as long as the signal waits; an id is given with the run,
/// so that it is there within minutes or never.
fn signal(one: Kept, waits_days: u16, clock: &Clock) -> Waiting {
    let (w, language) = (OperationWords::of(clock.language), clock.language);
    let expired = one.status == Standing::Expired.as_str();
    let becomes = match one.run_id {
        _ if expired => w.came_to_nothing,
        None => w.awaits_start,
        Some(_) if clock.now - one.received_at < SOON => w.awaits_write,
        Some(_) => w.awaits_nobody,
    };
    let (tone, name) = if expired { ("", w.signal_expired) } else { ("calm", w.signal_waits) };
    Waiting {
        name: names::signal(&one.name, language),
        tells: names::tells(&one.name, language),
        workflow: one.workflow.map(|workflow| names::workflow(&workflow, language)).unwrap_or_default(),
        to: one.key.or_else(|| one.run_id.map(|run| run.to_string())).unwrap_or_default(),
        at: clock.stamp(one.received_at),
        chip: Chip { tone, name: name.to_owned() },
        becomes,
        expires: (!expired).then(|| clock.stamp(one.received_at + TimeDelta::days(waits_days.into()))),
    }
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
        what: names::push(&one.kind, clock.language),
        kind: if ["unbelieved", "unreadable"].contains(&one.kind.as_str()) { String::new() } else { one.kind },
        subject: one.subject,
    }
}

//! `GET /deadlines`: what falls due when, day by day.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use chrono::NaiveDate;
use serde::Deserialize;
use uuid::Uuid;

use super::access::Staff;
use super::page::{Frame, Page, query, show};
use super::row::Pick;
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::people::queues::QueueWords;
use crate::desk::paging;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::records::deadlines::{Due, Kind, Place};

/// Deadlines of one page.
const SHOWN: i64 = 200;

/// Which deadlines: a kind, a day of the hospital's, and the last one of the page before. What cannot be read asks for nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    kind: String,
    day: String,
    after: String,
}

impl Wanted {
    fn kind(&self) -> Option<Kind> {
        Kind::parse(&self.kind)
    }

    fn day(&self) -> Option<NaiveDate> {
        self.day.parse().ok()
    }

    /// The address of the page behind `after`.
    fn address(&self, after: &str) -> String {
        let kind = self.kind().map_or("", Kind::as_str);
        let day = self.day().map(|day| day.to_string()).unwrap_or_default();
        format!("/deadlines{}", query(&[("kind", kind), ("day", &day), ("after", after)]))
    }
}

/// A day with what falls due on it.
struct Day {
    name: String,
    rows: Vec<Row>,
}

/// Something that falls due, ready for the page.
struct Row {
    time: String,
    at: Stamp,
    what: &'static str,
    tone: &'static str,
    run: Option<Uuid>,
    schedule: Option<String>,
    patient: String,
    /// What the link says: a person, a doctor or the workflow.
    name: String,
    /// The run's key, where it is about no patient.
    key: String,
    /// The step that goes on.
    step: String,
    /// How often it has failed.
    failed: i32,
    n: i64,
}

#[derive(Template)]
#[template(path = "deadlines.html")]
struct Deadlines {
    frame: Frame,
    w: &'static QueueWords,
    kinds: Vec<Pick>,
    /// The day, as an address has it; empty: any.
    day: String,
    days: Vec<Day>,
    /// What is drawn anew: this very page of the list.
    live: String,
    further: Option<String>,
    /// True where not everything was asked for.
    is_part: bool,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let clock = Clock::of(&surface, staff.language).await?;
    let w = QueueWords::of(staff.language);
    let after = Place::parse(&wanted.after);
    let mut found = surface.desk.due(wanted.kind(), wanted.day(), after.clone(), paging::asked(SHOWN)).await?;
    let further = paging::cut(&mut found, SHOWN).and_then(Place::after).map(|last| wanted.address(&last.to_string()));
    let mut days: Vec<Day> = Vec::new();
    for due in found {
        let name = clock.day(due.at.with_timezone(&clock.tz).date_naive());
        let row = row(w, due, &clock);
        match days.last_mut().filter(|day| day.name == name) {
            Some(day) => day.rows.push(row),
            None => days.push(Day { name, rows: vec![row] }),
        }
    }
    let kinds = Kind::ALL.into_iter().map(|kind| Pick {
        value: kind.as_str().to_owned(),
        name: look(w, kind).0.to_owned(),
        is: wanted.kind() == Some(kind),
    });
    show(&Deadlines {
        frame: Frame::of(&staff, "deadlines"),
        w,
        kinds: kinds.collect(),
        day: wanted.day().map(|day| day.to_string()).unwrap_or_default(),
        days,
        is_part: wanted.kind().is_some() || wanted.day().is_some() || after.is_some(),
        live: wanted.address(&after.map(|after| after.to_string()).unwrap_or_default()),
        further,
    })
}

/// What a kind is called, and its colour.
fn look(w: &'static QueueWords, kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Answer => (w.answer, "warn"),
        Kind::Payment => (w.payment, "warn"),
        Kind::Prepayment => (w.prepayment, "warn"),
        Kind::Question => (w.question, "warn"),
        Kind::Cutoff => (w.cutoff_of, "calm"),
        Kind::Appeal => (w.appeal, "bad"),
        Kind::Retry => (w.retry, "warn"),
        Kind::Refund => (w.refund, "calm"),
    }
}

fn row(w: &'static QueueWords, due: Due, clock: &Clock) -> Row {
    let (what, tone) = Kind::parse(&due.kind).map_or(("", ""), |kind| look(w, kind));
    let patient = due.patient.unwrap_or_default();
    let workflow = due.workflow.map(|name| names::workflow(&name, clock.language)).unwrap_or_default();
    Row {
        time: due.at.with_timezone(&clock.tz).format("%H:%M").to_string(),
        at: clock.stamp(due.at),
        what,
        tone,
        run: due.run,
        schedule: due.schedule,
        // Of somebody who was forgotten there is no name.
        name: [due.name.unwrap_or_default(), workflow, patient.clone(), what.to_owned()]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default(),
        key: if patient.is_empty() { due.key.unwrap_or_default() } else { String::new() },
        patient,
        step: due.step.map(|step| names::step(&step, clock.language)).unwrap_or_default(),
        failed: due.attempt.unwrap_or_default(),
        n: due.n,
    }
}

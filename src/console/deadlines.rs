//! `GET /deadlines`: what falls due when, day by day.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use uuid::Uuid;

use super::access::Staff;
use super::page::{Frame, Onward, Page, show};
use super::when::{Clock, Stamp};
use super::words::people::queues::QueueWords;
use crate::desk::paging;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::records::queues::Due;

/// Deadlines of one page.
const SHOWN: i64 = 200;

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
    schedule: bool,
    subject: String,
    name: String,
    n: i64,
}

#[derive(Template)]
#[template(path = "deadlines.html")]
struct Deadlines {
    frame: Frame,
    w: &'static QueueWords,
    days: Vec<Day>,
    /// What is drawn anew: this very page of the list.
    live: String,
    further: Option<String>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(onward): Query<Onward>) -> Page {
    let clock = Clock { now: surface.desk.now().await?, tz: surface.desk.ports.tz, language: staff.language };
    let w = QueueWords::of(staff.language);
    let mut days: Vec<Day> = Vec::new();
    let mut found = surface.desk.due(onward.skip(), paging::asked(SHOWN)).await?;
    let further = onward.cut(&mut found, "/deadlines", SHOWN);
    for due in found {
        let name = clock.day(due.at.with_timezone(&clock.tz).date_naive());
        let row = row(w, due, &clock);
        match days.last_mut().filter(|day| day.name == name) {
            Some(day) => day.rows.push(row),
            None => days.push(Day { name, rows: vec![row] }),
        }
    }
    show(&Deadlines { frame: Frame::of(&staff, "deadlines"), w, days, live: onward.address("/deadlines"), further })
}

fn row(w: &'static QueueWords, due: Due, clock: &Clock) -> Row {
    let (what, tone) = match due.kind.as_str() {
        "answer" => (w.answer, "warn"),
        "payment" => (w.payment, "warn"),
        "prepayment" => (w.prepayment, "warn"),
        "question" => (w.question, "warn"),
        "cutoff" => (w.cutoff_of, "calm"),
        _ => (w.appeal, "bad"),
    };
    Row {
        time: due.at.with_timezone(&clock.tz).format("%H:%M").to_string(),
        at: clock.stamp(due.at),
        what,
        tone,
        run: due.entry_id,
        schedule: due.kind == "cutoff",
        name: due.name.unwrap_or_default(),
        subject: due.subject,
        n: due.n,
    }
}

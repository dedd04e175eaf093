//! `GET /day/{what}`: the lines behind a number of the first page, as many as it says.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::access::Staff;
use super::page::{Frame, Page, ROWS, query, show};
use super::row::{Chip, yuan};
use super::when::{Clock, Stamp};
use super::words::home::HomeWords;
use super::words::so_many;
use crate::desk::paging;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::records::day_lines::{Line, Of};

/// The numbers that have lines, by the name of their page.
const PAGES: [(&str, Of); 9] = [
    ("applied", Of::Applied),
    ("waiting", Of::Waiting),
    ("answering", Of::Answering),
    ("booked", Of::Booked),
    ("cancelled", Of::Cancelled),
    ("paid", Of::Paid),
    ("refunded", Of::Refunded),
    ("refunding", Of::Refunding),
    ("stuck-refunds", Of::StuckRefunds),
];

/// The page of a number.
pub(super) fn href(of: Of) -> String {
    let name = PAGES.iter().find(|(_, page)| *page == of).map_or("", |(name, _)| name);
    format!("/day/{name}")
}

/// The day, today if none is named, and the line that the page before ended with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    day: Option<NaiveDate>,
    at: Option<DateTime<Utc>>,
    key: String,
}

/// A line, ready for the page.
struct Row {
    id: Uuid,
    key: String,
    at: Stamp,
    amount: String,
    status: Chip,
    patient: String,
    name: String,
    visit: String,
}

#[derive(Template)]
#[template(path = "day.html")]
struct Day {
    frame: Frame,
    w: &'static HomeWords,
    title: &'static str,
    date: String,
    /// The number as the first page has it.
    number: String,
    /// How many lines it is of, where that is another one.
    lines: Option<String>,
    /// True where the lines are about money.
    money: bool,
    rows: Vec<Row>,
    /// What is drawn anew: this very page of the lines.
    live: String,
    older: Option<String>,
}

pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(what): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Page {
    let of = PAGES.iter().find(|(name, _)| *name == what).map(|(_, of)| *of).ok_or_else(Problem::not_found)?;
    let (desk, w) = (&surface.desk, HomeWords::of(staff.language));
    let clock = Clock::of(&surface, staff.language).await?;
    let day = wanted.day.unwrap_or_else(|| clock.today());
    let (n, fen) = desk.count_of_day(of, day).await?;
    let after = wanted.at.map(|at| (at, wanted.key.as_str()));
    let mut found = desk.lines_of_day(of, day, after, paging::asked(ROWS)).await?;
    let address = |day: Option<NaiveDate>, at: Option<DateTime<Utc>>, key: &str| {
        let day = day.map(|day| day.to_string()).unwrap_or_default();
        let at = at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)).unwrap_or_default();
        format!("/day/{what}{}", query(&[("day", &day), ("at", &at), ("key", key)]))
    };
    let older = paging::cut(&mut found, ROWS).map(|last| address(Some(day), Some(last.at), &last.key));
    let (title, in_yuan) = named(of, w);
    show(&Day {
        frame: Frame::of(&staff, "home"),
        w,
        title,
        date: clock.day(day),
        number: match of {
            _ if in_yuan => yuan(fen),
            Of::Waiting => super::home::some(n),
            _ => n.to_string(),
        },
        lines: in_yuan.then(|| so_many(n, w.orders)),
        money: in_yuan || of == Of::Refunding,
        rows: found.into_iter().map(|line| row(line, &clock)).collect(),
        live: address(wanted.day, wanted.at, &wanted.key),
        older,
    })
}

/// What a number is called, and whether it is one of money.
fn named(of: Of, w: &'static HomeWords) -> (&'static str, bool) {
    match of {
        Of::Applied => (w.applied, false),
        Of::Waiting => (w.waiting, false),
        Of::Answering => (w.answering, false),
        Of::Booked => (w.booked, false),
        Of::Cancelled => (w.cancelled, false),
        Of::Paid => (w.paid, true),
        Of::Refunded => (w.refunded, true),
        Of::Refunding => (w.refunding, false),
        Of::StuckRefunds => (w.refunds_title, false),
    }
}

fn row(line: Line, clock: &Clock) -> Row {
    let day = line.visit_date.map(|day| clock.day(day)).unwrap_or_default();
    Row {
        id: line.entry_id,
        key: if line.key == line.entry_id.to_string() { String::new() } else { line.key },
        at: clock.stamp(line.at),
        amount: line.amount_fen.map(yuan).unwrap_or_default(),
        status: Chip::of(&line.status, clock.language),
        patient: line.patient_id,
        name: line.name.unwrap_or_default(),
        visit: format!("{} {day}", line.doctor_name.unwrap_or_default()),
    }
}

//! `GET /`: what needs a person now, and the day so far.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::access::Staff;
use super::day;
use super::matters::{Matter, matter};
use super::page::{Frame, Page, show};
use super::row::{self, RunRow};
use super::when::Clock;
use super::words::home::HomeWords;
use super::words::so_many;
use crate::engine::health::Finding;
use crate::engine::inspect::Filter;
use crate::http::Surface;
use crate::records::day_lines::Of;
use crate::records::overview::{MANY, Numbers};
use crate::waitlist::language::Language;

/// Runs that stand still of which so many are shown.
const STUCK_SHOWN: i64 = 8;

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    w: &'static HomeWords,
    day: String,
    matters: Vec<Matter>,
    tiles: Vec<Tile>,
    stuck: Vec<RunRow>,
}

/// A number of the day.
struct Tile {
    n: String,
    name: &'static str,
    href: String,
}

pub(super) async fn home(State(surface): State<Arc<Surface>>, staff: Staff) -> Page {
    let desk = &surface.desk;
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language: staff.language };
    let numbers = desk.numbers_of_day(clock.today()).await?;
    let of = |status: &str| Filter { status: Some(status.to_owned()), most: STUCK_SHOWN, ..Filter::default() };
    let mut stuck = desk.runs(of("suspended")).await?;
    let (refunds, _) = desk.count_of_day(Of::StuckRefunds, clock.today()).await?;
    let findings = desk.health().await?.findings;
    if findings.iter().any(|finding| matches!(finding, Finding::Unrunnable { .. })) {
        stuck.extend(desk.runs(of("unrunnable")).await?);
    }
    let w = HomeWords::of(staff.language);
    let mut matters: Vec<Matter> = findings.iter().map(|finding| matter(finding, &clock)).collect();
    matters.extend(open(w, &numbers, refunds, staff.language));
    matters.sort_by_key(|matter| match matter.tone {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    });
    let page = Home {
        frame: Frame::of(&staff, "home"),
        w,
        day: clock.day(clock.today()),
        matters,
        tiles: tiles(w, &numbers),
        stuck: row::runs(&surface, stuck, &clock).await?,
    };
    show(&page)
}

/// What the books and the patients want.
fn open(w: &HomeWords, numbers: &Numbers, refunds: i64, language: Language) -> Vec<Matter> {
    let all = [
        (refunds, "critical", w.refunds, w.refunds_hint, "/day/stuck-refunds", w.go_retry),
        (numbers.cases, "warning", w.cases, w.cases_hint, "/cases", w.go_cases),
        (numbers.unmatched, "warning", w.unmatched, w.unmatched_hint, "/callbacks?fate=unmatched", w.go_signals),
        (numbers.appeals, "warning", w.appeals, w.appeals_hint, "/blacklist", w.go_appeals),
    ];
    let stop = if language == Language::En { "." } else { "。" };
    let some = all.into_iter().filter(|(n, ..)| *n > 0);
    some.map(|(n, tone, name, hint, href, go)| Matter {
        tone,
        said: format!("{}{stop}", so_many(n, name)),
        hint: hint.to_owned(),
        href: href.to_owned(),
        go,
    })
    .collect()
}

/// A number as far as it was counted.
pub(super) fn some(n: i64) -> String {
    if n > MANY { "10,000+".to_owned() } else { n.to_string() }
}

fn tiles(w: &'static HomeWords, numbers: &Numbers) -> Vec<Tile> {
    let tile = |n: String, name, of| Tile { n, name, href: day::href(of) };
    vec![
        tile(numbers.applied.to_string(), w.applied, Of::Applied),
        tile(some(numbers.waiting), w.waiting, Of::Waiting),
        tile(numbers.answering.to_string(), w.answering, Of::Answering),
        tile(numbers.booked.to_string(), w.booked, Of::Booked),
        tile(numbers.cancelled.to_string(), w.cancelled, Of::Cancelled),
        tile(row::yuan(numbers.paid_fen), w.paid, Of::Paid),
        tile(row::yuan(numbers.refunded_fen), w.refunded, Of::Refunded),
        tile(numbers.refunding.to_string(), w.refunding, Of::Refunding),
    ]
}

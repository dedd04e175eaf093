//! `GET /`: what needs a person now, and the day so far.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::access::Staff;
use super::page::{Frame, Page, show};
use super::row::{self, RunRow};
use super::when::Clock;
use super::words::home::HomeWords;
use crate::desk::health;
use crate::engine::health::{Finding, Severity};
use crate::engine::inspect::Filter;
use crate::http::Surface;
use crate::records::overview::{MANY, Numbers};
use crate::waitlist::language::Language;

/// Runs that stand still of which so many are shown.
const STUCK_SHOWN: i64 = 8;
/// Suspended runs that are looked through for refunds.
const LOOKED_THROUGH: i64 = 200;
/// Where a refund stands that waits for a person.
const REFUND_STEPS: [&str; 6] =
    ["Refunding", "RefundWait", "RefundCheck", "PartRefund", "PartRefundWait", "LateRefund"];

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    w: &'static HomeWords,
    matters: Vec<Matter>,
    tiles: Vec<Tile>,
    stuck: Vec<RunRow>,
}

/// Something that needs a person.
struct Matter {
    tone: &'static str,
    said: String,
    hint: String,
    href: &'static str,
}

/// A number of the day.
struct Tile {
    n: String,
    name: &'static str,
    href: &'static str,
}

pub(super) async fn home(State(surface): State<Arc<Surface>>, staff: Staff) -> Page {
    let desk = &surface.desk;
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language: staff.language };
    let numbers = desk.numbers_of_day(clock.now).await?;
    let of = |status: &str| Filter { status: Some(status.to_owned()), most: LOOKED_THROUGH, ..Filter::default() };
    let mut stuck = desk.runs(of("suspended")).await?;
    let refunds = stuck.iter().filter(|one| REFUND_STEPS.contains(&one.seen.step.as_str())).count();
    stuck.truncate(usize::try_from(STUCK_SHOWN).unwrap_or(8));
    let findings = desk.health().await?.findings;
    if findings.iter().any(|finding| matches!(finding, Finding::Unrunnable { .. })) {
        let unrunnable = Filter { most: STUCK_SHOWN, ..of("unrunnable") };
        stuck.extend(desk.runs(unrunnable).await?);
    }
    let w = HomeWords::of(staff.language);
    let mut matters: Vec<Matter> = findings.iter().map(|finding| found(finding, &clock)).collect();
    matters.extend(open(w, &numbers, refunds, staff.language));
    matters.sort_by_key(|matter| match matter.tone {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    });
    let page = Home {
        frame: Frame::of(&staff, "home"),
        w,
        matters,
        tiles: tiles(w, &numbers),
        stuck: row::runs(&surface, stuck, &clock).await?,
    };
    show(&page)
}

fn found(finding: &Finding, clock: &Clock) -> Matter {
    let href = match finding {
        Finding::Suspended { .. } => "/runs?status=suspended",
        Finding::Unrunnable { .. } => "/runs?status=unrunnable",
        Finding::LettersSuspended { .. } => "/letters",
        Finding::BulksFailing { .. } => "/bulks",
        Finding::JobFailing { .. }
        | Finding::JobOverdue { .. }
        | Finding::JobPaused { .. }
        | Finding::JobEnded { .. } => "/jobs",
        Finding::Unmatched { .. } => "/callbacks#signals",
        Finding::Overdue { .. } => "/runs?status=pending",
        _ => "/system",
    };
    let tone = match finding.severity() {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let said = health::sentence(finding, clock.language, clock.tz);
    Matter { tone, said, hint: health::advice(finding, clock.language).to_owned(), href }
}

/// What the books and the patients want.
fn open(w: &HomeWords, numbers: &Numbers, refunds: usize, language: Language) -> Vec<Matter> {
    let refunds = i64::try_from(refunds).unwrap_or(i64::MAX);
    let all = [
        (refunds, "critical", w.refunds, w.refunds_hint, "/runs?status=suspended"),
        (numbers.cases, "warning", w.cases, w.cases_hint, "/cases"),
        (numbers.unmatched, "warning", w.unmatched, w.unmatched_hint, "/callbacks?fate=unmatched"),
        (numbers.appeals, "warning", w.appeals, w.appeals_hint, "/blacklist"),
    ];
    let stop = if language == Language::En { "." } else { "。" };
    let some = all.into_iter().filter(|(n, ..)| *n > 0);
    some.map(|(n, tone, name, hint, href)| Matter {
        tone,
        said: format!("{n} {name}{stop}"),
        hint: hint.to_owned(),
        href,
    })
    .collect()
}

/// A number as far as it was counted.
fn some(n: i64) -> String {
    if n > MANY { "10,000+".to_owned() } else { n.to_string() }
}

fn tiles(w: &'static HomeWords, numbers: &Numbers) -> Vec<Tile> {
    let tile = |n: String, name, href| Tile { n, name, href };
    vec![
        tile(numbers.applied.to_string(), w.applied, "/runs?workflow=waitlist_application"),
        tile(some(numbers.waiting), w.waiting, "/runs?workflow=waitlist_application&step=Waiting"),
        tile(numbers.answering.to_string(), w.answering, "/deadlines"),
        tile(numbers.booked.to_string(), w.booked, "/figures"),
        tile(numbers.cancelled.to_string(), w.cancelled, "/figures"),
        tile(row::yuan(numbers.paid_fen), w.paid, "/cases"),
        tile(row::yuan(numbers.refunded_fen), w.refunded, "/cases"),
        tile(numbers.refunding.to_string(), w.refunding, "/runs?workflow=waitlist_application&step=RefundWait"),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::engine::store::survey::Backlog;

    #[test]
    fn signals_that_wait_lead_to_where_they_are_listed() {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language: Language::En };
        let finding = Finding::Unmatched { backlog: Backlog { count: 1, oldest_s: 900.0 } };
        let (path, part) = found(&finding, &clock).href.split_once('#').unwrap();
        assert_eq!(path, "/callbacks");
        assert!(include_str!("templates/callbacks.html").contains(&format!("id=\"{part}\"")), "{part}");
    }
}

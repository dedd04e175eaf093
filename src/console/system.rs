//! `GET /system`: systems outside with their limits and breakers, workers, health; `POST /system/{destination}/{switch}` pauses or
//! resumes one.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;

use super::access::{Permission, Staff};
use super::asked::Why;
use super::matters::{Matter, matter};
use super::page::{Frame, Page, query, reason, show, to};
use super::row::Chip;
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::operations::OperationWords;
use crate::desk::destinations::{Destination, Switch};
use crate::desk::faults;
use crate::engine::preflight::{AtWork, Knows};
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// A destination, ready for the page.
struct Row {
    name: String,
    title: String,
    chip: Chip,
    concurrency: String,
    rate: String,
    ok: i64,
    failures: i64,
    share: i64,
    runs: i64,
    letters: i64,
    since: Option<Stamp>,
    until: Option<Stamp>,
    /// What it was last found down by, and when that was.
    error: Option<(String, Option<Stamp>)>,
    paused: Option<(String, String)>,
    events: Vec<(Stamp, String, String)>,
}

/// A worker, ready for the page. Its times are the server's own.
struct WorkerRow {
    name: String,
    lives: bool,
    since: Stamp,
    heard: Stamp,
    in_hand: i64,
    steps: usize,
    /// How its release differs from those of the others, in sentences.
    release: Vec<String>,
}

#[derive(Template)]
#[template(path = "system.html")]
struct System {
    frame: Frame,
    w: &'static OperationWords,
    rows: Vec<Row>,
    /// Somebody works.
    works: bool,
    workers: Vec<WorkerRow>,
    findings: Vec<Matter>,
    sandbox: Option<String>,
}

/// Word of what was just done, and to which.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    done: String,
    of: String,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(said): Query<Said>) -> Page {
    let (desk, language) = (&surface.desk, staff.language);
    let w = OperationWords::of(language);
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language };
    let health = desk.health().await?;
    let mut rows = Vec::new();
    for one in desk.destinations().await? {
        let (one, events) = desk.destination(&one.stands.name).await?;
        let erred = events.iter().find(|event| event.what == "opened" && event.why.is_some());
        let erred_at = erred.map(|event| clock.stamp(event.at));
        let events = events.into_iter().take(8).map(|event| {
            // What a person did has the reason that was given; what came by itself, what was met.
            let why = event.why.map(|why| if event.who.is_some() { why } else { faults::said(&why, language) });
            let said = [event.who, why].into_iter().flatten().collect::<Vec<_>>().join(" · ");
            (clock.stamp(event.at), names::verb(&event.what, language), said)
        });
        rows.push(row(w, one, events.collect(), erred_at, &clock));
    }
    let paused = rows.iter().find(|row| row.name == said.of && row.paused.is_some() && said.done == "paused");
    let undo = paused.map(|row| format!("/system/{}/resume", row.name));
    let done = (!said.done.is_empty()).then(|| {
        let of = names::thing(&said.of, language);
        format!("{}: {of}", names::verb(&said.done, language))
    });
    let workers = desk.workers().await?;
    let page = System {
        works: workers.iter().any(|one| one.lives),
        frame: Frame::of(&staff, "system").done(done).undo(staff.may(Permission::Mend), undo),
        w,
        rows,
        workers: rows_of(w, workers, &Clock::of_server(&surface, language)),
        sandbox: surface.console.sandbox.clone(),
        findings: health.findings.iter().map(|one| matter(one, &clock)).collect(),
    };
    show(&page)
}

/// Those that live and those that were heard lately.
fn rows_of(w: &OperationWords, all: Vec<AtWork>, clock: &Clock) -> Vec<WorkerRow> {
    let release: Vec<Vec<String>> = (0..all.len()).map(|nth| release(w, &all, nth, clock.language)).collect();
    let rows = all.into_iter().zip(release).map(|(one, release)| WorkerRow {
        lives: one.lives,
        since: clock.stamp(one.started_at),
        heard: clock.exact(one.heard_at),
        in_hand: one.in_hand,
        steps: one.knows.steps.len(),
        name: one.name,
        release,
    });
    rows.collect()
}

/// What the others that live can do and this one cannot, by the names that pages have for it.
fn release(w: &OperationWords, all: &[AtWork], nth: usize, language: Language) -> Vec<String> {
    let Some(one) = all.get(nth).filter(|one| one.lives) else {
        let others = all.iter().any(|other| other.lives);
        return if others { vec![w.silent_hint.to_owned()] } else { Vec::new() };
    };
    let others: Vec<&Knows> =
        all.iter().enumerate().filter(|(at, other)| *at != nth && other.lives).map(|(_, other)| &other.knows).collect();
    let lacks = one.knows.lacks(others.iter().copied());
    if lacks == Knows::default() {
        return vec![if others.is_empty() { w.release_alone } else { w.release_alike }.to_owned()];
    }
    let step = |place: &String| {
        let (workflow, step) = place.split_once('/').unwrap_or(("", place));
        format!("{} · {}", names::workflow(workflow, language), names::step(step, language))
    };
    let signal = |place: &String| {
        let (at, signal) = place.rsplit_once('/').unwrap_or(("", place));
        format!("{} · {}", step(&at.to_owned()), names::signal(signal, language))
    };
    let listed = |all: Vec<String>| all.join(if language == Language::ZhCn { "、" } else { ", " });
    let mut said = Vec::new();
    if !lacks.steps.is_empty() {
        said.push(format!("{}{}", w.release_lacks, listed(lacks.steps.iter().map(step).collect())));
    }
    if !lacks.signals.is_empty() {
        said.push(format!("{}{}", w.release_deaf, listed(lacks.signals.iter().map(signal).collect())));
    }
    let is_newest = all.iter().skip(nth + 1).all(|later| !later.lives);
    said.push(if is_newest { w.release_newest } else { w.release_others }.to_owned());
    said
}

fn row(
    w: &OperationWords,
    one: Destination,
    events: Vec<(Stamp, String, String)>,
    erred_at: Option<Stamp>,
    clock: &Clock,
) -> Row {
    let stands = one.stands;
    let state = match stands.state.as_str() {
        _ if stands.paused_at.is_some() => "paused",
        "closed" => "up",
        "open" => "down",
        _ => "probing",
    };
    let calls = stands.ok + stands.failures;
    Row {
        title: names::thing(&stands.name, clock.language),
        chip: Chip {
            tone: if state == "up" { "good" } else { names::tone(state) },
            name: names::state(state, clock.language),
        },
        concurrency: format!("{} / {}", stands.in_hand, stands.concurrency_max),
        rate: stands.rate_per_s.map_or_else(|| w.any_rate.to_owned(), |rate| rate.to_string()),
        share: (stands.failures * 100).checked_div(calls).unwrap_or(0),
        ok: stands.ok,
        failures: stands.failures,
        runs: one.runs_waiting,
        letters: one.letters_waiting,
        since: stands.opened_at.map(|at| clock.stamp(at)),
        until: stands.open_until.map(|at| clock.stamp(at)),
        error: stands.last_error.map(|error| (faults::said(&error, clock.language), erred_at)),
        paused: stands.paused_by.map(|by| (by, stands.paused_why.unwrap_or_default())),
        events,
        name: stands.name,
    }
}

pub(super) async fn switch(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((name, switch)): Path<(String, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Mend)?;
    let (switch, done) = match switch.as_str() {
        "pause" => (Switch::Pause, "paused"),
        "resume" => (Switch::Resume, "resumed"),
        _ => return Err(Problem::not_found().into()),
    };
    surface.desk.switch_destination(&name, switch, &staff.name, &reason(&why.reason)?).await?;
    to(&format!("/system{}", query(&[("done", done), ("of", name.as_str())])))
}

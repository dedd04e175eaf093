//! `GET /jobs`: what starts runs by the clock; `POST /jobs/{job}/{verb}`: run now, pause, resume.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::page::{Frame, Page, query, reason, show, to};
use super::row::Chip;
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::operations::OperationWords;
use crate::desk::jobs::sentence;
use crate::engine::jobs::Tick;
use crate::engine::jobs::look::{Seen, Standing};
use crate::engine::jobs::verbs::JobVerb;
use crate::engine::store::jobs::LastRun;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;

/// A job, ready for the page.
struct Row {
    name: String,
    title: String,
    chip: Chip,
    said: Option<String>,
    plan: String,
    last: Option<Stamp>,
    next: Vec<Stamp>,
    runs: Vec<Started>,
    failures: i32,
    paused: bool,
    request: Uuid,
}

/// A run of the last tick: when it was started, and what became of it.
struct Started {
    id: Uuid,
    /// What it is about, where a tick starts several.
    about: String,
    at: Stamp,
    chip: Chip,
    /// Its step, or the ending that it reached.
    step: String,
    ended: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    frame: Frame,
    w: &'static OperationWords,
    rows: Vec<Row>,
}

/// Word of what was just done, and to which.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    done: String,
    of: String,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(said): Query<Said>) -> Page {
    let clock = Clock::of(&surface, staff.language).await?;
    let rows: Vec<Row> = surface.desk.jobs().await?.into_iter().map(|job| row(job, &clock)).collect();
    let paused = rows.iter().find(|row| row.name == said.of && row.paused && said.done == "pause");
    let undo = paused.map(|row| format!("/jobs/{}/resume", row.name));
    let done = names::deed(&format!("job.{}", said.done), staff.language);
    let frame = Frame::of(&staff, "jobs").done(done).undo(staff.may(Permission::Mend), undo);
    show(&Jobs { frame, w: OperationWords::of(staff.language), rows })
}

fn row(job: Seen, clock: &Clock) -> Row {
    let said = sentence(&job, clock.language);
    let paused = job.standing == Standing::Paused;
    Row {
        title: names::workflow(&job.row.workflow, clock.language),
        chip: Chip::of(job.standing.name(), clock.language),
        said,
        plan: format!("{} ({})", job.row.cron, job.row.zone),
        last: job.row.last_tick.map(|at| clock.stamp(at)),
        next: job.next_ticks.iter().take(3).map(|at| clock.stamp(*at)).collect(),
        runs: job.last_runs.iter().take(5).map(|run| started(run, clock)).collect(),
        failures: job.row.failures,
        paused,
        request: Uuid::now_v7(),
        name: job.row.name,
    }
}

fn started(run: &LastRun, clock: &Clock) -> Started {
    Started {
        id: run.id,
        about: Tick::part(&run.key).to_owned(),
        at: clock.stamp(run.created_at),
        chip: Chip::of(&run.status, clock.language),
        step: names::step(&run.step, clock.language),
        ended: run.ended_at.map(|at| clock.stamp(at)),
    }
}

/// Why, and the name of the request: sent twice, it is done once.
#[derive(Debug, Deserialize)]
pub(super) struct Why {
    reason: String,
    #[serde(default)]
    request: String,
}

pub(super) async fn turn(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((job, verb)): Path<(String, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Mend)?;
    let what = match verb.as_str() {
        "run" => JobVerb::Run,
        "pause" => JobVerb::Pause,
        "resume" => JobVerb::Resume,
        _ => return Err(Problem::not_found().into()),
    };
    let request = (!why.request.is_empty()).then_some(why.request.as_str());
    surface.desk.turn_job(&job, &staff.by(reason(&why.reason)?), what, request).await?;
    to(&format!("/jobs{}", query(&[("done", verb.as_str()), ("of", job.as_str())])))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::waitlist::language::Language;

    #[test]
    fn a_run_of_the_last_tick_says_when_it_was_and_what_became_of_it() {
        let begun = DateTime::UNIX_EPOCH;
        let clock = Clock { now: begun + TimeDelta::hours(3), tz: chrono_tz::Asia::Shanghai, language: Language::ZhCn };
        let run = LastRun {
            id: Uuid::nil(),
            key: "schedule_sync@1970-01-01T00:00:00Z/K01".to_owned(),
            step: "Synced".to_owned(),
            status: "completed".to_owned(),
            created_at: begun,
            ended_at: Some(begun + TimeDelta::minutes(2)),
        };
        let shown = started(&run, &clock);
        assert_eq!((shown.about.as_str(), shown.step.as_str(), shown.chip.name.as_str()), ("K01", "已同步", "已完成"));
        assert_eq!(
            (shown.at.text.as_str(), shown.ended.map(|at| at.text)),
            ("01-01 08:00", Some("01-01 08:02".to_owned()))
        );
    }
}

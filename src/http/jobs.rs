//! What starts runs by the clock: how each job stands, its next ticks, pause, resume, run now.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Reads};
use super::idempotency::key_of;
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::desk::jobs::sentence;
use crate::engine::jobs::look::Seen;
use crate::engine::jobs::verbs::JobVerb;
use crate::waitlist::language::Language;

/// A job.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "job": "schedule_sync", "workflow": "schedule_sync", "cron": "*/15 6-22 * * *", "timeZone": "Asia/Shanghai",
    "missed": "one", "jitterSeconds": 0.0, "status": "waiting",
    "nextTicks": ["2025-11-25T10:15:00+08:00", "2025-11-25T10:30:00+08:00"],
    "lastTick": "2025-11-25T10:00:00+08:00", "lastStartedAt": "2025-11-25T10:00:00+08:00",
    "lastRuns": [{ "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "key": "schedule_sync@2025-11-25T02:00:00Z/0101",
                   "step": "Synced", "status": "completed" }],
    "lastRunStatuses": { "completed": 1 }, "failures": 0
}))]
pub struct Job {
    /// Its name.
    pub job: String,
    /// The workflow of its runs.
    pub workflow: String,
    /// When it ticks: minute, hour, day of the month, month, weekday.
    pub cron: String,
    /// In whose clock.
    pub time_zone: String,
    /// What becomes of missed ticks: `skip`, `one` (the last is made up), `all`.
    pub missed: String,
    /// A tick starts up to so much later, s.
    pub jitter_seconds: f64,
    /// `waiting`, `failing`, `overdue`, `paused`, `ended`.
    pub status: String,
    /// Why it does not tick, in a sentence; absent where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The next ten ticks, without jitter; for a paused job those that there would be.
    pub next_ticks: Vec<DateTime<FixedOffset>>,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<FixedOffset>>,
    /// The last tick whose runs were started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_tick: Option<DateTime<FixedOffset>>,
    /// When runs were started last, by a tick or by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_started_at: Option<DateTime<FixedOffset>>,
    /// Those runs, and earlier ones that had not ended then; those that need a look first.
    pub last_runs: Vec<LastRun>,
    /// How many of them have each status.
    pub last_run_statuses: BTreeMap<String, usize>,
    /// The first of those ticks that were passed over last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_from: Option<DateTime<FixedOffset>>,
    /// Starts that have failed since the last one that did not.
    pub failures: i32,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// A person's pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
}

/// A run that a job started.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// The run.
    pub run_id: Uuid,
    /// Its key: the job, the tick and what tells it from the tick's other runs.
    pub key: String,
    /// Its step, or the ending that it reached.
    pub step: String,
    /// `pending`, `running`, `waiting`, `suspended`, `cancelled`, `faulted`, `completed`.
    pub status: String,
}

/// Who paused a job.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = JobPaused)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<FixedOffset>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// All jobs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// By name.
    pub items: Vec<Job>,
}

/// What a start by hand started.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "runIds": ["0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11"] }))]
pub struct StartedRuns {
    /// The runs; fewer than the job has parts where earlier ones have not ended.
    pub run_ids: Vec<Uuid>,
}

/// Lists the cron jobs, with their last and next ticks.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", security(("apiKey" = [])),
    responses((status = 200, body = Jobs), Problems)
)]
pub(super) async fn list(State(surface): State<Arc<Surface>>, Reads(language): Reads) -> Result<Json<Jobs>, Problem> {
    let found = surface.desk.jobs().await?;
    Ok(Json(Jobs { items: found.into_iter().map(|one| job(&surface, one, language)).collect() }))
}

/// Shows one of them.
#[utoipa::path(
    get, path = "/v1/jobs/{job}", tag = "jobs", security(("apiKey" = [])), params(("job" = String, Path)),
    responses((status = 200, body = Job), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(name): Path<String>,
) -> Result<Json<Job>, Problem> {
    Ok(Json(job(&surface, surface.desk.job(&name).await?, language)))
}

/// Starts the runs of one tick now, paused or not. The plan stays as it is.
#[utoipa::path(
    post, path = "/v1/jobs/{job}/run", tag = "jobs", security(("apiKey" = [])),
    params(("job" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 202, body = StartedRuns), Problems)
)]
pub(super) async fn run(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<StartedRuns>), Problem> {
    let (by, request) = (by(&caller, why.reason)?, key_of(&headers)?);
    let run_ids = surface.desk.turn_job(&name, &by, JobVerb::Run, request.as_deref()).await?;
    Ok((StatusCode::ACCEPTED, Json(StartedRuns { run_ids })))
}

/// Pauses a job: nothing ticks until it is resumed. Runs that were started go on.
#[utoipa::path(
    post, path = "/v1/jobs/{job}/pause", tag = "jobs", security(("apiKey" = [])),
    params(("job" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 200, body = Job), Problems)
)]
pub(super) async fn pause(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(name): Path<String>,
    Body(why): Body<Reason>,
) -> Result<Json<Job>, Problem> {
    turned(&surface, &name, JobVerb::Pause, &caller, why, language).await
}

/// Resumes a paused job from now on: what would have ticked meanwhile is not made up.
#[utoipa::path(
    post, path = "/v1/jobs/{job}/resume", tag = "jobs", security(("apiKey" = [])),
    params(("job" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 200, body = Job), Problems)
)]
pub(super) async fn resume(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(name): Path<String>,
    Body(why): Body<Reason>,
) -> Result<Json<Job>, Problem> {
    turned(&surface, &name, JobVerb::Resume, &caller, why, language).await
}

async fn turned(
    surface: &Surface,
    name: &str,
    verb: JobVerb,
    caller: &Caller,
    why: Reason,
    language: Language,
) -> Result<Json<Job>, Problem> {
    surface.desk.turn_job(name, &by(caller, why.reason)?, verb, None).await?;
    Ok(Json(job(surface, surface.desk.job(name).await?, language)))
}

fn job(surface: &Surface, seen: Seen, language: Language) -> Job {
    let local = |at: Option<_>| at.map(|at| surface.local(at));
    let why = sentence(&seen, language);
    let last_run_statuses =
        seen.last_statuses().into_iter().map(|(status, count)| (status.to_owned(), count)).collect();
    let row = seen.row;
    let paused = row.paused_at.map(|since| Paused {
        since: surface.local(since),
        by: row.paused_by.unwrap_or_default(),
        reason: row.paused_why.unwrap_or_default(),
    });
    let last_runs = seen.last_runs.into_iter();
    Job {
        job: row.name,
        workflow: row.workflow,
        cron: row.cron,
        time_zone: row.zone,
        missed: row.missed,
        jitter_seconds: row.jitter_s,
        status: seen.standing.name().to_owned(),
        why,
        next_ticks: seen.next_ticks.into_iter().map(|at| surface.local(at)).collect(),
        due_at: local(row.due_at),
        last_tick: local(row.last_tick),
        last_started_at: local(row.last_started_at),
        last_runs: last_runs
            .map(|run| LastRun { run_id: run.id, key: run.key, step: run.step, status: run.status })
            .collect(),
        last_run_statuses,
        missed_from: local(row.missed_from),
        failures: row.failures,
        last_error: row.last_error,
        paused,
    }
}

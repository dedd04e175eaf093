//! A verb for many runs: what it would do, its beginning, how far it is, and what is done to it on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query, Reads};
use super::idempotency::key_of;
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::desk::paging;
use crate::desk::verbs as words;
use crate::engine::staff::Verb;
use crate::engine::staff::bulk::{Asked, Bulk, DryRun, Filter, PER_SECOND, Turned};
use crate::waitlist::language::Language;

/// Bulks of one page.
const PAGE: i64 = 50;
/// The most runs that a dry run names that would refuse.
const REFUSING_MAX: usize = 10;
/// The highest rate, runs a second.
const PER_SECOND_MAX: i32 = 1000;

/// A verb for many runs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "verb": "retry", "filter": { "workflow": "waitlist_application", "status": "suspended", "error": "HIS" },
    "reason": "HIS is back", "dryRun": true
}))]
pub struct NewBulk {
    /// retry, answer, jump, signal, suspend, resume, cancel.
    pub verb: String,
    /// What the verb takes: `outcome` and `patch`, `step` and `patch`, `signal` and `payload`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub arguments: serde_json::Map<String, Value>,
    /// Which runs; at least one of its fields.
    pub filter: RunFilter,
    /// Stands in each run's history and in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
    /// True: only says what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// `previewId` of a dry run of the same verb and filter, a day old at most: the bulk is for the runs that were counted there,
    /// and for no others. Without it, it is for those that the filter holds when it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_id: Option<Uuid>,
    /// The most runs a second, 1 to 1000; 50 where it is absent.
    #[schema(minimum = 1, maximum = 1000)]
    pub per_second: Option<i32>,
}

/// Which runs; what is absent does not matter.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RunFilter {
    /// Of this workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// With this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// At this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// With a fault of this class: retry, stop, unknown, staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Whose last error contains this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whose key begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// One of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<Uuid>>,
}

impl From<RunFilter> for Filter {
    fn from(filter: RunFilter) -> Self {
        let RunFilter { workflow, status, step, fault, error, q, ids } = filter;
        Self { workflow, status, step, fault, error, q, ids }
    }
}

impl From<Filter> for RunFilter {
    fn from(filter: Filter) -> Self {
        let Filter { workflow, status, step, fault, error, q, ids } = filter;
        Self { workflow, status, step, fault, error, q, ids }
    }
}

/// What a bulk would do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "previewId": "0199b0c2-2222-7c1e-8a55-3f6f0a0d6b11", "total": 212, "lookedAt": 212, "wouldChange": 210,
    "refused": { "suspended_by_staff": { "count": 2, "message": "A person suspended the run: resume it." } },
    "sample": ["0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11"],
    "bySteps": [{ "workflow": "waitlist_application", "step": "Booking", "wouldChange": 210, "wouldRefuse": 2 }],
    "refusing": [{ "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "message": "A person suspended the run: resume it." }]
}))]
pub struct BulkDryRun {
    /// Begins a bulk for exactly these runs.
    pub preview_id: Uuid,
    /// How many runs the filter holds.
    pub total: i64,
    /// How many of them were looked at: at most the first 20,000. Begun with `previewId`, the bulk is for all of them.
    pub looked_at: usize,
    /// How many of these would change.
    pub would_change: usize,
    /// Those that would refuse, by code.
    pub refused: BTreeMap<String, WouldRefuse>,
    /// Some that would change.
    pub sample: Vec<Uuid>,
    /// Those that were looked at, by where they stand.
    #[serde(default)]
    pub by_steps: Vec<AtStep>,
    /// Some that would refuse, each with why.
    #[serde(default)]
    pub refusing: Vec<Refusing>,
}

impl BulkDryRun {
    /// A dry run, with its refusals in this language.
    pub fn of(dry: DryRun, language: Language) -> Self {
        let by_steps = dry.by_step().into_iter().map(|at| AtStep {
            workflow: at.workflow,
            step: at.step,
            would_change: at.changes,
            would_refuse: at.refuses,
        });
        let refusing = dry.each.iter().filter_map(|one| {
            one.refused.as_ref().map(|refused| Refusing { run_id: one.run, message: words::refusal(refused, language) })
        });
        let refused = dry.refused.iter().map(|(code, (count, first))| {
            ((*code).to_owned(), WouldRefuse { count: *count, message: words::refusal(first, language) })
        });
        Self {
            preview_id: dry.set,
            total: dry.total,
            looked_at: dry.looked_at(),
            would_change: dry.would_change,
            refused: refused.collect(),
            by_steps: by_steps.collect(),
            refusing: refusing.take(REFUSING_MAX).collect(),
            sample: dry.sample,
        }
    }
}

/// How many of the runs at one step would change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AtStep {
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// Those that would change.
    pub would_change: usize,
    /// Those that would refuse.
    pub would_refuse: usize,
}

/// A run that would refuse.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusing {
    /// The run.
    pub run_id: Uuid,
    /// Why.
    pub message: String,
}

/// Runs that would refuse for one reason.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WouldRefuse {
    /// How many.
    pub count: usize,
    /// Why, as the first of them says it.
    pub message: String,
}

/// A bulk.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "bulkId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11", "verb": "retry", "arguments": {},
    "filter": { "workflow": "waitlist_application", "status": "suspended", "error": "HIS" }, "who": "desk@api",
    "reason": "HIS is back", "status": "running", "total": 212, "done": 150, "refused": { "not_suspended": 2 }, "skipped": 1,
    "perSecond": 50, "createdAt": "2025-11-25T10:00:00+08:00", "updatedAt": "2025-11-25T10:00:03+08:00"
}))]
pub struct ShownBulk {
    /// Its id.
    pub bulk_id: Uuid,
    /// What is done to each run.
    pub verb: String,
    /// What the verb takes.
    #[schema(value_type = Object)]
    pub arguments: Value,
    /// Which runs.
    pub filter: RunFilter,
    /// Who.
    pub who: String,
    /// Why.
    pub reason: String,
    /// running, paused, done, cancelled.
    pub status: String,
    /// How many runs it is for: those that the filter held at its preview or, without one, when it began.
    pub total: i64,
    /// How many were changed.
    pub done: i64,
    /// How many were refused, by code.
    #[schema(value_type = Object)]
    pub refused: Value,
    /// How many were left alone, because the filter no longer held them when their turn came.
    pub skipped: i64,
    /// The most runs a second.
    pub per_second: i32,
    /// When it began.
    pub created_at: DateTime<FixedOffset>,
    /// When it last went on.
    pub updated_at: DateTime<FixedOffset>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<FixedOffset>>,
    /// Why its last runs could not be written; it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A page of bulks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bulks {
    /// Newest first.
    pub items: Vec<ShownBulk>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// From where the list is read.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Onwards {
    /// `nextCursor` of the page before.
    pub cursor: Option<Uuid>,
}

/// Begins a verb for many runs, or says what it would do (`dryRun`). Only the runs of its preview (`previewId`) are its business
/// or, without one, those that the filter holds now; any process that works does it, and it goes on after a crash.
#[utoipa::path(
    post, path = "/v1/runs/bulk", tag = "runs", security(("apiKey" = [])),
    params(IdempotencyKey), request_body = NewBulk,
    responses(
        (status = 200, description = "What it would do", body = BulkDryRun),
        (status = 202, description = "It has begun", body = ShownBulk),
        Problems,
    )
)]
pub(super) async fn begin(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    headers: HeaderMap,
    Body(new): Body<NewBulk>,
) -> Result<Response, Problem> {
    let per_second = new.per_second.unwrap_or(PER_SECOND);
    if !(1..=PER_SECOND_MAX).contains(&per_second) {
        return Err(Problem::invalid(format!("perSecond is 1 to {PER_SECOND_MAX}")));
    }
    let mut verb = new.arguments;
    verb.insert("verb".to_owned(), Value::String(new.verb));
    let verb: Verb =
        serde_json::from_value(Value::Object(verb)).map_err(|error| Problem::invalid(error.to_string()))?;
    let (by, request, preview) = (by(&caller, new.reason)?, key_of(&headers)?, new.preview_id);
    let asked = Asked { verb, filter: new.filter.into(), by, per_second, request, preview };
    if new.dry_run {
        return Ok(Json(BulkDryRun::of(surface.desk.dry_run(&asked).await?, language)).into_response());
    }
    let bulk = surface.desk.begin_bulk(&asked).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(&surface, bulk))).into_response())
}

/// Bulks, newest first.
#[utoipa::path(
    get, path = "/v1/runs/bulk", tag = "runs", security(("apiKey" = [])), params(Onwards),
    responses((status = 200, body = Bulks), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Query(from): Query<Onwards>,
) -> Result<Json<Bulks>, Problem> {
    let mut found = surface.desk.bulks(from.cursor, paging::asked(PAGE)).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.id.to_string());
    Ok(Json(Bulks { items: found.into_iter().map(|one| shown(&surface, one)).collect(), next_cursor }))
}

/// How far a bulk is.
#[utoipa::path(
    get, path = "/v1/runs/bulk/{bulkId}", tag = "runs", security(("apiKey" = [])), params(("bulkId" = Uuid, Path)),
    responses((status = 200, body = ShownBulk), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
) -> Result<Json<ShownBulk>, Problem> {
    Ok(Json(shown(&surface, surface.desk.bulk(id).await?)))
}

/// No further run until the bulk is resumed.
#[utoipa::path(
    post, path = "/v1/runs/bulk/{bulkId}/pause", tag = "runs", security(("apiKey" = [])),
    params(("bulkId" = Uuid, Path), IdempotencyKey), request_body = Reason,
    responses((status = 202, body = ShownBulk), Problems)
)]
pub(super) async fn pause(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<ShownBulk>), Problem> {
    turned(&surface, &caller, id, why, Turned::Pause).await
}

/// The bulk goes on where it stood.
#[utoipa::path(
    post, path = "/v1/runs/bulk/{bulkId}/resume", tag = "runs", security(("apiKey" = [])),
    params(("bulkId" = Uuid, Path), IdempotencyKey), request_body = Reason,
    responses((status = 202, body = ShownBulk), Problems)
)]
pub(super) async fn resume(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<ShownBulk>), Problem> {
    turned(&surface, &caller, id, why, Turned::Resume).await
}

/// The bulk ends; what was done stays done.
#[utoipa::path(
    post, path = "/v1/runs/bulk/{bulkId}/cancel", tag = "runs", security(("apiKey" = [])),
    params(("bulkId" = Uuid, Path), IdempotencyKey), request_body = Reason,
    responses((status = 202, body = ShownBulk), Problems)
)]
pub(super) async fn cancel(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<(StatusCode, Json<ShownBulk>), Problem> {
    turned(&surface, &caller, id, why, Turned::Cancel).await
}

async fn turned(
    surface: &Surface,
    caller: &Caller,
    id: Uuid,
    why: Reason,
    turned: Turned,
) -> Result<(StatusCode, Json<ShownBulk>), Problem> {
    surface.desk.turn_bulk(id, &by(caller, why.reason)?, turned).await?;
    Ok((StatusCode::ACCEPTED, Json(shown(surface, surface.desk.bulk(id).await?))))
}

fn shown(surface: &Surface, bulk: Bulk) -> ShownBulk {
    let mut arguments = bulk.arguments;
    if let Some(arguments) = arguments.as_object_mut() {
        arguments.remove("verb");
    }
    ShownBulk {
        bulk_id: bulk.id,
        verb: bulk.verb,
        arguments,
        filter: bulk.filter.0.into(),
        who: bulk.who,
        reason: bulk.reason,
        status: bulk.status,
        total: bulk.total,
        done: bulk.done,
        refused: bulk.refused,
        skipped: bulk.skipped,
        per_second: bulk.per_second,
        created_at: surface.local(bulk.created_at),
        updated_at: surface.local(bulk.updated_at),
        ended_at: bulk.ended_at.map(|at| surface.local(at)),
        last_error: bulk.last_error,
    }
}

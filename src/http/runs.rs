//! Durable runs of any workflow: start, find, look inside. What staff do to them is in `staff`.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, FixedOffset};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::extract::{Body, Path, Query, Reads};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use crate::desk::paging;
use crate::desk::runs::Shown;
use crate::desk::search::without_numbers;
use crate::desk::why::sentence;
use crate::engine::inspect::{Filter, Received, Told};
use crate::waitlist::language::Language;

/// Runs of one page.
const PAGE: i64 = 50;
/// Lines of history of one page.
const HISTORY_MAX: i64 = 500;
/// Every status that a run can have.
const STATUSES: [&str; 8] =
    ["pending", "running", "waiting", "suspended", "unrunnable", "cancelled", "faulted", "completed"];
/// The longest reason and id.
const TEXT_MAX: usize = 200;

/// A run to be started.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "key": "0101", "input": {
    "id": "0101", "pulled_at": null, "next_at": "2025-11-26T00:00:00Z", "freed": [], "stopped": []
} }))]
pub struct NewRun {
    /// The caller's name for it: the same key is the same run.
    #[schema(min_length = 1, max_length = 200)]
    pub key: String,
    /// What it knows at first.
    #[schema(value_type = Object)]
    pub input: Value,
}

/// A run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "workflow": "waitlist_application", "key": "k-77", "step": "Booking",
    "status": "suspended", "why": "Suspended, a person must look: HIS was away", "turn": 7, "attempt": 24, "listens": [],
    "lastError": "HIS was away", "createdAt": "2025-11-26T09:12:03.120+08:00", "updatedAt": "2025-11-27T10:00:00+08:00"
}))]
pub struct Run {
    /// Its id.
    pub run_id: Uuid,
    /// Its workflow.
    pub workflow: String,
    /// The caller's name for it.
    pub key: String,
    /// Where it stands.
    pub step: String,
    /// pending, running, waiting, suspended, unrunnable (no live worker knows its step), cancelled, faulted, completed.
    pub status: String,
    /// Why it is not moving, as a sentence.
    pub why: String,
    /// Committed turns.
    pub turn: i32,
    /// Failed attempts at this step.
    pub attempt: i32,
    /// The signals that wake it.
    pub listens: Vec<String>,
    /// When its next turn is due; where it waits, its deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<FixedOffset>>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was started.
    pub created_at: DateTime<FixedOffset>,
    /// When it last moved.
    pub updated_at: DateTime<FixedOffset>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<FixedOffset>>,
}

/// A page of runs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    /// Newest first.
    pub items: Vec<Run>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A run with what it knows and has received.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "workflow": "schedule_sync", "key": "0101", "step": "Watching",
    "status": "waiting", "why": "Waiting for PullNow until 10:30", "turn": 2, "attempt": 0, "listens": ["PullNow"],
    "deadline": "2025-11-26T10:30:00+08:00", "createdAt": "2025-11-26T09:12:03.120+08:00",
    "updatedAt": "2025-11-26T10:15:00+08:00", "state": { "id": "0101" },
    "inbox": [{ "signalId": "pull-1", "name": "PullNow", "payload": {}, "receivedAt": "2025-11-26T10:14:59+08:00", "readTurn": 2 }]
}))]
pub struct WholeRun {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// What it knows: references, never personal data. Masked all the same: ids, codes, amounts and times can be read, names,
    /// phones, ID numbers, accounts, the payment provider's numbers, addresses and whatever may be a text are starred.
    #[schema(value_type = Object)]
    pub state: Value,
    /// The signals that it received.
    pub inbox: Vec<Signal>,
}

/// A signal in an inbox.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// Its id.
    pub signal_id: String,
    /// Its name.
    pub name: String,
    /// What came with it, masked as the run's `state` is.
    #[schema(value_type = Value)]
    pub payload: Value,
    /// When it arrived.
    pub received_at: DateTime<FixedOffset>,
    /// The turn that heard it; absent: not yet; 0: it came too late for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_turn: Option<i32>,
}

/// A run's history.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Oldest first.
    pub items: Vec<HistoryLine>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One turn, or one attempt that failed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "turn": 7, "at": "2025-11-27T10:00:00+08:00", "step": "Booking", "next": "Booking", "error": "HIS was away",
    "attempt": 3, "tookMs": 5003
}))]
pub struct HistoryLine {
    /// The turn.
    pub turn: i32,
    /// When.
    pub at: DateTime<FixedOffset>,
    /// The step that was handled.
    pub step: String,
    /// The signal that woke it, `deadline`, or `staff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub woke: Option<String>,
    /// What was decided; absent where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Where it went.
    pub next: String,
    /// What went wrong, or the staff's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Failed attempts before.
    pub attempt: i32,
    /// How long the handler took.
    pub took_ms: i32,
}

impl HistoryLine {
    /// A turn as it is told outside, by the clock of this zone.
    pub fn of(told: Told, tz: Tz) -> Self {
        Self {
            turn: told.turn,
            at: told.at.with_timezone(&tz).fixed_offset(),
            step: told.step,
            woke: told.woke,
            outcome: told.outcome,
            next: told.next,
            error: told.error,
            attempt: told.attempt,
            took_ms: told.took_ms,
        }
    }
}

/// Which runs.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// With this status: pending, running, waiting, suspended, unrunnable, cancelled, faulted, completed.
    pub status: Option<String>,
    /// At this step.
    pub step: Option<String>,
    /// The beginning of a key, or a whole id.
    pub q: Option<String>,
    /// Of this number: a patient, a visit, an order at HIS or at the payment provider, the last four digits of a phone.
    pub number: Option<String>,
    /// Whose last error contains this text.
    pub error: Option<String>,
    /// `nextCursor` of the page before.
    pub cursor: Option<Uuid>,
}

/// From where a history is read.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct From {
    /// `nextCursor` of the page before.
    pub cursor: Option<i64>,
}

/// Starts a run of a workflow that has one beginning; the same key is the same run.
#[utoipa::path(
    post, path = "/v1/workflows/{workflow}/runs", tag = "runs", security(("apiKey" = [])),
    params(("workflow" = String, Path), IdempotencyKey), request_body = NewRun,
    responses(
        (status = 201, description = "Started", body = WholeRun),
        (status = 200, description = "Started before under the same key", body = WholeRun),
        Problems,
    )
)]
pub(super) async fn start(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(workflow): Path<String>,
    Body(new): Body<NewRun>,
) -> Result<(StatusCode, Json<WholeRun>), Problem> {
    short(&new.key, "key")?;
    let started = surface.desk.start_run(&workflow, &new.key, new.input).await?;
    let status = if started.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(whole(&surface, started.id, language).await?)))
}

/// The applications of a number. A person's own stands in no address: addresses are logged on the way.
async fn numbered(surface: &Surface, number: &str) -> Result<Vec<Uuid>, Problem> {
    let today = surface.desk.now().await?.with_timezone(&surface.desk.ports.tz).date_naive();
    let personal = matches!(without_numbers(number, today), Cow::Owned(_));
    if personal && surface.desk.numbered(number).await?.is_empty() {
        return Err(Problem::invalid("number is of a phone the last four digits alone, and no ID number"));
    }
    Ok(surface.desk.find_applications(number).await?)
}

/// Finds runs, newest first.
#[utoipa::path(
    get, path = "/v1/runs", tag = "runs", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = Runs), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Runs>, Problem> {
    if let Some(status) = &wanted.status
        && !STATUSES.contains(&status.as_str())
    {
        return Err(Problem::unreadable(format!("status is one of {}", STATUSES.join(", "))));
    }
    let ids = match wanted.number.as_deref().map(str::trim) {
        Some(number) if !number.is_empty() => Some(numbered(&surface, number).await?),
        _ => None,
    };
    let filter = Filter {
        workflow: wanted.workflow,
        status: wanted.status,
        step: wanted.step,
        q: wanted.q,
        error: wanted.error.filter(|error| !error.is_empty()),
        ids,
        before: wanted.cursor,
        most: paging::asked(PAGE),
        ..Filter::default()
    };
    let mut found = surface.desk.runs(filter).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.seen.id.to_string());
    Ok(Json(Runs { items: found.into_iter().map(|one| run(&surface, one, language)).collect(), next_cursor }))
}

/// Shows a run: where it stands, why it is not moving, what it knows and has received. What it knows and what came with its
/// signals is masked.
#[utoipa::path(
    get, path = "/v1/runs/{runId}", tag = "runs", security(("apiKey" = [])), params(("runId" = Uuid, Path)),
    responses((status = 200, body = WholeRun), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
) -> Result<Json<WholeRun>, Problem> {
    Ok(Json(whole(&surface, id, language).await?))
}

/// A run's history, oldest first, failed attempts included.
#[utoipa::path(
    get, path = "/v1/runs/{runId}/history", tag = "runs", security(("apiKey" = [])),
    params(("runId" = Uuid, Path), From), responses((status = 200, body = History), Problems)
)]
pub(super) async fn history(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
    Query(from): Query<From>,
) -> Result<Json<History>, Problem> {
    let mut told = surface.desk.history(id, from.cursor.unwrap_or(0), paging::asked(HISTORY_MAX)).await?;
    let next_cursor = paging::cut(&mut told, HISTORY_MAX).map(|last| last.seq.to_string());
    Ok(Json(History {
        items: told.into_iter().map(|one| HistoryLine::of(one, surface.desk.ports.tz)).collect(),
        next_cursor,
    }))
}

/// A text of the caller's that is kept.
pub(super) fn short(text: &str, name: &str) -> Result<(), Problem> {
    let fine = (1..=TEXT_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(Problem::invalid(format!("{name} has 1 to {TEXT_MAX} characters"))) }
}

/// A run with what it knows and has received.
pub(super) async fn whole(surface: &Surface, id: Uuid, language: Language) -> Result<WholeRun, Problem> {
    let inspected = surface.desk.run(id).await?;
    Ok(WholeRun {
        run: run(surface, inspected.shown, language),
        state: inspected.state,
        inbox: inspected.inbox.into_iter().map(|one| received(surface, one)).collect(),
    })
}

fn run(surface: &Surface, shown: Shown, language: Language) -> Run {
    let seen = shown.seen;
    Run {
        run_id: seen.id,
        why: sentence(&shown.why, language, surface.desk.ports.tz),
        workflow: seen.workflow,
        key: seen.key,
        step: seen.step,
        status: seen.status,
        turn: seen.turn,
        attempt: seen.attempt,
        listens: seen.listens,
        deadline: seen.due_at.map(|at| surface.local(at)),
        last_error: seen.last_error,
        created_at: surface.local(seen.created_at),
        updated_at: surface.local(seen.updated_at),
        ended_at: seen.ended_at.map(|at| surface.local(at)),
    }
}

fn received(surface: &Surface, one: Received) -> Signal {
    let received_at = surface.local(one.received_at);
    Signal { signal_id: one.signal_id, name: one.name, payload: one.payload, received_at, read_turn: one.read_turn }
}

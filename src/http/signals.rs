//! Signals by key, and those whose run there is not: nothing that was accepted is out of sight.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::auth::{Scope, Scopes};
use super::extract::{Body, Path, Query};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::runs::short;
use super::staff::{NewSignal, says};
use crate::desk::paging;
use crate::engine::store::Signalled;
use crate::engine::store::unmatched::{Kept, Standing};

/// Signals of one page.
const PAGE: i64 = 50;

/// What became of a signal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "accepted": true, "fate": "kept" }))]
pub struct SignalTaken {
    /// Always true.
    pub accepted: bool,
    /// `delivered`: it is in the run's inbox; `duplicate`: it was there before; `kept`: there is no such run yet, and it
    /// waits for it.
    pub fate: String,
}

/// A signal that came when there was no run for it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": 7, "workflow": "schedule_sync", "key": "0101", "signal": "PullNow", "signalId": "pull-1", "status": "waiting",
    "receivedAt": "2025-11-26T10:14:59+08:00", "payload": { "retire": false }
}))]
pub struct Unmatched {
    /// Its number: smaller came earlier.
    pub id: i64,
    /// The workflow that it is for, where it was sent by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The key that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The id that it is for, where it was sent by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// Its name.
    pub signal: String,
    /// The sender's id of it.
    pub signal_id: String,
    /// `waiting`, `matched` or `expired`.
    pub status: String,
    /// When it arrived.
    pub received_at: DateTime<FixedOffset>,
    /// The run that appeared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_run_id: Option<Uuid>,
    /// When it was matched or expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<DateTime<FixedOffset>>,
    /// What goes with it; only for keys with the scope `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Value>,
}

/// A page of them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnmatchedSignals {
    /// Newest first.
    pub items: Vec<Unmatched>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which of them.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `waiting` (as if absent), `matched` or `expired`.
    pub status: Option<String>,
    /// `nextCursor` of the page before.
    pub cursor: Option<i64>,
}

/// Signals the run of a key, which need not be there yet. It is stored before it is answered, and heard once a
/// `signalId`.
#[utoipa::path(
    post, path = "/v1/workflows/{workflow}/runs/{key}/signals/{signal}", tag = "runs", security(("apiKey" = [])),
    params(("workflow" = String, Path), ("key" = String, Path), ("signal" = String, Path), IdempotencyKey),
    request_body = NewSignal, responses((status = 202, body = SignalTaken), Problems)
)]
pub(super) async fn by_key(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((workflow, key, name)): Path<(String, String, String)>,
    Body(new): Body<NewSignal>,
) -> Result<(StatusCode, Json<SignalTaken>), Problem> {
    short(&key, "key")?;
    short(&new.signal_id, "signalId")?;
    let by = says(&caller, new.reason)?;
    let signalled = surface.desk.signal_key(&by, &workflow, &key, &name, new.signal_id, new.payload).await?;
    let fate = match signalled {
        Signalled::Delivered => "delivered",
        Signalled::Duplicate => "duplicate",
        Signalled::Kept => "kept",
    };
    Ok((StatusCode::ACCEPTED, Json(SignalTaken { accepted: true, fate: fate.to_owned() })))
}

/// Signals that came when there was no run for them, newest first.
#[utoipa::path(
    get, path = "/v1/signals/unmatched", tag = "runs", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = UnmatchedSignals), Problems)
)]
pub(super) async fn unmatched(
    State(surface): State<Arc<Surface>>,
    Extension(scopes): Extension<Scopes>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<UnmatchedSignals>, Problem> {
    let standing = match &wanted.status {
        None => Standing::Waiting,
        Some(name) => Standing::parse(name).ok_or_else(|| {
            Problem::unreadable(format!("status is one of {}", Standing::ALL.map(Standing::as_str).join(", ")))
        })?,
    };
    let mut found = surface.desk.unmatched(standing, wanted.cursor, paging::asked(PAGE)).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.id.to_string());
    let open = scopes.allow(Scope::Admin);
    Ok(Json(UnmatchedSignals { items: found.into_iter().map(|one| shown(&surface, one, open)).collect(), next_cursor }))
}

fn shown(surface: &Surface, kept: Kept, open: bool) -> Unmatched {
    Unmatched {
        id: kept.id,
        workflow: kept.workflow,
        key: kept.key,
        run_id: kept.run_id,
        signal: kept.name,
        signal_id: kept.signal_id,
        status: kept.status,
        received_at: surface.local(kept.received_at),
        matched_run_id: kept.matched_run,
        settled_at: kept.settled_at.map(|at| surface.local(at)),
        payload: open.then_some(kept.payload),
    }
}

//! What orchestrators and Prometheus ask, without a key: is the process alive, can it work, the figures.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Surface;
use super::problem::{Problem, ProblemBody};
use crate::desk::health::sentence;
use crate::engine::measure;
use crate::records::schema;
use crate::waitlist::language::Language;

/// A database that says nothing for so long is not there for whoever asks for readiness.
const PATIENCE: Duration = Duration::from_secs(2);

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "status": "ok" }))]
pub struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the process can do its work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "status": "ok", "reasons": [] }))]
pub struct Readiness {
    /// `ok` or `unready`.
    status: &'static str,
    /// What keeps it from its work.
    reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnreadyReason)]
pub struct Reason {
    /// `database`, `schema`, `lease_lost`, `not_looking`.
    code: &'static str,
    /// The same in words.
    reason: String,
}

/// True while the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// True while the database answers and has the schema of this program and, where this process has a worker, that worker
/// does its work.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, description = "Not now", body = Readiness))
)]
pub(super) async fn ready(State(surface): State<Arc<Surface>>) -> Response {
    let pool = &surface.desk.engine.pool;
    let stored = match tokio::time::timeout(PATIENCE, schema::lacks(pool)).await {
        Ok(Ok(0)) => None,
        Ok(Ok(missing)) => Some(("schema", format!("The schema lacks {missing} migrations of this program."))),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not answer");
            Some(("database", "The database does not answer.".to_owned()))
        }
        Err(_) => Some(("database", format!("The database has not answered for {} s.", PATIENCE.as_secs()))),
    };
    let stored = stored.map(|(code, reason)| Reason { code, reason });
    let tz = surface.desk.ports.tz;
    let own = surface
        .desk
        .unready()
        .into_iter()
        .map(|finding| Reason { code: finding.code(), reason: sentence(&finding, Language::En, tz) });
    let reasons: Vec<Reason> = stored.into_iter().chain(own).collect();
    if reasons.is_empty() {
        return Json(Readiness { status: "ok", reasons }).into_response();
    }
    tracing::warn!(reasons = ?reasons, "not ready");
    (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { status: "unready", reasons })).into_response()
}

/// Every figure of this process and of the whole, as Prometheus reads it: see `docs/operations/metrics.md`.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, content_type = "text/plain", body = String, example = "houbu_due_runs 0\n"),
        (status = 500, description = "A fault of ours", content_type = "application/problem+json", body = ProblemBody),
        (status = 503, description = "Not now", content_type = "application/problem+json", body = ProblemBody),
    )
)]
pub(super) async fn metrics(State(surface): State<Arc<Surface>>) -> Result<Response, Problem> {
    let engine = &surface.desk.engine;
    let text = engine.exposed(&engine.survey().await?);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, measure::CONTENT_TYPE)], text).into_response())
}

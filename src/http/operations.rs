//! What operators and orchestrators ask: is the process alive, can it work, how much is waiting.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Surface;
use super::problem::{Problem, ProblemBody};
use crate::engine::measure;
use crate::records::schema;

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
}

/// True while the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// True while the database answers and has the schema of this program.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, body = Health),
        (status = 503, description = "Not now", content_type = "application/problem+json", body = ProblemBody),
    )
)]
pub(super) async fn ready(State(surface): State<Arc<Surface>>) -> Response {
    match schema::lacks(&surface.desk.engine.pool).await {
        Ok(0) => Json(Health { status: "ok" }).into_response(),
        Ok(missing) => {
            tracing::warn!(missing, "the schema lacks migrations of this program");
            Problem::unavailable().into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            Problem::unavailable().into_response()
        }
    }
}

/// Every figure of this process and of the whole, as Prometheus reads it: see `docs/operations/metrics.md`.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses(
        (status = 200, content_type = "text/plain", body = String),
        (status = 500, description = "A fault of ours", content_type = "application/problem+json", body = ProblemBody),
        (status = 503, description = "Not now", content_type = "application/problem+json", body = ProblemBody),
    )
)]
pub(super) async fn metrics(State(surface): State<Arc<Surface>>) -> Result<Response, Problem> {
    let engine = &surface.desk.engine;
    let text = engine.measures.exposed(&engine.survey().await?, &engine.pool);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, measure::CONTENT_TYPE)], text).into_response())
}

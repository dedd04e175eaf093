//! What operators and orchestrators ask: is the process alive, can it work, how much is waiting.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Surface;
use super::problem::{Problem, ProblemBody};
use crate::engine::inspect::{self, Backlog};
use crate::engine::letters;
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

/// Runs by workflow and status, and what is due, as Prometheus reads it.
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
    let counts = surface.desk.counts().await?;
    let backlog = inspect::backlog(&engine.pool, &engine.tenant).await?;
    let posted = letters::counts(&engine.pool, &engine.tenant).await?;
    let text = exposition(&counts, &posted, backlog, engine.pool.size(), engine.pool.num_idle());
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn exposition(
    counts: &[(String, String, i64)],
    posted: &[(String, i64)],
    backlog: Backlog,
    connections: u32,
    idle: usize,
) -> String {
    let mut text = String::from("# HELP houbu_runs Runs by workflow and status.\n# TYPE houbu_runs gauge\n");
    for (workflow, status, count) in counts {
        // Names of workflows and statuses are ours: nothing in them needs escaping. Writing to a string cannot fail.
        let _ = writeln!(text, "houbu_runs{{workflow=\"{workflow}\",status=\"{status}\"}} {count}");
    }
    text.push_str("# HELP houbu_letters Messages by status.\n# TYPE houbu_letters gauge\n");
    for status in letters::STATUSES {
        let count = posted.iter().find(|(of, _)| of == status).map_or(0, |(_, count)| *count);
        let _ = writeln!(text, "houbu_letters{{status=\"{status}\"}} {count}");
    }
    let mut gauge = |name: &str, help: &str, value: &dyn std::fmt::Display| {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    };
    gauge("houbu_due_runs", "Runs that are due and in nobody's hands.", &backlog.runs);
    gauge("houbu_due_letters", "Messages that are due and in nobody's hands.", &backlog.letters);
    gauge("houbu_due_oldest_seconds", "How long the oldest due run has been due.", &backlog.oldest_seconds);
    gauge("houbu_workers", "Workers whose lease stands.", &backlog.workers);
    gauge("houbu_database_connections", "Database connections of this process.", &connections);
    gauge("houbu_database_connections_idle", "Those of them that are idle.", &idle);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exposition_is_one_sample_a_line() {
        let counts = [("waitlist_application".to_owned(), "waiting".to_owned(), 7)];
        let backlog = Backlog { runs: 2, letters: 0, oldest_seconds: 1.5, workers: 1 };
        let posted = [("suspended".to_owned(), 3)];
        let text = exposition(&counts, &posted, backlog, 4, 3);
        assert!(text.contains("houbu_runs{workflow=\"waitlist_application\",status=\"waiting\"} 7\n"), "{text}");
        assert!(text.contains("houbu_letters{status=\"suspended\"} 3\n"), "{text}");
        assert!(text.contains("houbu_letters{status=\"undeliverable\"} 0\n"), "{text}");
        assert!(text.contains("\nhoubu_due_oldest_seconds 1.5\n"), "{text}");
        assert!(text.ends_with('\n') && text.lines().all(|line| line.starts_with('#') || line.contains(' ')));
    }
}

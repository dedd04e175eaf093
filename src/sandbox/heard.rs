//! What a simulated server notes of every request: the trace that it belongs to.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

/// Notes the caller's traceparent. `system`: who was asked.
pub(super) async fn heard(system: &'static str, request: Request, next: Next) -> Response {
    if let Some(traceparent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        tracing::debug!(system, traceparent, "asked");
    }
    next.run(request).await
}

//! Request ids, one span and one log line a request: method, route, status, the code of a refusal, time. Never a path, a query or a body: they
//! can name a patient. The span is a part of the caller's trace, if the caller has one.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::Surface;
use super::problem::Code;
use crate::engine::traces;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over from a caller.
const ID_LENGTH_MAX: usize = 64;

/// The id of a request, the caller's or ours.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

fn id_of(request: &Request) -> RequestId {
    let given = request.headers().get(&HEADER).and_then(|value| value.to_str().ok()).filter(|id| {
        (1..=ID_LENGTH_MAX).contains(&id.len())
            && id.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.' | b':'))
    });
    RequestId(given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned))
}

/// The outermost layer.
pub(super) async fn layer(State(surface): State<Arc<Surface>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = id_of(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or("(none)");
    let span = span_of(&request, route, &id);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(HEADER, value);
    }
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let ms = took.as_millis();
    surface.desk.engine.measures.request(usual(&method), route, status, took);
    span.record("status", i64::from(status));
    if let Some(Code(code)) = response.extensions().get() {
        surface.desk.engine.measures.refusal(route, code);
        span.record("code", code);
    }
    if status >= 500 {
        traces::failed(&span, "status 5xx");
    }
    if is_probe(route) && status < 400 {
        span.in_scope(|| tracing::debug!(ms, "answered"));
    } else {
        span.in_scope(|| tracing::info!(ms, "answered"));
    }
    response
}

/// Probes and scrapes come every few seconds and say nothing.
fn is_probe(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/metrics")
}

/// The span of a request, which all log lines within name too. That of a probe is in no trace.
fn span_of(request: &Request, route: &str, id: &RequestId) -> Span {
    let method = usual(request.method());
    if is_probe(route) {
        return tracing::error_span!("probe", request = id.0, method, route, status = Empty, code = Empty);
    }
    let span = tracing::error_span!(
        "request",
        otel.kind = "server",
        request = id.0,
        method,
        route,
        status = Empty,
        code = Empty
    );
    let given = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    traces::joins(&span, given);
    traces::named(&span, || format!("{method} {route}"));
    span
}

/// A method as a label: what callers make up is one value.
fn usual(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_callers_id_is_kept_where_it_is_harmless() {
        let with = |id: &str| Request::builder().header("x-request-id", id).body(Body::empty()).unwrap();
        assert_eq!(id_of(&with("web-42")).0, "web-42");
        for bad in ["", "a b", "a\tb", &"x".repeat(65)] {
            assert_ne!(id_of(&with(bad)).0, bad);
        }
    }
}

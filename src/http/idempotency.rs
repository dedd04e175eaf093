//! `Idempotency-Key` on every POST: the same key and request gets the same answer, another request under the same key
//! is refused. What is behind a POST is idempotent by itself as well, so a crash between doing and storing the answer
//! doubles nothing.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tracing::Instrument;

use super::auth::Caller;
use super::problem::{Problem, language_of, refused_body, render};
use super::requests::RequestId;
use super::{BODY_BYTES_MAX, Surface};
use crate::desk::DeskError;
use crate::records::answers::{Claim, Ended, Key};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key.
const KEY_LENGTH_MAX: usize = 128;
/// The largest answer that is kept.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How often, and how long, the answer to the same request is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 60;

/// The key of a request; a problem where it is none.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(&HEADER) else { return Ok(None) };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=KEY_LENGTH_MAX).contains(&key.len()) && key.bytes().all(|letter| letter.is_ascii_graphic()));
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Problem::invalid("Idempotency-Key has 1 to 128 visible ASCII characters"))
}

/// The layer; it stands behind authentication.
pub(super) async fn layer(
    State(surface): State<Arc<Surface>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let Some(key) = key_of(request.headers())? else { return Ok(next.run(request).await) };
    let caller = request.extensions().get::<Caller>().map_or_else(|| "nobody".into(), |caller| Arc::clone(&caller.0));
    let (parts, body) = request.into_parts();
    let body =
        to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| refused_body(StatusCode::PAYLOAD_TOO_LARGE, String::new()))?;
    let key = Key { caller, key, request_hash: hash(parts.method.as_str(), parts.uri.path(), &body) };
    // Whoever asked may hang up; what was begun is finished and its answer stored.
    let answering =
        tokio::spawn(keyed(surface, key, Request::from_parts(parts, Body::from(body)), next).in_current_span());
    answering.await.unwrap_or_else(|_| Err(Problem::internal()))
}

/// Does the request, or answers what it was answered before.
async fn keyed(surface: Arc<Surface>, key: Key, request: Request, next: Next) -> Result<Response, Problem> {
    for _ in 0..LOOKS_MAX {
        match surface.desk.answers.claim(key.clone()).await? {
            Claim::Ours => return Ok(answer(surface, key, request, next).await),
            Claim::OtherRequest => return Err(DeskError::KeyReused.into()),
            Claim::Answered(status, answer) => return Ok(replayed(status, answer)),
            Claim::InProgress => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
    Err(Problem::in_progress())
}

async fn answer(surface: Arc<Surface>, key: Key, request: Request, next: Next) -> Response {
    let language = language_of(request.headers());
    let id = request.extensions().get::<RequestId>().cloned();
    let response = render(next.run(request).await, language, id.as_ref().map(|id| id.0.as_str()));
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
    let answered = !parts.status.is_server_error();
    let answer = answered.then(|| (parts.status.as_u16(), serde_json::from_slice(&body).ok()));
    if let Err(error) = surface.desk.answers.end(Ended { key, answer }).await {
        tracing::warn!(%error, "an answer could not be stored; the same request will be done again, to the same end");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replayed(status: u16, answer: Option<Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match answer {
        Some(answer) => (status, answer.to_string()).into_response(),
        None => status.into_response(),
    };
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn hash(method: &str, path: &str, body: &Bytes) -> Vec<u8> {
    let mut sha = Context::new(&SHA256);
    for part in [method.as_bytes(), path.as_bytes(), body] {
        sha.update(&u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        sha.update(part);
    }
    sha.finish().as_ref().to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_visible() {
        let with = |key: &str| HeaderMap::from_iter([(HEADER, HeaderValue::from_str(key).unwrap())]);
        assert_eq!(key_of(&HeaderMap::new()).unwrap(), None);
        assert_eq!(key_of(&with("a-1")).unwrap().as_deref(), Some("a-1"));
        for bad in ["", "a b", &"k".repeat(129)] {
            assert!(key_of(&with(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_path_or_body_is_another_request() {
        let body = Bytes::from_static(b"{}");
        let one = hash("POST", "/a", &body);
        assert_eq!(one, hash("POST", "/a", &body));
        assert_ne!(one, hash("POST", "/b", &body));
        assert_ne!(one, hash("POST", "/a", &Bytes::from_static(b"{ }")));
        assert_ne!(hash("POST", "/ab", &Bytes::from_static(b"c")), hash("POST", "/a", &Bytes::from_static(b"bc")));
    }
}

//! One call to a system outside: how it goes there, and as a trace shows it: which system, which call, what came of it, and
//! nothing else.

use std::time::Duration;

use reqwest::{ClientBuilder, RequestBuilder, Response, Url};
use tracing::Instrument;
use tracing::field::Empty;

use super::CallError;
use crate::engine::traces;

/// Makes a call under a span of its own. What is [`carried`] within belongs to it.
pub(super) async fn traced<T>(
    system: &'static str,
    call: &'static str,
    calling: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let span = tracing::error_span!("call", otel.kind = "client", destination = system, call, code = Empty);
    traces::named(&span, || format!("{system} {call}"));
    let came = calling.instrument(span.clone()).await;
    if let Err(error) = &came {
        let (class, detail) = match error {
            CallError::NotTaken { detail, .. } => ("not taken", detail),
            CallError::NotNow { detail, .. } => ("not now", detail),
            CallError::Unknown { detail, .. } => ("unknown", detail),
            CallError::Broken { detail, .. } => ("refused", detail),
        };
        span.record("code", detail.as_str());
        traces::failed(&span, class);
    }
    came
}

/// The request, with the traceparent of the call that it belongs to.
pub(super) fn carried(request: RequestBuilder) -> RequestBuilder {
    match traces::here() {
        Some(traceparent) => request.header("traceparent", traceparent),
        None => request,
    }
}

/// No answer is larger; a department's month of schedules is about one tenth of it.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The whole body of an answer. One that is too large leaves the outcome unknown, as one that is cut does.
pub(super) async fn heard(system: &'static str, call: &'static str, response: Response) -> Result<Vec<u8>, CallError> {
    heard_within(ANSWER_BYTES_MAX, system, call, response).await
}

/// The same in another room.
pub(super) async fn heard_within(
    bytes_max: usize,
    system: &'static str,
    call: &'static str,
    response: Response,
) -> Result<Vec<u8>, CallError> {
    let raw = whole(bytes_max, response).await.map_err(|error| CallError::unanswered(system, call, &error))?;
    raw.ok_or_else(|| CallError::unknown(system, call, "the answer is too large"))
}

/// The body of an answer that is no larger than usual; none of a larger one, which is not read to its end.
pub(super) async fn small(response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    whole(ANSWER_BYTES_MAX, response).await
}

/// The only place where a body of another system is read.
async fn whole(bytes_max: usize, mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut raw = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if raw.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        raw.extend_from_slice(&chunk);
    }
    Ok(Some(raw))
}

/// The base of a system's addresses; none where that is no http or https URL.
pub(super) fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some()).then_some(url)
}

/// A connection pool to there. What is asked and signed is for the address that it was asked at: redirects are not followed.
pub(super) fn client(url: &Url, timeout: Duration) -> ClientBuilder {
    let builder =
        reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).user_agent("houbu");
    if is_here(url) { builder.no_proxy() } else { builder }
}

/// True for an address on this machine, where a proxy has no part.
pub(super) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

//! One call to a system outside: how it goes there, and as a trace shows it: which system, which call, what came of it, and
//! nothing else.

use std::time::Duration;

use reqwest::{ClientBuilder, RequestBuilder, Url};
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

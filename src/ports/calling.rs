//! One call to a system outside: how it goes there, and as a trace shows it: which system, which call, what came of it, and
//! nothing else.

use reqwest::{RequestBuilder, Url};
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

/// True for an address on this machine, where a proxy has no part.
pub(super) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

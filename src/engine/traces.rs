//! How a run's turns join the trace of what started it: the W3C traceparent travels with the run and with each signal.
//!
//! A turn's parent is what started its run, however long ago; what woke it, if that was a signal, is a link. No span says
//! more than run, workflow, step, destination and codes. Where no traces are kept, none of this costs more than a look.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::store::claim::Claimed;
use super::store::letters;
use super::store::turns::Came;

/// The traceparent of the present span; none where no traces are kept.
pub fn here() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let of = span.span_context();
    let sampled = u8::from(of.is_sampled());
    of.is_valid().then(|| format!("00-{}-{}-{sampled:02x}", of.trace_id(), of.span_id()))
}

/// `span` is a part of what has this traceparent. To be said before anything else is said of it.
pub fn joins(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(read) {
        // Refused where no traces are kept.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// `span` was caused by what has this traceparent, which is another trace or another part of its own.
pub(super) fn follows(span: &Span, traceparent: Option<&str>) {
    if let Some(cause) = traceparent.and_then(read) {
        span.add_link(cause);
    }
}

/// `span` is shown under this name.
pub fn named(span: &Span, name: impl FnOnce() -> String) {
    let context = span.context();
    if context.span().span_context().is_valid() {
        context.span().update_name(name());
    }
}

/// `span` came to nothing; `what` names no person.
pub fn failed(span: &Span, what: &'static str) {
    span.set_status(Status::error(what));
}

// The spans have the level of an error, so that no log filter takes run and step from a line that it lets through.

/// One turn of a run.
pub(super) fn turn(run: &Claimed) -> Span {
    let span = tracing::error_span!(
        "turn", run = %run.id, workflow = run.workflow, step = run.step, turn = run.turn, attempt = run.attempt,
        outcome = Empty
    );
    joins(&span, run.trace.as_deref());
    named(&span, || format!("{}/{}", run.workflow, run.step));
    span
}

/// What a turn has come to.
pub(super) fn came(span: &Span, came: &Came) {
    match came {
        Came::Moved(to) => drop(span.record("outcome", to.chosen.outcome)),
        Came::Parked { .. } => drop(span.record("outcome", "parked")),
        Came::Failed { class, .. } => failed(span, class),
    }
}

/// One attempt to deliver a letter.
pub(super) fn delivery(letter: &letters::Claimed) -> Span {
    let span = tracing::error_span!(
        "delivery", run = %letter.run_id, letter = letter.id, topic = letter.topic, attempt = letter.attempt
    );
    joins(&span, letter.trace.as_deref());
    named(&span, || format!("delivery {}", letter.topic));
    span
}

/// One tick of a job.
pub(super) fn tick(job: &str) -> Span {
    let span = tracing::error_span!("tick", job);
    named(&span, || format!("tick {job}"));
    span
}

/// A traceparent of version 00, as strictly as W3C has it: what others make up joins nothing.
fn read(traceparent: &str) -> Option<SpanContext> {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let &[version, trace, span, flags] = parts.as_slice() else { return None };
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit))
    };
    if version != "00" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_as_it_was_written() {
        let context = read(GIVEN).unwrap();
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id().to_string(), "00f067aa0ba902b7");
        assert!(context.is_remote() && context.is_sampled());
        assert!(!read(&GIVEN.replace("-01", "-00")).unwrap().is_sampled());
    }

    #[test]
    fn what_is_not_a_traceparent_joins_nothing() {
        let zeros = ["0".repeat(32), "0".repeat(16)];
        for bad in [
            String::new(),
            "张三".to_owned(),
            GIVEN.replace("00-4b", "01-4b"),
            GIVEN.to_uppercase(),
            GIVEN.replace("-01", ""),
            format!("{GIVEN}-00"),
            format!("00-{}-00f067aa0ba902b7-01", zeros[0]),
            format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", zeros[1]),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn without_anybody_who_keeps_traces_there_is_none() {
        let span = tracing::error_span!("nobody");
        joins(&span, Some(GIVEN));
        assert_eq!(span.in_scope(here), None);
    }
}

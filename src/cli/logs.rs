//! Where log lines go, and how: text for a person, or one flat JSON object a line for a collector. Spans go to a collector
//! of traces, where one is configured.

use std::fmt;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::spans::Spans;
use crate::config::Config;

/// Starts logs and traces. A demo is watched by a person: only what is wrong for good is logged, unless the configuration
/// says otherwise.
pub(super) fn start(config: &Config, plays: bool, runtime: &Handle) -> anyhow::Result<Option<Spans>> {
    let default = Config::default_log_filter();
    let filter = if plays && config.log.filter == default { "error" } else { &config.log.filter };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if config.log.json {
        lines.fmt_fields(JsonFields::new()).event_format(Line).with_filter(filter).boxed()
    } else {
        lines.with_target(false).with_filter(filter).boxed()
    };
    let spans = Spans::start(config, runtime)?;
    tracing_subscriber::registry().with(lines).with(spans.as_ref().map(Spans::layer)).init();
    Ok(spans)
}

/// One JSON object a line, in which the fields of an event stand beside those of all spans around it: whoever looks for a
/// run asks for `run`, wherever it was written.
struct Line;

impl<S> FormatEvent<S, JsonFields> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>().map_or("", |fields| fields.fields.as_str());
            let fields = serde_json::from_str::<Map<String, Value>>(fields).unwrap_or_default();
            // Words to the collector of traces alone.
            line.extend(fields.into_iter().filter(|(name, _)| !name.starts_with("otel.")));
        }
        if let Some(trace) = context.lookup_current().and_then(|span| trace_of(&span.id())) {
            line.insert("trace".to_owned(), trace.into());
        }
        event.record(&mut Fields(&mut line));
        let mut at = String::new();
        SystemTime.format_time(&mut Writer::new(&mut at))?;
        line.insert("timestamp".to_owned(), at.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The trace that a span is a part of; none where no traces are kept.
fn trace_of(span: &tracing::span::Id) -> Option<String> {
    let context = tracing::dispatcher::get_default(|to| tracing_opentelemetry::get_otel_context(span, to))?;
    let of = context.span().span_context().clone();
    of.is_valid().then(|| of.trace_id().to_string())
}

/// The fields of an event, as JSON.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.put(field, value),
            Err(_) => self.put(field, value.to_string()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_names_everything_around_it() {
        let paper = Paper::default();
        let to = paper.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || to.clone());
        let lines = lines.fmt_fields(JsonFields::new()).event_format(Line);
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(EnvFilter::new("warn")));
        tracing::subscriber::with_default(subscriber, || {
            let turn = tracing::error_span!("turn", run = "r1", step = "Booking", outcome = tracing::field::Empty);
            turn.record("outcome", "Booked");
            turn.in_scope(|| {
                tracing::error_span!("call", otel.kind = "client", destination = "his").in_scope(|| {
                    tracing::warn!(took_ms = 3_u128, late = true, "slow");
                });
            });
        });
        let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let line: Value = serde_json::from_str(&written).unwrap();
        for (name, value) in [
            ("run", Value::from("r1")),
            ("step", "Booking".into()),
            ("outcome", "Booked".into()),
            ("destination", "his".into()),
            ("took_ms", 3.into()),
            ("late", true.into()),
            ("message", "slow".into()),
            ("level", "WARN".into()),
        ] {
            assert_eq!(line[name], value, "{written}");
        }
        assert!(line.get("otel.kind").is_none() && line["timestamp"].is_string(), "{written}");
    }
}

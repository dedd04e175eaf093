//! Spans on their way to a collector, as OTLP over HTTP. What is sent is our own spans and nothing that a library says of
//! itself: those may name an address.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::Config;

/// How long one batch may take on its way.
const SENT_WITHIN: Duration = Duration::from_secs(10);
/// How long the last ones may take when the process ends.
const LAST_WITHIN: Duration = Duration::from_secs(5);

/// What keeps traces, while the process runs.
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// None where no collector is configured.
    pub(super) fn start(config: &Config, runtime: &Handle) -> anyhow::Result<Option<Self>> {
        let traces = &config.traces;
        if traces.otlp_endpoint.is_empty() {
            return Ok(None);
        }
        let http =
            reqwest::Client::builder().timeout(SENT_WITHIN).redirect(reqwest::redirect::Policy::none()).build()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender { http, runtime: runtime.clone() })
            .with_endpoint(format!("{}/v1/traces", traces.otlp_endpoint.trim_end_matches('/')))
            .with_timeout(SENT_WITHIN)
            .build()
            .context("traces.otlp_endpoint")?;
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        // OTEL_SERVICE_NAME is taken by the builder itself.
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("houbu");
        }
        // A caller who has decided for a trace is followed.
        let kept = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.share)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_sampler(kept)
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    /// What hands our spans to it. Their events, which are log lines, stay in the log.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("houbu"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(|of| of.is_span() && of.target().starts_with("houbu") && of.name() != "probe"))
    }

    /// Sends what is left. The runtime must still run.
    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_WITHIN) {
            eprintln!("the last spans could not be sent: {error}");
        }
    }
}

/// Sends batches with our own HTTP client. Whoever asks stands on a thread of the exporter, outside the runtime that the
/// client needs.
#[derive(Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (http, request) = (self.http.clone(), reqwest::Request::try_from(request)?);
        let sending = self.runtime.spawn(async move {
            let answer = http.execute(request).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, answer.bytes().await?))
        });
        let (status, headers, bytes) = sending.await??;
        let mut answer = Response::new(bytes);
        (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
        Ok(answer)
    }
}

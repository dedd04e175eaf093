//! A request, the turns of the run that it starts and the calls that these make are one trace, whichever process does
//! what; and no span names a person. Spans are taken from real processes, as a collector takes them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use houbu::engine::RunId;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chaos::Ward;
use crate::chaos::process::Process;
use crate::hospital::KEY;
use crate::hospital::world::{openid, patient_id};

/// Whoever applies has these traces already.
const FIRST: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SECOND: &str = "0af7651916cd43dd8448eb211c80319c";
const WITHDRAWAL: &str = "80e1afed08e019fc1110464cfa66635c";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector of traces that keeps what it is sent.
pub struct Collector {
    url: String,
    sent: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    pub async fn listen() -> Self {
        let sent = Arc::<Mutex<Vec<Bytes>>>::default();
        let keep = async |State(sent): State<Arc<Mutex<Vec<Bytes>>>>, body: Bytes| sent.lock().unwrap().push(body);
        let router = Router::new().route("/v1/traces", post(keep)).with_state(Arc::clone(&sent));
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, sent }
    }

    /// What makes a process send its spans here.
    pub fn settings(&self) -> [(&str, &str); 3] {
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url), ("OTEL_BSP_SCHEDULE_DELAY", "50"), ("HOUBU_LOG__JSON", "true")]
    }

    pub fn bytes(&self) -> Vec<Bytes> {
        self.sent.lock().unwrap().clone()
    }

    fn spans(&self) -> Vec<Seen> {
        let decoded = self.bytes().into_iter().map(|bytes| ExportTraceServiceRequest::decode(bytes).unwrap());
        let scopes = decoded.flat_map(|all| all.resource_spans).flat_map(|one| one.scope_spans);
        scopes.flat_map(|scope| scope.spans).map(Seen::of).collect()
    }

    /// The spans of a trace. A process that has left has sent all of its own.
    fn trace(&self, id: &str) -> Vec<Seen> {
        self.spans().into_iter().filter(|span| span.trace == id).collect()
    }
}

/// A span, as far as it is looked at here.
#[derive(Debug)]
struct Seen {
    trace: String,
    id: String,
    parent: String,
    name: String,
    links: Vec<(String, String)>,
    says: BTreeMap<String, String>,
}

impl Seen {
    fn of(span: Span) -> Self {
        let text = |value| match value {
            Some(Attribute::StringValue(text)) => text,
            Some(Attribute::IntValue(number)) => number.to_string(),
            other => format!("{other:?}"),
        };
        Self {
            trace: hex::encode(span.trace_id),
            id: hex::encode(span.span_id),
            parent: hex::encode(span.parent_span_id),
            name: span.name,
            links: span.links.into_iter().map(|one| (hex::encode(one.trace_id), hex::encode(one.span_id))).collect(),
            says: span.attributes.into_iter().map(|one| (one.key, text(one.value.and_then(|it| it.value)))).collect(),
        }
    }
}

fn named<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} among {names:?}"))
}

async fn ask(server: &Process, method: Method, path: &str, trace: &str, body: Value) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.request(method, format!("{}{path}", server.address())).bearer_auth(KEY).json(&body);
    let request = request.header("traceparent", format!("00-{trace}-{CALLER}-01")).header("x-request-id", "web-42");
    let response = request.header("idempotency-key", trace).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    response.json().await.unwrap()
}

async fn apply(server: &Process, patient: u32, trace: &str) -> RunId {
    let body = json!({ "scheduleId": "w1-am", "patientId": patient_id(patient) });
    let entry = ask(server, Method::POST, "/v1/waitlist", trace, body).await;
    entry["waitlistId"].as_str().unwrap().parse().unwrap()
}

/// The line of a process's log that says this, for a request of this trace.
fn line(log: &str, message: &str, trace: &str) -> Value {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut found = lines.filter(|line| line["message"] == message && line["trace"] == trace);
    found.next().unwrap_or_else(|| panic!("nothing was {message}: {log}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_its_turns_and_their_calls_are_one_trace() {
    let (ward, collector) = (Ward::open().await, Collector::listen().await);
    let front = Process::serve(&ward, "front", &collector.settings()).await;
    let first = apply(&front, 1, FIRST).await;
    let second = apply(&front, 2, SECOND).await;
    // Another process does the rest: the trace is where the run is.
    front.leaves().await;
    let works = Process::work(&ward, "work", &collector.settings()).await;
    ward.hospital.pass_seconds(20).await;
    ward.hospital.free_a_place("w1-am").await;
    assert_eq!(ward.hospital.status(first).await, "booked");
    works.leaves().await;

    let spans = collector.trace(FIRST);
    let request = named(&spans, "POST /v1/waitlist");
    assert_eq!((request.parent.as_str(), request.says["status"].as_str()), (CALLER, "201"));
    let turns: Vec<&Seen> = spans.iter().filter(|span| span.name.starts_with("waitlist_application/")).collect();
    let steps: Vec<&str> = turns.iter().map(|turn| turn.says["step"].as_str()).collect();
    assert!(steps.contains(&"PrepayOrder") && steps.contains(&"Waiting") && steps.contains(&"Booking"), "{steps:?}");
    for turn in turns {
        assert_eq!((&turn.parent, &turn.says["run"]), (&request.id, &first.to_string()), "{turn:?}");
    }
    let booking = named(&spans, "waitlist_application/Booking");
    assert_eq!(booking.says["outcome"], "Booked");
    let call = named(&spans, "his 2007 OrderReg");
    assert_eq!((&call.parent, call.says["destination"].as_str()), (&booking.id, "his"));
    let carried = format!("00-{FIRST}-{}-01", call.id);
    assert!(ward.gate.traceparents().contains(&carried), "HIS was not told {carried}");
    let order = named(&spans, "payments open order");
    assert_eq!(order.parent, named(&spans, "waitlist_application/PrepayOrder").id);
    let delivery = spans.iter().find(|span| span.name.starts_with("delivery ")).expect("a message was sent");
    assert_eq!(delivery.parent, request.id);
    assert_eq!(named(&spans, "messages send template message").trace, FIRST);

    // What comes later joins its own trace, and the turn that it wakes links to it.
    let front = Process::serve(&ward, "second front", &collector.settings()).await;
    ask(&front, Method::DELETE, &format!("/v1/waitlist/{second}"), WITHDRAWAL, json!({})).await;
    ward.hospital.pass_minutes(5).await;
    assert_eq!(ward.hospital.status(second).await, "withdrawn");
    front.leaves().await;
    let asked = collector.trace(WITHDRAWAL);
    let cause = (WITHDRAWAL.to_owned(), named(&asked, "DELETE /v1/waitlist/{waitlistId}").id.clone());
    let woken = collector.spans().into_iter().filter(|span| span.links.contains(&cause)).collect::<Vec<_>>();
    let woken = named(&woken, "waitlist_application/Waiting");
    assert_eq!((woken.trace.as_str(), &woken.says["run"]), (SECOND, &second.to_string()));

    let answered = line(&front.log(), "answered", WITHDRAWAL);
    assert_eq!((&answered["request"], &answered["method"]), (&json!("web-42"), &json!("DELETE")));
    let receiver = openid(&ward.hospital.messages, 1);
    for secret in ["患者1", "E0000001", "13800000001", receiver.as_str()] {
        let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!collector.bytes().iter().any(|bytes| has(bytes)), "a span names {secret}");
        assert!(!has(front.log().as_bytes()) && !has(works.log().as_bytes()), "a line names {secret}");
    }
    ward.hospital.finish().await;
}

//! HIS behind a gate: every request goes through at once, its answer only while the gate is open or when one is let.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use tokio::sync::Semaphore;

use super::wait_for;

/// More than anybody asks.
const FOR_ALL: usize = 1_000_000;

/// See the module.
pub struct Gate {
    /// Where HIS is asked through it.
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    his: String,
    http: reqwest::Client,
    /// Each answer takes one.
    lets: Semaphore,
    held: AtomicUsize,
    passed: AtomicUsize,
    traceparents: Mutex<Vec<String>>,
}

/// One answer that is held; not any more where whoever asked has gone.
struct Held<'a>(&'a AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    /// An open gate before the HIS at `url`.
    pub async fn before(url: String) -> Self {
        let (origin, path) = url.split_at(url.rfind('/').filter(|at| *at > "http://".len()).unwrap_or(url.len()));
        let inner = Arc::new(Inner {
            his: origin.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            lets: Semaphore::new(FOR_ALL),
            held: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
            traceparents: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner }
    }

    pub fn shut(&self) {
        self.inner.lets.forget_permits(usize::MAX);
    }

    pub fn opens(&self) {
        self.inner.lets.add_permits(FOR_ALL);
    }

    /// Lets one answer through and waits until it has gone.
    pub async fn lets_one(&self) {
        let passed = self.inner.passed.load(Ordering::SeqCst);
        self.inner.lets.add_permits(1);
        wait_for("an answer of HIS to go", || async { self.inner.passed.load(Ordering::SeqCst) > passed }).await;
    }

    /// The traceparents of what was asked so far.
    pub fn traceparents(&self) -> Vec<String> {
        self.inner.traceparents.lock().unwrap().clone()
    }

    /// Answers that are held.
    pub fn held(&self) -> usize {
        self.inner.held.load(Ordering::SeqCst)
    }
}

async fn pass(State(gate): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = gate.http.post(format!("{}{path}", gate.his)).body(body);
    for name in ["content-type", "soapaction"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    if let Some(traceparent) = headers.get("traceparent").and_then(|value| value.to_str().ok()) {
        gate.traceparents.lock().unwrap().push(traceparent.to_owned());
    }
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => panic!("HIS is not there: {error}"),
    };
    let (status, bytes) = (answer.status().as_u16(), answer.bytes().await.unwrap());
    gate.held.fetch_add(1, Ordering::SeqCst);
    let held = Held(&gate.held);
    gate.lets.acquire().await.unwrap().forget();
    drop(held);
    gate.passed.fetch_add(1, Ordering::SeqCst);
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

//! The front door: the real router on a free port, and what patients, staff and the outside ask there.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use houbu::client::Client;
use houbu::engine::RunId;
use houbu::http::auth::ApiKey;
use houbu::http::{Surface, on_socket, router};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

/// The key of the backend service that asks for patients and staff.
pub const KEY: &str = "the-key-that-opens-every-story";

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; null where there is none.
    pub body: Value,
}

impl Reply {
    /// The problem's code.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// The door of one hospital.
pub struct Door {
    pub address: String,
    http: reqwest::Client,
    open: Arc<AtomicBool>,
    keeper: tokio::task::JoinHandle<()>,
}

/// Any free port of 127.0.0.1, and the address under which the outside reaches it.
pub async fn listen() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// The key as the surface knows it.
pub fn api_key() -> ApiKey {
    let scopes = ["waitlist", "runs", "admin"].map(str::to_owned);
    ApiKey::new("stories", &SecretString::from(KEY), &scopes).unwrap()
}

impl Door {
    /// Opens it.
    pub fn open(listener: tokio::net::TcpListener, address: String, surface: Surface) -> Self {
        let open = Arc::new(AtomicBool::new(true));
        let router = router(Arc::new(surface)).layer(from_fn_with_state(Arc::clone(&open), callbacks_if_open));
        let keeper = tokio::spawn(async move { axum::serve(listener, on_socket(router)).await.unwrap() });
        Self { address, http: reqwest::Client::builder().no_proxy().build().unwrap(), open, keeper }
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Callbacks are answered 503 from now on.
    pub fn shut_to_callbacks(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// Nobody is let in any more.
    pub fn close(&self) {
        self.keeper.abort();
    }

    /// The typed client, with the key.
    pub fn client(&self) -> Client {
        Client::new(&self.address, KEY).unwrap()
    }

    /// One request, with the key, and its JSON.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.keyed(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Self::reply(request).await
    }

    /// A request to be finished by a test of its own.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    /// The same with the key.
    pub fn keyed(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path).bearer_auth(KEY)
    }

    /// Sends a request and reads what comes back.
    pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Reply { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// The patient joins a queue.
    pub async fn apply(&self, schedule_id: &str, patient_id: &str) -> Reply {
        let body = json!({ "scheduleId": schedule_id, "patientId": patient_id });
        self.ask(Method::POST, "/v1/waitlist", Some(body)).await
    }

    /// The patient accepts the locked place. The answer waits for the payment's parameters; whoever does not want to
    /// wait hangs up.
    pub fn confirm(&self, entry: RunId) -> tokio::task::JoinHandle<Reply> {
        let request = self.keyed(Method::POST, &format!("/v1/waitlist/{entry}/confirm"));
        tokio::spawn(Self::reply(request))
    }
}

async fn callbacks_if_open(State(open): State<Arc<AtomicBool>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/callbacks/") && !open.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

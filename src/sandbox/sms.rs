//! The simulated SMS gateway: what was sent to whom. The same id is one SMS for ever.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

use super::Now;
use super::books::{Record, Store};
use super::faults::{Faults, hash, perhaps};
use super::heard::heard;
use crate::ports::messages::sms::SmsConfig;

const BOOK: &str = "sms.sent";
/// A phone that ends like this gets nothing.
const SILENT: &str = "0000";

/// How an [`SmsServer`] is to be.
pub struct Options {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The seed of its key.
    pub seed: u64,
    /// The time.
    pub now: Now,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// Where the books are kept.
    pub store: Store,
    /// How long an answer takes that comes too late (real time).
    pub slow: Duration,
}

/// An SMS that was taken.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentSms {
    /// The sender's id.
    pub id: String,
    /// The receiver.
    pub phone: String,
    /// What it says.
    pub text: String,
    /// When it was taken.
    pub at: DateTime<Utc>,
    /// How often it was asked for.
    pub times: u32,
}

impl std::fmt::Debug for SentSms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentSms").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

/// The server; a clone is the same server. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct SmsServer {
    house: Arc<House>,
    listening: Arc<Listening>,
}

struct Listening {
    at: SocketAddr,
    /// Dropping it ends the server.
    _open: tokio::sync::oneshot::Sender<()>,
}

struct House {
    now: Now,
    faults: Arc<Faults>,
    store: Store,
    slow: Duration,
    key: String,
    sent: tokio::sync::Mutex<Sent>,
}

#[derive(Default)]
struct Sent {
    messages: Vec<SentSms>,
    by_id: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
    phone: String,
    text: String,
}

impl SmsServer {
    /// Loads the books, or begins them, and listens.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { listen, seed, now, faults, store, slow } = options;
        let mut loaded: Vec<(String, SentSms)> = store.load(BOOK).await?;
        loaded.sort_by(|one, other| one.0.cmp(&other.0));
        let mut sent = Sent::default();
        for (_, message) in loaded {
            sent.by_id.insert(message.id.clone(), sent.messages.len());
            sent.messages.push(message);
        }
        let key = format!("{:016x}", hash(&[&seed.to_le_bytes(), b"sms key"]));
        let house = Arc::new(House { now, faults, store, slow, key, sent: tokio::sync::Mutex::new(sent) });
        let listener = TcpListener::bind(listen).await?;
        let at = listener.local_addr()?;
        let router = axum::Router::new()
            .route("/sms", post(send))
            .with_state(house.clone())
            .layer(from_fn(|request, next| heard("sms", request, next)));
        let (open, closed) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _ = closed.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulated SMS gateway stopped");
            }
        });
        Ok(Self { house, listening: Arc::new(Listening { at, _open: open }) })
    }

    /// The client's configuration that fits this server.
    pub fn client_config(&self, timeout: Duration) -> SmsConfig {
        let url = format!("http://{}/sms", self.listening.at);
        SmsConfig { url, key: self.house.key.as_str().into(), timeout }
    }

    /// What was taken, in order.
    pub async fn books(&self) -> Vec<SentSms> {
        self.house.sent.lock().await.messages.clone()
    }
}

async fn send(State(house): State<Arc<House>>, headers: HeaderMap, Json(asked): Json<Asked>) -> Response {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if key != Some(&format!("Bearer {}", house.key)) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let fault = house.faults.request("sms", &asked.id);
    if let Some(answer) = house.faults.answer("sms", &asked.id) {
        return code(answer.parse().unwrap_or(3));
    }
    let slow = house.slow;
    perhaps(fault, slow, async move { taken(&house, asked).await }).await
}

async fn taken(house: &House, asked: Asked) -> Response {
    if asked.text.trim().is_empty() {
        return code(2);
    }
    if asked.phone.ends_with(SILENT) {
        return code(1);
    }
    let mut sent = house.sent.lock().await;
    let nth = sent.by_id.get(&asked.id).copied().unwrap_or(sent.messages.len());
    let message = match sent.messages.get(nth) {
        Some(before) => SentSms { times: before.times + 1, ..before.clone() },
        None => SentSms { id: asked.id, phone: asked.phone, text: asked.text, at: (house.now)(), times: 1 },
    };
    let saved = match Record::new(BOOK, format!("{nth:012}"), &message) {
        Ok(record) => house.store.save(vec![record]).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = saved {
        tracing::error!(error, "the books of the simulated SMS gateway are not saved");
        return code(3);
    }
    sent.by_id.insert(message.id.clone(), nth);
    match sent.messages.get_mut(nth) {
        Some(before) => *before = message,
        None => sent.messages.push(message),
    }
    Json(json!({ "code": 0, "messageId": format!("{}", 7_000_000_000_u64 + nth as u64) })).into_response()
}

fn code(code: i64) -> Response {
    Json(json!({ "code": code })).into_response()
}

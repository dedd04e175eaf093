//! The simulated platform for WeChat template messages: tokens, receivers who follow or do not, and what was sent.
//!
//! The same server plays the hospital's own message platform (`platform`), with the same receivers and books.
//!
//! Tokens live in memory: a restart makes the old one wrong, as another holder's forced refresh would.

mod counter;
mod events;
mod platform;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::middleware::from_fn;
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::Now;
use super::books::{Record, Store};
use super::faults::{Faults, hash};
use super::heard::heard;
use crate::ports::messages::{Config, Leads, SubscribeBy};
pub use platform::MessagesAs;

const BOOK: &str = "wechat_messages.sent";
const APP_ID: &str = "wx0000000000000109";
const TOKEN_SECONDS: i64 = 7200;
const DEDUPE: TimeDelta = TimeDelta::minutes(10);
/// So many receivers of a hundred do not follow the account (43004).
const STRANGERS_OF_100: u64 = 2;
/// How long the platform waits for the answer to an event.
const EVENT_WITHIN: Duration = Duration::from_secs(5);
/// Longer values are refused (47003).
const VALUE_CHARS_MAX: usize = 200;

/// How a [`MessageServer`] is to be.
pub struct Options {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The seed of everything that is chance.
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

/// A message that was accepted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// The receiver.
    pub openid: String,
    /// The template.
    pub template_id: String,
    /// The sender's id.
    pub client_msg_id: String,
    /// Field → value.
    pub fields: BTreeMap<String, String>,
    /// When it was accepted.
    pub at: DateTime<Utc>,
}

impl std::fmt::Debug for SentMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentMessage")
            .field("template_id", &self.template_id)
            .field("client_msg_id", &self.client_msg_id)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The server; a clone is the same server. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct MessageServer {
    house: Arc<House>,
    listening: Arc<Listening>,
}

struct Listening {
    at: SocketAddr,
    /// Dropping it ends the server: it takes no more connections and closes those that are idle.
    _open: tokio::sync::oneshot::Sender<()>,
}

struct House {
    seed: u64,
    now: Now,
    faults: Arc<Faults>,
    store: Store,
    slow: Duration,
    secret: String,
    sent: tokio::sync::Mutex<Sent>,
    tokens: Mutex<Tokens>,
    /// How often receivers still agree to a subscribe message; who is not here always does.
    consents: Mutex<HashMap<String, u32>>,
    /// What the hospital's own platform is to tell, and whom.
    events: Mutex<Vec<platform::Event>>,
    tells: Mutex<Option<String>>,
    /// What WeChat is to tell, and whom.
    wechat_events: Mutex<events::Pending>,
    http: reqwest::Client,
}

#[derive(Default)]
struct Sent {
    messages: Vec<SentMessage>,
    /// Receiver and sender's id → the message of that id that was accepted last.
    last: HashMap<(String, String), usize>,
}

#[derive(Default)]
struct Tokens {
    issued: u64,
    forced: u64,
    current: Option<Token>,
}

struct Token {
    value: String,
    ends: DateTime<Utc>,
    refused: bool,
}

#[derive(Deserialize)]
struct SendBody {
    touser: String,
    template_id: String,
    #[serde(default)]
    client_msg_id: String,
    data: BTreeMap<String, FieldBody>,
}

#[derive(Deserialize)]
struct FieldBody {
    value: String,
}

/// The messages as they are stored, in the order of their numbers; nothing is changed.
pub async fn stored_books(store: &Store) -> anyhow::Result<Vec<SentMessage>> {
    let mut loaded: Vec<(String, SentMessage)> = store.load(BOOK).await?;
    loaded.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(loaded.into_iter().map(|(_, message)| message).collect())
}

impl MessageServer {
    /// Loads the books, or begins them, and listens.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { listen, seed, now, faults, store, slow } = options;
        let mut sent = Sent::default();
        for message in stored_books(&store).await? {
            sent.put(message);
        }
        let secret = format!("{:016x}", hash(&[&seed.to_le_bytes(), b"secret"]));
        let (sent, tokens) = (tokio::sync::Mutex::new(sent), Mutex::default());
        let http = reqwest::Client::builder().no_proxy().timeout(EVENT_WITHIN).build()?;
        let (consents, events, tells) = (Mutex::default(), Mutex::default(), Mutex::default());
        let wechat_events = Mutex::default();
        let house = House {
            seed,
            now,
            faults,
            store,
            slow,
            secret,
            sent,
            tokens,
            consents,
            events,
            tells,
            wechat_events,
            http,
        };
        let house = Arc::new(house);
        let listener = TcpListener::bind(listen).await?;
        let at = listener.local_addr()?;
        let router = axum::Router::new()
            .route("/cgi-bin/stable_token", post(counter::stable_token))
            .route("/cgi-bin/message/template/send", post(counter::send))
            .route("/cgi-bin/message/subscribe/bizsend", post(counter::send_subscribed))
            .route("/cgi-bin/message/subscribe/send", post(counter::send_subscribed))
            .route("/platform/send", post(platform::send))
            .with_state(house.clone())
            .layer(from_fn(|request, next| heard("messages", request, next)));
        let (open, closed) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
                let _ = closed.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%error, "the simulated WeChat message platform stopped");
            }
        });
        Ok(Self { house, listening: Arc::new(Listening { at, _open: open }) })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.at)
    }

    /// The client's configuration that fits this server.
    pub fn client_config(&self, timeout: Duration) -> Config {
        let secret = self.house.secret.as_str().into();
        let (leads, subscribe_by) = (Leads::default(), SubscribeBy::default());
        Config { base_url: self.url(), app_id: APP_ID.to_owned(), secret, timeout, leads, subscribe_by }
    }

    /// What was accepted, in order, repetitions within ten minutes dropped.
    pub async fn books(&self) -> Vec<SentMessage> {
        self.house.sent.lock().await.messages.clone()
    }

    /// What was accepted after the first `read` of them.
    pub async fn accepted_after(&self, read: usize) -> Vec<SentMessage> {
        self.house.sent.lock().await.messages.get(read..).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// True if this receiver follows the account; others are answered 43004.
    pub fn follows(&self, openid: &str) -> bool {
        self.house.follows(openid)
    }

    /// This receiver agrees to so many subscribe messages more; then they are answered 43101.
    pub fn consents(&self, openid: &str, times: u32) {
        self.house.consented().insert(openid.to_owned(), times);
    }

    /// How many tokens were given out so far, and how many of them because somebody forced it.
    pub fn tokens_given(&self) -> (u64, u64) {
        let tokens = self.house.tokens();
        (tokens.issued, tokens.forced)
    }

    /// From now on the current token is refused (40001), although it is still the one given out; only a forced
    /// refresh brings another.
    pub fn refuse_token(&self) {
        if let Some(token) = &mut self.house.tokens().current {
            token.refused = true;
        }
    }
}

impl House {
    fn tokens(&self) -> std::sync::MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn consented(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.consents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses one consent up; false where there is none.
    fn uses_consent(&self, openid: &str) -> bool {
        match self.consented().get_mut(openid) {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn follows(&self, openid: &str) -> bool {
        hash(&[&self.seed.to_le_bytes(), b"follows", openid.as_bytes()]) % 100 >= STRANGERS_OF_100
    }

    /// The current token, or a new one where there is none, it ends within five minutes, or `force`.
    fn token(&self, force: bool) -> (String, i64) {
        let now = (self.now)();
        let mut tokens = self.tokens();
        if let Some(token) = &tokens.current
            && !force
            && token.ends > now + TimeDelta::minutes(5)
        {
            return (token.value.clone(), (token.ends - now).num_seconds());
        }
        tokens.issued += 1;
        tokens.forced += u64::from(force);
        let issued_at = now.timestamp_micros().to_le_bytes();
        let value =
            format!("{:016x}", hash(&[&self.seed.to_le_bytes(), b"token", &issued_at, &tokens.issued.to_le_bytes()]));
        let ends = now + TimeDelta::seconds(TOKEN_SECONDS);
        tokens.current = Some(Token { value: value.clone(), ends, refused: false });
        (value, TOKEN_SECONDS)
    }

    /// What is wrong with this token, if anything.
    fn token_error(&self, value: &str) -> Option<i64> {
        match &self.tokens().current {
            Some(token) if token.value == value && !token.refused => (token.ends <= (self.now)()).then_some(42001),
            _ => Some(40001),
        }
    }

    /// What is wrong with this message, if anything.
    fn message_error(&self, body: &SendBody) -> Option<i64> {
        if body.touser.is_empty() {
            Some(40003)
        } else if body.template_id.is_empty() {
            Some(40037)
        } else if body.data.is_empty() || body.data.values().any(|f| f.value.chars().count() > VALUE_CHARS_MAX) {
            Some(47003)
        } else if !self.follows(&body.touser) {
            Some(43004)
        } else {
            None
        }
    }

    /// Accepts a message, or answers the one accepted under its id within ten minutes; true where it is new.
    async fn accept(&self, body: SendBody) -> anyhow::Result<(usize, bool)> {
        self.accept_within(DEDUPE, body).await
    }

    /// The same where an id is one message for ever; true where it is new.
    async fn accept_once(&self, body: SendBody) -> anyhow::Result<(usize, bool)> {
        self.accept_within(TimeDelta::MAX, body).await
    }

    async fn accept_within(&self, dedupe: TimeDelta, body: SendBody) -> anyhow::Result<(usize, bool)> {
        let at = (self.now)();
        let mut sent = self.sent.lock().await;
        let key = (body.touser.clone(), body.client_msg_id.clone());
        if let Some(&n) = sent.last.get(&key).filter(|_| !body.client_msg_id.is_empty())
            && sent.messages.get(n).is_some_and(|message| at - message.at < dedupe)
        {
            return Ok((n, false));
        }
        let message = SentMessage {
            openid: body.touser,
            template_id: body.template_id,
            client_msg_id: body.client_msg_id,
            fields: body.data.into_iter().map(|(name, field)| (name, field.value)).collect(),
            at,
        };
        let id = format!("{:012}", sent.messages.len());
        self.store.save(vec![Record::new(BOOK, id, &message)?]).await?;
        Ok((sent.put(message), true))
    }
}

impl Sent {
    fn put(&mut self, message: SentMessage) -> usize {
        let n = self.messages.len();
        self.last.insert((message.openid.clone(), message.client_msg_id.clone()), n);
        self.messages.push(message);
        n
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

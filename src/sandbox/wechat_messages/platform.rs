//! The hospital's own message platform (统一下发平台), played on the same books: it takes messages as an SMS gateway does, and tells
//! later what became of each, as its faults have it: late, twice, never, after a forged one, or of a message that nobody sent.
//!
//! What is to be told is kept in memory: a platform that begins anew has forgotten it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{FieldBody, House, MessageServer, SendBody};
use crate::ports::messages::unified::PlatformConfig;
use crate::ports::stamp::{Stamper, Way};
use crate::sandbox::catalogue::{PLATFORM_EVENT, PLATFORM_SEND};
use crate::sandbox::faults::{Level, PushFault, hash, perhaps};

/// An event is told so long after the message was taken, seconds.
const EVENT_AFTER_S: i64 = 3;
/// How late a late one is, seconds.
const LATE_S: i64 = 900;
/// Between two tries of an event that was not taken, seconds.
const AGAIN_S: i64 = 30;
/// So often an event is tried.
const TRIES_MAX: u32 = 5;
/// So many receivers of a hundred are not brought what was taken.
const LOST_OF_100: u64 = 3;
/// Where anything goes wrong, one message of so many has one of nobody's told before it.
const UNKNOWN_ONE_OF: u64 = 40;
/// Events on their way at one time.
const AT_ONCE: usize = 8;

/// By whom patients are told in the sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessagesAs {
    /// WeChat.
    #[default]
    Wechat,
    /// The hospital's own message platform.
    Platform,
}

/// What is to be told.
#[derive(Debug, Clone)]
pub(super) struct Event {
    id: String,
    status: &'static str,
    reason: &'static str,
    due_at: DateTime<Utc>,
    tries: u32,
    /// A copy with a wrong signature goes first.
    forge_first: bool,
    twice: bool,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    id: String,
    openid: String,
    template: String,
    fields: std::collections::BTreeMap<String, String>,
}

impl MessageServer {
    /// The configuration of a client of the platform that fits this server.
    pub fn platform_config(&self, timeout: Duration) -> PlatformConfig {
        PlatformConfig { url: format!("{}/platform/send", self.url()), key: self.house.platform_key(), timeout }
    }

    /// The key that its events are signed with.
    pub fn event_key(&self) -> SecretString {
        self.house.key_of(b"platform events").into()
    }

    /// From now on the platform tells the Houbu at this address what became of messages.
    pub fn tell_houbu(&self, base_url: &str) {
        let url = format!("{}/callbacks/messages/events", base_url.trim_end_matches('/'));
        *self.house.tells.lock().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    /// When it tells something next.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        let told = self.house.tells.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let own = if told { self.house.events().iter().map(|event| event.due_at).min() } else { None };
        [own, self.house.wechat_next_at()].into_iter().flatten().min()
    }

    /// Tells what is due, and waits for the answers.
    pub async fn run_due(&self, now: DateTime<Utc>) -> usize {
        let house = &self.house;
        let of_wechat = house.run_wechat_due(now).await;
        let Some(url) = house.tells.lock().unwrap_or_else(PoisonError::into_inner).clone() else {
            return of_wechat;
        };
        let due: Vec<Event> = house.events().extract_if(.., |event| event.due_at <= now).collect();
        let told = futures::stream::iter(&due).map(|event| house.tell(&url, event)).buffer_unordered(AT_ONCE);
        let again: Vec<Event> = told.filter_map(async |event| event).collect().await;
        house.events().extend(again);
        of_wechat + due.len()
    }
}

impl House {
    pub(super) fn key_of(&self, what: &[u8]) -> String {
        format!("{:016x}", hash(&[&self.seed.to_le_bytes(), what]))
    }

    fn platform_key(&self) -> SecretString {
        self.key_of(b"platform key").into()
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what will be told of a message that was just taken.
    fn will_tell(&self, id: &str) {
        let fault = self.faults.push(PLATFORM_EVENT, id);
        if fault == Some(PushFault::Lost) {
            return;
        }
        let roll = hash(&[&self.seed.to_le_bytes(), b"arrives", id.as_bytes()]);
        let asked = self.faults.answer(PLATFORM_EVENT, id);
        let by_chance = self.faults.level() != Level::None;
        let arrives = asked != Some("failed") && (!by_chance || roll % 100 >= LOST_OF_100);
        let late = if fault == Some(PushFault::Late) { LATE_S } else { 0 };
        let event = Event {
            id: id.to_owned(),
            status: if arrives { "delivered" } else { "failed" },
            reason: if arrives { "" } else { "user unreachable" },
            due_at: (self.now)() + TimeDelta::seconds(EVENT_AFTER_S + late),
            tries: 0,
            forge_first: fault == Some(PushFault::WrongSignature),
            twice: fault == Some(PushFault::Duplicate),
        };
        let of_nobody = by_chance && roll.is_multiple_of(UNKNOWN_ONE_OF);
        let stranger = (fault == Some(PushFault::Unknown) || of_nobody)
            .then(|| Event { id: format!("X{:026}", roll % 1_000_000_007), ..event.clone() });
        self.events().extend(stranger.into_iter().chain([event]));
    }

    /// One try; the event as it is tried again, where it was not taken.
    async fn tell(&self, url: &str, event: &Event) -> Option<Event> {
        let body = json!({ "id": event.id, "status": event.status, "reason": event.reason }).to_string();
        if event.forge_first {
            self.post(url, &body, "another key").await;
        }
        let key = self.key_of(b"platform events");
        let mut taken = self.post(url, &body, &key).await;
        if event.twice {
            taken |= self.post(url, &body, &key).await;
        }
        let tries = event.tries + 1;
        let due_at = event.due_at + TimeDelta::seconds(AGAIN_S);
        (!taken && tries < TRIES_MAX).then(|| Event { tries, due_at, forge_first: false, ..event.clone() })
    }

    async fn post(&self, url: &str, body: &str, key: &str) -> bool {
        let nonce = Uuid::new_v4().simple().to_string();
        let stamp = Stamper::new(&key.into()).sign(Way::Event, (self.now)(), &nonce, body.as_bytes());
        let mut request = self.http.post(url).header("Content-Type", "application/json");
        for (name, value) in stamp.headers() {
            request = request.header(name, value);
        }
        let answer = request.body(body.to_owned()).send().await;
        // What it will never take is not tried again.
        answer.is_ok_and(|answer| answer.status().as_u16() < 500 && answer.status() != StatusCode::TOO_MANY_REQUESTS)
    }
}

/// `POST /platform/send`.
pub(super) async fn send(State(house): State<Arc<House>>, headers: HeaderMap, Json(asked): Json<Asked>) -> Response {
    use secrecy::ExposeSecret;
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if key != Some(&format!("Bearer {}", house.platform_key().expose_secret())) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let fault = house.faults.request(PLATFORM_SEND, &asked.id);
    if let Some(answer) = house.faults.answer(PLATFORM_SEND, &asked.id) {
        return code(answer.parse().unwrap_or(3));
    }
    let slow = house.slow;
    perhaps(fault, slow, async move { taken(&house, asked).await }).await
}

async fn taken(house: &House, asked: Asked) -> Response {
    if asked.openid.is_empty() || !house.follows(&asked.openid) {
        return code(1);
    }
    if asked.template.is_empty() || asked.fields.is_empty() {
        return code(2);
    }
    let id = asked.id.clone();
    let data = asked.fields.into_iter().map(|(name, value)| (name, FieldBody { value })).collect();
    let body = SendBody { touser: asked.openid, template_id: asked.template, client_msg_id: asked.id, data };
    match house.accept_once(body).await {
        Ok((n, is_new)) => {
            if is_new {
                house.will_tell(&id);
            }
            Json(json!({ "code": 0, "messageId": format!("{}", 6_000_000_000_u64 + n as u64) })).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the books of the simulated message platform are not saved");
            code(3)
        }
    }
}

fn code(code: i64) -> Response {
    Json(json!({ "code": code })).into_response()
}

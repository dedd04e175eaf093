//! What WeChat tells of a message that it took: `TEMPLATESENDJOBFINISH` or `subscribe_msg_sent_event`, signed with the account's
//! token, as its faults have it: late, twice, never, after a forged one. Nothing is told before somebody is named to be told.
//!
//! What is to be told is kept in memory, as the hospital's own platform keeps it.

use std::sync::PoisonError;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use secrecy::SecretString;
use uuid::Uuid;

use super::{House, MessageServer};
use crate::sandbox::catalogue::{WECHAT_SUBSCRIBE_EVENT, WECHAT_TEMPLATE_EVENT};
use crate::sandbox::faults::PushFault;

/// An event is told so long after the message was taken, seconds.
const EVENT_AFTER_S: i64 = 3;
/// How late a late one is, seconds.
const LATE_S: i64 = 900;
/// Between two tries of an event that was not taken, seconds.
const AGAIN_S: i64 = 5;
/// So many are told at once.
const AT_ONCE: usize = 8;
/// So often an event is tried.
const TRIES_MAX: u32 = 3;

/// Which messages an event is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Template,
    Subscribe,
}

/// What is to be told, and at which address.
#[derive(Debug, Default)]
pub(super) struct Pending {
    url: Option<String>,
    events: Vec<Event>,
}

#[derive(Debug, Clone)]
struct Event {
    of: Of,
    message: u64,
    status: &'static str,
    due_at: DateTime<Utc>,
    tries: u32,
    forge_first: bool,
    twice: bool,
}

/// The `msgid` of the message of this place in the books.
pub(super) fn number(n: usize) -> u64 {
    4_000_000_000_u64 + n as u64
}

impl MessageServer {
    /// The token that WeChat's events are signed with.
    pub fn event_token(&self) -> SecretString {
        self.house.key_of(b"wechat events").into()
    }

    /// From now on WeChat tells the Houbu at this address what became of messages.
    pub fn tell_wechat_events(&self, base_url: &str) {
        let url = format!("{}/callbacks/wechat/events", base_url.trim_end_matches('/'));
        self.house.pending().url = Some(url);
    }
}

impl House {
    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.wechat_events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wechat_next_at(&self) -> Option<DateTime<Utc>> {
        self.pending().events.iter().map(|event| event.due_at).min()
    }

    /// Writes down what will be told of a message that was just taken; its `msgid`.
    pub(super) fn will_tell_wechat(&self, of: Of, n: usize) -> u64 {
        let message = number(n);
        if self.pending().url.is_none() {
            return message;
        }
        let (call, key) = match of {
            Of::Template => (WECHAT_TEMPLATE_EVENT, message.to_string()),
            Of::Subscribe => (WECHAT_SUBSCRIBE_EVENT, message.to_string()),
        };
        let fault = self.faults.push(call, &key);
        if fault == Some(PushFault::Lost) {
            return message;
        }
        let late = if fault == Some(PushFault::Late) { LATE_S } else { 0 };
        let event = Event {
            of,
            message,
            status: self.faults.answer(call, &key).unwrap_or("success"),
            due_at: (self.now)() + TimeDelta::seconds(EVENT_AFTER_S + late),
            tries: 0,
            forge_first: fault == Some(PushFault::WrongSignature),
            twice: fault == Some(PushFault::Duplicate),
        };
        self.pending().events.push(event);
        message
    }

    /// Tells what is due, and waits for the answers; how many that were.
    pub(super) async fn run_wechat_due(&self, now: DateTime<Utc>) -> usize {
        let (url, due) = {
            let mut pending = self.pending();
            let Some(url) = pending.url.clone() else { return 0 };
            let due: Vec<Event> = pending.events.extract_if(.., |event| event.due_at <= now).collect();
            (url, due)
        };
        let told = stream::iter(&due).map(|event| self.tell_of(&url, event, now)).buffer_unordered(AT_ONCE);
        let again: Vec<Event> = told.filter_map(async |event| event).collect().await;
        self.pending().events.extend(again);
        due.len()
    }

    /// Tells of one; what is to be tried again, where it was not taken.
    async fn tell_of(&self, url: &str, event: &Event, now: DateTime<Utc>) -> Option<Event> {
        let body = event.xml(now);
        if event.forge_first {
            self.post_wechat(url, &body, "another token").await;
        }
        let key = self.key_of(b"wechat events");
        let mut taken = self.post_wechat(url, &body, &key).await;
        if event.twice {
            taken |= self.post_wechat(url, &body, &key).await;
        }
        let (tries, due_at) = (event.tries + 1, event.due_at + TimeDelta::seconds(AGAIN_S));
        (!taken && tries < TRIES_MAX).then(|| Event { tries, due_at, forge_first: false, ..event.clone() })
    }

    async fn post_wechat(&self, url: &str, body: &str, token: &str) -> bool {
        let (timestamp, nonce) = ((self.now)().timestamp().to_string(), Uuid::new_v4().simple().to_string());
        let mut parts = [token, &timestamp, &nonce];
        parts.sort_unstable();
        let signature = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()));
        let url = format!("{url}?signature={signature}&timestamp={timestamp}&nonce={nonce}");
        let answer = self.http.post(url).header("Content-Type", "text/xml").body(body.to_owned()).send().await;
        // What it will never take is not tried again.
        answer.is_ok_and(|answer| answer.status().as_u16() < 500 && answer.status() != StatusCode::TOO_MANY_REQUESTS)
    }
}

impl Event {
    fn xml(&self, now: DateTime<Utc>) -> String {
        let (created, message, status) = (now.timestamp(), self.message, self.status);
        match self.of {
            Of::Template => format!(
                "<xml><CreateTime>{created}</CreateTime><MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event>\
                 <MsgID>{message}</MsgID><Status>{status}</Status></xml>"
            ),
            Of::Subscribe => format!(
                "<xml><CreateTime>{created}</CreateTime><MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event>\
                 <SubscribeMsgSentEvent><List><MsgID>{message}</MsgID><ErrorStatus>{status}</ErrorStatus></List>\
                 </SubscribeMsgSentEvent></xml>"
            ),
        }
    }
}

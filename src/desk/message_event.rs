//! Whether a message arrived, as the platform that took it tells later: WeChat, or the hospital's own. No run depends on it; whom
//! a platform could not bring it to is told by the next channel of its route, once (R9, R23).

use std::time::Duration;

use serde_json::json;

use super::{Answer, Desk};
use crate::engine::{Effect, Letter, store};
use crate::records::callbacks::{self, Brings, Callback, Fate};
use crate::records::notices::{self, Kept, Refers};
use crate::records::templates;
use crate::waitlist::route::Channel;
use crate::workflows::notices::{Written, next_letter};
use crate::workflows::texts::built_in;

pub(super) const WECHAT: &str = "wechat";
pub(super) const PLATFORM: &str = "platform";
/// What WeChat says of a message that arrived.
const ARRIVED: &str = "success";
/// WeChat can tell of a message before we have written down its number; it waits for an answer for 5 s.
const LOOKS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Of which messages WeChat tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfWechat {
    /// A template message (`TEMPLATESENDJOBFINISH`).
    Template,
    /// A subscribe message (`subscribe_msg_sent_event`).
    Subscribe,
}

impl OfWechat {
    /// What WeChat calls such an event.
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Template => "TEMPLATESENDJOBFINISH",
            Self::Subscribe => "subscribe_msg_sent_event",
        }
    }

    /// The reverse.
    pub(super) fn named(event: &str) -> Option<Self> {
        [Self::Template, Self::Subscribe].into_iter().find(|one| one.event() == event)
    }
}

/// What the hospital's own platform tells of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It has arrived.
    Delivered,
    /// It could not be brought, and why.
    Failed(String),
    /// Something else, in its own words: written down, and nothing follows.
    Other(String),
}

/// An event, as it is written down.
struct Told<'a> {
    source: &'static str,
    kind: &'a str,
    /// The message, as the sender of the event calls it.
    subject: &'a str,
    status: &'a str,
    /// By which channel it did not arrive; none: it did, or that is not known yet.
    failed: Option<Channel>,
    brings: Brings,
}

impl Desk {
    /// Writes down what WeChat says of a template message of ours, and sees to it that the patient is told all the same. The same
    /// event may come as often as it likes.
    pub async fn message_event(&self, message_id: &str, status: &str) -> Answer<()> {
        self.wechat_event(OfWechat::Template, message_id, status).await.map(drop)
    }

    /// The same of either kind of its messages.
    pub async fn wechat_event(&self, of: OfWechat, message_id: &str, status: &str) -> Answer<Fate> {
        self.wechat_tells(of, message_id, status, Brings::Outside).await
    }

    pub(super) async fn wechat_tells(
        &self,
        of: OfWechat,
        message_id: &str,
        status: &str,
        brings: Brings,
    ) -> Answer<Fate> {
        let channel = match of {
            OfWechat::Template => Channel::WechatTemplate,
            OfWechat::Subscribe => Channel::WechatSubscribe,
        };
        let status = cut(status);
        let failed = (status != ARRIVED).then_some(channel);
        // Of a message that arrived nobody has to be found.
        let letter = if failed.is_some() { self.letter_of(message_id).await? } else { None };
        let known = failed.is_none() || letter.is_some();
        let told = Told { source: WECHAT, kind: of.event(), subject: message_id, status: &status, failed, brings };
        self.told(&told, letter, known).await
    }

    /// Writes down what the hospital's own platform says of the message that we call `id`, with the same care.
    pub async fn platform_event(&self, id: &str, arrival: &Arrival) -> Answer<Fate> {
        self.platform_tells(id, arrival, Brings::Outside).await
    }

    pub(super) async fn platform_tells(&self, id: &str, arrival: &Arrival, brings: Brings) -> Answer<Fate> {
        let (kind, status, failed) = match arrival {
            Arrival::Delivered => ("delivered", "delivered".to_owned(), None),
            Arrival::Failed(why) if why.is_empty() => ("failed", "failed".to_owned(), Some(Channel::Platform)),
            Arrival::Failed(why) => ("failed", cut(&format!("failed: {why}")), Some(Channel::Platform)),
            Arrival::Other(status) => ("other", cut(status), None),
        };
        let letter = notices::by_id(&self.engine.pool, self.hospital(), id).await?;
        let known = letter.is_some();
        let told = Told { source: PLATFORM, kind, subject: id, status: &status, failed, brings };
        self.told(&told, letter, known).await
    }

    async fn told(&self, told: &Told<'_>, letter: Option<Kept>, known: bool) -> Answer<Fate> {
        let next = match (told.failed, &letter) {
            (Some(channel), Some(letter)) => self.by_next_channel(letter, channel).await?,
            _ => None,
        };
        let fate = match (known, &next) {
            // WeChat tells of every message of the account, also of those that others have sent.
            (false, _) if told.source == WECHAT => Fate::Ignored,
            (false, _) => Fate::NoRun,
            (true, Some(_)) => Fate::Delivered,
            (true, None) => Fate::Ignored,
        };
        let event_id = format!("{}:{}", told.subject, told.status);
        let body = json!({ "status": told.status });
        let callback =
            Callback { source: told.source, event_id: &event_id, kind: told.kind, subject: told.subject, body: &body };
        let mut tx = self.begin().await?;
        if callbacks::receive_from(&mut tx, self.hospital(), &callback, told.brings).await? {
            callbacks::settle(&mut tx, self.hospital(), told.source, &event_id, fate).await?;
        }
        let falls_back = next.is_some();
        if let (Some(next), Some((_, run, _))) = (next, letter) {
            store::write_effects(&mut tx, self.hospital(), vec![(run, Effect::Tell(next))]).await?;
        }
        tx.commit().await?;
        if falls_back {
            self.engine.hint();
        }
        Ok(fate)
    }

    /// The letter that says it by the next channel, with the text in force now; none where there is no other one.
    async fn by_next_channel(&self, (id, _, payload): &Kept, failed: Channel) -> Answer<Option<Letter>> {
        let Ok(written) = serde_json::from_value::<Written>(payload.clone()) else { return Ok(None) };
        let (pool, name) = (&self.engine.pool, written.kind.template());
        let refers = Refers {
            entry: written.entry,
            patient_id: written.patient_id.clone(),
            schedule_id: written.schedule_id.clone(),
            template: name.as_str(),
        };
        let stands = notices::standing(pool, self.hospital(), &[refers]).await?.pop();
        let stored = match stands.and_then(|stands| stands.template) {
            Some(version) => templates::find(pool, self.hospital(), name.as_str(), &version).await?,
            None => None,
        };
        let stored = stored.and_then(|version| version.body).map(|body| body.0);
        let text = stored.unwrap_or_else(|| built_in(&self.ports.template_ids, name));
        Ok(next_letter(&self.ports.routes, &text, id, &written, &[failed]))
    }

    async fn letter_of(&self, message_id: &str) -> Answer<Option<Kept>> {
        for _ in 1..LOOKS {
            let found = notices::by_reference(&self.engine.pool, self.hospital(), message_id).await?;
            if found.is_some() {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(notices::by_reference(&self.engine.pool, self.hospital(), message_id).await?)
    }
}

/// What the platform told, from how it was written down.
pub(super) fn arrival(kind: &str, status: &str) -> Arrival {
    match kind {
        "delivered" => Arrival::Delivered,
        "failed" => Arrival::Failed(status.strip_prefix("failed: ").unwrap_or_default().to_owned()),
        _ => Arrival::Other(status.to_owned()),
    }
}

/// The platform's words, cut: they are not ours.
pub(super) fn cut(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(100).collect()
}

//! What became of the notices about an application, and that staff send one again (R23).
//!
//! Sending again is for a terminal too, which has no desk.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Desk, DeskError};
use crate::engine::staff::By;
use crate::engine::store::audit::{self, Deed};
use crate::engine::store::{self, letters};
use crate::engine::{Effect, Engine, Letter, RunId};
use crate::records::entries;
use crate::records::notices::{self, Sent};
use crate::waitlist::ids;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::route::{self, Routes};
use crate::waitlist::template::Template;
use crate::workflows::notices::{BY_PLATFORM, SMS, TOPIC, Written, sms_letter};

/// How patients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// WeChat.
    Wechat,
    /// The hospital's own message platform.
    Platform,
    /// An SMS.
    Sms,
}

impl Channel {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wechat => "wechat",
            Self::Platform => "platform",
            Self::Sms => "sms",
        }
    }

    fn topic(self) -> &'static str {
        match self {
            Self::Wechat | Self::Platform => TOPIC,
            Self::Sms => SMS,
        }
    }

    /// How a letter went, as its platform's number of it tells; else how its route has it go.
    fn of(sent: &Sent, written: &Written, routes: &Routes) -> Self {
        let by_route = || {
            let usual = Template::built_in(written.kind.template(), String::new());
            routes.next(written.kind.template(), &usual, &written.tried)
        };
        match sent.reference.as_deref() {
            _ if sent.topic == SMS => Self::Sms,
            Some(number) if number.starts_with(BY_PLATFORM) => Self::Platform,
            None if by_route() == Some(route::Channel::Platform) => Self::Platform,
            _ => Self::Wechat,
        }
    }
}

/// How a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On its way, or waiting until it is tried again, or for the end of the quiet hours.
    Queued,
    /// The platform has taken it; of its arrival nothing is known yet.
    Sent,
    /// The platform says that it has arrived.
    Delivered,
    /// The platform says that it could not be brought.
    Failed,
    /// It was no longer true, so it was not sent.
    Suppressed,
    /// The patient cannot be reached this way.
    Unreachable,
    /// It waits for a person: see `letters`.
    PutAside,
}

impl State {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Suppressed => "suppressed",
            Self::Unreachable => "unreachable",
            Self::PutAside => "putAside",
        }
    }

    /// By the outbox's word, and the platform's.
    fn of(status: &str, told: Option<&str>) -> Self {
        match (status, told) {
            ("sent", None) => Self::Sent,
            ("sent", Some("success" | "delivered")) => Self::Delivered,
            ("sent", Some(_)) => Self::Failed,
            ("suppressed", _) => Self::Suppressed,
            ("undeliverable", _) => Self::Unreachable,
            ("suspended", _) => Self::PutAside,
            _ => Self::Queued,
        }
    }
}

/// A notice.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its id, which the platform knows.
    pub id: String,
    /// How it goes.
    pub channel: Channel,
    /// What it says, as references.
    pub written: Written,
    /// How it stands.
    pub state: State,
    /// Why it was not sent, or did not arrive.
    pub why: Option<String>,
    /// Failed attempts.
    pub attempts: i32,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it is tried next; while it is queued.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was sent, or given up.
    pub settled_at: Option<DateTime<Utc>>,
    /// When the platform told of its arrival.
    pub told_at: Option<DateTime<Utc>>,
    /// The notice that it repeats, where staff sent it again.
    pub resend_of: Option<String>,
}

/// Why a notice is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotResent {
    /// It, or a repetition of it, is on its way.
    #[error("it is on its way")]
    UnderWay,
    /// What it says is no longer true.
    #[error("it is no longer true")]
    NoLongerTrue,
    /// There is no SMS gateway.
    #[error("no SMS gateway is configured")]
    NoSms,
    /// It was sent again too often.
    #[error("it was sent again too often")]
    TooOften,
}

/// The notices about an application, oldest first; [`Refusal::NotFound`] where there is no such application.
pub async fn of_entry(engine: &Engine, routes: &Routes, entry: RunId) -> Answer<Vec<Notice>> {
    entries::status(&engine.pool, &engine.tenant, entry).await?.ok_or(Refusal::NotFound)?;
    let all = notices::of_entry(&engine.pool, &engine.tenant, entry).await?;
    all.into_iter().map(|sent| notice(sent, routes)).collect()
}

/// Sends a notice again, as it is or over another channel, as one of its own; a notice that was put aside is tried again
/// itself. Answers the id of what is sent.
pub async fn resend(
    engine: &Engine,
    routes: &Routes,
    (entry, id): (RunId, &str),
    channel: Option<Channel>,
    by: &By,
) -> Answer<String> {
    let mut tx = engine.pool.begin().await?;
    notices::hold(&mut *tx, &engine.tenant, entry).await?;
    let all = notices::of_entry(&mut *tx, &engine.tenant, entry).await?;
    let sent = all.iter().find(|one| one.id == id).cloned().ok_or(Refusal::NotFound)?;
    let before = notice(sent.clone(), routes)?;
    let channel = channel.unwrap_or(before.channel);
    if channel == Channel::Sms && !routes.is_open(route::Channel::Sms) {
        return Err(NotResent::NoSms.into());
    }
    let resent = if before.state == State::PutAside && channel.topic() == sent.topic {
        letters::retry(&mut tx, &engine.tenant, &[id.to_owned()]).await?;
        id.to_owned()
    } else {
        let letter = repeated(&all, &sent, before.state, channel)?;
        let id = letter.id.clone();
        store::write_effects(&mut tx, &engine.tenant, vec![(entry, Effect::Tell(letter))]).await?;
        id
    };
    let deed = Deed {
        who: &by.who,
        verb: "notice.resend",
        run: Some(entry),
        job: None,
        reason: &by.reason,
        before: json!({ "notice": id, "channel": before.channel.as_str(), "state": before.state.as_str() }),
        after: json!({ "notice": resent, "channel": channel.as_str() }),
        bulk: None,
    };
    audit::write(&mut tx, &engine.tenant, &deed).await?;
    tx.commit().await?;
    engine.hint();
    Ok(resent)
}

/// The letter that says it again: the first one over this channel is the channel's own, the others have a count.
fn repeated(all: &[Sent], sent: &Sent, state: State, channel: Channel) -> Result<Letter, NotResent> {
    if state == State::Suppressed {
        return Err(NotResent::NoLongerTrue);
    }
    // The notice and the SMS in its place have one id but for the channel.
    let of_one = |id: &str| ids::first_id(id).get(1..).map(str::to_owned);
    let same = |one: &&Sent| one.topic == channel.topic() && of_one(&one.id) == of_one(&sent.id);
    let mut over_it = all.iter().filter(same);
    if over_it.clone().any(|one| matches!(one.status.as_str(), "pending" | "sending")) {
        return Err(NotResent::UnderWay);
    }
    let own = match channel {
        Channel::Wechat | Channel::Platform => format!("M{}", of_one(&sent.id).unwrap_or_default()),
        Channel::Sms => sms_letter(ids::first_id(&sent.id), &sent.payload).id,
    };
    let id = match over_it.next() {
        None => own,
        Some(_) => ids::resent_id(&own, over_it.count() + 1).ok_or(NotResent::TooOften)?,
    };
    // It goes by the whole of its route again.
    let mut payload = sent.payload.clone();
    if let Some(written) = payload.as_object_mut() {
        written.remove("tried");
    }
    Ok(Letter { id, topic: channel.topic(), payload })
}

fn notice(sent: Sent, routes: &Routes) -> Answer<Notice> {
    let written: Written = serde_json::from_value(sent.payload.clone())
        .map_err(|error| DeskError::Broken(format!("the letter {} cannot be read: {error}", sent.id)))?;
    let state = State::of(&sent.status, sent.told.as_deref());
    let first = ids::first_id(&sent.id);
    Ok(Notice {
        channel: Channel::of(&sent, &written, routes),
        written,
        state,
        why: if state == State::Failed { sent.told } else { sent.last_error },
        attempts: sent.attempt,
        created_at: sent.created_at,
        due_at: (state == State::Queued).then_some(sent.due_at),
        settled_at: sent.settled_at,
        told_at: sent.told_at,
        resend_of: (first != sent.id).then(|| first.to_owned()),
        id: sent.id,
    })
}

impl From<NotResent> for DeskError {
    fn from(refused: NotResent) -> Self {
        Self::NotResent(refused)
    }
}

impl Desk {
    /// The notices about an application, oldest first.
    pub async fn notices(&self, entry: Uuid) -> Answer<Vec<Notice>> {
        of_entry(&self.engine, &self.ports.routes, entry).await
    }

    /// Sends a notice again, and shows it as it stands then.
    pub async fn resend_notice(&self, entry: Uuid, id: &str, channel: Option<Channel>, by: &By) -> Answer<Notice> {
        let resent = resend(&self.engine, &self.ports.routes, (entry, id), channel, by).await?;
        let all = self.notices(entry).await?;
        Ok(all.into_iter().find(|one| one.id == resent).ok_or(Refusal::NotFound)?)
    }
}

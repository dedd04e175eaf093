//! What patients are told: the letters that applications write, and the outlets that turn them into messages by the channels of
//! their route, or into an SMS. Whom a channel cannot reach is told by the next one, once.
//!
//! A letter holds references only. Names and texts are filled in at delivery, and a letter that is no longer true is
//! not sent (R21).

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ports;
use super::reading::{Reading, Ready};
use crate::engine::outbox::{Delivery, Outlet};
use crate::engine::store::letters::Claimed;
use crate::engine::{Fault, Letter, RunId, limits};
use crate::ports::his::TimeSlot;
use crate::ports::messages::sms::{Sms, SmsMessage};
use crate::ports::messages::{Message, Messages, Sent};
use crate::waitlist::calendar::QuietHours;
use crate::waitlist::ids;
use crate::waitlist::notice::NoticeKind;
use crate::waitlist::route::{Channel, Routes};
use crate::waitlist::template::Template;

/// The outbox topic of notices.
pub const TOPIC: &str = "notice";

/// The destination that notices go to.
pub const LANE: &str = "messages";

/// The outbox topic of what is sent to a phone in the place of a notice, and the destination that it goes to.
pub const SMS: &str = "sms";

/// What a letter says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The occasion.
    pub kind: NoticeKind,
    /// The application.
    pub entry: RunId,
    /// The receiver.
    pub patient_id: String,
    /// The schedule it is about.
    pub schedule_id: String,
    /// The time, where one is offered or booked.
    pub slot: Option<TimeSlot>,
    /// Until when the queue runs, or the patient may confirm; when the visit begins of which it reminds.
    pub deadline: Option<DateTime<Utc>>,
    /// 分, where money is concerned.
    pub amount_fen: Option<i64>,
    /// Where to go.
    pub place: Option<String>,
    /// When nobody is to be disturbed; none: whenever.
    #[serde(default)]
    pub quiet_hours: Option<QuietHours>,
    /// It waits until then; none: it is told as soon as it is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// The channels that could not bring it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Channel>,
}

/// The letter that says `written`; `id` is what the platform drops repetitions by.
pub fn letter(id: String, written: &Written) -> Letter {
    Letter { id, topic: TOPIC, payload: serde_json::to_value(written).unwrap_or_default() }
}

/// The SMS in the place of a notice. One of its id stands once, whoever finds out that the notice cannot arrive, and how often.
pub fn sms_letter(notice_id: &str, payload: &Value) -> Letter {
    Letter { id: ids::sms_id(notice_id), topic: SMS, payload: payload.clone() }
}

/// The letter that says it by the next channel of its route, where `failed` could not: with an id that this channel has once for
/// a notice. None where there is no other channel.
pub fn next_letter(
    routes: &Routes,
    text: &Template,
    id: &str,
    written: &Written,
    failed: &[Channel],
) -> Option<Letter> {
    let mut tried = written.tried.clone();
    tried.extend(failed.iter().filter(|channel| !written.tried.contains(channel)));
    let channel = routes.next(written.kind.template(), text, &tried)?;
    let payload = serde_json::to_value(Written { tried, ..written.clone() }).unwrap_or_default();
    let topic = if channel == Channel::Sms { SMS } else { TOPIC };
    Some(Letter { id: ids::instead_id(id, channel), topic, payload })
}

/// What the platform's number of a message begins with, where the hospital's own platform took it.
pub const BY_PLATFORM: &str = "platform:";

/// Who brings notices, as far as they are configured.
#[derive(Clone, Default)]
pub struct Couriers {
    /// WeChat, by template and subscribe messages.
    pub wechat: Option<Arc<dyn Messages>>,
    /// The hospital's own platform.
    pub platform: Option<Arc<dyn Messages>>,
}

impl Couriers {
    /// WeChat alone.
    pub fn wechat(client: Arc<dyn Messages>) -> Self {
        Self { wechat: Some(client), platform: None }
    }

    fn of(&self, channel: Channel) -> Option<&dyn Messages> {
        match channel {
            Channel::WechatTemplate | Channel::WechatSubscribe => self.wechat.as_deref(),
            Channel::Platform => self.platform.as_deref(),
            Channel::Sms => None,
        }
    }
}

/// Sends notices by the channels of their routes. Whom one of them does not reach is told by the next.
pub struct NoticeOutlet {
    couriers: Couriers,
    reading: Reading,
    routes: Routes,
}

impl NoticeOutlet {
    /// Over our tables and the key to patients.
    pub fn new(ports: Arc<Ports>, couriers: Couriers) -> Self {
        let routes = ports.routes.clone();
        Self { couriers, reading: Reading::new(ports), routes }
    }
}

/// What becomes of a notice that these channels cannot bring.
fn by_other_means(routes: &Routes, letter: &Claimed, ready: &Ready, failed: &[Channel], why: String) -> Delivery {
    match next_letter(routes, &ready.text, &letter.id, &ready.written, failed) {
        Some(letter) => Delivery::Instead { why, letter },
        None => Delivery::Undeliverable(why),
    }
}

#[async_trait]
impl Outlet for NoticeOutlet {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let ready = match self.reading.of(letter).await? {
            Ok(ready) => ready,
            Err(decided) => return Ok(decided),
        };
        let name = ready.written.kind.template();
        let Some(channel) = self.routes.next(name, &ready.text, &ready.written.tried) else {
            limits::nobody_called();
            if ready.written.tried.is_empty() {
                return Err(Fault::Stop(format!(
                    "no channel of the text {} is configured; change its channels, or configure one, then retry",
                    name.as_str()
                )));
            }
            return Ok(Delivery::Undeliverable("its route has no other channel any more".to_owned()));
        };
        if channel == Channel::Sms {
            limits::nobody_called();
            return Ok(by_other_means(&self.routes, letter, &ready, &[], "it goes by SMS".to_owned()));
        }
        let Some(openid) = ready.person.openid.clone() else {
            limits::nobody_called();
            let why = "the patient has no WeChat account here".to_owned();
            return Ok(by_other_means(&self.routes, letter, &ready, &Channel::BY_ACCOUNT, why));
        };
        let Some(courier) = self.couriers.of(channel) else {
            let section = channel.section();
            return Err(Fault::Stop(format!(
                "[{section}] is not configured in this process; configure it, then retry"
            )));
        };
        let message = Message {
            openid,
            template_id: ready.text.id_on(channel).to_owned(),
            client_msg_id: letter.id.clone(),
            fields: ready.text.render(ready.written.kind, &ready.facts()),
            subscribed: channel == Channel::WechatSubscribe,
        };
        Ok(match courier.send(&message).await? {
            Sent::Accepted { msg_id } if channel == Channel::Platform => {
                Delivery::Sent(format!("{BY_PLATFORM}{msg_id}"))
            }
            Sent::Accepted { msg_id } => Delivery::Sent(msg_id),
            Sent::Unreachable { code } => {
                by_other_means(&self.routes, letter, &ready, &[channel], format!("the platform answers {code}"))
            }
            Sent::Rejected { code } => {
                return Err(Fault::Stop(format!(
                    "the platform rejects the template {}: {code}; mend the template, then retry",
                    message.template_id
                )));
            }
        })
    }
}

/// Sends SMS: in the place of notices, or by their route.
pub struct SmsOutlet {
    gateway: Arc<dyn Sms>,
    reading: Reading,
    routes: Routes,
}

impl SmsOutlet {
    /// Over our tables and the key to patients.
    pub fn new(ports: Arc<Ports>, gateway: Arc<dyn Sms>) -> Self {
        let routes = ports.routes.clone();
        Self { gateway, reading: Reading::new(ports), routes }
    }
}

#[async_trait]
impl Outlet for SmsOutlet {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let ready = match self.reading.of(letter).await? {
            Ok(ready) => ready,
            Err(decided) => return Ok(decided),
        };
        let instead = |why: &str| by_other_means(&self.routes, letter, &ready, &[Channel::Sms], why.to_owned());
        let Some(text) = ready.text.render_sms(ready.written.kind, &ready.facts()) else {
            limits::nobody_called();
            return Ok(Delivery::Undeliverable("its text has no SMS".to_owned()));
        };
        if ready.person.phone.is_empty() {
            limits::nobody_called();
            return Ok(instead("the patient has no phone here"));
        }
        let message = SmsMessage { id: letter.id.clone(), phone: ready.person.phone.clone(), text };
        Ok(match self.gateway.send(&message).await? {
            Sent::Accepted { msg_id } => Delivery::Sent(msg_id),
            Sent::Unreachable { code } => instead(&format!("the gateway answers {code}")),
            Sent::Rejected { code } => {
                return Err(Fault::Stop(format!(
                    "the SMS gateway rejects the text {}: {code}; mend the text, then retry",
                    ready.written.kind.template().as_str()
                )));
            }
        })
    }
}

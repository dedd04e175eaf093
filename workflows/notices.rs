//! What patients are told: the letters that applications write, and the outlets that turn them into messages, or into an SMS
//! for whom the message platform does not reach.
//!
//! A letter holds references only. Names and texts are filled in at delivery, and a letter that is no longer true is
//! not sent (R21).

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ports;
use super::reading::Reading;
use crate::engine::outbox::{Delivery, Outlet};
use crate::engine::store::letters::Claimed;
use crate::engine::{Fault, Letter, RunId, limits};
use crate::ports::his::TimeSlot;
use crate::ports::messages::sms::{Sms, SmsMessage};
use crate::ports::messages::{Message, Messages, Sent};
use crate::waitlist::calendar::QuietHours;
use crate::waitlist::ids;
use crate::waitlist::notice::NoticeKind;

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
}

/// The letter that says `written`; `id` is what the platform drops repetitions by.
pub fn letter(id: String, written: &Written) -> Letter {
    Letter { id, topic: TOPIC, payload: serde_json::to_value(written).unwrap_or_default() }
}

/// The SMS in the place of a notice. One of its id stands once, whoever finds out that the notice cannot arrive, and how often.
pub fn sms_letter(notice_id: &str, payload: &Value) -> Letter {
    Letter { id: ids::sms_id(notice_id), topic: SMS, payload: payload.clone() }
}

/// Sends notices over the message platform. Whom it does not reach is written an SMS, where there is a gateway for that.
pub struct NoticeOutlet {
    messages: Arc<dyn Messages>,
    reading: Reading,
    has_sms: bool,
}

impl NoticeOutlet {
    /// Over our tables and the key to patients.
    pub fn new(ports: Arc<Ports>, messages: Arc<dyn Messages>) -> Self {
        let has_sms = ports.sms.is_some();
        Self { messages, reading: Reading::new(ports), has_sms }
    }

    /// What becomes of a notice that the platform cannot bring. A text without an SMS has none.
    fn by_other_means(&self, letter: &Claimed, why: String, has_text: bool) -> Delivery {
        if self.has_sms && has_text {
            Delivery::Instead { why, letter: sms_letter(&letter.id, &letter.payload) }
        } else {
            Delivery::Undeliverable(why)
        }
    }
}

#[async_trait]
impl Outlet for NoticeOutlet {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let ready = match self.reading.of(letter).await? {
            Ok(ready) => ready,
            Err(decided) => return Ok(decided),
        };
        let has_text = ready.text.sms.is_some();
        let Some(openid) = ready.person.openid.clone() else {
            limits::nobody_called();
            let why = "the patient has no WeChat account here".to_owned();
            return Ok(self.by_other_means(letter, why, has_text));
        };
        let message = Message {
            openid,
            template_id: ready.text.template_id.clone(),
            client_msg_id: letter.id.clone(),
            fields: ready.text.render(ready.written.kind, &ready.facts()),
        };
        Ok(match self.messages.send(&message).await? {
            Sent::Accepted { msg_id } => Delivery::Sent(msg_id),
            Sent::Unreachable { code } => self.by_other_means(letter, format!("the platform answers {code}"), has_text),
            Sent::Rejected { code } => {
                return Err(Fault::Stop(format!(
                    "the platform rejects the template {}: {code}; mend the template, then retry",
                    message.template_id
                )));
            }
        })
    }
}

/// Sends the SMS in the place of notices.
pub struct SmsOutlet {
    gateway: Arc<dyn Sms>,
    reading: Reading,
}

impl SmsOutlet {
    /// Over our tables and the key to patients.
    pub fn new(ports: Arc<Ports>, gateway: Arc<dyn Sms>) -> Self {
        Self { gateway, reading: Reading::new(ports) }
    }
}

#[async_trait]
impl Outlet for SmsOutlet {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let ready = match self.reading.of(letter).await? {
            Ok(ready) => ready,
            Err(decided) => return Ok(decided),
        };
        let Some(text) = ready.text.render_sms(ready.written.kind, &ready.facts()) else {
            limits::nobody_called();
            return Ok(Delivery::Undeliverable("its text has no SMS".to_owned()));
        };
        if ready.person.phone.is_empty() {
            limits::nobody_called();
            return Ok(Delivery::Undeliverable("the patient has no phone here".to_owned()));
        }
        let message = SmsMessage { id: letter.id.clone(), phone: ready.person.phone.clone(), text };
        Ok(match self.gateway.send(&message).await? {
            Sent::Accepted { msg_id } => Delivery::Sent(msg_id),
            Sent::Unreachable { code } => Delivery::Undeliverable(format!("the gateway answers {code}")),
            Sent::Rejected { code } => {
                return Err(Fault::Stop(format!(
                    "the SMS gateway rejects the text {}: {code}; mend the text, then retry",
                    ready.written.kind.template().as_str()
                )));
            }
        })
    }
}

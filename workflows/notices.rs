//! What patients are told: the letters that applications write, and the outlet that turns them into messages.
//!
//! A letter holds references only. Names and texts are filled in at delivery, and a letter that is no longer true is
//! not sent (R21).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Ports, unread};
use crate::engine::outbox::{Delivery, Outlet};
use crate::engine::store::letters::Claimed;
use crate::engine::{Fault, Letter, RunId, limits};
use crate::ports::his::{DayPart, TimeSlot};
use crate::ports::messages::{Message, Messages, Sent};
use crate::records::{entries, schedules};
use crate::waitlist::money::Fen;
use crate::waitlist::notice::{NoticeFacts, NoticeKind};
use crate::waitlist::status::EntryStatus;

/// The outbox topic of notices.
pub const TOPIC: &str = "notice";

/// The destination that notices go to.
pub const LANE: &str = "messages";

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
    /// Until when the queue runs, or the patient may confirm.
    pub deadline: Option<DateTime<Utc>>,
    /// 分, where money is concerned.
    pub amount_fen: Option<i64>,
    /// Where to go.
    pub place: Option<String>,
}

/// The letter that says `written`; `id` is what the platform drops repetitions by.
pub fn letter(id: String, written: &Written) -> Letter {
    Letter { id, topic: TOPIC, payload: serde_json::to_value(written).unwrap_or_default() }
}

/// Sends notices over the message platform.
pub struct NoticeOutlet {
    /// Our tables and the key to patients.
    pub ports: Arc<Ports>,
    /// The platform.
    pub messages: Arc<dyn Messages>,
    /// The platform's template ids by our names; a name without one is its own id.
    pub template_ids: BTreeMap<String, String>,
}

#[async_trait]
impl Outlet for NoticeOutlet {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let written: Written = serde_json::from_value(letter.payload.clone())
            .map_err(|error| Fault::Stop(format!("the letter {} cannot be read: {error}", letter.id)))?;
        let status = entries::status(&self.ports.pool, &self.ports.hospital, written.entry).await.map_err(unread)?;
        let status = status.as_deref().and_then(EntryStatus::parse);
        if !status.is_some_and(|status| still_true(written.kind, status)) {
            limits::nobody_called();
            return Ok(Delivery::Suppressed("no longer true"));
        }
        let Some(openid) = self.ports.person(&written.patient_id).await?.openid else {
            limits::nobody_called();
            return Ok(Delivery::Undeliverable("the patient has no WeChat account here".to_owned()));
        };
        let message = Message {
            openid,
            template_id: self.template_id(written.kind.template()),
            client_msg_id: letter.id.clone(),
            fields: self.fields(&written).await?,
        };
        Ok(match self.messages.send(&message).await? {
            Sent::Accepted { msg_id } => Delivery::Sent(msg_id),
            Sent::Unreachable { code } => Delivery::Undeliverable(format!("the platform answers {code}")),
            Sent::Rejected { code } => {
                return Err(Fault::Stop(format!(
                    "the platform rejects the template {}: {code}; mend the template, then retry",
                    message.template_id
                )));
            }
        })
    }
}

/// A submission stays true of whoever has moved on to an offer or a booking; the rest is the notice's own rule.
fn still_true(kind: NoticeKind, status: EntryStatus) -> bool {
    kind.still_true(status) || (kind == NoticeKind::Submitted && status == EntryStatus::Booked)
}

impl NoticeOutlet {
    fn template_id(&self, name: &str) -> String {
        self.template_ids.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    async fn fields(&self, written: &Written) -> Result<BTreeMap<String, String>, Fault> {
        let schedule = schedules::find(&self.ports.pool, &self.ports.hospital, &written.schedule_id)
            .await
            .map_err(unread)?
            .ok_or_else(|| Fault::Stop(format!("the schedule {} is not known any more", written.schedule_id)))?;
        let facts = NoticeFacts {
            doctor_name: &schedule.doctor_name,
            visit_date: schedule.visit_date,
            part_of_day: in_words(schedule.part),
            begins: written.slot.as_ref().map(|slot| slot.begins),
            place: written.place.as_deref(),
            deadline: written.deadline,
            amount: written.amount_fen.map(Fen),
            tz: self.ports.tz,
        };
        Ok(written.kind.fields(&facts).into_iter().map(|(field, value)| (field.to_owned(), value)).collect())
    }
}

fn in_words(part: DayPart) -> &'static str {
    match part {
        DayPart::Morning => "上午",
        DayPart::Afternoon => "下午",
        DayPart::Evening => "晚上",
        DayPart::WholeDay => "全天",
    }
}

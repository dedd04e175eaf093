//! What patients are told: the letters that applications write, and the outlet that turns them into messages.
//!
//! A letter holds references only. Names and texts are filled in at delivery, and a letter that is no longer true is
//! not sent (R21).

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::{Deserialize, Serialize};

use super::texts::Texts;
use super::{Ports, unknown_patient, unread};
use crate::engine::group::Group;
use crate::engine::outbox::{Delivery, Outlet};
use crate::engine::store::letters::Claimed;
use crate::engine::{Fault, Letter, RunId, limits};
use crate::ports::his::{DayPart, TimeSlot};
use crate::ports::messages::{Message, Messages, Sent};
use crate::records::notices::{self, Refers, Stands, Visit};
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

/// The most letters that are read about by one statement.
const TOGETHER_MAX: usize = 64;

/// Sends notices over the message platform.
pub struct NoticeOutlet {
    ports: Arc<Ports>,
    messages: Arc<dyn Messages>,
    texts: Texts,
    standing: Group<Refers, Result<Stands, String>>,
}

#[async_trait]
impl Outlet for NoticeOutlet {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        let written: Written = serde_json::from_value(letter.payload.clone())
            .map_err(|error| Fault::Stop(format!("the letter {} cannot be read: {error}", letter.id)))?;
        let stands = self.stands(&written).await?;
        let status = stands.status.as_deref().and_then(EntryStatus::parse);
        if !status.is_some_and(|status| still_true(written.kind, status)) {
            limits::nobody_called();
            return Ok(Delivery::Suppressed("no longer true"));
        }
        let patient = stands.patient.ok_or_else(|| unknown_patient(&written.patient_id))?;
        let Some(openid) = self.ports.open(&patient)?.openid else {
            limits::nobody_called();
            return Ok(Delivery::Undeliverable("the patient has no WeChat account here".to_owned()));
        };
        let text = self.texts.of(written.kind.template(), stands.template.clone()).await?;
        let message = Message {
            openid,
            template_id: text.template_id.clone(),
            client_msg_id: letter.id.clone(),
            fields: text.render(written.kind, &self.facts(&written, stands.visit.as_ref())?),
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
    /// Over our tables and the key to patients.
    pub fn new(ports: Arc<Ports>, messages: Arc<dyn Messages>) -> Self {
        let texts = Texts::new(ports.pool.clone(), ports.hospital.clone(), ports.template_ids.clone());
        let of = Arc::clone(&ports);
        let standing = Group::start(TOGETHER_MAX, move |letters: Vec<Refers>| {
            let ports = Arc::clone(&of);
            async move {
                match notices::standing(&ports.pool, &ports.hospital, &letters).await {
                    Ok(stands) => stands.into_iter().map(Ok).collect(),
                    Err(error) => letters.iter().map(|_| Err(error.to_string())).collect(),
                }
            }
            .boxed()
        });
        Self { ports, messages, texts, standing }
    }

    /// How what a letter refers to stands now.
    async fn stands(&self, written: &Written) -> Result<Stands, Fault> {
        let (patient_id, schedule_id) = (written.patient_id.clone(), written.schedule_id.clone());
        let template = written.kind.template().as_str();
        let read = self.standing.ask(Refers { entry: written.entry, patient_id, schedule_id, template }).await;
        read.unwrap_or_else(|| Err("the reader has ended".to_owned())).map_err(unread)
    }

    fn facts<'a>(&self, written: &'a Written, visit: Option<&'a Visit>) -> Result<NoticeFacts<'a>, Fault> {
        let visit =
            visit.ok_or_else(|| Fault::Stop(format!("the schedule {} is not known any more", written.schedule_id)))?;
        Ok(NoticeFacts {
            doctor_name: &visit.doctor_name,
            visit_date: visit.visit_date,
            part_of_day: in_words(visit.part),
            begins: written.slot.as_ref().map(|slot| slot.begins),
            place: written.place.as_deref(),
            deadline: written.deadline,
            amount: written.amount_fen.map(Fen),
            tz: self.ports.tz,
        })
    }
}

/// The half-day as patients call it.
pub fn in_words(part: DayPart) -> &'static str {
    match part {
        DayPart::Morning => "上午",
        DayPart::Afternoon => "下午",
        DayPart::Evening => "晚上",
        DayPart::WholeDay => "全天",
    }
}

//! What a notice is written from, read when it is sent, many letters at once; and whether it is sent at all, or now. The same
//! for every channel.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;

use super::notices::Written;
use super::texts::Texts;
use super::{Ports, unknown_patient, unread};
use crate::engine::group::Group;
use crate::engine::outbox::Delivery;
use crate::engine::store::letters::Claimed;
use crate::engine::{Fault, limits};
use crate::ports::his::DayPart;
use crate::records::notices::{self, Refers, Stands, Visit};
use crate::records::patients::Person;
use crate::waitlist::money::Fen;
use crate::waitlist::notice::{Night, NoticeFacts, NoticeKind};
use crate::waitlist::status::EntryStatus;
use crate::waitlist::template::Template;

/// The most letters that are read about by one statement.
const TOGETHER_MAX: usize = 64;

/// Reads for letters.
pub struct Reading {
    ports: Arc<Ports>,
    texts: Texts,
    standing: Group<Refers, Result<Stands, String>>,
}

/// A notice that is sent now.
pub struct Ready {
    /// What the letter says.
    pub written: Written,
    /// Who gets it, opened for this one call.
    pub person: Person,
    /// The text in force.
    pub text: Arc<Template>,
    visit: Visit,
    ports: Arc<Ports>,
}

impl Ready {
    /// What the text is filled in with.
    pub fn facts(&self) -> NoticeFacts<'_> {
        let written = &self.written;
        NoticeFacts {
            doctor_name: &self.visit.doctor_name,
            visit_date: self.visit.visit_date,
            part_of_day: in_words(self.visit.part),
            begins: written.slot.as_ref().map(|slot| slot.begins),
            place: written.place.as_deref(),
            deadline: written.deadline,
            amount: written.amount_fen.map(Fen),
            tz: self.ports.tz,
        }
    }
}

impl Reading {
    /// Over our tables and the key to patients.
    pub fn new(ports: Arc<Ports>) -> Self {
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
        Self { ports, texts, standing }
    }

    /// Everything for one letter; or what it comes to without a call: it is no longer true, or it waits for its time or the
    /// morning.
    pub async fn of(&self, letter: &Claimed) -> Result<Result<Ready, Delivery>, Fault> {
        let written: Written = serde_json::from_value(letter.payload.clone())
            .map_err(|error| Fault::Stop(format!("the letter {} cannot be read: {error}", letter.id)))?;
        let stands = self.stands(&written).await?;
        if let Some(why) = untrue(&written, &stands) {
            limits::nobody_called();
            return Ok(Err(Delivery::Suppressed(why)));
        }
        if let Some(at) = written.not_before.filter(|at| stands.now < *at) {
            limits::nobody_called();
            return Ok(Err(Delivery::NotBefore(at)));
        }
        let text = self.texts.of(written.kind.template(), stands.template).await?;
        let visit = stands
            .visit
            .ok_or_else(|| Fault::Stop(format!("the schedule {} is not known any more", written.schedule_id)))?;
        if let Some(morning) = self.morning(&written, &visit, &text, stands.now) {
            limits::nobody_called();
            return Ok(Err(Delivery::NotBefore(morning)));
        }
        let patient = stands.patient.ok_or_else(|| unknown_patient(&written.patient_id))?;
        let person = self.ports.open(&patient)?;
        Ok(Ok(Ready { written, person, text, visit, ports: Arc::clone(&self.ports) }))
    }

    /// How what the letter refers to stands now.
    async fn stands(&self, written: &Written) -> Result<Stands, Fault> {
        let (patient_id, schedule_id) = (written.patient_id.clone(), written.schedule_id.clone());
        let template = written.kind.template().as_str();
        let read = self.standing.ask(Refers { entry: written.entry, patient_id, schedule_id, template }).await;
        read.unwrap_or_else(|| Err("the reader has ended".to_owned())).map_err(unread)
    }

    fn morning(&self, written: &Written, visit: &Visit, text: &Template, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let night = Night {
            hours: written.quiet_hours?,
            asked: text.quiet_hours,
            now,
            visit_date: visit.visit_date,
            deadline: written.deadline,
            tz: self.ports.tz,
        };
        written.kind.waits_until(&night)
    }
}

/// Why a letter is not sent, where it is not.
fn untrue(written: &Written, stands: &Stands) -> Option<&'static str> {
    let status = stands.status.as_deref().and_then(EntryStatus::parse);
    if !status.is_some_and(|status| written.kind.still_true(status)) {
        return Some("no longer true");
    }
    let in_time = written.kind.in_time(written.deadline, stands.deadline, stands.now);
    let over = match written.kind {
        NoticeKind::Reminder => "the visit has begun",
        NoticeKind::OfferWithdrawn => "there is a later offer",
        _ => "the offer has ended",
    };
    (!in_time).then_some(over)
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

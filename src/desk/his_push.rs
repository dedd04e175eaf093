//! What HIS pushes: a cancelled booking of any channel (5007) is a hint to the hand-out, 停诊 (5001) ends queues and
//! visits. Stored with its fate before it is answered; a repetition changes nothing.

use chrono::NaiveDate;
use serde_json::json;

use super::release_slot::freed;
use super::{Answer, Desk};
use crate::engine::To;
use crate::engine::store::{self, Outgoing, Signalled};
use crate::ports::his::{DayPart, Push, TimeSlot};
use crate::records::callbacks::{self, Callback};
use crate::records::{entries, schedules, visits};
use crate::workflows::slot_release::SlotRelease;

/// What became of a callback, as stored with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Runs were told.
    Delivered,
    /// It had come before.
    Duplicate,
    /// There is no run that it concerns.
    NoRun,
    /// There is no run that it concerns yet: it waits for one, and staff see it.
    Kept,
    /// Nothing that the waitlist acts on.
    Ignored,
    /// It cannot be right: for staff.
    Refused,
}

impl Fate {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Duplicate => "duplicate",
            Self::NoRun => "no-run",
            Self::Kept => "kept",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

const SOURCE: &str = "his";

/// What a 停诊 covers.
struct Stop<'a> {
    department_id: &'a str,
    doctor_id: &'a str,
    day: NaiveDate,
    part: Option<DayPart>,
    slot: Option<&'a TimeSlot>,
}

impl Desk {
    /// Takes a verified push.
    pub async fn his_push(&self, push: &Push) -> Answer<Fate> {
        let fate = match push {
            Push::Cancelled { event_id, reg_id, his_order_id, .. } => {
                self.place_cancelled(event_id, reg_id, his_order_id).await?
            }
            Push::Stopped { event_id, department_id, doctor_id, visit_date, part, slot, .. } => {
                let stop = Stop { department_id, doctor_id, day: *visit_date, part: *part, slot: slot.as_ref() };
                self.stopped(event_id, &stop).await?
            }
            Push::Other { code } => {
                tracing::info!(code, "a push that the waitlist does not act on");
                Fate::Ignored
            }
        };
        self.engine.hint();
        Ok(fate)
    }

    /// A booking was cancelled somewhere: its place may be free; and where it was a visit of ours, that is over.
    async fn place_cancelled(&self, event_id: &str, reg_id: &str, his_order_id: &str) -> Answer<Fate> {
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        let hint = freed(reg_id, format!("push:{event_id}"), "push");
        let mut told = Vec::new();
        if let Some(entry) = visits::entry_of_his_order(&mut *tx, hospital, his_order_id).await? {
            told.push(Outgoing {
                to: To::Run(entry),
                name: "Cancellation".into(),
                id: format!("push:{event_id}"),
                payload: json!({}),
            });
        }
        // Rows of runs are locked before any other, and in one go: a hint is a signal that may be kept as one of many.
        told.push(hint);
        let came = store::signal::hint(&mut tx, hospital, &told).await?;
        let body = json!({ "regId": reg_id });
        let callback = Callback { source: SOURCE, event_id, kind: "5007", subject: reg_id, body: &body };
        let first = callbacks::receive(&mut tx, hospital, &callback).await?;
        let fate = match first {
            false => Fate::Duplicate,
            true if came.contains(&Signalled::Delivered) => Fate::Delivered,
            true => Fate::Kept,
        };
        if first {
            callbacks::settle(&mut tx, hospital, SOURCE, event_id, fate.as_str()).await?;
        }
        tx.commit().await?;
        Ok(fate)
    }

    async fn stopped(&self, event_id: &str, stop: &Stop<'_>) -> Answer<Fate> {
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        let ids = schedules::of_doctor_on(&mut *tx, hospital, stop.department_id, stop.doctor_id, stop.day, stop.part)
            .await?;
        let told = match stop.slot {
            None => self.whole(&mut tx, &ids).await?,
            Some(slot) => self.times(&mut tx, event_id, &ids, slot).await?,
        };
        store::signal::deliver(&mut tx, hospital, &told).await?;
        if stop.slot.is_none() {
            for id in &ids {
                schedules::stop(&mut *tx, hospital, id).await?;
            }
        }
        let body = json!({ "schedules": ids, "day": stop.day, "part": stop.part, "slot": stop.slot });
        let callback = Callback { source: SOURCE, event_id, kind: "5001", subject: stop.doctor_id, body: &body };
        let first = callbacks::receive(&mut tx, hospital, &callback).await?;
        let fate = match (first, told.is_empty()) {
            (false, _) => Fate::Duplicate,
            (true, true) => Fate::NoRun,
            (true, false) => Fate::Delivered,
        };
        if first {
            callbacks::settle(&mut tx, hospital, SOURCE, event_id, fate.as_str()).await?;
        }
        tx.commit().await?;
        Ok(fate)
    }

    /// Whole schedules: their hand-outs tell everybody (R34).
    async fn whole(&self, conn: &mut sqlx::PgConnection, ids: &[String]) -> Answer<Vec<Outgoing>> {
        let concerning = entries::concerning(conn, self.hospital(), ids).await?;
        Ok(concerning
            .into_iter()
            .map(|schedule_id| Outgoing {
                id: format!("stop:{schedule_id}"),
                to: To::Key { workflow: SlotRelease::NAME, key: schedule_id },
                name: "Stoppage".into(),
                payload: json!({}),
            })
            .collect())
    }

    /// Some times of schedules: who is booked there, or about to be, is concerned; the queue goes on for other times.
    async fn times(
        &self,
        conn: &mut sqlx::PgConnection,
        event_id: &str,
        ids: &[String],
        slot: &TimeSlot,
    ) -> Answer<Vec<Outgoing>> {
        let booked = entries::booked_within(conn, self.hospital(), ids, slot.begins, slot.ends).await?;
        Ok(booked
            .into_iter()
            .map(|entry| Outgoing {
                to: To::Run(entry),
                name: "Stoppage".into(),
                id: format!("stop:{event_id}"),
                payload: json!({ "times": slot }),
            })
            .collect())
    }
}

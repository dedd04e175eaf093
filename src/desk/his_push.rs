//! What HIS pushes: a cancelled booking of any channel (5007) is a hint to the hand-out, one of ours (5002) is over, 停诊 (5001)
//! ends queues and visits, 替诊 and 改诊 (5008) have everybody asked. Stored with its fate before it is answered; a repetition
//! changes nothing.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::release_slot::freed;
use super::{Answer, Desk};
use crate::engine::store::{self, Outgoing, Signalled};
use crate::engine::{To, clock};
use crate::ports::his::{DayPart, Push, Sitting, TimeSlot};
use crate::records::callbacks::{self, Callback};
use crate::records::{concern, schedules, visits};
use crate::workflows::changes;
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

/// What a schedule is from now on.
struct Becomes<'a> {
    reg_id: &'a String,
    department_id: &'a str,
    doctor: &'a (String, String),
    sitting: &'a Sitting,
    at: DateTime<Utc>,
}

impl Desk {
    /// Takes a verified push.
    pub async fn his_push(&self, push: &Push) -> Answer<Fate> {
        let fate = match push {
            Push::Cancelled { event_id, reg_id, his_order_id, .. } => {
                self.place_cancelled(event_id, reg_id, his_order_id).await?
            }
            Push::OrderCancelled { order_id } => self.order_cancelled(order_id).await?,
            Push::Stopped { event_id, department_id, doctor_id, visit_date, part, slot, .. } => {
                let stop = Stop { department_id, doctor_id, day: *visit_date, part: *part, slot: slot.as_ref() };
                self.stopped(event_id, &stop).await?
            }
            Push::Changed { event_id, reg_id, department_id, doctor, sitting, changed_at } => {
                let becomes = Becomes { reg_id, department_id, doctor, sitting, at: *changed_at };
                self.changed(event_id, &becomes).await?
            }
            Push::Other { event_id, code } => {
                // What it says of a person is not kept: nobody here needs it.
                let body = json!({});
                let callback = Callback { source: SOURCE, event_id, kind: code, subject: "", body: &body };
                let mut tx = self.begin().await?;
                let fate = self.keep(&mut tx, &callback, Fate::Ignored).await?;
                tx.commit().await?;
                fate
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
        let delivered = came.contains(&Signalled::Delivered);
        let fate = self.keep(&mut tx, &callback, if delivered { Fate::Delivered } else { Fate::Kept }).await?;
        tx.commit().await?;
        Ok(fate)
    }

    /// A booking of ours was cancelled at HIS: the visit is over. One that is not booked here is written down for staff: it may
    /// have been cancelled by us. Where it overtook our own booking, reconciliation finds the difference.
    async fn order_cancelled(&self, order_id: &str) -> Answer<Fate> {
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        let event_id = format!("5002-{order_id}");
        let booked = visits::find(&mut *tx, hospital, order_id).await?.filter(|visit| visit.status == "booked");
        let told = booked.map(|visit| Outgoing {
            to: To::Run(visit.entry_id),
            name: "Cancellation".into(),
            id: format!("push:{event_id}"),
            payload: json!({}),
        });
        let told: Vec<Outgoing> = told.into_iter().collect();
        store::signal::deliver(&mut tx, hospital, &told).await?;
        let body = json!({ "orderId": order_id });
        let callback = Callback { source: SOURCE, event_id: &event_id, kind: "5002", subject: order_id, body: &body };
        let fate = self.keep(&mut tx, &callback, if told.is_empty() { Fate::NoRun } else { Fate::Delivered }).await?;
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
        let fate = self.keep(&mut tx, &callback, if told.is_empty() { Fate::NoRun } else { Fate::Delivered }).await?;
        tx.commit().await?;
        Ok(fate)
    }

    /// 替诊, 改诊: everybody whom it concerns is asked (R34). The schedule first, for itself: whoever is told is found by what it
    /// says, and what is not told before we die is told by HIS's repetition or the next pull.
    async fn changed(&self, event_id: &str, becomes: &Becomes<'_>) -> Answer<Fate> {
        let Becomes { reg_id, department_id, doctor: (name, title), sitting, at } = becomes;
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        let doctor = (sitting.doctor_id.as_str(), name.as_str(), title.as_str());
        schedules::become_another(&mut tx, hospital, reg_id, department_id, doctor, sitting, *at).await?;
        tx.commit().await?;
        let mut tx = self.begin().await?;
        let (now, only) = (clock::now(&mut *tx).await?, std::slice::from_ref(*reg_id));
        let untold = changes::untold(&mut tx, &self.ports, department_id, Some(only), now).await?;
        let told: Vec<Outgoing> = untold
            .iter()
            .flat_map(|untold| {
                untold.signals().map(|(to, id, payload)| Outgoing { to, name: "Change".into(), id, payload })
            })
            .collect();
        store::signal::deliver(&mut tx, hospital, &told).await?;
        let body = json!({ "regId": reg_id, "sitting": sitting, "at": at });
        let callback = Callback { source: SOURCE, event_id, kind: "5008", subject: reg_id, body: &body };
        let fate = self.keep(&mut tx, &callback, if told.is_empty() { Fate::NoRun } else { Fate::Delivered }).await?;
        tx.commit().await?;
        Ok(fate)
    }

    /// Writes a push down with its fate, which is `fate` where it has not come before.
    async fn keep(&self, conn: &mut PgConnection, callback: &Callback<'_>, fate: Fate) -> Answer<Fate> {
        if !callbacks::receive(&mut *conn, self.hospital(), callback).await? {
            return Ok(Fate::Duplicate);
        }
        callbacks::settle(conn, self.hospital(), callback.source, callback.event_id, fate.as_str()).await?;
        Ok(fate)
    }

    /// Whole schedules: their hand-outs tell everybody (R34).
    async fn whole(&self, conn: &mut PgConnection, ids: &[String]) -> Answer<Vec<Outgoing>> {
        let concerning = concern::concerning(conn, self.hospital(), ids).await?;
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
        conn: &mut PgConnection,
        event_id: &str,
        ids: &[String],
        slot: &TimeSlot,
    ) -> Answer<Vec<Outgoing>> {
        let booked = concern::booked_within(conn, self.hospital(), ids, slot.begins, slot.ends).await?;
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

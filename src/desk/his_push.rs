//! What HIS pushes: a cancelled booking of any channel (5007) is a hint to the hand-out, one of ours (5002) is over, 停诊 (5001)
//! ends queues and visits, 替诊 and 改诊 (5008) have everybody asked. Stored before anything is done about it, and done before it is
//! answered; a repetition changes nothing.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::release_slot::freed;
use super::{Answer, Desk};
use crate::engine::store::{self, Outgoing, Signalled};
use crate::engine::{To, clock};
use crate::ports::his::{DayPart, Push, Sitting, TimeSlot};
use crate::records::callbacks::{self, Callback, Fate};
use crate::records::{concern, entries, schedules, visits};
use crate::waitlist::ids;
use crate::waitlist::status::EntryStatus;
use crate::workflows::changes;
use crate::workflows::slot_release::SlotRelease;
use crate::workflows::waitlist_application::Cancellation;

pub(super) const SOURCE: &str = "his";

/// What a 停诊 covers.
struct Stop<'a> {
    department_id: &'a str,
    doctor_id: &'a str,
    day: NaiveDate,
    part: Option<DayPart>,
    slot: Option<&'a TimeSlot>,
}

/// A push, as it is written down before anything is done about it.
struct Heard<'a> {
    event_id: std::borrow::Cow<'a, str>,
    kind: &'a str,
    subject: &'a str,
}

impl<'a> Heard<'a> {
    fn of(push: &'a Push) -> Self {
        let heard = |event_id: &'a str, kind, subject| Self { event_id: event_id.into(), kind, subject };
        match push {
            Push::Stopped { event_id, doctor_id, .. } => heard(event_id, "5001", doctor_id),
            // It names no event: an order is cancelled once.
            Push::OrderCancelled { order_id } => {
                Self { event_id: format!("5002-{order_id}").into(), kind: "5002", subject: order_id }
            }
            Push::Cancelled { event_id, reg_id, .. } => heard(event_id, "5007", reg_id),
            Push::Changed { event_id, reg_id, .. } => heard(event_id, "5008", reg_id),
            Push::Other { event_id, code, order_id } => heard(event_id, code, order_id.as_deref().unwrap_or_default()),
            Push::OfHisOrder { event_id, code, his_order_id } => heard(event_id, code, his_order_id),
        }
    }
}

impl Desk {
    /// Takes a verified push, once: it is stored before anything is done about it, so that what happens meanwhile meets it, and
    /// done by whoever brings it again where we died in between.
    pub async fn his_push(&self, push: &Push) -> Answer<Fate> {
        let Heard { event_id, kind, subject } = Heard::of(push);
        let body = json!(push);
        let callback = Callback { source: SOURCE, event_id: &event_id, kind, subject, body: &body };
        let mut tx = self.begin().await?;
        if let Push::Cancelled { his_order_id, .. } = push {
            callbacks::hold_his_orders(&mut tx, self.hospital(), &[his_order_id]).await?;
        }
        let undone = callbacks::receive(&mut tx, self.hospital(), &callback).await?;
        tx.commit().await?;
        if undone { self.act_on_push(push).await } else { Ok(Fate::Duplicate) }
    }

    /// Does what a stored push asks for, and writes down what became of it, once: whoever comes to it meanwhile, HIS's repetition, staff
    /// or the sweep, waits and finds it done. Done again, it reaches those who have not heard of it.
    pub(super) async fn act_on_push(&self, push: &Push) -> Answer<Fate> {
        let hospital = self.hospital();
        if let Push::Changed { reg_id, department_id, doctor, sitting, changed_at, .. } = push {
            self.becomes(reg_id, department_id, doctor, sitting, *changed_at).await?;
        }
        let event_id = Heard::of(push).event_id;
        let mut tx = self.begin().await?;
        if !callbacks::take_up(&mut tx, hospital, SOURCE, &event_id).await? {
            return Ok(Fate::Duplicate);
        }
        let fate = match push {
            Push::Cancelled { event_id, reg_id, his_order_id, .. } => {
                self.place_cancelled(&mut tx, event_id, reg_id, his_order_id).await?
            }
            Push::OrderCancelled { order_id } => self.order_cancelled(&mut tx, &event_id, order_id).await?,
            Push::Stopped { event_id, department_id, doctor_id, visit_date, part, slot, .. } => {
                let stop = Stop { department_id, doctor_id, day: *visit_date, part: *part, slot: slot.as_ref() };
                self.stopped(&mut tx, event_id, &stop).await?
            }
            Push::Changed { reg_id, department_id, .. } => self.changed(&mut tx, reg_id, department_id).await?,
            Push::Other { order_id: Some(order_id), .. } => {
                let ours = visits::find(&mut *tx, hospital, order_id).await?.is_some();
                if ours { Fate::ForStaff } else { Fate::NoRun }
            }
            Push::Other { order_id: None, .. } => Fate::Ignored,
            Push::OfHisOrder { his_order_id, .. } => {
                match visits::last_of_his_order(&mut *tx, hospital, his_order_id).await? {
                    Some(order_id) => {
                        callbacks::is_about(&mut tx, hospital, SOURCE, &event_id, &order_id).await?;
                        Fate::ForStaff
                    }
                    None => Fate::Ignored,
                }
            }
        };
        callbacks::came_to(&mut tx, hospital, SOURCE, &event_id, fate).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(fate)
    }

    /// A booking was cancelled somewhere: its place may be free; and where it was a visit of ours, that is over. One that is being
    /// written down at this moment finds what is stored (see `waitlist_application`'s projection).
    async fn place_cancelled(
        &self,
        conn: &mut PgConnection,
        event_id: &str,
        reg_id: &str,
        his_order_id: &str,
    ) -> Answer<Fate> {
        let visit = visits::of_his_order(&mut *conn, self.hospital(), his_order_id).await?;
        let ours = visit.is_some();
        let mut told: Vec<Outgoing> =
            visit.map(|(entry, order_id)| Cancellation::pushed(entry, order_id, event_id)).into_iter().collect();
        // Rows of runs are locked before any other, and in one go: a hint is a signal that may be kept as one of many.
        told.push(freed(reg_id, format!("push:{event_id}"), "push"));
        let came = store::signal::hint(conn, self.hospital(), &told).await?;
        // A visit that has heard of it before has heard of it.
        Ok(if ours || came.contains(&Signalled::Delivered) { Fate::Delivered } else { Fate::Kept })
    }

    /// A booking of ours was cancelled at HIS: the visit is over. One that is not written down here yet may be on its way: its run
    /// hears of it once it is booked, by the number of the order. One that is cancelled here is known, and so is one of an application
    /// that came to none; one that took place is for staff.
    async fn order_cancelled(&self, conn: &mut PgConnection, event_id: &str, order_id: &str) -> Answer<Fate> {
        let hospital = self.hospital();
        let Some(run) = ids::run_of(order_id) else { return Ok(Fate::NoRun) };
        // What the run's turns write is written, or is written after it has heard of this.
        if !store::hold(&mut *conn, hospital, run).await? {
            return Ok(Fate::NoRun);
        }
        let visit = visits::find(&mut *conn, hospital, order_id).await?;
        match visit.as_ref().map(|visit| visit.status.as_str()) {
            Some("cancelled") => return Ok(Fate::Ignored),
            Some("fulfilled") => return Ok(Fate::ForStaff),
            Some(_) => {}
            None => match entries::find(&mut *conn, hospital, run).await? {
                None => return Ok(Fate::NoRun),
                // It ended without a visit, or is about to: whatever HIS held for it was given back.
                Some(shown) if !EntryStatus::parse(&shown.status).is_some_and(EntryStatus::live) => {
                    return Ok(Fate::Ignored);
                }
                Some(_) => {}
            },
        }
        let told = Cancellation::pushed(run, order_id.to_owned(), event_id);
        let came = store::signal(conn, hospital, &told).await?;
        Ok(if came == Signalled::Kept { Fate::Kept } else { Fate::Delivered })
    }

    async fn stopped(&self, conn: &mut PgConnection, event_id: &str, stop: &Stop<'_>) -> Answer<Fate> {
        let hospital = self.hospital();
        let ids =
            schedules::of_doctor_on(&mut *conn, hospital, stop.department_id, stop.doctor_id, stop.day, stop.part)
                .await?;
        let told = match stop.slot {
            None => self.whole(conn, &ids).await?,
            Some(slot) => self.times(conn, event_id, &ids, slot).await?,
        };
        store::signal::deliver(conn, hospital, &told).await?;
        if stop.slot.is_none() {
            for id in &ids {
                schedules::stop(&mut *conn, hospital, id).await?;
            }
        }
        Ok(if told.is_empty() { Fate::Ignored } else { Fate::Delivered })
    }

    /// 替诊, 改诊: the schedule first, for itself: whoever is told is found by what it says, and what is not told before we die is told
    /// by HIS's repetition or the next pull.
    async fn becomes(
        &self,
        reg_id: &str,
        department_id: &str,
        (name, title): &(String, String),
        sitting: &Sitting,
        at: DateTime<Utc>,
    ) -> Answer<()> {
        let mut tx = self.begin().await?;
        let doctor = (sitting.doctor_id.as_str(), name.as_str(), title.as_str());
        schedules::become_another(&mut tx, self.hospital(), reg_id, department_id, doctor, sitting, at).await?;
        Ok(tx.commit().await?)
    }

    /// Everybody whom a change concerns is asked (R34).
    async fn changed(&self, conn: &mut PgConnection, reg_id: &String, department_id: &str) -> Answer<Fate> {
        let (now, only) = (clock::now(&mut *conn).await?, std::slice::from_ref(reg_id));
        let untold = changes::untold(conn, &self.ports, department_id, Some(only), now).await?;
        let told: Vec<Outgoing> = untold
            .iter()
            .flat_map(|untold| {
                untold.signals().map(|(to, id, payload)| Outgoing { to, name: "Change".into(), id, payload })
            })
            .collect();
        store::signal::deliver(conn, self.hospital(), &told).await?;
        Ok(if told.is_empty() { Fate::Ignored } else { Fate::Delivered })
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

//! What the simulated HIS tells Houbu: 停诊 (5001), cancelled bookings (5007), 替诊 and 改诊 (5008), and what happens at its counter
//! (5002 to 5006, `at_counter`), with the faults of a real one.
//!
//! Pushes stand in the books until they are answered with `RETURN_CODE` 0, so they survive a restart.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::at_counter::AtCounter;
use super::ledger::Ledger;
use super::records::{OrderRecord, PushRecord, PushState, ScheduleRecord};
use super::{PushTo, Shared};
use crate::ports::his::json_line::{Answering, Asking};
use crate::ports::his::messages::{self, CancelPush, ChangePush, StopReg};
use crate::ports::his::{json, soap, wire};
use crate::ports::stamp::{Stamp, Way};
use crate::sandbox::faults::{Faults, LONG_AGO, PushFault, hash};

/// Waits between attempts, in seconds of the sandbox's clock; the last one repeats.
const BACK_OFF_S: [i64; 6] = [5, 30, 120, 600, 1800, 3600];

/// After so many refusals a push is given up; the hospital's own sync finds what it said.
const ATTEMPTS_MAX: u32 = 40;

/// Queues and sends pushes.
pub(super) struct Pusher {
    pub(super) faults: Arc<Faults>,
    pub(super) seed: u64,
    pub(super) time_zone: Tz,
    pub(super) http: reqwest::Client,
}

impl Pusher {
    /// Queues 5007 for an order that was just cancelled.
    pub(super) fn cancelled(&self, ledger: &mut Ledger, order: &OrderRecord, now: DateTime<Utc>) {
        let (Some(record), Some(event_id)) = (ledger.schedule(&order.reg_id), order.event_id.clone()) else { return };
        let schedule = record.schedule;
        let body = messages::write_request(&CancelPush {
            event_id: event_id.clone(),
            hosp_order_id: order.his_order_id.clone(),
            channel_id: order.channel.clone(),
            reg_id: order.reg_id.clone(),
            dept_id: schedule.department_id,
            doctor_id: schedule.doctor_id,
            reg_date: schedule.visit_date,
            time_flag: schedule.part,
            begin_time: Some(order.slot.begins),
            end_time: Some(order.slot.ends),
            cancel_time: wire::local(now, self.time_zone),
        });
        if let Ok(body) = body {
            let nobody = [order.his_order_id.as_str(), order.reg_id.as_str()];
            self.queue(ledger, "5007", &event_id, (body, &nobody), now);
        }
    }

    /// Queues 5001 for a schedule that was just stopped.
    pub(super) fn stopped(&self, ledger: &mut Ledger, record: &ScheduleRecord, now: DateTime<Utc>) {
        let schedule = &record.schedule;
        let event_id = format!("stop-{}", schedule.reg_id);
        let body = messages::write_request(&StopReg {
            event_id: Some(event_id.clone()),
            dept_id: schedule.department_id.clone(),
            doctor_id: schedule.doctor_id.clone(),
            reg_date: schedule.visit_date,
            time_flag: Some(schedule.part),
            begin_time: None,
            end_time: None,
            stop_remark: "医生临时停诊".into(),
            is_refund: "1".into(),
            is_cancel: "1".into(),
        });
        if let Ok(body) = body {
            self.queue(ledger, "5001", &event_id, (body, &[schedule.doctor_id.as_str()]), now);
        }
    }

    /// Queues 5008 for a schedule that has just become another one.
    pub(super) fn changed(&self, ledger: &mut Ledger, record: &ScheduleRecord, now: DateTime<Utc>) {
        let schedule = &record.schedule;
        let event_id = format!("change-{}-{}", schedule.reg_id, ledger.next_push_id());
        let body = messages::write_request(&ChangePush {
            event_id: event_id.clone(),
            reg_id: schedule.reg_id.clone(),
            dept_id: schedule.department_id.clone(),
            doctor_id: schedule.doctor_id.clone(),
            doctor_name: schedule.doctor_name.clone(),
            doctor_title: schedule.doctor_title.clone(),
            reg_date: schedule.visit_date,
            time_flag: schedule.part,
            change_time: wire::local(now, self.time_zone),
        });
        if let Ok(body) = body {
            self.queue(ledger, "5008", &event_id, (body, &[schedule.reg_id.as_str()]), now);
        }
    }

    /// `body`: beside the ids in it by which it is known what is meant.
    pub(super) fn queue(
        &self,
        ledger: &mut Ledger,
        function: &str,
        event_id: &str,
        (body, about): (String, &[&str]),
        now: DateTime<Utc>,
    ) {
        let fault = self.faults.push(function, event_id);
        let roll = hash(&[&self.seed.to_le_bytes(), b"late", event_id.as_bytes()]);
        let late_s = 600 + i64::try_from(roll % 1800).unwrap_or(0);
        let due_at = now + Duration::seconds(if fault == Some(PushFault::Late) { late_s } else { 1 });
        let push = PushRecord {
            id: ledger.next_push_id(),
            function: function.to_owned(),
            event_id: event_id.to_owned(),
            body,
            fault: fault.map(|fault| format!("{fault:?}")),
            forge_first: fault == Some(PushFault::WrongSignature),
            forged_answer: None,
            old_first: fault == Some(PushFault::Old),
            old_answer: None,
            queued_at: now,
            due_at,
            attempts: 0,
            state: if fault == Some(PushFault::Lost) { PushState::Lost } else { PushState::Waiting },
        };
        if fault == Some(PushFault::Unknown) {
            let event_id = format!("{event_id}-unknown");
            let unknown = |body: String, id: &&str| body.replace(&format!(">{id}<"), ">nowhere<");
            let body = about.iter().fold(push.body.replace(&push.event_id, &event_id), unknown);
            ledger.put_push(PushRecord { event_id, body, ..push.clone() });
            ledger.put_push(PushRecord { id: ledger.next_push_id(), ..push });
            return;
        }
        ledger.put_push(push.clone());
        if fault == Some(PushFault::Duplicate) {
            ledger.put_push(PushRecord { id: ledger.next_push_id(), due_at: due_at + Duration::seconds(7), ..push });
        }
    }

    /// Sends a push once, and says how it stands afterwards.
    pub(super) async fn send(
        &self,
        shared: &Shared,
        to: &PushTo,
        mut push: PushRecord,
        now: DateTime<Utc>,
    ) -> PushRecord {
        if push.forge_first {
            push.forged_answer = self.told(shared, to, &push, true, now).await;
            push.forge_first = false;
        }
        if push.old_first {
            // In SOAP, which carries no time, it is the same once more.
            push.old_answer = self.told(shared, to, &push, false, now - LONG_AGO).await;
            push.old_first = false;
        }
        push.attempts += 1;
        if self.told(shared, to, &push, false, now).await.as_deref() == Some("0") {
            push.state = PushState::Delivered;
        } else if push.attempts >= ATTEMPTS_MAX {
            push.state = PushState::GivenUp;
        } else {
            let nth = usize::try_from(push.attempts - 1).unwrap_or(usize::MAX).min(BACK_OFF_S.len() - 1);
            push.due_at = now + Duration::seconds(BACK_OFF_S.get(nth).copied().unwrap_or(3600));
        }
        push
    }

    /// The code of one attempt, if there was a reply that can be believed. A forged one is changed after it was signed.
    async fn told(
        &self,
        shared: &Shared,
        to: &PushTo,
        push: &PushRecord,
        forged: bool,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let other = if push.function == "5001" { "5007" } else { "5001" };
        match to {
            PushTo::Soap(url) => {
                let root = shared.envelope().seal_request(&push.function, &push.body).ok()?;
                let root = if forged { root.replacen(&push.function, other, 1) } else { root };
                self.in_soap(shared, url, &root).await
            }
            PushTo::Events(url) => {
                let (function, user_id) = (push.function.clone(), shared.credentials.user_id.clone());
                let event = Asking { function, user_id, data: event_of(&push.function, &push.body)? };
                let body = serde_json::to_string(&event).ok()?;
                let nonce = Uuid::new_v4().simple().to_string();
                let stamp = shared.stamper.sign(Way::Event, now, &nonce, body.as_bytes());
                let body = if forged { body.replacen(&push.function, other, 1) } else { body };
                self.as_event(shared, url, &stamp, body).await
            }
        }
    }

    async fn in_soap(&self, shared: &Shared, url: &str, root: &str) -> Option<String> {
        let charset = shared.envelope().charset();
        let request = self.http.post(url).header("Content-Type", format!("text/xml; charset={}", charset.name()));
        let request = request.body(soap::bytes(&soap::request("Push", root), charset));
        let raw = request.send().await.ok()?.bytes().await.ok()?;
        shared.envelope().open_reply(&raw).ok().map(|reply| reply.code)
    }

    async fn as_event(&self, shared: &Shared, url: &str, stamp: &Stamp, body: String) -> Option<String> {
        let mut request = self.http.post(url).header("Content-Type", "application/json");
        for (name, value) in stamp.headers() {
            request = request.header(name, value);
        }
        let reply = request.body(body).send().await.ok()?;
        let theirs = Stamp::read(reply.headers()).ok().filter(|theirs| theirs.nonce == stamp.nonce)?;
        let raw = reply.bytes().await.ok()?;
        shared.stamper.verify(Way::Receipt, &theirs, &raw).ok()?;
        serde_json::from_slice::<Answering>(&raw).ok().map(|answer| answer.code)
    }
}

/// The JSON twin of a push's body.
fn event_of(function: &str, body: &str) -> Option<serde_json::Value> {
    fn twin<T: DeserializeOwned + Serialize>(body: &str) -> Option<serde_json::Value> {
        json::write(&messages::read::<T>(body).ok()?).ok()
    }
    match function {
        "5001" => twin::<StopReg>(body),
        "5002" | "5003" | "5004" | "5005" | "5006" => twin::<AtCounter>(body),
        "5007" => twin::<CancelPush>(body),
        "5008" => twin::<ChangePush>(body),
        _ => None,
    }
}

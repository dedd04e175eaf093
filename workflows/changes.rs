//! Schedules that have become another one (替诊, 改诊), told to everybody whom it concerns (R34): by the pull and by HIS's push
//! alike. What decides is how the rows stand, so that a telling which was lost is made up for by the next.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::Ports;
use super::slot_release::SlotRelease;
use super::waitlist_application::Change;
use crate::engine::{RunId, To};
use crate::records::concern;
use crate::records::policies::{self, OfSchedule};
use crate::waitlist::calendar;

/// A change, and who has not agreed to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Untold {
    /// The schedule.
    pub schedule_id: String,
    /// Applications.
    pub entries: Vec<RunId>,
    /// What it has become.
    pub change: Change,
}

impl Untold {
    /// To whom the change is signalled: the applications and the schedule's hand-out; under which id; and what.
    pub fn signals(&self) -> impl Iterator<Item = (To, String, serde_json::Value)> {
        let payload = serde_json::json!(self.change);
        let hand_out = To::Key { workflow: SlotRelease::NAME, key: self.schedule_id.clone() };
        let to = self.entries.iter().map(|entry| To::Run(*entry)).chain([hand_out]);
        to.map(move |to| (to, self.change.id(), payload.clone()))
    }
}

/// The changes of a department's schedules, or of these alone, that somebody has not agreed to.
pub async fn untold(
    conn: &mut PgConnection,
    ports: &Ports,
    department_id: &str,
    schedules: Option<&[String]>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Untold>> {
    let behind = concern::behind(&mut *conn, &ports.hospital, schedules, department_id).await?;
    let mut untold = Vec::new();
    for of_schedule in behind.chunk_by(|(one, _), (next, _)| one == next) {
        let Some((schedule_id, _)) = of_schedule.first() else { continue };
        let of = policies::of_schedule(&mut *conn, &ports.hospital, schedule_id).await?;
        let Some(change) = change(schedule_id, &of, ports, now) else { continue };
        let entries = of_schedule.iter().map(|(_, entry)| *entry).collect();
        untold.push(Untold { schedule_id: schedule_id.clone(), entries, change });
    }
    Ok(untold)
}

/// What a schedule has become; none where it is as it began.
pub fn change(schedule_id: &str, of: &OfSchedule, ports: &Ports, now: DateTime<Utc>) -> Option<Change> {
    let (sitting, at, policy) = (of.sitting.clone()?, of.changed_at?, &of.policy);
    let begins = calendar::visit_starts_at(sitting.visit_date, sitting.part.slot(&policy.half_days).begins, ports.tz);
    let stop = calendar::hard_stop_at(begins, policy.hard_stop_minutes_before_visit);
    Some(Change {
        schedule_id: Some(schedule_id.to_owned()),
        at,
        closes: calendar::cutoff_at(sitting.visit_date, &policy.cutoff, &ports.working_days, ports.tz),
        ends: calendar::visits_end(sitting.visit_date, ports.tz),
        answer_by: calendar::offer_deadline(now, policy.question_minutes, Some(&policy.quiet_hours), stop, ports.tz),
        sitting,
    })
}

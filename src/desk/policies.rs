//! The settings of doctors, departments and campuses (R2, R24, R29). A change counts for applications to come; whoever waits
//! goes by what they began with, until staff carry the change over to them.

use serde_json::json;
use uuid::Uuid;

use super::{Answer, Desk};
use crate::engine::To;
use crate::engine::staff::By;
use crate::engine::store::Outgoing;
use crate::engine::store::audit::{self, Deed};
use crate::engine::store::signal::deliver;
use crate::records::{entries, policies, schedules};
use crate::waitlist::calendar;
use crate::waitlist::policy::{Level, LevelPolicy};
use crate::waitlist::refusal::Refusal;
use crate::workflows::slot_release::SlotRelease;
use crate::workflows::waitlist_application::Terms;

/// To whom settings were carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarriedOver {
    /// Schedules that somebody waits for.
    pub schedules: usize,
    /// Applications.
    pub applications: usize,
}

impl Desk {
    /// Makes or replaces the settings of one level; [`Refusal::InvalidPolicy`] names a value out of bounds.
    pub async fn put_policy(&self, level: Level, id: &str, policy: &LevelPolicy) -> Answer<()> {
        policy.validate()?;
        Ok(policies::put(&self.engine.pool, self.hospital(), level, id, policy).await?)
    }

    /// The settings of one level, or [`Refusal::NotFound`] where none were made.
    pub async fn policy(&self, level: Level, id: &str) -> Answer<LevelPolicy> {
        Ok(policies::find(&self.engine.pool, self.hospital(), level, id).await?.ok_or(Refusal::NotFound)?)
    }

    /// Has everybody who waits under a level go by the present settings, all of them or nobody. Each one's own earlier end
    /// stays, and so does how they pay. An offer that is out keeps its terms.
    pub async fn carry_over(&self, level: Level, id: &str, by: &By) -> Answer<CarriedOver> {
        let mut tx = self.begin().await?;
        let waiting = entries::waiting_under(&mut *tx, self.hospital(), level, id).await?;
        let change = Uuid::now_v7();
        let mut carried = CarriedOver { schedules: 0, applications: waiting.len() };
        for of_schedule in waiting.chunk_by(|(one, _), (next, _)| one == next) {
            let Some((schedule_id, _)) = of_schedule.first() else { continue };
            let schedule = schedules::find(&mut *tx, self.hospital(), schedule_id).await?;
            let visit_date = schedule.ok_or(Refusal::UnknownSchedule)?.visit_date;
            let policy = policies::of_schedule(&mut *tx, self.hospital(), schedule_id).await?.policy;
            let closes = calendar::cutoff_at(visit_date, &policy.cutoff, &self.ports.working_days, self.ports.tz);
            let payload = json!(Terms { policy, closes });
            let hand_out = To::Key { workflow: SlotRelease::NAME, key: schedule_id.clone() };
            let to = of_schedule.iter().map(|(_, entry)| To::Run(*entry)).chain([hand_out]);
            let id = format!("terms:{change}");
            let terms = |to| Outgoing { to, name: "Terms".into(), id: id.clone(), payload: payload.clone() };
            let terms: Vec<Outgoing> = to.map(terms).collect();
            deliver(&mut tx, self.hospital(), &terms).await?;
            carried.schedules += 1;
        }
        let deed = Deed {
            who: &by.who,
            verb: "policy.carryOver",
            run: None,
            job: None,
            reason: &by.reason,
            before: json!({ "level": level, "id": id }),
            after: json!({ "schedules": carried.schedules, "applications": carried.applications }),
            bulk: None,
        };
        audit::write(&mut tx, self.hospital(), &deed).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(carried)
    }
}

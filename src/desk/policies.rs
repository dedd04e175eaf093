//! The settings of doctors, departments and campuses (R2, R24, R29). A change counts for applications to come; whoever waits
//! goes by what they began with, until staff carry the change over to them.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::admission::{OVER_AT, SHUT};
use super::again::again;
use super::{Answer, Desk};
use crate::engine::staff::By;
use crate::engine::store::Outgoing;
use crate::engine::store::audit;
use crate::engine::store::signal::deliver;
use crate::engine::{To, clock};
use crate::records::{entries, hand_outs, policies, schedules};
use crate::waitlist::calendar;
use crate::waitlist::policy::{Level, LevelPolicy};
use crate::waitlist::refusal::Refusal;
use crate::workflows::slot_release::{SlotRelease, Step};
use crate::workflows::waitlist_application::Terms;

/// To whom settings were carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarriedOver {
    /// Schedules whose places are handed out, or that somebody waits for.
    pub schedules: usize,
    /// Applications that may come to a place; those that are being offered one among them.
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

    /// Has everybody who waits under a level, and every hand-out of places under it, go by the present settings, all of them
    /// or nobody. Each one's own earlier end stays, and so does how they pay. An offer that is out keeps its terms; whoever
    /// comes back to the queue from it goes by the new ones.
    pub async fn carry_over(&self, level: Level, id: &str, by: &By) -> Answer<CarriedOver> {
        let carried = again(|| self.carries_over(level, id, by)).await?;
        self.engine.hint();
        Ok(carried)
    }

    async fn carries_over(&self, level: Level, id: &str, by: &By) -> Answer<CarriedOver> {
        let mut tx = self.begin().await?;
        let hospital = self.hospital();
        let live = entries::live_under(&mut *tx, hospital, level, id).await?;
        let over = OVER_AT.map(Step::name);
        let now = clock::now(&mut *tx).await?;
        let handed_out =
            hand_outs::going_on_under(&mut *tx, hospital, SlotRelease::NAME, &over, SHUT.name(), level, id).await?;
        let mut to: BTreeMap<&str, Vec<To>> = handed_out.iter().map(|(id, _)| (id.as_str(), Vec::new())).collect();
        for (schedule_id, entry) in &live {
            to.entry(schedule_id).or_default().push(To::Run(*entry));
        }
        let shut = |id: &str| handed_out.iter().any(|(one, shut)| *shut && one == id);
        let mut carried = CarriedOver { schedules: 0, applications: live.len() };
        let change = Uuid::now_v7();
        let mut told: Vec<Outgoing> = Vec::new();
        for (schedule_id, entries) in to {
            let schedule = schedules::find(&mut *tx, hospital, schedule_id).await?;
            let visit_date = schedule.ok_or(Refusal::UnknownSchedule)?.visit_date;
            let policy = policies::of_schedule(&mut *tx, hospital, schedule_id).await?.policy;
            let closes = calendar::cutoff_at(visit_date, &policy.cutoff, &self.ports.working_days, self.ports.tz);
            // A queue that has closed, and stays so.
            if entries.is_empty() && shut(schedule_id) && closes <= now {
                continue;
            }
            carried.schedules += 1;
            let ends = Some(calendar::visits_end(visit_date, self.ports.tz));
            let (terms, id) = (Terms { policy, closes, ends }, format!("terms:{change}"));
            told.push(terms.to_hand_out(schedule_id, id.clone()));
            told.extend(entries.into_iter().map(|entry| terms.signal(entry, id.clone())));
        }
        // At once, so that the runs are locked in the order of their ids.
        deliver(&mut tx, hospital, &told).await?;
        let after = json!({ "schedules": carried.schedules, "applications": carried.applications });
        let deed = by.deed("policy.carryOver", json!({ "level": level, "id": id }), after);
        audit::write(&mut tx, hospital, &deed).await?;
        tx.commit().await?;
        Ok(carried)
    }
}

//! The settings of doctors, departments and campuses (R2, R24, R29). A change counts for applications to come.

use super::{Answer, Desk};
use crate::records::policies;
use crate::waitlist::policy::{Level, LevelPolicy};
use crate::waitlist::refusal::Refusal;

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
}

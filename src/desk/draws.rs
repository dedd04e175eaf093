//! The draw of a queue's order (R17), as anybody may see it: the hash of its seed before, seed and transcript afterwards.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::apply::under;
use super::{Answer, Desk};
use crate::engine::inspect;
use crate::records::{draws, policies, schedules};
use crate::waitlist::draw::{self, Seed, Transcript};
use crate::waitlist::policy::{Policy, QueueOrder};
use crate::waitlist::refusal::Refusal;
use crate::workflows::Ports;
use crate::workflows::slot_release::SlotRelease;

/// A draw as it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Fixes the seed.
    pub commitment: String,
    /// When the first one applied; none: nobody has yet.
    pub opened_at: Option<DateTime<Utc>>,
    /// Who applies before this takes part; none: the window has not begun.
    pub held_at: Option<DateTime<Utc>>,
    /// When it was held.
    pub drawn_at: Option<DateTime<Utc>>,
    /// What it was, once it was held.
    pub transcript: Option<Transcript>,
}

impl Desk {
    /// The draw of a schedule as it stands, for staff: looking fixes nothing.
    pub async fn draw_as_it_stands(&self, schedule_id: &str) -> Answer<Option<draws::Draw>> {
        Ok(draws::find(&self.engine.pool, self.hospital(), schedule_id).await?)
    }

    /// The draw of a schedule. Whoever asks before the first application learns the commitment that it will have: the seed
    /// is fixed by asking. [`Refusal::NotFound`] where arrival decides.
    pub async fn draw(&self, schedule_id: &str) -> Answer<Standing> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let schedule = schedules::find(pool, hospital, schedule_id).await?.ok_or(Refusal::UnknownSchedule)?;
        let mut found = draws::find(pool, hospital, schedule_id).await?;
        if found.as_ref().is_none_or(|draw| draw.opened_at.is_none()) {
            let mut conn = pool.acquire().await?;
            let [doctor, department, campus] = policies::standings(&mut *conn, hospital, &under(&schedule)).await?;
            let policy = Policy::resolve(&doctor.policy, &department.policy, &campus.policy);
            let begun = inspect::find_key(&mut *conn, hospital, SlotRelease::NAME, schedule_id).await?.is_some();
            if begun || policy.order != QueueOrder::Random {
                return Err(Refusal::NotFound.into());
            }
            fix(&mut *conn, &self.ports, schedule_id).await?;
            found = draws::find(&mut *conn, hospital, schedule_id).await?;
        }
        let draw = found.ok_or(Refusal::NotFound)?;
        let transcript = draws::transcript(pool, hospital, schedule_id, &draw).await?;
        let draws::Draw { commitment, opened_at, held_at, drawn_at, .. } = draw;
        Ok(Standing { commitment, opened_at, held_at, drawn_at, transcript })
    }
}

/// Fixes the seed of a schedule's draw, unless it is fixed.
pub(super) async fn fix(db: impl PgExecutor<'_>, ports: &Ports, schedule_id: &str) -> sqlx::Result<()> {
    let seed = Seed::random().ok_or_else(|| sqlx::Error::Encode("there is no chance to draw a seed from".into()))?;
    let commitment = draw::commitment(&ports.hospital, schedule_id, &seed);
    let sealed = ports.keyring.seal(&draw::about(schedule_id), &seed.to_hex());
    let sealed = sealed.map_err(|error| sqlx::Error::Encode(error.into()))?;
    draws::fix(db, &ports.hospital, schedule_id, &commitment, sealed.as_bytes()).await
}

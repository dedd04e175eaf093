//! The draw of a queue's order (R17), as anybody may see it: the hash of its seed before, seed and transcript afterwards.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::apply::under;
use super::{Answer, Desk};
use crate::engine::inspect;
use crate::records::{draws, policies, schedules};
use crate::waitlist::draw::{self, Seed, Transcript};
use crate::waitlist::policy::{Policy, QueueOrder, QueuePer};
use crate::waitlist::refusal::Refusal;
use crate::workflows::Ports;
use crate::workflows::slot_release::SlotRelease;

/// A draw as it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose draw it is (Q2).
    pub of_schedule: String,
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
            let mut ids = vec![schedule_id];
            let mut root = schedule_id.to_owned();
            let beside = if policy.queue_per == QueuePer::Day {
                schedules::beside(&mut *conn, hospital, &[schedule_id]).await?.remove(schedule_id).unwrap_or_default()
            } else {
                Vec::new()
            };
            if !beside.is_empty() {
                ids.extend(beside.iter().map(String::as_str));
                root = draws::root(&mut conn, hospital, &ids).await?;
            }
            fix(&mut conn, &self.ports, &root, &ids).await?;
            found = draws::find(&mut *conn, hospital, schedule_id).await?;
        }
        let draw = found.ok_or(Refusal::NotFound)?;
        let transcript = draws::transcript(pool, hospital, schedule_id, &draw).await?;
        let draws::Draw { of_schedule, commitment, opened_at, held_at, drawn_at, .. } = draw;
        let of_schedule = of_schedule.unwrap_or_else(|| schedule_id.to_owned());
        Ok(Standing { of_schedule, commitment, opened_at, held_at, drawn_at, transcript })
    }
}

/// Fixes the seed of the draw of `root`, unless it is fixed, and has these schedules take part in it.
pub(super) async fn fix(conn: &mut PgConnection, ports: &Ports, root: &str, schedules: &[&str]) -> sqlx::Result<()> {
    let seed = Seed::random().ok_or_else(|| sqlx::Error::Encode("there is no chance to draw a seed from".into()))?;
    let commitment = draw::commitment(&ports.hospital, root, &seed);
    let sealed = ports.keyring.seal(&draw::about(root), &seed.to_hex());
    let sealed = sealed.map_err(|error| sqlx::Error::Encode(error.into()))?;
    draws::fix(&mut *conn, &ports.hospital, root, &commitment, sealed.as_bytes()).await?;
    let others: Vec<&str> = schedules.iter().copied().filter(|id| *id != root).collect();
    if others.is_empty() { Ok(()) } else { draws::share(conn, &ports.hospital, root, &others).await }
}

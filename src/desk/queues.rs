//! Queues as staff look at them.

use super::{Answer, Desk};
use crate::records::queues::{self, Due, InQueue};
use crate::records::schedules;

/// People of one queue that are shown.
const QUEUE_MAX: i64 = 500;
/// Deadlines that are shown.
const DUE_MAX: i64 = 500;

impl Desk {
    /// Everybody who ever applied for a schedule: who waits first, in order, for the day at another half-day too (Q2).
    pub async fn queue(&self, schedule: &str) -> Answer<Vec<InQueue>> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let beside = schedules::beside(pool, hospital, &[schedule]).await?.remove(schedule).unwrap_or_default();
        Ok(queues::of_schedule(pool, hospital, schedule, &beside, QUEUE_MAX).await?)
    }

    /// What falls due, the soonest first.
    pub async fn due(&self) -> Answer<Vec<Due>> {
        Ok(queues::due(&self.engine.pool, self.hospital(), DUE_MAX).await?)
    }
}

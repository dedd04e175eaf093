//! Queues as staff look at them.

use super::{Answer, Desk};
use crate::records::queues::{self, Due, InQueue};

/// People of one queue that are shown.
const QUEUE_MAX: i64 = 500;
/// Deadlines that are shown.
const DUE_MAX: i64 = 500;

impl Desk {
    /// Everybody who ever applied for a schedule: who waits first, in order.
    pub async fn queue(&self, schedule: &str) -> Answer<Vec<InQueue>> {
        Ok(queues::of_schedule(&self.engine.pool, self.hospital(), schedule, QUEUE_MAX).await?)
    }

    /// What falls due, the soonest first.
    pub async fn due(&self) -> Answer<Vec<Due>> {
        Ok(queues::due(&self.engine.pool, self.hospital(), DUE_MAX).await?)
    }
}

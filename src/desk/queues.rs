//! Queues as staff look at them.

use super::{Answer, Desk};
use crate::records::queues::{self, Due, InQueue};
use crate::records::schedules;

impl Desk {
    /// Everybody who ever applied for a schedule: who waits first, in order, for the day at another half-day too (Q2).
    /// `most` of them after the first `skip`.
    pub async fn queue(&self, schedule: &str, skip: i64, most: i64) -> Answer<Vec<InQueue>> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let beside = schedules::beside(pool, hospital, &[schedule]).await?.remove(schedule).unwrap_or_default();
        Ok(queues::of_schedule(pool, hospital, schedule, &beside, skip, most).await?)
    }

    /// Whether this patient may not get a place in this department now.
    pub async fn barred(&self, patient_id: &str, department_id: &str) -> Answer<bool> {
        Ok(queues::barred(&self.engine.pool, self.hospital(), patient_id, department_id).await?)
    }

    /// What falls due, the soonest first: `most` after the first `skip`.
    pub async fn due(&self, skip: i64, most: i64) -> Answer<Vec<Due>> {
        Ok(queues::due(&self.engine.pool, self.hospital(), skip, most).await?)
    }
}

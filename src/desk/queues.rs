//! Queues as staff look at them, and what falls due when.

use chrono::NaiveDate;

use super::overview::bounds;
use super::{Answer, Desk};
use crate::records::deadlines::{self, Due, Kind, Place, Wanted};
use crate::records::queues::{self, InQueue};
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

    /// What falls due, the soonest first: of this kind, on this day of the hospital's, after this place, where they are named.
    pub async fn due(
        &self,
        kind: Option<Kind>,
        day: Option<NaiveDate>,
        after: Option<Place>,
        most: i64,
    ) -> Answer<Vec<Due>> {
        let wanted = Wanted { kind, within: day.map(|day| bounds(day, self.ports.tz)), after, most };
        Ok(deadlines::due(&self.engine.pool, self.hospital(), &wanted).await?)
    }
}

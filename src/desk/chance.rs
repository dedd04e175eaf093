//! How likely one more application comes to a place, for whoever stands before a queue (R1).

use super::browse::Listed;
use super::{Answer, Desk};
use crate::records::kpis;
use crate::waitlist::chance::Chance;
use crate::waitlist::policy::QueuePer;

impl Desk {
    /// The hint for one more in this queue; none where nobody may join, where half-days share a queue (what became of single ones
    /// says nothing about it), or where the doctor has had too few queues.
    pub async fn chance(&self, listed: &Listed) -> Answer<Option<Chance>> {
        if listed.closed.is_some() || listed.policy.queue_per == QueuePer::Day {
            return Ok(None);
        }
        let today = self.now().await?.with_timezone(&self.ports.tz).date_naive();
        let booked = kpis::booked_of_late(&self.engine.pool, self.hospital(), &listed.schedule, today).await?;
        Ok(Chance::at(listed.length + 1, &booked))
    }
}

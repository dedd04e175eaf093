//! A place was freed on the hospital's own site (R13): a hint to the schedule's hand-out, which asks HIS.

use serde_json::json;

use super::{Answer, Desk};
use crate::engine::To;
use crate::engine::store::{self, Outgoing};
use crate::records::schedules;
use crate::waitlist::refusal::Refusal;
use crate::workflows::slot_release::SlotRelease;

impl Desk {
    /// Passes the hint on, once an `event_id`. Where nobody ever waited for the schedule one hint is kept: whoever waits
    /// first has HIS asked at once.
    pub async fn release_slot(&self, schedule_id: &str, event_id: &str) -> Answer<()> {
        let mut tx = self.begin().await?;
        schedules::find(&mut *tx, self.hospital(), schedule_id).await?.ok_or(Refusal::UnknownSchedule)?;
        let signal = freed(schedule_id, format!("release:{event_id}"), "ownSite");
        store::signal::hint(&mut tx, self.hospital(), &[signal]).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(())
    }
}

/// The hint that a place of this schedule may be free.
pub(super) fn freed(schedule_id: &str, id: String, source: &str) -> Outgoing {
    Outgoing {
        to: To::Key { workflow: SlotRelease::NAME, key: schedule_id.to_owned() },
        name: "Freed".into(),
        id,
        payload: json!({ "source": source }),
    }
}

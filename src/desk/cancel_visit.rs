//! The patient cancels a booked visit (R22); its place goes to the next in line (R13).

use super::{Answer, Desk, DeskError};
use crate::engine::clock;
use crate::engine::store::signal;
use crate::ports::his::TimeSlot;
use crate::records::{entry_changes, schedules, visits};
use crate::waitlist::calendar;
use crate::waitlist::refusal::Refusal;
use crate::waitlist::status::EntryStatus;

impl Desk {
    /// Cancels an appointment by its id. Cancelling it again is the same; [`Refusal::NotCancellable`] once the visit
    /// has begun, or HIS has refused to cancel it.
    pub async fn cancel_visit(&self, appointment_id: &str) -> Answer<()> {
        let hospital = self.hospital();
        let mut tx = self.begin().await?;
        let found = visits::find(&mut *tx, hospital, appointment_id).await?.ok_or(Refusal::NotFound)?;
        let (shown, status) = self.hold(&mut tx, found.entry_id).await?;
        if shown.reason.as_deref() == Some("visitCancelled") {
            return Ok(());
        }
        let visit = visits::find(&mut *tx, hospital, appointment_id).await?.ok_or(Refusal::NotFound)?;
        // What HIS has refused it is not asked for again: the counter may still cancel it there.
        let refused = shown.reason.as_deref() == Some(entry_changes::NOT_CANCELLED);
        if status != EntryStatus::Booked || visit.status != "booked" || refused {
            return Err(Refusal::NotCancellable.into());
        }
        let schedule = schedules::find(&mut *tx, hospital, &visit.schedule_id).await?.ok_or(Refusal::NotFound)?;
        let slot: TimeSlot = serde_json::from_value(visit.slot)
            .map_err(|error| DeskError::Broken(format!("the time of a visit cannot be read: {error}")))?;
        let begins = calendar::visit_starts_at(schedule.visit_date, slot.begins, self.ports.tz);
        if clock::now(&mut *tx).await? >= begins {
            return Err(Refusal::NotCancellable.into());
        }
        // Said again while it was not heard it is the same; a visit that staff have led back may be cancelled anew.
        let heard = signal::heard(&mut *tx, hospital, found.entry_id, "Cancellation").await?;
        let id = format!("cancel:{heard}");
        self.send(tx, found.entry_id, "Cancellation", id, serde_json::json!({})).await.map(drop)
    }
}

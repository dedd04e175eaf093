//! Who may not join a queue for a while (R32), nor is offered anything in one that was joined before. Whoever has been
//! offered a place keeps it, and whoever waits keeps the turn until the cutoff, for the day that the entry is lifted.

use super::{Answer, Desk};
use crate::records::patients::{self, Blacklisted};
use crate::waitlist::refusal::Refusal;

impl Desk {
    /// Blacklists a patient, or changes why and until when; [`Refusal::UnknownPatient`] where there is none.
    pub async fn put_blacklist(&self, patient_id: &str, entry: &Blacklisted) -> Answer<()> {
        let mut tx = self.begin().await?;
        // A patient who is applying at this moment is decided before or after, never in between.
        if patients::lock_person(&mut *tx, self.hospital(), patient_id).await?.is_empty() {
            return Err(Refusal::UnknownPatient.into());
        }
        patients::blacklist(&mut *tx, self.hospital(), patient_id, entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The entry in force, or [`Refusal::NotFound`].
    pub async fn blacklisted(&self, patient_id: &str) -> Answer<Blacklisted> {
        let found = patients::blacklisted(&self.engine.pool, self.hospital(), &[patient_id.to_owned()]).await?;
        Ok(found.ok_or(Refusal::NotFound)?)
    }

    /// Lifts an entry; one that is not there is lifted already.
    pub async fn lift_blacklist(&self, patient_id: &str) -> Answer<()> {
        patients::lift(&self.engine.pool, self.hospital(), patient_id).await?;
        Ok(())
    }
}

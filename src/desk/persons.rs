//! One person's data: handed over, forgotten, and sealed anew after a rotation of keys.
//!
//! Handing over opens what is sealed; both are for people who may do it, with a reason, and the audit knows of it.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::again::again;
use super::{Answer, Desk, DeskError};
use crate::engine::staff::By;
use crate::engine::store::audit::{self, Deed};
use crate::records::seals::{self, Of};
use crate::records::{patients, persons};
use crate::waitlist::cipher::{Keyring, Sealed};
use crate::waitlist::refusal::Refusal;

/// Patients of one statement.
const BATCH: i64 = 200;

impl Desk {
    /// All that is kept of one patient, opened.
    pub async fn export_patient(&self, patient_id: &str, by: &By) -> Answer<Value> {
        let mut tx = self.begin().await?;
        let found = patients::find(&mut *tx, self.hospital(), patient_id).await?.ok_or(Refusal::UnknownPatient)?;
        let plain = self.ports.keyring.open(patient_id, &Sealed::from_bytes(found.sealed))?;
        let person: Value = serde_json::from_str(plain.expose_secret())
            .map_err(|_| DeskError::Broken("what is sealed of a patient cannot be read".to_owned()))?;
        let mut all = persons::export(&mut *tx, self.hospital(), patient_id).await?;
        if let Value::Object(fields) = &mut all {
            fields.insert("patientId".to_owned(), json!(patient_id));
            fields.insert("person".to_owned(), person);
        }
        let deed = deed(by, "patient.export", patient_id);
        audit::write(&mut tx, self.hospital(), &deed).await?;
        tx.commit().await?;
        Ok(all)
    }

    /// Forgets who a patient was; [`DeskError::StillNeeded`] while an application, a visit or a refund is under way,
    /// or the patient is blacklisted by hand.
    pub async fn erase_patient(&self, patient_id: &str, by: &By) -> Answer<()> {
        again(|| self.erase_patient_once(patient_id, by)).await
    }

    async fn erase_patient_once(&self, patient_id: &str, by: &By) -> Answer<()> {
        let mut tx = self.begin().await?;
        // Whoever applies at this moment is decided before or after, never in between.
        if patients::lock_person(&mut *tx, self.hospital(), patient_id).await?.is_empty() {
            return Err(Refusal::UnknownPatient.into());
        }
        if persons::is_needed(&mut *tx, self.hospital(), patient_id).await? {
            return Err(DeskError::StillNeeded);
        }
        persons::erase(&mut tx, self.hospital(), patient_id).await?;
        let deed = deed(by, "patient.erase", patient_id);
        audit::write(&mut tx, self.hospital(), &deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn deed<'a>(by: &'a By, verb: &'a str, patient_id: &str) -> Deed<'a> {
    by.deed(verb, json!({ "patientId": patient_id }), json!({}))
}

/// Forgets, as [`Desk::erase_patient`] does, whoever has not been with us for so many days; says how many they were.
pub async fn forget_absent(pool: &PgPool, hospital: &str, days: i32) -> Answer<u64> {
    let (mut forgotten, mut after) = (0, String::new());
    loop {
        let found = persons::not_with_us(pool, hospital, days, &after, BATCH).await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        after.clone_from(last);
        for id in &found {
            forgotten += u64::from(again(|| forget_if_absent(pool, hospital, days, id)).await?);
        }
    }
}

async fn forget_if_absent(pool: &PgPool, hospital: &str, days: i32, id: &str) -> Answer<bool> {
    let mut tx = pool.begin().await?;
    // Whoever applies at this moment is decided before or after, never in between.
    patients::lock_person(&mut *tx, hospital, id).await?;
    let forgotten =
        persons::is_not_with_us(&mut *tx, hospital, days, id).await? && persons::erase(&mut tx, hospital, id).await?;
    tx.commit().await?;
    Ok(forgotten)
}

/// What became of a round over all seals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Sealed anew with the current key.
    pub done: u64,
    /// Whose key is not configured, or that were damaged: nobody can open them.
    pub lost: u64,
}

/// Seals anew with the current key whatever an older one sealed, while everybody works on. When it finds nothing more, the
/// older key is needed no longer.
pub async fn reseal_all(pool: &PgPool, hospital: &str, keyring: &Keyring) -> Answer<Resealed> {
    let mut resealed = Resealed::default();
    for of in Of::ALL {
        let mut after = String::new();
        loop {
            let found = seals::sealed_otherwise(pool, of, hospital, keyring.current_id(), &after, BATCH).await?;
            let Some((last, _)) = found.last() else { break };
            after.clone_from(last);
            for (id, sealed) in found {
                let about = of.about(&id);
                let plain = match keyring.open(&about, &Sealed::from_bytes(sealed.clone())) {
                    Ok(plain) => plain,
                    Err(error) => {
                        tracing::error!(?of, id, %error, "what is sealed does not open");
                        resealed.lost += 1;
                        continue;
                    }
                };
                let new = keyring.seal(&about, plain.expose_secret())?;
                // One that was written meanwhile was sealed with the current key.
                resealed.done += u64::from(seals::reseal(pool, of, hospital, &id, &sealed, new.as_bytes()).await?);
            }
        }
    }
    Ok(resealed)
}

//! What is kept of one patient, masked, for whoever answers the telephone.

use serde_json::Value;

use super::{Answer, Desk};
use crate::records::breaches::{self, Breach};
use crate::records::dossier::{self, Applied, Banned, Offered, Paid, Told};
use crate::records::patients;
use crate::records::visits;
use crate::waitlist::refusal::Refusal;

/// Rows of each kind that are shown.
const MOST: i64 = 100;

/// All of it.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// Name, phone and ID number, masked.
    pub masked: Value,
    /// All ids of the person.
    pub accounts: Vec<String>,
    /// Applications.
    pub applications: Vec<Applied>,
    /// Visits.
    pub visits: Vec<visits::Shown>,
    /// Money.
    pub payments: Vec<Paid>,
    /// Offers.
    pub offers: Vec<Offered>,
    /// Messages.
    pub messages: Vec<Told>,
    /// What keeps, or kept, the person out.
    pub bans: Vec<Banned>,
    /// When the person did not come.
    pub breaches: Vec<Breach>,
}

impl Desk {
    /// All of it, or [`Refusal::UnknownPatient`].
    pub async fn dossier(&self, patient: &str) -> Answer<Dossier> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let found = patients::find(pool, hospital, patient).await?.ok_or(Refusal::UnknownPatient)?;
        let accounts = dossier::accounts(pool, hospital, patient).await?;
        let hash = patients::hash_of(pool, hospital, patient).await?.ok_or(Refusal::UnknownPatient)?;
        Ok(Dossier {
            masked: found.masked,
            applications: dossier::applications(pool, hospital, patient, MOST).await?,
            visits: visits::of_patient(pool, hospital, patient).await?,
            payments: dossier::payments(pool, hospital, patient, MOST).await?,
            offers: dossier::offers(pool, hospital, patient, MOST).await?,
            messages: dossier::messages(pool, hospital, patient, MOST).await?,
            bans: dossier::bans(pool, hospital, Some(&accounts), 0, MOST).await?,
            breaches: breaches::of_person(pool, hospital, &hash).await?,
            accounts,
        })
    }

    /// Whoever is, or was, on the blacklist, the latest first.
    pub async fn bans(&self, skip: i64, most: i64) -> Answer<Vec<Banned>> {
        Ok(dossier::bans(&self.engine.pool, self.hospital(), None, skip, most).await?)
    }
}

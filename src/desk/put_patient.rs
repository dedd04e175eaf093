//! A patient's data: checked, sealed, and shown masked only (4.4). Nothing here logs or answers it in the open.

use serde_json::{Value, json};

use super::again::again;
use super::{Answer, Desk, DeskError};
use crate::records::patients::{self, Person, Put};
use crate::waitlist::identity::{IdNumber, IdType, PersonName, Phone};
use crate::waitlist::refusal::Refusal;
use crate::workflows::breach_sync::weigh_person;

/// Under this age a guardian is named (R4, 未成年).
const OF_AGE_YEARS: u32 = 18;

/// A patient as the caller sends it.
pub struct PatientData {
    /// The name on the ID document.
    pub name: String,
    /// HIS's code of the ID document.
    pub id_type: String,
    /// Its number.
    pub id_number: String,
    /// Mobile phone.
    pub phone: String,
    /// The payer and receiver at WeChat.
    pub openid: Option<String>,
    /// The guardian's name, for a child.
    pub guardian: Option<String>,
}

impl Desk {
    /// Stores or replaces a patient and answers what may be shown.
    pub async fn put_patient(&self, patient_id: &str, data: &PatientData) -> Answer<Value> {
        let today = self.now().await?.with_timezone(&self.ports.tz).date_naive();
        let id_type = IdType::from_code(data.id_type.trim())?;
        let number = IdNumber::parse(id_type, &data.id_number, today)?;
        let (name, phone) = (PersonName::parse(&data.name)?, Phone::parse(&data.phone)?);
        let guardian = data.guardian.as_deref().map(PersonName::parse).transpose()?;
        let child =
            id_type == IdType::BirthCertificate || number.age_on(today).is_some_and(|years| years < OF_AGE_YEARS);
        if child && guardian.is_none() {
            return Err(Refusal::GuardianRequired.into());
        }
        let person = Person {
            name: name.expose().to_owned(),
            id_type: id_type.code().to_owned(),
            id_number: number.expose().to_owned(),
            phone: phone.expose().to_owned(),
            openid: data.openid.clone().filter(|openid| !openid.trim().is_empty()),
            guardian: guardian.as_ref().map(|guardian| guardian.expose().to_owned()),
        };
        let plain = serde_json::to_string(&person)
            .map_err(|_| DeskError::Broken("a patient could not be written for sealing".to_owned()))?;
        let sealed = self.ports.keyring.seal(patient_id, &plain)?;
        let masked = json!({ "name": name.masked(), "idNumber": number.masked(), "phone": phone.masked() });
        let id_hash = self.lookup.hash(&number);
        let put = Put {
            id: patient_id,
            id_type: id_type.code(),
            id_hash: id_hash.as_bytes(),
            sealed: sealed.as_bytes(),
            masked: &masked,
        };
        again(|| self.store_patient(&put)).await?;
        Ok(masked)
    }

    /// Whoever comes with a document that is known for breaches has them from the first moment (R32).
    async fn store_patient(&self, put: &Put<'_>) -> Answer<()> {
        let mut tx = self.begin().await?;
        patients::put(&mut *tx, self.hospital(), put).await?;
        let now = crate::engine::clock::now(&mut *tx).await?;
        weigh_person(&mut tx, self.hospital(), put.id_hash, now, self.ports.tz).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What may be shown of a patient, or [`Refusal::UnknownPatient`].
    pub async fn patient(&self, patient_id: &str) -> Answer<Value> {
        let found = patients::find(&self.engine.pool, self.hospital(), patient_id).await?;
        Ok(found.ok_or(Refusal::UnknownPatient)?.masked)
    }
}

//! Patients: personal data is sealed before it comes here and opened only for a call to HIS or the message platform.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;

/// What is sealed. Never stored or logged in the open (`Debug` shows nothing).
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The name on the ID document.
    pub name: String,
    /// HIS's code of the ID document.
    pub id_type: String,
    /// Its number.
    pub id_number: String,
    /// Mobile phone.
    pub phone: String,
    /// The receiver at WeChat.
    pub openid: Option<String>,
    /// The guardian's name, for a child.
    pub guardian: Option<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(…)")
    }
}

/// A patient as stored.
#[derive(sqlx::FromRow)]
pub struct Patient {
    /// Ours (the caller's) id.
    pub id: String,
    /// Sealed [`Person`].
    pub sealed: Vec<u8>,
    /// What may be shown.
    pub masked: Value,
}

/// The patient of this id.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<Option<Patient>> {
    sqlx::query_as("select id, sealed, masked from patient where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .fetch_optional(db)
        .await
}

/// These patients, in no order.
pub async fn find_all(db: impl PgExecutor<'_>, hospital: &str, ids: &[&str]) -> sqlx::Result<Vec<Patient>> {
    sqlx::query_as("select id, sealed, masked from patient where hospital = $1 and id = any($2)")
        .bind(hospital)
        .bind(ids)
        .fetch_all(db)
        .await
}

/// Locks the person for the rest of the transaction: an admission that was decided before is decided again. Answers
/// all the patient ids under which the same ID document is known, this one among them (R4: two accounts, one card);
/// none where there is no such patient. Rows are locked in the order of their ids.
pub async fn lock_person(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "with person as materialized (
             select id from patient
             where hospital = $1 and id_hash = (select id_hash from patient where hospital = $1 and id = $2)
             order by id for update)
         update patient p set applied = p.applied + 1 from person where p.hospital = $1 and p.id = person.id
         returning p.id",
    )
    .bind(hospital)
    .bind(id)
    .fetch_all(db)
    .await
}

/// The same for the person of a hash, without counting it as a reason to decide anew where nobody is known.
pub async fn lock_hash(db: impl PgExecutor<'_>, hospital: &str, id_hash: &[u8]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "with person as materialized (
             select id from patient where hospital = $1 and id_hash = $2 order by id for update)
         update patient p set applied = p.applied + 1 from person where p.hospital = $1 and p.id = person.id
         returning p.id",
    )
    .bind(hospital)
    .bind(id_hash)
    .fetch_all(db)
    .await
}

/// The hash of a patient's document; none where there is no such patient.
pub async fn hash_of(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("select id_hash from patient where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .fetch_optional(db)
        .await
}

/// A patient to be stored.
pub struct Put<'a> {
    /// The caller's id.
    pub id: &'a str,
    /// HIS's code of the ID document.
    pub id_type: &'a str,
    /// Keyed hash of the normalised number.
    pub id_hash: &'a [u8],
    /// Sealed [`Person`].
    pub sealed: &'a [u8],
    /// What may be shown.
    pub masked: &'a Value,
}

/// Stores or replaces a patient.
pub async fn put(db: impl PgExecutor<'_>, hospital: &str, patient: &Put<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into patient (hospital, id, id_type, id_hash, sealed, masked) values ($1, $2, $3, $4, $5, $6)
         on conflict (hospital, id) do update
         set id_type = excluded.id_type, id_hash = excluded.id_hash, sealed = excluded.sealed,
             masked = excluded.masked, updated_at = engine_now()",
    )
    .bind(hospital)
    .bind(patient.id)
    .bind(patient.id_type)
    .bind(patient.id_hash)
    .bind(patient.sealed)
    .bind(patient.masked)
    .execute(db)
    .await
    .map(drop)
}

/// A blacklist entry (R32).
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Blacklisted {
    /// Why.
    pub reason: String,
    /// Until when; none: until it is lifted.
    pub until: Option<DateTime<Utc>>,
}

/// The blacklist entry that is in force for any of these ids of one person, the longest if there are many.
pub async fn blacklisted(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patient_ids: &[String],
) -> sqlx::Result<Option<Blacklisted>> {
    sqlx::query_as(
        "select reason, until from blacklist
         where hospital = $1 and patient_id = any($2) and (until is null or until > engine_now())
         order by until desc nulls first limit 1",
    )
    .bind(hospital)
    .bind(patient_ids)
    .fetch_optional(db)
    .await
}

/// The rules by which a patient is kept out now; empty names stand for entries of the staff.
pub async fn rules_in_force(db: impl PgExecutor<'_>, hospital: &str, patient_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select rule_id from blacklist
         where hospital = $1 and patient_id = $2 and (until is null or until > engine_now()) order by 1",
    )
    .bind(hospital)
    .bind(patient_id)
    .fetch_all(db)
    .await
}

/// Blacklists a patient, or changes why and until when. An entry that was over begins anew.
pub async fn blacklist(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patient_id: &str,
    entry: &Blacklisted,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into blacklist (hospital, patient_id, reason, until) values ($1, $2, $3, $4)
         on conflict (hospital, patient_id, rule_id) do update
         set reason = excluded.reason, until = excluded.until,
             created_at = case when blacklist.until <= engine_now() then engine_now() else blacklist.created_at end",
    )
    .bind(hospital)
    .bind(patient_id)
    .bind(&entry.reason)
    .bind(entry.until)
    .execute(db)
    .await
    .map(drop)
}

/// Lifts the blacklist entries of these ids: they are over now, and say for whom they held until then.
pub async fn lift(db: impl PgExecutor<'_>, hospital: &str, patient_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(
        "update blacklist set until = engine_now()
         where hospital = $1 and patient_id = any($2) and (until is null or until > engine_now())",
    )
    .bind(hospital)
    .bind(patient_ids)
    .execute(db)
    .await
    .map(drop)
}

//! Admission, many at once: what a decision stands on, and the one statement that writes what was decided.
//!
//! Reading locks nothing. The statement that writes looks again at everything that could let in one too many, under
//! locks that end with it, and writes nothing where it has moved.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::entries::NewEntry;
use crate::engine::{Letter, NewRun, RunId};

/// A patient of the person who asks: one ID document, however many accounts (R4).
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Account {
    /// The patient who was asked about.
    pub asked: String,
    /// A patient with the same ID document; that one itself among them.
    pub id: String,
    /// What both have in common.
    pub person: Vec<u8>,
    /// How often this person was admitted.
    pub applied: i32,
}

/// All accounts of the persons behind these patients.
pub async fn accounts(db: impl PgExecutor<'_>, hospital: &str, patients: &[&str]) -> sqlx::Result<Vec<Account>> {
    sqlx::query_as(
        "select a.id as asked, p.id, p.id_hash as person, p.applied
         from patient a join patient p on p.hospital = a.hospital and p.id_hash = a.id_hash
         where a.hospital = $1 and a.id = any($2)",
    )
    .bind(hospital)
    .bind(patients)
    .fetch_all(db)
    .await
}

/// The live entries of these patients: patient and schedule.
pub async fn live_of(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patients: &[&str],
) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as("select patient_id, schedule_id from entry where hospital = $1 and patient_id = any($2) and live")
        .bind(hospital)
        .bind(patients)
        .fetch_all(db)
        .await
}

/// The booked visits of these patients: patient, department, day.
pub async fn booked_of(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patients: &[&str],
) -> sqlx::Result<Vec<(String, String, NaiveDate)>> {
    sqlx::query_as(
        "select a.patient_id, s.department_id, s.visit_date from appointment a
         join schedule s on s.hospital = a.hospital and s.id = a.schedule_id
         where a.hospital = $1 and a.patient_id = any($2) and a.status = 'booked'",
    )
    .bind(hospital)
    .bind(patients)
    .fetch_all(db)
    .await
}

/// Those of these patients who are blacklisted now, and until when.
pub async fn blacklisted_of(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patients: &[&str],
) -> sqlx::Result<Vec<(String, Option<DateTime<Utc>>)>> {
    sqlx::query_as(
        "select patient_id, until from blacklist
         where hospital = $1 and patient_id = any($2) and (until is null or until > engine_now())",
    )
    .bind(hospital)
    .bind(patients)
    .fetch_all(db)
    .await
}

/// An entry that stands under a caller's key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Keyed {
    /// The key.
    pub idempotency_key: String,
    /// The entry.
    pub id: Uuid,
    /// What it is for.
    pub schedule_id: String,
    /// Whose it is.
    pub patient_id: String,
}

/// The entries under these keys.
pub async fn by_keys(db: impl PgExecutor<'_>, hospital: &str, keys: &[&str]) -> sqlx::Result<Vec<Keyed>> {
    sqlx::query_as(
        "select idempotency_key, id, schedule_id, patient_id from entry
         where hospital = $1 and idempotency_key = any($2)",
    )
    .bind(hospital)
    .bind(keys)
    .fetch_all(db)
    .await
}

/// Where a run stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StandingRun {
    /// Its key.
    pub key: String,
    /// The run.
    pub id: RunId,
    /// Where it stands.
    pub step: String,
    /// See [`engine::store::staff::Standing`](crate::engine::store::staff::Standing).
    pub status: String,
}

/// The runs of `workflow` under these keys, by key.
pub async fn standing_runs(
    db: impl PgExecutor<'_>,
    hospital: &str,
    workflow: &str,
    keys: &[&str],
) -> sqlx::Result<HashMap<String, StandingRun>> {
    let rows: Vec<StandingRun> =
        sqlx::query_as("select key, id, step, status from run where tenant = $1 and workflow = $2 and key = any($3)")
            .bind(hospital)
            .bind(workflow)
            .bind(keys)
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
}

/// Admissions that were decided, and what they stand on.
#[derive(Debug, Default)]
pub struct Decided<'a> {
    /// The hand-outs that are to go on.
    pub hand_outs: Vec<RunId>,
    /// The persons' patients, with `applied` as it was read.
    pub persons: Vec<(&'a str, i32)>,
    /// The runs, in the order of arrival.
    pub runs: Vec<NewRun>,
    /// Their entries.
    pub entries: Vec<NewEntry<'a>>,
    /// What they tell.
    pub letters: Vec<(RunId, Letter)>,
    /// Level, id, the most live entries that may be found there (`None`: no cap was asked), entries to be added.
    pub counts: Vec<(&'static str, &'a str, Option<i32>, i32)>,
}

/// Writes them all, or none: see `admit` in the migrations. `over_at`: the steps at which a hand-out is over.
pub async fn admit(pool: &PgPool, hospital: &str, over_at: &[&str], decided: &Decided<'_>) -> sqlx::Result<()> {
    let Decided { hand_outs, persons, runs, entries, letters, counts } = decided;
    sqlx::query(
        "select admit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                      $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)",
    )
    .bind(hospital)
    .bind(hand_outs)
    .bind(over_at)
    .bind(persons.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(persons.iter().map(|(_, applied)| *applied).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.id).collect::<Vec<_>>())
    .bind(runs.first().map_or("", |run| run.workflow))
    .bind(runs.iter().map(|run| run.key.as_str()).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.name).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.hears.join(",")).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.lane_stored()).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.step.priority.stored()).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.due_at).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| &run.state).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.trace.as_deref()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.schedule_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.under.doctor_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.under.department_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.under.campus_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.patient_id).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.status).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.payment_mode.as_str()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.fee_fen).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.cutoff).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| letter.id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|(run, _)| *run).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| letter.topic).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| &letter.payload).collect::<Vec<_>>())
    .bind(counts.iter().map(|(level, ..)| *level).collect::<Vec<_>>())
    .bind(counts.iter().map(|(_, id, ..)| *id).collect::<Vec<_>>())
    .bind(counts.iter().map(|(.., most, _)| *most).collect::<Vec<_>>())
    .bind(counts.iter().map(|(.., added)| *added).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}

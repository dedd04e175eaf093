//! The audit: who did what, when and why. Written in the transaction of the deed; nothing here changes a row.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, Postgres, QueryBuilder};
use uuid::Uuid;

use super::super::RunId;

/// A deed to be written down.
#[derive(Debug, Clone)]
pub struct Deed<'a> {
    /// Who.
    pub who: &'a str,
    /// What.
    pub verb: &'a str,
    /// To which run; none: to a bulk itself, or to a job.
    pub run: Option<RunId>,
    /// To which job.
    pub job: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// How it stood.
    pub before: Value,
    /// How it stands.
    pub after: Value,
    /// The bulk that it belonged to.
    pub bulk: Option<Uuid>,
}

/// Writes a deed down.
pub async fn write(conn: &mut PgConnection, tenant: &str, deed: &Deed<'_>) -> sqlx::Result<()> {
    write_as(conn, tenant, Uuid::now_v7(), deed).await
}

/// Writes a deed down under an id that its writer knows it by.
pub async fn write_as(conn: &mut PgConnection, tenant: &str, id: Uuid, deed: &Deed<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into audit (tenant, id, who, verb, run_id, reason, before, after, bulk, job)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(tenant)
    .bind(id)
    .bind(deed.who)
    .bind(deed.verb)
    .bind(deed.run)
    .bind(deed.reason)
    .bind(&deed.before)
    .bind(&deed.after)
    .bind(deed.bulk)
    .bind(deed.job)
    .execute(conn)
    .await
    .map(drop)
}

/// A deed as it was written down.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Audited {
    /// Its id; the cursor of the next page.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub who: String,
    /// What.
    pub verb: String,
    /// To which run; none: to a bulk itself, or to a job.
    pub run_id: Option<RunId>,
    /// To which job.
    pub job: Option<String>,
    /// Why.
    pub reason: String,
    /// How it stood.
    pub before: Value,
    /// How it stands.
    pub after: Value,
    /// The bulk that it belonged to.
    pub bulk: Option<Uuid>,
}

/// Which deeds are wanted; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// To this run.
    pub run: Option<RunId>,
    /// To this job.
    pub job: Option<String>,
    /// By this person.
    pub who: Option<String>,
    /// This verb.
    pub verb: Option<String>,
    /// To this patient: what names the patient, and what was done to `runs_of_patient`.
    pub patient: Option<String>,
    /// See `patient`.
    pub runs_of_patient: Vec<RunId>,
    /// Not before this instant.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Only deeds before this one: the last of the page before.
    pub before: Option<Uuid>,
    /// The most of a page.
    pub most: i64,
}

/// A change of one level's settings: the newest, or the one of this id.
///
/// Plan: `audit_of_policy`, one row.
pub async fn policy_change(
    db: impl PgExecutor<'_>,
    tenant: &str,
    level: &str,
    id: &str,
    deed: Option<Uuid>,
) -> sqlx::Result<Option<Audited>> {
    sqlx::query_as(
        "select id, at, who, verb, run_id, job, reason, before, after, bulk from audit
         where tenant = $1 and after ->> 'level' = $2 and after ->> 'id' = $3 and verb in ('policy.put', 'policy.undo')
           and ($4::uuid is null or id = $4)
         order by id desc limit 1",
    )
    .bind(tenant)
    .bind(level)
    .bind(id)
    .bind(deed)
    .fetch_optional(db)
    .await
}

/// Deeds, newest first.
///
/// Plan: `audit_of_run`, `audit_of_person`, `audit_of_patient` (with `audit_of_run` for each of the patient's runs) or `audit_at`,
/// by what is asked for; else the primary key from its end.
pub async fn list(db: impl PgExecutor<'_>, tenant: &str, wanted: &Wanted) -> sqlx::Result<Vec<Audited>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "select id, at, who, verb, run_id, job, reason, before, after, bulk from audit where tenant = ",
    );
    query.push_bind(tenant);
    // Only what is asked for is compared, so that the index of that is used.
    if let Some(run) = wanted.run {
        query.push(" and run_id = ").push_bind(run);
    }
    for (column, value) in [("who", &wanted.who), ("verb", &wanted.verb), ("job", &wanted.job)] {
        if let Some(value) = value {
            query.push(format_args!(" and {column} = ")).push_bind(value);
        }
    }
    if let Some(patient) = &wanted.patient {
        query.push(" and id in (select id from audit where tenant = ").push_bind(tenant);
        query.push(" and coalesce(before ->> 'patientId', after ->> 'patientId') = ").push_bind(patient);
        query.push(" union select id from audit where tenant = ").push_bind(tenant);
        query.push(" and run_id = any(").push_bind(&wanted.runs_of_patient).push("))");
    }
    for (than, instant) in [(">=", wanted.from), ("<", wanted.until)] {
        if let Some(instant) = instant {
            query.push(format_args!(" and at {than} ")).push_bind(instant);
        }
    }
    if let Some(before) = wanted.before {
        query.push(" and id < ").push_bind(before);
    }
    query.push(format_args!(" order by id desc limit {}", wanted.most));
    query.build_query_as().fetch_all(db).await
}

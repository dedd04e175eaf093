//! Texts of notices that staff stored (R23), every version of them. A version is never changed.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::notices::Visit;
use super::schedules::from_name;
use crate::waitlist::template::Template;

/// The campus of a text that counts for every campus without one of its own.
pub const EVERY_CAMPUS: &str = "";

/// Which version of a text: with its name, the key of what never changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Numbered {
    /// Of this campus; [`EVERY_CAMPUS`] for the hospital's.
    pub campus_id: String,
    /// From 1.
    pub version: i32,
}

/// A version of a text.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Version {
    /// Of this campus; [`EVERY_CAMPUS`] for the hospital's.
    pub campus_id: String,
    /// From 1.
    pub version: i32,
    /// The text; none: it was taken back.
    pub body: Option<Json<Template>>,
    /// Who stored it.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// The text in force at a campus; none where the built-in one counts.
///
/// Plan: the end of two ranges of the primary key.
pub async fn in_force(
    db: impl PgExecutor<'_>,
    hospital: &str,
    name: &str,
    campus_id: &str,
) -> sqlx::Result<Option<Version>> {
    sqlx::query_as(
        "select campus_id, version, body, who, reason, created_at
         from (select distinct c.id from unnest(array[$3, '']) as c (id)) c
         cross join lateral (
             select * from notice_template t
             where t.hospital = $1 and t.name = $2 and t.campus_id = c.id order by version desc limit 1) t
         where body is not null order by campus_id desc limit 1",
    )
    .bind(hospital)
    .bind(name)
    .bind(campus_id)
    .fetch_optional(db)
    .await
}

/// One version.
pub async fn find(
    db: impl PgExecutor<'_>,
    hospital: &str,
    name: &str,
    which: &Numbered,
) -> sqlx::Result<Option<Version>> {
    sqlx::query_as(
        "select campus_id, version, body, who, reason, created_at from notice_template
         where hospital = $1 and name = $2 and campus_id = $3 and version = $4",
    )
    .bind(hospital)
    .bind(name)
    .bind(&which.campus_id)
    .bind(which.version)
    .fetch_optional(db)
    .await
}

/// The versions of a name and campus, newest first, before `before`.
pub async fn versions(
    db: impl PgExecutor<'_>,
    hospital: &str,
    name: &str,
    campus_id: &str,
    before: Option<i32>,
    most: i64,
) -> sqlx::Result<Vec<Version>> {
    sqlx::query_as(
        "select campus_id, version, body, who, reason, created_at from notice_template
         where hospital = $1 and name = $2 and campus_id = $3 and ($4::int is null or version < $4)
         order by version desc limit $5",
    )
    .bind(hospital)
    .bind(name)
    .bind(campus_id)
    .bind(before)
    .bind(most)
    .fetch_all(db)
    .await
}

/// Holds a name and campus until the transaction ends, and answers their newest version: 0 where there is none.
pub async fn hold(conn: &mut PgConnection, hospital: &str, name: &str, campus_id: &str) -> sqlx::Result<i32> {
    sqlx::query(
        "select pg_advisory_xact_lock(hashtextextended('notice_template/' || $1 || '/' || $2 || '/' || $3, 0))",
    )
    .bind(hospital)
    .bind(name)
    .bind(campus_id)
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar(
        "select coalesce(max(version), 0) from notice_template where hospital = $1 and name = $2 and campus_id = $3",
    )
    .bind(hospital)
    .bind(name)
    .bind(campus_id)
    .fetch_one(conn)
    .await
}

/// What a new version is.
pub struct New<'a> {
    /// Which.
    pub which: &'a Numbered,
    /// The text; none: taken back.
    pub body: Option<&'a Template>,
    /// Who stores it.
    pub who: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// Writes a version, whose number nobody has.
pub async fn add(db: impl PgExecutor<'_>, hospital: &str, name: &str, new: &New<'_>) -> sqlx::Result<Version> {
    sqlx::query_as(
        "insert into notice_template (hospital, name, campus_id, version, body, who, reason)
         values ($1, $2, $3, $4, $5, $6, $7)
         returning campus_id, version, body, who, reason, created_at",
    )
    .bind(hospital)
    .bind(name)
    .bind(&new.which.campus_id)
    .bind(new.which.version)
    .bind(new.body.map(Json))
    .bind(new.who)
    .bind(new.reason)
    .fetch_one(db)
    .await
}

/// Whether there is such a campus.
pub async fn is_campus(db: impl PgExecutor<'_>, hospital: &str, campus_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from campus where hospital = $1 and id = $2)")
        .bind(hospital)
        .bind(campus_id)
        .fetch_one(db)
        .await
}

/// The campuses with a text of their own, by name of the text.
pub async fn campuses(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "select t.name, t.campus_id
         from (select distinct on (name, campus_id) name, campus_id, body is null as gone from notice_template
               where hospital = $1 and campus_id <> '' order by name, campus_id, version desc) t
         where not t.gone order by 1, 2",
    )
    .bind(hospital)
    .fetch_all(db)
    .await
}

/// What an application's notices would be written from.
pub struct Ground {
    /// Who would be told.
    pub patient_id: String,
    /// What may be shown of whom.
    pub masked: Value,
    /// Where the schedule is.
    pub campus_id: String,
    /// The schedule.
    pub visit: Visit,
    /// The time that is offered or booked.
    pub slot: Option<Value>,
    /// By when the patient must answer, or the queue ends.
    pub deadline: DateTime<Utc>,
    /// Where to go.
    pub place: Option<String>,
    /// What is to be paid, or was, 分.
    pub amount_fen: i64,
}

#[derive(sqlx::FromRow)]
struct GroundRow {
    patient_id: String,
    masked: Option<Value>,
    campus_id: String,
    doctor_name: String,
    visit_date: NaiveDate,
    part: String,
    slot: Option<Value>,
    deadline: DateTime<Utc>,
    place: Option<String>,
    amount_fen: i64,
}

/// What the notices of an application would be written from now.
pub async fn ground(db: impl PgExecutor<'_>, hospital: &str, entry: Uuid) -> sqlx::Result<Option<Ground>> {
    let row: Option<GroundRow> = sqlx::query_as(
        "select e.patient_id, p.masked, s.campus_id, d.name as doctor_name, s.visit_date, s.part, e.slot,
                coalesce(e.deadline, e.cutoff) as deadline,
                (select a.place from appointment a
                 where a.hospital = e.hospital and a.id = e.order_id) as place,
                coalesce((e.payment ->> 'amountFen')::bigint, e.fee_fen) as amount_fen
         from entry e
         join schedule s on s.hospital = e.hospital and s.id = e.schedule_id
         join doctor d on d.hospital = s.hospital and d.id = s.doctor_id
         left join patient p on p.hospital = e.hospital and p.id = e.patient_id
         where e.hospital = $1 and e.id = $2",
    )
    .bind(hospital)
    .bind(entry)
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(Ground {
            visit: Visit { doctor_name: row.doctor_name, visit_date: row.visit_date, part: from_name(&row.part)? },
            patient_id: row.patient_id,
            masked: row.masked.unwrap_or_default(),
            campus_id: row.campus_id,
            slot: row.slot,
            deadline: row.deadline,
            place: row.place,
            amount_fen: row.amount_fen,
        })
    })
    .transpose()
}

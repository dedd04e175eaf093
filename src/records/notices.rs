//! What a notice says that its letter does not, read when it is sent, many at once; and what became of it.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::patients::Patient;
use super::schedules::from_name;
use super::templates::Numbered;
use crate::ports::his::DayPart;

/// What channels told of the letter `o` after they had taken it.
macro_rules! told_of {
    () => {
        "select body ->> 'status' as told, received_at as told_at from callback
         where hospital = $1 and source = 'wechat' and subject = o.reference
         union all
         select body ->> 'status', received_at from callback
         where hospital = $1 and source = 'platform' and subject = o.id and kind in ('delivered', 'failed')"
    };
}

/// What a letter refers to.
#[derive(Debug, Clone)]
pub struct Refers {
    /// The application.
    pub entry: Uuid,
    /// The receiver.
    pub patient_id: String,
    /// The schedule.
    pub schedule_id: String,
    /// The name of its text.
    pub template: &'static str,
}

/// How that stands now; what there is not any more is missing.
pub struct Stands {
    /// The time.
    pub now: DateTime<Utc>,
    /// The status of the application.
    pub status: Option<String>,
    /// By when it must be answered, where it has an offer.
    pub deadline: Option<DateTime<Utc>>,
    /// The receiver.
    pub patient: Option<Patient>,
    /// The schedule.
    pub visit: Option<Visit>,
    /// The version of the text in force; none: the built-in one.
    pub template: Option<Numbered>,
}

/// Of a schedule, what patients are told.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The doctor.
    pub doctor_name: String,
    /// The day.
    pub visit_date: NaiveDate,
    /// The half-day.
    pub part: DayPart,
}

#[derive(sqlx::FromRow)]
struct Row {
    now: DateTime<Utc>,
    status: Option<String>,
    deadline: Option<DateTime<Utc>>,
    sealed: Option<Vec<u8>>,
    masked: Option<serde_json::Value>,
    doctor_name: Option<String>,
    visit_date: Option<NaiveDate>,
    part: Option<String>,
    text_campus: Option<String>,
    text_version: Option<i32>,
}

/// How what these letters refer to stands now, in their order.
///
/// Plan: each row by its primary key; the newest version of a text is the end of a range of its.
pub async fn standing(pool: &PgPool, hospital: &str, letters: &[Refers]) -> sqlx::Result<Vec<Stands>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select engine_now() as now, e.status, e.deadline, p.sealed, p.masked, s.doctor_name, s.visit_date, s.part,
                n.campus_id as text_campus, n.version as text_version
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) with ordinality
              as t (entry, patient, schedule, template, nth)
         left join lateral (
             select status, deadline from entry where hospital = $1 and id = t.entry limit 1) e on true
         left join lateral (
             select sealed, masked from patient where hospital = $1 and id = t.patient limit 1) p on true
         left join lateral (
             select d.name as doctor_name, s.visit_date, s.part, s.campus_id from schedule s
             join doctor d on d.hospital = s.hospital and d.id = s.doctor_id
             where s.hospital = $1 and s.id = t.schedule limit 1) s on true
         left join lateral (
             select v.campus_id, v.version
             from unnest(array[s.campus_id, '']) as c (id)
             cross join lateral (
                 select campus_id, version, body is null as gone from notice_template
                 where hospital = $1 and name = t.template and campus_id = c.id order by version desc limit 1) v
             where not v.gone order by v.campus_id desc limit 1) n on true
         order by t.nth",
    )
    .bind(hospital)
    .bind(letters.iter().map(|one| one.entry).collect::<Vec<_>>())
    .bind(letters.iter().map(|one| one.patient_id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|one| one.schedule_id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|one| one.template).collect::<Vec<_>>())
    .fetch_all(pool)
    .await?;
    rows.into_iter().zip(letters).map(|(row, letter)| row.read(letter)).collect()
}

impl Row {
    fn read(self, letter: &Refers) -> sqlx::Result<Stands> {
        let patient = self.sealed.zip(self.masked);
        let patient = patient.map(|(sealed, masked)| Patient { id: letter.patient_id.clone(), sealed, masked });
        let visit = match (self.doctor_name, self.visit_date, self.part) {
            (Some(doctor_name), Some(visit_date), Some(part)) => {
                Some(Visit { doctor_name, visit_date, part: from_name(&part)? })
            }
            _ => None,
        };
        let template =
            self.text_campus.zip(self.text_version).map(|(campus_id, version)| Numbered { campus_id, version });
        Ok(Stands { now: self.now, status: self.status, deadline: self.deadline, patient, visit, template })
    }
}

/// A letter to a patient, and what became of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Sent {
    /// Its id, which the receiver's platform knows.
    pub id: String,
    /// Which channel.
    pub topic: String,
    /// What it says, as references.
    pub payload: serde_json::Value,
    /// As the outbox has it.
    pub status: String,
    /// Its number at the platform that took it.
    pub reference: Option<String>,
    /// Failed attempts.
    pub attempt: i32,
    /// When it is tried next, or was due.
    pub due_at: DateTime<Utc>,
    /// Why it was not sent.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was sent, or given up.
    pub settled_at: Option<DateTime<Utc>>,
    /// What the message platform told of it later.
    pub told: Option<String>,
    /// When it did.
    pub told_at: Option<DateTime<Utc>>,
}

/// The letters about an application, oldest first.
///
/// Plan: `outbox_run`; one range of `callback_of_message` and one of `callback_of_platform` for each that was sent.
pub async fn of_entry(db: impl PgExecutor<'_>, hospital: &str, entry: Uuid) -> sqlx::Result<Vec<Sent>> {
    sqlx::query_as(concat!(
        "select o.id, o.topic, o.payload, o.status, o.reference, o.attempt, o.due_at, o.last_error, o.created_at, o.settled_at,
                c.told, c.told_at
         from outbox o
         left join lateral (
             select c.told, c.told_at
             from (",
        told_of!(),
        ") c
             order by c.told in ('success', 'delivered') desc, c.told_at desc
             limit 1) c on o.topic = 'notice' and o.status = 'sent'
         where o.tenant = $1 and o.run_id = $2 and o.topic in ('notice', 'sms')
         order by o.created_at, o.id"
    ))
    .bind(hospital)
    .bind(entry)
    .fetch_all(db)
    .await
}

/// True where these letters are written and none has reached anybody, sent again by staff or not, though one still may or could
/// have: whoever they are for was not told. One that its channel took, and later said not to have arrived, has reached nobody.
///
/// Plan: the run's letters, which are few, and what was told of each.
pub async fn none_has_left(db: impl PgExecutor<'_>, hospital: &str, entry: Uuid, ids: &[String]) -> sqlx::Result<bool> {
    sqlx::query_scalar(concat!(
        "select coalesce(not bool_or(l.sent and not l.failed) and bool_or(l.hopes and not l.failed), false)
         from (select o.status = 'sent' as sent, o.status <> 'undeliverable' as hopes,
                      coalesce((select not bool_or(c.told in ('success', 'delivered')) from (",
        told_of!(),
        ") c), false) as failed
               from outbox o
               where o.tenant = $1 and o.run_id = $2 and split_part(o.id, 'U', 1) = any($3)) l"
    ))
    .bind(hospital)
    .bind(entry)
    .bind(ids)
    .fetch_one(db)
    .await
}

/// Holds the letters about an application until the transaction ends.
pub async fn hold(db: impl PgExecutor<'_>, hospital: &str, entry: Uuid) -> sqlx::Result<()> {
    sqlx::query("select from outbox where tenant = $1 and run_id = $2 order by id collate \"C\" for update")
        .bind(hospital)
        .bind(entry)
        .execute(db)
        .await
        .map(drop)
}

/// A notice that stands in the outbox: its id, its run and what it says.
pub type Kept = (String, Uuid, serde_json::Value);

/// The notice of this id.
///
/// Plan: the primary key.
pub async fn by_id(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<Option<Kept>> {
    sqlx::query_as("select id, run_id, payload from outbox where tenant = $1 and id = $2 and topic = 'notice'")
        .bind(hospital)
        .bind(id)
        .fetch_optional(db)
        .await
}

/// The notice that WeChat knows by this number.
///
/// Plan: `outbox_reference`.
pub async fn by_reference(db: impl PgExecutor<'_>, hospital: &str, reference: &str) -> sqlx::Result<Option<Kept>> {
    sqlx::query_as(
        "select id, run_id, payload from outbox
         where tenant = $1 and reference = $2 and topic = 'notice' order by created_at desc limit 1",
    )
    .bind(hospital)
    .bind(reference)
    .fetch_optional(db)
    .await
}

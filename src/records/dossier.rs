//! What is kept of one patient, for whoever answers the telephone: money, offers, messages, what keeps them out. Masked.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// An application with its schedule.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Applied {
    /// The application.
    pub id: Uuid,
    /// Its schedule.
    pub schedule_id: String,
    /// Where it stands.
    pub status: String,
    /// Whom it is for.
    pub doctor_name: Option<String>,
    /// The day of the visit.
    pub visit_date: Option<NaiveDate>,
    /// The half-day.
    pub part: Option<String>,
    /// The slot that is offered or booked.
    pub slot: Option<Value>,
    /// By when the patient must answer or pay.
    pub deadline: Option<DateTime<Utc>>,
    /// When its queue ends, while it is under way.
    pub cutoff: Option<DateTime<Utc>>,
    /// True where its run is suspended and waits for a person.
    pub halted: bool,
    /// Why it ended.
    pub reason: Option<String>,
    /// When it was admitted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Money of one order.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Paid {
    /// Our `out_trade_no`.
    pub out_trade_no: String,
    /// The application.
    pub entry_id: Uuid,
    /// What is due, 分.
    pub amount_fen: i64,
    /// open, paid, closed, refunding or refunded.
    pub status: String,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// What went back, 分.
    pub refunded_fen: i64,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A place that was offered.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Offered {
    /// The application.
    pub entry_id: Uuid,
    /// The application's how manieth.
    pub nth: i32,
    /// The schedule.
    pub schedule_id: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// out, held, booked, lost, unusable, withheld, declined, missed, ended.
    pub outcome: String,
}

/// A message.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Told {
    /// The application.
    pub run_id: Uuid,
    /// notice or sms.
    pub topic: String,
    /// What it is about; an object where there is more to it.
    pub kind: Option<Value>,
    /// pending, sending, sent, suppressed, undeliverable, suspended.
    pub status: String,
    /// Why it was not sent.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was sent, or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// What keeps, or kept, a patient out.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Banned {
    /// Under which id.
    pub patient_id: String,
    /// Why.
    pub reason: String,
    /// Until when; none: until it is lifted.
    pub until: Option<DateTime<Utc>>,
    /// The rule; empty: staff.
    pub rule_id: String,
    /// Where it holds; none: everywhere.
    pub department_id: Option<String>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Whether it holds now.
    pub holds: bool,
    /// The patient's name, masked.
    pub name: Option<String>,
}

/// The latest applications of a patient. Plan: `entry_of_patient`.
pub async fn applications(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patient: &str,
    most: i64,
) -> sqlx::Result<Vec<Applied>> {
    sqlx::query_as(
        "select e.id, e.schedule_id, e.status, d.name as doctor_name, s.visit_date, s.part, e.slot, e.deadline,
                case when e.status in ('awaitingPrepayment', 'waiting') then e.cutoff end as cutoff,
                exists (select from run r where r.tenant = e.hospital and r.id = e.id and r.status = 'suspended') as halted,
                e.reason, e.created_at, e.updated_at
         from entry e
         left join schedule s on s.hospital = e.hospital and s.id = e.schedule_id
         left join doctor d on d.hospital = s.hospital and d.id = s.doctor_id
         where e.hospital = $1 and e.patient_id = $2 order by e.seq desc limit $3",
    )
    .bind(hospital)
    .bind(patient)
    .bind(most)
    .fetch_all(db)
    .await
}

/// The latest orders of a patient. Plan: `entry_of_patient`, `payment_of_entry`.
pub async fn payments(db: impl PgExecutor<'_>, hospital: &str, patient: &str, most: i64) -> sqlx::Result<Vec<Paid>> {
    sqlx::query_as(
        "select p.out_trade_no, p.entry_id, p.amount_fen, p.status, p.paid_at, p.refunded_fen, p.updated_at
         from entry e join payment p on p.hospital = e.hospital and p.entry_id = e.id
         where e.hospital = $1 and e.patient_id = $2 order by p.updated_at desc limit $3",
    )
    .bind(hospital)
    .bind(patient)
    .bind(most)
    .fetch_all(db)
    .await
}

/// The latest offers to a patient. Plan: `entry_of_patient`, `offer`'s primary key.
pub async fn offers(db: impl PgExecutor<'_>, hospital: &str, patient: &str, most: i64) -> sqlx::Result<Vec<Offered>> {
    sqlx::query_as(
        "select o.entry_id, o.nth, o.schedule_id, o.made_at, o.outcome
         from entry e join offer o on o.hospital = e.hospital and o.entry_id = e.id
         where e.hospital = $1 and e.patient_id = $2 order by o.made_at desc limit $3",
    )
    .bind(hospital)
    .bind(patient)
    .bind(most)
    .fetch_all(db)
    .await
}

/// The latest messages to a patient. Plan: `entry_of_patient`, `outbox_run`.
pub async fn messages(db: impl PgExecutor<'_>, hospital: &str, patient: &str, most: i64) -> sqlx::Result<Vec<Told>> {
    sqlx::query_as(
        "select o.run_id, o.topic, o.payload -> 'kind' as kind, o.status, o.last_error, o.created_at, o.settled_at
         from entry e join outbox o on o.tenant = e.hospital and o.run_id = e.id and o.topic in ('notice', 'sms')
         where e.hospital = $1 and e.patient_id = $2 order by o.created_at desc limit $3",
    )
    .bind(hospital)
    .bind(patient)
    .bind(most)
    .fetch_all(db)
    .await
}

/// All ids of the same person, this one among them. Plan: `patient_by_id_number`.
pub async fn accounts(db: impl PgExecutor<'_>, hospital: &str, patient: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select id from patient
         where hospital = $1 and id_hash = (select id_hash from patient where hospital = $1 and id = $2) order by id",
    )
    .bind(hospital)
    .bind(patient)
    .fetch_all(db)
    .await
}

/// What keeps, or kept, these ids out; of everybody where there are none. The latest first.
///
/// Plan: the primary key; for everybody a scan, since there are few.
pub async fn bans(
    db: impl PgExecutor<'_>,
    hospital: &str,
    ids: Option<&[String]>,
    skip: i64,
    most: i64,
) -> sqlx::Result<Vec<Banned>> {
    sqlx::query_as(
        "select b.patient_id, b.reason, b.until, b.rule_id, b.department_id, b.created_at,
                (b.until is null or b.until > engine_now()) as holds, p.masked ->> 'name' as name
         from blacklist b left join patient p on p.hospital = b.hospital and p.id = b.patient_id
         where b.hospital = $1 and ($2::text[] is null or b.patient_id = any($2))
         order by holds desc, b.created_at desc, b.patient_id, b.rule_id limit $3 offset $4",
    )
    .bind(hospital)
    .bind(ids)
    .bind(most)
    .bind(skip)
    .fetch_all(db)
    .await
}

//! Queues as staff look at them: who stands where, what was offered to whom. Reads only.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Somebody in a queue.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct InQueue {
    /// The application.
    pub id: Uuid,
    /// The schedule that it is at: another half-day of the day, for who waits for that (Q2).
    pub schedule_id: String,
    /// Who.
    pub patient_id: String,
    /// The name, masked.
    pub name: Option<String>,
    /// Where the application stands.
    pub status: String,
    /// From 1, in the order in which places are handed out, while it waits.
    pub place: Option<i64>,
    /// From 1, in the order of arrival, where the order was drawn.
    pub arrived: Option<i32>,
    /// From 1, in the order that was drawn.
    pub drawn: Option<i32>,
    /// The slot that is offered or booked.
    pub slot: Option<Value>,
    /// By when the patient must answer or pay.
    pub deadline: Option<DateTime<Utc>>,
    /// Why it ended.
    pub reason: Option<String>,
    /// When it was admitted.
    pub created_at: DateTime<Utc>,
    /// What became of places that were offered, in order.
    pub offers: Vec<String>,
    /// True where the patient is asked something first.
    pub asked: bool,
    /// True where the patient is on the blacklist now.
    pub banned: bool,
    /// True where the run stands still for a person.
    pub suspended: bool,
}

/// Everybody who ever applied for a schedule: who waits first, in order, with those who stand in its line at the half-days `beside` it,
/// since they wait for the day (Q2); then the others, the latest first.
///
/// Plan: `entry_of_schedule`, and `entry_day_queue` for each half-day beside it; for each one patient, one run, offers and a ticket by
/// their primary keys.
pub async fn of_schedule(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule: &str,
    beside: &[String],
    skip: i64,
    most: i64,
) -> sqlx::Result<Vec<InQueue>> {
    sqlx::query_as(
        "select e.id, e.schedule_id, e.patient_id, p.masked ->> 'name' as name, e.status,
                case when e.status = 'waiting' then row_number() over (partition by e.status order by e.seq) end as place,
                t.arrived, t.place as drawn, e.slot, e.deadline, e.reason, e.created_at,
                array(select o.outcome from offer o where o.hospital = e.hospital and o.entry_id = e.id order by o.nth) as offers,
                e.question is not null as asked,
                exists (select from blacklist b where b.hospital = e.hospital and b.patient_id = e.patient_id
                          and (b.until is null or b.until > engine_now())
                          and (b.department_id is null or b.department_id = e.department_id)) as banned,
                exists (select from run r where r.tenant = e.hospital and r.id = e.id and r.status = 'suspended') as suspended
         from (select * from entry where hospital = $1 and schedule_id = $2
               union all
               select * from entry
               where hospital = $1 and schedule_id = any($3) and status = 'waiting' and whole_day) e
         left join patient p on p.hospital = e.hospital and p.id = e.patient_id
         left join lateral (
             select t.arrived, t.place from draw d
             join draw_ticket t on t.hospital = d.hospital and t.schedule_id = coalesce(d.of_schedule, d.schedule_id)
                               and t.entry_id = e.id
             where d.hospital = e.hospital and d.schedule_id in (e.schedule_id, $2)
             order by d.schedule_id = e.schedule_id desc limit 1) t on true
         order by (e.status = 'waiting') desc, e.live desc, case when e.live then e.seq end, e.updated_at desc, e.id limit $4 offset $5",
    )
    .bind(hospital)
    .bind(schedule)
    .bind(beside)
    .bind(most)
    .bind(skip)
    .fetch_all(db)
    .await
}

/// Whether a patient may not get a place in a department now (R28). Plan: the primary key.
pub async fn barred(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patient_id: &str,
    department_id: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from blacklist where hospital = $1 and patient_id = $2
                          and (until is null or until > engine_now()) and (department_id is null or department_id = $3))",
    )
    .bind(hospital)
    .bind(patient_id)
    .bind(department_id)
    .fetch_one(db)
    .await
}

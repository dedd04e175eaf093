//! Places of a schedule as staff look at them: which was offered to whom, and what became of it. Reads only.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// A place that was offered to somebody.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Given {
    /// The application.
    pub entry_id: Uuid,
    /// Who.
    pub patient_id: String,
    /// The name, masked.
    pub name: Option<String>,
    /// Which time; none where an older release did not write it down.
    pub slot: Option<Value>,
    /// out, held, booked, lost, unusable, withheld, declined, missed or ended.
    pub outcome: String,
    /// When we heard that a place is free.
    pub freed_at: Option<DateTime<Utc>>,
    /// When it was offered.
    pub made_at: DateTime<Utc>,
    /// True where the run is suspended and waits for a person.
    pub halted: bool,
    /// When HIS locked or booked it for us.
    pub taken_at: Option<DateTime<Utc>>,
    /// When it came to what it did.
    pub settled_at: Option<DateTime<Utc>>,
    /// By when the patient must answer or pay, while it is offered.
    pub deadline: Option<DateTime<Utc>>,
    /// Why the application ended.
    pub reason: Option<String>,
    /// booked, fulfilled or cancelled, where it came to a visit.
    pub visit: Option<String>,
    /// When the visit was cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// When the application was admitted.
    pub applied_at: DateTime<Utc>,
    /// From 1, in the order of arrival, where the order was drawn.
    pub arrived: Option<i32>,
    /// From 1, in the order that was drawn.
    pub drawn: Option<i32>,
}

/// The places of a schedule that were offered: by their time, of each time the latest first. Where there are more than `most`, those
/// that were offered last.
///
/// Plan: `offer_of_schedule`; for each one application, one run and one patient by their keys, one visit by `appointment_of_entry` and a
/// ticket by its key.
pub async fn given(db: impl PgExecutor<'_>, hospital: &str, schedule: &str, most: i64) -> sqlx::Result<Vec<Given>> {
    sqlx::query_as(
        "select o.entry_id, e.patient_id, p.masked ->> 'name' as name, o.outcome, o.freed_at, o.made_at, o.taken_at, o.settled_at,
                coalesce(r.status = 'suspended', false) as halted,
                coalesce(o.slot, case when o.outcome in ('out', 'held', 'booked') then e.slot end) as slot,
                case when o.outcome in ('out', 'held') then e.deadline end as deadline,
                e.reason, v.status as visit, v.cancelled_at, e.created_at as applied_at, t.arrived, t.place as drawn
         from (select * from offer where hospital = $1 and schedule_id = $2 order by made_at desc limit $3) o
         join entry e on e.hospital = o.hospital and e.id = o.entry_id
         left join run r on r.tenant = e.hospital and r.id = e.id
         left join patient p on p.hospital = e.hospital and p.id = e.patient_id
         left join lateral (
             select a.status, a.cancelled_at from appointment a
             where a.hospital = o.hospital and a.entry_id = o.entry_id and o.outcome = 'booked'
             order by a.booked_at desc limit 1) v on true
         left join lateral (
             select t.arrived, t.place from draw d
             join draw_ticket t on t.hospital = d.hospital and t.schedule_id = coalesce(d.of_schedule, d.schedule_id)
                               and t.entry_id = o.entry_id
             where d.hospital = o.hospital and d.schedule_id = o.schedule_id) t on true
         order by coalesce(o.slot, e.slot) ->> 'begins' nulls last, o.made_at desc, o.nth desc",
    )
    .bind(hospital)
    .bind(schedule)
    .bind(most)
    .fetch_all(db)
    .await
}

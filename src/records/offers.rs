//! What became of every place that was offered (R33).

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// An offer, as its application's state says it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The application.
    pub entry_id: Uuid,
    /// Its how manieth.
    pub nth: i32,
    /// The schedule.
    pub schedule_id: String,
    /// When we heard that a place is free.
    pub freed_at: Option<DateTime<Utc>>,
    /// True once HIS has locked or booked the place for us.
    pub taken: bool,
    /// Which time, while the application has it.
    pub slot: Option<Value>,
    /// out, held, booked, lost, unusable, withheld, declined, missed or ended.
    pub outcome: &'static str,
}

/// Brings offers in line with their applications. Which time it is of, when it was made and when its place was taken stays as it was
/// first written; what it came to, and when, stays too, once it came to something.
pub async fn put(conn: &mut PgConnection, hospital: &str, all: &[Offer]) -> sqlx::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into offer as o (hospital, made_at, taken_at, settled_at, entry_id, nth, schedule_id, freed_at, outcome, slot)
         select $1, now_is, case when t.taken then now_is end, case when t.outcome not in ('out', 'held') then now_is end,
                t.entry_id, t.nth, t.schedule_id, t.freed_at, t.outcome, t.slot
         from unnest($2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::bool[], $7::text[], $8::jsonb[])
              as t (entry_id, nth, schedule_id, freed_at, taken, outcome, slot)
         cross join (select engine_now() as now_is) n
         on conflict (hospital, entry_id, nth) do update
         set taken_at = coalesce(o.taken_at, excluded.taken_at), outcome = excluded.outcome,
             settled_at = excluded.settled_at, slot = coalesce(o.slot, excluded.slot)
         where o.outcome in ('out', 'held') and o.outcome <> excluded.outcome",
    )
    .bind(hospital)
    .bind(all.iter().map(|one| one.entry_id).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.nth).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.schedule_id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.freed_at).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.taken).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.outcome).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.slot.as_ref()).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

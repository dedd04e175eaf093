//! What the outside told us, with its fate: every verified callback leaves one row, repeated ones raise its count.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// A verified callback.
#[derive(Debug, Clone)]
pub struct Callback<'a> {
    /// his, wechat-pay, pay-platform or wechat.
    pub source: &'a str,
    /// The sender's id of it; the same event has the same id.
    pub event_id: &'a str,
    /// What it says, for example `5007` or `TRANSACTION.SUCCESS`.
    pub kind: &'a str,
    /// Our id of what it is about.
    pub subject: &'a str,
    /// What it carried, without personal data.
    pub body: &'a Value,
}

/// Writes a callback down; true where nothing was done about it yet: it is the first of its id, or whoever took it before
/// died in between.
pub async fn receive(conn: &mut PgConnection, hospital: &str, callback: &Callback<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "insert into callback (hospital, source, event_id, kind, subject, body, fate)
         values ($1, $2, $3, $4, $5, $6, 'received')
         on conflict (hospital, source, event_id) do update set times = callback.times + 1
         returning fate = 'received'",
    )
    .bind(hospital)
    .bind(callback.source)
    .bind(callback.event_id)
    .bind(callback.kind)
    .bind(callback.subject)
    .bind(callback.body)
    .fetch_one(conn)
    .await
}

/// Writes down what became of a callback.
pub async fn settle(
    conn: &mut PgConnection,
    hospital: &str,
    source: &str,
    event_id: &str,
    fate: &str,
) -> sqlx::Result<()> {
    sqlx::query("update callback set fate = $4 where hospital = $1 and source = $2 and event_id = $3")
        .bind(hospital)
        .bind(source)
        .bind(event_id)
        .bind(fate)
        .execute(conn)
        .await
        .map(drop)
}

/// What HIS has told of these orders of its own, and nobody has acted on: `EVENT_ID` and `HOSP_ORDER_ID` of each 5007. The orders are
/// held for the rest of the transaction (see [`hold_his_orders`]).
///
/// Plan: `callback_cancelled`, by the orders.
pub async fn cancelled_orders(
    conn: &mut PgConnection,
    hospital: &str,
    his_order_ids: &[&str],
) -> sqlx::Result<Vec<(String, String)>> {
    if his_order_ids.is_empty() {
        return Ok(Vec::new());
    }
    hold_his_orders(conn, hospital, his_order_ids).await?;
    sqlx::query_as(
        "select event_id, body #>> '{cancelled,hisOrderId}' from callback
         where hospital = $1 and source = 'his' and kind = '5007' and body #>> '{cancelled,hisOrderId}' = any($2)",
    )
    .bind(hospital)
    .bind(his_order_ids)
    .fetch_all(conn)
    .await
}

/// Whoever writes an order of HIS's down, as a visit or as cancelled, holds it until that is committed, and sees what the other
/// has written. No row is locked after it by who tells of a cancellation, so that nobody waits in a circle.
pub async fn hold_his_orders(conn: &mut PgConnection, hospital: &str, his_order_ids: &[&str]) -> sqlx::Result<()> {
    sqlx::query(
        "select pg_advisory_xact_lock(key) from (
             select distinct hashtextextended($1 || '/' || id, 5007) as key from unnest($2::text[]) as id order by key
         ) as keys",
    )
    .bind(hospital)
    .bind(his_order_ids)
    .execute(conn)
    .await
    .map(drop)
}

/// The callbacks of one statement.
const BATCH: i64 = 1_000;

/// Deletes callbacks that are older than `days` by the engine's clock, in small statements; says how many. One that is
/// sent again later than that is a new one, and what it says changes nothing a second time.
pub async fn delete_older(pool: &PgPool, hospital: &str, days: i32) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        let deleted = sqlx::query(
            "with old as materialized (
                 select source, event_id from callback
                 where hospital = $1 and received_at < engine_now() - make_interval(days => $2)
                 order by received_at limit $3 for update skip locked)
             delete from callback c using old
             where c.hospital = $1 and c.source = old.source and c.event_id = old.event_id",
        )
        .bind(hospital)
        .bind(days)
        .bind(BATCH)
        .execute(pool)
        .await?
        .rows_affected();
        all += deleted;
        if deleted < BATCH.unsigned_abs() {
            return Ok(all);
        }
    }
}

/// A callback, as staff see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seen {
    /// his, wechat-pay, pay-platform or wechat.
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
    /// What it says.
    pub kind: String,
    /// Our id of what it is about.
    pub subject: String,
    /// What it carried, without personal data.
    pub body: Value,
    /// When it came first.
    pub received_at: DateTime<Utc>,
    /// How often it came.
    pub times: i32,
    /// What became of it.
    pub fate: String,
}

/// A callback's place in the list. Many come in one instant, so that it needs its whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When it came first.
    pub received_at: DateTime<Utc>,
    /// From where.
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
}

/// Which callbacks; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// From here.
    pub source: Option<String>,
    /// With one of these fates.
    pub fates: Option<Vec<String>>,
    /// About this.
    pub subject: Option<String>,
    /// Only those after this one in the list: the last of the page before.
    pub before: Option<Place>,
    /// So many at most.
    pub most: i64,
}

/// Callbacks, the latest first. Plan: `callback_recent`, from the place that was asked for.
pub async fn list(db: impl sqlx::PgExecutor<'_>, hospital: &str, wanted: &Wanted) -> sqlx::Result<Vec<Seen>> {
    let before = wanted.before.as_ref();
    sqlx::query_as(
        "select source, event_id, kind, subject, body, received_at, times, fate from callback
         where hospital = $1 and ($2::text is null or source = $2) and ($3::text[] is null or fate = any($3))
           and ($4::text is null or subject = $4) and received_at <= coalesce($5::timestamptz, 'infinity')
           and ($5::timestamptz is null or (received_at, source, event_id) < ($5, $6::text, $7::text))
         order by received_at desc, source desc, event_id desc limit $8",
    )
    .bind(hospital)
    .bind(&wanted.source)
    .bind(&wanted.fates)
    .bind(&wanted.subject)
    .bind(before.map(|place| place.received_at))
    .bind(before.map(|place| &place.source))
    .bind(before.map(|place| &place.event_id))
    .bind(wanted.most)
    .fetch_all(db)
    .await
}

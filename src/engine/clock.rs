//! The engine's clock: the server's own, or one moved by hand (demo and tests).
//!
//! The truth is `engine_now()` in the database; nothing here is asked for a decision.

use chrono::{DateTime, Utc};
use sqlx::{Executor, PgExecutor, PgPool, Postgres};

/// What time it is for every run.
pub async fn now<'e>(db: impl PgExecutor<'e>) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar("select engine_now()").fetch_one(db).await
}

/// Sets the clock by hand; it stands still until it is set again.
pub async fn set(pool: &PgPool, to: DateTime<Utc>) -> sqlx::Result<()> {
    put(pool, to, false).await
}

/// Sets the clock by hand and lets it run on from there.
pub async fn run_from(pool: &PgPool, from: DateTime<Utc>) -> sqlx::Result<()> {
    put(pool, from, true).await
}

/// The instant that was set by hand and whether the clock runs on from it; `None` where the server's clock counts.
pub async fn by_hand(pool: &PgPool) -> sqlx::Result<Option<(DateTime<Utc>, bool)>> {
    sqlx::query_as("select engine_now(), running_since is not null from clock").fetch_optional(pool).await
}

async fn put(db: impl Executor<'_, Database = Postgres>, at: DateTime<Utc>, runs: bool) -> sqlx::Result<()> {
    sqlx::query(
        "insert into clock (hand, running_since) values ($1, case when $2 then clock_timestamp() end)
         on conflict (only_row) do update set hand = excluded.hand, running_since = excluded.running_since",
    )
    .bind(at)
    .bind(runs)
    .execute(db)
    .await
    .map(drop)
}

//! Answers already given, by caller and `Idempotency-Key`: the same key and request gets the same answer.

use serde_json::Value;
use sqlx::PgPool;

/// A key of one caller, with the hash of the request that it came with.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// Who asks.
    pub caller: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// SHA-256 over method, path and body.
    pub request_hash: &'a [u8],
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Nobody has answered it: go on, then [`store`] or [`forget`].
    Ours,
    /// Another request is being answered under it.
    InProgress,
    /// It was used for another request.
    OtherRequest,
    /// It was answered: HTTP status and body.
    Answered(u16, Option<Value>),
}

/// Claims a key. A claim that was left without an answer for `stale_seconds` (its process died) is taken over.
pub async fn claim(pool: &PgPool, hospital: &str, key: &Key<'_>, stale_seconds: f64) -> sqlx::Result<Claim> {
    let ours: Option<bool> = sqlx::query_scalar(
        "insert into idempotency (hospital, caller, key, request_hash) values ($1, $2, $3, $4)
         on conflict (hospital, caller, key) do update set created_at = clock_timestamp()
         where idempotency.status is null and idempotency.request_hash = excluded.request_hash
           and idempotency.created_at < clock_timestamp() - make_interval(secs => $5)
         returning true",
    )
    .bind(hospital)
    .bind(key.caller)
    .bind(key.key)
    .bind(key.request_hash)
    .bind(stale_seconds)
    .fetch_optional(pool)
    .await?;
    if ours.is_some() {
        return Ok(Claim::Ours);
    }
    let row: Option<(Vec<u8>, Option<i32>, Option<Value>)> = sqlx::query_as(
        "select request_hash, status, answer from idempotency where hospital = $1 and caller = $2 and key = $3",
    )
    .bind(hospital)
    .bind(key.caller)
    .bind(key.key)
    .fetch_optional(pool)
    .await?;
    Ok(match row {
        Some((hash, _, _)) if hash != key.request_hash => Claim::OtherRequest,
        // None: it was forgotten at this moment, and the next look claims it.
        None | Some((_, None, _)) => Claim::InProgress,
        Some((_, Some(status), answer)) => Claim::Answered(u16::try_from(status).unwrap_or(500), answer),
    })
}

/// Stores the answer under a claimed key.
pub async fn store(
    pool: &PgPool,
    hospital: &str,
    key: &Key<'_>,
    status: u16,
    answer: Option<&Value>,
) -> sqlx::Result<()> {
    sqlx::query(
        "update idempotency set status = $5, answer = $6
         where hospital = $1 and caller = $2 and key = $3 and request_hash = $4",
    )
    .bind(hospital)
    .bind(key.caller)
    .bind(key.key)
    .bind(key.request_hash)
    .bind(i32::from(status))
    .bind(answer)
    .execute(pool)
    .await
    .map(drop)
}

/// The answers of one statement.
const BATCH: i64 = 1_000;

/// Deletes answers that are older than `days`, in small statements; says how many. A caller that repeats a request later than that finds the
/// request itself idempotent, or is refused by the rules.
pub async fn delete_older(pool: &PgPool, hospital: &str, days: i32) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        let deleted = sqlx::query(
            "with old as materialized (
                 select caller, key from idempotency
                 where hospital = $1 and created_at < clock_timestamp() - make_interval(days => $2)
                 limit $3 for update skip locked)
             delete from idempotency i using old where i.hospital = $1 and i.caller = old.caller and i.key = old.key",
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

/// Gives a claimed key back: the request came to no answer and may be sent again.
pub async fn forget(pool: &PgPool, hospital: &str, key: &Key<'_>) -> sqlx::Result<()> {
    sqlx::query("delete from idempotency where hospital = $1 and caller = $2 and key = $3 and status is null")
        .bind(hospital)
        .bind(key.caller)
        .bind(key.key)
        .execute(pool)
        .await
        .map(drop)
}

//! Answers already given, by caller and `Idempotency-Key`: the same key and request gets the same answer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// A key of one caller, with the hash of the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who asks.
    pub caller: Arc<str>,
    /// The caller's key.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub request_hash: Vec<u8>,
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// Nobody has answered it: go on, then [`end`].
    Ours,
    /// Another request is being answered under it.
    InProgress,
    /// It was used for another request.
    OtherRequest,
    /// It was answered: HTTP status and body.
    Answered(u16, Option<Value>),
}

/// Claims keys, each of which is given once, and answers what each stands for. A claim that was left without an answer for
/// `stale_seconds` (its process died) is taken over.
///
/// Plan: one insert a key; one row by its primary key for each that stood already.
pub async fn claim(
    conn: &mut PgConnection,
    hospital: &str,
    keys: &[&Key],
    stale_seconds: f64,
) -> sqlx::Result<Vec<Claim>> {
    let (callers, names): (Vec<&str>, Vec<&str>) = keys.iter().map(|key| (&*key.caller, key.key.as_str())).unzip();
    let ours: Vec<(String, String)> = sqlx::query_as(
        // Two that claim the same keys at once wait for each other in one order. A claim that is lost with the server is made
        // again by whoever repeats the request.
        "insert into idempotency (hospital, caller, key, request_hash)
         select $1, t.* from unnest($2::text[], $3::text[], $4::bytea[]) as t (caller, key, hash)
         where (select set_config('synchronous_commit', 'off', true)) = 'off' order by 2, 3
         on conflict (hospital, caller, key) do update set created_at = clock_timestamp()
         where idempotency.status is null and idempotency.request_hash = excluded.request_hash
           and idempotency.created_at < clock_timestamp() - make_interval(secs => $5)
         returning caller, key",
    )
    .bind(hospital)
    .bind(&callers)
    .bind(&names)
    .bind(keys.iter().map(|key| key.request_hash.as_slice()).collect::<Vec<_>>())
    .bind(stale_seconds)
    .fetch_all(&mut *conn)
    .await?;
    let ours: HashSet<(&str, &str)> = ours.iter().map(|(caller, key)| (caller.as_str(), key.as_str())).collect();
    let standing = |key: &&&Key| !ours.contains(&(&*key.caller, key.key.as_str()));
    let others: Vec<&&Key> = keys.iter().filter(standing).collect();
    let stands = if others.is_empty() { HashMap::new() } else { stand(conn, hospital, &others).await? };
    let came = |key: &&Key| {
        if ours.contains(&(&*key.caller, key.key.as_str())) {
            return Claim::Ours;
        }
        match stands.get(&(key.caller.to_string(), key.key.clone())) {
            Some((hash, ..)) if *hash != key.request_hash => Claim::OtherRequest,
            // None: it was forgotten at this moment, and the next look claims it.
            None | Some((_, None, _)) => Claim::InProgress,
            Some((_, Some(status), answer)) => Claim::Answered(u16::try_from(*status).unwrap_or(500), answer.clone()),
        }
    };
    Ok(keys.iter().map(came).collect())
}

/// Hash of the request, HTTP status and body.
type Row = (Vec<u8>, Option<i32>, Option<Value>);

#[derive(sqlx::FromRow)]
struct Standing {
    caller: String,
    key: String,
    request_hash: Vec<u8>,
    status: Option<i32>,
    answer: Option<Value>,
}

/// The rows of these keys, by caller and key.
async fn stand(
    conn: &mut PgConnection,
    hospital: &str,
    keys: &[&&Key],
) -> sqlx::Result<HashMap<(String, String), Row>> {
    let rows: Vec<Standing> = sqlx::query_as(
        "select i.caller, i.key, i.request_hash, i.status, i.answer from unnest($2::text[], $3::text[]) as t (caller, key)
         cross join lateral (
             select * from idempotency i
             where i.hospital = $1 and i.caller = t.caller and i.key = t.key limit 1) i",
    )
    .bind(hospital)
    .bind(keys.iter().map(|key| &*key.caller).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.caller, row.key), (row.request_hash, row.status, row.answer))).collect())
}

/// How a claimed key ends: with an answer (HTTP status and body), or without one, so that the request may be sent again.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The key.
    pub key: Key,
    /// The answer.
    pub answer: Option<(u16, Option<Value>)>,
}

/// Writes down how claimed keys ended.
pub async fn end(conn: &mut PgConnection, hospital: &str, ended: &[Ended]) -> sqlx::Result<()> {
    // In the order in which claims lock them.
    let mut ended: Vec<&Ended> = ended.iter().collect();
    ended.sort_by(|one, other| (&one.key.caller, &one.key.key).cmp(&(&other.key.caller, &other.key.key)));
    let (answered, given_back): (Vec<&Ended>, Vec<&Ended>) = ended.into_iter().partition(|one| one.answer.is_some());
    if !answered.is_empty() {
        sqlx::query(
            "update idempotency i set status = t.status, answer = t.answer
             from (select t.*, i.place
                   from unnest($2::text[], $3::text[], $4::bytea[], $5::int[], $6::jsonb[])
                        as t (caller, key, hash, status, answer)
                   cross join lateral (
                       select i.ctid as place from idempotency i
                       where i.hospital = $1 and i.caller = t.caller and i.key = t.key limit 1) i) t
             where i.ctid = t.place and i.request_hash = t.hash",
        )
        .bind(hospital)
        .bind(answered.iter().map(|one| &*one.key.caller).collect::<Vec<_>>())
        .bind(answered.iter().map(|one| one.key.key.as_str()).collect::<Vec<_>>())
        .bind(answered.iter().map(|one| one.key.request_hash.as_slice()).collect::<Vec<_>>())
        .bind(answered.iter().map(|one| one.answer.as_ref().map(|(status, _)| i32::from(*status))).collect::<Vec<_>>())
        .bind(answered.iter().map(|one| one.answer.as_ref().and_then(|(_, body)| body.as_ref())).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    if !given_back.is_empty() {
        sqlx::query(
            "delete from idempotency i using unnest($2::text[], $3::text[]) as t (caller, key)
             where i.hospital = $1 and i.caller = t.caller and i.key = t.key and i.status is null",
        )
        .bind(hospital)
        .bind(given_back.iter().map(|one| &*one.key.caller).collect::<Vec<_>>())
        .bind(given_back.iter().map(|one| one.key.key.as_str()).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The answers of one statement.
const BATCH: i64 = 1_000;

/// Deletes answers that are older than `days`, in small statements; says how many. A caller that repeats a request later
/// than that finds the request itself idempotent, or is refused by the rules.
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

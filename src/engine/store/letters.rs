//! The outbox: letters written by moves, claimed by workers, settled by what the receiver answered.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::super::RunId;
use super::super::flow::Letter;
use super::super::retry::RetryPolicy;
use super::super::sizes::{self, Stored};

/// A letter in a worker's hands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claimed {
    /// The dedupe id.
    pub id: String,
    /// The run that wrote it.
    pub run_id: RunId,
    /// Which outlet delivers it.
    pub topic: String,
    /// References only.
    pub payload: Value,
    /// Failed attempts.
    pub attempt: i32,
    /// The W3C traceparent of what started its run.
    pub trace: Option<String>,
}

/// Writes letters; one that stands there already is the same letter.
pub(super) async fn write(conn: &mut PgConnection, tenant: &str, letters: &[(RunId, Letter)]) -> sqlx::Result<()> {
    if letters.is_empty() {
        return Ok(());
    }
    for (_, letter) in letters {
        sizes::check(Stored::Letter, &letter.payload)?;
    }
    sqlx::query(
        "insert into outbox (tenant, id, run_id, topic, payload)
         select $1, t.* from unnest($2::text[], $3::uuid[], $4::text[], $5::jsonb[]) as t
         on conflict (tenant, id) do nothing",
    )
    .bind(tenant)
    .bind(letters.iter().map(|(_, letter)| letter.id.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|(run, _)| *run).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| letter.topic).collect::<Vec<_>>())
    .bind(letters.iter().map(|(_, letter)| &letter.payload).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// Claims up to `most` due letters of this topic. Plan: a range of `outbox_due`; one run by
/// its primary key each.
pub async fn claim(
    db: impl PgExecutor<'_>,
    tenant: &str,
    worker: Uuid,
    topic: &str,
    most: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(
        "with due as materialized (
             select id from outbox
             where tenant = $1 and status = 'pending' and due_at <= engine_now() and topic = $3
               and (select set_config('synchronous_commit', 'off', true)) = 'off'
             order by due_at limit $4 for update skip locked)
         update outbox o set status = 'sending', worker = $2
         from due where o.tenant = $1 and o.id = due.id
         returning o.id, o.run_id, o.topic, o.payload, o.attempt,
                   (select r.trace from run r where r.tenant = o.tenant and r.id = o.run_id) as trace",
    )
    .bind(tenant)
    .bind(worker)
    .bind(topic)
    .bind(most)
    .fetch_all(db)
    .await
}

/// What came of a letter in hand.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The dedupe id.
    pub id: String,
    /// `sent`, `suppressed`, `undeliverable` or `suspended`; `pending` where it is tried again after `wait`.
    pub status: &'static str,
    /// The receiver's id for it.
    pub reference: Option<String>,
    /// Why it was not sent.
    pub error: Option<String>,
    /// How long until it is tried again.
    pub wait: Option<Duration>,
    /// `pending`, not before then, and no attempt has failed.
    pub due: Option<DateTime<Utc>>,
    /// What is written in its place, by the run that wrote it.
    pub instead: Option<(RunId, Letter)>,
}

/// Writes down what came of letters that `worker` has in hand, and what is to be sent in the place of those that could not be.
pub async fn settle(conn: &mut PgConnection, tenant: &str, worker: Uuid, settled: &[Settled]) -> sqlx::Result<()> {
    if settled.iter().all(|one| one.instead.is_none()) {
        return settle_all(conn, tenant, worker, settled).await.map(drop);
    }
    let mut tx = conn.begin().await?;
    let done = settle_all(&mut *tx, tenant, worker, settled).await?;
    // Whose letter was taken out of these hands writes nothing: whoever has it does.
    let ours = settled.iter().filter(|one| done.contains(&one.id));
    let instead: Vec<(RunId, Letter)> = ours.filter_map(|one| one.instead.clone()).collect();
    write(&mut tx, tenant, &instead).await?;
    tx.commit().await
}

/// Answers those that were in hand. As all that locks several letters and waits for them does, it takes them in the order of
/// their ids, by bytes: nobody waits in a circle.
///
/// Plan: one row by its primary key each.
async fn settle_all(
    db: impl PgExecutor<'_>,
    tenant: &str,
    worker: Uuid,
    settled: &[Settled],
) -> sqlx::Result<Vec<String>> {
    let mut settled: Vec<&Settled> = settled.iter().collect();
    settled.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    sqlx::query_scalar(
        "with held as materialized (
             select o.id, o.place from unnest($3::text[]) as t (id)
             cross join lateral (
                 select o.id, o.ctid as place from outbox o
                 where o.tenant = $1 and o.id = t.id and o.worker = $2 and o.status = 'sending' limit 1 for update) o)
         update outbox o
         set status = t.status, reference = t.reference, last_error = t.error, worker = null,
             attempt = o.attempt + (t.wait_s is not null)::int,
             due_at = coalesce(t.due, (select engine_now()) + make_interval(secs => t.wait_s), o.due_at),
             settled_at = case when t.wait_s is null and t.due is null then (select engine_now()) end
         from (select t.*, held.place
               from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::timestamptz[])
                    as t (id, status, reference, error, wait_s, due)
               join held on held.id = t.id) t
         where o.ctid = t.place
         returning o.id",
    )
    .bind(tenant)
    .bind(worker)
    .bind(settled.iter().map(|one| one.id.as_str()).collect::<Vec<_>>())
    .bind(settled.iter().map(|one| one.status).collect::<Vec<_>>())
    .bind(settled.iter().map(|one| one.reference.as_deref()).collect::<Vec<_>>())
    .bind(settled.iter().map(|one| one.error.as_deref()).collect::<Vec<_>>())
    .bind(settled.iter().map(|one| one.wait.map(|wait| wait.as_secs_f64())).collect::<Vec<_>>())
    .bind(settled.iter().map(|one| one.due).collect::<Vec<_>>())
    .fetch_all(db)
    .await
}

/// The letters that a worker has in hand, as the database sees it.
pub async fn in_hand(pool: &PgPool, tenant: &str, worker: Uuid) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select id from outbox where tenant = $1 and worker = $2 and status = 'sending'")
        .bind(tenant)
        .bind(worker)
        .fetch_all(pool)
        .await
}

/// Puts back letters that this worker has in hand by the database but not in truth.
pub async fn release(pool: &PgPool, tenant: &str, worker: Uuid, ids: &[String]) -> sqlx::Result<()> {
    sqlx::query(
        "with held as materialized (
             select id from outbox where tenant = $1 and worker = $2 and id = any($3) and status = 'sending'
             order by id collate \"C\" for update)
         update outbox o set status = 'pending', worker = null from held where o.tenant = $1 and o.id = held.id",
    )
    .bind(tenant)
    .bind(worker)
    .bind(ids)
    .execute(pool)
    .await
    .map(drop)
}

/// Forgets up to `most` letters that were settled `days` ago by the engine's clock. Answers how many.
pub async fn forget(pool: &PgPool, tenant: &str, days: i32, most: i64) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(
        "with old as materialized (
             select id from outbox
             where tenant = $1 and settled_at < engine_now() - make_interval(days => $2)
               and status in ('sent', 'suppressed', 'undeliverable')
             order by settled_at limit $3 for update skip locked)
         delete from outbox o using old where o.tenant = $1 and o.id = old.id",
    )
    .bind(tenant)
    .bind(days)
    .bind(most)
    .execute(pool)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Puts back what dead workers were delivering, but for what is being settled at this moment. The receiver may have it already
/// and knows its id. Each is a failed attempt, so that a letter which ends its worker does not end one after the other.
pub(super) async fn reap(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<()> {
    sqlx::query(
        "with dropped as materialized (
             select o.id from outbox o
             where o.tenant = $1 and o.status = 'sending' and not exists (
                 select 1 from worker w
                 where w.tenant = o.tenant and w.id = o.worker and w.lease_until > clock_timestamp())
             order by o.id collate \"C\" for update of o skip locked)
         update outbox o
         set worker = null, attempt = o.attempt + 1,
             status = case when o.attempt + 1 >= $2 then 'suspended' else 'pending' end,
             due_at = engine_now() + make_interval(secs => o.attempt * random()),
             last_error = case when o.attempt + 1 >= $2 then 'the worker died while it delivered this' else o.last_error end
         from dropped where o.tenant = $1 and o.id = dropped.id",
    )
    .bind(tenant)
    .bind(i32::try_from(RetryPolicy::PATIENT.attempts_max).unwrap_or(i32::MAX))
    .execute(conn)
    .await
    .map(drop)
}

/// Puts back what a worker that gives up its lease was delivering.
pub(super) async fn leave(conn: &mut PgConnection, tenant: &str, worker: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "with held as materialized (
             select id from outbox where tenant = $1 and worker = $2 and status = 'sending'
             order by id collate \"C\" for update)
         update outbox o set status = 'pending', worker = null from held where o.tenant = $1 and o.id = held.id",
    )
    .bind(tenant)
    .bind(worker)
    .execute(conn)
    .await
    .map(drop)
}

/// A letter that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PutAside {
    /// The dedupe id.
    pub id: String,
    /// The run that wrote it.
    pub run_id: RunId,
    /// Which outlet delivers it.
    pub topic: String,
    /// Failed attempts.
    pub attempt: i32,
    /// Why it was put aside.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// Letters that wait for a person, oldest first, after `after`. `error` is a part of why.
///
/// Plan: `outbox_awaits_person`, which holds these alone.
pub async fn put_aside(
    db: impl PgExecutor<'_>,
    tenant: &str,
    topic: Option<&str>,
    error: Option<&str>,
    after: Option<&str>,
    most: i64,
) -> sqlx::Result<Vec<PutAside>> {
    sqlx::query_as(
        "select id, run_id, topic, attempt, last_error, created_at from outbox
         where tenant = $1 and status = 'suspended' and ($2::text is null or topic = $2)
           and ($3::text is null or position($3 in last_error) > 0) and ($4::text is null or id > $4)
         order by id limit $5",
    )
    .bind(tenant)
    .bind(topic)
    .bind(error)
    .bind(after)
    .bind(most)
    .fetch_all(db)
    .await
}

/// These letters are due again with all their attempts, if they still wait for a person. Answers those.
pub async fn retry(conn: &mut PgConnection, tenant: &str, ids: &[String]) -> sqlx::Result<Vec<PutAside>> {
    sqlx::query_as(
        "with aside as materialized (
             select id, attempt, last_error from outbox
             where tenant = $1 and id = any($2) and status = 'suspended'
             order by id collate \"C\" for update)
         update outbox o
         set status = 'pending', attempt = 0, due_at = engine_now(), worker = null, last_error = null, settled_at = null
         from aside a where o.tenant = $1 and o.id = a.id
         returning o.id, o.run_id, o.topic, a.attempt, a.last_error, o.created_at",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(conn)
    .await
}

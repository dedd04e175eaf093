//! Signals that came before their run, or for a run that never was: kept in the sender's transaction, matched when the
//! run appears, expired by policy. Nothing here decides what a run does with them.
//!
//! They are matched by whoever starts the run, by whoever signals it next (so that nobody overtakes), and by a sweep,
//! for two transactions that did not see each other. All three hold the run's row: inboxes are filled in the order of
//! arrival.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::super::RunId;
use super::super::flow::To;
use super::super::traces;
use super::signal::Outgoing;

/// Where a kept signal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its run has not appeared.
    Waiting,
    /// It is in the inbox of the run that appeared.
    Matched,
    /// No run appeared in time.
    Expired,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Matched, Self::Expired];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Matched => "matched",
            Self::Expired => "expired",
        }
    }

    /// The standing of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}

/// A kept signal, as staff see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Kept {
    /// Its number: smaller came earlier.
    pub id: i64,
    /// By key: the workflow.
    pub workflow: Option<String>,
    /// By key: the key.
    pub key: Option<String>,
    /// By id: the id that no run has.
    pub run_id: Option<RunId>,
    /// The signal's name.
    pub name: String,
    /// Its id.
    pub signal_id: String,
    /// What goes with it.
    pub payload: Value,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// waiting, matched, expired.
    pub status: String,
    /// The run that appeared.
    pub matched_run: Option<RunId>,
    /// When it was matched or expired.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Workflow, key, run and signal id: what makes a kept signal the same as another.
pub(super) type Address = (Option<String>, Option<String>, Option<RunId>, String);

/// Keeps signals in the order given and answers which were new; one that waits already is the same signal.
pub(super) async fn keep(
    conn: &mut PgConnection,
    tenant: &str,
    signals: &[&Outgoing],
) -> sqlx::Result<HashSet<Address>> {
    if signals.is_empty() {
        return Ok(HashSet::new());
    }
    let (mut workflows, mut keys, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    for signal in signals {
        let (workflow, key, run) = match &signal.to {
            To::Key { workflow, key } => (Some(*workflow), Some(key.as_str()), None),
            To::Run(run) => (None, None, Some(*run)),
        };
        workflows.push(workflow);
        keys.push(key);
        runs.push(run);
    }
    let kept: Vec<Address> = sqlx::query_as(
        "insert into unmatched (tenant, workflow, key, run_id, name, signal_id, payload, trace)
         select $1, t.workflow, t.key, t.run_id, t.name, t.signal_id, t.payload, $8
         from unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::jsonb[]) with ordinality
              as t (workflow, key, run_id, name, signal_id, payload, nth)
         order by t.nth
         on conflict do nothing
         returning workflow, key, run_id, signal_id",
    )
    .bind(tenant)
    .bind(workflows)
    .bind(keys)
    .bind(runs)
    .bind(signals.iter().map(|signal| &*signal.name).collect::<Vec<_>>())
    .bind(signals.iter().map(|signal| signal.id.as_str()).collect::<Vec<_>>())
    .bind(signals.iter().map(|signal| &signal.payload).collect::<Vec<_>>())
    .bind(traces::here())
    .fetch_all(conn)
    .await?;
    Ok(kept.into_iter().collect())
}

/// Puts what waits for these runs, whose rows the caller has locked or made, into their inboxes in the order of
/// arrival, and wakes those that listen. Answers how many.
pub(super) async fn match_to(conn: &mut PgConnection, tenant: &str, runs: &[RunId]) -> sqlx::Result<u64> {
    // Few rows by unmatched_key or unmatched_run, then one primary-key update a run; see migration 0004.
    let matched: i64 = sqlx::query_scalar("select match_early($1, $2)").bind(tenant).bind(runs).fetch_one(conn).await?;
    Ok(u64::try_from(matched).unwrap_or(0))
}

/// Which kept signals a sweep looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// Those of the last minutes, by the server's clock: two transactions that do not see each other end within them.
    Lately,
    /// All that wait.
    All,
}

/// Matches signals whose run appeared beside them: up to `most` runs. Runs that somebody holds are left to the next
/// sweep. In a transaction.
///
/// Plan: a range of `unmatched_kept`, then one look into `run_key` or the primary key of `run` each.
pub async fn sweep(conn: &mut PgConnection, tenant: &str, which: Sweep, most: i64) -> sqlx::Result<u64> {
    let held: Vec<RunId> = sqlx::query_scalar(
        "with appeared as materialized (
             select coalesce(by_key.id, by_id.id) as id
             from unmatched u
             left join run by_key on by_key.tenant = $1 and by_key.workflow = u.workflow and by_key.key = u.key
             left join run by_id on by_id.tenant = $1 and by_id.id = u.run_id
             where u.tenant = $1 and u.status = 'waiting'
               and u.kept_at > case when $2 then '-infinity' else clock_timestamp() - interval '10 minutes' end
               and (by_key.id is not null or by_id.id is not null)
             limit $3)
         select r.id from run r where r.tenant = $1 and r.id in (select id from appeared)
         order by r.id for update skip locked",
    )
    .bind(tenant)
    .bind(which == Sweep::All)
    .bind(most)
    .fetch_all(&mut *conn)
    .await?;
    if held.is_empty() { Ok(0) } else { match_to(conn, tenant, &held).await }
}

/// Expires up to `most` signals that have waited for `days` by the engine's clock. Answers how many.
pub async fn expire(db: impl PgExecutor<'_>, tenant: &str, days: i32, most: i64) -> sqlx::Result<u64> {
    let expired = sqlx::query(
        "with old as materialized (
             select id from unmatched
             where tenant = $1 and status = 'waiting' and received_at < engine_now() - make_interval(days => $2)
             order by received_at limit $3 for update skip locked)
         update unmatched u set status = 'expired', settled_at = engine_now()
         from old where u.tenant = $1 and u.id = old.id",
    )
    .bind(tenant)
    .bind(days)
    .bind(most)
    .execute(db)
    .await?;
    Ok(expired.rows_affected())
}

/// Deletes up to `most` signals that were matched or expired `days` ago. Answers how many.
pub async fn forget(db: impl PgExecutor<'_>, tenant: &str, days: i32, most: i64) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(
        "with old as materialized (
             select id from unmatched
             where tenant = $1 and status <> 'waiting' and settled_at < engine_now() - make_interval(days => $2)
             order by settled_at limit $3 for update skip locked)
         delete from unmatched u using old where u.tenant = $1 and u.id = old.id",
    )
    .bind(tenant)
    .bind(days)
    .bind(most)
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Kept signals of this standing, newest first, from before the number `before`.
pub async fn list(
    db: impl PgExecutor<'_>,
    tenant: &str,
    standing: Standing,
    before: Option<i64>,
    most: i64,
) -> sqlx::Result<Vec<Kept>> {
    sqlx::query_as(
        "select id, workflow, key, run_id, name, signal_id, payload, received_at, status, matched_run, settled_at
         from unmatched where tenant = $1 and status = $2 and id < $3 order by id desc limit $4",
    )
    .bind(tenant)
    .bind(standing.as_str())
    .bind(before.unwrap_or(i64::MAX))
    .bind(most)
    .fetch_all(db)
    .await
}

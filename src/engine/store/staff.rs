//! What staff verbs read and write of runs. Deciding is `engine::staff`'s; nothing here refuses anything.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::super::RunId;
use super::super::handling::HANDLER_MAX;

/// A run as a verb finds it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Standing {
    /// The run.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The caller's name for it.
    pub key: String,
    /// Where it stands.
    pub step: String,
    /// pending, running, waiting, suspended, cancelled, faulted, completed.
    pub status: String,
    /// The fence.
    pub generation: i32,
    /// Committed turns.
    pub turn: i32,
    /// Failed attempts at this step.
    pub attempt: i32,
    /// See [`Turn::again`](crate::engine::Turn::again).
    pub again: bool,
    /// Obligations that are open.
    pub owes: Vec<String>,
    /// The class of the last fault; `staff` where a person suspended it.
    pub fault: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Signals ever received.
    pub signal_count: i32,
    /// The names of those that no turn has heard.
    pub unread: Vec<String>,
    /// True where a person fenced it off at this step so lately that the call of whoever had it in hand may still be
    /// under way.
    pub calling: bool,
    /// The run that waits for its ending.
    pub parent: Option<RunId>,
    /// The signal by which that one hears of it.
    pub reports: Option<String>,
    /// What it knows.
    pub state: Value,
    /// The engine's clock when this was read.
    pub now: DateTime<Utc>,
}

/// These runs as they stand, in the order of their ids.
pub async fn standing(conn: &mut PgConnection, tenant: &str, runs: &[RunId]) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as(
        "select r.id, r.workflow, r.key, r.step, r.status, r.generation, r.turn, r.attempt, r.again, r.owes, r.fault,
                r.last_error, r.signal_count, r.parent, r.reports, s.state, engine_now() as now,
                array(select i.name from inbox i
                      where i.tenant = r.tenant and i.run_id = r.id and i.read_turn is null order by i.seq) as unread,
                exists (select 1 from audit a
                        where a.tenant = r.tenant and a.run_id = r.id and a.verb = 'suspend'
                          and a.before ->> 'status' = 'running' and a.before ->> 'step' = r.step
                          and a.written_at > clock_timestamp() - make_interval(secs => $3)) as calling
         from run r join run_state s on s.tenant = r.tenant and s.run_id = r.id
         where r.tenant = $1 and r.id = any($2) order by r.id",
    )
    .bind(tenant)
    .bind(runs)
    .bind(HANDLER_MAX.as_secs_f64())
    .fetch_all(conn)
    .await
}

/// A run and every live run below it, with how far below. Ended ones are not followed further up than their own
/// children, which may live on.
///
/// Plan: `run_parent`, one index scan a generation.
pub async fn tree(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<Vec<(RunId, i32)>> {
    sqlx::query_as(
        "with recursive below (id, status, depth) as (
             select id, status, 0 from run where tenant = $1 and id = $2
             union all
             select r.id, r.status, b.depth + 1 from run r join below b on r.tenant = $1 and r.parent = b.id)
         select id, depth from below
         where depth = 0 or status not in ('completed', 'cancelled', 'faulted') order by id",
    )
    .bind(tenant)
    .bind(run)
    .fetch_all(conn)
    .await
}

/// The same of many runs: each with every live run below it and itself.
pub async fn trees(conn: &mut PgConnection, tenant: &str, runs: &[RunId]) -> sqlx::Result<Vec<(RunId, RunId)>> {
    sqlx::query_as(
        "with recursive below (root, id, status, is_root) as (
             select id, id, status, true from run where tenant = $1 and id = any($2)
             union all
             select b.root, r.id, r.status, false from run r join below b on r.tenant = $1 and r.parent = b.id)
         select root, id from below
         where is_root or status not in ('completed', 'cancelled', 'faulted') order by root, id",
    )
    .bind(tenant)
    .bind(runs)
    .fetch_all(conn)
    .await
}

/// How a run stands after a verb that leaves it at its step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// pending or suspended.
    pub status: &'static str,
    /// Failed attempts from here on.
    pub attempt: i32,
    /// The step may have called out before.
    pub again: bool,
    /// `staff` where a person suspends it.
    pub fault: Option<&'static str>,
    /// What is shown as the reason why it stands.
    pub error: Option<String>,
}

/// Lets a locked run stand so. Whoever has it in hand finds the fence closed. Due at once where it is pending.
pub async fn stand(conn: &mut PgConnection, tenant: &str, run: RunId, so: &Stands) -> sqlx::Result<()> {
    sqlx::query(
        "update run
         set status = $3, due_at = case when $3 = 'pending' then engine_now() end, attempt = $4, again = $5,
             fault = $6, last_error = $7, failing_since = case when $4 > 0 then failing_since end,
             generation = generation + 1, worker = null, reaped_turn = null, updated_at = engine_now()
         where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(run)
    .bind(so.status)
    .bind(so.attempt)
    .bind(so.again)
    .bind(so.fault)
    .bind(&so.error)
    .execute(conn)
    .await
    .map(drop)
}

/// Takes a locked run in hand for the rest of the transaction, as a claim would, and answers the fence.
pub async fn take(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<i32> {
    sqlx::query_scalar(
        "update run set status = 'running', generation = generation + 1, worker = null
         where tenant = $1 and id = $2 returning generation",
    )
    .bind(tenant)
    .bind(run)
    .fetch_one(conn)
    .await
}

/// The step that a person sent the run to asks before it calls: somebody may have called from there already.
pub async fn look_first(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<()> {
    sqlx::query("update run set again = true where tenant = $1 and id = $2 and status in ('pending', 'waiting')")
        .bind(tenant)
        .bind(run)
        .execute(conn)
        .await
        .map(drop)
}

/// Ends a locked run where it stands. What it has not heard came too late.
pub async fn end(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<()> {
    sqlx::query(
        "update run
         set status = 'cancelled', due_at = null, listens = '{}', generation = generation + 1, worker = null,
             attempt = 0, again = false, fault = null, failing_since = null, last_error = null,
             ended_at = engine_now(), updated_at = engine_now()
         where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(run)
    .execute(&mut *conn)
    .await?;
    sqlx::query("update inbox set read_turn = 0 where tenant = $1 and run_id = $2 and read_turn is null")
        .bind(tenant)
        .bind(run)
        .execute(conn)
        .await
        .map(drop)
}

/// A line of history that is no turn: what a person did, and why.
pub async fn tell(conn: &mut PgConnection, tenant: &str, stood: &Standing, did: &str, said: &str) -> sqlx::Result<()> {
    sqlx::query(
        "insert into turn (tenant, run_id, turn, step, woke, outcome, next, attempt, took_ms, error)
         values ($1, $2, $3, $4, 'staff', $5, $4, $6, 0, $7)",
    )
    .bind(tenant)
    .bind(stood.id)
    .bind(stood.turn)
    .bind(&stood.step)
    .bind(did)
    .bind(stood.attempt)
    .bind(said)
    .execute(conn)
    .await
    .map(drop)
}

/// True where the run's inbox has a signal of this id.
pub async fn has_signal(conn: &mut PgConnection, tenant: &str, run: RunId, id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select 1 from inbox where tenant = $1 and run_id = $2 and signal_id = $3)")
        .bind(tenant)
        .bind(run)
        .bind(id)
        .fetch_one(conn)
        .await
}

/// The ending of an archived run.
pub async fn archived(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select status from run_archive where tenant = $1 and id = $2")
        .bind(tenant)
        .bind(run)
        .fetch_optional(conn)
        .await
}

//! The rows of jobs. What is due is `engine::jobs`' to decide; nothing here starts a run.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};

use super::super::RunId;
use super::super::cron::Cron;
use super::super::jobs::{Decided, Job, Missed, Plan, Planned};

/// How long one statement of a start may take.
const START_MS_MAX: &str = "set local statement_timeout = 10000";

/// A job as it stands.
#[derive(Debug, Clone, Default, PartialEq, sqlx::FromRow)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What its ticks start.
    pub workflow: String,
    /// When it ticks: five fields.
    pub cron: String,
    /// In whose clock.
    pub zone: String,
    /// skip, one, all.
    pub missed: String,
    /// A tick starts up to so much later, s.
    pub jitter_s: f64,
    /// The first tick that was neither started nor passed over.
    pub next_tick: Option<DateTime<Utc>>,
    /// When it is tried.
    pub due_at: Option<DateTime<Utc>>,
    /// The last tick whose runs were started.
    pub last_tick: Option<DateTime<Utc>>,
    /// When runs were started last, by a tick or by a person.
    pub last_started_at: Option<DateTime<Utc>>,
    /// Which; and those before them that had not ended then.
    pub last_runs: Vec<RunId>,
    /// The first of those ticks that were passed over last.
    pub missed_from: Option<DateTime<Utc>>,
    /// Starts that have failed since the last one that did not.
    pub failures: i32,
    /// Since when.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Since when a person has it paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_why: Option<String>,
    /// The engine's clock when this was read.
    pub now: DateTime<Utc>,
}

impl Row {
    /// When it ticks, as the row says; none where this program cannot read that.
    pub fn plan(&self) -> Option<Plan> {
        Some(Plan {
            cron: Cron::new(&self.cron, self.zone.parse().ok()?).ok()?,
            missed: Missed::parse(&self.missed)?,
            jitter: Duration::try_from_secs_f64(self.jitter_s).ok()?,
        })
    }
}

macro_rules! select_rows {
    ($where:literal) => {
        concat!(
            "select name, workflow, cron, zone, missed, jitter_s, next_tick, due_at, last_tick, last_started_at,
                    last_runs, missed_from, failures, failing_since, last_error, paused_at, paused_by, paused_why,
                    engine_now() as now
             from job where tenant = $1",
            $where
        )
    };
}

/// Every job, by name.
pub async fn all(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(select_rows!(" order by name")).bind(tenant).fetch_all(db).await
}

/// One job.
pub async fn find(db: impl PgExecutor<'_>, tenant: &str, name: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(select_rows!(" and name = $2")).bind(tenant).bind(name).fetch_optional(db).await
}

/// One job, locked for the rest of the transaction.
pub async fn hold(conn: &mut PgConnection, tenant: &str, name: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(select_rows!(" and name = $2 for update")).bind(tenant).bind(name).fetch_optional(conn).await
}

/// Which of these jobs are due, longest due first.
pub async fn due(pool: &PgPool, tenant: &str, known: &[&str]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from job
         where tenant = $1 and name = any($2) and paused_at is null and due_at <= engine_now() order by due_at",
    )
    .bind(tenant)
    .bind(known)
    .fetch_all(pool)
    .await
}

/// The same job locked, if it is still due and nobody else is at it.
pub async fn take_due(conn: &mut PgConnection, tenant: &str, name: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(select_rows!(
        " and name = $2 and paused_at is null and due_at <= engine_now() for update skip locked"
    ))
    .bind(tenant)
    .bind(name)
    .fetch_optional(conn)
    .await
}

/// Gives a job its row, or the row its new plan. True where the row was made or changed.
pub(in super::super) async fn register(
    pool: &PgPool,
    tenant: &str,
    job: &Job,
    first: Option<Planned>,
) -> sqlx::Result<bool> {
    let written = sqlx::query(
        "insert into job as j (tenant, name, workflow, cron, zone, missed, jitter_s, next_tick, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (tenant, name) do update
         set workflow = excluded.workflow, cron = excluded.cron, zone = excluded.zone, missed = excluded.missed,
             jitter_s = excluded.jitter_s,
             next_tick = case when (j.cron, j.zone) = (excluded.cron, excluded.zone) then j.next_tick
                              else excluded.next_tick end,
             due_at = case when (j.cron, j.zone) = (excluded.cron, excluded.zone) then j.due_at
                           else excluded.due_at end
         where (j.workflow, j.cron, j.zone, j.missed, j.jitter_s)
               <> (excluded.workflow, excluded.cron, excluded.zone, excluded.missed, excluded.jitter_s)",
    )
    .bind(tenant)
    .bind(job.name)
    .bind(job.workflow)
    .bind(job.plan.cron.expression())
    .bind(job.plan.cron.zone().name())
    .bind(job.plan.missed.name())
    .bind(job.plan.jitter.as_secs_f64())
    .bind(first.map(|first| first.tick))
    .bind(first.map(|first| first.due_at))
    .execute(pool)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// A locked job goes on to its next tick, with the runs that were started.
pub(in super::super) async fn advance(
    conn: &mut PgConnection,
    tenant: &str,
    name: &str,
    decided: &Decided,
    started: &[RunId],
) -> sqlx::Result<()> {
    sqlx::query(
        "update job set next_tick = $3, due_at = $4, missed_from = coalesce($5, missed_from) where tenant = $1 and name = $2",
    )
    .bind(tenant)
    .bind(name)
    .bind(decided.next.map(|next| next.tick))
    .bind(decided.next.map(|next| next.due_at))
    .bind(decided.missed_from)
    .execute(&mut *conn)
    .await?;
    match decided.start {
        Some(tick) => started_by(conn, tenant, name, Some(tick), started).await,
        None => Ok(()),
    }
}

/// Runs of a locked job were started, by a tick or (none) by a person. What failed before is over.
pub async fn started_by(
    conn: &mut PgConnection,
    tenant: &str,
    name: &str,
    tick: Option<DateTime<Utc>>,
    started: &[RunId],
) -> sqlx::Result<()> {
    sqlx::query(
        "update job
         set last_tick = coalesce($3, last_tick), last_started_at = engine_now(), last_runs = $4, failures = 0,
             failing_since = null, last_error = null
         where tenant = $1 and name = $2",
    )
    .bind(tenant)
    .bind(name)
    .bind(tick)
    .bind(started)
    .execute(conn)
    .await
    .map(drop)
}

/// A start of a locked job has failed: it is tried again after `wait`.
pub async fn postpone(
    conn: &mut PgConnection,
    tenant: &str,
    name: &str,
    wait: Duration,
    why: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update job
         set failures = failures + 1, failing_since = coalesce(failing_since, engine_now()), last_error = $3,
             due_at = engine_now() + make_interval(secs => $4)
         where tenant = $1 and name = $2",
    )
    .bind(tenant)
    .bind(name)
    .bind(why)
    .bind(wait.as_secs_f64())
    .execute(conn)
    .await
    .map(drop)
}

/// The same with all attempts spent: its present tick is passed over.
pub(in super::super) async fn give_up(
    conn: &mut PgConnection,
    tenant: &str,
    name: &str,
    next: Option<Planned>,
    why: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update job
         set failures = failures + 1, failing_since = coalesce(failing_since, engine_now()), last_error = $3,
             missed_from = next_tick, next_tick = $4, due_at = $5
         where tenant = $1 and name = $2",
    )
    .bind(tenant)
    .bind(name)
    .bind(why)
    .bind(next.map(|next| next.tick))
    .bind(next.map(|next| next.due_at))
    .execute(conn)
    .await
    .map(drop)
}

/// A person pauses a locked job: nothing ticks until it is resumed.
pub async fn pause(conn: &mut PgConnection, tenant: &str, name: &str, who: &str, why: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update job set paused_at = engine_now(), paused_by = $3, paused_why = $4 where tenant = $1 and name = $2",
    )
    .bind(tenant)
    .bind(name)
    .bind(who)
    .bind(why)
    .execute(conn)
    .await
    .map(drop)
}

/// A person lets a locked job tick again, from `next` on.
pub(in super::super) async fn resume(
    conn: &mut PgConnection,
    tenant: &str,
    name: &str,
    next: Option<Planned>,
) -> sqlx::Result<()> {
    sqlx::query(
        "update job
         set paused_at = null, paused_by = null, paused_why = null, next_tick = $3, due_at = $4
         where tenant = $1 and name = $2",
    )
    .bind(tenant)
    .bind(name)
    .bind(next.map(|next| next.tick))
    .bind(next.map(|next| next.due_at))
    .execute(conn)
    .await
    .map(drop)
}

/// From now on no statement of this transaction may hold a job's row for long.
pub async fn limit_time(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(START_MS_MAX).execute(conn).await.map(drop)
}

/// The statements after this one take as long as any.
pub async fn unlimit_time(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("set local statement_timeout to default").execute(conn).await.map(drop)
}

/// How a run that a job started stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LastRun {
    /// The run.
    pub id: RunId,
    /// Its key.
    pub key: String,
    /// Its step, or the ending that it reached.
    pub step: String,
    /// pending, running, waiting, suspended, cancelled, faulted, completed.
    pub status: String,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it ended; none: it goes on.
    pub ended_at: Option<DateTime<Utc>>,
}

impl LastRun {
    /// Whether it goes on no more.
    pub fn ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "cancelled" | "faulted")
    }
}

/// How these runs stand, in the order of their ids; archived ones too, forgotten ones not. By primary keys.
pub async fn runs(db: impl PgExecutor<'_>, tenant: &str, ids: &[RunId]) -> sqlx::Result<Vec<LastRun>> {
    sqlx::query_as(
        "select id, key, step, status, created_at, ended_at from run where tenant = $1 and id = any($2)
         union all
         select id, key, step, status, created_at, ended_at from run_archive where tenant = $1 and id = any($2)
         order by id",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(db)
    .await
}

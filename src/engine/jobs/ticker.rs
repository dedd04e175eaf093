//! The ticker of a worker: starts the ticks that are due, one transaction each, until the worker stops.
//!
//! A round tries every due job once, so that one with much to make up and one whose starts fail keep no other waiting.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sqlx::{Acquire, PgConnection};
use tokio::sync::watch;
use tracing::Instrument;

use super::super::RunId;
use super::super::core::Engine;
use super::super::flow::Fault;
use super::super::store;
use super::super::store::jobs::{self, Row};
use super::super::traces;
use super::{Job, Overlap, Tick};

/// However often the clock may have moved, it is not looked at sooner again (real time).
const LOOK_EVERY_MIN: Duration = Duration::from_millis(20);
/// A round that takes longer has a connection that hangs; what it was at is rolled back.
const ROUND_MAX: Duration = Duration::from_mins(1);

/// Works until `stopped`. `poll` is how often it looks without a hint.
pub(in super::super) async fn work(engine: Arc<Engine>, poll: Duration, mut stopped: watch::Receiver<bool>) {
    let mut hints = engine.limits_hint.subscribe();
    while !*stopped.borrow() && engine.registry.jobs().next().is_some() {
        match tokio::time::timeout(ROUND_MAX, round(&engine)).await {
            Ok(Ok(true)) => continue,
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "jobs could not be looked after; trying again"),
            Err(_) => tracing::warn!("jobs could not be looked after: the database does not answer"),
        }
        let rest = async {
            tokio::time::sleep(LOOK_EVERY_MIN).await;
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                _ = hints.changed() => {}
            }
        };
        tokio::select! {
            () = rest => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Tries each due job of this program once. True where anything was done, so that there may be more.
pub async fn round(engine: &Engine) -> sqlx::Result<bool> {
    let known: Vec<&str> = engine.registry.jobs().map(|job| job.name).collect();
    let mut any = false;
    for name in jobs::due(&engine.pool, &engine.tenant, &known).await? {
        let Some(job) = engine.registry.job(&name) else { continue };
        any |= tick(engine, job).await?;
    }
    Ok(any)
}

/// Starts one tick of a job, or writes down why not. False where somebody else is at it, or was.
async fn tick(engine: &Engine, job: &Job) -> sqlx::Result<bool> {
    let mut tx = engine.pool.begin().await?;
    let Some(row) = jobs::take_due(&mut tx, &engine.tenant, job.name).await? else { return Ok(false) };
    let (Some(first), Some(plan)) = (row.next_tick, row.plan()) else {
        failed(engine, &mut tx, job, &row, "this program cannot read the job's plan").await?;
        tx.commit().await?;
        return Ok(true);
    };
    let retried = row.due_at.is_some_and(|due_at| due_at > plan.due_at(job.name, first));
    let decided = plan.decide(job.name, first, retried, row.now);
    let started = match decided.start {
        None => Started::default(),
        Some(at) => {
            let tick = Tick { job: job.name, at, until: decided.next.map(|next| next.tick), by_hand: None };
            // A savepoint: what a failed start has written is undone, and the row stays ours.
            let mut inner = tx.begin().await?;
            let span = traces::tick(job.name);
            match start(&mut inner, &engine.tenant, job, &row, &tick).instrument(span).await {
                Ok(started) => {
                    inner.commit().await?;
                    started
                }
                Err(why) => {
                    inner.rollback().await?;
                    failed(engine, &mut tx, job, &row, &why).await?;
                    tx.commit().await?;
                    return Ok(true);
                }
            }
        }
    };
    jobs::advance(&mut tx, &engine.tenant, job.name, &decided, &started.all()).await?;
    tx.commit().await?;
    if let Some(from) = decided.missed_from {
        tracing::warn!(job = job.name, %from, policy = plan.missed.name(), "ticks were missed and are passed over");
    }
    if let Some(at) = decided.start {
        tracing::info!(job = job.name, tick = %at, runs = started.new.len(), "a job has ticked");
    }
    engine.hint_due();
    engine.letters.notify_one();
    Ok(true)
}

/// A start has failed: it is tried again later, and when these attempts are spent with the next tick.
async fn failed(engine: &Engine, conn: &mut PgConnection, job: &Job, row: &Row, why: &str) -> sqlx::Result<()> {
    let failures = u32::try_from(row.failures).unwrap_or(0).saturating_add(1);
    let failing = row.failing_since.map_or(Duration::ZERO, |since| (row.now - since).to_std().unwrap_or_default());
    let wait = job.retry.wait_after(failures, failing, rand::random());
    tracing::error!(job = job.name, tick = ?row.next_tick, failures, why, "a job's runs could not be started");
    if let Some(wait) = wait {
        return jobs::postpone(conn, &engine.tenant, job.name, wait, why).await;
    }
    let next = row.plan().and_then(|plan| plan.next_after(job.name, row.now));
    jobs::give_up(conn, &engine.tenant, job.name, next, why).await
}

/// The runs of a job after a tick.
#[derive(Debug, Default)]
pub(super) struct Started {
    /// Those of this tick.
    pub(super) new: Vec<RunId>,
    /// Those of earlier ticks that have not ended; none where they are nobody's concern.
    living: Vec<RunId>,
}

impl Started {
    /// All of them, so that the next tick finds those that live.
    pub(super) fn all(&self) -> Vec<RunId> {
        self.new.iter().chain(&self.living).copied().collect()
    }
}

/// Starts the runs of a tick in the caller's transaction, which is to be rolled back where it fails.
pub(super) async fn start(
    conn: &mut PgConnection,
    tenant: &str,
    job: &Job,
    row: &Row,
    tick: &Tick,
) -> Result<Started, String> {
    let starting = AssertUnwindSafe(try_start(conn, tenant, job, row, tick)).catch_unwind();
    match starting.await {
        Ok(Ok(started)) => Ok(started),
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err("the job panicked".to_owned()),
    }
}

async fn try_start(conn: &mut PgConnection, tenant: &str, job: &Job, row: &Row, tick: &Tick) -> Result<Started, Fault> {
    jobs::limit_time(conn).await.map_err(unwritten)?;
    let living = match job.overlap {
        Overlap::Allow => Vec::new(),
        Overlap::Skip => {
            let last = jobs::runs(&mut *conn, tenant, &row.last_runs).await.map_err(unwritten)?;
            last.into_iter().filter(|run| !run.ended()).collect()
        }
    };
    let mut started = Started::default();
    for mut new in job.starter.runs(conn, tenant, tick).await? {
        let key = tick.key(&new.key);
        if let Some(run) = living.iter().find(|run| Tick::part(&run.key) == new.key) {
            // The same start has come again.
            if run.key == key {
                started.new.push(run.id);
            }
            continue;
        }
        new.key = key;
        started.new.push(store::start(conn, tenant, new).await.map_err(unwritten)?.id);
    }
    started.living = living.iter().map(|run| run.id).filter(|id| !started.new.contains(id)).collect();
    jobs::unlimit_time(conn).await.map_err(unwritten)?;
    Ok(started)
}

fn unwritten(error: sqlx::Error) -> Fault {
    Fault::Retry(format!("the runs could not be written: {error}"))
}

//! What people do to jobs: pause, resume, run now. Each is one transaction with a typed refusal and an audit row.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::super::RunId;
use super::super::core::Engine;
use super::super::staff::By;
use super::super::store::audit::{self, Deed};
use super::super::store::jobs::{self as store, Row};
use super::{ByHand, Tick, ticker};

/// What is done to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobVerb {
    /// Nothing ticks until it is resumed. Runs that were started go on.
    Pause,
    /// It ticks again, from now on: what would have ticked meanwhile is not made up.
    Resume,
    /// The runs of one tick are started now, paused or not; the plan stays as it is.
    Run,
}

impl JobVerb {
    /// The name in the audit.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "job.pause",
            Self::Resume => "job.resume",
            Self::Run => "job.run",
        }
    }
}

/// Why a verb is not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobRefused {
    /// There is no such job.
    #[error("there is no such job")]
    NoJob,
    /// This program does not declare it, and so cannot start its runs.
    #[error("this program does not know the job: another release may")]
    UnknownHere,
    /// It is paused already.
    #[error("the job is paused already")]
    AlreadyPaused,
    /// Only a paused job is resumed.
    #[error("the job is not paused")]
    NotPaused,
    /// Its runs cannot be started.
    #[error("the job's runs cannot be started: {why}")]
    NotStarted {
        /// Why.
        why: String,
    },
}

impl JobRefused {
    /// The stable code, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoJob => "not_found",
            Self::UnknownHere => "unknown_job",
            Self::AlreadyPaused => "job_already_paused",
            Self::NotPaused => "job_not_paused",
            Self::NotStarted { .. } => "job_not_started",
        }
    }
}

/// Does a verb to a job and answers the runs that it started. `request` is the caller's name of this request: whoever heard
/// no answer asks again under the same name, and nothing is started twice.
pub async fn perform(
    engine: &Engine,
    name: &str,
    by: &By,
    verb: JobVerb,
    request: Option<&str>,
) -> sqlx::Result<Result<Vec<RunId>, JobRefused>> {
    let mut tx = engine.pool.begin().await?;
    let Some(row) = store::hold(&mut tx, &engine.tenant, name).await? else { return Ok(Err(JobRefused::NoJob)) };
    let done = match verb {
        JobVerb::Pause => pause(engine, &mut tx, &row, by).await?,
        JobVerb::Resume => resume(engine, &mut tx, &row).await?,
        JobVerb::Run => {
            let by_hand = request.map_or(ByHand::Once, |request| ByHand::Named(named(&by.who, request)));
            run(engine, &mut tx, &row, by_hand).await?
        }
    };
    let started = match done {
        Ok(started) => started,
        Err(refused) => return Ok(Err(refused)),
    };
    write_down(engine, &mut tx, &row, by, verb, &started).await?;
    tx.commit().await?;
    tracing::info!(job = name, who = by.who, verb = verb.name(), runs = started.len(), "staff");
    engine.hint();
    Ok(Ok(started))
}

type Done = Result<Vec<RunId>, JobRefused>;

async fn pause(engine: &Engine, conn: &mut PgConnection, row: &Row, by: &By) -> sqlx::Result<Done> {
    if row.paused_at.is_some() {
        return Ok(Err(JobRefused::AlreadyPaused));
    }
    store::pause(conn, &engine.tenant, &row.name, &by.who, &by.reason).await?;
    Ok(Ok(Vec::new()))
}

async fn resume(engine: &Engine, conn: &mut PgConnection, row: &Row) -> sqlx::Result<Done> {
    if row.paused_at.is_none() {
        return Ok(Err(JobRefused::NotPaused));
    }
    let Some(plan) = row.plan() else { return Ok(Err(JobRefused::UnknownHere)) };
    store::resume(conn, &engine.tenant, &row.name, plan.next_after(&row.name, row.now)).await?;
    Ok(Ok(Vec::new()))
}

/// A caller's name of a request, as a part of keys: whatever the caller writes there, it says nothing.
fn named(who: &str, request: &str) -> String {
    let mut both = Context::new(&SHA256);
    for part in [who.as_bytes(), &[0], request.as_bytes()] {
        both.update(part);
    }
    hex::encode(&both.finish().as_ref()[..16])
}

async fn run(engine: &Engine, conn: &mut PgConnection, row: &Row, by_hand: ByHand) -> sqlx::Result<Done> {
    let (Some(job), Some(plan)) = (engine.registry.job(&row.name), row.plan()) else {
        return Ok(Err(JobRefused::UnknownHere));
    };
    let tick = Tick { job: job.name, at: row.now, until: plan.cron.next_after(row.now), by_hand: Some(by_hand) };
    match ticker::start(conn, &engine.tenant, job, row, &tick).await {
        Ok(started) => {
            store::started_by(conn, &engine.tenant, &row.name, None, &started.all()).await?;
            Ok(Ok(started.new))
        }
        Err(why) => Ok(Err(JobRefused::NotStarted { why })),
    }
}

/// The audit row, with how the job stood and stands.
async fn write_down(
    engine: &Engine,
    conn: &mut PgConnection,
    stood: &Row,
    by: &By,
    verb: JobVerb,
    started: &[RunId],
) -> sqlx::Result<()> {
    let mut after = store::find(&mut *conn, &engine.tenant, &stood.name).await?.as_ref().map(shown).unwrap_or_default();
    if let (Some(after), JobVerb::Run) = (after.as_object_mut(), verb) {
        after.insert("started".to_owned(), json!(started));
    }
    let deed = Deed {
        who: &by.who,
        verb: verb.name(),
        run: None,
        job: Some(&stood.name),
        reason: &by.reason,
        before: shown(stood),
        after,
        bulk: None,
    };
    audit::write(conn, &engine.tenant, &deed).await
}

fn shown(row: &Row) -> Value {
    json!({
        "paused": row.paused_at.is_some(), "nextTick": row.next_tick, "lastTick": row.last_tick,
        "failures": row.failures,
    })
}

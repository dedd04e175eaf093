//! A verb for many runs: what a filter held when it began, a chunk at a time, by whichever worker is free.
//!
//! A dry run asks the same questions and changes nothing. A chunk is one transaction with the counts and the cursor: a
//! crash loses nothing of it and doubles nothing. A run that refuses, or that cannot be written, is counted and passed.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use serde_json::{Value, json};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use super::super::RunId;
use super::super::commit::{MEETINGS_MAX, is_refusal, met_another};
use super::super::core::Engine;
use super::super::store::bulk::{self as store};
pub use super::super::store::bulk::{Bulk, Filter};
use super::super::store::{audit, signal};
use super::{By, Refused, Verb, perform_in, try_in};

/// The most runs of one chunk.
const CHUNK_MAX: i64 = 50;
/// The most runs that a dry run looks at; how the others would fare is not said.
const DRY_MAX: i64 = 1000;
/// The most runs that a dry run names.
const SAMPLE_MAX: usize = 10;
/// A bulk whose chunk could not be written is tried again after so long, s.
const TRIED_AGAIN_S: f64 = 10.0;
/// The code under which runs are counted that could not be written.
const NOT_WRITTEN: &str = "not_written";
/// The rate of a bulk that names none, runs a second.
pub const PER_SECOND: i32 = 50;

/// A bulk that is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is done to each run.
    pub verb: Verb,
    /// Which runs.
    pub filter: Filter,
    /// Who, and why.
    pub by: By,
    /// The most runs a second.
    pub per_second: i32,
    /// The name of the request, where it has one: the same person's same request begins one bulk.
    pub request: Option<String>,
}

/// What a bulk would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// How many runs the filter holds.
    pub total: i64,
    /// How many of them were looked at.
    pub looked_at: usize,
    /// How many of these would change.
    pub would_change: usize,
    /// How many would refuse, by code, with the first refusal of each.
    pub refused: BTreeMap<&'static str, (usize, Refused)>,
    /// Some that would change.
    pub sample: Vec<RunId>,
    /// Each that was looked at, in the order of the bulk, with why it would refuse where it would.
    pub each: Vec<(RunId, Option<Refused>)>,
}

/// Why a bulk is not turned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulkRefused {
    /// There is no such bulk.
    #[error("there is no such bulk")]
    NoBulk,
    /// It has ended, or it is so already.
    #[error("the bulk is {status}")]
    Stands {
        /// running, paused, done, cancelled.
        status: String,
    },
}

/// What is done to a bulk itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// No further chunk until it is resumed.
    Pause,
    /// It goes on where it stood.
    Resume,
    /// It ends; what was done stays done.
    Cancel,
}

impl Turned {
    /// The name in the audit.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "bulk.pause",
            Self::Resume => "bulk.resume",
            Self::Cancel => "bulk.cancel",
        }
    }

    fn status(self, from: &str) -> Option<&'static str> {
        match (self, from) {
            (Self::Pause, "running") => Some("paused"),
            (Self::Resume, "paused") => Some("running"),
            (Self::Cancel, "running" | "paused") => Some("cancelled"),
            _ => None,
        }
    }
}

/// What a bulk would do, of up to a thousand runs. Locks and changes nothing.
pub async fn dry_run(engine: &Engine, asked: &Asked) -> sqlx::Result<DryRun> {
    let mut conn = engine.pool.acquire().await?;
    let up_to = store::newest(&mut conn, &engine.tenant).await?;
    let total = store::count(&mut conn, &engine.tenant, &asked.filter, up_to).await?;
    let runs = store::next(&mut conn, &engine.tenant, &asked.filter, up_to, None, DRY_MAX).await?;
    let verb = for_run(&asked.verb, Uuid::nil());
    let mut dry = DryRun { total, ..DryRun::default() };
    for run in runs {
        dry.looked_at += 1;
        match try_in(engine, &mut conn, run, &asked.by, &verb).await? {
            Ok(()) => {
                dry.would_change += 1;
                if dry.sample.len() < SAMPLE_MAX {
                    dry.sample.push(run);
                }
                dry.each.push((run, None));
            }
            Err(refused) => {
                dry.refused.entry(refused.code()).or_insert_with(|| (0, refused.clone())).0 += 1;
                dry.each.push((run, Some(refused)));
            }
        }
    }
    Ok(dry)
}

/// Begins a bulk; workers do the rest.
pub async fn begin(engine: &Engine, asked: &Asked) -> sqlx::Result<Bulk> {
    let mut tx = engine.pool.begin().await?;
    let (tenant, id) = (&engine.tenant, Uuid::now_v7());
    let up_to = store::newest(&mut tx, tenant).await?;
    let now = super::super::clock::now(&mut *tx).await?;
    let bulk = Bulk {
        id,
        verb: asked.verb.name().to_owned(),
        arguments: serde_json::to_value(&asked.verb).map_err(|error| sqlx::Error::Encode(error.into()))?,
        filter: sqlx::types::Json(asked.filter.clone()),
        who: asked.by.who.clone(),
        reason: asked.by.reason.clone(),
        status: "running".to_owned(),
        up_to,
        cursor: None,
        total: store::count(&mut tx, tenant, &asked.filter, up_to).await?,
        done: 0,
        refused: json!({}),
        per_second: asked.per_second.max(1),
        created_at: now,
        updated_at: now,
        ended_at: None,
        last_error: None,
        request: asked.request.clone(),
    };
    if !store::insert(&mut tx, tenant, &bulk).await? {
        let before = store::begun_by(&mut *tx, tenant, &bulk.who, asked.request.as_deref().unwrap_or_default()).await?;
        let same = |before: &Bulk| (&before.arguments, &before.filter) == (&bulk.arguments, &bulk.filter);
        if let Some(before) = before.filter(same) {
            return Ok(before);
        }
        // The name was used long ago for something else.
        store::insert(&mut tx, tenant, &Bulk { request: None, ..bulk.clone() }).await?;
    }
    let after = json!({ "verb": bulk.arguments, "filter": bulk.filter, "total": bulk.total });
    write_down(&mut tx, tenant, id, &asked.by, "bulk.begin", json!({}), after).await?;
    tx.commit().await?;
    engine.hint();
    Ok(bulk)
}

/// Pauses, resumes or cancels a bulk.
pub async fn turn(engine: &Engine, id: Uuid, by: &By, turned: Turned) -> sqlx::Result<Result<Bulk, BulkRefused>> {
    let mut tx = engine.pool.begin().await?;
    let Some(mut bulk) = store::hold(&mut tx, &engine.tenant, id).await? else { return Ok(Err(BulkRefused::NoBulk)) };
    let Some(status) = turned.status(&bulk.status) else {
        return Ok(Err(BulkRefused::Stands { status: bulk.status }));
    };
    store::turn(&mut tx, &engine.tenant, id, status).await?;
    let (before, after) = (json!({ "status": bulk.status, "done": bulk.done }), json!({ "status": status }));
    write_down(&mut tx, &engine.tenant, id, by, turned.name(), before, after).await?;
    tx.commit().await?;
    engine.hint();
    status.clone_into(&mut bulk.status);
    Ok(Ok(bulk))
}

async fn write_down(
    conn: &mut PgConnection,
    tenant: &str,
    bulk: Uuid,
    by: &By,
    verb: &str,
    before: Value,
    after: Value,
) -> sqlx::Result<()> {
    let (who, reason) = (by.who.as_str(), by.reason.as_str());
    let deed = audit::Deed { who, verb, run: None, job: None, reason, before, after, bulk: Some(bulk) };
    audit::write(conn, tenant, &deed).await
}

/// Does one chunk of one bulk. False where none is due.
pub async fn chunk(engine: &Engine) -> sqlx::Result<bool> {
    let mut meetings = 0;
    loop {
        match try_chunk(engine).await {
            Err(error) if met_another(&error) && meetings < MEETINGS_MAX => meetings += 1,
            other => return other,
        }
    }
}

async fn try_chunk(engine: &Engine) -> sqlx::Result<bool> {
    let mut tx = engine.pool.begin().await?;
    let Some(id) = store::claim(&mut tx, &engine.tenant).await? else { return Ok(false) };
    // Handlers, deadlines and projections of workflows are asked, and one that panics must not end all bulks.
    let gone_on = AssertUnwindSafe(go_on(engine, &mut tx, id)).catch_unwind().await;
    match gone_on.unwrap_or_else(|_| Err(sqlx::Error::Encode("a workflow panicked".into()))) {
        Ok(()) => tx.commit().await?,
        Err(error) if met_another(&error) => return Err(error),
        Err(error) => {
            tx.rollback().await?;
            tracing::warn!(bulk = %id, %error, "a bulk cannot go on; trying again");
            store::postpone(&engine.pool, &engine.tenant, id, TRIED_AGAIN_S, &error.to_string()).await?;
        }
    }
    engine.hint();
    Ok(true)
}

/// The next chunk of a locked bulk.
async fn go_on(engine: &Engine, tx: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    let tenant = &engine.tenant;
    let mut bulk = store::find(&mut *tx, tenant, id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let verb: Verb =
        serde_json::from_value(bulk.arguments.clone()).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let by = By { who: bulk.who.clone(), reason: bulk.reason.clone() };
    let most = CHUNK_MAX.min(i64::from(bulk.per_second));
    let runs = store::next(&mut *tx, tenant, &bulk.filter.0, bulk.up_to, bulk.cursor, most).await?;
    // Asked again once they are locked: a run that has moved on is not what the filter means any more.
    signal::lock(&mut *tx, tenant, runs.clone()).await?;
    let still = store::still(&mut *tx, tenant, &bulk.filter.0, bulk.up_to, &runs).await?;
    for run in runs.iter().filter(|run| still.contains(run)) {
        // Behind a savepoint, so that one run that cannot be written takes nobody with it.
        let mut alone = tx.begin().await?;
        match perform_in(engine, &mut alone, *run, &by, &for_run(&verb, bulk.id), Some(bulk.id)).await {
            Ok(Ok(_)) => {
                alone.commit().await?;
                bulk.done += 1;
            }
            Ok(Err(refused)) => {
                alone.rollback().await?;
                count(&mut bulk.refused, refused.code());
            }
            Err(error) if is_refusal(&error) => {
                alone.rollback().await?;
                tracing::warn!(%run, bulk = %bulk.id, %error, "a run of a bulk could not be written");
                count(&mut bulk.refused, NOT_WRITTEN);
            }
            Err(error) => return Err(error),
        }
    }
    let full = i64::try_from(runs.len()).is_ok_and(|length| length >= most);
    let cursor = runs.last().copied().filter(|_| full);
    store::advance(&mut *tx, tenant, &bulk, cursor, runs.len()).await?;
    if cursor.is_none() {
        tracing::info!(bulk = %bulk.id, done = bulk.done, "a bulk is done");
    }
    Ok(())
}

fn count(refused: &mut Value, code: &str) {
    let before = refused.get(code).and_then(Value::as_u64).unwrap_or(0);
    if let Some(counts) = refused.as_object_mut() {
        counts.insert(code.to_owned(), json!(before + 1));
    }
}

/// The verb for one run: a signal of a bulk is heard once a run, whatever is repeated.
fn for_run(verb: &Verb, bulk: Uuid) -> Verb {
    match verb {
        Verb::Signal { signal, signal_id, payload } if signal_id.is_empty() => {
            Verb::Signal { signal: signal.clone(), signal_id: format!("bulk:{bulk}"), payload: payload.clone() }
        }
        other => other.clone(),
    }
}

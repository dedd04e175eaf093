//! A verb for many runs: what a filter held when it was previewed or, without a preview, when it began; a chunk at a time, by
//! whichever worker is free.
//!
//! A chunk is one transaction with the counts and the cursor: a crash loses nothing of it and doubles nothing. A run that
//! refuses, that cannot be written or that the filter no longer holds is counted and passed, so that the counts of a bulk that is
//! done are its total.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use serde_json::{Value, json};
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

use super::super::commit::{MEETINGS_MAX, is_refusal, met_another};
use super::super::core::Engine;
use super::super::store::bulk::{self as store};
pub use super::super::store::bulk::{Bulk, Filter};
use super::super::store::bulk_sets as sets;
use super::super::store::{audit, signal};
pub use super::preview::{AtStep, DryRun, Looked, dry_run};
use super::{By, Verb, perform_in, preview};

/// The most runs of one chunk.
const CHUNK_MAX: i64 = 50;
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
    /// The set of a preview of the same: it is for those runs alone. None: for what the filter holds when it begins.
    pub preview: Option<Uuid>,
}

impl Asked {
    /// The whole verb, as it is stored.
    pub(super) fn arguments(&self) -> sqlx::Result<Value> {
        serde_json::to_value(&self.verb).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

/// Why a bulk is not begun or turned.
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
    /// It was to be begun with a preview that there is not, or not any more.
    #[error("there is no such preview, or it is older than a day: look at what the bulk would do anew")]
    NoPreview,
    /// The preview was of another verb or of other runs.
    #[error("the preview was of another verb or another filter: look at what this bulk would do")]
    OtherPreview,
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

/// Begins a bulk; workers do the rest. What one preview began once is not begun again.
pub async fn begin(engine: &Engine, asked: &Asked) -> sqlx::Result<Result<Bulk, BulkRefused>> {
    let mut tx = engine.pool.begin().await?;
    let (tenant, id) = (&engine.tenant, Uuid::now_v7());
    let arguments = asked.arguments()?;
    let (set, up_to, total) = match asked.preview {
        None => preview::take(engine, &mut tx, asked).await?,
        Some(set) => {
            let Some(taken) = sets::find(&mut tx, tenant, set).await? else {
                // What was begun of it is remembered longer than the preview.
                let Some(begun) = store::begun_of(&mut *tx, tenant, set).await? else {
                    return Ok(Err(BulkRefused::NoPreview));
                };
                let same = (&begun.arguments, &begun.filter.0) == (&arguments, &asked.filter);
                return Ok(if same { Ok(begun) } else { Err(BulkRefused::OtherPreview) });
            };
            if (&taken.arguments, &taken.filter.0) != (&arguments, &asked.filter) {
                return Ok(Err(BulkRefused::OtherPreview));
            }
            (set, taken.up_to, sets::size(&mut tx, tenant, set).await?)
        }
    };
    let now = super::super::clock::now(&mut *tx).await?;
    let bulk = Bulk {
        id,
        verb: asked.verb.name().to_owned(),
        arguments,
        filter: sqlx::types::Json(asked.filter.clone()),
        who: asked.by.who.clone(),
        reason: asked.by.reason.clone(),
        status: "running".to_owned(),
        up_to,
        cursor: None,
        total,
        done: 0,
        refused: json!({}),
        skipped: 0,
        set_id: Some(set),
        per_second: asked.per_second.max(1),
        created_at: now,
        updated_at: now,
        ended_at: None,
        last_error: None,
        request: asked.request.clone(),
    };
    if !store::insert(&mut tx, tenant, &bulk).await? {
        if let Some(before) = begun_before(&mut tx, tenant, asked, &bulk).await? {
            return Ok(Ok(before));
        }
        // The name was used long ago for something else.
        store::insert(&mut tx, tenant, &Bulk { request: None, ..bulk.clone() }).await?;
    }
    let after = json!({ "verb": bulk.arguments, "filter": bulk.filter, "total": bulk.total });
    write_down(&mut tx, tenant, id, &asked.by, "bulk.begin", json!({}), after).await?;
    tx.commit().await?;
    engine.hint();
    Ok(Ok(bulk))
}

/// The bulk that the same preview or the same request began.
async fn begun_before(conn: &mut PgConnection, tenant: &str, asked: &Asked, bulk: &Bulk) -> sqlx::Result<Option<Bulk>> {
    if let Some(set) = asked.preview {
        return store::begun_of(conn, tenant, set).await;
    }
    let before = store::begun_by(conn, tenant, &bulk.who, asked.request.as_deref().unwrap_or_default()).await?;
    Ok(before.filter(|before| (&before.arguments, &before.filter) == (&bulk.arguments, &bulk.filter)))
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
    let runs = match bulk.set_id {
        Some(set) => sets::next(&mut *tx, tenant, set, bulk.cursor, most).await?,
        None => store::next(&mut *tx, tenant, &bulk.filter.0, bulk.up_to, bulk.cursor, most).await?,
    };
    // Asked again once they are locked: a run that has moved on is not what the filter means any more.
    signal::lock(&mut *tx, tenant, runs.clone()).await?;
    let still = store::still(&mut *tx, tenant, &bulk.filter.0, bulk.up_to, &runs).await?;
    bulk.skipped += i64::try_from(runs.len().saturating_sub(still.len())).unwrap_or(i64::MAX);
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
pub(super) fn for_run(verb: &Verb, bulk: Uuid) -> Verb {
    match verb {
        Verb::Signal { signal, signal_id, payload } if signal_id.is_empty() => {
            Verb::Signal { signal: signal.clone(), signal_id: format!("bulk:{bulk}"), payload: payload.clone() }
        }
        other => other.clone(),
    }
}

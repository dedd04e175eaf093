//! Keeps the house: what is past is moved and forgotten, and early signals find their run.
//!
//! One task beside each worker, in any number of processes: whatever one is at, another passes over. Every statement is
//! a small batch, every round is bounded, and nothing here holds a lock that a turn waits for longer than a moment.
//! Ages go by the engine's clock, the rhythm by the server's. Nothing here decides about a run that lives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::core::Engine;
use super::store::unmatched::Sweep;
use super::store::{archive, bulk_sets, letters, months, unmatched};

/// How often early signals are looked after: two transactions that did not see each other are brought together.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often everything else is.
const ROUND_EVERY: Duration = Duration::from_mins(1);
/// How often old months of history are.
const MONTHS_EVERY: Duration = Duration::from_hours(1);
/// Rows of one statement.
const BATCH: i64 = 500;
/// Statements of one kind in a round; what is left is done a second later.
const BATCHES_MAX: u32 = 10;

/// How long what is past is kept, in days of the engine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Ended runs among the live ones, before they are archived.
    pub runs_days: i32,
    /// History, archived runs with the signals that they received, and signals that live runs have heard.
    pub history_days: i32,
    /// Settled letters; signals that were matched late or expired.
    pub letters_days: i32,
    /// Signals whose run does not appear, until they expire.
    pub unmatched_days: i32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { runs_days: 90, history_days: 400, letters_days: 90, unmatched_days: 7 }
    }
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Runs that were archived.
    pub archived: u64,
    /// Archived runs that were forgotten.
    pub forgotten: u64,
    /// Letters that were forgotten.
    pub letters: u64,
    /// Early signals that expired.
    pub expired: u64,
    /// Early signals that were forgotten.
    pub signals: u64,
    /// Whether more is waiting than a round does.
    pub more: bool,
}

/// Matches early signals with runs that are there. Answers how many.
pub async fn sweep(engine: &Engine, which: Sweep) -> sqlx::Result<u64> {
    let mut tx = engine.pool.begin().await?;
    let matched = unmatched::sweep(&mut tx, &engine.tenant, which, BATCH).await?;
    tx.commit().await?;
    if matched > 0 {
        engine.hint_due();
    }
    Ok(matched)
}

/// One round of everything but old months. What one kind of thing fails at is logged, and keeps no other from its turn.
pub async fn round(engine: &Engine, retention: &Retention) -> Kept {
    let (pool, tenant) = (&engine.pool, engine.tenant.as_str());
    tried("months made ahead", months::make_ahead(pool).await);
    while tried("early signals", sweep(engine, Sweep::All).await) > 0 {}
    // Few, but each may hold many runs; what is left over goes a minute later.
    tried("previews of bulks", bulk_sets::forget(pool, tenant, BATCH).await);
    let mut kept = Kept::default();
    for _ in 0..BATCHES_MAX {
        let archived = tried("ended runs", archive::move_ended(pool, tenant, retention.runs_days, BATCH).await);
        let forgotten = tried("archived runs", archive::forget(pool, tenant, retention.history_days, BATCH).await);
        let letters = tried("settled letters", letters::forget(pool, tenant, retention.letters_days, BATCH).await);
        let expired = tried("expiring signals", unmatched::expire(pool, tenant, retention.unmatched_days, BATCH).await);
        let signals = tried("expired signals", unmatched::forget(pool, tenant, retention.letters_days, BATCH).await);
        kept.archived += archived;
        kept.forgotten += forgotten;
        kept.letters += letters;
        kept.expired += expired;
        kept.signals += signals;
        let full = u64::try_from(BATCH).unwrap_or(u64::MAX);
        kept.more = [archived, forgotten, letters, expired, signals].contains(&full);
        if !kept.more {
            break;
        }
    }
    kept
}

/// What came of one kind of thing; nothing where it failed.
fn tried<T: Default>(what: &'static str, came: sqlx::Result<T>) -> T {
    came.unwrap_or_else(|error| {
        tracing::warn!(what, %error, "what is past could not be put away; trying again in a minute");
        T::default()
    })
}

/// Drops one month of history that is past its time, if there is one, and lines and signals that no run needs. True where
/// a month was dropped.
pub async fn months_round(engine: &Engine, retention: &Retention) -> bool {
    let (pool, tenant, days) = (&engine.pool, engine.tenant.as_str(), retention.history_days);
    let dropped = tried("old months", months::drop_oldest(pool, days).await);
    for _ in 0..BATCHES_MAX {
        if tried("old lines", months::forget_lines(pool, days, BATCH * 10).await) == 0 {
            break;
        }
    }
    for _ in 0..BATCHES_MAX {
        if tried("heard signals", archive::forget_heard(pool, tenant, days, BATCH).await) == 0 {
            break;
        }
    }
    dropped
}

/// See the module.
pub(super) struct Housekeeper {
    engine: Arc<Engine>,
    retention: Retention,
}

impl Housekeeper {
    /// Makes this month's history ready. What fails here is tried again in a minute: lines have a place in any case.
    pub(super) async fn come(engine: Arc<Engine>, retention: Retention) -> Self {
        if let Err(error) = months::make_ahead(&engine.pool).await {
            tracing::warn!(%error, "this month's history has no table of its own yet; trying again");
        }
        Self { engine, retention }
    }

    /// Keeps house until it is told to stop.
    pub(super) async fn work(self, mut stopped: watch::Receiver<bool>) {
        let began = Instant::now();
        let (mut round_at, mut months_at) = (began + SWEEP_EVERY, began + ROUND_EVERY);
        while !*stopped.borrow() {
            tokio::select! {
                () = tokio::time::sleep(SWEEP_EVERY) => {}
                _ = stopped.changed() => return,
            }
            if let Err(error) = sweep(&self.engine, Sweep::Lately).await {
                tracing::warn!(%error, "early signals could not be looked after; trying again");
            }
            let now = Instant::now();
            if now >= round_at {
                round_at = now + if self.round().await { SWEEP_EVERY } else { ROUND_EVERY };
            }
            if now >= months_at {
                months_at =
                    now + if months_round(&self.engine, &self.retention).await { ROUND_EVERY } else { MONTHS_EVERY };
            }
        }
    }

    /// True where more is waiting.
    async fn round(&self) -> bool {
        let kept = round(&self.engine, &self.retention).await;
        if kept != Kept::default() {
            tracing::info!(
                archived = kept.archived,
                forgotten = kept.forgotten,
                letters = kept.letters,
                expired = kept.expired,
                signals = kept.signals,
                "what is past was put away"
            );
        }
        kept.more
    }
}

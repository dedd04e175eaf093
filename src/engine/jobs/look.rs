//! How jobs stand, and their next ticks. Looks, and changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::core::Engine;
use super::super::store::jobs::{self as store, LastRun, Row};

/// So many ticks to come are shown.
pub const TICKS_SHOWN: usize = 10;
/// A tick that nobody has tried for so long has nobody who would.
const OVERDUE: TimeDelta = TimeDelta::minutes(1);

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Waits for its next tick.
    Waiting,
    /// The last start failed; it is tried again.
    Failing,
    /// A tick has been due for more than a minute: no worker that knows the job is at work.
    Overdue,
    /// A person has paused it.
    Paused,
    /// No tick is left.
    Ended,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Failing, Self::Overdue, Self::Paused, Self::Ended];

    /// The name on every surface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }

    /// What a job with this row is at.
    pub(in super::super) fn of(row: &Row) -> Self {
        let Some(due_at) = row.due_at else { return Self::Ended };
        if row.paused_at.is_some() {
            Self::Paused
        } else if row.now - due_at > OVERDUE {
            Self::Overdue
        } else if row.failures > 0 {
            Self::Failing
        } else {
            Self::Waiting
        }
    }
}

/// A job as it is shown.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its row.
    pub row: Row,
    /// What it is at.
    pub standing: Standing,
    /// False where this program does not declare it: another release may.
    pub known: bool,
    /// The next ticks, without jitter; for a paused job those that there would be.
    pub next_ticks: Vec<DateTime<Utc>>,
    /// The runs that were started last, those that need a look first.
    pub last_runs: Vec<LastRun>,
}

impl Seen {
    /// How many of the runs that were started last have each status.
    pub fn last_statuses(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for run in &self.last_runs {
            *counts.entry(run.status.as_str()).or_default() += 1;
        }
        counts
    }
}

/// Every job, by name.
pub async fn all(engine: &Engine) -> sqlx::Result<Vec<Seen>> {
    let rows = store::all(&engine.pool, &engine.tenant).await?;
    let mut seen = Vec::with_capacity(rows.len());
    for row in rows {
        seen.push(look(engine, row).await?);
    }
    Ok(seen)
}

/// One job.
pub async fn one(engine: &Engine, name: &str) -> sqlx::Result<Option<Seen>> {
    match store::find(&engine.pool, &engine.tenant, name).await? {
        Some(row) => Ok(Some(look(engine, row).await?)),
        None => Ok(None),
    }
}

async fn look(engine: &Engine, row: Row) -> sqlx::Result<Seen> {
    let mut last_runs = store::runs(&engine.pool, &engine.tenant, &row.last_runs).await?;
    last_runs.sort_by_key(|run| urgency(&run.status));
    let known = engine.registry.job(&row.name).is_some();
    Ok(Seen { standing: Standing::of(&row), known, next_ticks: next_ticks(&row), last_runs, row })
}

/// What needs a person comes first, what has ended well last.
fn urgency(status: &str) -> u8 {
    match status {
        "suspended" | "faulted" => 0,
        "completed" => 3,
        "cancelled" => 2,
        _ => 1,
    }
}

/// The tick that is next, though it be late, then those after now.
fn next_ticks(row: &Row) -> Vec<DateTime<Utc>> {
    let (Some(first), Some(plan)) = (row.next_tick, row.plan()) else { return Vec::new() };
    let (first, after) = if row.paused_at.is_some() { (None, row.now) } else { (Some(first), first.max(row.now)) };
    first.into_iter().chain(plan.cron.ticks_after(after)).take(TICKS_SHOWN).collect()
}

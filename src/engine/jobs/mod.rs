//! Jobs: what starts runs by the clock (rule 11).
//!
//! A job is declared in code and has one row, which says what ticks next. Whoever works tries what is due: it locks the
//! row, starts the runs of one tick and moves the row on, all in one transaction, so that any number of workers start each
//! tick once. A start that fails is recorded and tried again later; nothing ends a job but the release that no longer
//! declares it.
//!
//! | file | what |
//! |---|---|
//! | `due` | which tick is started, and which are passed over; jitter. Pure |
//! | `ticker` | a worker's round over what is due |
//! | `verbs` | what people do: pause, resume, run now |
//! | `look` | how jobs stand, and their next ticks |

mod due;
pub mod look;
mod ticker;
pub mod verbs;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::clock;
use super::core::Engine;
use super::cron::Cron;
use super::flow::{Fault, NewRun};
use super::retry::RetryPolicy;
use super::store::jobs as store;
pub(super) use due::{Decided, Planned};
pub use ticker::round;
pub(super) use ticker::work;

/// What becomes of ticks that nobody started in time: no worker ran, or starts failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They are passed over. A tick is missed when it is more than a minute late.
    Skip,
    /// The last of them is started, the others are passed over.
    One,
    /// Each is started, one after the other.
    All,
}

impl Missed {
    /// The name as stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::One => "one",
            Self::All => "all",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Skip, Self::One, Self::All].into_iter().find(|one| one.name() == name)
    }
}

/// What a tick does while a run of an earlier one has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It starts its runs all the same.
    Allow,
    /// It starts no run of the same part: that one does the work, or waits for a person.
    Skip,
}

/// When a job ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The ticks.
    pub cron: Cron,
    /// What becomes of missed ones.
    pub missed: Missed,
    /// A tick starts up to so much later; how much is derived from job and tick, the same for every worker.
    pub jitter: Duration,
}

/// A start by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// Each is one of its own.
    Once,
    /// The same name is the same start, whenever it comes again.
    Named(String),
}

/// One tick of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The job.
    pub job: &'static str,
    /// Its instant, without jitter; for a start by hand when that was.
    pub at: DateTime<Utc>,
    /// The tick after it; none where the calendar ends.
    pub until: Option<DateTime<Utc>>,
    /// A person started it, outside the plan.
    pub by_hand: Option<ByHand>,
}

impl Tick {
    /// The key of its run, or of one of its runs: the same tick has the same keys, so what was started once is not started
    /// again.
    pub fn key(&self, part: &str) -> String {
        let (job, at) = (self.job, self.at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        let key = match &self.by_hand {
            None => format!("{job}@{at}"),
            Some(ByHand::Once) => format!("{job}@{at}!"),
            Some(ByHand::Named(name)) => format!("{job}!{name}"),
        };
        if part.is_empty() { key } else { format!("{key}/{part}") }
    }

    /// The part that such a key was made of.
    pub fn part(key: &str) -> &str {
        key.split_once('/').map_or("", |(_, part)| part)
    }
}

/// Says which runs a tick starts.
#[async_trait]
pub trait Starter: Send + Sync {
    /// The runs of a tick. `key` of each is what tells it from the tick's other runs, empty where there is one; the engine
    /// puts job and tick before it. Reads our own tables in the transaction that starts the runs, writes nothing and calls
    /// nobody; it has ten seconds.
    async fn runs(&self, conn: &mut PgConnection, tenant: &str, tick: &Tick) -> Result<Vec<NewRun>, Fault>;
}

/// What starts runs by the clock.
#[derive(Clone)]
pub struct Job {
    /// Its name.
    pub name: &'static str,
    /// The workflow of its runs.
    pub workflow: &'static str,
    /// When it ticks.
    pub plan: Plan,
    /// What it does while a run of an earlier tick has not ended.
    pub overlap: Overlap,
    /// How a start that failed is tried again; when these attempts are spent, with the next tick.
    pub retry: RetryPolicy,
    /// Which runs a tick starts.
    pub starter: Arc<dyn Starter>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("name", &self.name).field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Gives every job of this program its row. A job that has one keeps it; where its expression or zone has changed, it is
/// planned anew from now on, and ticks that were missed under the old one are not made up.
pub(super) async fn register(engine: &Engine) -> sqlx::Result<()> {
    let now = clock::now(&engine.pool).await?;
    for job in engine.registry.jobs() {
        let first = job.plan.next_after(job.name, now);
        if store::register(&engine.pool, &engine.tenant, job, first).await? {
            tracing::info!(job = job.name, cron = %job.plan.cron, "a job is planned");
        }
    }
    Ok(())
}

//! Waiting for a run to end: told at once where it ends in the hands of this process, found out soon where it does elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::RunId;
use super::core::Engine;
use super::inspect::{self, Seen};
use super::store::turns::{Came, Done, Held, Rest};

/// How often is looked whether a run has ended elsewhere.
const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// Who waits for which run.
#[derive(Default)]
pub(super) struct Endings {
    awaited: Mutex<HashMap<RunId, Awaited>>,
}

struct Awaited {
    by: usize,
    ended: Arc<Notify>,
}

/// Somebody waits for this run, as long as this is held.
pub struct Ending<'a> {
    engine: &'a Engine,
    run: RunId,
    ended: Arc<Notify>,
}

impl Endings {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<RunId, Awaited>) -> R) -> R {
        act(&mut self.awaited.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These turns are committed, those among them whose fence held.
    pub(super) fn committed(&self, batch: &[Done], held: &Held) {
        self.with(|awaited| {
            if awaited.is_empty() {
                return;
            }
            let ends = |done: &&Done| matches!(&done.result, Came::Moved(to) if to.rest == Rest::Ended);
            for done in batch.iter().filter(ends).filter(|done| held.contains_key(&done.fence())) {
                if let Some(awaited) = awaited.get(&done.run) {
                    // Those who wait, and one who is about to.
                    awaited.ended.notify_waiters();
                    awaited.ended.notify_one();
                }
            }
        });
    }
}

impl Engine {
    /// Waits for this run from here on, also where it is started only afterwards.
    pub fn ending_of(&self, run: RunId) -> Ending<'_> {
        let ended = self.endings.with(|awaited| {
            let one = awaited.entry(run).or_insert_with(|| Awaited { by: 0, ended: Arc::new(Notify::new()) });
            one.by += 1;
            Arc::clone(&one.ended)
        });
        Ending { engine: self, run, ended }
    }
}

impl Ending<'_> {
    /// Returns when it has ended in the hands of a worker of this process.
    pub async fn here(&self) {
        self.ended.notified().await;
    }

    /// The run, when it has ended anywhere or after `most`; none where there is no such run.
    pub async fn within(&self, most: Duration) -> sqlx::Result<Option<Seen>> {
        let until = Instant::now() + most;
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            let run = inspect::find(&self.engine.pool, &self.engine.tenant, self.run).await?;
            if run.as_ref().is_none_or(|run| run.ended_at.is_some()) || Instant::now() >= until {
                return Ok(run);
            }
            let _ = timeout_at((Instant::now() + LOOKS_EVERY).min(until), ended).await;
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.engine.endings.with(|awaited| {
            if let Some(one) = awaited.get_mut(&self.run) {
                one.by -= 1;
                if one.by == 0 {
                    awaited.remove(&self.run);
                }
            }
        });
    }
}

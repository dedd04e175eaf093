//! What came to the door of a callback and was not believed: counted by day and reason, so that whoever connects a system sees it in
//! the inbox. It is counted in memory and written down once a second, so that whoever floods a door costs nobody else anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use tokio::sync::Notify;

use super::Desk;
use super::untaken::{self, Books};
use crate::engine::Engine;
use crate::records::callbacks::{self, Fate};
use crate::records::untaken as rows;

/// Between two writings.
const EVERY: Duration = Duration::from_secs(1);
/// What the row of what has none of its own says.
const MORE: &str = "more than so many rows a day: these are counted only";

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// It was not believed, for this reason.
    Doubted(String),
    /// It could not be taken, and stands there under this id.
    Again(String),
    /// It could not be taken, and there are too many of this fate today.
    More(Fate),
}

/// From where, and what: how often.
type Counts = BTreeMap<(&'static str, Counted), i32>;

/// What is not written down yet.
#[derive(Default)]
pub(super) struct Unbelieved {
    counts: Mutex<Counts>,
    more: Notify,
    books: Mutex<Books>,
}

impl Unbelieved {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`untaken::counted`].
    pub(super) fn untaken(&self, source: &'static str, fate: Fate, day: NaiveDate, ids: [&str; 2]) -> Option<Counted> {
        untaken::counted(&mut self.books(), (source, fate), day, ids)
    }

    pub(super) fn count(&self, source: &'static str, counted: Counted) {
        let mut counts = self.counts();
        let times = counts.entry((source, counted)).or_default();
        *times = times.saturating_add(1);
        drop(counts);
        self.more.notify_one();
    }
}

/// Begins to write down; ends with the desk.
pub(super) fn open(engine: Arc<Engine>) -> Arc<Unbelieved> {
    let kept = Arc::new(Unbelieved::default());
    let desk = Arc::downgrade(&kept);
    tokio::spawn(async move {
        while let Some(kept) = desk.upgrade() {
            let counts = std::mem::take(&mut *kept.counts());
            if counts.is_empty() {
                let _ = tokio::time::timeout(EVERY, kept.more.notified()).await;
                continue;
            }
            drop(kept);
            for ((source, counted), times) in counts {
                if let Err(error) = write(&engine, source, &counted, times).await {
                    tracing::warn!(%error, times, "callbacks that were not taken could not be counted");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    kept
}

async fn write(engine: &Engine, source: &str, counted: &Counted, times: i32) -> sqlx::Result<()> {
    let (pool, hospital) = (&engine.pool, engine.tenant.as_str());
    match counted {
        Counted::Doubted(why) => callbacks::doubt(pool, hospital, source, why, times).await,
        Counted::Again(event_id) => rows::came_again(pool, hospital, source, event_id, times).await,
        Counted::More(fate) => rows::more(pool, hospital, source, (*fate, MORE), times).await,
    }
}

impl Desk {
    /// Counts a callback from `source` that was not believed. `why` is one of few sentences, and says nothing that came with it.
    pub fn not_believed(&self, source: &'static str, why: &dyn std::fmt::Display) {
        self.unbelieved.count(source, Counted::Doubted(why.to_string()));
    }
}

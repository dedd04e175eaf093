//! What came to the door of a callback and was not believed: counted by day and reason, so that whoever connects a system sees it in
//! the inbox. It is counted in memory and written down once a second, so that whoever floods a door costs nobody else anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Desk;
use crate::engine::Engine;
use crate::records::callbacks;

/// Between two writings.
const EVERY: Duration = Duration::from_secs(1);

/// From where, and why it was not believed: how often.
type Counts = BTreeMap<(&'static str, String), i32>;

/// What is not written down yet.
#[derive(Default)]
pub(super) struct Unbelieved {
    counts: Mutex<Counts>,
    more: Notify,
}

impl Unbelieved {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
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
            for ((source, why), times) in counts {
                if let Err(error) = callbacks::doubt(&engine.pool, &engine.tenant, source, &why, times).await {
                    tracing::warn!(%error, times, "what was not believed could not be counted");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    kept
}

impl Desk {
    /// Counts a callback from `source` that was not believed. `why` is one of few sentences, and says nothing that came with it.
    pub fn not_believed(&self, source: &'static str, why: &dyn std::fmt::Display) {
        let mut counts = self.unbelieved.counts();
        let times = counts.entry((source, why.to_string())).or_default();
        *times = times.saturating_add(1);
        drop(counts);
        self.unbelieved.more.notify_one();
    }
}

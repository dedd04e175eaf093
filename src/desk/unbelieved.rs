//! What came to the door of a callback and was not believed: counted by day and reason, so that whoever connects a system sees it in
//! the inbox, and nobody fills that. What comes at the same time is counted together.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;

use super::Desk;
use crate::engine::Engine;
use crate::engine::group::Group;
use crate::records::callbacks;

/// The most that are counted at a time.
const TOGETHER_MAX: usize = 256;

/// From where, and why it was not believed.
type Doubted = (&'static str, String);

/// The door.
pub(super) type Unbelieved = Group<Doubted, ()>;

/// Opens it.
pub(super) fn open(engine: Arc<Engine>) -> Unbelieved {
    Group::start(TOGETHER_MAX, move |doubted: Vec<Doubted>| {
        let engine = Arc::clone(&engine);
        async move {
            let answers = vec![(); doubted.len()];
            let mut counts: BTreeMap<Doubted, i32> = BTreeMap::new();
            for one in doubted {
                *counts.entry(one).or_default() += 1;
            }
            for ((source, why), times) in counts {
                if let Err(error) = callbacks::doubt(&engine.pool, &engine.tenant, source, &why, times).await {
                    tracing::warn!(%error, "what was not believed could not be counted");
                }
            }
            answers
        }
        .boxed()
    })
}

impl Desk {
    /// Counts a callback from `source` that was not believed. `why` is one of few sentences, and says nothing that came with it.
    pub async fn not_believed(&self, source: &'static str, why: &(dyn std::fmt::Display + Sync)) {
        let _ = self.unbelieved.ask((source, why.to_string())).await;
    }
}

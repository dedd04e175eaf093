//! What every part of the engine shares.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::Notify;

use super::flow::Effect;
use super::registry::Registry;
use super::store::turns::{Came, Done};

/// What every part of the engine shares: the database, the tenant and the workflows.
pub struct Engine {
    /// The database.
    pub pool: PgPool,
    /// Whose runs these are.
    pub tenant: String,
    /// The workflows.
    pub registry: Registry,
    pub(super) due: Notify,
    pub(super) letters: Notify,
}

impl Engine {
    /// An engine over `pool`. It does nothing by itself: see [`worker::start`](super::worker::start).
    pub fn new(pool: PgPool, tenant: impl Into<String>, registry: Registry) -> Arc<Self> {
        Arc::new(Self { pool, tenant: tenant.into(), registry, due: Notify::new(), letters: Notify::new() })
    }

    /// Tells the workers of this process that something may be due. Only a hint: polling finds it anyway.
    pub fn hint(&self) {
        self.due.notify_one();
        self.letters.notify_one();
    }

    /// Turns of a worker may have made runs due.
    pub(super) fn hint_due(&self) {
        self.due.notify_one();
    }

    /// Tells the postman of this process, where one of these turns wrote a letter.
    pub(super) fn hint_letters_of(&self, batch: &[Done]) {
        let writes = |done: &Done| match &done.result {
            Came::Moved(to) => to.effects.iter().any(|effect| matches!(effect, Effect::Tell(_))),
            Came::Parked { .. } | Came::Failed { .. } => false,
        };
        if batch.iter().any(writes) {
            self.letters.notify_one();
        }
    }
}

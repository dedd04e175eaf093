//! What every part of the engine shares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sqlx::{PgConnection, PgPool};
use tokio::sync::{Notify, watch};

use super::endings::Endings;
use super::flow::{Effect, NewRun};
use super::limits::Limits;
use super::measure::Measures;
use super::registry::Registry;
use super::store::survey::{self, Survey};
use super::store::turns::{Came, Done};
use super::takers::{Seat, Takers};
use super::warm::Warm;

/// What every part of the engine shares: the database, the tenant and the workflows.
pub struct Engine {
    /// The database.
    pub pool: PgPool,
    /// Whose runs these are.
    pub tenant: String,
    /// The workflows.
    pub registry: Registry,
    /// What destinations can take; one that is not named here has the defaults.
    pub limits: BTreeMap<&'static str, Limits>,
    /// What is counted here.
    pub measures: Measures,
    pub(super) due: Notify,
    /// Whoever works in this process and takes runs up as they are started.
    pub(super) at_work: Mutex<Weak<Takers>>,
    pub(super) letters: Notify,
    pub(super) endings: Endings,
    pub(super) limits_hint: watch::Sender<Hints>,
    /// For calls that are short and many.
    pub(super) warm: Warm,
}

/// Database connections of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// At rest.
    pub idle: u32,
    /// In use.
    pub busy: u32,
    /// As many as there may be.
    pub max: u32,
}

/// What may matter to limits: how often the clock may have moved, and how often a person used a switch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    pub moves: u64,
    pub switches: u64,
}

impl Engine {
    /// An engine over `pool`. It does nothing by itself: see [`worker::start`](super::worker::start).
    pub fn new(pool: PgPool, tenant: impl Into<String>, registry: Registry) -> Arc<Self> {
        Self::with_limits(pool, tenant, registry, BTreeMap::new())
    }

    /// The same with what destinations can take.
    pub fn with_limits(
        pool: PgPool,
        tenant: impl Into<String>,
        registry: Registry,
        limits: BTreeMap<&'static str, Limits>,
    ) -> Arc<Self> {
        let (due, letters, limits_hint) = (Notify::new(), Notify::new(), watch::Sender::new(Hints::default()));
        let (tenant, measures) = (tenant.into(), Measures::default());
        let (at_work, endings) = (Mutex::default(), Endings::default());
        let warm = Warm::over(&pool);
        Arc::new(Self { pool, tenant, registry, limits, measures, due, at_work, letters, endings, limits_hint, warm })
    }

    /// Tells the workers of this process that something may be due. Only a hint: polling finds it anyway.
    pub fn hint(&self) {
        self.due.notify_one();
        self.letters.notify_one();
        self.limits_hint.send_modify(|hints| hints.moves += 1);
    }

    /// Tells them of runs that have been started, and of letters beside them.
    pub fn hint_of(&self, started: &[NewRun], letters: bool) {
        if started.iter().any(|run| run.due_at.is_none()) {
            self.due.notify_one();
        }
        if letters {
            self.letters.notify_one();
        }
    }

    /// Tells the workers of this process that a person used the switch of a destination.
    pub fn hint_switch(&self) {
        self.limits_hint.send_modify(|hints| hints.switches += 1);
    }

    /// A seat at the worker of this process for a run that is about to be started; none where nobody works here, or every
    /// hand is full.
    pub(super) fn seat(&self, workflow: &str, step: &str) -> Option<Seat> {
        let at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
        at_work.seat(workflow, step)
    }

    /// What a destination can take.
    pub fn limits_of(&self, destination: &str) -> Limits {
        self.limits.get(destination).copied().unwrap_or_default()
    }

    /// Does this on a connection for calls that are short and many: one statement, or one transaction that ends with it.
    pub async fn call<T>(&self, work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> sqlx::Result<T> {
        self.warm.call(work).await
    }

    /// The database connections of this process.
    pub fn connections(&self) -> Connections {
        let (size, resting) = (self.pool.size(), self.warm.resting_now());
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX).saturating_add(resting).min(size);
        Connections { idle, busy: size - idle, max: self.pool.options().get_max_connections() }
    }

    /// All figures, as Prometheus reads them.
    pub fn exposed(&self, survey: &Survey) -> String {
        self.measures.exposed(survey, self.connections())
    }

    /// How the whole stands now.
    pub async fn survey(&self) -> sqlx::Result<Survey> {
        let lanes: Vec<&str> = self.registry.lanes().into_iter().collect();
        survey::take(&self.pool, &self.tenant, &self.registry.knows(), &lanes).await
    }

    /// Turns of a worker may have made runs due.
    pub(super) fn hint_due(&self) {
        self.due.notify_one();
    }

    /// Tells the postman of this process that a letter was written.
    pub(super) fn hint_letters(&self) {
        self.letters.notify_one();
    }

    /// The same, where one of these turns wrote a letter.
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

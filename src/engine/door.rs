//! What a program does with the engine: opens it, works, starts runs, sends signals, looks at them.
//!
//! Each call is a transaction of its own. A program that must change its tables in the same one calls [`store`] with
//! its connection; what people do to runs is [`staff`](super::staff)'s.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use serde::Serialize;
use sqlx::migrate::MigrateError;
use sqlx::{Connection, PgPool};
use tracing::Instrument;

use super::commit::Committed;
use super::core::Engine;
use super::flow::{Fault, Flow, NewRun, To};
use super::handling;
use super::inspect::{self, Seen, Told};
use super::registry::Registry;
use super::store::claim::Claimed;
use super::store::turns::{Came, Done, Rest};
use super::store::{self, Outgoing, Signalled, Started};
use super::takers::Seat;
use super::worker::{self, Options, Worker};
use super::{RunId, schema, traces};

/// Lines of history that [`Engine::history`] answers at most.
const LINES_MAX: i64 = 1_000;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database did not do it, or could not be reached; the call may be repeated.
    #[error("the database did not do it: {0}")]
    Database(#[from] sqlx::Error),
    /// The engine's tables are not as this release needs them.
    #[error("the engine's tables could not be brought up to date: {0}")]
    Schema(#[from] MigrateError),
    /// A workflow could end with something owed, or in another way that it must not: it does not start.
    #[error("the workflow {workflow} is not sound: {flaws}")]
    Unsound {
        /// The workflow.
        workflow: &'static str,
        /// What the proof found.
        flaws: String,
    },
    /// No step of the workflow hears this signal.
    #[error("no step of the workflow {workflow} hears the signal {signal}")]
    UnknownSignal {
        /// The workflow.
        workflow: &'static str,
        /// The signal as it was asked for.
        signal: String,
    },
    /// The workflow has no such step to begin at, or a run's state cannot be read or written.
    #[error(transparent)]
    Run(#[from] Fault),
    /// What goes with a signal cannot be written, or a state cannot be read.
    #[error("not readable as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// A run as it stands.
#[derive(Debug, Clone)]
pub struct Found<S> {
    /// Its place and status.
    pub run: Seen,
    /// What it knows.
    pub state: S,
}

impl<S> Found<S> {
    /// True where it has come to an ending or was cancelled.
    pub fn has_ended(&self) -> bool {
        self.run.ended_at.is_some()
    }
}

impl Engine {
    /// Connects to a database, makes the engine's tables there or brings them up to date, and proves the workflows.
    /// `tenant` says whose runs these are: many may share a database.
    pub async fn open(url: &str, tenant: &str, registry: Registry) -> Result<Arc<Self>, EngineError> {
        for (workflow, proof) in registry.prove() {
            proof.map_err(|flaws| {
                let flaws = flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                EngineError::Unsound { workflow, flaws }
            })?;
        }
        let pool = PgPool::connect(url).await?;
        schema::migrate(&pool).await?;
        Ok(Self::new(pool, tenant, registry))
    }

    /// Starts a worker in this process. Any number may work on one database.
    pub async fn work(self: &Arc<Self>, options: Options) -> Result<Worker, EngineError> {
        Ok(worker::start(Arc::clone(self), options).await?)
    }

    /// Starts a run at its workflow's first step. The same key is the same run: whoever starts it again gets its id.
    pub async fn start<F: Flow>(&self, key: &str, state: &F::State) -> Result<Started, EngineError> {
        let step = F::TABLE.starts.first().copied().unwrap_or_default();
        let new = Registry::new_run::<F>(RunId::now_v7(), key.to_owned(), step, state)?;
        Ok(self.start_run(new).await?)
    }

    /// Starts a run in a transaction of its own. Where a worker of this process has a hand free, a step that acts begins
    /// there at once, and one that the state decides is decided here.
    pub async fn start_run(&self, new: NewRun) -> sqlx::Result<Started> {
        let (acts, id) = (new.due_at.is_none() && new.effects.is_empty() && new.parent.is_none(), new.id);
        let seat = acts.then(|| self.seat(new.workflow, new.step.name)).flatten();
        let mut held = false;
        if let Some(seat) = seat {
            match self.decided(&new, &seat).await {
                Some(done) => held = self.start_decided(&new, done).await?,
                None => held = self.start_held(&new, seat).await?,
            }
        }
        if held {
            return Ok(Started { id, new: true });
        }
        let mut tx = self.pool.begin().await?;
        let started = store::start(&mut tx, &self.tenant, new).await?;
        tx.commit().await?;
        self.hint();
        Ok(started)
    }

    /// The turn of a first step that its state decides, where the worker here would write it so.
    async fn decided(&self, new: &NewRun, seat: &Seat) -> Option<Done> {
        let mounted = self.registry.get(new.workflow)?;
        let (done, to) = handling::decided(&**mounted, new).await?;
        let elsewhere = to.rest != Rest::Ended && seat.leaves(new.workflow, to.chosen.next);
        (!elsewhere).then_some(done)
    }

    /// Starts a run as it rests after its first turn; false where it has to start like any other.
    async fn start_decided(&self, new: &NewRun, done: Done) -> sqlx::Result<bool> {
        let span = traces::turn(&Claimed::begun(new.clone(), DateTime::UNIX_EPOCH));
        let writes = self.warm.call(async |conn| store::start_decided(conn, &self.tenant, new, &done).await);
        let Some(now) = writes.instrument(span.clone()).await? else { return Ok(false) };
        traces::came(&span, &done.result);
        self.measures.turn((done.workflow, done.step), done.took, &done.result, &Committed::Yes(now));
        if matches!(&done.result, Came::Moved(to) if matches!(to.rest, Rest::Waits { until, .. } if until <= now)) {
            self.hint_due();
        }
        let (fence, batch) = (done.fence(), [done]);
        self.endings.committed(&batch, &HashMap::from([(fence, now)]));
        Ok(true)
    }

    /// Starts a run that is running in a worker's hands; false where there is one of its key.
    async fn start_held(&self, new: &NewRun, seat: Seat) -> sqlx::Result<bool> {
        let writes = self.warm.call(async |conn| store::start_held(conn, &self.tenant, new, seat.worker).await);
        let Some(now) = writes.await? else { return Ok(false) };
        seat.take(Claimed::begun(new.clone(), now));
        Ok(true)
    }

    /// Sends a signal to the run of this key. The same `id` is heard once; where there is no such run yet, the signal is
    /// kept for it.
    pub async fn signal<F: Flow>(
        &self,
        key: &str,
        signal: &'static str,
        id: &str,
        payload: &impl Serialize,
    ) -> Result<Signalled, EngineError> {
        let workflow = F::TABLE.name;
        if !F::TABLE.steps.iter().any(|row| row.hears.contains(&signal)) {
            return Err(EngineError::UnknownSignal { workflow, signal: signal.to_owned() });
        }
        let to = To::Key { workflow, key: key.to_owned() };
        let payload = serde_json::to_value(payload)?;
        let sent = Outgoing { to, name: signal.into(), id: id.to_owned(), payload };
        let sends = self.warm.call(async |conn| {
            let mut tx = conn.begin().await?;
            let signalled = store::signal(&mut tx, &self.tenant, &sent).await?;
            tx.commit().await?;
            Ok(signalled)
        });
        let signalled = sends.await?;
        self.hint();
        Ok(signalled)
    }

    /// The run of this key.
    pub async fn find<F: Flow>(&self, key: &str) -> Result<Option<Found<F::State>>, EngineError> {
        let Some(run) = inspect::find_key(&self.pool, &self.tenant, F::TABLE.name, key).await? else {
            return Ok(None);
        };
        let state = inspect::state(&self.pool, &self.tenant, run.id).await?.unwrap_or_default();
        Ok(Some(Found { run, state: serde_json::from_value(state)? }))
    }

    /// What happened to a run, oldest first: a line a turn, failed attempts and what people did included.
    pub async fn history(&self, run: RunId) -> Result<Vec<Told>, EngineError> {
        Ok(inspect::history(&self.pool, &self.tenant, run, 0, LINES_MAX).await?)
    }
}

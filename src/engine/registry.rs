//! The workflows that this program knows, each with the ports its handlers call, and the jobs that start them by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::RunId;
use super::flow::{Edge, Effect, Fault, Flow, NewRun, Projected, Turn, Woke};
use super::jobs::Job;
use super::preflight::Knows;
use super::proof::{self, Flaw, Proof};
use super::retry::RetryPolicy;
use super::table::{Chosen, Table};
use super::traces;

/// A workflow with its state as JSON, so that one worker can turn them all.
#[async_trait]
pub trait Mounted: Send + Sync {
    /// The declaration.
    fn table(&self) -> &'static Table;
    /// How failed steps are retried.
    fn retry(&self) -> RetryPolicy;
    /// Runs one handler and answers the new state with its choice.
    async fn handle(
        &self,
        step: &str,
        state: &Value,
        turn: &Turn,
        woke: Option<Woke<'_>>,
    ) -> Result<(Value, Chosen), Fault>;
    /// When a step stops waiting.
    fn until(&self, step: &str, state: &Value) -> Result<Option<DateTime<Utc>>, Fault>;
    /// What a run in this state must know to stand at `step`, and does not.
    fn lacks(&self, step: &str, state: &Value) -> Result<Vec<&'static str>, Fault>;
    /// A state to try `effects` on.
    fn sample(&self) -> Result<Option<Value>, Fault>;
    /// What follows from a move.
    fn effects(&self, run: RunId, edge: &Edge, state: &Value) -> Result<Vec<Effect>, Fault>;
    /// True where the workflow has tables of its own.
    fn projects(&self) -> bool;
    /// Brings the workflow's own tables in line.
    async fn project(&self, conn: &mut PgConnection, tenant: &str, moved: &[Projected<&Value>]) -> sqlx::Result<()>;
}

struct Mount<F: Flow> {
    /// None where this process only looks at runs and lets people decide.
    ports: Option<Arc<F::Ports>>,
    table: &'static Table,
    retry: RetryPolicy,
}

#[async_trait]
impl<F: Flow> Mounted for Mount<F> {
    fn table(&self) -> &'static Table {
        self.table
    }

    fn retry(&self) -> RetryPolicy {
        self.retry
    }

    async fn handle(
        &self,
        step: &str,
        state: &Value,
        turn: &Turn,
        woke: Option<Woke<'_>>,
    ) -> Result<(Value, Chosen), Fault> {
        let mut state: F::State = decode(state)?;
        let chosen = match woke {
            Some(woke) => F::decide(step, &mut state, turn, woke)?,
            None => match &self.ports {
                Some(ports) => F::act(step, &mut state, turn, ports).await?,
                None => return Err(Fault::Stop("this process has nobody to call".to_owned())),
            },
        };
        Ok((encode(&state)?, chosen))
    }

    fn until(&self, step: &str, state: &Value) -> Result<Option<DateTime<Utc>>, Fault> {
        Ok(F::until(step, &decode(state)?))
    }

    fn lacks(&self, step: &str, state: &Value) -> Result<Vec<&'static str>, Fault> {
        Ok(F::lacks(step, &decode(state)?))
    }

    fn sample(&self) -> Result<Option<Value>, Fault> {
        F::sample().as_ref().map(encode).transpose()
    }

    fn effects(&self, run: RunId, edge: &Edge, state: &Value) -> Result<Vec<Effect>, Fault> {
        Ok(F::effects(run, edge, &decode(state)?))
    }

    fn projects(&self) -> bool {
        F::PROJECTS
    }

    async fn project(&self, conn: &mut PgConnection, tenant: &str, moved: &[Projected<&Value>]) -> sqlx::Result<()> {
        let typed: Vec<Projected<F::State>> = moved
            .iter()
            .map(|one| {
                let state = F::State::deserialize(one.state).map_err(|e| sqlx::Error::Decode(e.into()))?;
                Ok(Projected { run: one.run, step: one.step, state })
            })
            .collect::<sqlx::Result<_>>()?;
        F::project(conn, tenant, &typed).await
    }
}

fn decode<S: serde::de::DeserializeOwned>(state: &Value) -> Result<S, Fault> {
    S::deserialize(state).map_err(|error| Fault::Stop(format!("the run's state cannot be read: {error}")))
}

fn encode<S: serde::Serialize>(state: &S) -> Result<Value, Fault> {
    serde_json::to_value(state).map_err(|error| Fault::Stop(format!("the run's state cannot be written: {error}")))
}

/// The workflows and jobs by name.
#[derive(Clone, Default)]
pub struct Registry {
    mounted: BTreeMap<&'static str, Arc<dyn Mounted>>,
    jobs: BTreeMap<&'static str, Job>,
}

impl Registry {
    /// Adds a workflow with the ports that its handlers call.
    #[must_use]
    pub fn with<F: Flow>(self, ports: Arc<F::Ports>) -> Self {
        self.with_retry::<F>(ports, RetryPolicy::default())
    }

    /// The same with a retry policy of its own.
    #[must_use]
    pub fn with_retry<F: Flow>(mut self, ports: Arc<F::Ports>, retry: RetryPolicy) -> Self {
        const { assert!(!F::TABLE.name.is_empty()) };
        self.mounted.insert(F::TABLE.name, Arc::new(Mount::<F> { ports: Some(ports), table: &F::TABLE, retry }));
        self
    }

    /// Adds a workflow with nobody to call: its runs can be looked at and staff can do their verbs, but no worker may
    /// work with it.
    #[must_use]
    pub fn with_nobody<F: Flow>(mut self) -> Self {
        let retry = RetryPolicy::default();
        self.mounted.insert(F::TABLE.name, Arc::new(Mount::<F> { ports: None, table: &F::TABLE, retry }));
        self
    }

    /// Adds a job.
    #[must_use]
    pub fn with_job(mut self, job: Job) -> Self {
        self.jobs.insert(job.name, job);
        self
    }

    /// Every job.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// The job of this name.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.get(name)
    }

    /// The workflow of this name.
    pub fn get(&self, workflow: &str) -> Option<&Arc<dyn Mounted>> {
        self.mounted.get(workflow)
    }

    /// All tables.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.mounted.values().map(|mounted| mounted.table())
    }

    /// What this program can run.
    pub fn knows(&self) -> Knows {
        Knows::of(self.tables().copied())
    }

    /// Every `workflow/step` that this program can handle: a worker claims nothing else.
    pub fn known_steps(&self) -> Vec<String> {
        self.knows().steps
    }

    /// Every destination that a step of this program calls.
    pub fn lanes(&self) -> BTreeSet<&'static str> {
        self.tables().flat_map(|table| table.steps.iter().filter_map(|row| row.lane)).collect()
    }

    /// The proof of every workflow.
    pub fn prove(&self) -> Vec<(&'static str, Result<Proof, Vec<Flaw>>)> {
        self.mounted.iter().map(|(name, mounted)| (*name, proof::prove_mounted(&**mounted))).collect()
    }

    /// The run that starts `workflow` at `step` with `state`.
    pub fn new_run<F: Flow>(id: RunId, key: String, step: &'static str, state: &F::State) -> Result<NewRun, Fault> {
        let row = F::TABLE
            .step(step)
            .ok_or_else(|| Fault::Stop(format!("{} has no step {step} to begin at", F::TABLE.name)))?;
        Ok(NewRun {
            id,
            workflow: F::TABLE.name,
            key,
            step: row,
            due_at: F::until(step, state),
            state: encode(state)?,
            effects: F::effects(id, &Edge { from: None, outcome: None, to: step }, state),
            parent: None,
            trace: traces::here(),
        })
    }
}

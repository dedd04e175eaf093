//! Any workflow's runs, for staff and for programs that know what they do: start, find, look inside.
//!
//! What is stored of a run leaves here masked; in the clear it is handed out by `unmask` alone.

use serde_json::Value;

use super::{Answer, Desk, DeskError};
use crate::engine::around::Around;
use crate::engine::inspect::{self, Behind, Filter, Posted, Received, Seen, Told, Why};
use crate::engine::store::Started;
use crate::engine::{Edge, Fault, NewRun, RunId, traces};
use crate::waitlist::masking::masked;
use crate::waitlist::refusal::Refusal;

/// The most signals that are shown of one run.
const INBOX_MAX: i64 = 100;

/// A run with why it stands where it stands.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The run; its status is that which people see.
    pub seen: Seen,
    /// Why it is not moving.
    pub why: Why,
}

/// The most letters that are shown of one run, and the most runs that it started.
const BESIDE_MAX: i64 = 100;

/// What belongs to a run and is not in it.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Who started it, what it owes.
    pub behind: Behind,
    /// The letters that it wrote.
    pub letters: Vec<Posted>,
    /// The runs that it started.
    pub children: Vec<Shown>,
}

impl Beside {
    pub(super) fn masked(mut self) -> Self {
        self.letters.iter_mut().for_each(|letter| letter.payload = masked(&letter.payload));
        self
    }
}

/// Everything about one run.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The run.
    pub shown: Shown,
    /// What it knows: references, never personal data.
    pub state: Value,
    /// The signals that it received.
    pub inbox: Vec<Received>,
}

impl Inspected {
    pub(super) fn with_masked_state(mut self) -> Self {
        self.state = masked(&self.state);
        self
    }

    pub(super) fn with_masked_inbox(mut self) -> Self {
        self.inbox.iter_mut().for_each(|signal| signal.payload = masked(&signal.payload));
        self
    }
}

impl Desk {
    /// Starts a run of a workflow that has one beginning; the same key is the same run. `input` is its first state.
    pub async fn start_run(&self, workflow: &str, key: &str, input: Value) -> Answer<Started> {
        let new = self.new_run(workflow, key, input)?;
        Ok(self.engine.start_run(new).await?)
    }

    fn new_run(&self, workflow: &str, key: &str, input: Value) -> Answer<NewRun> {
        let mounted = self.engine.registry.get(workflow).ok_or(DeskError::UnknownWorkflow)?;
        let table = mounted.table();
        let [start] = table.starts else { return Err(DeskError::NotStartable) };
        let row = table.step(start).ok_or(DeskError::NotStartable)?;
        let id = RunId::now_v7();
        let due_at = mounted.until(start, &input).map_err(unreadable)?;
        let effects =
            mounted.effects(id, &Edge { from: None, outcome: None, to: start }, &input).map_err(unreadable)?;
        Ok(NewRun {
            id,
            workflow: table.name,
            key: key.to_owned(),
            step: row,
            due_at,
            state: input,
            effects,
            parent: None,
            trace: traces::here(),
        })
    }

    /// Runs, newest first.
    pub async fn runs(&self, filter: Filter) -> Answer<Vec<Shown>> {
        let around = Around::look(&self.engine).await?;
        let filter = Filter { runnable: Some(around.runnable()), ..filter };
        let seen = inspect::list(&self.engine.pool, self.hospital(), &filter).await?;
        Ok(seen.into_iter().map(|seen| shown(&around, seen)).collect())
    }

    /// Everything about one run, masked.
    pub async fn run(&self, id: RunId) -> Answer<Inspected> {
        Ok(self.run_in_the_clear(id).await?.with_masked_state().with_masked_inbox())
    }

    pub(super) async fn run_in_the_clear(&self, id: RunId) -> Answer<Inspected> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let seen = inspect::find(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        let state = inspect::state(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        let inbox = inspect::inbox(pool, hospital, id, INBOX_MAX).await?;
        Ok(Inspected { shown: shown(&Around::look(&self.engine).await?, seen), state, inbox })
    }

    /// What belongs to a run and is not in it, masked.
    pub async fn beside(&self, id: RunId) -> Answer<Beside> {
        Ok(self.beside_in_the_clear(id).await?.masked())
    }

    pub(super) async fn beside_in_the_clear(&self, id: RunId) -> Answer<Beside> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let behind = inspect::behind(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        let letters = inspect::outbox(pool, hospital, id, BESIDE_MAX).await?;
        let children = Filter { parent: Some(id), most: BESIDE_MAX, ..Filter::default() };
        Ok(Beside { behind, letters, children: self.runs(children).await? })
    }

    /// A run's history, oldest first, after the line `after`.
    pub async fn history(&self, id: RunId, after: i64, most: i64) -> Answer<Vec<Told>> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        inspect::find(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        Ok(inspect::history(pool, hospital, id, after, most).await?)
    }

    /// The last lines of a run's history, oldest first.
    pub async fn last_of_history(&self, id: RunId, most: i64) -> Answer<Vec<Told>> {
        Ok(inspect::last_of_history(&self.engine.pool, self.hospital(), id, most).await?)
    }
}

fn shown(around: &Around, mut seen: Seen) -> Shown {
    let (why, status) = (around.why(&seen), around.status(&seen).to_owned());
    seen.status = status;
    Shown { seen, why }
}

fn unreadable(fault: Fault) -> DeskError {
    DeskError::Unreadable(fault.to_string())
}

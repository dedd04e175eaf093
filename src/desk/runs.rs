//! Any workflow's runs, for staff and for programs that know what they do: start, find, look inside.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Answer, Desk, DeskError};
use crate::engine::held_up::held_up;
use crate::engine::inspect::{self, Filter, Received, Seen, Told, Why};
use crate::engine::store::switch::{self, Standing};
use crate::engine::store::{self, Started};
use crate::engine::{Edge, Fault, NewRun, RunId, clock};
use crate::waitlist::refusal::Refusal;

/// The most signals that are shown of one run.
const INBOX_MAX: i64 = 100;

/// A run with why it stands where it stands.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The run.
    pub seen: Seen,
    /// Why it is not moving.
    pub why: Why,
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

impl Desk {
    /// Starts a run of a workflow that has one beginning; the same key is the same run. `input` is its first state.
    pub async fn start_run(&self, workflow: &str, key: &str, input: Value) -> Answer<Started> {
        let new = self.new_run(workflow, key, input)?;
        let mut tx = self.begin().await?;
        let started = store::start(&mut tx, self.hospital(), new).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(started)
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
            trace: None,
        })
    }

    /// Runs, newest first.
    pub async fn runs(&self, filter: &Filter) -> Answer<Vec<Shown>> {
        let now = clock::now(&self.engine.pool).await?;
        let seen = inspect::list(&self.engine.pool, self.hospital(), filter).await?;
        let there = switch::standings(&self.engine.pool, self.hospital()).await?;
        Ok(seen.into_iter().map(|seen| self.shown(seen, &there, now)).collect())
    }

    /// Everything about one run.
    pub async fn run(&self, id: RunId) -> Answer<Inspected> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let seen = inspect::find(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        let state = inspect::state(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        let inbox = inspect::inbox(pool, hospital, id, INBOX_MAX).await?;
        let there = switch::standings(pool, hospital).await?;
        Ok(Inspected { shown: self.shown(seen, &there, clock::now(pool).await?), state, inbox })
    }

    /// A run's history, oldest first, after the line `after`.
    pub async fn history(&self, id: RunId, after: i64, most: i64) -> Answer<Vec<Told>> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        inspect::find(pool, hospital, id).await?.ok_or(Refusal::NotFound)?;
        Ok(inspect::history(pool, hospital, id, after, most).await?)
    }

    fn shown(&self, seen: Seen, there: &[Standing], now: DateTime<Utc>) -> Shown {
        let known = self.engine.registry.get(&seen.workflow).is_some_and(|one| one.table().step(&seen.step).is_some());
        let held_up = if known { held_up(&seen, there, now) } else { None };
        let why = held_up.unwrap_or_else(|| inspect::why(&seen, known, now));
        Shown { seen, why }
    }
}

fn unreadable(fault: Fault) -> DeskError {
    DeskError::Unreadable(fault.to_string())
}

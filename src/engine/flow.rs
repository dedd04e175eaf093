//! What a handler sees and what it answers.
//!
//! A handler that acts may call ports; a handler that waits only decides, from what woke it. Neither writes
//! a run's rows: what follows from a move is written down by `effects` and committed with it.

use std::future::Future;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;

use super::RunId;
use super::table::{Chosen, StepRow, Table};

/// One handling of one step.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// The run.
    pub run: RunId,
    /// The database's clock when the turn began.
    pub now: DateTime<Utc>,
    /// How many attempts at this step have failed.
    pub attempt: u32,
    /// True where an earlier attempt may have called out without leaving a trace: ask before you call (E1).
    pub again: bool,
}

/// What woke a step that waits.
#[derive(Debug, Clone)]
pub enum Woke<'a> {
    /// A signal that the step hears.
    Signal {
        /// Its name in the table.
        name: &'a str,
        /// What came with it.
        payload: &'a Value,
    },
    /// The deadline has passed and no signal had arrived before it.
    Deadline,
}

/// Why a turn came to no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Try again later: nothing happened, or the next attempt asks first what happened.
    #[error("{0}")]
    Retry(String),
    /// Trying again cannot help: a person must look.
    #[error("{0}")]
    Stop(String),
    /// The call may have taken effect: the next attempt asks first (E1). Retried as `Retry` is.
    #[error("{0}")]
    Unknown(String),
}

impl Fault {
    /// The class as stored.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::Stop(_) => "stop",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The signal by which a parent hears that a child run has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildEnded {
    /// The child.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Its key.
    pub key: String,
    /// The ending that it reached; where a person cancelled it, the step at which it stood.
    pub ending: String,
    /// True where a person cancelled it.
    pub cancelled: bool,
}

/// The run that waits for another one's ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its id.
    pub run: RunId,
    /// The signal of its table that carries a [`ChildEnded`].
    pub signal: String,
}

/// A move from one step to the next. `from` is `None` when the run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The step that was left.
    pub from: Option<&'static str>,
    /// The outcome that led away from it.
    pub outcome: Option<&'static str>,
    /// The step or ending that is entered.
    pub to: &'static str,
}

/// What a move causes outside the run, written in the same transaction.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A signal to another run.
    Signal {
        /// Which run.
        to: To,
        /// The signal's name in the other workflow's table.
        name: &'static str,
        /// The same id is heard once.
        id: String,
        /// What goes with it.
        payload: Value,
    },
    /// A message to the outside, delivered at least once by the outlet of its topic.
    Tell(Letter),
    /// Another run.
    Start(NewRun),
}

/// A run to be started. Made by [`Registry::new_run`](crate::engine::Registry::new_run).
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id, if the key is new.
    pub id: RunId,
    /// The workflow.
    pub workflow: &'static str,
    /// The caller's name for it.
    pub key: String,
    /// Where it begins.
    pub step: &'static StepRow,
    /// That step's deadline; `None` for a step that acts.
    pub due_at: Option<DateTime<Utc>>,
    /// What it knows.
    pub state: Value,
    /// What starting it causes.
    pub effects: Vec<Effect>,
    /// The run that waits for its ending.
    pub parent: Option<Parent>,
    /// The W3C traceparent of what starts it.
    pub trace: Option<String>,
}

impl NewRun {
    /// The same as a child of `parent`, which hears of its ending by `signal` (a [`ChildEnded`]).
    #[must_use]
    pub fn child_of(mut self, parent: RunId, signal: &str) -> Self {
        self.parent = Some(Parent { run: parent, signal: signal.to_owned() });
        self
    }
}

/// A message to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The dedupe id that the receiver sees.
    pub id: String,
    /// Which outlet delivers it.
    pub topic: &'static str,
    /// References only, never personal data.
    pub payload: Value,
}

/// Which run a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// By its id.
    Run(RunId),
    /// By workflow and key.
    Key {
        /// The workflow.
        workflow: &'static str,
        /// The key.
        key: String,
    },
}

/// A run after a move, for the workflow's own tables.
#[derive(Debug, Clone)]
pub struct Projected<S> {
    /// The run.
    pub run: RunId,
    /// Where it stands now.
    pub step: &'static str,
    /// What it knows now.
    pub state: S,
}

/// A workflow, as `flow!` implements it.
pub trait Flow: Send + Sync + 'static {
    /// What a run knows.
    type State: Serialize + DeserializeOwned + Send + Sync;
    /// What its handlers may call.
    type Ports: Send + Sync + 'static;
    /// The declaration.
    const TABLE: Table;
    /// True where the workflow has tables of its own (see [`Self::project`]).
    const PROJECTS: bool;

    /// Runs the handler of a step that acts.
    fn act(
        step: &str,
        state: &mut Self::State,
        turn: &Turn,
        ports: &Self::Ports,
    ) -> impl Future<Output = Result<Chosen, Fault>> + Send;

    /// Runs the handler of a step that waits.
    fn decide(step: &str, state: &mut Self::State, turn: &Turn, woke: Woke<'_>) -> Result<Chosen, Fault>;

    /// When a step that waits stops waiting; `None` for one that acts.
    fn until(step: &str, state: &Self::State) -> Option<DateTime<Utc>>;

    /// What a run in this state must know to stand at `step`, and does not: asked where a person leads it there.
    fn lacks(step: &str, state: &Self::State) -> Vec<&'static str>;

    /// A state to try `effects` on, for the proof that endings are told; `None` where every ending is quiet.
    fn sample() -> Option<Self::State>;

    /// What follows from a move.
    fn effects(run: RunId, edge: &Edge, state: &Self::State) -> Vec<Effect>;

    /// Brings the workflow's own tables in line with these runs, in the transaction that moves them.
    fn project<'a>(
        conn: &'a mut PgConnection,
        tenant: &'a str,
        moved: &'a [Projected<Self::State>],
    ) -> BoxFuture<'a, sqlx::Result<()>>;
}

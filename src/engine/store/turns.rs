//! The commit of a batch of turns: one call over arrays, whatever the size of the batch.
//!
//! Each turn is fenced by itself. A turn whose fence fails changes nothing and is answered as lost; its batch-mates
//! are not touched by that.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::error::DatabaseError;
use sqlx::{PgConnection, PgExecutor};

use super::super::RunId;
use super::super::flow::{ChildEnded, Effect, To};
use super::super::sizes::{self, Stored};
use super::super::table::{Chosen, Priority};
use super::signal::{self, Outgoing};

/// A turn that is ready to be committed.
#[derive(Debug, Clone)]
pub struct Done {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: &'static str,
    /// The fence.
    pub generation: i32,
    /// How many turns were committed before this one.
    pub turn: i32,
    /// Failed attempts before this one.
    pub attempt: i32,
    /// Signals that this worker has seen.
    pub seen: i32,
    /// The step that was handled.
    pub step: &'static str,
    /// How long handling took.
    pub took: Duration,
    /// What came of it.
    pub result: Came,
}

/// What came of a turn.
#[derive(Debug, Clone)]
pub enum Came {
    /// The run moves.
    Moved(Box<Move>),
    /// It was woken for nothing that its step hears: it waits on.
    Parked {
        /// Until when.
        until: DateTime<Utc>,
        /// What its step hears.
        hears: &'static [&'static str],
    },
    /// The step failed; it is tried again after `wait`, or suspended where there is none.
    Failed {
        /// How long.
        wait: Option<Duration>,
        /// The class of the fault (see [`Fault::class`](crate::engine::Fault::class)).
        class: &'static str,
        /// Why, without personal data.
        error: String,
    },
}

/// A move to another step or an ending.
#[derive(Debug, Clone)]
pub struct Move {
    /// The decision.
    pub chosen: Chosen,
    /// The new state.
    pub state: Value,
    /// What woke the step, where it waited: a signal's name or `deadline`.
    pub woke: Option<String>,
    /// True where the move stands only if no signal has arrived that it did not see.
    pub by_signals: bool,
    /// The id of the signal that was heard.
    pub heard: Option<String>,
    /// The ids of those that a step which acted had before it, and that asked for no more.
    pub absorbed: Vec<String>,
    /// Where the run rests afterwards.
    pub rest: Rest,
    /// What follows from the move.
    pub effects: Vec<Effect>,
    /// The destination that the next step calls, as stored.
    pub lane: &'static str,
    /// The next step's priority.
    pub priority: Priority,
    /// The obligations that are open from here on.
    pub owes: Vec<String>,
    /// Where the run ends: the run that waits for that, as far as it is known. It hears of it (see [`ChildEnded`]).
    pub parent: Option<RunId>,
    /// Where a person moves it: who, and why.
    pub said: Option<String>,
}

/// Where a run rests after a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// It does not: the same worker handles the next step.
    GoesOn,
    /// Until a signal that the step hears, or the instant.
    Waits {
        /// The step's deadline.
        until: DateTime<Utc>,
        /// What the step hears.
        hears: &'static [&'static str],
    },
    /// The next step is due, and whoever has a pass for its lane handles it.
    Queues,
    /// It has ended.
    Ended,
}

/// The turns whose fence held, by run and generation (a batch can hold two generations of one run), and the database's
/// clock then.
pub type Held = HashMap<(RunId, i32), DateTime<Utc>>;

impl Move {
    /// True where this signal is read with the move.
    pub fn reads(&self, signal: &str) -> bool {
        self.heard.as_deref() == Some(signal) || self.absorbed.iter().any(|one| one == signal)
    }
}

impl Done {
    /// What its fence goes by.
    pub fn fence(&self) -> (RunId, i32) {
        (self.run, self.generation)
    }
}

/// Commits what can be committed of `batch` (in an open transaction) and answers the turns whose fence held.
pub async fn commit(conn: &mut PgConnection, tenant: &str, batch: &[Done]) -> sqlx::Result<Held> {
    let also = signalled(conn, tenant, batch).await?;
    let written = write(&mut *conn, tenant, false, also, batch).await?;
    let reports = reports(batch, &written);
    let held = fences(written);
    let done: Vec<&Done> = batch.iter().filter(|done| held.contains_key(&done.fence())).collect();
    let effects = moves(&done)
        .flat_map(|(done, to)| to.effects.iter().map(|effect| (done.run, effect)))
        .filter(|(_, effect)| !matches!(effect, Effect::Tell(_)))
        .map(|(run, effect)| (run, effect.clone()))
        .collect();
    super::write_effects(conn, tenant, effects).await?;
    signal::deliver(conn, tenant, &reports).await?;
    Ok(held)
}

/// The same for turns that cause nothing in other runs: one call, a transaction by itself. `None` where one of them turns
/// out to have a parent: nothing was written.
pub async fn commit_alone(db: impl PgExecutor<'_>, tenant: &str, batch: &[Done]) -> sqlx::Result<Option<Held>> {
    match write(db, tenant, true, Vec::new(), batch).await {
        Ok(written) => Ok(Some(fences(written))),
        Err(error) if has_parent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn has_parent(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "HB002")
}

/// A turn whose fence held, as `commit_turns` answers it: run, generation, the clock; and where the run has ended and has
/// a parent, its key, the parent and the signal by which that one hears of it.
type Written = (RunId, i32, DateTime<Utc>, Option<String>, Option<RunId>, Option<String>);

fn fences(written: Vec<Written>) -> Held {
    written.into_iter().map(|(run, generation, now, ..)| ((run, generation), now)).collect()
}

/// How the parents of the runs that have ended hear of it.
fn reports(batch: &[Done], written: &[Written]) -> Vec<Outgoing> {
    let report = |(run, generation, _, key, parent, signal): &Written| {
        let (key, parent, signal) = (key.clone()?, (*parent)?, signal.clone()?);
        let done = batch.iter().find(|done| done.fence() == (*run, *generation))?;
        let Came::Moved(to) = &done.result else { return None };
        let (workflow, ending) = (done.workflow.to_owned(), to.chosen.next.to_owned());
        Some(ChildEnded { run: *run, workflow, key, ending, cancelled: false }.signal(parent, signal))
    };
    written.iter().filter_map(report).collect()
}

impl Done {
    pub(super) fn took_ms(&self) -> i32 {
        i32::try_from(self.took.as_millis()).unwrap_or(i32::MAX)
    }

    /// True where the move starts or signals other runs.
    pub fn reaches_others(&self) -> bool {
        match &self.result {
            Came::Moved(to) => to.parent.is_some() || to.effects.iter().any(|e| !matches!(e, Effect::Tell(_))),
            Came::Parked { .. } | Came::Failed { .. } => false,
        }
    }
}

fn moves<'a>(batch: &'a [&'a Done]) -> impl Iterator<Item = (&'a Done, &'a Move)> {
    batch.iter().filter_map(|done| match &done.result {
        Came::Moved(to) => Some((*done, &**to)),
        Came::Parked { .. } | Came::Failed { .. } => None,
    })
}

/// The runs of `batch` and those that it signals.
pub(in super::super) async fn touched(
    conn: &mut PgConnection,
    tenant: &str,
    batch: &[Done],
) -> sqlx::Result<Vec<RunId>> {
    let mut runs = signalled(conn, tenant, batch).await?;
    runs.extend(batch.iter().map(|done| done.run));
    Ok(runs)
}

/// The runs that `batch` signals.
async fn signalled(conn: &mut PgConnection, tenant: &str, batch: &[Done]) -> sqlx::Result<Vec<RunId>> {
    let mut runs: Vec<RunId> = Vec::new();
    let (mut workflows, mut keys) = (Vec::new(), Vec::new());
    for done in batch {
        let Came::Moved(to) = &done.result else { continue };
        runs.extend(to.parent);
        for effect in &to.effects {
            match effect {
                Effect::Signal { to: To::Run(id), .. } => runs.push(*id),
                Effect::Signal { to: To::Key { workflow, key }, .. } => {
                    workflows.push(*workflow);
                    keys.push(key.as_str());
                }
                Effect::Tell(_) | Effect::Start(_) => {}
            }
        }
    }
    if !keys.is_empty() {
        let named: Vec<RunId> = sqlx::query_scalar(
            "select r.id from unnest($2::text[], $3::text[]) as t (workflow, key)
             join run r on r.tenant = $1 and r.workflow = t.workflow and r.key = t.key",
        )
        .bind(tenant)
        .bind(&workflows)
        .bind(&keys)
        .fetch_all(conn)
        .await?;
        runs.extend(named);
    }
    Ok(runs)
}

/// One call of `commit_turns` (migration 0011, where it says what it does; 0017 is its last form): every row by its
/// key, whatever the size of the batch.
async fn write(
    db: impl PgExecutor<'_>,
    tenant: &str,
    alone: bool,
    also: Vec<RunId>,
    batch: &[Done],
) -> sqlx::Result<Vec<Written>> {
    let (mut rows, mut letters, mut absorbed) = (Rows::default(), Letters::default(), Absorbed::default());
    for (done, nth) in batch.iter().zip(1..) {
        rows.push(done)?;
        letters.push(done, nth)?;
        absorbed.push(done, nth);
    }
    sqlx::query_as(
        "select * from commit_turns($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                    $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)",
    )
    .bind(tenant)
    .bind(alone)
    .bind(also)
    .bind(rows.run)
    .bind(rows.generation)
    .bind(rows.turn)
    .bind(rows.attempt)
    .bind(rows.seen)
    .bind(rows.by_signals)
    .bind(rows.step)
    .bind(rows.took_ms)
    .bind(rows.did)
    .bind(rows.status)
    .bind(rows.next)
    .bind(rows.due)
    .bind(rows.hears)
    .bind(rows.lane)
    .bind(rows.priority)
    .bind(rows.owes)
    .bind(rows.state)
    .bind(rows.woke)
    .bind(rows.heard)
    .bind(rows.outcome)
    .bind(rows.said)
    .bind(rows.wait_s)
    .bind(rows.error)
    .bind(rows.fault)
    .bind(letters.turn)
    .bind(letters.id)
    .bind(letters.topic)
    .bind(letters.payload)
    .bind(absorbed.turn)
    .bind(absorbed.id)
    .fetch_all(db)
    .await
}

/// The turns of a batch, column by column.
#[derive(Default)]
struct Rows<'a> {
    run: Vec<RunId>,
    generation: Vec<i32>,
    turn: Vec<i32>,
    attempt: Vec<i32>,
    seen: Vec<i32>,
    by_signals: Vec<bool>,
    step: Vec<&'static str>,
    took_ms: Vec<i32>,
    did: Vec<&'static str>,
    status: Vec<&'static str>,
    due: Vec<Option<DateTime<Utc>>>,
    hears: Vec<String>,
    // Of moves only: where it does not move, a run's place does not change.
    next: Vec<Option<&'static str>>,
    lane: Vec<Option<&'static str>>,
    priority: Vec<Option<i16>>,
    owes: Vec<Option<String>>,
    state: Vec<Option<&'a Value>>,
    woke: Vec<Option<&'a str>>,
    heard: Vec<Option<&'a str>>,
    outcome: Vec<Option<&'static str>>,
    said: Vec<Option<&'a str>>,
    // Of failed attempts only.
    wait_s: Vec<Option<f64>>,
    error: Vec<Option<&'a str>>,
    fault: Vec<Option<&'static str>>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, done: &'a Done) -> sqlx::Result<()> {
        let (did, status, due, hears) = match &done.result {
            Came::Moved(to) => {
                sizes::check(Stored::State, &to.state)?;
                let (status, due, hears) = to.rest.stored();
                ("moved", status, due, hears)
            }
            Came::Parked { until, hears } => ("parked", "waiting", Some(*until), hears.join(",")),
            Came::Failed { wait: Some(_), .. } => ("failed", "pending", None, String::new()),
            Came::Failed { wait: None, .. } => ("failed", "suspended", None, String::new()),
        };
        self.run.push(done.run);
        self.generation.push(done.generation);
        self.turn.push(done.turn + 1);
        self.attempt.push(done.attempt);
        self.seen.push(done.seen);
        self.step.push(done.step);
        self.took_ms.push(done.took_ms());
        self.did.push(did);
        self.status.push(status);
        self.due.push(due);
        self.hears.push(hears);
        let moved = match &done.result {
            Came::Moved(to) => Some(to),
            Came::Parked { .. } | Came::Failed { .. } => None,
        };
        self.by_signals.push(moved.is_some_and(|to| to.by_signals));
        self.next.push(moved.map(|to| to.chosen.next));
        self.lane.push(moved.map(|to| to.lane));
        self.priority.push(moved.map(|to| to.priority.stored()));
        self.owes.push(moved.map(|to| to.owes.join(",")));
        self.state.push(moved.map(|to| &to.state));
        self.woke.push(moved.and_then(|to| to.woke.as_deref()));
        self.heard.push(moved.and_then(|to| to.heard.as_deref()));
        self.outcome.push(moved.map(|to| to.chosen.outcome));
        self.said.push(moved.and_then(|to| to.said.as_deref()));
        let failed = match &done.result {
            Came::Failed { wait, class, error } => Some((wait, *class, error.as_str())),
            Came::Moved(_) | Came::Parked { .. } => None,
        };
        self.wait_s.push(failed.and_then(|(wait, ..)| wait.map(|wait| wait.as_secs_f64())));
        self.fault.push(failed.map(|(_, class, _)| class));
        self.error.push(failed.map(|(.., error)| error));
        Ok(())
    }
}

impl Rest {
    /// Status, deadline and the signals that wake it, as stored.
    pub(super) fn stored(&self) -> (&'static str, Option<DateTime<Utc>>, String) {
        match self {
            Self::GoesOn => ("running", None, String::new()),
            Self::Queues => ("pending", None, String::new()),
            Self::Waits { until, hears } => ("waiting", Some(*until), hears.join(",")),
            Self::Ended => ("completed", None, String::new()),
        }
    }
}

/// The signals that turns of a batch read without hearing them, column by column; `turn` as with letters.
#[derive(Default)]
struct Absorbed<'a> {
    turn: Vec<i32>,
    id: Vec<&'a str>,
}

impl<'a> Absorbed<'a> {
    fn push(&mut self, done: &'a Done, nth: i32) {
        let Came::Moved(to) = &done.result else { return };
        self.turn.extend(to.absorbed.iter().map(|_| nth));
        self.id.extend(to.absorbed.iter().map(String::as_str));
    }
}

/// The letters of a batch, column by column; `turn` is the number of the turn in its batch.
#[derive(Default)]
struct Letters<'a> {
    turn: Vec<i32>,
    id: Vec<&'a str>,
    topic: Vec<&'static str>,
    payload: Vec<&'a Value>,
}

impl<'a> Letters<'a> {
    fn push(&mut self, done: &'a Done, nth: i32) -> sqlx::Result<()> {
        let Came::Moved(to) = &done.result else { return Ok(()) };
        for effect in &to.effects {
            let Effect::Tell(letter) = effect else { continue };
            sizes::check(Stored::Letter, &letter.payload)?;
            self.turn.push(nth);
            self.id.push(&letter.id);
            self.topic.push(letter.topic);
            self.payload.push(&letter.payload);
        }
        Ok(())
    }
}

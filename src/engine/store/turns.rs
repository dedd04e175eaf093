//! The commit of a batch of turns: a handful of statements over arrays, whatever the size of the batch.
//!
//! Each turn is fenced by itself. A turn whose fence fails changes nothing and is answered as lost; its batch-mates
//! are not touched by that.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

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
    /// The id of the signal that was heard.
    pub heard: Option<String>,
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
    /// Where the run ends and a parent waits for that: how it hears of it.
    pub report: Option<Outgoing>,
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

impl Done {
    /// What its fence goes by.
    pub fn fence(&self) -> (RunId, i32) {
        (self.run, self.generation)
    }
}

/// Commits what can be committed of `batch` (in an open transaction) and answers the turns whose fence held.
pub async fn commit(conn: &mut PgConnection, tenant: &str, batch: &[Done]) -> sqlx::Result<Held> {
    lock_all(conn, tenant, batch).await?;
    let moved = move_runs(conn, tenant, batch).await?;
    let mut held: Held = moved.iter().map(|row| ((row.id, row.generation), row.now)).collect();
    held.extend(set_back(conn, tenant, batch).await?);
    let done: Vec<&Done> = batch.iter().filter(|done| held.contains_key(&done.fence())).collect();
    write_states(conn, tenant, &done).await?;
    write_history(conn, tenant, &done).await?;
    mark_heard(conn, tenant, &done).await?;
    mark_late(conn, tenant, &done).await?;
    let effects = moves(&done).flat_map(|(done, to)| to.effects.iter().map(|e| (done.run, e.clone()))).collect();
    super::write_effects(conn, tenant, effects).await?;
    let reports: Vec<Outgoing> = moves(&done).filter_map(|(done, to)| report(done, to, &moved)).collect();
    signal::deliver(conn, tenant, &reports).await?;
    Ok(held)
}

/// How a parent hears of an ending. A run may have been adopted while it was in a worker's hand, so that its row knows
/// of a parent that the turn does not.
fn report(done: &Done, to: &Move, rows: &[Moved]) -> Option<Outgoing> {
    if to.report.is_some() || to.rest != Rest::Ended {
        return to.report.clone();
    }
    let row = rows.iter().find(|row| (row.id, row.generation) == done.fence())?;
    let (parent, signal) = (row.parent?, row.reports.clone()?);
    let (workflow, key, ending) = (done.workflow.to_owned(), row.key.clone(), to.chosen.next.to_owned());
    Some(ChildEnded { run: done.run, workflow, key, ending, cancelled: false }.signal(parent, signal))
}

fn moves<'a>(batch: &'a [&'a Done]) -> impl Iterator<Item = (&'a Done, &'a Move)> {
    batch.iter().filter_map(|done| match &done.result {
        Came::Moved(to) => Some((*done, &**to)),
        Came::Parked { .. } | Came::Failed { .. } => None,
    })
}

/// Locks all rows of `run` that the transaction will touch (its own, and those that moves signal) in the order of their
/// ids, so that no two batches wait for each other.
async fn lock_all(conn: &mut PgConnection, tenant: &str, batch: &[Done]) -> sqlx::Result<()> {
    let runs = touched(conn, tenant, batch).await?;
    if runs.len() == 1 {
        return Ok(());
    }
    signal::lock(conn, tenant, runs).await.map(drop)
}

/// The runs of `batch` and those that it signals.
pub(in super::super) async fn touched(
    conn: &mut PgConnection,
    tenant: &str,
    batch: &[Done],
) -> sqlx::Result<Vec<RunId>> {
    let mut runs: Vec<RunId> = Vec::new();
    let (mut workflows, mut keys) = (Vec::new(), Vec::new());
    for done in batch {
        let Came::Moved(to) = &done.result else { continue };
        if let Some(Outgoing { to: To::Run(parent), .. }) = &to.report {
            runs.push(*parent);
        }
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
        .fetch_all(&mut *conn)
        .await?;
        runs.extend(named);
    }
    runs.extend(batch.iter().map(|done| done.run));
    Ok(runs)
}

/// Moves and parks runs. `waits` turns are fenced by the signals they saw as well: a signal that arrived meanwhile
/// must be looked at before a deadline may win. A run that comes to rest with unseen signals is due at once.
async fn move_runs(conn: &mut PgConnection, tenant: &str, batch: &[Done]) -> sqlx::Result<Vec<Moved>> {
    let mut rows = MoveRows::default();
    for done in batch {
        rows.push(done);
    }
    if rows.run.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as(
        "update run r
         set step = t.step, status = t.status, turn = r.turn + t.turns, attempt = 0, again = false, last_error = null,
             fault = null, failing_since = null,
             lane = coalesce(t.lane, r.lane), priority = coalesce(t.priority, r.priority),
             owes = coalesce(string_to_array(t.owes, ','), r.owes),
             listens = string_to_array(t.hears, ','),
             due_at = case when t.status = 'pending' or (t.status = 'waiting' and r.signal_count > t.seen)
                           then engine_now() else t.due_at end,
             worker = case when t.status = 'running' then r.worker end,
             ended_at = case when t.status = 'completed' then engine_now() end,
             updated_at = engine_now()
         from unnest($2::uuid[], $3::int[], $4::int[], $5::bool[], $6::text[], $7::text[], $8::timestamptz[],
                     $9::text[], $10::int[], $11::text[], $12::smallint[], $13::text[])
              as t (id, generation, seen, waits, step, status, due_at, hears, turns, lane, priority, owes)
         where r.tenant = $1 and r.id = t.id and r.generation = t.generation and r.status = 'running'
           and (not t.waits or r.signal_count = t.seen)
         returning r.id, r.generation, engine_now() as now, r.parent, r.reports, r.key",
    )
    .bind(tenant)
    .bind(rows.run)
    .bind(rows.generation)
    .bind(rows.seen)
    .bind(rows.waits)
    .bind(rows.step)
    .bind(rows.status)
    .bind(rows.due_at)
    .bind(rows.hears)
    .bind(rows.turns)
    .bind(rows.lane)
    .bind(rows.priority)
    .bind(rows.owes)
    .fetch_all(conn)
    .await
}

/// A run that was moved or parked, as it stands now.
#[derive(sqlx::FromRow)]
struct Moved {
    id: RunId,
    generation: i32,
    now: DateTime<Utc>,
    parent: Option<RunId>,
    reports: Option<String>,
    key: String,
}

#[derive(Default)]
struct MoveRows {
    run: Vec<RunId>,
    generation: Vec<i32>,
    seen: Vec<i32>,
    waits: Vec<bool>,
    step: Vec<&'static str>,
    status: Vec<&'static str>,
    due_at: Vec<Option<DateTime<Utc>>>,
    hears: Vec<String>,
    turns: Vec<i32>,
    // These three are absent where a run is parked: its place does not change.
    lane: Vec<Option<&'static str>>,
    priority: Vec<Option<i16>>,
    owes: Vec<Option<String>>,
}

impl MoveRows {
    fn push(&mut self, done: &Done) {
        let (step, status, due_at, hears, turns, waits) = match &done.result {
            Came::Moved(to) => {
                let (status, due_at, hears) = match &to.rest {
                    Rest::GoesOn => ("running", None, String::new()),
                    Rest::Queues => ("pending", None, String::new()),
                    Rest::Waits { until, hears } => ("waiting", Some(*until), hears.join(",")),
                    Rest::Ended => ("completed", None, String::new()),
                };
                (to.chosen.next, status, due_at, hears, 1, to.woke.is_some())
            }
            // Parking changes neither step nor turn.
            Came::Parked { until, hears } => (done.step, "waiting", Some(*until), hears.join(","), 0, false),
            Came::Failed { .. } => return,
        };
        let moved = match &done.result {
            Came::Moved(to) => Some(to),
            Came::Parked { .. } | Came::Failed { .. } => None,
        };
        self.lane.push(moved.map(|to| to.lane));
        self.priority.push(moved.map(|to| to.priority.stored()));
        self.owes.push(moved.map(|to| to.owes.join(",")));
        self.run.push(done.run);
        self.generation.push(done.generation);
        self.seen.push(done.seen);
        self.waits.push(waits);
        self.step.push(step);
        self.status.push(status);
        self.due_at.push(due_at);
        self.hears.push(hears);
        self.turns.push(turns);
    }
}

/// Failed attempts: back to pending with the next instant, or suspended for a person.
async fn set_back(conn: &mut PgConnection, tenant: &str, batch: &[Done]) -> sqlx::Result<Held> {
    let (mut runs, mut generations, mut waits, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut classes = Vec::new();
    for done in batch {
        let Came::Failed { wait, class, error } = &done.result else { continue };
        classes.push(*class);
        runs.push(done.run);
        generations.push(done.generation);
        waits.push(wait.map(|wait| wait.as_secs_f64()));
        errors.push(error.as_str());
    }
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let held: Vec<(RunId, i32, DateTime<Utc>)> = sqlx::query_as(
        "update run r
         set status = case when t.wait_s is null then 'suspended' else 'pending' end,
             due_at = engine_now() + make_interval(secs => t.wait_s), attempt = r.attempt + 1,
             last_error = t.error, fault = t.class, failing_since = coalesce(r.failing_since, engine_now()),
             worker = null, updated_at = engine_now()
         from unnest($2::uuid[], $3::int[], $4::float8[], $5::text[], $6::text[])
              as t (id, generation, wait_s, error, class)
         where r.tenant = $1 and r.id = t.id and r.generation = t.generation and r.status = 'running'
         returning r.id, r.generation, engine_now()",
    )
    .bind(tenant)
    .bind(runs)
    .bind(generations)
    .bind(waits)
    .bind(errors)
    .bind(classes)
    .fetch_all(conn)
    .await?;
    Ok(held.into_iter().map(|(run, generation, now)| ((run, generation), now)).collect())
}

async fn write_states(conn: &mut PgConnection, tenant: &str, done: &[&Done]) -> sqlx::Result<()> {
    let (runs, states): (Vec<RunId>, Vec<&Value>) = moves(done).map(|(done, to)| (done.run, &to.state)).unzip();
    if runs.is_empty() {
        return Ok(());
    }
    for state in &states {
        sizes::check(Stored::State, state)?;
    }
    sqlx::query(
        "update run_state s set state = t.state from unnest($2::uuid[], $3::jsonb[]) as t (id, state)
         where s.tenant = $1 and s.run_id = t.id",
    )
    .bind(tenant)
    .bind(runs)
    .bind(states)
    .execute(conn)
    .await
    .map(drop)
}

/// One row a turn, failed ones included; a run that was woken for nothing leaves none.
async fn write_history(conn: &mut PgConnection, tenant: &str, done: &[&Done]) -> sqlx::Result<()> {
    let told: Vec<&Done> = done.iter().copied().filter(|done| !matches!(done.result, Came::Parked { .. })).collect();
    if told.is_empty() {
        return Ok(());
    }
    let moved = |done: &'_ &Done| match &done.result {
        Came::Moved(to) => (to.woke.clone(), Some(to.chosen.outcome), to.chosen.next, to.said.clone(), None),
        Came::Failed { error, class, .. } => (None, None, done.step, Some(error.clone()), Some(*class)),
        Came::Parked { .. } => (None, None, done.step, None, None),
    };
    let rows: Vec<_> = told.iter().map(moved).collect();
    sqlx::query(
        "insert into turn (tenant, run_id, turn, step, attempt, took_ms, woke, outcome, next, error, fault)
         select $1, t.* from unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::int[], $7::text[], $8::text[],
                                    $9::text[], $10::text[], $11::text[]) as t",
    )
    .bind(tenant)
    .bind(told.iter().map(|done| done.run).collect::<Vec<_>>())
    .bind(told.iter().map(|done| done.turn + 1).collect::<Vec<_>>())
    .bind(told.iter().map(|done| done.step).collect::<Vec<_>>())
    .bind(told.iter().map(|done| done.attempt).collect::<Vec<_>>())
    .bind(told.iter().map(|done| i32::try_from(done.took.as_millis()).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.0.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.as_deref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.4).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// What a run has not heard when it ends came too late: it stays visible as turn 0. Signals of which the turn knew
/// nothing are among it: a step that acts is not fenced by them.
async fn mark_late(conn: &mut PgConnection, tenant: &str, done: &[&Done]) -> sqlx::Result<()> {
    let ended: Vec<RunId> = moves(done).filter(|(_, to)| to.rest == Rest::Ended).map(|(done, _)| done.run).collect();
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query("update inbox set read_turn = 0 where tenant = $1 and run_id = any($2) and read_turn is null")
        .bind(tenant)
        .bind(ended)
        .execute(conn)
        .await
        .map(drop)
}

async fn mark_heard(conn: &mut PgConnection, tenant: &str, done: &[&Done]) -> sqlx::Result<()> {
    let (mut runs, mut ids, mut turns) = (Vec::new(), Vec::new(), Vec::new());
    for (done, to) in moves(done) {
        if let Some(heard) = &to.heard {
            runs.push(done.run);
            ids.push(heard.as_str());
            turns.push(done.turn + 1);
        }
    }
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update inbox i set read_turn = t.turn from unnest($2::uuid[], $3::text[], $4::int[]) as t (id, signal_id, turn)
         where i.tenant = $1 and i.run_id = t.id and i.signal_id = t.signal_id",
    )
    .bind(tenant)
    .bind(runs)
    .bind(ids)
    .bind(turns)
    .execute(conn)
    .await
    .map(drop)
}

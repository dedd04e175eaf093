//! The workflows of the simulation: voyages that owe a deposit, legs that are their children, bells that only listen.
//!
//! Each run keeps a logbook in its state, one entry a turn, so that what it believes can be held against what the
//! engine's tables say. Where a person leads it elsewhere, that person writes into it too.

pub mod bell;
pub mod leg;
pub mod voyage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::limits::Limits;
use houbu::engine::{Edge, Effect, Letter, Projected, Registry, RetryPolicy, RunId, Turn};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::chance::Dice;
use super::world::World;

/// The outbox topic of everybody's letters.
pub const TOPIC: &str = "port";
/// Every deadline is a multiple of so many seconds, so that clock moves and signals can meet it exactly.
pub const GRID_S: i64 = 10;

/// How steps are retried: soon, and for a person after a few times, so that both happen.
pub const RETRY: RetryPolicy = RetryPolicy {
    first: Duration::from_secs(2),
    factor: 2.0,
    cap: Duration::from_secs(30),
    attempts_max: 6,
    jitter: 0.0,
    give_up_after: None,
};

/// The sea takes few at one time and is never thought down: breakers have tests of their own.
pub const SEA: Limits = Limits {
    concurrency_max: 6,
    rate_per_s: None,
    failures_min: 100_000,
    failures_share: 1.0,
    open: Duration::from_secs(5),
    open_max: Duration::from_secs(5),
};

/// What a run knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Logbook {
    /// Its name; also its key.
    pub name: String,
    /// When it stops waiting where it waits.
    pub until: DateTime<Utc>,
    /// What it did, an entry a turn.
    pub entries: Vec<Entry>,
    /// The steps that a person led it away from, by the deed. A map, so that a patch adds to it whatever stands there.
    pub led: BTreeMap<String, String>,
}

/// One turn as the handler saw it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The step.
    pub step: String,
    /// The id of the signal that was heard.
    pub heard: Option<String>,
    /// Until when a step that waits did wait.
    pub until: Option<DateTime<Utc>>,
}

impl Logbook {
    /// A logbook without entries.
    pub fn new(name: &str, until: DateTime<Utc>) -> Self {
        Self { name: name.to_owned(), until, entries: Vec::new(), led: BTreeMap::new() }
    }

    /// One to try effects on.
    pub fn sample() -> Self {
        Self::new("sample", DateTime::UNIX_EPOCH)
    }

    fn acts(&mut self, step: &str) {
        self.entries.push(Entry { step: step.to_owned(), heard: None, until: None });
    }

    fn wakes(&mut self, step: &str, heard: Option<String>) {
        self.entries.push(Entry { step: step.to_owned(), heard, until: Some(self.until) });
    }

    /// Waits from now on for one to twelve marks of the grid.
    fn will_wait(&mut self, turn: &Turn, world: &World) {
        let marks = Dice::about(world.seed, &[&self.name, &self.count(), &"waits"]).between(1, 12);
        self.until = mark_after(turn.now, i64::try_from(marks).unwrap());
    }

    /// How many moves it knows of.
    pub fn count(&self) -> usize {
        self.entries.len() + self.led.len()
    }

    /// How often it has been at this step.
    pub fn visits(&self, step: &str) -> usize {
        let led = self.led.values().filter(|left| *left == step).count();
        self.entries.iter().filter(|entry| entry.step == step).count() + led
    }
}

/// The nth mark of the grid after an instant.
pub fn mark_after(at: DateTime<Utc>, nth: i64) -> DateTime<Utc> {
    let into_grid = at.timestamp_micros().rem_euclid(GRID_S * 1_000_000);
    at - TimeDelta::microseconds(into_grid) + TimeDelta::seconds(GRID_S * nth)
}

/// A signal that is nothing but itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Word {
    /// Its id.
    pub id: String,
}

/// The id of the run of this name: known before it is started, so that signals by id can come before it.
pub fn id_of(workflow: &str, name: &str) -> RunId {
    let mut dice = Dice::about(0, &[&workflow, &name]);
    Uuid::from_u64_pair(dice.throw(), dice.throw())
}

/// The id of the letter of a move to `to`, after which the logbook knows of `count` moves.
pub fn letter_id(run: RunId, count: usize, to: &str) -> String {
    format!("{run}:{count}:{to}")
}

/// One letter a move, numbered by the logbook.
fn letter(run: RunId, edge: &Edge, book: &Logbook) -> Effect {
    Effect::Tell(Letter {
        id: letter_id(run, book.count(), edge.to),
        topic: TOPIC,
        payload: serde_json::json!({ "entered": edge.to }),
    })
}

/// What [`project`] writes to.
pub const PLACES: &str = "create table place (run_id uuid primary key, step text not null, entries integer not null)";

async fn project(conn: &mut PgConnection, _: &str, moved: &[Projected<Logbook>]) -> sqlx::Result<()> {
    // One row after the other in the order of their ids, as any projection that meets others.
    let mut moved: Vec<&Projected<Logbook>> = moved.iter().collect();
    moved.sort_by_key(|one| one.run);
    for one in moved {
        sqlx::query(
            "insert into place (run_id, step, entries) values ($1, $2, $3)
             on conflict (run_id) do update set step = excluded.step, entries = excluded.entries",
        )
        .bind(one.run)
        .bind(one.step)
        .bind(i32::try_from(one.state.count()).unwrap())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Everything that sails or rings.
pub fn registry(world: &Arc<World>) -> Registry {
    Registry::default()
        .with_retry::<voyage::Voyage>(Arc::clone(world), RETRY)
        .with_retry::<leg::Leg>(Arc::clone(world), RETRY)
        .with_retry::<bell::Bell>(Arc::clone(world), RETRY)
}

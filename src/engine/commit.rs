//! Group commit: turns that finish together commit together.
//!
//! A flush starts as soon as the previous one ends, or beside it where it is worth one: alone on an idle system, full
//! batches under load. A batch that fails as a whole is tried turn by turn, so that one bad turn never fails its batch-mates.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::core::Engine;
use super::flow::Projected;
use super::registry::Mounted;
use super::sabotage::{Act, Point, Saboteur};
use super::sizes::TooLarge;
pub(super) use super::store::trouble::{is_refusal, met_another};
use super::store::turns::{self, Came, Done, Held};

/// The most turns of one transaction.
const BATCH_MAX: usize = 128;
/// Flushes under way at one time: while the server writes one to disk, it works on the next.
const FLUSHES: usize = 3;
/// The fewest turns for which a flush begins beside another one: what a flush costs is mostly the same for one and for many.
const WORTH_A_FLUSH: usize = 48;
/// A flush that takes longer has a connection that hangs.
const FLUSH_MAX: Duration = Duration::from_secs(30);

/// What came of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Committed {
    /// It stands; the database's clock then.
    Yes(DateTime<Utc>),
    /// The fence failed: the run is somebody else's, or a signal came first.
    Lost,
    /// The database did not say; the turn may stand or not.
    Unsure(String),
    /// A saboteur has killed the worker before its commit.
    Crashed,
    /// This turn by itself cannot be written.
    Refused(String),
}

/// A turn, and where it goes back to with what came of its commit.
type Waiting = (Done, oneshot::Sender<(Committed, Done)>);

/// The door to the committer.
#[derive(Clone)]
pub(super) struct Committer {
    door: mpsc::Sender<Waiting>,
}

impl Committer {
    /// Starts the task; it ends when the last clone of the door is dropped.
    pub(super) fn start(engine: Arc<Engine>, saboteur: Option<Arc<dyn Saboteur>>) -> Self {
        let (door, queue) = mpsc::channel::<Waiting>(BATCH_MAX * 8);
        tokio::spawn(gather(queue, Arc::new(Writer { engine, saboteur })));
        Self { door }
    }

    /// Commits one turn with whoever is there at the same time, and hands it back. `None`: the committer has ended, and the
    /// turn may stand or not.
    pub(super) async fn commit(&self, done: Done) -> Option<(Committed, Done)> {
        let (answer, answered) = oneshot::channel();
        self.door.send((done, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Gathers turns while others are being written.
async fn gather(mut queue: mpsc::Receiver<Waiting>, writer: Arc<Writer>) {
    let (mut batch, mut flushing, mut open) = (Vec::new(), JoinSet::new(), true);
    while open || !batch.is_empty() {
        let begins = flushing.is_empty() || (flushing.len() < FLUSHES && batch.len() >= WORTH_A_FLUSH);
        if begins && !batch.is_empty() {
            // Whoever is about to finish at this moment comes along.
            tokio::task::yield_now().await;
            while batch.len() < BATCH_MAX
                && let Ok(one) = queue.try_recv()
            {
                batch.push(one);
            }
            let (writer, batch) = (Arc::clone(&writer), std::mem::take(&mut batch));
            flushing.spawn(async move { writer.flush(batch).await });
            continue;
        }
        let room = BATCH_MAX - batch.len();
        tokio::select! {
            Some(_) = flushing.join_next() => {}
            came = queue.recv_many(&mut batch, room), if open && room > 0 => open = came > 0,
        }
    }
    while flushing.join_next().await.is_some() {}
}

/// Writes batches.
struct Writer {
    engine: Arc<Engine>,
    saboteur: Option<Arc<dyn Saboteur>>,
}

impl Writer {
    async fn flush(&self, waiting: Vec<Waiting>) {
        let (batch, answers): (Vec<Done>, Vec<_>) = waiting.into_iter().unzip();
        let began = Instant::now();
        let written = self.guarded(&batch).await;
        self.engine.measures.flush(began, batch.len());
        match written {
            Ok(held) => {
                self.engine.hint_letters_of(&batch);
                self.engine.endings.committed(&batch, &held);
                for (done, answer) in batch.into_iter().zip(answers) {
                    let came = held.get(&done.fence()).map_or(Committed::Lost, |now| Committed::Yes(*now));
                    let _ = answer.send((came, done));
                }
            }
            Err(error) if batch.len() > 1 && is_refusal(&error) => {
                for (done, answer) in batch.into_iter().zip(answers) {
                    let _ = answer.send((self.alone(&done).await, done));
                }
            }
            Err(error) => {
                for (done, answer) in batch.into_iter().zip(answers) {
                    let _ = answer.send((failed(&error), done));
                }
            }
        }
    }

    async fn alone(&self, done: &Done) -> Committed {
        match self.guarded(std::slice::from_ref(done)).await {
            Ok(held) => {
                self.engine.hint_letters_of(std::slice::from_ref(done));
                self.engine.endings.committed(std::slice::from_ref(done), &held);
                held.get(&done.fence()).map_or(Committed::Lost, |now| Committed::Yes(*now))
            }
            Err(error) => failed(&error),
        }
    }

    /// A workflow's own tables are written by code of its own: what panics there is refused, and takes neither its
    /// batch-mates nor the committer with it. A server that says nothing for so long leaves the outcome open.
    async fn guarded(&self, batch: &[Done]) -> sqlx::Result<Held> {
        let writing = AssertUnwindSafe(self.transaction(batch)).catch_unwind();
        match tokio::time::timeout(FLUSH_MAX, writing).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err(sqlx::Error::Encode("the workflow's tables: its projection panicked".into())),
            Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
        }
    }

    async fn transaction(&self, batch: &[Done]) -> sqlx::Result<Held> {
        let mut meetings = 0;
        loop {
            match self.attempt(batch).await {
                Err(error) if met_another(&error) && meetings < MEETINGS_MAX => meetings += 1,
                other => return other,
            }
        }
    }

    async fn attempt(&self, batch: &[Done]) -> sqlx::Result<Held> {
        let (engine, alone) = (&self.engine, |done: &Done| !done.reaches_others() && !projects(&self.engine, done));
        let dies = |done: &Done| {
            let point = Point::BeforeCommit;
            self.saboteur.as_ref().is_some_and(|one| one.at(point, done.workflow, done.step, done.run) == Act::Crash)
        };
        let mut conn = engine.warm.lend().await?;
        if batch.iter().all(alone) {
            // Written and committed by one statement: whoever dies before its commit has written nothing.
            if batch.iter().any(dies) {
                return Err(sqlx::Error::WorkerCrashed);
            }
            if let Some(held) = turns::commit_alone(&mut *conn, &engine.tenant, batch).await? {
                conn.rest();
                return Ok(held);
            }
        }
        let mut tx = conn.begin().await?;
        let held = write(engine, &mut tx, batch).await?;
        if batch.iter().filter(|done| held.contains_key(&done.fence())).any(dies) {
            return Err(sqlx::Error::WorkerCrashed);
        }
        tx.commit().await?;
        conn.rest();
        Ok(held)
    }
}

fn failed(error: &sqlx::Error) -> Committed {
    // No driver of ours has workers: only a saboteur says this.
    if matches!(error, sqlx::Error::WorkerCrashed) {
        return Committed::Crashed;
    }
    if let Some(too_large) = TooLarge::within(error) {
        return Committed::Refused(too_large.to_string());
    }
    if is_refusal(error) { Committed::Refused(error.to_string()) } else { Committed::Unsure(error.to_string()) }
}

/// How often a batch that met another transaction is tried again: the server has rolled it back for certain.
pub(super) const MEETINGS_MAX: u32 = 5;

/// Turns with all that follows from them, in an open transaction. A person's answer or jump is written here too.
pub(super) async fn write(engine: &Engine, conn: &mut PgConnection, batch: &[Done]) -> sqlx::Result<Held> {
    let held = turns::commit(conn, &engine.tenant, batch).await?;
    for (mounted, moved) in projections(engine, batch, &held) {
        mounted.project(conn, &engine.tenant, &moved).await?;
    }
    Ok(held)
}

fn projects(engine: &Engine, done: &Done) -> bool {
    engine.registry.get(done.workflow).is_some_and(|mounted| mounted.projects())
}

/// A workflow and those of its runs that moved.
type Projection<'a> = (&'a Arc<dyn Mounted>, Vec<Projected<&'a Value>>);

/// The moved runs by workflow, in the order of the registry.
fn projections<'a>(engine: &'a Engine, batch: &'a [Done], held: &Held) -> Vec<Projection<'a>> {
    let mut by_workflow: std::collections::BTreeMap<&str, Vec<Projected<&Value>>> = std::collections::BTreeMap::new();
    for done in batch.iter().filter(|done| held.contains_key(&done.fence())) {
        if let Came::Moved(to) = &done.result {
            let moved = Projected { run: done.run, step: to.chosen.next, state: &to.state };
            by_workflow.entry(done.workflow).or_default().push(moved);
        }
    }
    by_workflow.into_iter().filter_map(|(name, moved)| Some((engine.registry.get(name)?, moved))).collect()
}

//! The worker: claims due runs in batches, handles one step at a time, hands what came of it to the committer.
//!
//! It keeps no truth: whatever it holds in memory can be lost at any point, and the run goes on elsewhere within the
//! length of a lease. It never holds a transaction while a handler calls outside.

mod claiming;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::Instrument;
use uuid::Uuid;

use super::commit::{Committed, Committer};
use super::core::Engine;
use super::flow::Fault;
use super::handling::{failed, handle};
use super::housekeeping::{Housekeeper, Retention};
use super::jobs;
use super::lease::{HEARTBEAT, Hands, LAST_WORDS, Lease};
use super::limits::{self, Keeper, Lanes, Pass};
use super::outbox::{Outlets, Postman};
use super::registry::Mounted;
use super::releases::Releases;
use super::sabotage::{Act, Point, Saboteur};
use super::staff::clerk;
use super::store::claim::{Claimed, Unread};
use super::store::turns::{Came, Done, Rest};
use super::table::StepRow;
use super::takers::{Taken, Takers};
use super::traces;
use super::watched::watched;

/// Runs of one claim.
const CLAIM_MAX: usize = 128;
/// A worker with so many turns in hand claims no sooner than that after the last claim, unless that one was worth it: what
/// falls due meanwhile comes along.
const BUSY: usize = 8;
const CLAIM_EVERY: Duration = Duration::from_millis(3);
const FULL: usize = 16;
/// A claim for the sake of a rate alone is never sooner.
const RATE_MIN: Duration = Duration::from_millis(10);

/// How a worker works.
#[derive(Clone)]
pub struct Options {
    /// Shown to staff.
    pub name: String,
    /// Turns in hand at one time.
    pub turns_max: usize,
    /// How often it looks for due runs without a hint.
    pub poll: Duration,
    /// What delivers the letters of the outbox.
    pub outlets: Outlets,
    /// How long what is past is kept.
    pub retention: Retention,
    /// How long what is in hand may take once the worker is asked to stop; what is left then is handed back.
    pub drain_max: Duration,
    /// For tests.
    pub saboteur: Option<Arc<dyn Saboteur>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: format!("houbu-{}", std::process::id()),
            turns_max: 256,
            poll: Duration::from_millis(200),
            outlets: Outlets::default(),
            retention: Retention::default(),
            drain_max: Duration::from_secs(25),
            saboteur: None,
        }
    }
}

/// A working worker. One that is dropped stops as one that is asked to, and nobody hears of it.
pub struct Worker {
    stop: Stop,
    end: JoinHandle<u64>,
    shift: Arc<Shift>,
}

/// Tells the tasks of a worker to stop, at the latest when it is dropped.
struct Stop(watch::Sender<bool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

impl Worker {
    /// What staff see.
    pub fn name(&self) -> &str {
        &self.shift.options.name
    }

    /// Stops claiming, lets the steps and letters in hand finish, then gives up the lease. What is not finished by
    /// `drain_max` is handed back as a dead worker's is, only sooner; answers how many runs those are.
    pub async fn stop(self) -> u64 {
        drop(self.stop);
        self.end.await.unwrap_or(0)
    }
}

/// What works while a worker works, and what ends after that.
struct AtWork {
    tasks: Vec<JoinHandle<()>>,
    lease: JoinHandle<u64>,
    keeper: JoinHandle<()>,
    ended: watch::Sender<bool>,
    drain_max: Duration,
}

impl AtWork {
    /// The end, once the tasks are told to stop: see [`Worker::stop`].
    async fn end(mut self, mut stopped: watch::Receiver<bool>) -> u64 {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        let all = futures::future::join_all(&mut self.tasks);
        if tokio::time::timeout(self.drain_max, all).await.is_err() {
            tracing::warn!("what is in hand takes too long; it is handed back");
            self.tasks.iter().for_each(JoinHandle::abort);
        }
        self.ended.send_replace(true);
        let _ = tokio::time::timeout(LAST_WORDS, self.keeper).await;
        self.lease.await.unwrap_or(0)
    }
}

/// Starts a worker.
pub async fn start(engine: Arc<Engine>, options: Options) -> sqlx::Result<Worker> {
    let (id, hands) = (Uuid::now_v7(), Arc::new(Hands::default()));
    jobs::register(&engine).await?;
    let housekeeper = Housekeeper::come(Arc::clone(&engine), options.retention).await;
    let names = engine.registry.lanes();
    let lanes = Lanes::new(
        id,
        names.clone(),
        options.outlets.lanes(),
        u32::try_from(options.turns_max / 2).unwrap_or(u32::MAX),
    );
    let releases = Arc::new(Releases::new(engine.registry.knows()));
    let lease = Lease::take(
        Arc::clone(&engine),
        id,
        options.name.clone(),
        Arc::clone(&releases),
        Arc::clone(&hands),
        Arc::clone(&lanes),
    )
    .await?;
    let keeper = Keeper::begin(Arc::clone(&engine), id, Arc::clone(&lanes), &options.outlets.routes()).await?;
    let turns = Arc::new(Semaphore::new(options.turns_max));
    let behind = Arc::new(AtomicBool::new(false));
    let postman = Postman::new(
        Arc::clone(&engine),
        id,
        Arc::clone(&hands),
        Arc::clone(&lanes),
        options.outlets.clone(),
        options.poll,
        Arc::clone(&behind),
    );
    let (stop, stopped) = watch::channel(false);
    let (door, taken) = mpsc::unbounded_channel();
    let takers = Arc::new(Takers {
        worker: id,
        turns,
        lanes: Arc::clone(&lanes),
        releases: Arc::clone(&releases),
        stopped: stopped.clone(),
        door,
    });
    *engine.at_work.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&takers);
    let shift = Arc::new(Shift {
        id,
        releases,
        stopped: stopped.clone(),
        committer: Committer::start(Arc::clone(&engine), options.saboteur.clone()),
        options,
        engine,
        hands,
        lanes,
        names,
        rounds: AtomicU64::new(0),
        short: AtomicBool::new(false),
        behind,
    });
    let (ended, until) = watch::channel(false);
    // Bulks are in no hurry: they have a rate of their own.
    let clerk = clerk::work(Arc::clone(&shift.engine), shift.options.poll * 4, stopped.clone());
    let ticker = jobs::work(Arc::clone(&shift.engine), shift.options.poll * 4, stopped.clone());
    let mut ends = stopped.clone();
    let warm = {
        let engine = Arc::clone(&shift.engine);
        async move { engine.warm.keep(ends.changed()).await }
    };
    let tasks = vec![
        watched(&shift.engine, "warm connections", warm),
        watched(&shift.engine, "claims and turns", Arc::clone(&shift).work(takers, taken, stopped.clone())),
        watched(&shift.engine, "postman", postman.work(stopped.clone())),
        watched(&shift.engine, "clerk", clerk),
        watched(&shift.engine, "ticker", ticker),
        watched(&shift.engine, "housekeeper", housekeeper.work(stopped.clone())),
    ];
    let keeper = watched(&shift.engine, "keeper of limits", keeper.keep(until.clone()));
    let lease = tokio::spawn(lease.keep(until));
    let at_work = AtWork { tasks, lease, keeper, ended, drain_max: shift.options.drain_max };
    Ok(Worker { stop: Stop(stop), end: tokio::spawn(at_work.end(stopped)), shift })
}

/// One worker's working life.
struct Shift {
    id: Uuid,
    releases: Arc<Releases>,
    stopped: watch::Receiver<bool>,
    committer: Committer,
    options: Options,
    engine: Arc<Engine>,
    hands: Arc<Hands>,
    lanes: Arc<Lanes>,
    names: BTreeSet<&'static str>,
    rounds: AtomicU64,
    /// The last round left something due behind, or may have.
    short: AtomicBool,
    /// More is due than there are hands for: the last round had all that it asked for, or could ask for nothing.
    behind: Arc<AtomicBool>,
}

impl Shift {
    async fn work(
        self: Arc<Self>,
        takers: Arc<Takers>,
        mut taken: mpsc::UnboundedReceiver<Taken>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let turns = Arc::clone(&takers.turns);
        // Ends with this task, wherever its turns stand.
        let (mut driving, mut claimed_at, mut full) = (JoinSet::new(), Instant::now(), false);
        while !*stopped.borrow() {
            while driving.try_join_next().is_some() {}
            // A worker that stood still may be thought dead: it takes nothing up before it lives again.
            let free = if self.lanes.is_trusted() { turns.available_permits().min(CLAIM_MAX) } else { 0 };
            // Some hands stay for what is started here meanwhile.
            let free = free - free / 4;
            let in_hand = self.options.turns_max - turns.available_permits();
            self.engine.measures.goes_round(in_hand, self.options.turns_max);
            let hands = u32::try_from(free).ok().and_then(|free| Arc::clone(&turns).try_acquire_many_owned(free).ok());
            let (free, mut hands) = hands.map_or((0, None), |hands| (free, Some(hands)));
            let claim = async {
                if in_hand >= BUSY && !full {
                    tokio::time::sleep_until((claimed_at + CLAIM_EVERY).into()).await;
                }
                if free == 0 { Vec::new() } else { self.claim(free).await }
            };
            let claimed = self.beside(&mut taken, &mut driving, claim).await;
            (claimed_at, full) = (Instant::now(), claimed.len() >= FULL);
            self.short.store(free == 0 || !claimed.is_empty(), Ordering::Relaxed);
            self.behind.store(claimed.len() >= free, Ordering::Relaxed);
            if claimed.is_empty() {
                // Where a rate alone holds something up, the next pass is there before the next poll.
                let wait =
                    self.lanes.wait().map_or(self.options.poll, |wait| wait.max(RATE_MIN).min(self.options.poll));
                drop(hands);
                let rest = async {
                    tokio::select! {
                        () = self.engine.due.notified() => {}
                        () = self.lanes.freed_for_runs.notified() => {}
                        () = tokio::time::sleep(wait) => {}
                        _ = stopped.changed() => {}
                    }
                };
                self.beside(&mut taken, &mut driving, rest).await;
                continue;
            }
            for (run, unread, pass) in claimed {
                // Asked to stop while the claim was under way.
                if *stopped.borrow() {
                    self.hand_back(&run, false).await;
                    continue;
                }
                // There are at least as many as runs were claimed.
                let Some(permit) = hands.as_mut().and_then(|hands| hands.split(1)) else { break };
                driving.spawn(Arc::clone(&self).drive(run, unread, pass, permit));
            }
        }
        // Whatever was started while the worker was asked to stop comes to a hand as well.
        drop(takers);
        while let Some((run, permit)) = taken.recv().await {
            driving.spawn(Arc::clone(&self).drive(run, Vec::new(), None, permit));
        }
        while driving.join_next().await.is_some() {}
    }

    /// Takes up what is started here until something else is there: nothing becomes due by that.
    async fn beside<T>(
        self: &Arc<Self>,
        taken: &mut mpsc::UnboundedReceiver<Taken>,
        driving: &mut JoinSet<()>,
        other: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(other);
        loop {
            tokio::select! {
                biased;
                Some((run, permit)) = taken.recv() => {
                    driving.spawn(Arc::clone(self).drive(run, Vec::new(), None, permit));
                }
                done = &mut other => return done,
            }
        }
    }

    /// Handles steps of one run until it rests.
    async fn drive(
        self: Arc<Self>,
        mut run: Claimed,
        mut unread: Vec<Unread>,
        mut pass: Option<Pass>,
        permit: OwnedSemaphorePermit,
    ) {
        let in_hand = self.hands.run(run.id, run.generation);
        // It has ended and made nothing else due.
        let mut alone = false;
        loop {
            if self.sabotage(Point::BeforeCall, &run) == Act::Crash {
                break self.hand_back(&run, true).await;
            }
            let Some((mounted, row)) = self.step_of(&run) else { break self.hand_back(&run, false).await };
            let Ok(own) = self.pass_for(row, pass.take()).await else { break self.put_back(&run, row).await };
            let began = Instant::now();
            let handling = AssertUnwindSafe(handle(&**mounted, row, &run, &unread)).catch_unwind();
            let span = traces::turn(&run);
            let (came, said) = limits::listening(handling.instrument(span.clone())).await;
            let mut came =
                came.unwrap_or_else(|_| failed(&**mounted, &run, &Fault::Stop("the handler panicked".to_owned())));
            if let Some(own) = own {
                own.tell_turn(&came, said);
            }
            if matches!(came, Came::Parked { .. }) && self.releases.leaves(&run.workflow, row.name) {
                break self.hand_back(&run, false).await;
            }
            match self.sabotage(Point::AfterCall, &run) {
                Act::Nothing => {}
                Act::Crash => break self.hand_back(&run, true).await,
                Act::Fail => came = failed(&**mounted, &run, &Fault::Retry("sabotaged".to_owned())),
            }
            self.rest_elsewhere(&run, &mut came);
            pass = self.lanes.pass_on(&mut came);
            if let Came::Failed { wait: None, error, .. } = &came {
                tracing::error!(run = %run.id, workflow = run.workflow, step = run.step, error, "run suspended");
            }
            let done = Done {
                run: run.id,
                workflow: mounted.table().name,
                generation: run.generation,
                turn: run.turn,
                attempt: run.attempt,
                seen: run.signal_count,
                step: row.name,
                took: began.elapsed(),
                result: came,
            };
            traces::came(&span, &done.result);
            let Some((committed, done)) = self.committer.commit(done).instrument(span).await else {
                break self.unsure(&run, "the committer has ended").await;
            };
            self.engine.measures.turn((done.workflow, done.step), done.took, &done.result, &committed);
            if matches!(committed, Committed::Yes(_)) && self.sabotage(Point::AfterCommit, &run) == Act::Crash {
                break self.hand_back(&run, true).await;
            }
            match (committed, done.result) {
                (Committed::Yes(now), Came::Moved(to)) if to.rest == Rest::GoesOn => {
                    unread.retain(|signal| !to.reads(&signal.signal_id));
                    to.chosen.next.clone_into(&mut run.step);
                    run.state = to.state;
                    run.turn += 1;
                    run.attempt = 0;
                    run.again = false;
                    run.failing_since = None;
                    run.owes = to.owes;
                    run.now = now;
                }
                (Committed::Yes(_), Came::Moved(to)) => {
                    alone = to.rest == Rest::Ended && to.effects.is_empty() && run.parent.is_none();
                    break;
                }
                (Committed::Yes(_), _) => break,
                (Committed::Lost, _) => break self.hand_back(&run, false).await,
                (Committed::Crashed, _) => break self.hand_back(&run, true).await,
                (Committed::Unsure(error), _) => break self.unsure(&run, &error).await,
                (Committed::Refused(error), _) => {
                    tracing::error!(run = %run.id, workflow = run.workflow, step = run.step, error, "turn refused");
                    let error = format!("the turn cannot be written: {error}");
                    let result = Came::Failed { wait: None, class: "stop", error };
                    if let Some((Committed::Yes(_), _)) = self.committer.commit(Done { result, ..done }).await {
                        break;
                    }
                    // Nothing can be written of it: the step would call outside again and again.
                    tokio::time::sleep(HEARTBEAT).await;
                    break self.hand_back(&run, true).await;
                }
            }
        }
        drop((in_hand, permit));
        if !alone || self.short.load(Ordering::Relaxed) {
            self.engine.hint_due();
        }
    }

    /// A turn may stand or not.
    async fn unsure(&self, run: &Claimed, error: &str) {
        tracing::warn!(run = %run.id, workflow = run.workflow, step = run.step, error, "a commit was not confirmed; the step will look again");
        // Whatever it is, it is not over at once, and the step would call outside again and again.
        tokio::time::sleep(HEARTBEAT).await;
        self.hand_back(run, true).await;
    }

    /// A run comes to rest before its next step where this worker is asked to stop, or leaves that step to others: it is
    /// due there, for whoever claims it.
    fn rest_elsewhere(&self, run: &Claimed, came: &mut Came) {
        let Came::Moved(to) = came else { return };
        let stops = to.rest == Rest::GoesOn && *self.stopped.borrow();
        let leaves = to.rest != Rest::Ended && self.releases.leaves(&run.workflow, to.chosen.next);
        if stops || leaves {
            to.rest = Rest::Queues;
        }
    }

    fn step_of(&self, run: &Claimed) -> Option<(&Arc<dyn Mounted>, &'static StepRow)> {
        let mounted = self.engine.registry.get(&run.workflow)?;
        Some((mounted, mounted.table().step(&run.step)?))
    }

    fn sabotage(&self, point: Point, run: &Claimed) -> Act {
        self.options.saboteur.as_ref().map_or(Act::Nothing, |one| one.at(point, &run.workflow, &run.step, run.id))
    }
}

//! A worker's lease: renewed while the worker lives, and what is left behind taken over.
//!
//! Two things are left behind: what a worker without a lease held, and what the database believes this worker to hold
//! although no task of it does (the reply to a claim was lost, the end of a letter could not be written).

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::sync::watch;
use uuid::Uuid;

use super::RunId;
use super::core::Engine;
use super::limits::Lanes;
use super::releases::Releases;
use super::store::crew;
use super::store::{claim, letters};

/// How long a worker that says nothing is thought alive.
pub(super) const LEASE: Duration = Duration::from_secs(4);
/// What giving up the lease may take; it ends by itself soon.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);
/// A dead worker's runs move on within this: its lease, and the beat of another one that finds it ended.
pub const MOVES_ON_WITHIN: Duration = Duration::from_secs(5);
const _: () = assert!(LEASE.as_millis() + HEARTBEAT.as_millis() <= MOVES_ON_WITHIN.as_millis());
/// How often it says so; also how often it is looked for what was left behind.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);

/// What the tasks of a worker truly have in hand.
#[derive(Default)]
pub(super) struct Hands {
    runs: Held<(RunId, i32)>,
    letters: Held<String>,
}

impl Hands {
    pub(super) fn run(self: &Arc<Self>, run: RunId, generation: i32) -> InHand<(RunId, i32)> {
        InHand::take(self, (run, generation), |hands| &hands.runs)
    }

    pub(super) fn letter(self: &Arc<Self>, id: String) -> InHand<String> {
        InHand::take(self, id, |hands| &hands.letters)
    }
}

struct Held<T>(Mutex<HashSet<T>>);

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Eq + Hash + Clone> Held<T> {
    fn with<R>(&self, act: impl FnOnce(&mut HashSet<T>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those of `believed` that nobody holds.
    fn strays(&self, believed: Vec<T>) -> HashSet<T> {
        self.with(|held| believed.into_iter().filter(|one| !held.contains(one)).collect())
    }
}

/// One thing in hand, until it is dropped.
pub(super) struct InHand<T: Eq + Hash + Clone> {
    hands: Arc<Hands>,
    what: T,
    of: fn(&Hands) -> &Held<T>,
}

impl<T: Eq + Hash + Clone> InHand<T> {
    fn take(hands: &Arc<Hands>, what: T, of: fn(&Hands) -> &Held<T>) -> Self {
        of(hands).with(|held| held.insert(what.clone()));
        Self { hands: Arc::clone(hands), what, of }
    }
}

impl<T: Eq + Hash + Clone> Drop for InHand<T> {
    fn drop(&mut self) {
        (self.of)(&self.hands).with(|held| held.remove(&self.what));
    }
}

/// See the module.
pub(super) struct Lease {
    engine: Arc<Engine>,
    worker: Uuid,
    name: String,
    releases: Arc<Releases>,
    hands: Arc<Hands>,
    lanes: Arc<Lanes>,
}

impl Lease {
    /// Takes the lease.
    pub(super) async fn take(
        engine: Arc<Engine>,
        worker: Uuid,
        name: String,
        releases: Arc<Releases>,
        hands: Arc<Hands>,
        lanes: Arc<Lanes>,
    ) -> sqlx::Result<Self> {
        let lease = Self { engine, worker, name, releases, hands, lanes };
        lease.renew_and_reap().await?;
        Ok(lease)
    }

    /// In one transaction, so that a worker that was thought dead never takes over what it has taken up again itself.
    /// Answers how many runs it took over.
    async fn renew_and_reap(&self) -> sqlx::Result<u64> {
        let (engine, asked_at) = (&self.engine, Instant::now());
        let mut conn = engine.pool.acquire().await?;
        let (sent_at, waited) = (Instant::now(), asked_at.elapsed());
        let mut tx = conn.begin().await?;
        claim::heartbeat(&mut tx, &engine.tenant, self.worker, &self.name, self.releases.ours(), LEASE.as_secs_f64())
            .await?;
        let runs = claim::reap(&mut tx, &engine.tenant).await?;
        tx.commit().await?;
        self.lanes.renewed(sent_at);
        engine.measures.heartbeat(waited);
        Ok(runs)
    }

    /// Keeps it until the worker has nothing in hand any more, then gives it up. Answers how many runs are handed back
    /// with it.
    pub(super) async fn keep(self, mut ended: watch::Receiver<bool>) -> u64 {
        let mut strays = Strays::default();
        while !*ended.borrow() {
            // A connection that hangs must not take the lease with it: the next beat has another one.
            match tokio::time::timeout(LEASE, self.beat(&mut strays)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the worker's lease could not be renewed"),
                Err(_) => tracing::warn!("the worker's lease could not be renewed: the database does not answer"),
            }
            tokio::select! {
                () = tokio::time::sleep(HEARTBEAT) => {}
                _ = ended.changed() => {}
            }
        }
        self.engine.measures.retires();
        match tokio::time::timeout(LAST_WORDS, self.give_up()).await {
            Ok(Ok(runs)) => return runs,
            Ok(Err(error)) => tracing::warn!(%error, "the worker could not give up its lease; it ends by itself"),
            Err(_) => tracing::warn!("the worker could not give up its lease in time; it ends by itself"),
        }
        0
    }

    /// From here on the worker is dead, and what it still holds is taken over as a dead worker's is.
    async fn give_up(&self) -> sqlx::Result<u64> {
        let mut tx = self.engine.pool.begin().await?;
        claim::retire(&mut tx, &self.engine.tenant, self.worker).await?;
        let runs = claim::leave(&mut tx, &self.engine.tenant, self.worker).await?;
        tx.commit().await?;
        Ok(runs)
    }

    async fn beat(&self, before: &mut Strays) -> sqlx::Result<()> {
        let (pool, tenant) = (&self.engine.pool, self.engine.tenant.as_str());
        let runs = self.renew_and_reap().await?;
        if runs > 0 {
            tracing::warn!(runs, "took over the runs of a dead worker");
            self.engine.hint();
        }
        let others = crew::other_releases(pool, tenant, self.worker, self.releases.ours()).await?;
        let ears = self.releases.meets(&others);
        if !ears.is_empty() && crew::give_ears(pool, tenant, &ears).await? > 0 {
            self.engine.hint();
        }
        // Seen once, a stray may be a claim whose reply is on its way; seen twice, nobody has it.
        let strays = Strays {
            runs: self.hands.runs.strays(claim::in_hand(pool, tenant, self.worker).await?),
            letters: self.hands.letters.strays(letters::in_hand(pool, tenant, self.worker).await?),
        };
        for (run, generation) in strays.runs.intersection(&before.runs) {
            tracing::warn!(%run, "a run was in no hand; it goes on");
            claim::release(pool, tenant, *run, *generation, true).await?;
        }
        let letters: Vec<String> = strays.letters.intersection(&before.letters).cloned().collect();
        if !letters.is_empty() {
            letters::release(pool, tenant, self.worker, &letters).await?;
        }
        *before = strays;
        Ok(())
    }
}

#[derive(Default)]
struct Strays {
    runs: HashSet<(RunId, i32)>,
    letters: HashSet<String>,
}

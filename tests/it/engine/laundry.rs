//! Two releases of one workflow: a laundry that irons, and one that folds instead and lets customers call things back.
//! The second no longer knows `Ironing`, the first neither `Folding` nor the signal `Recalled`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::worker::{self, Options, Worker};
use houbu::engine::{Edge, Effect, Engine, NewRun, Registry, RunId, store};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::works::{RETRY, TENANT, Works, morning};

/// What a shirt knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shirt {
    pub until: DateTime<Utc>,
}

impl Shirt {
    fn sample() -> Self {
        Self { until: DateTime::UNIX_EPOCH }
    }
}

/// It is clean.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clean {}

/// The customer wants it back as it is. Only the new release has heard of that.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recalled {}

/// The irons: each shirt takes one.
pub struct Irons {
    pub free: Semaphore,
    pub asked: AtomicUsize,
}

fn until(shirt: &Shirt) -> DateTime<Utc> {
    shirt.until
}

fn effects(_: RunId, _: &Edge, _: &Shirt) -> Vec<Effect> {
    Vec::new()
}

/// Nothing happens here, so that there is a step to go on to.
#[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
async fn passes<T>(outcome: T) -> Result<T, houbu::engine::Fault> {
    Ok(outcome)
}

pub mod old {
    use std::sync::atomic::Ordering;

    use houbu::engine::{Fault, Turn};
    use houbu::flow;

    use super::{Clean, Irons, Shirt, effects, passes, until};

    flow! {
        /// A shirt on its way through the laundry.
        Laundry = "laundry";
        state Shirt; ports Irons; obligations ; emits effects;
        starts Shelf, Sorting; ends Fetched, Lost;
        sample Shirt::sample;

        /// Looks what it is.
        Sorting = sorting by state { Sorted -> Shelf }
        /// Until it is clean.
        Shelf = shelf on Clean until until { Clean -> Ironing, Never -> Lost }
        /// Takes an iron.
        Ironing = ironing { Ironed -> Hanging }
        /// Onto the rail.
        Hanging = hanging { Hung -> Fetched }
    }

    const fn sorting(_: &mut Shirt) -> outcome::Sorting {
        outcome::Sorting::Sorted
    }

    fn shelf(_: &mut Shirt, _: &Turn, woke: woke::Shelf) -> outcome::Shelf {
        match woke {
            woke::Shelf::Clean(_) => outcome::Shelf::Clean,
            woke::Shelf::Deadline => outcome::Shelf::Never,
        }
    }

    async fn ironing(_: &mut Shirt, _: &Turn, irons: &Irons) -> Result<outcome::Ironing, Fault> {
        irons.asked.fetch_add(1, Ordering::SeqCst);
        irons.free.acquire().await.map_err(|closed| Fault::Stop(closed.to_string()))?.forget();
        Ok(outcome::Ironing::Ironed)
    }

    async fn hanging(_: &mut Shirt, _: &Turn, _: &Irons) -> Result<outcome::Hanging, Fault> {
        passes(outcome::Hanging::Hung).await
    }
}

pub mod new {
    use houbu::engine::{Fault, Turn};
    use houbu::flow;

    use super::{Clean, Irons, Recalled, Shirt, effects, passes, until};

    flow! {
        /// The same, folded.
        Laundry = "laundry";
        state Shirt; ports Irons; obligations ; emits effects;
        starts Shelf, Sorting; ends Fetched, Lost;
        sample Shirt::sample;

        /// Looks what it is.
        Sorting = sorting by state { Sorted -> Shelf }
        /// Until it is clean, or wanted back.
        Shelf = shelf on Clean, Recalled until until { Clean -> Folding, Recalled -> Fetched, Never -> Lost }
        /// Into a square.
        Folding = folding { Folded -> Fetched }
    }

    const fn sorting(_: &mut Shirt) -> outcome::Sorting {
        outcome::Sorting::Sorted
    }

    fn shelf(_: &mut Shirt, _: &Turn, woke: woke::Shelf) -> outcome::Shelf {
        match woke {
            woke::Shelf::Clean(_) => outcome::Shelf::Clean,
            woke::Shelf::Recalled(_) => outcome::Shelf::Recalled,
            woke::Shelf::Deadline => outcome::Shelf::Never,
        }
    }

    async fn folding(_: &mut Shirt, _: &Turn, _: &Irons) -> Result<outcome::Folding, Fault> {
        passes(outcome::Folding::Folded).await
    }
}

/// One release of the laundry, as a program of its own on the database of the works.
pub struct Release {
    pub engine: Arc<Engine>,
    pub irons: Arc<Irons>,
    name: &'static str,
}

impl Release {
    /// The one that irons. Its irons are hot from the beginning unless a test takes them away.
    pub fn old(works: &Works) -> Self {
        Self::of(works, "old", |registry, irons| registry.with_retry::<old::Laundry>(irons, RETRY))
    }

    /// The one that folds.
    pub fn new(works: &Works) -> Self {
        Self::of(works, "new", |registry, irons| registry.with_retry::<new::Laundry>(irons, RETRY))
    }

    fn of(works: &Works, name: &'static str, mount: fn(Registry, Arc<Irons>) -> Registry) -> Self {
        let irons = Arc::new(Irons { free: Semaphore::new(100_000), asked: 0.into() });
        let registry = mount(Registry::default(), Arc::clone(&irons));
        Self { engine: Engine::new(works.db.pool.clone(), TENANT, registry), irons, name }
    }

    pub async fn worker(&self) -> Worker {
        self.worker_with(Options::default()).await
    }

    pub async fn worker_with(&self, options: Options) -> Worker {
        let options = Options { poll: Duration::from_millis(5), name: self.name.to_owned(), ..options };
        worker::start(Arc::clone(&self.engine), options).await.unwrap()
    }

    /// Nobody gets an iron until the test gives some.
    pub fn takes_the_irons(&self) {
        self.irons.free.forget_permits(usize::MAX);
    }

    pub async fn is_ironing(&self, works: &Works, times: usize) {
        works.wait_for("an iron to be asked for", || async { self.irons.asked.load(Ordering::SeqCst) == times }).await;
    }

    /// A new shirt that stands at this step, where both releases have the step by this name.
    pub fn new_shirt(step: &'static str, key: &str) -> NewRun {
        let shirt = Shirt { until: morning() + TimeDelta::hours(1) };
        Registry::new_run::<old::Laundry>(Uuid::now_v7(), key.to_owned(), step, &shirt).unwrap()
    }

    /// It is there.
    pub async fn shirt(&self, step: &'static str, key: &str) -> RunId {
        let run = Self::new_shirt(step, key);
        let mut tx = self.engine.pool.begin().await.unwrap();
        let started = store::start(&mut tx, TENANT, run).await.unwrap();
        tx.commit().await.unwrap();
        self.engine.hint();
        started.id
    }
}

//! The workers of a simulation, each as a process of its own: a runtime, connections and an engine that it shares with
//! nobody. So it can be killed at any point, and its connections can be cut.

use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use houbu::engine::Engine;
use houbu::engine::housekeeping::Retention;
use houbu::engine::outbox::Outlets;
use houbu::engine::worker::{self, Options, Worker};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::harbour::{self, SEA, TOPIC};
use super::mischief::{Mischief, OfWorker};
use super::stage::TENANT;
use super::world::{Port, World};

/// The most workers at one time.
const HANDS_MAX: usize = 4;
/// What is past stays where it is: the judge looks at it.
const FOR_EVER: Retention =
    Retention { runs_days: 36_500, history_days: 36_500, letters_days: 36_500, unmatched_days: 36_500 };

/// One worker.
struct Hand {
    worker: Worker,
    engine: Arc<Engine>,
    process: Process,
}

/// The runtime of a worker. Ends as by `kill -9` when it is dropped.
struct Process(Option<Runtime>);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// All workers.
pub struct Crew {
    database: PgConnectOptions,
    world: Arc<World>,
    mischief: Arc<Mischief>,
    hands: Mutex<Vec<Hand>>,
    leaving: Mutex<Vec<JoinHandle<()>>>,
    hired: Mutex<u32>,
}

impl Crew {
    pub fn new(database: PgConnectOptions, world: Arc<World>, mischief: Arc<Mischief>) -> Self {
        quiet_about_the_killed();
        let (hands, leaving) = (Mutex::default(), Mutex::default());
        Self { database, world, mischief, hands, leaving, hired: Mutex::new(0) }
    }

    /// How the connections of workers are called.
    pub const CALLED: &str = "a hand of the simulation";

    /// A worker begins, unless there are enough. A worker whose first connections are cut is no worker.
    pub async fn hire(&self) {
        if self.hands.lock().unwrap().len() >= HANDS_MAX {
            return;
        }
        let name = {
            let mut hired = self.hired.lock().unwrap();
            *hired += 1;
            format!("hand {hired}")
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name(&name).enable_all().build().unwrap();
        let process = Process(Some(runtime));
        let saboteur = OfWorker { name: name.clone(), mischief: Arc::clone(&self.mischief) };
        let options = Options {
            name,
            turns_max: 24,
            poll: Duration::from_millis(40),
            outlets: Outlets::default().with(TOPIC, Arc::new(Port(Arc::clone(&self.world)))),
            retention: FOR_EVER,
            saboteur: Some(Arc::new(saboteur)),
            ..Options::default()
        };
        let (database, registry) = (self.database.clone(), harbour::registry(&self.world));
        let begun = process.0.as_ref().unwrap().spawn(async move {
            let pool = PgPoolOptions::new().max_connections(8).connect_with(database.application_name(Self::CALLED));
            let engine = Engine::with_limits(pool.await?, TENANT, registry, [("sea", SEA)].into());
            let worker = worker::start(Arc::clone(&engine), options).await?;
            Ok::<_, sqlx::Error>((worker, engine))
        });
        if let Ok(Ok((worker, engine))) = begun.await {
            self.hands.lock().unwrap().push(Hand { worker, engine, process });
        }
    }

    /// Everybody looks whether something is due.
    pub fn look(&self) {
        for hand in self.hands.lock().unwrap().iter() {
            hand.engine.hint();
        }
    }

    /// The name of one of them, if anybody is there.
    pub fn name(&self, which: u64) -> Option<String> {
        let hands = self.hands.lock().unwrap();
        nth(which, hands.len()).map(|nth| hands[nth].worker.name().to_owned())
    }

    /// One of them stops, in its own time.
    pub fn dismiss(&self, which: u64) {
        let Some(Hand { worker, process, .. }) = self.take(which) else { return };
        let leaves = tokio::spawn(async move {
            let runtime = process.0.as_ref().map(Runtime::handle).unwrap();
            let _ = runtime.spawn(worker.stop()).await;
        });
        self.leaving.lock().unwrap().push(leaves);
    }

    /// One of them is gone at once. Answers its name: nobody has told the database.
    pub fn kill(&self, which: u64) -> Option<String> {
        self.take(which).map(|hand| hand.worker.name().to_owned())
    }

    fn take(&self, which: u64) -> Option<Hand> {
        let mut hands = self.hands.lock().unwrap();
        nth(which, hands.len()).map(|nth| hands.remove(nth))
    }

    /// Everybody stops and has stopped.
    pub async fn leave(&self) {
        while self.name(0).is_some() {
            self.dismiss(0);
        }
        let leaving = std::mem::take(&mut *self.leaving.lock().unwrap());
        futures::future::join_all(leaving).await;
    }

    /// How many there are.
    pub fn many(&self) -> usize {
        self.hands.lock().unwrap().len()
    }
}

fn nth(which: u64, of: usize) -> Option<usize> {
    usize::try_from(which.checked_rem(u64::try_from(of).ok()?)?).ok()
}

/// What a killed worker's last task says when it finds its runtime gone is no news; everything else is.
fn quiet_about_the_killed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let killed = info.payload_as_str().is_some_and(|words| words.contains("it is being shutdown"));
            let of_the_crew = std::thread::current().name().is_some_and(|name| name.starts_with("hand "));
            if !(killed && of_the_crew) {
                loud(info);
            }
        }));
    });
}

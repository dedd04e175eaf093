//! The shop at work: a database, an engine on it, and workers when a test wants them.

use std::future::Future;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::Engine;
use houbu::engine::jobs::Job;
use houbu::engine::outbox::{Delivery, Outlet, Outlets};
use houbu::engine::retry::RetryPolicy;
use houbu::engine::store::claim;
use houbu::engine::store::letters::Claimed;
use houbu::engine::store::{self, Outgoing, Signalled, Started};
use houbu::engine::worker::{self, Options, Worker};
use houbu::engine::{Fault, Registry, RunId, To, clock};
use serde_json::Value;
use uuid::Uuid;

use super::shop::{Order, SHELF, ShopOrder, Step, TOPIC, Warehouse};
use crate::cluster::Database;
use crate::patience;

/// Whose runs these are.
pub const TENANT: &str = "shop";
/// What a handler says that breaks because a test wants it.
pub const ON_PURPOSE: &str = "broken on purpose";

/// When every test begins.
pub fn morning() -> DateTime<Utc> {
    "2026-09-01T00:00:00Z".parse().unwrap()
}

/// How the shop's steps are retried: 10 s, 20 s, 40 s, then a person.
pub const RETRY: RetryPolicy = RetryPolicy {
    first: Duration::from_secs(10),
    factor: 2.0,
    cap: Duration::from_mins(1),
    attempts_max: 4,
    ..RetryPolicy::PATIENT
};

/// The shop, its engine and its database.
pub struct Works {
    pub db: Database,
    pub engine: Arc<Engine>,
    pub warehouse: Arc<Warehouse>,
}

/// Accepts every letter.
pub struct LetterBox;

#[async_trait]
impl Outlet for LetterBox {
    async fn deliver(&self, _: &Claimed) -> Result<Delivery, Fault> {
        Ok(Delivery::Sent("accepted".to_owned()))
    }
}

/// A run's row.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub step: String,
    pub status: String,
    pub attempt: i32,
    pub turn: i32,
    pub due_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}

impl Works {
    /// A shop whose clock shows [`morning`]; nobody works yet.
    pub async fn new() -> Self {
        Self::with_jobs([]).await
    }

    /// The same with what starts orders by the clock.
    pub async fn with_jobs(jobs: impl IntoIterator<Item = Job>) -> Self {
        Self::on(Database::new().await, jobs).await
    }

    /// The same on this database.
    pub async fn on(db: Database, jobs: impl IntoIterator<Item = Job>) -> Self {
        quiet_about_purpose();
        sqlx::raw_sql(SHELF).execute(&db.pool).await.unwrap();
        clock::set(&db.pool, morning()).await.unwrap();
        let warehouse = Arc::new(Warehouse::default());
        let registry = Registry::default().with_retry::<ShopOrder>(Arc::clone(&warehouse), RETRY);
        let registry = super::baskets::mounted(registry);
        let registry = jobs.into_iter().fold(registry, Registry::with_job);
        let engine = Engine::new(db.pool.clone(), TENANT, registry);
        Self { db, engine, warehouse }
    }

    /// A worker begins; its letters are accepted by whoever gets them.
    pub async fn worker(&self) -> Worker {
        self.worker_with(Outlets::default().with(TOPIC, Arc::new(LetterBox))).await
    }

    /// A worker that delivers letters begins.
    pub async fn worker_with(&self, outlets: Outlets) -> Worker {
        let options = Options { poll: Duration::from_millis(5), outlets, ..Options::default() };
        worker::start(Arc::clone(&self.engine), options).await.unwrap()
    }

    /// An order that is to be paid within the hour.
    pub async fn order(&self, name: &str) -> RunId {
        self.start(name).await.id
    }

    pub async fn start(&self, name: &str) -> Started {
        let order = Order::new(name, morning() + TimeDelta::hours(1));
        let new = Registry::new_run::<ShopOrder>(Uuid::now_v7(), name.to_owned(), Step::Payment.name(), &order);
        let mut tx = self.db.pool.begin().await.unwrap();
        let started = store::start(&mut tx, TENANT, new.unwrap()).await.unwrap();
        tx.commit().await.unwrap();
        self.engine.hint();
        started
    }

    /// A signal arrives.
    pub async fn signal(&self, run: RunId, name: &'static str, id: &str, payload: Value) -> Signalled {
        let mut tx = self.db.pool.begin().await.unwrap();
        let signal = Outgoing { to: To::Run(run), name: name.into(), id: id.to_owned(), payload };
        let came = store::signal(&mut tx, TENANT, &signal).await.unwrap();
        tx.commit().await.unwrap();
        self.engine.hint();
        came
    }

    pub async fn pays(&self, run: RunId) -> Signalled {
        self.signal(run, "Paid", "money", serde_json::json!({ "cents": 100 })).await
    }

    pub async fn collects(&self, run: RunId) -> Signalled {
        self.signal(run, "Collected", "hands", serde_json::json!({})).await
    }

    /// The clock shows `after` since the morning.
    pub async fn clock_shows(&self, after: TimeDelta) {
        self.clock_at(morning() + after).await;
    }

    pub async fn clock_at(&self, at: DateTime<Utc>) {
        clock::set(&self.db.pool, at).await.unwrap();
        self.engine.hint();
    }

    /// Waits until no turn and no letter is due or in hand.
    pub async fn still(&self) {
        self.wait_for("stillness", || async {
            let mut conn = self.db.pool.acquire().await.unwrap();
            !claim::busy(&mut conn, TENANT).await.unwrap()
        })
        .await;
    }

    /// Everybody who is at work is thought dead, and what they hold is taken over; answers how many runs. In one
    /// transaction, so that no heartbeat comes between the two.
    pub async fn all_leases_end(&self) -> u64 {
        let mut tx = self.db.pool.begin().await.unwrap();
        sqlx::query("update worker set lease_until = clock_timestamp() - interval '1 second'")
            .execute(&mut *tx)
            .await
            .unwrap();
        let runs = claim::reap(&mut tx, TENANT).await.unwrap();
        tx.commit().await.unwrap();
        runs
    }

    /// Waits for something that workers do.
    pub async fn wait_for<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        patience::wait_for(what, holds).await;
    }

    pub async fn row(&self, run: RunId) -> Row {
        sqlx::query_as("select step, status, attempt, turn, due_at, last_error from run where tenant = $1 and id = $2")
            .bind(TENANT)
            .bind(run)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// What happened, a line a turn: the step, what woke it, what was decided.
    pub async fn story(&self, run: RunId) -> Vec<String> {
        let rows: Vec<(String, Option<String>, Option<String>)> =
            sqlx::query_as("select step, woke, outcome from turn where tenant = $1 and run_id = $2 order by seq")
                .bind(TENANT)
                .bind(run)
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        rows.into_iter()
            .map(|(step, woke, outcome)| {
                let woke = woke.map(|woke| format!(" on {woke}")).unwrap_or_default();
                format!("{step}{woke}: {}", outcome.as_deref().unwrap_or("failed"))
            })
            .collect()
    }

    /// The turn that heard a signal: none where none has yet, 0 where it came too late.
    pub async fn read_turn(&self, run: RunId, signal_id: &str) -> Option<i32> {
        sqlx::query_scalar("select read_turn from inbox where tenant = $1 and run_id = $2 and signal_id = $3")
            .bind(TENANT)
            .bind(run)
            .bind(signal_id)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// The ends of the letters that this run wrote, in order of their writing.
    pub async fn letters(&self, run: RunId) -> Vec<String> {
        sqlx::query_scalar("select payload->>'entered' from outbox where tenant = $1 and run_id = $2 order by id")
            .bind(TENANT)
            .bind(run)
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    /// Where the shop's own table says that an order stands.
    pub async fn on_shelf(&self, name: &str) -> Option<String> {
        sqlx::query_scalar("select step from shelf where order_name = $1")
            .bind(name)
            .fetch_optional(&self.db.pool)
            .await
            .unwrap()
    }

    /// The end of a test: workers stop, nothing is in hand, nobody keeps a lease.
    pub async fn close(self, workers: Vec<Worker>) {
        for worker in workers {
            worker.stop().await;
        }
        let left: (i64, i64) = sqlx::query_as(
            "select (select count(*) from worker where lease_until > clock_timestamp()),
                    (select count(*) from run where status = 'running')",
        )
        .fetch_one(&self.db.pool)
        .await
        .unwrap();
        assert_eq!(left, (0, 0), "leases and runs in hand after the workers stopped");
        self.db.remove().await;
    }
}

/// A panic that a test wants leaves no words in the tests' output; any other does.
fn quiet_about_purpose() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str().is_none_or(|words| words != ON_PURPOSE) {
                loud(info);
            }
        }));
    });
}

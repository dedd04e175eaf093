//! Jobs: a shop that fills its shelves by the clock. Each tick is started once, late ones as was agreed, and nothing ends
//! a job.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::cron::Cron;
use houbu::engine::jobs::look::{self, Seen, Standing};
use houbu::engine::jobs::{Job, Missed, Overlap, Plan, Starter, Tick, round};
use houbu::engine::outbox::Outlets;
use houbu::engine::worker::{Options, Worker, start};
use houbu::engine::{Engine, Fault, NewRun, Registry, RetryPolicy};
use sqlx::PgConnection;
use uuid::Uuid;

use super::shop::{Order, ShopOrder, Step, TOPIC};
use super::works::{LetterBox, ON_PURPOSE, TENANT, Works, morning};

/// How a start goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The starter says that it cannot.
    Refuses,
    /// The starter panics after something of it has been written.
    Burns,
    /// A statement of the starter's is refused.
    Breaks,
}

/// Orders for the shelves: one a tick and shelf, unless something is wrong with the next start.
#[derive(Default)]
pub struct Restock {
    pub shelves: Vec<&'static str>,
    troubles: Mutex<VecDeque<Trouble>>,
}

impl Restock {
    pub fn meets(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.troubles.lock().unwrap().extend(troubles);
    }
}

#[async_trait]
impl Starter for Restock {
    async fn runs(&self, conn: &mut PgConnection, tenant: &str, tick: &Tick) -> Result<Vec<NewRun>, Fault> {
        assert_eq!(tenant, TENANT);
        let trouble = self.troubles.lock().unwrap().pop_front();
        let statement = match trouble {
            Some(Trouble::Refuses) => return Err(Fault::Retry("the list of shelves is lost".to_owned())),
            Some(Trouble::Breaks) => "insert into shelf (order_name, step) values ('cursed', 'Counter')",
            Some(Trouble::Burns) => "insert into shelf (order_name, step) values ('half', 'Payment')",
            None => "select 1",
        };
        sqlx::query(statement).execute(&mut *conn).await.map_err(|error| Fault::Retry(error.to_string()))?;
        assert_ne!(trouble, Some(Trouble::Burns), "{ON_PURPOSE}");
        let order = |shelf: &&str| {
            let order = Order::new(shelf, tick.until.unwrap());
            Registry::new_run::<ShopOrder>(Uuid::now_v7(), (*shelf).to_owned(), Step::Payment.name(), &order)
        };
        self.shelves.iter().map(order).collect()
    }
}

/// How a start is tried again: 10 s, 20 s, then with the next tick.
const RETRY: RetryPolicy =
    RetryPolicy { first: Duration::from_secs(10), factor: 2.0, attempts_max: 3, jitter: 0.0, ..RetryPolicy::PATIENT };

/// A job of the shop; its ticks in the zone of Shanghai.
pub fn job(name: &'static str, cron: &str, missed: Missed, starter: &Arc<Restock>) -> Job {
    let cron = Cron::new(cron, chrono_tz::Asia::Shanghai).unwrap();
    let plan = Plan { cron, missed, jitter: Duration::ZERO };
    Job { name, workflow: "shop_order", plan, overlap: Overlap::Allow, retry: RETRY, starter: Arc::clone(starter) as _ }
}

pub fn shelves(shelves: &[&'static str]) -> Arc<Restock> {
    Arc::new(Restock { shelves: shelves.to_vec(), ..Restock::default() })
}

pub fn after(minutes: i64) -> DateTime<Utc> {
    morning() + TimeDelta::minutes(minutes)
}

impl Works {
    /// A program of another release begins: the same shop with these jobs.
    pub async fn worker_of(&self, jobs: impl IntoIterator<Item = Job>) -> (Arc<Engine>, Worker) {
        let registry = Registry::default().with::<ShopOrder>(Arc::clone(&self.warehouse));
        let registry = jobs.into_iter().fold(registry, Registry::with_job);
        let engine = Engine::new(self.db.pool.clone(), TENANT, registry);
        let outlets = Outlets::default().with(TOPIC, Arc::new(LetterBox));
        let options = Options { poll: Duration::from_millis(5), outlets, ..Options::default() };
        (Arc::clone(&engine), start(engine, options).await.unwrap())
    }

    /// How a job stands.
    pub async fn job(&self, name: &str) -> Seen {
        look::one(&self.engine, name).await.unwrap().expect("the job has a row")
    }

    /// The keys of the runs that a job started, in their order, without its name.
    pub async fn ticked(&self, name: &str) -> Vec<String> {
        let prefix = format!("{name}@");
        let keys: Vec<String> = sqlx::query_scalar("select key from run where starts_with(key, $1) order by key")
            .bind(&prefix)
            .fetch_all(&self.db.pool)
            .await
            .unwrap();
        keys.into_iter().map(|key| key.trim_start_matches(&prefix).to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_start_each_tick_once() {
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::All, &shelves(&["bread", "milk"]))]).await;
    let workers = vec![works.worker().await, works.worker().await];
    for minutes in [10, 20, 50] {
        works.clock_at(after(minutes)).await;
        works.still().await;
    }
    let times = ["00:10:00", "00:20:00", "00:30:00", "00:40:00", "00:50:00"];
    let expected: Vec<String> =
        times.iter().flat_map(|time| ["bread", "milk"].map(|shelf| format!("2026-09-01T{time}Z/{shelf}"))).collect();
    assert_eq!(works.ticked("restock").await, expected);
    let seen = works.job("restock").await;
    assert_eq!((seen.row.last_tick, seen.row.next_tick), (Some(after(50)), Some(after(60))));
    assert_eq!(seen.last_statuses().into_iter().collect::<Vec<_>>(), [("waiting", 2)]);
    assert_eq!((seen.standing, seen.known, seen.row.missed_from), (Standing::Waiting, true, None));
    works.close(workers).await;
}

/// Without workers: many rounds at the same moment, on as many connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_at_the_same_moment_start_a_tick_once() {
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::One, &shelves(&[""]))]).await;
    works.worker().await.stop().await;
    for minutes in [10, 20, 30, 40] {
        works.clock_at(after(minutes)).await;
        futures::future::try_join_all((0..8).map(|_| round(&works.engine))).await.unwrap();
    }
    let expected = ["2026-09-01T00:10:00Z", "2026-09-01T00:20:00Z", "2026-09-01T00:30:00Z", "2026-09-01T00:40:00Z"];
    assert_eq!(works.ticked("restock").await, expected);
    works.close(Vec::new()).await;
}

/// Whoever repeats a tick, because the row was restored from a backup, starts nothing that was started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_that_is_repeated_is_the_same_run() {
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::All, &shelves(&["bread"]))]).await;
    let worker = works.worker().await;
    works.clock_at(after(10)).await;
    works.still().await;
    let first = works.job("restock").await.row.last_runs;
    sqlx::query("update job set next_tick = $1, due_at = $1").bind(after(10)).execute(&works.db.pool).await.unwrap();
    works.engine.hint();
    works.still().await;
    assert_eq!(works.job("restock").await.row.last_runs, first);
    assert_eq!(works.ticked("restock").await, ["2026-09-01T00:10:00Z/bread"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_is_tried_again_and_holds_nothing_up() {
    let (restock, sweep) = (shelves(&["bread"]), shelves(&["floor"]));
    let jobs =
        [job("restock", "*/10 * * * *", Missed::One, &restock), job("sweep", "*/10 * * * *", Missed::One, &sweep)];
    let works = Works::with_jobs(jobs).await;
    let worker = works.worker().await;
    restock.meets([Trouble::Burns, Trouble::Breaks]);
    works.clock_at(after(10)).await;
    works.still().await;
    let seen = works.job("restock").await;
    assert_eq!((seen.standing, seen.row.failures), (Standing::Failing, 1));
    assert_eq!(seen.row.last_error.as_deref(), Some("the job panicked"));
    assert_eq!(seen.row.due_at, Some(after(10) + TimeDelta::seconds(10)));
    assert_eq!(works.on_shelf("half").await, None, "what a failed start has written is undone");
    assert_eq!(works.ticked("sweep").await, ["2026-09-01T00:10:00Z/floor"], "another job is not held up");

    works.clock_at(after(10) + TimeDelta::seconds(10)).await;
    works.still().await;
    let seen = works.job("restock").await;
    assert_eq!((seen.row.failures, seen.row.due_at), (2, Some(after(10) + TimeDelta::seconds(30))));
    assert!(seen.row.last_error.unwrap().contains("shelf_"), "the database's own words");

    works.clock_at(after(10) + TimeDelta::seconds(30)).await;
    works.still().await;
    let seen = works.job("restock").await;
    assert_eq!((seen.standing, seen.row.failures, seen.row.last_error), (Standing::Waiting, 0, None));
    assert_eq!(works.ticked("restock").await, ["2026-09-01T00:10:00Z/bread"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_starts_always_fail_tries_every_tick_and_recovers() {
    let restock = shelves(&["bread"]);
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::Skip, &restock)]).await;
    let worker = works.worker().await;
    restock.meets([Trouble::Refuses; 5]);
    for seconds in [0, 10, 30] {
        works.clock_at(after(10) + TimeDelta::seconds(seconds)).await;
        works.still().await;
    }
    let seen = works.job("restock").await;
    assert_eq!((seen.row.failures, seen.row.next_tick), (3, Some(after(20))), "the attempts are spent");
    assert_eq!(seen.row.missed_from, Some(after(10)));
    for minutes in [20, 30, 40] {
        works.clock_at(after(minutes)).await;
        works.still().await;
    }
    let seen = works.job("restock").await;
    assert_eq!((seen.row.failures, seen.row.last_tick), (0, Some(after(40))));
    assert_eq!(works.ticked("restock").await, ["2026-09-01T00:40:00Z/bread"]);
    works.close(vec![worker]).await;
}

/// A night without a worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missed_ticks_are_passed_over_made_up_once_or_all() {
    let starter = shelves(&[""]);
    let jobs = [
        job("skips", "0 * * * *", Missed::Skip, &starter),
        job("one", "0 * * * *", Missed::One, &starter),
        job("all", "0 * * * *", Missed::All, &starter),
    ];
    let works = Works::with_jobs(jobs).await;
    works.worker().await.stop().await;
    works.clock_at(after(4 * 60 + 20)).await;
    let seen = works.job("one").await;
    assert_eq!(seen.standing, Standing::Overdue, "nobody works");
    assert_eq!(seen.next_ticks[..2], [after(60), after(300)], "the one that is late, then those to come");

    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.ticked("skips").await, [""; 0]);
    assert_eq!(works.ticked("one").await, ["2026-09-01T04:00:00Z"]);
    let each = ["01", "02", "03", "04"].map(|hour| format!("2026-09-01T{hour}:00:00Z"));
    assert_eq!(works.ticked("all").await, each);
    for name in ["skips", "one", "all"] {
        let row = works.job(name).await.row;
        assert_eq!(row.next_tick, Some(after(300)), "{name}");
        assert_eq!(row.missed_from, (name != "all").then_some(after(60)), "{name}");
    }
    works.clock_at(after(300)).await;
    works.still().await;
    assert_eq!(works.ticked("skips").await, ["2026-09-01T05:00:00Z"], "the next one is started as ever");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_a_worker_does_not_know_is_left_alone() {
    let starter = shelves(&["bread"]);
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::One, &starter)]).await;
    works.worker().await.stop().await;
    let (other, worker) = works.worker_of([job("sweep", "*/10 * * * *", Missed::One, &starter)]).await;
    works.clock_at(after(12)).await;
    other.hint();
    works.wait_for("the other job", || async { works.ticked("sweep").await.len() == 1 }).await;
    assert_eq!(works.ticked("restock").await, [""; 0]);
    let seen = look::one(&other, "restock").await.unwrap().unwrap();
    assert_eq!((seen.known, seen.standing, seen.row.failures), (false, Standing::Overdue, 0));
    worker.stop().await;

    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.ticked("restock").await, ["2026-09-01T00:10:00Z/bread"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_expression_is_planned_anew_and_the_same_one_is_not() {
    let starter = shelves(&["bread"]);
    let hourly = || job("restock", "0 * * * *", Missed::One, &starter);
    let works = Works::with_jobs([hourly()]).await;
    works.worker().await.stop().await;
    works.clock_at(after(70)).await;
    // A new release with the same plan makes up what was missed meanwhile.
    let (_, worker) = works.worker_of([hourly()]).await;
    works.still().await;
    assert_eq!(works.ticked("restock").await, ["2026-09-01T01:00:00Z/bread"]);
    worker.stop().await;

    works.clock_at(after(3 * 60 + 1)).await;
    let (engine, worker) = works.worker_of([job("restock", "*/10 * * * *", Missed::One, &starter)]).await;
    assert_eq!(works.job("restock").await.row.next_tick, Some(after(190)), "from now on, whatever was missed");
    works.clock_at(after(190)).await;
    engine.hint();
    works.still().await;
    assert_eq!(works.ticked("restock").await, ["2026-09-01T01:00:00Z/bread", "2026-09-01T03:10:00Z/bread"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jitter_puts_a_tick_off_and_its_key_says_the_tick() {
    let mut late = job("restock", "0 * * * *", Missed::Skip, &shelves(&[""]));
    late.plan.jitter = Duration::from_mins(20);
    let works = Works::with_jobs([late]).await;
    let worker = works.worker().await;
    let due_at = works.job("restock").await.row.due_at.unwrap();
    assert!(due_at > after(60) && due_at <= after(80), "{due_at}");
    works.clock_at(due_at - TimeDelta::milliseconds(1)).await;
    works.still().await;
    assert_eq!(works.ticked("restock").await, [""; 0]);
    works.clock_at(due_at).await;
    works.still().await;
    assert_eq!(works.ticked("restock").await, ["2026-09-01T01:00:00Z"]);
    works.close(vec![worker]).await;
}

/// New York sets its clocks forward on the eighth of March, at two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_ten_ticks_are_right_across_a_change_of_clocks() {
    let mut american = job("restock", "30 2 * * *", Missed::One, &shelves(&[""]));
    american.plan.cron = Cron::new("30 2 * * *", chrono_tz::America::New_York).unwrap();
    let works = Works::with_jobs([american]).await;
    works.clock_at("2026-03-06T12:00:00Z".parse().unwrap()).await;
    let worker = works.worker().await;
    let shown: Vec<String> =
        works.job("restock").await.next_ticks.iter().map(|tick| tick.format("%m-%d %H:%M").to_string()).collect();
    assert_eq!(shown[..4], ["03-07 07:30", "03-08 07:00", "03-09 06:30", "03-10 06:30"]);
    assert_eq!(shown.len(), 10);
    works.clock_at("2026-03-09T12:00:00Z".parse().unwrap()).await;
    works.still().await;
    assert_eq!(works.ticked("restock").await, ["2026-03-09T06:30:00Z"]);
    works.close(vec![worker]).await;
}

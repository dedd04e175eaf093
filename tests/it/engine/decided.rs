//! A first step that is decided by the run's state alone is decided by whoever starts the run: one commit, and the same rows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use houbu::engine::store::{self, Outgoing, Signalled, Started, archive};
use houbu::engine::{Engine, Fault, NewRun, Registry, RunId, To, Turn, clock};
use houbu::flow;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::works::{TENANT, Works, morning};
use crate::cluster::{Database, Own};

/// What is known of a parcel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Parcel {
    grams: u32,
    kept_until: DateTime<Utc>,
    shelf: Option<char>,
    label: String,
}

/// What gets more on its label than a run may know.
const LABELLED: u32 = 17;

/// Somebody comes for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fetched {}

flow! {
    /// A parcel is sorted by its weight and fetched.
    Sorting = "sorting";
    state Parcel;
    ports ();
    obligations Place;
    starts Weighing;
    ends Gone, Returned;
    quiet Gone, Returned;

    /// By what stands on it.
    Weighing = weighing by state { Light + Place -> Shelf, TooHeavy -> Returned, Unmarked -> Scales }
    /// By hand.
    Scales = scales { Weighed -> Returned }
    /// Until somebody comes.
    Shelf = shelf priority Urgent on Fetched until kept_until { Fetched - Place -> Gone, Left - Place -> Returned }
}

fn weighing(parcel: &mut Parcel) -> outcome::Weighing {
    match parcel.grams {
        0 => outcome::Weighing::Unmarked,
        LABELLED => {
            parcel.label = "x".repeat(1 << 20);
            outcome::Weighing::Light
        }
        1..=1_000 => {
            parcel.shelf = Some('A');
            outcome::Weighing::Light
        }
        _ => outcome::Weighing::TooHeavy,
    }
}

#[allow(clippy::unused_async)] // A step that acts is asynchronous by its shape.
async fn scales(_: &mut Parcel, _: &Turn, (): &()) -> Result<outcome::Scales, Fault> {
    Ok(outcome::Scales::Weighed)
}

fn shelf(_: &mut Parcel, _: &Turn, woke: woke::Shelf) -> outcome::Shelf {
    match woke {
        woke::Shelf::Fetched(Fetched {}) => outcome::Shelf::Fetched,
        woke::Shelf::Deadline => outcome::Shelf::Left,
    }
}

fn kept_until(parcel: &Parcel) -> DateTime<Utc> {
    parcel.kept_until
}

async fn office() -> Works {
    on(Works::new().await)
}

fn on(mut works: Works) -> Works {
    works.engine = Engine::new(works.db.pool.clone(), TENANT, Registry::default().with::<Sorting>(Arc::new(())));
    works
}

fn parcel(key: &str, grams: u32) -> NewRun {
    let state = Parcel { grams, kept_until: morning() + chrono::TimeDelta::days(7), shelf: None, label: String::new() };
    Registry::new_run::<Sorting>(RunId::now_v7(), key.to_owned(), Step::Weighing.name(), &state).unwrap()
}

/// Whoever has been claimed has a generation.
async fn was_claimed(works: &Works, run: RunId) -> bool {
    let generation: i32 = sqlx::query_scalar("select generation from run where id = $1")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    generation > 0
}

/// All that stands of a run, but for what is its own: ids, the fence, how long a turn took.
async fn rows(works: &Works, run: RunId) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
             'run', to_jsonb(r) - 'id' - 'key' - 'generation',
             'state', (select to_jsonb(s) - 'run_id' from run_state s where s.run_id = r.id),
             'turns', (select jsonb_agg(to_jsonb(t) - 'run_id' - 'seq' - 'took_ms' order by t.seq)
                       from turn t where t.run_id = r.id),
             'inbox', (select jsonb_agg(i.name) from inbox i where i.run_id = r.id))
         from run r where r.id = $1",
    )
    .bind(run)
    .fetch_one(&works.db.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_start_leaves_the_rows_of_a_start_and_a_turn() {
    let works = office().await;
    let mut by_turns = Vec::new();
    for (key, grams) in [("light", 300), ("heavy", 3_000), ("unmarked", 0)] {
        by_turns.push((grams, works.engine.start_run(parcel(&format!("{key} 1"), grams)).await.unwrap().id));
    }
    let worker = works.worker().await;
    works.still().await;
    for (grams, by_turns) in by_turns {
        let started = works.engine.start_run(parcel(&format!("{grams} 2"), grams)).await.unwrap();
        if grams > 0 {
            assert!(!was_claimed(&works, started.id).await, "{grams} g rest when the start is acknowledged");
        }
        works.still().await;
        assert!(was_claimed(&works, by_turns).await);
        assert_eq!(rows(&works, started.id).await, rows(&works, by_turns).await, "{grams} g");
    }
    works.close(vec![worker]).await;
}

/// What rests is woken like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_run_hears_signals_and_meets_its_deadline() {
    let works = office().await;
    let worker = works.worker().await;
    let fetched = works.engine.start_run(parcel("fetched", 300)).await.unwrap();
    let left = works.engine.start_run(parcel("left", 300)).await.unwrap();
    works.signal(fetched.id, "Fetched", "hands", json!({})).await;
    works.still().await;
    assert_eq!(works.story(fetched.id).await, ["Weighing: Light", "Shelf on Fetched: Fetched"]);
    works.clock_shows(chrono::TimeDelta::days(8)).await;
    works.still().await;
    assert_eq!(works.story(left.id).await, ["Weighing: Light", "Shelf on deadline: Left"]);
    works.close(vec![worker]).await;
}

/// It starts, and its turn says why it cannot go on, as any other's would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_decided_turn_cannot_write_stops_the_run_and_not_its_start() {
    let works = office().await;
    let worker = works.worker().await;
    let labelled = works.engine.start_run(parcel("labelled", LABELLED)).await.unwrap();
    works.still().await;
    assert_eq!(works.row(labelled.id).await.status, "suspended");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_run_whose_deadline_has_passed_meets_it_at_once() {
    let works = office().await;
    let worker = works.worker().await;
    works.clock_shows(chrono::TimeDelta::days(8)).await;
    let late = works.engine.start_run(parcel("late", 300)).await.unwrap();
    works.still().await;
    assert_eq!(works.story(late.id).await, ["Weighing: Light", "Shelf on deadline: Left"]);
    works.close(vec![worker]).await;
}

/// A signal that was there first is heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_was_there_first_is_heard() {
    let works = office().await;
    let worker = works.worker().await;
    let early = Outgoing {
        to: To::Key { workflow: Sorting::NAME, key: "early".to_owned() },
        name: "Fetched".into(),
        id: "hands".to_owned(),
        payload: json!({}),
    };
    let mut tx = works.db.pool.begin().await.unwrap();
    assert_eq!(store::signal(&mut tx, TENANT, &early).await.unwrap(), Signalled::Kept);
    tx.commit().await.unwrap();
    let run = works.engine.start_run(parcel("early", 300)).await.unwrap();
    works.still().await;
    assert_eq!(works.story(run.id).await, ["Weighing: Light", "Shelf on Fetched: Fetched"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_decided_starts_at_once_are_one_run_also_where_it_is_archived() {
    let works = office().await;
    let worker = works.worker().await;
    let starts = || async {
        let all = (0..50).map(|_| works.engine.start_run(parcel("one", 3_000)));
        futures::future::try_join_all(all).await.unwrap()
    };
    let started: Vec<Started> = starts().await;
    assert_eq!(started.iter().filter(|one| one.new).count(), 1);
    assert!(started.iter().all(|one| one.id == started[0].id));
    assert_eq!(works.story(started[0].id).await, ["Weighing: TooHeavy"]);

    clock::set(&works.db.pool, morning() + chrono::TimeDelta::days(100)).await.unwrap();
    assert_eq!(archive::move_ended(&works.db.pool, TENANT, 90, 500).await.unwrap(), 1);
    assert!(starts().await.iter().all(|one| !one.new && one.id == started[0].id));
    let live: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(live, 0, "nothing was started");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decided_start_outlives_the_server() {
    let mut own = Own::start().await;
    let works = on(Works::on(Database::on(own.server(), "houbu").await, []).await);
    for key in ["first", "second", "third"] {
        // A fresh one: a worker that has heard nothing of the others for too long decides no start until it has.
        let worker = works.worker().await;
        let run = works.engine.start_run(parcel(key, 300)).await.unwrap().id;
        own.kill();
        own.start_again().await;
        assert_eq!(works.row(run).await.step, "Shelf", "the start of {key}");
        // Whoever meets a connection that broke tries again.
        works.wait_for("a connection", || async { works.engine.start_run(parcel(key, 300)).await.is_ok() }).await;
        worker.stop().await;
    }
    works.close(Vec::new()).await;
    own.end().await;
}

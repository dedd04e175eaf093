//! What stands between two workers, two generations or two transactions: one of them counts, and no run is left in
//! nobody's hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use houbu::engine::store::claim::{self, Claimed};
use houbu::engine::store::turns::{self, Came, Done, Move, Rest};
use houbu::engine::{Chosen, Effect, Letter, Priority, RunId};
use serde_json::json;
use sqlx::postgres::PgConnection;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::shop::{Answer, TOPIC};
use super::works::{TENANT, Works};

async fn claims(works: &Works, worker: Uuid) -> Vec<Claimed> {
    claim::claim(&works.db.pool, TENANT, worker, &works.engine.registry.known_steps(), 10).await.unwrap()
}

/// A turn of the step Payment that was woken by the money, as a worker of this generation would hand it in.
fn turn(run: &Claimed, generation: i32, outcome: &'static str, next: &'static str, rest: Rest) -> Done {
    let letter = Letter { id: format!("{}:{next}", run.id), topic: TOPIC, payload: json!({ "entered": next }) };
    Done {
        run: run.id,
        workflow: "shop_order",
        generation,
        turn: run.turn,
        attempt: run.attempt,
        seen: run.signal_count,
        step: "Payment",
        took: Duration::ZERO,
        result: Came::Moved(Box::new(Move {
            chosen: Chosen { outcome, next },
            state: json!({ "said_by": next }),
            woke: Some("Paid".to_owned()),
            heard: Some("money".to_owned()),
            absorbed: Vec::new(),
            rest,
            effects: vec![Effect::Tell(letter)],
            lane: "",
            priority: Priority::Normal,
            owes: Vec::new(),
            parent: None,
            by_signals: true,
            said: None,
        })),
    }
}

/// One run was claimed twice, and both turns arrive in one batch: in whatever order, only the present claim's stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_generations_in_one_batch_the_present_one_stands() {
    for stale_first in [true, false] {
        let works = Works::new().await;
        let run = works.order("book").await;
        works.pays(run).await;
        let (old, new) = (Uuid::now_v7(), Uuid::now_v7());
        let stale = claims(&works, old).await.remove(0);
        claim::release(&works.db.pool, TENANT, run, stale.generation, true).await.unwrap();
        let present = claims(&works, new).await.remove(0);
        assert!(present.generation > stale.generation);

        let lost = turn(&stale, stale.generation, "GivenUp", "Dropped", Rest::Ended);
        let stands = turn(&present, present.generation, "Paid", "Packing", Rest::GoesOn);
        let batch = if stale_first { [lost.clone(), stands.clone()] } else { [stands.clone(), lost.clone()] };
        let mut tx = works.db.pool.begin().await.unwrap();
        let held = turns::commit(&mut tx, TENANT, &batch).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(held.keys().copied().collect::<Vec<_>>(), [stands.fence()]);

        assert_eq!(works.story(run).await, ["Payment on Paid: Paid"]);
        assert_eq!(works.letters(run).await, ["Packing", "Payment"], "what the lost turn caused was not written");
        assert_eq!(said_by(&works, run).await, "Packing");
        let row = works.row(run).await;
        assert_eq!((row.step.as_str(), row.status.as_str(), row.turn), ("Packing", "running", 1));
        claim::release(&works.db.pool, TENANT, run, present.generation, true).await.unwrap();
        works.close(vec![]).await;
    }
}

async fn said_by(works: &Works, run: RunId) -> String {
    sqlx::query_scalar("select state->>'said_by' from run_state where run_id = $1")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap()
}

/// From now on whoever reads the engine's clock waits while somebody holds the advisory lock 42.
const CLOCK_THAT_CAN_BE_HELD: &str = "
    alter function engine_now() rename to engine_now_at_once;
    create function engine_now() returns timestamptz language plpgsql volatile as $$
    begin
        perform pg_advisory_lock_shared(42);
        perform pg_advisory_unlock_shared(42);
        return engine_now_at_once();
    end $$;";

/// Another worker moves the run between the moment that a claim looks at and the moment that it locks the row: the
/// claim hands out what the other one wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_hands_out_the_state_that_it_locked() {
    let works = Works::new().await;
    let run = works.order("book").await;
    works.pays(run).await;
    sqlx::raw_sql(CLOCK_THAT_CAN_BE_HELD).execute(&works.db.pool).await.unwrap();
    let mut keeper = works.db.pool.acquire().await.unwrap();
    lock_clock(&mut keeper, true).await;

    let mut other = works.db.pool.begin().await.unwrap();
    moves_on(&mut other, run).await;
    let claiming = tokio::spawn({
        let (pool, known) = (works.db.pool.clone(), works.engine.registry.known_steps());
        async move { claim::claim(&pool, TENANT, Uuid::now_v7(), &known, 10).await.unwrap() }
    });
    works
        .wait_for("the claim to look", || async {
            let waits = "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted
                         and database = (select oid from pg_database where datname = current_database()))";
            sqlx::query_scalar::<_, bool>(waits).fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    other.commit().await.unwrap();
    lock_clock(&mut keeper, false).await;
    drop(keeper);

    let claimed = claiming.await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].step.as_str(), claimed[0].turn), ("Packing", 1));
    assert_eq!(claimed[0].state, json!({ "said_by": "the other" }), "step and state are of one moment");
    claim::release(&works.db.pool, TENANT, run, claimed[0].generation, true).await.unwrap();
    works.close(vec![]).await;
}

async fn lock_clock(conn: &mut PgConnection, held: bool) {
    let statement = if held { "select pg_advisory_lock(42)" } else { "select pg_advisory_unlock(42)" };
    sqlx::query(statement).execute(conn).await.unwrap();
}

async fn moves_on(conn: &mut PgConnection, run: RunId) {
    let moved = "update run set step = 'Packing', turn = 1, generation = generation + 1, status = 'pending'
                 where id = $1";
    sqlx::query(moved).bind(run).execute(&mut *conn).await.unwrap();
    let state = "update run_state set state = '{\"said_by\": \"the other\"}' where run_id = $1";
    sqlx::query(state).bind(run).execute(conn).await.unwrap();
}

/// The reply to a claim was lost: the database believes the run in this worker's hand, and no task has it. Leases go by
/// the server's own clock, so this takes two heartbeats.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_no_task_holds_goes_on() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.still().await;
    let lost = "update run set status = 'running', generation = generation + 1, worker = (select id from worker)
                where id = $1";
    sqlx::query(lost).bind(run).execute(&works.db.pool).await.unwrap();
    let began = Instant::now();
    works.pays(run).await;
    assert_eq!(works.row(run).await.status, "running", "a signal alone wakes nobody");
    works.wait_for("the run to go on", || async { works.row(run).await.step == "Counter" }).await;
    assert!(began.elapsed() < Duration::from_secs(6), "it took {:?}", began.elapsed());
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    works.close(vec![worker]).await;
}

/// A worker that stops keeps its lease for as long as it has something in hand, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_is_alive_until_it_has_nothing_in_hand() {
    let works = Works::new().await;
    let gate = Arc::new(Semaphore::new(0));
    works.warehouse.will("book", Answer::PacksWhenLet(Arc::clone(&gate)));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    works.wait_for("the warehouse to be asked", || async { works.warehouse.asked("book").len() == 1 }).await;
    let stopping = tokio::spawn(worker.stop());
    let asked_to_stop: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select lease_until from worker").fetch_one(&works.db.pool).await.unwrap();
    // Two renewals, so that one that was on its way already does not count.
    let renewed = asked_to_stop + chrono::TimeDelta::milliseconds(1_500);
    works
        .wait_for("the lease to be renewed", || async {
            let renewed =
                sqlx::query_scalar("select exists (select 1 from worker where lease_until > $1)").bind(renewed);
            renewed.fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    assert!(!stopping.is_finished(), "a turn is in hand");
    let idle = works.order("another").await;
    works.pays(idle).await;
    gate.add_permits(1);
    stopping.await.unwrap();
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str()), ("Counter", "waiting"));
    assert_eq!(works.row(idle).await.step, "Payment", "whoever stops begins nothing new");
    let left: (i64, i64) = sqlx::query_as(
        "select (select count(*) from worker), (select count(*) from run where status = 'running' or worker is not null)",
    )
    .fetch_one(&works.db.pool)
    .await
    .unwrap();
    assert_eq!(left, (0, 0), "workers and runs in hand");
    assert_eq!(works.warehouse.asked("book"), [false]);
    works.close(vec![]).await;
}

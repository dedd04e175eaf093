//! Whose turn counts: a worker that was thought dead commits nothing, and what it held goes on elsewhere.

use std::sync::Arc;

use houbu::engine::RunId;
use houbu::engine::store::claim;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::shop::Answer;
use super::works::{TENANT, Works};

async fn in_hand(works: &Works, run: RunId, times: usize) {
    works.wait_for("the warehouse to be asked", || async { works.warehouse.asked("book").len() == times }).await;
    assert_eq!(works.row(run).await.status, "running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_turn_of_a_worker_that_was_thought_dead_changes_nothing() {
    let works = Works::new().await;
    let (first, second) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    works.warehouse.will("book", Answer::SoldOutWhenLet(Arc::clone(&first)));
    works.warehouse.will("book", Answer::PacksWhenLet(Arc::clone(&second)));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    in_hand(&works, run, 1).await;

    assert_eq!(works.all_leases_end().await, 1);
    works.engine.hint();
    in_hand(&works, run, 2).await;
    // The first one comes back and says that there is nothing left: nobody believes it any more.
    first.add_permits(1);
    works.wait_for("the stale turn to be thrown away", || async { Arc::strong_count(&first) == 1 }).await;
    second.add_permits(1);
    works.still().await;

    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    assert_eq!(works.warehouse.asked("book"), [false, true], "the second is told that it may have been asked before");
    assert_eq!(
        works.letters(run).await,
        ["Counter", "Packing", "Payment"],
        "what the lost turn caused was not written"
    );
    assert_eq!(works.on_shelf("book").await.as_deref(), Some("Counter"));
    let parcels: i32 = sqlx::query_scalar("select (state->>'parcels')::int from run_state where run_id = $1")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(parcels, 1);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_turn_loses_even_when_it_is_the_first_to_commit() {
    let works = Works::new().await;
    let (first, second) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    works.warehouse.will("book", Answer::SoldOutWhenLet(Arc::clone(&first)));
    works.warehouse.will("book", Answer::PacksWhenLet(Arc::clone(&second)));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    in_hand(&works, run, 1).await;
    // Between the end of the lease and the next claim nobody holds the run.
    sqlx::query(
        "update run set status = 'pending', generation = generation + 1, due_at = null, again = true where id = $1",
    )
    .bind(run)
    .execute(&works.db.pool)
    .await
    .unwrap();
    first.add_permits(1);
    works.wait_for("the stale turn to be thrown away", || async { Arc::strong_count(&first) == 1 }).await;
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid"]);
    sqlx::query("update run set due_at = engine_now() where id = $1").bind(run).execute(&works.db.pool).await.unwrap();
    second.add_permits(1);
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    works.close(vec![worker]).await;
}

/// No hand is moved here: the living worker looks after the dead one by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_worker_held_goes_on() {
    let works = Works::new().await;
    let run = works.order("book").await;
    works.pays(run).await;
    let dead = Uuid::now_v7();
    claim::heartbeat(
        &mut works.db.pool.acquire().await.unwrap(),
        TENANT,
        dead,
        "dead",
        &works.engine.registry.knows(),
        -1.0,
    )
    .await
    .unwrap();
    let held = claim::claim(&works.db.pool, TENANT, dead, &works.engine.registry.known_steps(), 10).await.unwrap();
    assert_eq!(held.iter().map(|held| held.id).collect::<Vec<_>>(), [run]);
    let began = std::time::Instant::now();
    let worker = works.worker().await;
    works.wait_for("the run to move on", || async { works.row(run).await.step == "Counter" }).await;
    assert!(began.elapsed().as_secs() < 5, "it took {:?}", began.elapsed());
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_from_a_living_worker() {
    let works = Works::new().await;
    let gate = Arc::new(Semaphore::new(0));
    works.warehouse.will("book", Answer::PacksWhenLet(Arc::clone(&gate)));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    in_hand(&works, run, 1).await;
    assert_eq!(claim::reap(&mut works.db.pool.acquire().await.unwrap(), TENANT).await.unwrap(), 0);
    gate.add_permits(1);
    works.still().await;
    assert_eq!(works.warehouse.asked("book").len(), 1);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_finishes_what_it_has_in_hand() {
    let works = Works::new().await;
    let gate = Arc::new(Semaphore::new(0));
    works.warehouse.will("book", Answer::PacksWhenLet(Arc::clone(&gate)));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    in_hand(&works, run, 1).await;
    let (handed_back, ()) = tokio::join!(worker.stop(), async { gate.add_permits(1) });
    assert_eq!(handed_back, 0);
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str()), ("Counter", "waiting"));
    works.close(vec![]).await;
}

/// Whatever ends a worker, a run that is in its hands each time may be the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_workers_die_five_times_in_a_row_waits_for_a_person() {
    let works = Works::new().await;
    let run = works.order("book").await;
    works.pays(run).await;
    let dies_with = async |run: RunId| {
        sqlx::query("update run set status = 'running', due_at = null, worker = $2 where id = $1")
            .bind(run)
            .bind(Uuid::now_v7())
            .execute(&works.db.pool)
            .await
            .unwrap();
        assert_eq!(works.all_leases_end().await, 1);
    };
    for _ in 0..4 {
        dies_with(run).await;
        assert_eq!(works.row(run).await.status, "pending");
    }
    // It moves on, and what was counted is forgotten.
    sqlx::query("update run set turn = turn + 1 where id = $1").bind(run).execute(&works.db.pool).await.unwrap();
    for _ in 0..5 {
        dies_with(run).await;
    }
    let row = works.row(run).await;
    assert_eq!((row.status.as_str(), row.due_at), ("suspended", None));
    let why = "the worker died 5 times in a row while it was at this step";
    assert_eq!(row.last_error.as_deref(), Some(why));
    works.close(Vec::new()).await;
}

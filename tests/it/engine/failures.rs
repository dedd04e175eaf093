//! What fails is tried again later by the clock in the database, then shown to a person; it never takes others along.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::Semaphore;

use super::shop::{Answer, BURNING, CURSED};
use super::works::{Works, morning};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_step_backs_off_and_then_goes_on() {
    let works = Works::new().await;
    for _ in 0..3 {
        works.warehouse.will("book", Answer::Away);
    }
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    let mut now = morning();
    for (attempt, seconds) in [(1, 10.0), (2, 20.0), (3, 40.0)] {
        works.still().await;
        let row = works.row(run).await;
        assert_eq!((row.status.as_str(), row.attempt), ("pending", attempt));
        assert_eq!(row.last_error.as_deref(), Some("the warehouse is away"));
        let due = row.due_at.unwrap();
        let waits = (due - now).as_seconds_f64();
        assert!((seconds * 0.8..=seconds * 1.2).contains(&waits), "waits {waits} s after attempt {attempt}");
        works.clock_at(due - TimeDelta::microseconds(1)).await;
        works.still().await;
        assert_eq!(works.row(run).await.attempt, attempt, "it was tried too early");
        works.clock_at(due).await;
        now = due;
    }
    works.still().await;
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.attempt, row.last_error), ("Counter", 0, None));
    let expected =
        ["Payment on Paid: Paid", "Packing: failed", "Packing: failed", "Packing: failed", "Packing: Packed"];
    assert_eq!(works.story(run).await, expected);
    assert_eq!(works.warehouse.asked("book"), [false, true, true, true]);
    assert_eq!(row.turn, 2, "a failed attempt is no turn");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_attempt_is_left_a_person_is_told_why() {
    let works = Works::new().await;
    for _ in 0..4 {
        works.warehouse.will("book", Answer::Away);
    }
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    for minutes in 1..6 {
        works.still().await;
        works.clock_shows(TimeDelta::minutes(minutes)).await;
    }
    works.still().await;
    let row = works.row(run).await;
    assert_eq!((row.status.as_str(), row.attempt, row.due_at), ("suspended", 4, None));
    assert_eq!(row.last_error.as_deref(), Some("the warehouse is away"));
    assert_eq!(works.story(run).await.len(), 5);
    works.close(vec![worker]).await;
}

/// The refund has a policy of its own: every 5 s, given up after 12 s; and the bank leaves open what it did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_is_retried_by_its_own_policy_until_it_is_given_up() {
    let works = Works::new().await;
    for _ in 0..9 {
        works.warehouse.will("the bank about book", Answer::Away);
    }
    works.warehouse.will("book", Answer::SoldOutWhenLet(Arc::new(Semaphore::new(1))));
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.pays(run).await;
    for (attempt, seconds) in [(1, 5), (2, 10), (3, 12)] {
        works.still().await;
        let row = works.row(run).await;
        assert_eq!((row.step.as_str(), row.status.as_str(), row.attempt), ("Refund", "pending", attempt));
        assert_eq!(row.due_at, Some(morning() + TimeDelta::seconds(seconds)));
        works.clock_shows(TimeDelta::seconds(seconds)).await;
    }
    works.still().await;
    let row = works.row(run).await;
    assert_eq!((row.status.as_str(), row.attempt), ("suspended", 4));
    let (fault, owes): (String, Vec<String>) =
        sqlx::query_as("select fault, owes from run where id = $1").bind(run).fetch_one(&works.db.pool).await.unwrap();
    assert_eq!((fault.as_str(), owes), ("unknown", vec!["Money".to_owned()]));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_stops_its_run_only() {
    let works = Works::new().await;
    works.warehouse.will("bad", Answer::Burns);
    let worker = works.worker().await;
    let (bad, good) = (works.order("bad").await, works.order("good").await);
    works.pays(bad).await;
    works.pays(good).await;
    works.still().await;
    let row = works.row(bad).await;
    assert_eq!((row.status.as_str(), row.step.as_str()), ("suspended", "Packing"));
    assert_eq!(row.last_error.as_deref(), Some("the handler panicked"));
    assert_eq!(works.row(good).await.step, "Counter");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_cannot_be_read_stops_its_run_only() {
    let works = Works::new().await;
    let (bad, good) = (works.order("bad").await, works.order("good").await);
    sqlx::query("update run_state set state = '{\"of\": \"another release\"}' where run_id = $1")
        .bind(bad)
        .execute(&works.db.pool)
        .await
        .unwrap();
    works.pays(bad).await;
    works.pays(good).await;
    let worker = works.worker().await;
    works.still().await;
    let row = works.row(bad).await;
    assert_eq!(row.status, "suspended");
    assert!(row.last_error.is_some_and(|error| error.starts_with("the run's state cannot be read")));
    assert_eq!(works.row(good).await.step, "Counter");
    works.close(vec![worker]).await;
}

/// Twenty orders that are paid in one transaction are turned together; one of them the shop's table refuses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_cannot_be_written_does_not_fail_its_batch_mates() {
    one_bad_turn_among_twenty(CURSED).await;
}

/// The committer outlives it: what comes later is written as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_that_panics_stops_its_run_only() {
    one_bad_turn_among_twenty(BURNING).await;
}

async fn one_bad_turn_among_twenty(bad: &str) {
    let works = Works::new().await;
    let mut runs = Vec::new();
    for n in 0..20 {
        let name = if n == 7 { bad.to_owned() } else { format!("order {n}") };
        runs.push((works.order(&name).await, name));
    }
    for (run, _) in &runs {
        works.pays(*run).await;
    }
    let worker = works.worker().await;
    works.still().await;
    for (run, name) in &runs {
        let row = works.row(*run).await;
        if name == bad {
            assert_eq!((row.status.as_str(), row.step.as_str()), ("suspended", "Packing"));
            assert!(row.last_error.is_some_and(|error| error.starts_with("the turn cannot be written")));
            assert_eq!(works.on_shelf(name).await.as_deref(), Some("Packing"), "nothing of the refused turn stands");
            assert!(!works.letters(*run).await.contains(&"Counter".to_owned()));
        } else {
            assert_eq!((row.status.as_str(), row.step.as_str()), ("waiting", "Counter"), "{name}");
        }
    }
    let later = works.order("later").await;
    works.pays(later).await;
    works.still().await;
    assert_eq!(works.row(later).await.step, "Counter");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_nobody_knows_is_left_alone() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let (bad, good) = (works.order("bad").await, works.order("good").await);
    sqlx::query("update run set step = 'Gift', status = 'pending', due_at = engine_now() where id = $1")
        .bind(bad)
        .execute(&works.db.pool)
        .await
        .unwrap();
    works.pays(good).await;
    works.wait_for("the good order", || async { works.row(good).await.step == "Counter" }).await;
    let row = works.row(bad).await;
    assert_eq!((row.status.as_str(), row.turn, row.attempt), ("pending", 0, 0));
    works.close(vec![worker]).await;
}

//! Signals: durable, heard once, by the step that listens, whenever they arrive.

use std::sync::Arc;

use chrono::TimeDelta;
use houbu::engine::store::{self, Outgoing, Signalled};
use houbu::engine::{Registry, RunId, To};
use serde_json::json;
use tokio::sync::Semaphore;

use super::shop::{Answer, Order, ShopOrder, Step};
use super::works::{TENANT, Works, morning};

const TO_THE_CUSTOMER: [&str; 3] = ["Payment on Paid: Paid", "Packing: Packed", "Counter on Collected: Collected"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_goes_to_the_customer() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.still().await;
    assert_eq!(works.row(run).await.status, "waiting");
    assert_eq!(works.pays(run).await, Signalled::Delivered);
    works.still().await;
    assert_eq!(works.row(run).await.step, "Counter");
    works.collects(run).await;
    works.still().await;
    assert_eq!(works.story(run).await, TO_THE_CUSTOMER);
    assert_eq!(works.row(run).await.status, "completed");
    assert_eq!(works.on_shelf("book").await.as_deref(), Some("Delivered"));
    assert_eq!(works.letters(run).await, ["Counter", "Delivered", "Packing", "Payment"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_signal_waits_for_the_step_that_hears_it() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.collects(run).await;
    works.still().await;
    assert_eq!(works.row(run).await.step, "Payment", "nobody hears it yet");
    assert_eq!(works.read_turn(run, "hands").await, None);
    works.pays(run).await;
    works.still().await;
    assert_eq!(works.story(run).await, TO_THE_CUSTOMER);
    assert_eq!(works.read_turn(run, "hands").await, Some(3));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_signal_is_heard_once() {
    let works = Works::new().await;
    let run = works.order("book").await;
    let came = futures::future::join_all((0..20).map(|_| works.pays(run))).await;
    assert_eq!(came.iter().filter(|came| **came == Signalled::Delivered).count(), 1);
    assert_eq!(came.iter().filter(|came| **came == Signalled::Duplicate).count(), 19);
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.pays(run).await, Signalled::Duplicate, "also after it was heard");
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"]);
    let paid: Option<i64> = sqlx::query_scalar("select (state->>'paid')::bigint from run_state where run_id = $1")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(paid, Some(100));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_the_end_stays_visible() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book").await;
    works.signal(run, "GivenUp", "no", json!({})).await;
    works.still().await;
    assert_eq!(works.row(run).await.step, "Dropped");
    assert_eq!(works.pays(run).await, Signalled::Delivered);
    works.still().await;
    assert_eq!(works.read_turn(run, "money").await, Some(0));
    assert_eq!(works.story(run).await, ["Payment on GivenUp: GivenUp"]);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_signals_at_once_are_heard_in_the_order_of_arrival() {
    let works = Works::new().await;
    let run = works.order("book").await;
    works.signal(run, "GivenUp", "no", json!({})).await;
    works.pays(run).await;
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.story(run).await, ["Payment on GivenUp: GivenUp"]);
    assert_eq!(works.read_turn(run, "no").await, Some(1));
    assert_eq!(works.read_turn(run, "money").await, Some(0), "the loser is not lost");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_finds_its_run_by_key_or_waits_for_it() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let run = works.order("book").await;
    let to = |key: &str| To::Key { workflow: ShopOrder::NAME, key: key.to_owned() };
    let mut conn = works.db.pool.acquire().await.unwrap();
    let mut answers = Vec::new();
    for key in ["pen", "book"] {
        let signal =
            Outgoing { to: to(key), name: "Paid".into(), id: "money".to_owned(), payload: json!({ "cents": 1 }) };
        answers.push(store::signal(&mut conn, TENANT, &signal).await.unwrap());
    }
    drop(conn);
    assert_eq!(answers, [Signalled::Kept, Signalled::Delivered]);
    works.still().await;
    assert_eq!(works.row(run).await.step, "Counter");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_cannot_be_read_stops_its_run_only() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let (bad, good) = (works.order("bad").await, works.order("good").await);
    works.signal(bad, "Paid", "money", json!({ "cents": "a lot" })).await;
    works.pays(good).await;
    works.still().await;
    let row = works.row(bad).await;
    assert_eq!((row.status.as_str(), row.step.as_str()), ("suspended", "Payment"));
    assert!(row.last_error.is_some_and(|error| error.contains("the signal Paid cannot be read")));
    assert_eq!(works.read_turn(bad, "money").await, None, "it is there when a person has mended the matter");
    assert_eq!(works.row(good).await.step, "Counter");
    works.clock_shows(TimeDelta::days(30)).await;
    works.still().await;
    assert_eq!(works.row(bad).await.status, "suspended", "no deadline moves what a person must look at");
    works.close(vec![worker]).await;
}

/// Steps that act do not listen and are not fenced by signals: what comes meanwhile must still be seen at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_the_last_steps_act_is_late() {
    let works = Works::new().await;
    let gate = Arc::new(Semaphore::new(0));
    works.warehouse.will("book", Answer::SoldOutWhenLet(Arc::clone(&gate)));
    let order = Order::new("book", morning() + TimeDelta::hours(1));
    let new = Registry::new_run::<ShopOrder>(RunId::now_v7(), "book".to_owned(), Step::Packing.name(), &order);
    let mut tx = works.db.pool.begin().await.unwrap();
    let run = store::start(&mut tx, TENANT, new.unwrap()).await.unwrap().id;
    tx.commit().await.unwrap();
    let worker = works.worker().await;
    works.wait_for("the warehouse to be asked", || async { works.warehouse.asked("book").len() == 1 }).await;
    assert_eq!(works.collects(run).await, Signalled::Delivered);
    gate.add_permits(1);
    works.still().await;
    assert_eq!(works.story(run).await, ["Packing: SoldOut", "Refund: Returned"]);
    assert_eq!(works.read_turn(run, "hands").await, Some(0));
    works.close(vec![worker]).await;
}

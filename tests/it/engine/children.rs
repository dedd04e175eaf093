//! Runs that start others: each child's ending is a signal to its parent, once, whatever happens on the way.

use std::sync::Arc;

use chrono::TimeDelta;
use houbu::engine::{Registry, RunId, store};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::baskets::{Basket, ShopBasket, Step};
use super::shop::Answer;
use super::works::{TENANT, Works, morning};

async fn basket(works: &Works, names: &[&str]) -> RunId {
    let started = start(works, names).await;
    works.still().await;
    started
}

async fn start(works: &Works, names: &[&str]) -> RunId {
    let basket = Basket {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        pay_until: morning() + TimeDelta::hours(1),
        ended: Vec::new(),
    };
    let new = Registry::new_run::<ShopBasket>(Uuid::now_v7(), names.join("+"), Step::Ordering.name(), &basket);
    let mut tx = works.db.pool.begin().await.unwrap();
    let started = store::start(&mut tx, TENANT, new.unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    works.engine.hint();
    started.id
}

async fn child(works: &Works, name: &str) -> RunId {
    sqlx::query_scalar("select id from run where workflow = 'shop_order' and key = $1")
        .bind(name)
        .fetch_one(&works.db.pool)
        .await
        .unwrap()
}

async fn heard(works: &Works, basket: RunId) -> Vec<String> {
    let (ended,): (sqlx::types::Json<Vec<String>>,) =
        sqlx::query_as("select state->'ended' from run_state where run_id = $1")
            .bind(basket)
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
    ended.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_basket_hears_of_every_order() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let names: Vec<String> = (0..40).map(|n| format!("book{n:02}")).collect();
    let basket = basket(&works, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for name in &names[1..] {
        let order = child(&works, name).await;
        works.signal(order, "GivenUp", "no", serde_json::json!({})).await;
    }
    works.still().await;
    assert_eq!(works.row(basket).await.step, "Orders", "one order is still open");
    let last = child(&works, &names[0]).await;
    works.pays(last).await;
    works.still().await;
    works.collects(last).await;
    works.still().await;
    assert_eq!(works.row(basket).await.step, "Done");
    let mut heard = heard(&works, basket).await;
    assert_eq!(heard.pop().as_deref(), Some("book00: Delivered"));
    heard.sort();
    let dropped: Vec<String> = names[1..].iter().map(|name| format!("{name}: Dropped")).collect();
    assert_eq!(heard, dropped);
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_stands_already_is_adopted() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let (ended, open) = (works.order("ended").await, works.order("open").await);
    works.signal(ended, "GivenUp", "no", serde_json::json!({})).await;
    works.still().await;
    assert_eq!(works.row(ended).await.status, "completed");

    let basket = basket(&works, &["ended", "open"]).await;
    assert_eq!(heard(&works, basket).await, ["ended: Dropped"], "what has ended is heard of at once");
    works.signal(open, "GivenUp", "no", serde_json::json!({})).await;
    works.still().await;
    assert_eq!(heard(&works, basket).await, ["ended: Dropped", "open: Dropped"]);
    assert_eq!(works.row(basket).await.step, "Done");
    works.close(vec![worker]).await;
}

/// A worker has claimed the order when it had no parent, and ends it when it has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_adopted_while_it_is_in_hand_tells_of_its_ending() {
    let works = Works::new().await;
    let gate = Arc::new(Semaphore::new(0));
    works.warehouse.will("book", Answer::SoldOutWhenLet(Arc::clone(&gate)));
    let worker = works.worker().await;
    let order = works.order("book").await;
    works.pays(order).await;
    works.wait_for("the warehouse to be asked", || async { works.warehouse.asked("book").len() == 1 }).await;
    let basket = start(&works, &["book"]).await;
    works.wait_for("the order to be adopted", || async { works.row(basket).await.step == "Orders" }).await;
    gate.add_permits(1);
    works.still().await;
    assert_eq!(works.row(order).await.step, "Dropped");
    assert_eq!(heard(&works, basket).await, ["book: Dropped"]);
    assert_eq!(works.row(basket).await.step, "Done");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_after_the_parents_own_stays_visible() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let basket = basket(&works, &["book"]).await;
    let order = child(&works, "book").await;
    works.pays(order).await;
    works.still().await;
    works.clock_shows(TimeDelta::days(8) + TimeDelta::hours(2)).await;
    works.still().await;
    assert_eq!(works.row(basket).await.step, "Abandoned");
    assert_eq!(works.row(order).await.step, "Dropped", "the counter closed and the money went back");
    let late: Vec<(String, Option<i32>)> = sqlx::query_as("select name, read_turn from inbox where run_id = $1")
        .bind(basket)
        .fetch_all(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(late, [("ChildEnded".to_owned(), Some(0))]);
    works.close(vec![worker]).await;
}

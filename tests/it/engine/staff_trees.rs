//! A cancel works down the tree: all of it or nothing.

use chrono::TimeDelta;
use houbu::engine::staff::{Performed, Refused, Verb, perform};
use houbu::engine::{Registry, RunId, store};
use uuid::Uuid;

use super::baskets::{Basket, ShopBasket, Step};
use super::staff::{audit, by};
use super::works::{TENANT, Works, morning};

/// A basket of three orders, with a worker gone by then.
async fn basket(works: &Works) -> (RunId, Vec<RunId>) {
    let names = ["book", "pen", "ink"].map(str::to_owned).to_vec();
    let basket = Basket { names, pay_until: morning() + TimeDelta::hours(1), ended: Vec::new() };
    let new = Registry::new_run::<ShopBasket>(Uuid::now_v7(), "all".to_owned(), Step::Ordering.name(), &basket);
    let mut tx = works.db.pool.begin().await.unwrap();
    let basket = store::start(&mut tx, TENANT, new.unwrap()).await.unwrap().id;
    tx.commit().await.unwrap();
    works.engine.hint();
    works.still().await;
    let orders: Vec<RunId> = sqlx::query_scalar("select id from run where parent = $1 order by id")
        .bind(basket)
        .fetch_all(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(orders.len(), 3);
    (basket, orders)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_basket_is_cancelled_with_its_orders() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let (basket, orders) = basket(&works).await;
    works.signal(orders[0], "GivenUp", "no", serde_json::json!({})).await;
    works.still().await;
    let came = perform(&works.engine, basket, &by(), &Verb::Cancel).await.unwrap();
    assert_eq!(came, Ok(Performed { runs: 3 }), "the order that had ended is left alone");
    assert_eq!(works.row(orders[0]).await.status, "completed");
    for run in [basket, orders[1], orders[2]] {
        assert_eq!(works.row(run).await.status, "cancelled");
        assert_eq!(audit(&works, run).await.len(), 1);
    }
    assert_eq!(works.read_turn(basket, &format!("ended:{}", orders[1])).await, Some(0), "heard too late, and visible");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_refusal_in_the_tree_refuses_the_whole_by_name() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let (basket, orders) = basket(&works).await;
    works.pays(orders[1]).await;
    works.still().await;
    let refused = perform(&works.engine, basket, &by(), &Verb::Cancel).await.unwrap().unwrap_err();
    let Refused::InTree { run, refused: why } = &refused else { panic!("{refused}") };
    assert_eq!((*run, why.code(), refused.code()), (orders[1], "would_strand", "refused_below"));
    for run in [basket, orders[0], orders[1], orders[2]] {
        assert_eq!(works.row(run).await.status, "waiting");
        assert!(audit(&works, run).await.is_empty());
    }
    // The order is settled first; then the whole can be cancelled.
    perform(&works.engine, orders[1], &by(), &super::staff::jump("Refund")).await.unwrap().unwrap();
    works.still().await;
    perform(&works.engine, basket, &by(), &Verb::Cancel).await.unwrap().unwrap();
    assert_eq!(works.row(basket).await.status, "cancelled");
    works.close(vec![worker]).await;
}

/// A child that is cancelled by itself tells its parent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_hears_that_its_child_was_cancelled() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let (basket, orders) = basket(&works).await;
    perform(&works.engine, orders[2], &by(), &Verb::Cancel).await.unwrap().unwrap();
    works.still().await;
    let ended: serde_json::Value = sqlx::query_scalar("select state -> 'ended' from run_state where run_id = $1")
        .bind(basket)
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(ended, serde_json::json!(["ink: Payment"]));
    works.close(vec![worker]).await;
}

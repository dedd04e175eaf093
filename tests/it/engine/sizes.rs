//! What is too large is refused with its size and limit, and stops nobody else.

use houbu::engine::sizes::{INPUT_BYTES_MAX, SIGNAL_BYTES_MAX, Stored, TooLarge};
use houbu::engine::store::{self, Outgoing};
use houbu::engine::{Registry, To};
use serde_json::json;
use uuid::Uuid;

use super::baskets::{Basket, ShopBasket, Step as BasketStep};
use super::shop::{Order, ShopOrder, Step};
use super::works::{TENANT, Works, morning};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_or_an_input_that_is_too_large_is_refused_and_leaves_nothing() {
    let works = Works::new().await;
    let run = works.order("book").await;
    let mut conn = works.db.pool.acquire().await.unwrap();
    for to in [To::Run(run), To::Key { workflow: ShopOrder::NAME, key: "nobody".to_owned() }] {
        let payload = json!({ "cents": 1, "said": "x".repeat(SIGNAL_BYTES_MAX) });
        let signal = Outgoing { to, name: "Paid".into(), id: "money".to_owned(), payload };
        let refused = TooLarge::within(&store::signal(&mut conn, TENANT, &signal).await.unwrap_err()).unwrap();
        assert!(matches!(refused, TooLarge::Bytes { what: Stored::Signal, bytes } if bytes > SIGNAL_BYTES_MAX));
    }
    let order = Order::new(&"x".repeat(INPUT_BYTES_MAX), morning());
    let new = Registry::new_run::<ShopOrder>(Uuid::now_v7(), "pen".to_owned(), Step::Payment.name(), &order).unwrap();
    let refused = TooLarge::within(&store::start(&mut conn, TENANT, new).await.unwrap_err()).unwrap();
    assert!(matches!(refused, TooLarge::Bytes { what: Stored::Input, .. }));
    drop(conn);
    let left: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from run), (select count(*) from inbox), (select count(*) from unmatched)",
    )
    .fetch_one(&works.db.pool)
    .await
    .unwrap();
    assert_eq!(left, (1, 0, 0));
    works.close(vec![]).await;
}

/// One run's state grows with every signal, other runs' turns are committed beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_outgrows_its_limit_suspends_its_run_only() {
    let works = Works::new().await;
    let mut basket = Basket { names: vec![String::new(); 2], pay_until: morning(), ended: Vec::new() };
    let frame = serde_json::to_vec(&basket).unwrap().len();
    basket.names[0] = "x".repeat(INPUT_BYTES_MAX - frame);
    let step = BasketStep::Orders.name();
    let new = Registry::new_run::<ShopBasket>(Uuid::now_v7(), "large".to_owned(), step, &basket).unwrap();
    let mut tx = works.db.pool.begin().await.unwrap();
    let large = store::start(&mut tx, TENANT, new).await.unwrap().id;
    tx.commit().await.unwrap();
    let mut others = Vec::new();
    for n in 0..20 {
        others.push(works.order(&format!("order {n}")).await);
    }
    for run in &others {
        works.pays(*run).await;
    }
    let ended = json!({
        "run": Uuid::nil(), "workflow": "shop_order", "key": "book", "ending": "Dropped", "cancelled": false,
    });
    works.signal(large, "ChildEnded", "ended", ended).await;
    let worker = works.worker().await;
    works.still().await;
    let row = works.row(large).await;
    assert_eq!((row.status.as_str(), row.step.as_str()), ("suspended", "Orders"));
    let why = row.last_error.unwrap();
    assert!(why.contains("the run's state has 262159 bytes; the limit is 262144 bytes"), "{why}");
    assert_eq!(works.read_turn(large, "ended").await, None, "what it heard is there when a person has mended it");
    for run in others {
        assert_eq!(works.row(run).await.step, "Counter");
    }
    works.close(vec![worker]).await;
}

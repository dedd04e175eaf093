//! A run is started once per key, however often and from how many places at once.

use super::works::{TENANT, Works};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_is_the_same_run() {
    let works = Works::new().await;
    let first = works.start("book").await;
    let second = works.start("book").await;
    let other = works.start("pen").await;
    assert!(first.new && !second.new && other.new);
    assert_eq!(first.id, second.id);
    assert_ne!(first.id, other.id);
    assert_eq!(works.letters(first.id).await, ["Payment"], "a second start causes nothing");
    works.close(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_starts_at_once_are_one_run() {
    let works = Works::new().await;
    let worker = works.worker().await;
    let started = futures::future::join_all((0..50).map(|_| works.start("book"))).await;
    assert_eq!(started.iter().filter(|one| one.new).count(), 1);
    assert!(started.iter().all(|one| one.id == started[0].id));
    let rows: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from run where tenant = $1), (select count(*) from run_state where tenant = $1),
                (select count(*) from outbox where tenant = $1)",
    )
    .bind(TENANT)
    .fetch_one(&works.db.pool)
    .await
    .unwrap();
    assert_eq!(rows, (1, 1, 1));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_rolled_back_never_was() {
    use houbu::engine::{Registry, store};

    use super::shop::{Order, ShopOrder, Step};
    use super::works::morning;

    let works = Works::new().await;
    let mut tx = works.db.pool.begin().await.unwrap();
    let order = Order::new("book", morning());
    let id = uuid::Uuid::now_v7();
    let new = Registry::new_run::<ShopOrder>(id, "book".to_owned(), Step::Payment.name(), &order).unwrap();
    assert!(store::start(&mut tx, TENANT, new).await.unwrap().new);
    tx.rollback().await.unwrap();
    assert!(works.start("book").await.new);
    works.close(vec![]).await;
}

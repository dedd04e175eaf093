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

/// A step that acts is in the hands of the worker beside it as soon as it is there: nobody claims it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_begins_in_the_hands_of_its_starter() {
    use houbu::engine::Registry;

    use super::town::{Basket, Errand, Errands, Step};

    let errands = Errands::new(houbu::engine::limits::Limits::default()).await;
    let works = &errands.works;
    let new = |key: &str| {
        let basket = Basket { name: key.to_owned(), tells: false };
        Registry::new_run::<Errand>(uuid::Uuid::now_v7(), key.to_owned(), Step::Thinking.name(), &basket).unwrap()
    };
    // Without a worker it waits for one, like any other.
    let first = works.engine.start_run(new("first")).await.unwrap();
    assert_eq!(works.row(first.id).await.status, "pending");
    let worker = works.worker().await;
    works.still().await;

    let second = works.engine.start_run(new("second")).await.unwrap();
    assert!(second.new && !works.engine.start_run(new("second")).await.unwrap().new);
    works.still().await;
    assert_eq!(works.row(second.id).await.status, "completed");
    let claims: (i64, i64) = sqlx::query_as("select min(generation)::bigint, max(generation)::bigint from run")
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(claims, (1, 1), "each was in one hand");
    let held: Option<uuid::Uuid> = sqlx::query_scalar("select worker from run where id = $1 and status = 'running'")
        .bind(second.id)
        .fetch_optional(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(held, None);
    worker.stop().await;
    let third = works.engine.start_run(new("third")).await.unwrap();
    assert_eq!(works.row(third.id).await.status, "pending", "the worker has ended");
    errands.works.close(Vec::new()).await;
}

/// Whoever began it dies before its first turn: another one goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_starter_dies_goes_on() {
    use houbu::engine::Registry;
    use houbu::engine::store;

    use super::town::{Basket, Errand, Errands, Step};

    let errands = Errands::new(houbu::engine::limits::Limits::default()).await;
    let works = &errands.works;
    let basket = Basket { name: "left".to_owned(), tells: false };
    let id = uuid::Uuid::now_v7();
    let new = Registry::new_run::<Errand>(id, "left".to_owned(), Step::Thinking.name(), &basket).unwrap();
    let mut conn = works.db.pool.acquire().await.unwrap();
    let dead = uuid::Uuid::now_v7();
    assert!(store::start_held(&mut conn, TENANT, &new, dead).await.unwrap().is_some());
    assert!(store::start_held(&mut conn, TENANT, &new, dead).await.unwrap().is_none(), "the key stands");
    drop(conn);
    assert_eq!(works.row(id).await.status, "running");
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(works.row(id).await.status, "completed");
    errands.works.close(vec![worker]).await;
}

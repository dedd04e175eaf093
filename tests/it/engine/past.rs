//! Runs that ended long ago: archived, found like any other, their keys taken, forgotten in the end.

use std::collections::HashSet;
use std::time::Duration;

use chrono::TimeDelta;
use houbu::engine::flow::Flow as _;
use houbu::engine::housekeeping::{self, Retention};
use houbu::engine::inspect::{self, Filter};
use houbu::engine::staff::{By, Refused, Verb, perform};
use houbu::engine::store::{self, Outgoing, Signalled, archive};
use houbu::engine::{Registry, RunId, To};
use serde_json::json;
use uuid::Uuid;

use super::baskets::{Basket, ShopBasket, Step as BasketStep};
use super::shop::ShopOrder;
use super::works::{TENANT, Works, morning};

/// An order that was given up at once, by a worker of its own.
async fn ended(works: &Works, name: &str) -> RunId {
    let run = works.order(name).await;
    works.signal(run, "GivenUp", "no", json!({})).await;
    let worker = works.worker().await;
    works.still().await;
    worker.stop().await;
    assert_eq!(works.row(run).await.status, "completed");
    run
}

async fn archives(works: &Works) -> u64 {
    archive::move_ended(&works.db.pool, TENANT, 90, 500).await.unwrap()
}

async fn is_archived(works: &Works, run: RunId) -> bool {
    let (live, archived): (bool, bool) = sqlx::query_as(
        "select exists (select 1 from run where id = $1), exists (select 1 from run_archive where id = $1)",
    )
    .bind(run)
    .fetch_one(&works.db.pool)
    .await
    .unwrap();
    assert!(live != archived, "a run is in one of the two");
    archived
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_run_is_found_like_any_other() {
    let works = Works::new().await;
    let old = ended(&works, "old").await;
    let before = inspect::find(&works.db.pool, TENANT, old).await.unwrap().unwrap();
    works.clock_shows(TimeDelta::days(90)).await;
    assert_eq!(archives(&works).await, 0, "it ended 90 days ago to the second");
    works.clock_shows(TimeDelta::days(91)).await;
    let live = works.order("young").await;
    assert_eq!(housekeeping::round(&works.engine, &Retention::default()).await.archived, 1);
    assert!(is_archived(&works, old).await && !is_archived(&works, live).await);

    let found = inspect::find(&works.db.pool, TENANT, old).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{before:?}"), "as it was");
    let by_key = inspect::find_key(&works.db.pool, TENANT, ShopOrder::NAME, "old").await.unwrap().unwrap();
    assert_eq!(by_key.id, old);
    let state = inspect::state(&works.db.pool, TENANT, old).await.unwrap().unwrap();
    assert_eq!(state["name"], "old");
    assert_eq!(inspect::history(&works.db.pool, TENANT, old, 0, 10).await.unwrap().len(), 1);
    assert_eq!(inspect::inbox(&works.db.pool, TENANT, old, 10).await.unwrap()[0].read_turn, Some(1));
    let ids = |filter: Filter| {
        let pool = works.db.pool.clone();
        async move {
            let found = inspect::list(&pool, TENANT, &filter).await.unwrap();
            found.into_iter().map(|one| one.id).collect::<Vec<_>>()
        }
    };
    let all = Filter { most: 10, ..Filter::default() };
    assert_eq!(ids(all.clone()).await, [live, old], "one list, newest first");
    assert_eq!(ids(Filter { most: 1, ..all.clone() }).await, [live]);
    assert_eq!(ids(Filter { before: Some(live), ..all.clone() }).await, [old], "one cursor");
    assert_eq!(ids(Filter { status: Some("completed".to_owned()), ..all.clone() }).await, [old]);
    assert_eq!(ids(Filter { status: Some("waiting".to_owned()), ..all.clone() }).await, [live]);
    assert_eq!(ids(Filter { step: Some("Dropped".to_owned()), ..all.clone() }).await, [old]);
    assert_eq!(ids(Filter { q: Some("ol".to_owned()), ..all.clone() }).await, [old]);
    assert_eq!(ids(Filter { q: Some(old.to_string()), ..all.clone() }).await, [old]);
    assert_eq!(ids(Filter { q: Some("old1".to_owned()), ..all.clone() }).await, [] as [RunId; 0]);
    assert_eq!(ids(Filter { workflow: Some("shop_basket".to_owned()), ..all }).await, [] as [RunId; 0]);
    works.close(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_signal_and_a_start_of_the_same_key_meet_the_archived_run() {
    let works = Works::new().await;
    let run = ended(&works, "book").await;
    works.clock_shows(TimeDelta::days(91)).await;
    assert_eq!(archives(&works).await, 1);
    assert_eq!(works.pays(run).await, Signalled::Delivered);
    assert_eq!(works.pays(run).await, Signalled::Duplicate);
    assert_eq!(works.read_turn(run, "money").await, Some(0), "too late for any turn, and visible");
    let to = To::Key { workflow: ShopOrder::NAME, key: "book".to_owned() };
    let signal = Outgoing { to, name: "GivenUp".into(), id: "no".to_owned(), payload: json!({}) };
    let mut conn = works.db.pool.acquire().await.unwrap();
    assert_eq!(store::signal(&mut conn, TENANT, &signal).await.unwrap(), Signalled::Duplicate, "it was heard in life");
    drop(conn);
    let by = By { who: "wang".to_owned(), reason: "to see".to_owned() };
    let cancelled = perform(&works.engine, run, &by, &Verb::Cancel).await.unwrap();
    assert_eq!(cancelled, Err(Refused::Ended { status: "completed".to_owned() }));
    let again = works.start("book").await;
    assert_eq!((again.id, again.new), (run, false));
    assert!(is_archived(&works, run).await, "nothing was started");
    assert_eq!(works.letters(run).await.len(), 2, "and nothing was caused");
    works.close(vec![]).await;
}

/// The start has looked for the key before the archiver commits, and waits for it: it must see what it waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_waited_for_the_archiver_starts_nothing() {
    let works = Works::new().await;
    let run = ended(&works, "book").await;
    works.clock_shows(TimeDelta::days(91)).await;
    let mut archiver = works.db.pool.begin().await.unwrap();
    assert_eq!(archive::move_ended(&mut *archiver, TENANT, 90, 500).await.unwrap(), 1);
    let (started, ()) = futures::join!(works.start("book"), async {
        works
            .wait_for("the start to wait", || async {
                let waits = "select exists (select 1 from pg_stat_activity
                             where datname = current_database() and wait_event_type = 'Lock')";
                sqlx::query_scalar::<_, bool>(waits).fetch_one(&works.db.pool).await.unwrap()
            })
            .await;
        archiver.commit().await.unwrap();
    });
    assert_eq!((started.id, started.new), (run, false));
    assert!(is_archived(&works, run).await);
    let runs: i64 = sqlx::query_scalar("select (select count(*) from run) + (select count(*) from run_state)")
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(runs, 0, "the run that was not to be has left nothing");
    works.close(vec![]).await;
}

/// Starts, signals, archivers and a list at once: every key is one run, all the while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stays_one_run_while_it_is_archived() {
    let works = Works::new().await;
    let keys: Vec<String> = (0..60).map(|n| format!("order {n}")).collect();
    let mut runs = Vec::new();
    for key in &keys {
        runs.push(works.order(key).await);
    }
    for run in &runs {
        works.signal(*run, "GivenUp", "no", json!({})).await;
    }
    let worker = works.worker().await;
    works.still().await;
    worker.stop().await;
    works.clock_shows(TimeDelta::days(91)).await;
    let archivers = async {
        let mut moved = 0;
        while moved < 60 {
            let some = (0..3).map(|_| archive::move_ended(&works.db.pool, TENANT, 90, 3));
            moved += futures::future::join_all(some).await.into_iter().map(Result::unwrap).sum::<u64>();
        }
        moved
    };
    let starts = futures::future::join_all(keys.iter().zip(&runs).map(|(key, run)| {
        let works = &works;
        async move {
            for _ in 0..6 {
                let started = works.start(key).await;
                assert_eq!((started.id, started.new), (*run, false));
                assert_ne!(works.pays(*run).await, Signalled::Kept);
                let found = inspect::find_key(&works.db.pool, TENANT, ShopOrder::NAME, key).await.unwrap();
                assert_eq!(found.map(|found| found.id), Some(*run));
            }
        }
    }));
    let looks = async {
        for _ in 0..40 {
            let filter = Filter { most: 100, ..Filter::default() };
            let found = inspect::list(&works.db.pool, TENANT, &filter).await.unwrap();
            let ids: HashSet<RunId> = found.iter().map(|one| one.id).collect();
            assert_eq!((found.len(), ids.len()), (60, 60), "each once at every moment");
        }
    };
    let (moved, _, ()) = futures::join!(archivers, starts, looks);
    assert_eq!(moved, 60, "three archivers share the work");
    for run in &runs {
        assert_eq!(works.read_turn(*run, "money").await, Some(0));
    }
    works.close(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_something_outstanding_is_not_archived() {
    let works = Works::new().await;
    let run = ended(&works, "book").await;
    // A basket that gave its orders up too early: one of them still waits.
    let basket = Basket { names: vec!["pen".to_owned()], pay_until: morning(), ended: Vec::new() };
    let new = Registry::new_run::<ShopBasket>(Uuid::now_v7(), "one".to_owned(), BasketStep::Orders.name(), &basket);
    let mut tx = works.db.pool.begin().await.unwrap();
    let parent = store::start(&mut tx, TENANT, new.unwrap()).await.unwrap().id;
    tx.commit().await.unwrap();
    let child = works.order("pen").await;
    let ties = "update run set parent = $1, status = 'suspended' where id = $2";
    sqlx::query(ties).bind(parent).bind(child).execute(&works.db.pool).await.unwrap();
    works.clock_shows(TimeDelta::days(9)).await;
    let worker = works.worker().await;
    works.still().await;
    worker.stop().await;
    assert_eq!(works.row(parent).await.step, "Abandoned");
    let unsettled = "update outbox set status = 'suspended' where id = (select min(id) from outbox where run_id = $1)";
    sqlx::query(unsettled).bind(run).execute(&works.db.pool).await.unwrap();

    works.clock_shows(TimeDelta::days(200)).await;
    assert_eq!(archives(&works).await, 0, "a letter and a child are outstanding");
    sqlx::query("update outbox set status = 'sent' where run_id = $1").bind(run).execute(&works.db.pool).await.unwrap();
    assert_eq!(archives(&works).await, 1);
    assert!(is_archived(&works, run).await && !is_archived(&works, parent).await);
    assert_eq!(works.row(child).await.status, "suspended", "what lives stays, whatever its age");
    works.close(vec![]).await;
}

/// Money arrives for an order whose run was archived: it is taken up again, where it is settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_run_can_be_taken_up_again() {
    let works = Works::new().await;
    let run = ended(&works, "book").await;
    works.clock_shows(TimeDelta::days(91)).await;
    assert_eq!(archives(&works).await, 1);
    works.pays(run).await;
    let step = ShopOrder::TABLE.step("Refund").unwrap();
    let mut tx = works.db.pool.begin().await.unwrap();
    assert!(store::reopen::reopen(&mut tx, TENANT, run, &[], step, &["Money"], "money came late").await.unwrap());
    tx.commit().await.unwrap();
    assert!(!is_archived(&works, run).await);
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(
        works.story(run).await,
        ["Payment on GivenUp: GivenUp", "Dropped on late: reopened", "Refund: Returned"]
    );
    assert_eq!(works.row(run).await.status, "completed");
    assert_eq!(works.engine.survey().await.unwrap().runs, [], "nothing lives");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_ended_is_forgotten_some_day() {
    let works = Works::new().await;
    let kept = Retention::default();
    let worker = works.worker().await;
    let mut runs = Vec::new();
    for n in 0..30 {
        runs.push(works.order(&format!("order {n}")).await);
    }
    works.still().await;
    for run in &runs[..20] {
        works.signal(*run, "GivenUp", "no", json!({})).await;
    }
    works.still().await;
    worker.stop().await;
    let waiting = [("shop_order".to_owned(), "waiting".to_owned(), 10)];
    assert_eq!(works.engine.survey().await.unwrap().runs, waiting, "what has ended is not counted");

    works.clock_shows(TimeDelta::days(91)).await;
    let round = housekeeping::round(&works.engine, &kept).await;
    assert_eq!((round.archived, round.letters, round.forgotten), (20, 50, 0));
    works.clock_shows(TimeDelta::days(401)).await;
    assert_eq!(housekeeping::round(&works.engine, &kept).await.forgotten, 20);
    assert_eq!(works.engine.survey().await.unwrap().runs, waiting);
    let left: i64 = sqlx::query_scalar("select count(*) from inbox").fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(left, 0, "their signals went with them");
    assert!(works.start("order 0").await.new, "a key that is forgotten is free");
    works.close(vec![]).await;
}

/// Whoever adds a column to `run` must think of the archive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_archive_has_every_column_of_a_run() {
    let works = Works::new().await;
    let columns = async |table: &str| -> HashSet<String> {
        let sql = "select column_name::text from information_schema.columns
                   where table_name = $1 and is_generated = 'NEVER'";
        let columns = sqlx::query_scalar(sql).bind(table).fetch_all(&works.db.pool).await.unwrap();
        columns.into_iter().collect()
    };
    let (run, mut archived) = (columns("run").await, columns("run_archive").await);
    archived.retain(|column| column != "state" && column != "archived_at");
    let moved: HashSet<String> = archive::COLUMNS.split(',').map(|column| column.trim().to_owned()).collect();
    assert_eq!(archived, run);
    assert_eq!(moved, run);
    works.close(vec![]).await;
}

/// A worker keeps house by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_archives_what_is_old() {
    let works = Works::new().await;
    let run = ended(&works, "book").await;
    works.clock_shows(TimeDelta::days(91)).await;
    let worker = works.worker().await;
    let began = std::time::Instant::now();
    works.wait_for("the archiver", || async { is_archived(&works, run).await }).await;
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    works.close(vec![worker]).await;
}

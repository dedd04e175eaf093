//! A worker that is asked to stop, or that stood still: what it has in hand is finished, handed back or thrown away, and
//! nothing of it is lost or done twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use houbu::app::database;
use houbu::engine::worker::{self, Options};
use houbu::engine::{Engine, Registry};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};

use super::laundry::Release;
use super::shop::{DROWSY, ShopOrder};
use super::works::{RETRY, TENANT, Works};
use crate::patience;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_would_go_on_rests_at_the_next_step() {
    let works = Works::new().await;
    let old = Release::old(&works);
    old.takes_the_irons();
    let worker = old.worker().await;
    let run = old.shirt("Ironing", "shirt").await;
    old.is_ironing(&works, 1).await;
    let (handed_back, ()) = tokio::join!(worker.stop(), async { old.irons.free.add_permits(1) });
    assert_eq!(handed_back, 0);
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str()), ("Hanging", "pending"));
    assert_eq!(works.story(run).await, ["Ironing: Ironed"]);
    let next = old.worker().await;
    works.wait_for("another worker to go on", || async { works.row(run).await.step == "Fetched" }).await;
    works.close(vec![next]).await;
}

/// Nobody asks it to stop, and nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_dropped_finishes_what_it_has_in_hand_and_gives_up_its_lease() {
    let works = Works::new().await;
    let old = Release::old(&works);
    old.takes_the_irons();
    let worker = old.worker().await;
    let run = old.shirt("Ironing", "shirt").await;
    old.is_ironing(&works, 1).await;
    drop(worker);
    old.irons.free.add_permits(1);
    let leases = "select count(*) from worker";
    let gone = async || sqlx::query_scalar::<_, i64>(leases).fetch_one(&works.db.pool).await.unwrap() == 0;
    works.wait_for("the lease to be given up", gone).await;
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str()), ("Hanging", "pending"));
    let later = old.shirt("Ironing", "another shirt").await;
    let next = old.worker().await;
    old.irons.free.add_permits(1);
    works.wait_for("another worker to go on", || async { works.row(later).await.step == "Fetched" }).await;
    works.close(vec![next]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_too_long_is_handed_back() {
    let works = Works::new().await;
    let old = Release::old(&works);
    old.takes_the_irons();
    let worker = old.worker_with(Options { drain_max: Duration::from_millis(20), ..Options::default() }).await;
    let run = old.shirt("Ironing", "shirt").await;
    old.is_ironing(&works, 1).await;
    assert_eq!(worker.stop().await, 1);
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str()), ("Ironing", "pending"));
    let left: (bool, i64) = sqlx::query_as("select again, (select count(*) from worker) from run where id = $1")
        .bind(run)
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(left, (true, 0), "the next one is told that it may have been done, and no lease is left");
    let next = old.worker().await;
    old.is_ironing(&works, 2).await;
    old.irons.free.add_permits(1);
    works.wait_for("another worker to go on", || async { works.row(run).await.step == "Fetched" }).await;
    assert_eq!(works.story(run).await, ["Ironing: Ironed", "Hanging: Hung"], "once");
    works.close(vec![next]).await;
}

/// As after an hour in which its process stood still: others have removed its row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_row_is_gone_comes_back_with_what_it_knows() {
    let works = Works::new().await;
    let old = Release::old(&works);
    let worker = old.worker().await;
    sqlx::query("delete from worker").execute(&works.db.pool).await.unwrap();
    works
        .wait_for("the worker to be there again", || async {
            let there = "select count(*) = 1 from worker where 'laundry/Ironing' = any(knows)";
            sqlx::query_scalar(there).fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    let run = old.shirt("Ironing", "shirt").await;
    works.wait_for("it to work", || async { works.row(run).await.step == "Fetched" }).await;
    works.close(vec![worker]).await;
}

/// What the drowsy order's first commit sees its own session through: none once it has slept.
static BESIDE: Mutex<Option<PgPool>> = Mutex::new(None);

/// Stands still in the middle of a transaction until the server has had enough of it. Once.
pub async fn fall_asleep(conn: &mut PgConnection) -> sqlx::Result<()> {
    let Some(beside) = BESIDE.lock().unwrap().take() else { return Ok(()) };
    let session: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(conn).await?;
    patience::wait_for("the server to end the session", || async {
        let gone = "select not exists (select 1 from pg_stat_activity where pid = $1)";
        sqlx::query_scalar(gone).bind(session).fetch_one(&beside).await.unwrap()
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_stands_still_holds_nothing_for_long() {
    let works = Works::new().await;
    *BESIDE.lock().unwrap() = Some(works.db.pool.clone());
    let server = (*works.db.pool.connect_options()).clone();
    let ours = database::pool(server.clone(), 1).await.unwrap();
    let limit: String = sqlx::query_scalar("show idle_in_transaction_session_timeout").fetch_one(&ours).await.unwrap();
    assert_eq!(limit, "3s", "shorter than a lease");
    ours.close().await;
    // The same, for a test's patience.
    let impatient = server.options([("idle_in_transaction_session_timeout", "50ms")]);
    let impatient = PgPoolOptions::new().max_connections(8).connect_with(impatient).await.unwrap();
    let registry = Registry::default().with_retry::<ShopOrder>(Arc::clone(&works.warehouse), RETRY);
    let options = Options { poll: Duration::from_millis(5), ..Options::default() };
    let worker = worker::start(Engine::new(impatient.clone(), TENANT, registry), options).await.unwrap();
    let run = works.order(DROWSY).await;
    works.pays(run).await;
    works.wait_for("the parcel to be at the counter", || async { works.row(run).await.step == "Counter" }).await;
    assert!(BESIDE.lock().unwrap().is_none(), "it has slept");
    assert_eq!(works.story(run).await, ["Payment on Paid: Paid", "Packing: Packed"], "no attempt counts as failed");
    assert_eq!(works.warehouse.asked(DROWSY), [false, true], "the step was done again, and told so");
    worker.stop().await;
    impatient.close().await;
    works.close(vec![]).await;
}

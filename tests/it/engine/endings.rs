//! Whoever waits for a run hears of its ending, wherever it ends.

use std::time::Duration;

use houbu::engine::{Engine, Registry};
use serde_json::json;
use uuid::Uuid;

use super::works::{TENANT, Works};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_here_or_elsewhere_is_waited_for() {
    let works = Works::new().await;
    let here = works.order("here").await;
    let ending = works.engine.ending_of(here);
    let before = ending.within(Duration::ZERO).await.unwrap().unwrap();
    assert_eq!((before.status.as_str(), before.ended_at), ("waiting", None), "the time was up");
    let worker = works.worker().await;
    works.signal(here, "GivenUp", "no", json!({})).await;
    assert_eq!(ending.within(LONG).await.unwrap().unwrap().status, "completed");
    // A second engine on the same database stands for another process.
    let elsewhere = works.order("elsewhere").await;
    let other = Engine::new(works.db.pool.clone(), TENANT, Registry::default());
    let waits = other.ending_of(elsewhere);
    let (ended, _) = tokio::join!(waits.within(LONG), works.signal(elsewhere, "GivenUp", "no", json!({})));
    assert_eq!(ended.unwrap().unwrap().status, "completed");
    assert!(other.ending_of(Uuid::now_v7()).within(LONG).await.unwrap().is_none(), "there is no such run");
    drop((ending, waits));
    works.close(vec![worker]).await;
}

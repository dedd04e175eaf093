//! A job cannot die silently: one that fails, is late, or is paused is among what is wrong with the whole.

use houbu::engine::health::{Finding, assess};
use houbu::engine::jobs::Missed;
use houbu::engine::jobs::verbs::{JobVerb, perform};
use houbu::engine::staff::By;

use super::jobs::{Trouble, after, job, shelves};
use super::works::Works;

/// What is wrong with the jobs.
async fn wrong(works: &Works) -> Vec<Finding> {
    let mut found = assess(&works.engine.survey().await.unwrap(), None);
    found.retain(|finding| finding.code().starts_with("job_"));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_tick_is_found() {
    let restock = shelves(&["bread"]);
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::One, &restock)]).await;
    let worker = works.worker().await;
    assert_eq!(wrong(&works).await, []);

    restock.meets([Trouble::Burns]);
    works.clock_at(after(10)).await;
    works.wait_for("the start to fail", || async { works.job("restock").await.row.failures == 1 }).await;
    let found = wrong(&works).await;
    let [Finding::JobFailing { job, failures: 1, error, .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((job.as_str(), error.as_str()), ("restock", "the job panicked"));
    works.clock_at(after(11)).await;
    works.still().await;
    works.wait_for("the next try", || async { wrong(&works).await.is_empty() }).await;

    let by = By { who: "wang".to_owned(), reason: "stocktaking".to_owned() };
    perform(&works.engine, "restock", &by, JobVerb::Pause, None).await.unwrap().unwrap();
    let paused = Finding::JobPaused { job: "restock".to_owned(), by: by.who.clone(), why: by.reason.clone() };
    assert_eq!(wrong(&works).await, [paused]);
    perform(&works.engine, "restock", &by, JobVerb::Resume, None).await.unwrap().unwrap();

    // A release that does not have the job: nobody else would try it.
    worker.stop().await;
    works.clock_at(after(25)).await;
    assert_eq!(wrong(&works).await, [], "while nobody works, that is what is wrong");
    let (_, another) = works.worker_of([]).await;
    let overdue = Finding::JobOverdue { job: "restock".to_owned(), since: Some(after(20)) };
    assert_eq!(wrong(&works).await, [overdue]);
    let worker = works.worker().await;
    works.wait_for("the tick", || async { wrong(&works).await.is_empty() }).await;
    works.close(vec![worker, another]).await;
}

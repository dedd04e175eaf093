//! What people do to jobs: pause, resume, run now; each with its audit.

use houbu::engine::jobs::look::Standing;
use houbu::engine::jobs::verbs::{JobRefused, JobVerb, perform};
use houbu::engine::jobs::{Job, Missed, Overlap};
use houbu::engine::staff::By;
use houbu::engine::store::audit::{self, Audited, Wanted};

use super::jobs::{Trouble, after, job, shelves};
use super::works::{TENANT, Works};

fn by(reason: &str) -> By {
    By { who: "wang".to_owned(), reason: reason.to_owned() }
}

async fn audited(works: &Works) -> Vec<Audited> {
    let wanted = Wanted { job: Some("restock".to_owned()), most: 10, ..Wanted::default() };
    audit::list(&works.db.pool, TENANT, &wanted).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_job_does_not_tick_and_goes_on_from_its_resumption() {
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::All, &shelves(&["bread"]))]).await;
    let worker = works.worker().await;
    let does = async |verb, why: &str| perform(&works.engine, "restock", &by(why), verb, None).await.unwrap();
    assert_eq!(does(JobVerb::Resume, "by mistake").await, Err(JobRefused::NotPaused));
    assert_eq!(does(JobVerb::Pause, "the shelves are being painted").await, Ok(Vec::new()));
    assert_eq!(does(JobVerb::Pause, "twice").await, Err(JobRefused::AlreadyPaused));
    works.clock_at(after(35)).await;
    works.still().await;
    let seen = works.job("restock").await;
    assert_eq!((seen.standing, seen.row.paused_by.as_deref()), (Standing::Paused, Some("wang")));
    assert_eq!(seen.next_ticks[..2], [after(40), after(50)], "what there would be");
    assert_eq!(works.ticked("restock").await, [""; 0]);

    assert_eq!(does(JobVerb::Resume, "they are dry").await, Ok(Vec::new()));
    works.still().await;
    assert_eq!(works.ticked("restock").await, [""; 0], "what would have ticked meanwhile is not made up");
    works.clock_at(after(40)).await;
    works.still().await;
    assert_eq!(works.ticked("restock").await, ["2026-09-01T00:40:00Z/bread"]);

    let deeds = audited(&works).await;
    let told: Vec<(&str, &str, &str)> =
        deeds.iter().map(|deed| (deed.verb.as_str(), deed.who.as_str(), deed.reason.as_str())).collect();
    let expected = [("job.resume", "wang", "they are dry"), ("job.pause", "wang", "the shelves are being painted")];
    assert_eq!(told, expected, "a refused verb leaves no trace");
    assert_eq!((&deeds[1].before["paused"], &deeds[1].after["paused"]), (&false.into(), &true.into()));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_run_now_paused_or_not_and_its_plan_stays() {
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::One, &shelves(&["bread"]))]).await;
    let worker = works.worker().await;
    let does =
        async |verb| perform(&works.engine, "restock", &by("a customer asks for bread"), verb, None).await.unwrap();
    works.clock_at(after(3)).await;
    does(JobVerb::Pause).await.unwrap();
    let started = does(JobVerb::Run).await.unwrap();
    assert_eq!(started.len(), 1);
    let seen = works.job("restock").await;
    assert_eq!((seen.row.last_runs, seen.row.last_tick, seen.row.next_tick), (started.clone(), None, Some(after(10))));
    assert_eq!(seen.last_runs[0].key, "restock@2026-09-01T00:03:00Z!/bread");
    assert_eq!(audited(&works).await[0].after["started"], serde_json::json!(started));
    does(JobVerb::Resume).await.unwrap();
    works.clock_at(after(10)).await;
    works.still().await;
    let keys = works.ticked("restock").await;
    assert_eq!(keys, ["2026-09-01T00:03:00Z!/bread", "2026-09-01T00:10:00Z/bread"], "the tick comes all the same");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_run_is_refused_and_leaves_nothing() {
    let restock = shelves(&["bread"]);
    let works = Works::with_jobs([job("restock", "*/10 * * * *", Missed::One, &restock)]).await;
    let worker = works.worker().await;
    let runs = async |engine, name| perform(engine, name, &by("now"), JobVerb::Run, None).await.unwrap();
    assert_eq!(runs(&works.engine, "tidy").await, Err(JobRefused::NoJob));
    restock.meets([Trouble::Burns]);
    let why = "the job panicked".to_owned();
    assert_eq!(runs(&works.engine, "restock").await, Err(JobRefused::NotStarted { why }));
    assert_eq!(works.on_shelf("half").await, None);
    let (other, another) = works.worker_of([]).await;
    assert_eq!(runs(&other, "restock").await, Err(JobRefused::UnknownHere));
    assert_eq!((audited(&works).await.len(), works.job("restock").await.row.failures), (0, 0));
    works.close(vec![worker, another]).await;
}

/// Whoever heard no answer asks again under the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_starts_a_tick_once() {
    for overlap in [Overlap::Allow, Overlap::Skip] {
        let restock = Job { overlap, ..job("restock", "*/10 * * * *", Missed::One, &shelves(&["bread", "milk"])) };
        let works = Works::with_jobs([restock]).await;
        let worker = works.worker().await;
        let runs = async |request| {
            perform(&works.engine, "restock", &by("bread is out"), JobVerb::Run, Some(request)).await.unwrap().unwrap()
        };
        let first = runs("k1").await;
        assert_eq!(first.len(), 2);
        works.clock_at(after(3)).await;
        works.still().await;
        assert_eq!(runs("k1").await, first, "{overlap:?}");
        // What has not ended is not done twice, where the job says so.
        let second = runs("k2").await;
        assert_eq!(second.len(), if overlap == Overlap::Allow { 2 } else { 0 });
        assert!(second.iter().all(|run| !first.contains(run)));
        works.close(vec![worker]).await;
    }
}

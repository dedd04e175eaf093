//! Workers of two releases on one database: what nobody knows is unrunnable and shown as that, what one knows is his.

use houbu::engine::around::Around;
use houbu::engine::inspect::{self, Filter, UNRUNNABLE, Why};
use houbu::engine::preflight;
use houbu::engine::staff::explain::{Would, explain};
use houbu::engine::worker::Worker;
use houbu::engine::{Engine, RunId};

use super::laundry::Release;
use super::works::{TENANT, Works};

async fn why(engine: &Engine, run: RunId) -> Why {
    let seen = inspect::find(&engine.pool, TENANT, run).await.unwrap().unwrap();
    Around::look(engine).await.unwrap().why(&seen)
}

async fn of_status(engine: &Engine, status: &str) -> Vec<RunId> {
    let runnable = Some(Around::look(engine).await.unwrap().runnable());
    let filter = Filter { status: Some(status.to_owned()), most: 10, runnable, ..Filter::default() };
    inspect::list(&engine.pool, TENANT, &filter).await.unwrap().into_iter().map(|run| run.id).collect()
}

/// How many of the laundry's runs are shown in which status.
async fn counts(engine: &Engine) -> Vec<(String, i64)> {
    let runnable = Around::look(engine).await.unwrap().runnable();
    let counts = inspect::counts(&engine.pool, TENANT, &runnable).await.unwrap();
    counts.into_iter().map(|(_, status, runs)| (status, runs)).collect()
}

fn stands_at(step: &str) -> Why {
    Why::Unrunnable { step: step.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_live_worker_knows_is_unrunnable_until_one_comes() {
    let works = Works::new().await;
    let (old, new) = (Release::old(&works), Release::new(&works));
    let run = old.shirt("Ironing", "shirt").await;
    assert_eq!(why(&old.engine, run).await, Why::NobodyWorks, "the program that is asked could");
    assert_eq!(why(&new.engine, run).await, stands_at("Ironing"));

    let folds = new.worker().await;
    for engine in [&old.engine, &new.engine] {
        assert_eq!(why(engine, run).await, stands_at("Ironing"), "who is alive counts, not who asks");
        assert_eq!(of_status(engine, UNRUNNABLE).await, [run]);
        assert!(of_status(engine, "pending").await.is_empty());
        assert_eq!(counts(engine).await, [(UNRUNNABLE.to_owned(), 1)]);
    }
    let mut conn = works.db.pool.acquire().await.unwrap();
    let verbs = explain(&old.engine, &mut conn, run).await.unwrap().unwrap();
    drop(conn);
    let jump = verbs.iter().find(|one| one.verb == "jump").unwrap();
    let to = |step: &str| jump.choices.iter().find(|one| one.name == step).unwrap().would.clone().unwrap();
    assert_eq!(to("Hanging"), Would::WaitForRelease { step: "Hanging".to_owned() });
    assert_eq!(to("Shelf"), Would::Go { to: "Shelf".to_owned() });
    assert_eq!(to("Lost"), Would::Go { to: "Lost".to_owned() });

    let irons = old.worker().await;
    works.wait_for("the shirt to be ironed", || async { works.row(run).await.step == "Fetched" }).await;
    assert_eq!(works.story(run).await, ["Ironing: Ironed", "Hanging: Hung"]);
    assert_eq!(counts(&new.engine).await, [], "it has ended");
    works.close(vec![folds, irons]).await;
}

/// What `houbu check` of the new release would say while the old one works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_a_deploy_it_is_known_what_would_stand_still() {
    let works = Works::new().await;
    let (old, new) = (Release::old(&works), Release::new(&works));
    let irons = old.worker().await;
    old.takes_the_irons();
    for key in ["a", "b"] {
        old.shirt("Ironing", key).await;
    }
    old.shirt("Shelf", "c").await;
    let crew = preflight::crew(&works.db.pool, TENANT).await.unwrap();
    let would = preflight::unrunnable(&works.db.pool, TENANT, &new.engine.registry.knows().steps).await.unwrap();
    let would: Vec<_> = would.iter().map(|one| (one.workflow.as_str(), one.step.as_str(), one.runs)).collect();
    assert_eq!(would, [("laundry", "Ironing", 2)]);
    assert_eq!(crew.who_knows("laundry", "Ironing"), ["old"]);
    assert_eq!(crew.who_knows("laundry", "Folding"), [] as [&str; 0]);
    assert_eq!(crew.members[0].knows.signals, ["laundry/Shelf/Clean"]);
    let steps = crew.steps(&new.engine.registry.knows());
    assert_eq!(preflight::unrunnable(&works.db.pool, TENANT, &steps).await.unwrap(), [], "as things are, all can run");
    old.irons.free.add_permits(2);
    works.close(vec![irons]).await;
}

/// A run in the hands of a worker that died is not shown as running once nobody is left who knows its step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_is_never_shown_as_running() {
    let works = Works::new().await;
    let (old, new) = (Release::old(&works), Release::new(&works));
    let run = old.shirt("Ironing", "shirt").await;
    sqlx::query("update run set status = 'running', worker = gen_random_uuid()").execute(&works.db.pool).await.unwrap();
    assert_eq!(why(&old.engine, run).await, Why::NobodyWorks);
    assert_eq!(why(&new.engine, run).await, stands_at("Ironing"));
    assert!(of_status(&new.engine, "running").await.is_empty());
    assert_eq!(of_status(&new.engine, UNRUNNABLE).await, [run]);
    sqlx::query("update run set status = 'pending', worker = null").execute(&works.db.pool).await.unwrap();
    works.close(vec![]).await;
}

/// Two beats of a worker: in the second one it has certainly seen who was there before the first.
async fn has_looked_around(works: &Works, worker: &Worker) {
    for _ in 0..2 {
        let lease = "select lease_until from worker where name = $1";
        let lease = || async {
            let until: chrono::DateTime<chrono::Utc> =
                sqlx::query_scalar(lease).bind(worker.name()).fetch_one(&works.db.pool).await.unwrap();
            until
        };
        let before = lease().await;
        works.wait_for("the lease to be renewed", || async { lease().await > before }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_the_old_release_does_not_know_waits_for_the_new_one() {
    let works = Works::new().await;
    let (old, new) = (Release::old(&works), Release::new(&works));
    let irons = old.worker().await;
    let run = old.shirt("Sorting", "shirt").await;
    works.still().await;
    works.signal(run, "Recalled", "call", serde_json::json!({})).await;
    works.still().await;
    let row = works.row(run).await;
    assert_eq!((row.step.as_str(), row.status.as_str()), ("Shelf", "waiting"), "neither heard nor refused");
    assert_eq!(works.read_turn(run, "call").await, None);

    let folds = new.worker().await;
    works.wait_for("the new release to hear it", || async { works.row(run).await.status == "completed" }).await;
    assert_eq!(works.story(run).await, ["Sorting: Sorted", "Shelf on Recalled: Recalled"]);
    works.close(vec![irons, folds]).await;
}

/// What the old release parked wakes for the new signal also where that comes after the deploy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_old_release_parked_hears_what_the_new_one_hears() {
    let works = Works::new().await;
    let (old, new) = (Release::old(&works), Release::new(&works));
    let irons = old.worker().await;
    let run = old.shirt("Sorting", "shirt").await;
    works.still().await;
    irons.stop().await;
    let folds = new.worker().await;
    let listens = || async {
        let listens = "select listens from run where id = $1";
        sqlx::query_scalar::<_, Vec<String>>(listens).bind(run).fetch_one(&works.db.pool).await.unwrap()
    };
    works.wait_for("new ears", || async { listens().await == ["Clean", "Recalled"] }).await;
    assert_eq!(works.story(run).await, ["Sorting: Sorted"], "nothing happened by that");
    works.signal(run, "Recalled", "call", serde_json::json!({})).await;
    works.wait_for("the signal to be heard", || async { works.row(run).await.status == "completed" }).await;
    works.close(vec![folds]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_both_work_the_old_release_leaves_the_step_where_the_new_one_hears_more() {
    let works = Works::new().await;
    let (old, new) = (Release::old(&works), Release::new(&works));
    let irons = old.worker().await;
    let folds = new.worker().await;
    has_looked_around(&works, &irons).await;
    let mut shirts = Vec::new();
    for n in 0..12 {
        // Both sort; whoever does, the shelf is the new one's, where it is clean already as where it becomes so.
        let shirt = old.shirt("Sorting", &n.to_string()).await;
        works.signal(shirt, "Clean", "washed", serde_json::json!({})).await;
        old.engine.hint();
        new.engine.hint();
        shirts.push(shirt);
    }
    works.still().await;
    for shirt in shirts {
        assert_eq!(works.story(shirt).await, ["Sorting: Sorted", "Shelf on Clean: Clean", "Folding: Folded"]);
    }
    // Whoever starts one decides what it is, and leaves the shelf to whoever hears more there.
    let shirt = old.engine.start_run(Release::new_shirt("Sorting", "wanted back")).await.unwrap().id;
    works.signal(shirt, "Recalled", "customer", serde_json::json!({})).await;
    new.engine.hint();
    works.still().await;
    assert_eq!(works.story(shirt).await, ["Sorting: Sorted", "Shelf on Recalled: Recalled"]);
    folds.stop().await;
    has_looked_around(&works, &irons).await;
    let shirt = old.shirt("Shelf", "later").await;
    works.signal(shirt, "Clean", "washed", serde_json::json!({})).await;
    old.engine.hint();
    works.wait_for("the old one to go on alone", || async { works.row(shirt).await.step == "Fetched" }).await;
    works.close(vec![irons]).await;
}

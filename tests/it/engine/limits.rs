//! What may be called at one time: shared by all workers, paused while the other side is down, urgent things first.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chrono::TimeDelta;
use houbu::engine::Fault;
use houbu::engine::limits::Limits;
use houbu::engine::outbox::{Delivery, Outlet, Outlets};
use houbu::engine::store::claim::{self, CLAIM};
use houbu::engine::store::destinations;
use houbu::engine::store::letters::Claimed;
use houbu::engine::store::switch::{self, Switched};
use houbu::engine::worker::Worker;
use uuid::Uuid;

use super::town::{Errands, FOR_ALL, POST, Step, Town};
use super::works::{TENANT, morning};

fn at_most(concurrency_max: u32) -> Limits {
    Limits { concurrency_max, ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_together_never_call_more_than_is_allowed() {
    let errands = Errands::new(at_most(5)).await;
    let (works, mill) = (&errands.works, &errands.town.mill);
    mill.lets_nobody();
    errands.begin(Step::Going, 60).await;
    let first = works.worker().await;
    works.wait_for("five calls", || async { mill.inside() == 5 }).await;
    let second = works.worker().await;
    works
        .wait_for("the two to reckon with each other", || async {
            let agreed = "select count(*) = 2 from worker where cardinality(peers) = 2";
            sqlx::query_scalar(agreed).fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    assert_eq!(mill.inside(), 5);
    // As the first one's calls end, the second one takes its part.
    mill.lets(5);
    works
        .wait_for("both to call", || async {
            let both = "select count(distinct worker) = 2 from run where status = 'running'";
            sqlx::query_scalar(both).fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    mill.lets(FOR_ALL);
    works.still().await;
    assert_eq!(errands.count("completed").await, 60);
    assert_eq!((mill.most_inside(), mill.called()), (5, 60));
    errands.works.close(vec![first, second]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_is_kept() {
    let (per_s, burst) = (40.0, 4.0);
    let errands = Errands::new(Limits { rate_per_s: Some(per_s), ..Limits::default() }).await;
    let works = &errands.works;
    errands.begin(Step::Going, 24).await;
    let began = Instant::now();
    let worker = works.worker().await;
    works.still().await;
    let calls = errands.town.mill.calls();
    assert_eq!(calls.len(), 24);
    // A call comes some time after its pass was taken, so what counts is how many there were until then.
    for (nth, (_, at)) in (1_u32..).zip(&calls) {
        let passed = at.duration_since(began).as_secs_f64();
        assert!(f64::from(nth) <= per_s * passed + burst, "{nth} calls in {passed} s");
    }
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_destination_is_down_its_runs_wait_and_others_go_on() {
    let errands = Errands::new(at_most(12)).await;
    let (works, mill) = (&errands.works, &errands.town.mill);
    mill.is_away(true);
    mill.lets_nobody();
    errands.begin(Step::Going, 40).await;
    let worker = works.worker().await;
    works.wait_for("twelve calls", || async { mill.inside() == 12 }).await;
    mill.lets(12);
    works.wait_for("the mill to count as down", || errands.mill_is("open")).await;
    mill.lets(FOR_ALL);
    works.still().await;
    let tried = mill.called();
    assert!(tried < 40, "{tried} calls to a mill where nobody is");

    errands.begin(Step::Visiting, 7).await;
    works.still().await;
    assert_eq!(errands.count("completed").await, 7);
    assert_eq!(mill.called(), tried, "while it is down nobody calls");

    // The retries of those that failed are due long before; the next thing that can happen is a call that tries.
    works.clock_shows(TimeDelta::seconds(29)).await;
    works.still().await;
    assert_eq!(mill.called(), tried);
    let mut conn = works.db.pool.acquire().await.unwrap();
    let next = claim::next_due(&mut conn, TENANT).await.unwrap().unwrap();
    drop(conn);
    assert_eq!(next - morning(), TimeDelta::seconds(30));

    // One call, in vain; then the pause is twice as long.
    works.clock_at(next).await;
    works.still().await;
    assert_eq!(mill.called(), tried + 1);
    works.clock_shows(TimeDelta::seconds(89)).await;
    works.still().await;
    assert_eq!(mill.called(), tried + 1);

    mill.is_away(false);
    works.clock_shows(TimeDelta::seconds(90)).await;
    works.still().await;
    assert_eq!(errands.count("completed").await, 47);
    works.wait_for("the mill to recover", || async { errands.mill_told().await.len() == 6 }).await;
    assert_eq!(errands.mill_told().await, ["opened", "probed", "opened", "probed", "closed", "recovered"]);
    let attempts: i64 =
        sqlx::query_scalar("select count(*) from turn where outcome is null").fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(usize::try_from(attempts).unwrap(), tried + 1, "what waited was not tried");
    let left: (Option<i32>, Option<i32>) =
        sqlx::query_as("select ramp, nullif(openings, 0) from destination where name = 'mill'")
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
    assert_eq!(left, (None, None));
    errands.works.close(vec![worker]).await;
}

/// An account without money, a payer who is typing: others may be served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_answers_not_now_is_not_down() {
    let errands = Errands::new(at_most(12)).await;
    let (works, mill) = (&errands.works, &errands.town.mill);
    mill.says_not_now();
    errands.begin(Step::Going, 40).await;
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(mill.called(), 40, "each was tried");
    assert_eq!(errands.mill_told().await, [""; 0]);
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_recovers_is_called_a_little_more_each_time() {
    let errands = Errands::new(at_most(8)).await;
    let (works, mill) = (&errands.works, &errands.town.mill);
    errands.begin(Step::Going, 30).await;
    mill.lets_nobody();
    let worker = down_since_long(&errands).await;
    works.clock_shows(TimeDelta::seconds(1)).await;
    works.wait_for("the one call", || async { mill.called() == 1 }).await;
    for (calls, ramp) in [(1, 1), (1, 2), (2, 4), (4, 8)] {
        mill.lets(calls);
        works.wait_for("more calls", || async { mill.inside() == ramp }).await;
    }
    assert_eq!(mill.most_inside(), 8);
    mill.lets(FOR_ALL);
    works.still().await;
    assert_eq!((errands.count("completed").await, mill.most_inside()), (30, 8));
    errands.works.close(vec![worker]).await;
}

/// A worker of a mill that may be tried a second after the morning begins.
async fn down_since_long(errands: &Errands) -> Worker {
    let works = &errands.works;
    destinations::ensure(&works.db.pool, TENANT, "mill", &at_most(8), &[]).await.unwrap();
    let down = "update destination set state = 'open', open_until = engine_now() + interval '1 second', openings = 1";
    sqlx::query(down).execute(&works.db.pool).await.unwrap();
    let worker = works.worker().await;
    works.still().await;
    assert_eq!(errands.town.mill.called(), 0);
    worker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_with_the_one_call_leaves_it_to_another() {
    let errands = Errands::new(at_most(8)).await;
    let works = &errands.works;
    errands.begin(Step::Going, 3).await;
    let worker = down_since_long(&errands).await;
    let dead = "update destination set state = 'half_open', prober = $1, open_until = null, epoch = epoch + 1";
    sqlx::query(dead).bind(Uuid::now_v7()).execute(&works.db.pool).await.unwrap();
    works.still().await;
    assert_eq!(errands.count("completed").await, 3);
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_pauses_a_destination_until_it_is_resumed() {
    let errands = Errands::new(at_most(8)).await;
    let works = &errands.works;
    let pool = &works.db.pool;
    let worker = works.worker().await;
    assert_eq!(switch::pause(pool, TENANT, "mill", "li", "maintenance").await.unwrap(), Switched::Done);
    assert_eq!(switch::pause(pool, TENANT, "mill", "wu", "me too").await.unwrap(), Switched::Already);
    assert_eq!(switch::pause(pool, TENANT, "smithy", "li", "why").await.unwrap(), Switched::NoDestination);
    works.engine.hint_switch();
    let stands = switch::standing(pool, TENANT, "mill").await.unwrap().unwrap();
    assert_eq!((stands.paused_by.as_deref(), stands.paused_why.as_deref()), (Some("li"), Some("maintenance")));
    works
        .wait_for("the worker to have seen the switch", || async {
            let seen = "select exists (select 1 from destination d join destination_tally t
                                       on t.destination = d.name and t.epoch = d.epoch where d.name = 'mill')";
            sqlx::query_scalar(seen).fetch_one(pool).await.unwrap()
        })
        .await;
    let waits = errands.begin(Step::Going, 20).await;
    errands.begin(Step::Visiting, 3).await;
    works.still().await;
    assert_eq!((errands.count("completed").await, errands.town.mill.called()), (3, 0));
    assert_eq!(works.row(waits[0]).await.status, "pending");
    works.clock_shows(TimeDelta::days(2)).await;
    works.still().await;
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(claim::next_due(&mut conn, TENANT).await.unwrap(), None, "nothing moves before a person does");
    drop(conn);
    assert_eq!(switch::resume(pool, TENANT, "mill", "li", "done").await.unwrap(), Switched::Done);
    assert_eq!(switch::resume(pool, TENANT, "mill", "li", "done").await.unwrap(), Switched::Already);
    works.engine.hint_switch();
    works.still().await;
    assert_eq!(errands.count("pending").await, 0);
    let told = switch::events(pool, TENANT, "mill", 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|event| (event.what.as_str(), event.who.as_deref())).collect();
    assert_eq!(told, [("resumed", Some("li")), ("paused", Some("li"))]);
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urgent_calls_go_first_and_nothing_waits_for_ever() {
    let errands = Errands::new(at_most(1)).await;
    let works = &errands.works;
    errands.begin(Step::Strolling, 2).await;
    errands.begin(Step::Going, 3).await;
    errands.begin(Step::Hurrying, 16).await;
    let worker = works.worker().await;
    works.still().await;
    let order: Vec<char> = errands.town.mill.calls().iter().filter_map(|(who, _)| who.chars().next()).collect();
    let order: String = order.into_iter().collect();
    // Hurrying, Going, Strolling: every eighth call begins with those that can wait, in turn.
    assert_eq!(order, "HHHHHHHSHHHHHHHGHHGGS");
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_gives_its_share_back() {
    let errands = Errands::new(at_most(6)).await;
    let (works, mill) = (&errands.works, &errands.town.mill);
    mill.lets_nobody();
    let worker = works.worker().await;
    let dies = Uuid::now_v7();
    claim::heartbeat(
        &mut works.db.pool.acquire().await.unwrap(),
        TENANT,
        dies,
        "dies",
        &works.engine.registry.knows(),
        60.0,
    )
    .await
    .unwrap();
    sqlx::query("update worker set peers = array(select id from worker) where id = $1")
        .bind(dies)
        .execute(&works.db.pool)
        .await
        .unwrap();
    works
        .wait_for("the other one to be reckoned with", || async {
            let seen = "select cardinality(peers) = 2 from worker where id <> $1";
            sqlx::query_scalar(seen).bind(dies).fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    errands.begin(Step::Going, 20).await;
    works.wait_for("half of the calls", || async { mill.inside() == 3 }).await;
    assert_eq!(mill.called(), 3);
    sqlx::query("update worker set lease_until = clock_timestamp() where id = $1")
        .bind(dies)
        .execute(&works.db.pool)
        .await
        .unwrap();
    works.wait_for("all of the calls", || async { mill.inside() == 6 }).await;
    mill.lets(FOR_ALL);
    works.still().await;
    assert_eq!((errands.count("completed").await, mill.most_inside()), (20, 6));
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_comes_to_a_full_destination_waits_where_others_wait() {
    let errands = Errands::new(at_most(1)).await;
    let (works, mill) = (&errands.works, &errands.town.mill);
    mill.lets_nobody();
    let worker = works.worker().await;
    errands.begin(Step::Hurrying, 1).await;
    works.wait_for("the first call", || async { mill.inside() == 1 }).await;
    let run = errands.begin(Step::Thinking, 1).await[0];
    works.wait_for("the thought", || async { works.row(run).await.step == "Going" }).await;
    let row = works.row(run).await;
    assert_eq!((row.status.as_str(), row.due_at), ("pending", Some(morning())));
    mill.lets(FOR_ALL);
    works.still().await;
    assert_eq!(works.story(run).await, ["Thinking: Flour", "Going: Fetched"]);
    assert_eq!(mill.most_inside(), 1);
    errands.works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_another_release_come_into_the_lanes_of_this_one() {
    let errands = Errands::new(at_most(1)).await;
    let works = &errands.works;
    let elsewhere = "update run set lane = '', priority = 2 where step = 'Hurrying'";
    let runs = errands.begin(Step::Hurrying, 3).await;
    sqlx::query(elsewhere).execute(&works.db.pool).await.unwrap();
    destinations::ensure(&works.db.pool, TENANT, "mill", &at_most(1), &[]).await.unwrap();
    switch::pause(&works.db.pool, TENANT, "mill", "li", "to look").await.unwrap();
    let worker = works.worker().await;
    let lane = "select array_agg(distinct lane || priority) from run";
    let lanes: Vec<String> = sqlx::query_scalar(lane).fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(lanes, ["mill0"]);
    // One that an older worker moves there later is put into its lane by whoever claims it.
    sqlx::query(elsewhere).execute(&works.db.pool).await.unwrap();
    works.engine.hint();
    works.still().await;
    let lanes: Vec<String> = sqlx::query_scalar(lane).fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(lanes, ["mill0"]);
    assert_eq!((works.row(runs[0]).await.attempt, errands.town.mill.called()), (0, 0));
    switch::resume(&works.db.pool, TENANT, "mill", "li", "seen").await.unwrap();
    works.engine.hint_switch();
    works.still().await;
    assert_eq!((errands.count("completed").await, errands.town.mill.most_inside()), (3, 1));
    errands.works.close(vec![worker]).await;
}

/// Letters by way of the dairy.
struct Milkman(Arc<Town>);

#[async_trait]
impl Outlet for Milkman {
    async fn deliver(&self, letter: &Claimed) -> Result<Delivery, Fault> {
        self.0.dairy.call(&letter.id).await.map(|()| Delivery::Sent("milk".to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_wait_for_their_destination_too() {
    let errands = Errands::new(at_most(1)).await;
    let (works, dairy) = (&errands.works, &errands.town.dairy);
    let letters = || async {
        let pending = "select count(*) from outbox where status = 'pending'";
        sqlx::query_scalar::<_, i64>(pending).fetch_one(&works.db.pool).await.unwrap()
    };
    let outlets = Outlets::default().with_lane(POST, "dairy", Arc::new(Milkman(Arc::clone(&errands.town))));
    let worker = works.worker_with(outlets).await;
    dairy.is_away(true);
    for _ in 0..10 {
        errands.begin_telling(Step::Going).await;
    }
    works
        .wait_for("the dairy to count as down", || async {
            let down = "select state = 'open' from destination where name = 'dairy'";
            sqlx::query_scalar(down).fetch_one(&works.db.pool).await.unwrap()
        })
        .await;
    works.still().await;
    assert_eq!(errands.count("completed").await, 10);
    let (tried, waits) = (dairy.called(), letters().await);
    assert_eq!((tried <= 20, waits), (true, 20));
    works.clock_shows(TimeDelta::seconds(29)).await;
    works.still().await;
    assert_eq!(dairy.called(), tried);
    dairy.is_away(false);
    works.clock_shows(TimeDelta::hours(1)).await;
    works.still().await;
    assert_eq!(letters().await, 0);
    errands.works.close(vec![worker]).await;
}

/// Twenty thousand runs wait for a destination that is paused: the claim of another lane reads its own rows only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_one_lane_is_not_read_for_another() {
    let errands = Errands::new(at_most(1)).await;
    let works = &errands.works;
    sqlx::raw_sql(
        "insert into run (tenant, id, workflow, key, step, status, due_at, lane, priority)
         select 'shop', gen_random_uuid(), 'errand', 'key ' || n, 'Going', 'pending', engine_now(), 'mill', n % 3
         from generate_series(1, 20000) n;
         analyze run;",
    )
    .execute(&works.db.pool)
    .await
    .unwrap();
    errands.begin(Step::Visiting, 5).await;
    let plan: serde_json::Value =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("explain (analyze, format json) {CLAIM}")))
            .bind(TENANT)
            .bind(Uuid::now_v7())
            .bind(works.engine.registry.known_steps())
            .bind(["", "dairy"])
            .bind([64_i64, 16])
            .bind([0_i16, 2])
            .bind(64_i64)
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
    let (mut read, mut others) = (0.0, Vec::new());
    scans(&plan[0]["Plan"], &mut |node| {
        let rows = |name: &str| node[name].as_f64().unwrap_or_default() * node["Actual Loops"].as_f64().unwrap();
        read += rows("Actual Rows") + rows("Rows Removed by Filter");
        match node["Index Name"].as_str() {
            Some("run_due" | "run_pkey") => {}
            other => others.push(format!("{:?} by {other:?}", node["Node Type"])),
        }
    });
    assert!(others.is_empty(), "{others:?} in {plan:#}");
    // Each of them at both ends of the range, and once by its key.
    assert!(read <= 20.0, "{read} rows were read for 5 runs: {plan:#}");
    assert_eq!(errands.count("running").await, 5);
    sqlx::query("update run set status = 'completed'").execute(&works.db.pool).await.unwrap();
    errands.works.close(vec![]).await;
}

fn scans(node: &serde_json::Value, see: &mut impl FnMut(&serde_json::Value)) {
    if node["Relation Name"] == "run" && node["Node Type"].as_str().is_some_and(|kind| kind.contains("Scan")) {
        see(node);
    }
    for inner in node["Plans"].as_array().into_iter().flatten() {
        scans(inner, see);
    }
}

/// A worker begins and ends its life without a call in hand; nothing of its tallies stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_ends_leaves_no_tally() {
    let errands = Errands::new(at_most(4)).await;
    let works = &errands.works;
    let worker = works.worker().await;
    errands.begin(Step::Going, 9).await;
    works.still().await;
    worker.stop().await;
    let left: i64 =
        sqlx::query_scalar("select count(*) from destination_tally").fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(left, 0);
    errands.works.close(vec![]).await;
}

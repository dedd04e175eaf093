//! A verb for many runs: what it would do, exact counts through crashes, a rate, and what is not its business.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use houbu::engine::RunId;
use houbu::engine::housekeeping::{self, Retention};
use houbu::engine::staff::Verb;
use houbu::engine::staff::bulk::{self, Asked, Bulk, BulkRefused, Filter, Turned};
use houbu::engine::staff::preview::LOOKED_AT_MAX;
use houbu::engine::store::bulk as bulks;
use houbu::engine::store::bulk_sets;
use serde_json::json;
use uuid::Uuid;

use super::shop::CURSED;
use super::staff::by;
use super::works::{TENANT, Works};

fn waiting(verb: Verb) -> Asked {
    let filter =
        Filter { workflow: Some("shop_order".to_owned()), status: Some("waiting".to_owned()), ..Filter::default() };
    Asked { verb, filter, by: by(), per_second: 1000, request: None, preview: None }
}

async fn orders(works: &Works, names: impl IntoIterator<Item = String>) -> Vec<RunId> {
    let mut runs = Vec::new();
    for name in names {
        runs.push(works.order(&name).await);
    }
    runs
}

async fn found(works: &Works, id: Uuid) -> Bulk {
    bulks::find(&works.db.pool, TENANT, id).await.unwrap().unwrap()
}

async fn ended(works: &Works, id: Uuid) -> Bulk {
    works.wait_for("the bulk's end", || async { found(works, id).await.status == "done" }).await;
    found(works, id).await
}

async fn statuses(works: &Works) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select status, count(*) from run group by 1").fetch_all(&works.db.pool).await.unwrap();
    rows.into_iter().collect()
}

/// How many deeds each run has in the audit of this bulk, at least and at most, and how many runs.
async fn deeds(works: &Works, id: Uuid) -> (i64, i64, i64) {
    sqlx::query_as(
        "select coalesce(min(n), 0), coalesce(max(n), 0), count(*) from (
             select count(*) as n from audit where bulk = $1 and run_id is not null group by run_id) of",
    )
    .bind(id)
    .fetch_one(&works.db.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_counts_and_changes_nothing() {
    let works = Works::new().await;
    let runs = orders(&works, (0..12).map(|n| format!("book {n:02}"))).await;
    for run in &runs[..5] {
        sqlx::query("update run set owes = '{Money}', step = 'Counter' where id = $1")
            .bind(run)
            .execute(&works.db.pool)
            .await
            .unwrap();
    }
    let everything = async || -> String {
        sqlx::query_scalar(
            "select string_agg(t, e'\n' order by t) from (
                 select r::text || r.xmin::text as t from run r union all select b::text from bulk b
                 union all select a::text from audit a union all select h::text from turn h) all_of",
        )
        .fetch_one(&works.db.pool)
        .await
        .unwrap()
    };
    let before = everything().await;
    let dry = bulk::dry_run(&works.engine, &waiting(Verb::Cancel)).await.unwrap();
    assert_eq!((dry.total, dry.looked_at(), dry.would_change), (12, 12, 7));
    let refused: Vec<(&str, usize)> = dry.refused.iter().map(|(code, (count, _))| (*code, *count)).collect();
    assert_eq!(refused, [("would_strand", 5)]);
    assert_eq!(dry.sample, runs[5..12]);
    assert_eq!(dry.each.iter().map(|one| one.run).collect::<Vec<_>>(), runs, "each, in the order of the bulk");
    assert!(dry.each.iter().enumerate().all(|(nth, one)| one.refused.is_some() == (nth < 5)), "{:?}", dry.each);
    assert_eq!(everything().await, before, "not even a row version");
    let begun = bulk::begin(&works.engine, &waiting(Verb::Cancel)).await.unwrap().unwrap();
    let worker = works.worker().await;
    let done = ended(&works, begun.id).await;
    assert_eq!((done.total, done.done, done.refused), (12, 7, json!({ "would_strand": 5 })), "as it was said");
    assert_eq!(deeds(&works, begun.id).await, (1, 1, 7));
    works.close(vec![worker]).await;
}

/// The worker dies in the middle of a chunk; another one goes on, and every run is changed once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_goes_on_after_a_crash_with_exact_counts() {
    let works = Works::new().await;
    let runs = orders(&works, (0..130).map(|n| format!("book {n:03}"))).await;
    let begun = bulk::begin(&works.engine, &waiting(Verb::Cancel)).await.unwrap().unwrap();
    assert!(bulk::chunk(&works.engine).await.unwrap());
    works.wait_for("the rate", || async { found_due(&works).await }).await;
    // Somebody holds a run of the second chunk, so that the worker is in the middle of it when it dies.
    let mut held = works.db.pool.begin().await.unwrap();
    sqlx::query("select 1 from run where id = $1 for update").bind(runs[80]).execute(&mut *held).await.unwrap();
    let engine = Arc::clone(&works.engine);
    let dying = tokio::spawn(async move { bulk::chunk(&engine).await });
    works.wait_for("the chunk's lock", || async { somebody_waits(&works).await }).await;
    dying.abort();
    assert!(dying.await.is_err(), "it died at work");
    held.rollback().await.unwrap();
    assert_eq!(found(&works, begun.id).await.done, 50, "nothing of the second chunk stands");
    let workers = vec![works.worker().await, works.worker().await];
    let done = ended(&works, begun.id).await;
    assert_eq!((done.total, done.done, done.refused), (130, 130, json!({})));
    assert_eq!(deeds(&works, begun.id).await, (1, 1, 130), "none twice, none left out");
    assert_eq!(statuses(&works).await, BTreeMap::from([("cancelled".to_owned(), 130)]));
    works.close(workers).await;
}

async fn found_due(works: &Works) -> bool {
    sqlx::query_scalar("select exists (select 1 from bulk where next_at <= clock_timestamp())")
        .fetch_one(&works.db.pool)
        .await
        .unwrap()
}

async fn somebody_waits(works: &Works) -> bool {
    sqlx::query_scalar(
        "select exists (select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
    )
    .fetch_one(&works.db.pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_later_or_has_moved_on_is_not_its_business() {
    let works = Works::new().await;
    let runs = orders(&works, (0..6).map(|n| format!("book {n}"))).await;
    let begun = bulk::begin(&works.engine, &waiting(Verb::Suspend)).await.unwrap().unwrap();
    let later = works.order("later").await;
    sqlx::query("update run set status = 'completed', step = 'Dropped', due_at = null where id = $1")
        .bind(runs[2])
        .execute(&works.db.pool)
        .await
        .unwrap();
    let worker = works.worker().await;
    let done = ended(&works, begun.id).await;
    assert_eq!((done.total, done.done, done.refused), (6, 5, json!({})), "one had moved on before its turn");
    assert_eq!(done.skipped, 1, "and is counted as that");
    assert_eq!(works.row(later).await.status, "waiting");
    works.close(vec![worker]).await;
}

/// A run whose tables refuse it takes nobody with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_written_is_counted_and_passed() {
    let works = Works::new().await;
    orders(&works, ["a", CURSED, "b"].map(str::to_owned)).await;
    sqlx::query("update run set step = 'Packing', owes = '{Money}', due_at = engine_now() + interval '1 day'")
        .execute(&works.db.pool)
        .await
        .unwrap();
    let answer = Verb::Answer { outcome: "Packed".to_owned(), patch: None };
    let begun = bulk::begin(&works.engine, &waiting(answer)).await.unwrap().unwrap();
    let worker = works.worker().await;
    let done = ended(&works, begun.id).await;
    assert_eq!((done.done, done.refused), (2, json!({ "not_written": 1 })));
    assert_eq!(works.on_shelf("b").await.as_deref(), Some("Counter"));
    assert_eq!(deeds(&works, begun.id).await, (1, 1, 2));
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_keeps_its_rate_and_stands_still_when_told() {
    let works = Works::new().await;
    orders(&works, (0..9).map(|n| format!("book {n}"))).await;
    // Three a chunk, and a chunk a second.
    let asked = Asked { per_second: 3, ..waiting(Verb::Suspend) };
    let begun = bulk::begin(&works.engine, &asked).await.unwrap().unwrap();
    assert!(bulk::chunk(&works.engine).await.unwrap());
    assert!(!bulk::chunk(&works.engine).await.unwrap(), "the next chunk is not due yet");
    assert_eq!(found(&works, begun.id).await.done, 3);
    let turn = async |turned| bulk::turn(&works.engine, begun.id, &by(), turned).await.unwrap();
    assert_eq!(turn(Turned::Pause).await.unwrap().status, "paused");
    let refused = turn(Turned::Pause).await.unwrap_err();
    assert_eq!(refused, BulkRefused::Stands { status: "paused".to_owned() });
    works.wait_for("the rate", || async { found_due(&works).await }).await;
    assert!(!bulk::chunk(&works.engine).await.unwrap(), "it is paused");
    turn(Turned::Resume).await.unwrap();
    assert!(bulk::chunk(&works.engine).await.unwrap());
    turn(Turned::Cancel).await.unwrap();
    works.wait_for("the rate", || async { found_due(&works).await }).await;
    assert!(!bulk::chunk(&works.engine).await.unwrap(), "it has ended");
    let over = found(&works, begun.id).await;
    assert_eq!((over.status.as_str(), over.done, over.ended_at.is_some()), ("cancelled", 6, true));
    assert!(turn(Turned::Resume).await.is_err());
    let did: Vec<String> = sqlx::query_scalar("select verb from audit where bulk = $1 and run_id is null order by id")
        .bind(begun.id)
        .fetch_all(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(did, ["bulk.begin", "bulk.pause", "bulk.resume", "bulk.cancel"]);
    works.close(vec![]).await;
}

/// Several bulks and several workers at once, while the runs themselves move.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bulks_and_turns_meet_without_a_loss() {
    let works = Works::new().await;
    let runs = orders(&works, (0..120).map(|n| format!("book {n:03}"))).await;
    let workers = vec![works.worker().await, works.worker().await];
    let suspend = bulk::begin(&works.engine, &waiting(Verb::Suspend)).await.unwrap().unwrap();
    for run in runs.iter().step_by(2) {
        works.pays(*run).await;
    }
    let done = ended(&works, suspend.id).await;
    works.still().await;
    let suspended = statuses(&works).await.get("suspended").copied().unwrap_or(0);
    let refused: i64 = done.refused.as_object().unwrap().values().filter_map(serde_json::Value::as_i64).sum();
    assert_eq!(done.done, suspended, "{done:?}");
    assert!(done.done + refused <= 120 && done.done >= 60, "{done:?}");
    let filter = Filter { fault: Some("staff".to_owned()), ..Filter::default() };
    let asked = Asked { verb: Verb::Resume, filter, by: by(), per_second: 1000, request: None, preview: None };
    let resume = bulk::begin(&works.engine, &asked).await.unwrap().unwrap();
    assert_eq!(ended(&works, resume.id).await.done, suspended);
    works.still().await;
    for (n, run) in runs.iter().enumerate() {
        let step = works.row(*run).await.step;
        assert_eq!(step, if n % 2 == 0 { "Counter" } else { "Payment" }, "book {n:03}");
    }
    works.close(workers).await;
}

/// A caller that heard no answer asks again under the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_begins_one_bulk() {
    let works = Works::new().await;
    orders(&works, ["book".to_owned()]).await;
    let asked = Asked { request: Some("k1".to_owned()), ..waiting(Verb::Suspend) };
    let begun = bulk::begin(&works.engine, &asked).await.unwrap().unwrap();
    assert_eq!(bulk::begin(&works.engine, &asked).await.unwrap().unwrap().id, begun.id);
    let other = Asked { request: Some("k2".to_owned()), ..asked };
    assert_ne!(bulk::begin(&works.engine, &other).await.unwrap().unwrap().id, begun.id);
    let begun: i64 = sqlx::query_scalar("select count(*) from audit where verb = 'bulk.begin'")
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(begun, 2, "what was asked twice is in the audit once");
    works.close(Vec::new()).await;
}

/// One that cannot be written keeps nobody waiting, and says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_that_cannot_go_on_lets_others_pass() {
    let works = Works::new().await;
    orders(&works, ["book".to_owned()]).await;
    let stuck = bulk::begin(&works.engine, &waiting(Verb::Suspend)).await.unwrap().unwrap();
    // Its verb is of a release that nobody runs any more.
    sqlx::query("update bulk set arguments = '{\"verb\": \"bless\"}'").execute(&works.db.pool).await.unwrap();
    let fine = bulk::begin(&works.engine, &waiting(Verb::Suspend)).await.unwrap().unwrap();
    let worker = works.worker().await;
    assert_eq!(ended(&works, fine.id).await.done, 1);
    let stuck = bulks::find(&works.db.pool, TENANT, stuck.id).await.unwrap().unwrap();
    assert_eq!(stuck.status, "running");
    assert!(stuck.last_error.is_some_and(|why| why.contains("bless")));
    works.close(vec![worker]).await;
}

async fn becomes(works: &Works, run: RunId, status: &str) {
    sqlx::query("update run set status = $2 where id = $1")
        .bind(run)
        .bind(status)
        .execute(&works.db.pool)
        .await
        .unwrap();
}

/// R37: between the preview and the beginning, and between that and each run's turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_what_was_previewed_is_done_and_nothing_else() {
    let works = Works::new().await;
    let runs = orders(&works, (0..8).map(|n| format!("book {n}"))).await;
    becomes(&works, runs[6], "suspended").await;
    becomes(&works, runs[7], "suspended").await;
    let dry = bulk::dry_run(&works.engine, &waiting(Verb::Suspend)).await.unwrap();
    assert_eq!((dry.total, dry.would_change), (6, 6));
    // One begins to match before the bulk does, another one afterwards; two cease to.
    becomes(&works, runs[6], "waiting").await;
    becomes(&works, runs[1], "completed").await;
    let asked = Asked { preview: Some(dry.set), ..waiting(Verb::Suspend) };
    let begun = bulk::begin(&works.engine, &asked).await.unwrap().unwrap();
    assert_eq!(begun.total, 6, "as it was said");
    becomes(&works, runs[7], "waiting").await;
    becomes(&works, runs[3], "completed").await;
    let worker = works.worker().await;
    let done = ended(&works, begun.id).await;
    assert_eq!((done.total, done.done, done.skipped, done.refused), (6, 4, 2, json!({})));
    for (n, status) in [(0, "suspended"), (1, "completed"), (3, "completed"), (6, "waiting"), (7, "waiting")] {
        assert_eq!(works.row(runs[n]).await.status, status, "book {n}");
    }
    assert_eq!(deeds(&works, begun.id).await, (1, 1, 4));
    // One preview begins one bulk.
    assert_eq!(bulk::begin(&works.engine, &asked).await.unwrap().unwrap().id, begun.id);
    works.close(vec![worker]).await;
}

/// Without a preview it is for what the filter holds when it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_matches_after_a_bulk_began_is_not_its_business() {
    let works = Works::new().await;
    let runs = orders(&works, (0..3).map(|n| format!("book {n}"))).await;
    becomes(&works, runs[1], "suspended").await;
    let begun = bulk::begin(&works.engine, &waiting(Verb::Cancel)).await.unwrap().unwrap();
    becomes(&works, runs[1], "waiting").await;
    let worker = works.worker().await;
    let done = ended(&works, begun.id).await;
    assert_eq!((done.total, done.done, done.skipped), (2, 2, 0));
    assert_eq!(works.row(runs[1]).await.status, "waiting");
    works.close(vec![worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_holds_for_its_own_verb_and_filter_and_for_a_day() {
    let works = Works::new().await;
    orders(&works, ["book".to_owned()]).await;
    let dry = bulk::dry_run(&works.engine, &waiting(Verb::Suspend)).await.unwrap();
    let begin = async |asked: Asked| bulk::begin(&works.engine, &asked).await.unwrap().map(|bulk| bulk.total);
    let preview = Some(dry.set);
    let other = BulkRefused::OtherPreview;
    assert_eq!(begin(Asked { preview, ..waiting(Verb::Cancel) }).await, Err(other.clone()));
    let filter = Filter { step: Some("Payment".to_owned()), ..Filter::default() };
    assert_eq!(begin(Asked { preview, filter, ..waiting(Verb::Suspend) }).await, Err(other));
    let nobodys = Some(Uuid::now_v7());
    assert_eq!(begin(Asked { preview: nobodys, ..waiting(Verb::Suspend) }).await, Err(BulkRefused::NoPreview));
    works.clock_shows(TimeDelta::hours(25)).await;
    assert_eq!(begin(Asked { preview, ..waiting(Verb::Suspend) }).await, Err(BulkRefused::NoPreview));
    let none: i64 = sqlx::query_scalar("select count(*) from bulk").fetch_one(&works.db.pool).await.unwrap();
    assert_eq!(none, 0, "what was refused began nothing");
    // Whoever sends again what was begun hears of that, also when the preview is long forgotten.
    let dry = bulk::dry_run(&works.engine, &waiting(Verb::Suspend)).await.unwrap();
    let asked = Asked { preview: Some(dry.set), ..waiting(Verb::Suspend) };
    let first = bulk::begin(&works.engine, &asked).await.unwrap().unwrap().id;
    works.clock_shows(TimeDelta::hours(25)).await;
    assert_eq!(bulk::begin(&works.engine, &asked).await.unwrap().unwrap().id, first);
    sqlx::query("delete from bulk where id = $1").bind(first).execute(&works.db.pool).await.unwrap();
    // What is begun keeps its set, however old; a preview that nobody began is forgotten.
    let started = bulk::begin(&works.engine, &waiting(Verb::Suspend)).await.unwrap().unwrap();
    works.clock_shows(TimeDelta::hours(25 + 49)).await;
    housekeeping::round(&works.engine, &Retention::default()).await;
    let sets: Vec<Uuid> = sqlx::query_scalar("select id from bulk_set").fetch_all(&works.db.pool).await.unwrap();
    assert_eq!(sets, [started.set_id.unwrap()]);
    bulk::turn(&works.engine, started.id, &by(), Turned::Cancel).await.unwrap().unwrap();
    housekeeping::round(&works.engine, &Retention::default()).await;
    let left: i64 = sqlx::query_scalar("select (select count(*) from bulk_set) + (select count(*) from bulk_part)")
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    works.close(Vec::new()).await;
}

/// Of more runs than are looked at one by one the count is exact still, and so is what is started.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_a_preview_of_many_runs_counts_them_all() {
    let works = Works::new().await;
    let first = works.order("book").await;
    let many = i64::try_from(LOOKED_AT_MAX).unwrap() + 11;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "insert into run (tenant, id, workflow, key, step, status, due_at)
         select r.tenant, md5(n::text)::uuid, r.workflow, 'copy ' || n, r.step, r.status, r.due_at
         from run r cross join generate_series(2, {many}) n;
         insert into run_state (tenant, run_id, state)
         select r.tenant, r.id, s.state from run r cross join run_state s where r.id <> s.run_id;"
    )))
    .execute(&works.db.pool)
    .await
    .unwrap();
    let asked = Asked { per_second: 1_000_000, ..waiting(Verb::Suspend) };
    let dry = bulk::dry_run(&works.engine, &asked).await.unwrap();
    assert_eq!((dry.total, dry.looked_at(), dry.would_change), (many, LOOKED_AT_MAX, LOOKED_AT_MAX));
    let steps: Vec<usize> = dry.by_step().iter().map(|at| at.changes).collect();
    assert_eq!(steps, [LOOKED_AT_MAX]);
    let begun = bulk::begin(&works.engine, &Asked { preview: Some(dry.set), ..asked }).await.unwrap().unwrap();
    assert_eq!(begun.total, many);
    let mut seen = Vec::new();
    let mut conn = works.db.pool.acquire().await.unwrap();
    loop {
        let next = bulk_sets::next(&mut conn, TENANT, dry.set, seen.last().copied(), 999).await.unwrap();
        if next.is_empty() {
            break;
        }
        seen.extend(next);
    }
    assert!(seen.is_sorted() && seen.contains(&first) && i64::try_from(seen.len()) == Ok(many), "{}", seen.len());
    drop(conn);
    bulk::turn(&works.engine, begun.id, &by(), Turned::Cancel).await.unwrap().unwrap();
    works.close(Vec::new()).await;
}

/// What the release before began has no set.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_that_began_before_sets_were_kept_goes_by_its_filter() {
    let works = Works::new().await;
    orders(&works, (0..3).map(|n| format!("book {n}"))).await;
    let begun = bulk::begin(&works.engine, &waiting(Verb::Suspend)).await.unwrap().unwrap();
    sqlx::query("with b as (update bulk set set_id = null) delete from bulk_set")
        .execute(&works.db.pool)
        .await
        .unwrap();
    let worker = works.worker().await;
    assert_eq!(ended(&works, begun.id).await.done, 3);
    works.close(vec![worker]).await;
}

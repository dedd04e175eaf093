//! What people and workers ask stays cheap beside hundreds of thousands of runs that have ended: the server says how
//! many rows each question read, and none is answered by reading a table.

use std::future::Future;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::inspect::{self, Filter};
use houbu::engine::store::{archive, claim, unmatched};
use houbu::engine::{RunId, preflight};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::works::{TENANT, Works, morning};

/// Runs and letters as a year leaves them: ids in the order of time, nearly all completed, twenty endings of each
/// thousand bad, with a history of one line each; and a hundred that live.
async fn furnish(works: &Works) {
    let pool = &works.db.pool;
    let sql = "
        create function id_of(n bigint) returns uuid language sql immutable as
            $$ select lpad(to_hex(n), 32, '0')::uuid $$;
        insert into run (tenant, id, workflow, key, step, status, last_error, created_at, updated_at,
                         ended_at)
            select 'shop', id_of(n), case when n % 50 = 0 then 'rare' else 'shop_order' end, 'order-' || n,
                   case when n % 1000 = 0 then 'Odd' else 'Delivered' end,
                   case when n % 1000 < 20 then 'cancelled' else 'completed' end,
                   case when n % 5000 = 7 then 'Out of stock: ' || n end, at, at, at
            from (select n, engine_now() - make_interval(secs => 400000 - n) as at
                  from generate_series(100001, 300000) n) t;
        insert into run_archive (tenant, id, workflow, key, step, status, created_at, updated_at, ended_at)
            select 'shop', id_of(n), 'shop_order', 'order-' || n, 'Delivered', 'completed', at, at, at
            from (select n, engine_now() - interval '100 days' - make_interval(secs => 400000 - n) as at
                  from generate_series(1, 100000) n) t;
        insert into turn (tenant, run_id, turn, at, step, outcome, next, attempt, took_ms)
            select tenant, id, 1, created_at, 'Payment', 'Paid', 'Packing', 0, 1
            from run where ended_at is not null
            union all
            select tenant, id, 1, created_at, 'Payment', 'Paid', 'Packing', 0, 1 from run_archive;
        insert into outbox (tenant, id, run_id, topic, payload, status, settled_at)
            select tenant, 'letter-' || key, id, 'shop', '{}', 'sent', ended_at from run where ended_at is not null;";
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
    for n in 0..100 {
        works.order(&format!("live-{n}")).await;
    }
    sqlx::raw_sql("vacuum analyze").execute(pool).await.unwrap();
}

/// Rows that this transaction has read so far, from tables and through indexes, and the scans of whole tables.
async fn read(conn: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as(
        "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint, coalesce(sum(seq_tup_read), 0)::bigint
         from pg_stat_xact_user_tables
         where relname in ('run', 'run_state', 'run_archive', 'inbox', 'outbox', 'unmatched') or relname like 'turn%'",
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

/// Asks in a transaction and answers how many rows were read; nothing of it may come from reading a whole table.
async fn rows<T, F>(
    works: &Works,
    what: &str,
    ask: impl FnOnce(sqlx::pool::PoolConnection<sqlx::Postgres>) -> F,
) -> (T, i64)
where
    F: Future<Output = (T, sqlx::pool::PoolConnection<sqlx::Postgres>)>,
{
    let mut conn = works.db.pool.acquire().await.unwrap();
    sqlx::query("begin").execute(&mut *conn).await.unwrap();
    sqlx::query("set local max_parallel_workers_per_gather = 0").execute(&mut *conn).await.unwrap();
    let before = read(&mut conn).await;
    let began = Instant::now();
    let (answer, mut conn) = ask(conn).await;
    let after = read(&mut conn).await;
    println!("{what}: {} rows, {:?}", after.0 - before.0, began.elapsed());
    sqlx::query("rollback").execute(&mut *conn).await.unwrap();
    assert_eq!(after.1 - before.1, 0, "{what}: a whole table was read");
    (answer, after.0 - before.0)
}

async fn page(works: &Works, what: &str, filter: Filter) -> (Vec<RunId>, i64) {
    let filter = Filter { most: 50, ..filter };
    rows(works, what, |mut conn| async move {
        let found = inspect::list(&mut *conn, TENANT, &filter).await.unwrap();
        (found.into_iter().map(|one| one.id).collect(), conn)
    })
    .await
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn id(n: i64) -> RunId {
    Uuid::from_u128(u128::try_from(n).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_read_few_rows_beside_three_hundred_thousand_ended_runs() {
    let works = Works::new().await;
    furnish(&works).await;
    lists(&works).await;
    one_run(&works).await;
    sums(&works).await;
    workers(&works).await;
    works.close(vec![]).await;
}

/// Every filter, of a page of fifty: no more than a few pages are read.
async fn lists(works: &Works) {
    let none = Filter::default;
    let known = works.engine.registry.known_steps();
    let table = [
        ("all", none(), 50, 200),
        ("a page far back, in the archive", Filter { before: Some(id(50_000)), ..none() }, 50, 200),
        ("completed", Filter { status: Some(text("completed")), ..none() }, 50, 300),
        ("cancelled", Filter { status: Some(text("cancelled")), ..none() }, 50, 200),
        ("waiting", Filter { status: Some(text("waiting")), ..none() }, 50, 150),
        ("suspended", Filter { status: Some(text("suspended")), ..none() }, 0, 10),
        ("faulted", Filter { status: Some(text("faulted")), ..none() }, 0, 10),
        ("a workflow", Filter { workflow: Some(text("rare")), ..none() }, 50, 200),
        ("an unknown workflow", Filter { workflow: Some(text("none")), ..none() }, 0, 10),
        ("a live step", Filter { step: Some(text("Payment")), ..none() }, 50, 150),
        ("an odd ending", Filter { step: Some(text("Odd")), ..none() }, 50, 150),
        ("an unknown step", Filter { step: Some(text("Nowhere")), ..none() }, 0, 10),
        (
            "a live step by status",
            Filter { step: Some(text("Payment")), status: Some(text("waiting")), ..none() },
            50,
            150,
        ),
        ("a whole key", Filter { q: Some(text("order-123456")), ..none() }, 1, 20),
        ("the beginning of a key", Filter { q: Some(text("order-2999")), ..none() }, 50, 700),
        ("the beginning of an archived key", Filter { q: Some(text("order-777")), ..none() }, 50, 700),
        ("the beginning of most keys", Filter { q: Some(text("order-")), ..none() }, 50, 700),
        ("an id", Filter { q: Some(id(123_456).to_string()), ..none() }, 1, 20),
        ("no key", Filter { q: Some(text("nobody")), ..none() }, 0, 10),
        ("no key of a status", Filter { q: Some(text("nobody")), status: Some(text("waiting")), ..none() }, 0, 10),
        (
            "the beginning of most keys, of a workflow",
            Filter { q: Some(text("order-")), workflow: Some(text("shop_order")), ..none() },
            50,
            700,
        ),
        ("an error", Filter { error: Some(text("out of stock: 2")), ..none() }, 20, 150),
        (
            "an error of a workflow",
            Filter { error: Some(text("STOCK: 2")), workflow: Some(text("shop_order")), ..none() },
            20,
            150,
        ),
        ("no error", Filter { error: Some(text("no such words")), ..none() }, 0, 150),
        ("still for ever", Filter { still_since: Some(DateTime::UNIX_EPOCH), ..none() }, 0, 250),
        ("unrunnable", Filter { status: Some(text("unrunnable")), runnable: Some(known.clone()), ..none() }, 0, 150),
        ("run by nobody", Filter { status: Some(text("unrunnable")), runnable: Some(Vec::new()), ..none() }, 50, 400),
        (
            "a step of another workflow",
            Filter { step: Some(text("Odd")), workflow: Some(text("none")), ..none() },
            0,
            700,
        ),
    ];
    for (what, filter, found, most) in table {
        let (ids, read) = page(works, what, filter).await;
        assert!(ids.is_sorted_by(|a, b| a > b), "{what}: newest first");
        assert_eq!(ids.len(), found, "{what}");
        assert!(read <= most, "{what}: {read} rows were read");
    }
}

async fn one_run(works: &Works) {
    for n in [123_456, 50_000] {
        let (found, read) = rows(works, "one run", |mut conn| async move {
            (inspect::find(&mut *conn, TENANT, id(n)).await.unwrap(), conn)
        })
        .await;
        assert!(found.is_some() && read <= 2, "{read} rows were read");
        let (told, read) = rows(works, "its history", |mut conn| async move {
            (inspect::history(&mut *conn, TENANT, id(n), 0, 100).await.unwrap(), conn)
        })
        .await;
        assert_eq!(told.len(), 1);
        assert!(read <= 12, "{read} rows were read");
    }
}

async fn sums(works: &Works) {
    let (counts, read) = rows(works, "counts", |mut conn| async move {
        let runnable = works.engine.registry.known_steps();
        (inspect::counts(&mut *conn, TENANT, &runnable).await.unwrap(), conn)
    })
    .await;
    assert_eq!(counts, [("shop_order".to_owned(), "waiting".to_owned(), 100)]);
    assert!(read <= 150, "{read} rows were read");
    let before = whole(works).await;
    let survey = works.engine.survey().await.unwrap();
    assert_eq!((survey.letters_with("pending"), survey.with_status("waiting")), (100, 100));
    preflight::unrunnable(&works.db.pool, TENANT, &works.engine.registry.known_steps()).await.unwrap();
    assert_eq!(whole(works).await - before, 0, "a large table was read as a whole");
}

/// What a worker and a housekeeper do all the time, as the server counts it for the whole database.
async fn workers(works: &Works) {
    works.clock_shows(TimeDelta::hours(1)).await;
    let before = whole(works).await;
    let known = works.engine.registry.known_steps();
    let claimed = claim::claim(&works.db.pool, TENANT, Uuid::now_v7(), &known, 10).await.unwrap();
    assert_eq!(claimed.len(), 10);
    let archived = archive::move_ended(&works.db.pool, TENANT, 90, 10).await.unwrap();
    let mut conn = works.db.pool.acquire().await.unwrap();
    let matched = unmatched::sweep(&mut conn, TENANT, unmatched::Sweep::All, 10).await.unwrap();
    assert_eq!((archived, matched), (0, 0));
    drop(conn);
    let after = whole(works).await;
    assert_eq!(after - before, 0, "a large table was read as a whole");
    for run in claimed {
        claim::release(&works.db.pool, TENANT, run.id, run.generation, false).await.unwrap();
    }
}

/// Rows that scans of whole tables have read so far, in every connection.
async fn whole(works: &Works) -> i64 {
    // Each connection hands its figures in when it is asked to, at the end of its next statement.
    let mut held = Vec::new();
    while let Some(mut conn) = works.db.pool.try_acquire() {
        sqlx::query("select pg_stat_force_next_flush()").execute(&mut *conn).await.unwrap();
        sqlx::query("select 1").execute(&mut *conn).await.unwrap();
        held.push(conn);
    }
    drop(held);
    sqlx::query_scalar(
        "select sum(seq_tup_read)::bigint from pg_stat_user_tables where relname in ('run', 'run_archive', 'outbox')",
    )
    .fetch_one(&works.db.pool)
    .await
    .unwrap()
}

/// The months that a run did not live in are not looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_is_read_from_the_months_of_its_run() {
    let works = Works::new().await;
    let run = works.order("book").await;
    for month in 1..=12 {
        let table = format!(
            "create table turn_y2020m{month:02} partition of turn for values from ('2020-{month:02}-01Z') to ('{}-01Z')",
            if month == 12 { "2021-01".to_owned() } else { format!("2020-{:02}", month + 1) }
        );
        sqlx::query(sqlx::AssertSqlSafe(table)).execute(&works.db.pool).await.unwrap();
    }
    let life: (DateTime<Utc>, DateTime<Utc>) =
        ("2020-06-10T00:00:00Z".parse().unwrap(), "2020-06-20T00:00:00Z".parse().unwrap());
    assert!(life.0 < morning());
    let lived = "update run set created_at = $2, ended_at = $3, status = 'completed' where id = $1";
    sqlx::query(lived).bind(run).bind(life.0).bind(life.1).execute(&works.db.pool).await.unwrap();
    let fills = "insert into turn (tenant, run_id, turn, at, step, next, attempt, took_ms)
                 select $1, $2, n, $3 + make_interval(days => n), 'Payment', 'Doubt', 0, 1 from generate_series(1, 9) n";
    sqlx::query(fills).bind(TENANT).bind(run).bind(life.0).execute(&works.db.pool).await.unwrap();
    let plan: Value =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("explain (analyze, format json) {}", inspect::HISTORY)))
            .bind(TENANT)
            .bind(run)
            .bind(0_i64)
            .bind(100_i64)
            .fetch_one(&works.db.pool)
            .await
            .unwrap();
    let mut looked_at = Vec::new();
    scans(&plan[0]["Plan"], &mut looked_at);
    looked_at.retain(|(table, _)| table.starts_with("turn"));
    looked_at.sort();
    let tables: Vec<&str> = looked_at.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(tables, ["turn_y2020m05", "turn_y2020m06", "turn_y2020m07"], "{looked_at:?}");
    works.close(vec![]).await;
}

/// The tables that a plan looked at, and how.
fn scans(node: &Value, into: &mut Vec<(String, String)>) {
    if let (Some(table), true) = (node["Relation Name"].as_str(), node["Actual Loops"].as_f64() > Some(0.0)) {
        into.push((table.to_owned(), node["Node Type"].as_str().unwrap_or_default().to_owned()));
    }
    for part in node["Plans"].as_array().into_iter().flatten() {
        scans(part, into);
    }
}

//! History by month: made ahead beside whoever writes, dropped whole, and nothing that lives loses a line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::housekeeping::{self, Retention};
use houbu::engine::store::months;
use houbu::engine::worker::{self, Options};
use houbu::engine::{RunId, inspect};

use super::works::{TENANT, Works, morning};

/// Writes `lines` lines of history, one a second from `from` on.
async fn lines(works: &Works, run: RunId, from: DateTime<Utc>, lines: i32) {
    sqlx::query(
        "insert into turn (tenant, run_id, turn, at, step, outcome, next, attempt, took_ms)
         select $1, $2, n, $3 + make_interval(secs => n), 'Payment', 'Unpaid', 'Doubt', 0, 1
         from generate_series(1, $4) n",
    )
    .bind(TENANT)
    .bind(run)
    .bind(from)
    .bind(lines)
    .execute(&works.db.pool)
    .await
    .unwrap();
}

/// The months that have a partition, as their tables are named.
async fn tables(works: &Works) -> Vec<String> {
    sqlx::query_scalar(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'turn'::regclass and c.relname like 'turn\\_y%' order by 1",
    )
    .fetch_all(&works.db.pool)
    .await
    .unwrap()
}

async fn in_default(works: &Works) -> i64 {
    sqlx::query_scalar("select count(*) from turn_default").fetch_one(&works.db.pool).await.unwrap()
}

async fn told(works: &Works, run: RunId) -> usize {
    inspect::history(&works.db.pool, TENANT, run, 0, 100_000).await.unwrap().len()
}

/// Makes months ahead until so many are made: the server's own upkeep may have the table for a moment.
async fn makes(works: &Works, months: u32) {
    let made = AtomicU32::new(0);
    works
        .wait_for("the months' tables", || async {
            made.fetch_add(months::make_ahead(&works.db.pool).await.unwrap(), Ordering::Relaxed);
            made.load(Ordering::Relaxed) >= months
        })
        .await;
    assert_eq!(made.into_inner(), months);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_gets_its_own_table_with_what_was_written_before() {
    let works = Works::new().await;
    let run = works.order("book").await;
    lines(&works, run, morning(), 1_000).await;
    lines(&works, run, morning() - TimeDelta::days(1), 10).await;
    assert_eq!(in_default(&works).await, 1_010);
    futures::join!(makes(&works, 2), async {
        for _ in 0..3 {
            // Somebody else is at it too: there is nothing left for him, or nothing for us.
            months::drop_oldest(&works.db.pool, 400).await.unwrap();
        }
    });
    let tables = tables(&works).await;
    assert!(tables.contains(&"turn_y2026m09".to_owned()) && tables.contains(&"turn_y2026m10".to_owned()), "{tables:?}");
    assert_eq!(in_default(&works).await, 10, "August has no table");
    assert_eq!(told(&works, run).await, 1_010, "no line is lost on the way");
    assert_eq!(months::make_ahead(&works.db.pool).await.unwrap(), 0);
    works.close(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_make_the_same_month_do_not_collide() {
    let works = Works::new().await;
    let made = futures::future::join_all((0..6).map(|_| months::make_ahead(&works.db.pool))).await;
    assert!(made.into_iter().map(Result::unwrap).sum::<u32>() <= 2, "each month once");
    works.close(vec![]).await;
}

/// A commit that has written a line and is not finished: the table is made a little later, and nobody waits meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_under_way_is_not_waited_for() {
    let works = Works::new().await;
    let run = works.order("book").await;
    let mut under_way = works.db.pool.begin().await.unwrap();
    sqlx::query(
        "insert into turn (tenant, run_id, turn, step, next, attempt, took_ms) values ($1, $2, 1, 'a', 'b', 0, 0)",
    )
    .bind(TENANT)
    .bind(run)
    .execute(&mut *under_way)
    .await
    .unwrap();
    let began = Instant::now();
    let (made, ()) = futures::join!(months::make_ahead(&works.db.pool), lines(&works, run, morning(), 5));
    assert_eq!(made.unwrap(), 0, "not now");
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    under_way.commit().await.unwrap();
    makes(&works, 2).await;
    assert_eq!((in_default(&works).await, told(&works, run).await), (0, 6));
    works.close(vec![]).await;
}

/// Nobody made the month's table while twenty thousand lines were written: they stay where they are, and are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_is_too_large_to_move_stays_where_it_is() {
    let works = Works::new().await;
    let run = works.order("book").await;
    lines(&works, run, morning(), 20_001).await;
    makes(&works, 1).await;
    assert_eq!((in_default(&works).await, told(&works, run).await), (20_001, 20_001));
    works.close(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_months_go_and_a_live_run_keeps_its_history() {
    let works = Works::new().await;
    let worker = works.worker().await;
    assert!(tables(&works).await.contains(&"turn_y2026m09".to_owned()), "made at the start");
    let (lives, gone) = (works.order("lives").await, works.order("gone").await);
    works.signal(gone, "GivenUp", "no", serde_json::json!({})).await;
    works.still().await;
    worker.stop().await;
    lines(&works, lives, morning(), 100).await;
    lines(&works, gone, morning(), 50).await;
    let kept = Retention::default();
    works.clock_shows(TimeDelta::days(395)).await;
    assert_eq!(housekeeping::round(&works.engine, &kept).await.archived, 1);
    assert!(!housekeeping::months_round(&works.engine, &kept).await, "September ended 365 days ago");
    assert_eq!((told(&works, lives).await, told(&works, gone).await), (100, 51));
    works.clock_shows(TimeDelta::days(431)).await;
    works.wait_for("the drop", || async { housekeeping::months_round(&works.engine, &kept).await }).await;
    assert!(!tables(&works).await.contains(&"turn_y2026m09".to_owned()));
    assert_eq!(
        (told(&works, lives).await, told(&works, gone).await),
        (100, 0),
        "the live run's lines were carried over"
    );
    assert_eq!(works.row(lives).await.status, "waiting");

    // When it has ended as well and was archived and forgotten, nothing is left.
    works.clock_shows(TimeDelta::days(432)).await;
    let worker = works.worker().await;
    works.still().await;
    worker.stop().await;
    assert_eq!(works.row(lives).await.status, "completed");
    works.clock_shows(TimeDelta::days(432 + 91)).await;
    housekeeping::round(&works.engine, &kept).await;
    while housekeeping::months_round(&works.engine, &kept).await {}
    assert_eq!(in_default(&works).await, 0);
    works.close(vec![]).await;
}

/// A run that lives for years keeps what is youngest of what is too old.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_never_ends_does_not_grow_for_ever() {
    let works = Works::new().await;
    let run = works.order("book").await;
    let more = 1_234;
    lines(&works, run, morning() - TimeDelta::days(3_000), i32::try_from(months::LINES_KEPT_MAX).unwrap() + more).await;
    lines(&works, run, morning(), 7).await;
    housekeeping::months_round(&works.engine, &Retention::default()).await;
    assert_eq!(in_default(&works).await, months::LINES_KEPT_MAX + 7);
    let (first,): (i32,) = sqlx::query_as("select min(turn) from turn where at < $1")
        .bind(morning())
        .fetch_one(&works.db.pool)
        .await
        .unwrap();
    assert_eq!(first, more + 1, "the oldest went");
    works.close(vec![]).await;
}

/// What it heard years ago goes too; what it has not heard stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_never_ends_forgets_what_it_heard_years_ago() {
    let works = Works::new().await;
    let run = works.order("book").await;
    let worker = works.worker().await;
    works.pays(run).await;
    works.still().await;
    worker.stop().await;
    works.signal(run, "GivenUp", "no", serde_json::json!({})).await;
    for (days, left) in [(399, 2), (401, 1)] {
        works.clock_shows(TimeDelta::days(days)).await;
        housekeeping::months_round(&works.engine, &Retention::default()).await;
        assert_eq!(inspect::inbox(&works.db.pool, TENANT, run, 10).await.unwrap().len(), left, "after {days} days");
    }
    assert_eq!(works.read_turn(run, "no").await, None);
    works.close(vec![]).await;
}

/// Nothing delivers letters here.
async fn none_due(works: &Works) -> bool {
    sqlx::query_scalar(
        "select not exists (select 1 from run where status = 'running'
                            or (status in ('pending', 'waiting') and due_at <= engine_now()))",
    )
    .fetch_one(&works.db.pool)
    .await
    .unwrap()
}

/// Workers commit while months come and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_handled_while_months_change() {
    let works = Works::new().await;
    // Nobody archives here: every run's line is looked for in the end.
    let retention = Retention { runs_days: 10_000, history_days: 10_000, ..Retention::default() };
    let options = Options { poll: Duration::from_millis(5), retention, ..Options::default() };
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(worker::start(Arc::clone(&works.engine), options.clone()).await.unwrap());
    }
    let mut runs = Vec::new();
    for month in 0..6 {
        works.clock_shows(TimeDelta::minutes(1)).await;
        for n in 0..20 {
            runs.push(works.order(&format!("{month}-{n}")).await);
        }
        futures::future::join_all(runs.iter().skip(month * 20).map(|run| works.pays(*run))).await;
        let later = works.clock_shows(TimeDelta::days(31 * i64::try_from(month).unwrap()));
        let kept = Retention { history_days: 1, ..Retention::default() };
        let (made, _, ()) =
            futures::join!(months::make_ahead(&works.db.pool), housekeeping::months_round(&works.engine, &kept), later);
        made.unwrap();
        works.wait_for("the turns", || async { none_due(&works).await }).await;
    }
    for run in &runs {
        let row = works.row(*run).await;
        assert_ne!(row.status, "suspended", "{:?}", row.last_error);
        assert!(
            works.story(*run).await.first().is_some_and(|line| line.starts_with("Payment on ")),
            "a live run keeps all"
        );
    }
    works.close(workers).await;
}

/// A hospital that has worked for months gets the new tables: each line goes to its month, numbers go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_that_was_there_before_is_moved_to_its_months() {
    let works = Works::new().await;
    let pool = &works.db.pool;
    sqlx::raw_sql("drop schema public cascade; create schema public").execute(pool).await.unwrap();
    let migrations = sqlx::migrate!("./migrations");
    let past = migrations.iter().find(|one| one.description == "past").unwrap().version;
    for migration in migrations.iter().filter(|one| one.version < past) {
        sqlx::raw_sql(migration.sql.clone()).execute(pool).await.unwrap();
    }
    let before = "
        insert into run (tenant, id, workflow, key, step, status, created_at, ended_at)
            select 'shop', gen_random_uuid(), 'shop_order', n::text, 'Delivered', 'completed', '2024-01-15', '2024-05-15'
            from generate_series(1, 3) n;
        insert into turn (tenant, run_id, turn, at, step, next, attempt, took_ms)
            select tenant, id, n, '2024-01-31 23:30Z'::timestamptz + make_interval(months => n), 'a', 'b', 0, 0
            from run cross join generate_series(0, 3) n;";
    sqlx::raw_sql(before).execute(pool).await.unwrap();
    for migration in migrations.iter().filter(|one| one.version >= past) {
        sqlx::raw_sql(migration.sql.clone()).execute(pool).await.unwrap();
    }
    let tables = tables(&works).await;
    assert_eq!(tables[..4], ["turn_y2024m01", "turn_y2024m02", "turn_y2024m03", "turn_y2024m04"]);
    assert_eq!(in_default(&works).await, 0);
    let runs: Vec<RunId> = sqlx::query_scalar("select id from run").fetch_all(pool).await.unwrap();
    for run in &runs {
        assert_eq!(told(&works, *run).await, 4);
    }
    lines(&works, runs[0], morning(), 1).await;
    let last: i64 = sqlx::query_scalar("select max(seq) from turn").fetch_one(pool).await.unwrap();
    assert_eq!(last, 13, "the numbers go on");
    works.close(vec![]).await;
}

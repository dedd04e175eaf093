//! C1: what staff ask of the runs of years, over HTTP as they ask it: a list by each filter, a search by each number, the home page.
//! One question after the other, then again while a worker moves runs. The limit beside them is what the same server needs for
//! fifty rows by their primary key.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use houbu::desk::access::token::Token;
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, Switch};
use uuid::Uuid;

use crate::Ask;
use crate::caller::{ask as call, get};
use crate::ground::{Ground, TENANT, median, quantile, seconds};
use crate::hospital::{Hospital, Outside, visit_date};
use crate::obliging::{Nobody, Post, Provider};
use crate::report::{Bar, Report};

/// What years leave.
const YEARS: &str = include_str!("years.sql");
/// How long a page may take, p99, ms.
const PAGE_MOST: f64 = 200.0;
/// Questions of one kind.
const CALLS: usize = 200;
/// Who joins a queue meanwhile, at most; for so many schedules, and so far apart.
const APPLICANTS: usize = 20_000;
const SCHEDULES: usize = 200;
const APART: Duration = Duration::from_millis(10);
/// A page as the server alone finds it.
const BARE: &str = "
    select id, workflow, key, step, lane, status, turn, attempt, due_at, listens, last_error, created_at, updated_at, ended_at
    from run where tenant = $1 and id <= $2 order by tenant, id desc limit 50";
/// A run of an application that lives, and one that was archived.
const KNOWN: &str = "
    select (select id from run where workflow = 'waitlist_application' and status = 'waiting' order by id desc limit 1),
           (select id from run_archive where workflow = 'waitlist_application' order by id desc limit 1)";

/// C1.
pub async fn among_years(ask: &Ask, ground: &Ground, report: &mut Report) {
    let (runs, calls): (usize, usize) = ask.size((100_000, 50), (1_000_000, CALLS));
    let outside = Outside {
        his: Arc::new(Nobody),
        payments: Arc::new(Provider::taking(Duration::ZERO)),
        messages: Arc::new(Post::default()),
    };
    let hospital = Hospital::open(ground, outside, BTreeMap::new()).await;
    let furnished = YEARS.replace("{runs}", &runs.to_string());
    let (took, ()) = seconds(async {
        sqlx::raw_sql(sqlx::AssertSqlSafe(furnished)).execute(&hospital.pool).await.unwrap();
        sqlx::query("vacuum analyze").execute(&hospital.pool).await.unwrap();
    })
    .await;
    println!("{runs} runs made in {took:.0} s");
    hospital.patients(APPLICANTS).await;
    let door = hospital.door().await;
    let worker = hospital.worker().await;
    let cookie = staff(&hospital).await;
    let (live, archived): (Uuid, Uuid) = sqlx::query_as(KNOWN).fetch_one(&hospital.pool).await.unwrap();
    let questions = questions(runs, live, archived);
    let mut bare = bare(&hospital, live, calls).await;
    let limit = quantile(&mut bare, 0.99);
    for busy in [false, true] {
        let over = AtomicBool::new(false);
        let asking = async {
            let calls = if busy { calls / 4 } else { calls };
            for (kind, paths) in &questions {
                let asked = answered(door.address, paths, &cookie, calls).await;
                tell(report, (kind, runs, busy), asked, (median(&mut bare), limit));
            }
            over.store(true, Ordering::Relaxed);
        };
        let moving = async { if busy { admit(&hospital, &over).await } else { 0 } };
        let ((), moved) = tokio::join!(asking, moving);
        if busy {
            assert!(moved > 0, "nobody was admitted meanwhile");
            println!("    {moved} applications were admitted meanwhile");
        }
    }
    worker.stop().await;
    hospital.close().await;
}

/// How long the answers to each path took, ms.
async fn answered<'a>(
    address: SocketAddr,
    paths: &'a [String],
    cookie: &str,
    calls: usize,
) -> Vec<(&'a str, Vec<f64>)> {
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        let request = request(path, cookie);
        let asked = call(address, 1, calls, move |_| request.clone()).await;
        let wrong = asked.answers.iter().find(|(status, _)| *status != 200);
        assert!(wrong.is_none(), "{path}: {wrong:?}");
        all.push((path.as_str(), asked.each));
    }
    all
}

/// What was asked as two rows: all of a kind in the middle, and the one that took longest.
fn tell(report: &mut Report, of: (&str, usize, bool), asked: Vec<(&str, Vec<f64>)>, bare: (f64, f64)) {
    let (kind, runs, busy) = of;
    let when = if busy { "while runs move" } else { "otherwise idle" };
    let (mut all, mut worst) = (Vec::new(), (0.0, ""));
    for (path, mut each) in asked {
        let p99 = quantile(&mut each, 0.99);
        println!("    {path}: p50 {:.1} ms, p99 {p99:.1} ms", median(&mut each));
        if p99 > worst.0 {
            worst = (p99, path);
        }
        all.extend(each);
    }
    let what = format!("{kind} among {runs} runs, {when}, p50");
    report.row("C1", &what, (median(&mut all), "ms"), Some(("a page by key", bare.0)), 0.0, Bar::None);
    let what = format!("the slowest of them, p99: {}", worst.1);
    report.row("C1", &what, (worst.0, "ms"), Some(("a page by key", bare.1)), worst.0, Bar::AtMost(PAGE_MOST));
}

/// Admits somebody every few milliseconds, who pays in advance: runs start and move. Says how many.
async fn admit(hospital: &Hospital, over: &AtomicBool) -> usize {
    let schedules: Vec<String> = (0..SCHEDULES).map(|nth| format!("busy{nth}")).collect();
    let policy = LevelPolicy { switch: Switch::On, payment_mode: Some(PaymentMode::Prepay), ..LevelPolicy::default() };
    hospital.furnish(&schedules, visit_date(), &policy).await;
    let mut admitted = 0;
    while !over.load(Ordering::Relaxed) && admitted < APPLICANTS {
        hospital.apply(admitted, &schedules[admitted % SCHEDULES]).await;
        admitted += 1;
        tokio::time::sleep(APART).await;
    }
    admitted
}

/// What is asked, by kind. Each is asked by the page or the call that people and programs have for it.
fn questions(runs: usize, live: Uuid, archived: Uuid) -> Vec<(&'static str, Vec<String>)> {
    let mut lists = vec!["/runs".to_owned(), "/runs?workflow=".to_owned(), "/v1/runs".to_owned()];
    for status in ["suspended", "unrunnable", "pending", "running", "waiting", "completed", "cancelled", "faulted"] {
        lists.push(format!("/runs?workflow=&status={status}"));
        lists.push(format!("/v1/runs?workflow=waitlist_application&status={status}"));
    }
    for step in ["Waiting", "Refunding", "Expired", "Nowhere"] {
        lists.push(format!("/runs?workflow=waitlist_application&step={step}"));
    }
    for still in ["1", "24", "168"] {
        lists.push(format!("/runs?workflow=&still={still}"));
    }
    lists.push("/runs?workflow=&status=waiting&still=168".to_owned());
    lists.extend(["ordernotexist", "no%20such%20words"].map(|error| format!("/runs?workflow=&error={error}")));
    lists.extend([live, archived].map(|cursor| format!("/runs?workflow=waitlist_application&cursor={cursor}")));
    lists.push(format!("/v1/runs?cursor={archived}"));
    let fulfilled = runs / 2 / 100 * 100 + 10;
    let numbers = [
        live.to_string(),
        archived.to_string(),
        "h77".to_owned(),
        "0077".to_owned(),
        format!("HIS{fulfilled}"),
        format!("HB{fulfilled}"),
        format!("42000{fulfilled:020}"),
        "key-77".to_owned(),
        "key-".to_owned(),
        "nobody%20at%20all".to_owned(),
    ];
    let mut searches: Vec<String> = numbers.iter().map(|q| format!("/runs?q={q}")).collect();
    searches.push("/v1/runs?workflow=waitlist_application&q=key-".to_owned());
    searches.push("/v1/runs?status=waiting&q=key-".to_owned());
    searches.push("/v1/runs?q=nobody".to_owned());
    searches.push("/patients".to_owned());
    vec![("runs list", lists), ("search", searches), ("home page", vec!["/".to_owned()])]
}

fn request(path: &str, cookie: &str) -> String {
    if path.starts_with("/v1") {
        get(path)
    } else {
        format!("GET {path} HTTP/1.1\r\nhost: houbu\r\ncookie: {cookie}\r\n\r\n")
    }
}

/// Somebody of the staff who is logged in.
async fn staff(hospital: &Hospital) -> String {
    let (token, id) = (Token::make().unwrap(), Uuid::now_v7());
    sqlx::query("insert into staff_user (hospital, id, name, role) values ($1, $2, 'bench', 'administrator')")
        .bind(TENANT)
        .bind(id)
        .execute(&hospital.pool)
        .await
        .unwrap();
    sqlx::query("insert into staff_session (hospital, token_hash, user_id) values ($1, $2, $3)")
        .bind(TENANT)
        .bind(&token.hash()[..])
        .bind(id)
        .execute(&hospital.pool)
        .await
        .unwrap();
    format!("houbu_session={}", token.expose())
}

/// Milliseconds of pages by their primary key, asked of the server alone.
async fn bare(hospital: &Hospital, from: Uuid, calls: usize) -> Vec<f64> {
    let mut conn = hospital.pool.acquire().await.unwrap();
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        let found = sqlx::query(BARE).bind(TENANT).bind(from).fetch_all(&mut *conn).await.unwrap();
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(found.len(), 50);
    }
    took
}

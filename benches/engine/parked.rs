//! W3 to W5: runs that wait. A signal among a million of them, what they cost, and a hundred thousand deadlines at once.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::store::{self, Outgoing};
use houbu::engine::{NewRun, RunId, To};
use serde_json::json;

use crate::Ask;
use crate::flows::{new_run, parked};
use crate::ground::{Ground, Plot, TENANT, median, memory, quantile, seconds};
use crate::report::{Bar, Report};
use crate::turns::start_all;

fn far() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(30)
}

/// W3: the same signal with none and with a million parked; W4: what parking them costs.
pub async fn a_million(ask: &Ask, ground: &Ground, report: &mut Report) {
    let (parked, signals) = ask.size((100_000, 200), (1_000_000, 1_000));
    let plot = ground.plot().await;
    let worker = plot.worker().await;
    plot.warm_up().await;
    let mut without = signalled(&plot, signals).await;

    let size_before = size(&plot).await;
    let memory_before = memory();
    let (took, ()) = seconds(park(&plot, parked, far)).await;
    let bytes = (size(&plot).await - size_before) / parked as f64;
    let mut among = signalled(&plot, signals).await;
    let memory_after = memory();
    worker.stop().await;

    let (none50, with50) = (median(&mut without), median(&mut among));
    let name = format!("signal → completed with {parked} parked, p50");
    report.row("W3", &name, (with50, "ms"), Some(("none parked", none50)), with50 / none50, Bar::AtMost(1.3));
    let (none99, with99) = (quantile(&mut without, 0.99), quantile(&mut among, 0.99));
    report.row("W3", "the same, p99", (with99, "ms"), Some(("none parked", none99)), 0.0, Bar::None);
    report.row("W4", "runs parked", (parked as f64 / took, "runs/s"), None, 0.0, Bar::None);
    report.row("W4", "a parked run, all tables and indexes", (bytes, "bytes"), None, bytes, Bar::AtMost(1024.0));
    let mebibytes = (memory_after - memory_before).max(0.0) / f64::from(1 << 20);
    report.row("W4", "memory of the process for them", (mebibytes, "MiB"), None, mebibytes, Bar::AtMost(64.0));
    let whole = memory_after / f64::from(1 << 20);
    report.row("W4", "memory of the whole process", (whole, "MiB"), None, whole, Bar::AtMost(64.0));
    plot.close().await;
}

/// Starts parked runs, a slice at a time: none of them is held in memory.
async fn park(plot: &Plot, runs: usize, until: impl Fn() -> DateTime<Utc>) {
    let mut left = runs;
    while left > 0 {
        let slice = left.min(2_000);
        left -= slice;
        let new: Vec<NewRun> = (0..slice).map(|_| new_run::<parked::Parked>("Lot", until())).collect();
        start_all(plot, new).await;
    }
}

/// Milliseconds from a signal to the ending that it causes, one after the other.
async fn signalled(plot: &Plot, signals: usize) -> Vec<f64> {
    let mut took = Vec::with_capacity(signals);
    for _ in 0..signals {
        let id = new_run::<parked::Parked>("Lot", far());
        let run = id.id;
        start_all(plot, vec![id]).await;
        let began = Instant::now();
        let ending = plot.engine.ending_of(run);
        go(plot, run).await;
        ending.here().await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took
}

async fn go(plot: &Plot, run: RunId) {
    let mut tx = plot.pool.begin().await.unwrap();
    let signal = Outgoing { to: To::Run(run), name: "Go".into(), id: "go".to_owned(), payload: json!({}) };
    store::signal(&mut tx, TENANT, &signal).await.unwrap();
    tx.commit().await.unwrap();
    plot.engine.hint();
}

/// Bytes of the engine's tables and indexes.
async fn size(plot: &Plot) -> f64 {
    sqlx::query_scalar::<_, i64>(
        "select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
         where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace",
    )
    .fetch_one(&plot.pool)
    .await
    .unwrap() as f64
}

/// W5: deadlines of the same second, and a signal now and then meanwhile.
pub async fn due_storm(ask: &Ask, ground: &Ground, report: &mut Report) {
    let runs: usize = ask.size(20_000, 100_000);
    let plot = ground.plot().await;
    let worker = plot.worker().await;
    plot.warm_up().await;
    // Far enough ahead that all of them stand before the first is due.
    let due = Utc::now() + TimeDelta::seconds(ask.size(15, 60));
    park(&plot, runs, || due).await;
    let wait = (due - Utc::now()).to_std().expect("the runs were parked before they were due");
    tokio::time::sleep(wait).await;
    let began = Instant::now();
    let asking = async {
        let mut took = Vec::new();
        while began.elapsed() < Duration::from_mins(1) && any_due(&plot).await {
            took.extend(signalled(&plot, 1).await);
        }
        took
    };
    let draining = async {
        plot.still().await;
        began.elapsed().as_secs_f64()
    };
    let (mut signals, drained) = tokio::join!(asking, draining);
    worker.stop().await;
    let mut late: Vec<f64> = sqlx::query_scalar::<_, f64>(
        "select extract(epoch from ended_at - $1)::float8 from run where key <> '' and step = 'Left' and ended_at > $1",
    )
    .bind(due)
    .fetch_all(&plot.pool)
    .await
    .unwrap();
    assert!(late.len() >= runs, "{} of {runs} deadlines were kept", late.len());
    let rate = runs as f64 / drained;
    let name = format!("{runs} deadlines of one second, drained");
    report.row("W5", &name, (rate, "runs/s"), None, rate, Bar::AtLeast(10_000.0));
    report.row("W5", "lateness, p50", (quantile(&mut late, 0.5), "s"), None, 0.0, Bar::None);
    report.row("W5", "lateness, p99", (quantile(&mut late, 0.99), "s"), None, 0.0, Bar::None);
    if signals.is_empty() {
        signals.push(f64::NAN);
    }
    let p99 = quantile(&mut signals, 0.99);
    report.row("W5", "signal → completed meanwhile, p99", (p99, "ms"), None, p99, Bar::AtMost(250.0));
    plot.close().await;
}

async fn any_due(plot: &Plot) -> bool {
    sqlx::query_scalar(
        "select exists (select 1 from run where tenant = $1 and status in ('pending', 'waiting')
                                            and due_at <= engine_now())",
    )
    .bind(TENANT)
    .fetch_one(&plot.pool)
    .await
    .unwrap()
}

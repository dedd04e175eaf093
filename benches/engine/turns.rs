//! W1 and W2: how many runs a second, and how long one takes alone.

use std::time::Instant;

use chrono::{DateTime, Utc};
use houbu::engine::NewRun;
use houbu::engine::store;

use crate::Ask;
use crate::flows::{calling, five, new_run, one};
use crate::ground::{Ground, Plot, TENANT, median, quantile, seconds};
use crate::limits::{bare_commits, bare_runs};
use crate::report::{Bar, Report};

/// Runs of one transaction where many are started.
const STARTS: usize = 200;

pub async fn start_all(plot: &Plot, runs: Vec<NewRun>) {
    let mut conn = plot.pool.acquire().await.unwrap();
    let mut runs = runs.into_iter().peekable();
    while runs.peek().is_some() {
        store::start_all(&mut conn, TENANT, runs.by_ref().take(STARTS).collect()).await.unwrap();
        plot.engine.hint();
    }
}

/// W1: runs of five steps that do nothing, each step durable, from the first start to the last ending.
pub async fn five_steps(ask: &Ask, ground: &Ground, report: &mut Report) {
    let (runs, repeats) = ask.size((4_000, 3), (20_000, 5));
    let (mut rates, mut commits, mut wal, mut own_cpu, mut server_cpu) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut one_by_one, mut batched) = (vec![], vec![]);
    for _ in 0..repeats {
        let plot = ground.plot().await;
        // Its plans too are made for tables that are not empty.
        bare_runs(&plot, runs / 4, 100, 2).await;
        plot.analyze().await;
        one_by_one.push(bare_runs(&plot, runs / 8, 1, 16).await);
        batched.push(bare_runs(&plot, runs, 100, 2).await);
        plot.close().await;

        let plot = ground.plot().await;
        let worker = plot.worker().await;
        plot.warm_up().await;
        let completed = "select count(*) from run where status = 'completed' and turn = 5";
        let warm: i64 = sqlx::query_scalar(completed).fetch_one(&plot.pool).await.unwrap();
        let new: Vec<NewRun> = (0..runs).map(|_| new_run::<five::Five>("First", Utc::now())).collect();
        let (before, spent) = (plot.written().await, ground.cpu());
        let (took, ()) = seconds(async {
            start_all(&plot, new).await;
            plot.still().await;
        })
        .await;
        let (after, spent_after) = (plot.written().await, ground.cpu());
        worker.stop().await;
        let done: i64 = sqlx::query_scalar(completed).fetch_one(&plot.pool).await.unwrap();
        assert_eq!(usize::try_from(done - warm).unwrap(), runs);
        let each = runs as f64;
        rates.push(each / took);
        wal.push((after.0 - before.0) / each);
        commits.push((after.1 - before.1) / each);
        own_cpu.push((spent_after.0 - spent.0) / each * 1e6);
        server_cpu.push((spent_after.1 - spent.1) / each * 1e6);
        plot.close().await;
    }
    let (rate, one, hundred) = (median(&mut rates), median(&mut one_by_one), median(&mut batched));
    let what = "five-step runs started → completed";
    report.row("W1", what, (rate, "runs/s"), Some(("bare, one commit a step", one)), rate / one, Bar::AtLeast(3.0));
    report.row(
        "W1",
        what,
        (rate, "runs/s"),
        Some(("bare, batched by 100", hundred)),
        rate / hundred,
        Bar::AtLeast(0.3),
    );
    for (what, values, unit) in [
        ("commits a run", &mut commits, ""),
        ("WAL a run", &mut wal, "bytes"),
        ("CPU of the engine a run", &mut own_cpu, "µs"),
        ("CPU of PostgreSQL a run", &mut server_cpu, "µs"),
    ] {
        report.row("W1", what, (median(values), unit), None, 0.0, Bar::None);
    }
}

/// W2: a run of one step, from the call that starts it until it is seen to have completed, one after the other: a step that
/// its state decides, and one that may call somebody.
pub async fn one_step(ask: &Ask, ground: &Ground, report: &mut Report) {
    let runs = ask.size(300, 1_000);
    let plot = ground.plot().await;
    let worker = plot.worker().await;
    plot.warm_up().await;
    let mut bare = bare_commits(&plot, runs).await;
    let mut decided = one_by_one(&plot, runs, new_run::<one::One>).await;
    let mut calling = one_by_one(&plot, runs, new_run::<calling::Calling>).await;
    worker.stop().await;
    let (bare50, bare99) = (median(&mut bare), quantile(&mut bare, 0.99));
    for (what, took, bar) in [
        ("one-step run, start → completed", &mut decided, Bar::AtMost(3.0)),
        ("the same, where the step may call somebody", &mut calling, Bar::None),
    ] {
        let p50 = median(took);
        report.row("W2", &format!("{what}, p50"), (p50, "ms"), Some(("one bare commit", bare50)), p50 / bare50, bar);
        let (what, p99) = (format!("{what}, p99"), quantile(took, 0.99));
        report.row("W2", &what, (p99, "ms"), Some(("one bare commit", bare99)), p99 / bare99, Bar::None);
    }
    plot.close().await;
}

async fn one_by_one(plot: &Plot, runs: usize, new: fn(&'static str, DateTime<Utc>) -> NewRun) -> Vec<f64> {
    let mut took = Vec::with_capacity(runs);
    for _ in 0..runs {
        let new = new("Only", Utc::now());
        let began = Instant::now();
        let ending = plot.engine.ending_of(new.id);
        plot.engine.start_run(new).await.unwrap();
        ending.here().await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took
}

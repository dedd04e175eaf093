//! The limits: the same rows written by a bare loop over sqlx, without an engine. One commit a step, or a hundred runs a
//! commit; on as many connections as serve that best here.

use std::time::Instant;

use houbu::engine::RunId;
use serde_json::json;
use sqlx::PgPool;

use crate::ground::{Plot, TENANT};

/// Steps of a run.
const STEPS: i32 = 5;

const BEGIN: &str = "
    with new as (
        insert into run (tenant, id, workflow, key, step, status, due_at)
        select $1, id, 'bare', id::text, 'S0', 'running', null from unnest($2::uuid[]) as t (id) returning id)
    insert into run_state (tenant, run_id, state) select $1, id, $3 from new";

const STEP: &str = "
    with moved as (
        update run r set step = $4, status = $5, turn = r.turn + 1, updated_at = engine_now(),
                         ended_at = case when $5 = 'completed' then engine_now() end
        from unnest($2::uuid[]) as t (id) where r.tenant = $1 and r.id = t.id returning r.id, r.turn),
    known as (
        update run_state s set state = $3 from moved m where s.tenant = $1 and s.run_id = m.id)
    insert into turn (tenant, run_id, turn, step, outcome, next, attempt, took_ms)
    select $1, id, turn, $4, 'Done', $4, 0, 0 from moved";

/// Runs a second, `at_once` a statement and commit, over `connections`.
pub async fn bare_runs(plot: &Plot, runs: usize, at_once: usize, connections: usize) -> f64 {
    let began = Instant::now();
    let each = runs.div_ceil(connections);
    let workers = (0..connections).map(|_| tokio::spawn(write(plot.pool.clone(), each, at_once)));
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    (each * connections) as f64 / began.elapsed().as_secs_f64()
}

async fn write(pool: PgPool, runs: usize, at_once: usize) {
    let mut conn = pool.acquire().await.unwrap();
    let mut left = runs;
    while left > 0 {
        let batch = left.min(at_once);
        left -= batch;
        let ids: Vec<RunId> = (0..batch).map(|_| RunId::now_v7()).collect();
        let state = json!({ "subject": "R20251128-0101-1/p-1001/lockThenPay/5000", "until": "2026-01-01T00:00:00Z" });
        sqlx::query(BEGIN).bind(TENANT).bind(&ids).bind(&state).execute(&mut *conn).await.unwrap();
        for step in 1..=STEPS {
            let status = if step == STEPS { "completed" } else { "running" };
            sqlx::query(STEP)
                .bind(TENANT)
                .bind(&ids)
                .bind(&state)
                .bind(format!("S{step}"))
                .bind(status)
                .execute(&mut *conn)
                .await
                .unwrap();
        }
    }
}

/// Milliseconds of one bare commit of one small row, each of many in a row.
pub async fn bare_commits(plot: &Plot, commits: usize) -> Vec<f64> {
    sqlx::query(
        "create table if not exists bare (n bigint generated always as identity, at timestamptz default now())",
    )
    .execute(&plot.pool)
    .await
    .unwrap();
    let mut conn = plot.pool.acquire().await.unwrap();
    let mut took = Vec::with_capacity(commits);
    for _ in 0..commits {
        let began = Instant::now();
        sqlx::query("insert into bare default values").execute(&mut *conn).await.unwrap();
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took
}

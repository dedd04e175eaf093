//! `-- --statements`: after each figure, the statements that the server spent most of its time on (`pg_stat_statements`,
//! those inside functions too). Counting them costs a little, so figures of such a run are not to be quoted.

use comfy_table::Table;
use sqlx::Connection;

use crate::ground::Ground;

/// What the server needs to count.
pub const SETTINGS: [(&str, &str); 4] = [
    ("shared_preload_libraries", "pg_stat_statements"),
    ("pg_stat_statements.track", "all"),
    ("pg_stat_statements.track_planning", "on"),
    ("pg_stat_statements.max", "10000"),
];

/// How many are shown.
const SHOWN: i64 = 14;

#[derive(sqlx::FromRow)]
struct Row {
    query: String,
    outermost: bool,
    calls: i64,
    total: f64,
    plans: i64,
    planning: f64,
    rows: i64,
    wal: f64,
}

/// Prints them for what was measured since the last time, and forgets them.
pub async fn print(ground: &Ground, figure: &str) {
    let mut conn = sqlx::PgConnection::connect_with(&ground.server.connect_options("postgres")).await.unwrap();
    sqlx::raw_sql("create extension if not exists pg_stat_statements").execute(&mut conn).await.unwrap();
    let rows: Vec<Row> = sqlx::query_as(
        "select left(regexp_replace(query, '\\s+', ' ', 'g'), 110) as query, bool_and(toplevel) as outermost,
                sum(calls)::int8 as calls, sum(total_exec_time) as total, sum(plans)::int8 as plans,
                sum(total_plan_time) as planning, sum(rows)::int8 as rows, sum(wal_bytes)::float8 as wal
         from pg_stat_statements where query !~ '^(create|alter|drop|do|vacuum|analyze)' group by query
         order by sum(total_exec_time + total_plan_time) desc limit $1",
    )
    .bind(SHOWN)
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut table = Table::new();
    table.set_header([figure, "calls", "total ms", "mean ms", "plans", "planning ms", "rows", "WAL MB"]);
    for row in rows {
        let query = if row.outermost { row.query } else { format!("  … {}", row.query) };
        table.add_row([
            query,
            row.calls.to_string(),
            format!("{:.0}", row.total),
            format!("{:.3}", row.total / row.calls.max(1) as f64),
            row.plans.to_string(),
            format!("{:.0}", row.planning),
            row.rows.to_string(),
            format!("{:.1}", row.wal / 1e6),
        ]);
    }
    println!("{table}");
    conn.close().await.unwrap();
    forget(ground).await;
}

/// Counts from here on.
pub async fn forget(ground: &Ground) {
    let mut conn = sqlx::PgConnection::connect_with(&ground.server.connect_options("postgres")).await.unwrap();
    let forget = "create extension if not exists pg_stat_statements; select pg_stat_statements_reset()";
    sqlx::raw_sql(forget).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

//! What has moved since somebody looked, told by numbers that are cheap to read and say nothing but "not as before".

use sqlx::PgExecutor;

use super::super::RunId;

/// A number of each of these live runs that is another one once it has moved. A run that has gone to the archive has none.
///
/// Plan: the primary key, one look-up a run.
pub async fn runs(db: impl PgExecutor<'_>, tenant: &str, ids: &[RunId]) -> sqlx::Result<Vec<(RunId, i64)>> {
    sqlx::query_as(
        "select id, hashtextextended(concat_ws('/', status, step, generation, turn, attempt, due_at, signal_count,
                                               updated_at, last_error), 0)
         from run where tenant = $1 and id = any($2)",
    )
    .bind(tenant)
    .bind(ids)
    .fetch_all(db)
    .await
}

/// How many rows of each of these tables were ever written, as the database counts them for itself: a second or some late, never
/// wrong for long, and without a look into the table.
pub async fn tables(db: impl PgExecutor<'_>, names: &[&str]) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "select relname::text, n_tup_ins + n_tup_upd + n_tup_del
         from pg_stat_user_tables where schemaname = current_schema() and relname = any($1)",
    )
    .bind(names)
    .fetch_all(db)
    .await
}

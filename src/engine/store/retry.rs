//! Staff let a suspended run try its step again. Written into its history with the reason.

use sqlx::PgPool;

use super::super::RunId;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// Its step is due.
    Due,
    /// It is not suspended: nothing was changed.
    NotSuspended,
    /// There is no such run.
    NoRun,
}

/// Makes the step of a suspended run due at once, as its first attempt. The step may have called out before: it will
/// look first.
pub async fn retry(pool: &PgPool, tenant: &str, run: RunId, who: &str, reason: &str) -> sqlx::Result<Retried> {
    let mut tx = pool.begin().await?;
    let status: Option<String> = sqlx::query_scalar("select status from run where tenant = $1 and id = $2 for update")
        .bind(tenant)
        .bind(run)
        .fetch_optional(&mut *tx)
        .await?;
    match status.as_deref() {
        None => return Ok(Retried::NoRun),
        Some("suspended") => {}
        Some(_) => return Ok(Retried::NotSuspended),
    }
    sqlx::query(
        "insert into turn (tenant, run_id, turn, step, woke, outcome, next, attempt, took_ms, error)
         select tenant, id, turn, step, 'staff', 'retried', step, attempt, 0, $3 from run
         where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(run)
    .bind(format!("{who}: {reason}"))
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "update run set status = 'pending', due_at = engine_now(), generation = generation + 1, attempt = 0,
                        again = true, worker = null, updated_at = engine_now()
         where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(run)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Retried::Due)
}

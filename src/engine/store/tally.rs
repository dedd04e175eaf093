//! How many runs and letters stand where, without counting what has ended: see the table `tally`.
//!
//! What lives is counted by its partial indexes. What has ended is a sum that triggers keep by appending changes, so
//! that no commit waits for another one's count; here the changes are folded into it.

use sqlx::{PgConnection, PgExecutor};

/// The changes that one fold takes in.
pub const FOLD_MAX: u64 = 10_000;

/// Runs by workflow and status, archived ones included; those outside `runnable` (each `workflow/step`) that nobody has
/// suspended as `unrunnable`.
///
/// Plan: `run_live` alone over live rows, a handful of rows of `tally`, the changes since the last fold.
pub async fn runs(
    db: impl PgExecutor<'_>,
    tenant: &str,
    runnable: &[String],
) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(
        "select workflow, status, sum(n)::bigint from (
             select workflow, n, case when status <> 'suspended' and workflow || '/' || step <> all($2)
                                      then 'unrunnable' else status end as status
             from (select workflow, step, status, count(*) as n from run
                   where tenant = $1 and status in ('pending', 'running', 'waiting', 'suspended')
                   group by workflow, step, status) live
             union all
             select workflow, n, status from tally where tenant = $1 and what = 'run'
             union all
             select workflow, n, status from tally_change where tenant = $1 and what = 'run') counted
         group by workflow, status having sum(n) > 0 order by workflow, status",
    )
    .bind(tenant)
    .bind(runnable)
    .fetch_all(db)
    .await
}

/// Letters by status.
///
/// Plan: `outbox_due`, `outbox_sending` and `outbox_awaits_person` over what is not settled; the rest as in [`runs`].
pub async fn letters(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "select status, sum(n)::bigint from (
             select 'pending' as status, count(*) as n from outbox where tenant = $1 and status = 'pending'
             union all
             select 'sending', count(*) from outbox where tenant = $1 and status = 'sending'
             union all
             select 'suspended', count(*) from outbox where tenant = $1 and status = 'suspended'
             union all
             select status, n from tally where tenant = $1 and what = 'letter'
             union all
             select status, n from tally_change where tenant = $1 and what = 'letter') counted
         group by status having sum(n) > 0 order by status",
    )
    .bind(tenant)
    .fetch_all(db)
    .await
}

/// Folds changes into the sums, in a transaction; nothing where another process is at it. Answers how many.
pub async fn fold(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<u64> {
    let folded: Option<i64> = sqlx::query_scalar(
        "with mine as materialized (select pg_try_advisory_xact_lock(hashtext('houbu:tally'), hashtext($1)) as mine),
         few as materialized (
             select ctid from tally_change where tenant = $1 and (select mine from mine) limit $2),
         taken as (delete from tally_change c using few where c.ctid = few.ctid
                   returning c.what, c.workflow, c.status, c.n),
         summed as (
             insert into tally (tenant, what, workflow, status, n)
             select $1, what, workflow, status, sum(n) from taken group by what, workflow, status
             on conflict (tenant, what, workflow, status) do update set n = tally.n + excluded.n)
         select count(*) from taken",
    )
    .bind(tenant)
    .bind(i64::try_from(FOLD_MAX).unwrap_or(i64::MAX))
    .fetch_optional(conn)
    .await?;
    Ok(folded.and_then(|folded| u64::try_from(folded).ok()).unwrap_or(0))
}

//! Runs that ended long ago: moved out of the live table in small batches, found like any other, forgotten in the end.
//!
//! A run is in `run` or in `run_archive`, never in both and never in neither: whoever looks at both in one statement
//! sees it once. A key in the archive is taken (see `start`). Whoever adds a column to `run` adds it to `run_archive`
//! and to the list here; a test compares the three.

use sqlx::{PgConnection, PgExecutor};

use super::super::RunId;

/// Every column of `run`, in one order for all statements that move a run.
macro_rules! columns {
    () => {
        "tenant, id, workflow, key, step, status, generation, turn, attempt, again, due_at, listens, signal_count,
         worker, last_error, created_at, updated_at, ended_at, lane, priority, owes, fault, failing_since, parent,
         reports, trace, reaped_turn, reaped, reaped_since"
    };
}

/// The columns that a move carries.
pub const COLUMNS: &str = columns!();

/// Moves up to `most` runs that ended `days` ago by the engine's clock. Those that still have something outstanding
/// stay: a letter that is not settled, a child that is not ended. Answers how many.
///
/// Plan: a range of `run_ended` from its oldest end; `outbox_run` and `run_parent` are looked into once a run. It waits
/// for nobody.
pub async fn move_ended(db: impl PgExecutor<'_>, tenant: &str, days: i32, most: i64) -> sqlx::Result<u64> {
    let moved = sqlx::query(concat!(
        "with old as materialized (
             select r.id from run r
             where r.tenant = $1 and r.status in ('completed', 'cancelled', 'faulted')
               and r.ended_at < engine_now() - make_interval(days => $2)
               and not exists (select 1 from outbox o where o.tenant = r.tenant and o.run_id = r.id
                                                       and o.status in ('pending', 'sending', 'suspended'))
               and not exists (select 1 from run c where c.tenant = r.tenant and c.parent = r.id
                                                    and c.status in ('pending', 'running', 'waiting', 'suspended'))
             order by r.ended_at limit $3 for update of r skip locked),
         gone as (delete from run r using old where r.tenant = $1 and r.id = old.id returning r.*),
         knew as (delete from run_state s using old where s.tenant = $1 and s.run_id = old.id
                  returning s.run_id, s.state)
         insert into run_archive (",
        columns!(),
        ", state)
         select ",
        columns!(),
        ", coalesce(knew.state, '{}') from gone left join knew on knew.run_id = gone.id"
    ))
    .bind(tenant)
    .bind(days)
    .bind(most)
    .execute(db)
    .await?;
    Ok(moved.rows_affected())
}

/// Forgets up to `most` archived runs that ended `days` ago, with the signals that they received. Answers how many.
pub async fn forget(db: impl PgExecutor<'_>, tenant: &str, days: i32, most: i64) -> sqlx::Result<u64> {
    let forgotten: i64 = sqlx::query_scalar(
        "with old as materialized (
             select id from run_archive
             where tenant = $1 and ended_at < engine_now() - make_interval(days => $2)
             order by ended_at limit $3 for update skip locked),
         gone as (delete from run_archive a using old where a.tenant = $1 and a.id = old.id returning 1),
         signals as (delete from inbox i using old where i.tenant = $1 and i.run_id = old.id)
         select count(*) from gone",
    )
    .bind(tenant)
    .bind(days)
    .bind(most)
    .fetch_one(db)
    .await?;
    Ok(u64::try_from(forgotten).unwrap_or(0))
}

/// Deletes up to `most` signals that live runs heard `days` ago: a run that never ends does not gather them for ever.
/// Answers how many.
///
/// Plan: the pages that `inbox_received` says to be that old; it is asked once an hour.
pub async fn forget_heard(db: impl PgExecutor<'_>, tenant: &str, days: i32, most: i64) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(
        "with old as materialized (
             select i.run_id, i.signal_id from inbox i
             where i.tenant = $1 and i.received_at < engine_now() - make_interval(days => $2)
               and i.read_turn is not null
               and exists (select 1 from run r where r.tenant = i.tenant and r.id = i.run_id)
             limit $3 for update of i skip locked)
         delete from inbox i using old where i.tenant = $1 and i.run_id = old.run_id and i.signal_id = old.signal_id",
    )
    .bind(tenant)
    .bind(days)
    .bind(most)
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Which of these runs are archived; they stay as they are for the rest of the transaction. Whoever holds one may take it
/// back.
pub(super) async fn hold(conn: &mut PgConnection, tenant: &str, runs: &[RunId]) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar("select id from run_archive where tenant = $1 and id = any($2) order by id for update")
        .bind(tenant)
        .bind(runs)
        .fetch_all(conn)
        .await
}

/// Takes an archived run back among the live ones, as it ended. False where it is not archived.
pub(super) async fn bring_back(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<bool> {
    let back = sqlx::query(concat!(
        "with back as (delete from run_archive where tenant = $1 and id = $2 returning *),
         knew as (insert into run_state (tenant, run_id, state) select tenant, id, state from back)
         insert into run (",
        columns!(),
        ") select ",
        columns!(),
        " from back"
    ))
    .bind(tenant)
    .bind(run)
    .execute(conn)
    .await?;
    Ok(back.rows_affected() > 0)
}

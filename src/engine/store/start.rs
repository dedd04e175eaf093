//! Starting a run: idempotent by (workflow, key), in the caller's transaction.
//!
//! A key in the archive is taken too. The archive is looked at by the statement that writes the state, not by the one
//! that takes the key: that one may have begun before the archiver committed, waited for it on the key of the run that
//! was on its way, and gone on when the key was free. The statement after it sees what has been committed by then, and
//! from then on the key is ours, so that nobody can archive it.

use sqlx::PgConnection;

use super::super::RunId;
use super::super::flow::{ChildEnded, NewRun, Parent};
use super::super::sizes::{self, Stored};
use super::unmatched;

/// What starting came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The run of that key.
    pub id: RunId,
    /// False where it had been started before.
    pub new: bool,
}

/// Starts a run with all that this causes, in the caller's transaction.
pub async fn start(conn: &mut PgConnection, tenant: &str, mut new: NewRun) -> sqlx::Result<Started> {
    let effects = std::mem::take(&mut new.effects);
    let started = insert(conn, tenant, &new).await?;
    if started.new {
        let effects = effects.into_iter().map(|effect| (started.id, effect)).collect();
        super::write_effects(conn, tenant, effects).await?;
    } else if let Some(parent) = &new.parent {
        adopt(conn, tenant, started.id, parent).await?;
    }
    Ok(started)
}

/// A run of that key stands already: `parent` hears of its ending as of any child's, at once where it has ended. A run
/// has one parent; who comes second waits for its own deadline.
pub(super) async fn adopt(conn: &mut PgConnection, tenant: &str, run: RunId, parent: &Parent) -> sqlx::Result<()> {
    let stands: Option<(String, String, String, String)> = sqlx::query_as(
        "update run set parent = $3, reports = $4
         where tenant = $1 and id = $2 and coalesce(parent, $3) = $3
         returning workflow, key, step, status",
    )
    .bind(tenant)
    .bind(run)
    .bind(parent.run)
    .bind(&parent.signal)
    .fetch_optional(&mut *conn)
    .await?;
    let stands = match stands {
        None => archived(conn, tenant, run).await?,
        some => some,
    };
    let Some((workflow, key, ending, status)) = stands else {
        tracing::warn!(%run, parent = %parent.run, "a run that has a parent already was started as another one's child");
        return Ok(());
    };
    if matches!(status.as_str(), "completed" | "cancelled" | "faulted") {
        let ended = ChildEnded { run, workflow, key, ending, cancelled: status == "cancelled" };
        super::signal(conn, tenant, &ended.signal(parent.run, parent.signal.clone())).await?;
    }
    Ok(())
}

/// Workflow, key, ending and status of an archived run.
async fn archived(
    conn: &mut PgConnection,
    tenant: &str,
    run: RunId,
) -> sqlx::Result<Option<(String, String, String, String)>> {
    sqlx::query_as("select workflow, key, step, status from run_archive where tenant = $1 and id = $2")
        .bind(tenant)
        .bind(run)
        .fetch_optional(conn)
        .await
}

/// The rows of a new run. Waits for a concurrent start of the same key, then answers that one.
pub(super) async fn insert(conn: &mut PgConnection, tenant: &str, new: &NewRun) -> sqlx::Result<Started> {
    sizes::check(Stored::Input, &new.state)?;
    let inserted = sqlx::query(
        "insert into run (tenant, id, workflow, key, step, status, due_at, listens, lane, priority, parent, reports,
                          trace)
         values ($1, $2, $3, $4, $5, case when $7::timestamptz is null then 'pending' else 'waiting' end,
                 coalesce($7, engine_now()), $6, $8, $9, $10, $11, $12)
         on conflict (tenant, workflow, key) do nothing",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(new.workflow)
    .bind(&new.key)
    .bind(new.step.name)
    .bind(new.step.hears)
    .bind(new.due_at)
    .bind(new.step.lane_stored())
    .bind(new.step.priority.stored())
    .bind(new.parent.as_ref().map(|parent| parent.run))
    .bind(new.parent.as_ref().map(|parent| parent.signal.as_str()))
    .bind(&new.trace)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    if inserted == 0 {
        // Both in one statement: a run on its way into the archive is in one of the two.
        let id = sqlx::query_scalar(
            "select id from run where tenant = $1 and workflow = $2 and key = $3
             union all
             select id from run_archive where tenant = $1 and workflow = $2 and key = $3
             limit 1",
        )
        .bind(tenant)
        .bind(new.workflow)
        .bind(&new.key)
        .fetch_one(&mut *conn)
        .await?;
        return Ok(Started { id, new: false });
    }
    let (was, early) = write_state(conn, tenant, new).await?;
    if let Some(id) = was {
        sqlx::query("delete from run where tenant = $1 and id = $2").bind(tenant).bind(new.id).execute(conn).await?;
        return Ok(Started { id, new: false });
    }
    if early {
        unmatched::match_to(conn, tenant, &[new.id]).await?;
    }
    Ok(Started { id: new.id, new: true })
}

/// The state of a new run, unless its key turns out to stand in the archive: then that run's id. And whether signals
/// came before the run. One statement for all three, by primary key and two unique indexes.
async fn write_state(conn: &mut PgConnection, tenant: &str, new: &NewRun) -> sqlx::Result<(Option<RunId>, bool)> {
    sqlx::query_as(
        "with was as materialized (
             select id from run_archive where tenant = $1 and workflow = $4 and key = $5),
         written as (
             insert into run_state (tenant, run_id, state) select $1, $2, $3 where not exists (select 1 from was))
         select (select id from was),
                exists (select 1 from unmatched
                        where tenant = $1 and workflow = $4 and key = $5 and status = 'waiting')
                or exists (select 1 from unmatched where tenant = $1 and run_id = $2 and status = 'waiting')",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(&new.state)
    .bind(new.workflow)
    .bind(&new.key)
    .fetch_one(conn)
    .await
}

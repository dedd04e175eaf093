//! Starting a run: idempotent by (workflow, key), in the caller's transaction.

use sqlx::PgConnection;

use super::super::RunId;
use super::super::flow::{ChildEnded, NewRun, Parent};

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

/// The rows of a new run. Waits for a concurrent start of the same key, then answers that one.
pub(super) async fn insert(conn: &mut PgConnection, tenant: &str, new: &NewRun) -> sqlx::Result<Started> {
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
        let id = sqlx::query_scalar("select id from run where tenant = $1 and workflow = $2 and key = $3")
            .bind(tenant)
            .bind(new.workflow)
            .bind(&new.key)
            .fetch_one(&mut *conn)
            .await?;
        return Ok(Started { id, new: false });
    }
    sqlx::query("insert into run_state (tenant, run_id, state) values ($1, $2, $3)")
        .bind(tenant)
        .bind(new.id)
        .bind(&new.state)
        .execute(&mut *conn)
        .await?;
    Ok(Started { id: new.id, new: true })
}

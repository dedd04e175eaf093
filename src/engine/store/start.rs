//! Starting a run: idempotent by (workflow, key), in the caller's transaction.

use sqlx::PgConnection;

use super::super::RunId;
use super::super::flow::NewRun;

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
    }
    Ok(started)
}

/// The rows of a new run. Waits for a concurrent start of the same key, then answers that one.
pub(super) async fn insert(conn: &mut PgConnection, tenant: &str, new: &NewRun) -> sqlx::Result<Started> {
    let inserted = sqlx::query(
        "insert into run (tenant, id, workflow, key, step, status, due_at, listens)
         values ($1, $2, $3, $4, $5, case when $7::timestamptz is null then 'pending' else 'waiting' end,
                 coalesce($7, engine_now()), $6)
         on conflict (tenant, workflow, key) do nothing",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(new.workflow)
    .bind(&new.key)
    .bind(new.step)
    .bind(new.hears)
    .bind(new.due_at)
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

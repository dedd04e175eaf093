//! A run that had ended goes on at a step: something came too late for it and must still be settled (rule 6).

use sqlx::PgConnection;

use super::super::RunId;
use super::super::table::StepRow;
use super::archive;

/// Takes an ended run up again at `step`, which acts, owing `owes`. False where the run has not ended. `why` stands in
/// its history. One that was archived is taken back first.
pub async fn reopen(
    conn: &mut PgConnection,
    tenant: &str,
    run: RunId,
    step: &StepRow,
    owes: &[&str],
    why: &str,
) -> sqlx::Result<bool> {
    archive::bring_back(conn, tenant, run).await?;
    let reopened = sqlx::query(
        "with ended as (
             select id, step from run where tenant = $1 and id = $2 and status = 'completed' for update),
         told as (
             insert into turn (tenant, run_id, turn, step, woke, outcome, next, attempt, took_ms, error)
             select $1, r.id, r.turn, r.step, 'late', 'reopened', $3, 0, 0, $4
             from run r join ended e on e.id = r.id where r.tenant = $1)
         update run r
         set step = $3, status = 'pending', due_at = engine_now(), generation = r.generation + 1, attempt = 0,
             again = true, listens = '{}', lane = $5, priority = $6, owes = $7, worker = null, ended_at = null, updated_at = engine_now()
         from ended e where r.tenant = $1 and r.id = e.id",
    )
    .bind(tenant)
    .bind(run)
    .bind(step.name)
    .bind(why)
    .bind(step.lane_stored())
    .bind(step.priority.stored())
    .bind(owes)
    .execute(conn)
    .await?
    .rows_affected();
    Ok(reopened > 0)
}

//! A run goes back to a step: something came too late for what it did last, and must still be settled (rule 6).

use sqlx::PgConnection;

use super::super::RunId;
use super::super::table::StepRow;
use super::archive;

/// Takes a run up again at `step`, which acts, owing `owes`: one that has ended (an archived one is taken back first),
/// or stands at one of the steps `from`, which may have looked before the news came. Whoever has it in hand there finds
/// the fence closed. One that waits for a person goes on waiting. False where it stands elsewhere: what came is not
/// late there. `why` stands in its history.
pub async fn reopen(
    conn: &mut PgConnection,
    tenant: &str,
    run: RunId,
    from: &[&str],
    step: &StepRow,
    owes: &[&str],
    why: &str,
) -> sqlx::Result<bool> {
    archive::bring_back(conn, tenant, run).await?;
    let reopened = sqlx::query(
        "with late as (
             select id, step from run
             where tenant = $1 and id = $2
               and (status = 'completed' or (step = any($8) and status not in ('cancelled', 'faulted'))) for update),
         told as (
             insert into turn (tenant, run_id, turn, step, woke, outcome, next, attempt, took_ms, error)
             select $1, r.id, r.turn, r.step, 'late', 'reopened', $3, 0, 0, $4
             from run r join late l on l.id = r.id where r.tenant = $1)
         update run r
         set step = $3, status = case when r.status = 'suspended' then r.status else 'pending' end,
             due_at = case when r.status <> 'suspended' then engine_now() end, generation = r.generation + 1,
             attempt = 0, again = true, failing_since = null, fault = case when r.status = 'suspended' then r.fault end,
             last_error = case when r.status = 'suspended' then r.last_error end, listens = '{}', lane = $5, priority = $6,
             owes = array(select distinct unnest(r.owes || $7)), worker = null, ended_at = null,
             updated_at = engine_now()
         from late l where r.tenant = $1 and r.id = l.id",
    )
    .bind(tenant)
    .bind(run)
    .bind(step.name)
    .bind(why)
    .bind(step.lane_stored())
    .bind(step.priority.stored())
    .bind(owes)
    .bind(from)
    .execute(conn)
    .await?
    .rows_affected();
    Ok(reopened > 0)
}

//! What workers of different releases read of each other, and give to what the others parked.

use sqlx::PgPool;
use uuid::Uuid;

use super::super::preflight::Knows;

/// What the live workers of other releases can run, where that is not the same as this. Mostly there are none.
pub async fn other_releases(pool: &PgPool, tenant: &str, me: Uuid, ours: &Knows) -> sqlx::Result<Vec<Knows>> {
    sqlx::query_as(
        "select distinct knows, hears from worker
         where tenant = $1 and id <> $2 and lease_until > clock_timestamp() and (knows, hears) is distinct from ($3, $4)",
    )
    .bind(tenant)
    .bind(me)
    .bind(&ours.steps)
    .bind(&ours.signals)
    .fetch_all(pool)
    .await
}

/// What a step hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ears {
    /// The workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// The signals.
    pub signals: Vec<String>,
}

/// How many runs are given ears by one statement.
const RUNS_MAX: i64 = 5_000;

/// Runs that wait with fewer ears than their step has here are given the rest. Those that ever received a signal look
/// again at once: it may be one that they could not hear. Answers how many runs. What is locked just now is left to the
/// next time.
///
/// Plan: a range of `run_step` a step; who waits there, by primary key.
pub async fn give_ears(pool: &PgPool, tenant: &str, ears: &[Ears]) -> sqlx::Result<u64> {
    let mut given = 0;
    loop {
        let now = sqlx::query(
            "with here as materialized (
                 select workflow, step, string_to_array(signals, ',') as signals
                 from unnest($2::text[], $3::text[], $4::text[]) as t (workflow, step, signals)),
             few as materialized (
                 select r.id, h.signals from here h
                 join run r on r.tenant = $1 and r.step = h.step and r.workflow = h.workflow
                 where r.status = 'waiting' and not r.listens @> h.signals
                 order by r.id limit $5 for update of r skip locked)
             update run r
             set listens = array(select distinct unnest(r.listens || f.signals) order by 1),
                 due_at = case when r.signal_count > 0 then least(r.due_at, engine_now()) else r.due_at end
             from few f where r.tenant = $1 and r.id = f.id",
        )
        .bind(tenant)
        .bind(ears.iter().map(|one| one.workflow.as_str()).collect::<Vec<_>>())
        .bind(ears.iter().map(|one| one.step.as_str()).collect::<Vec<_>>())
        .bind(ears.iter().map(|one| one.signals.join(",")).collect::<Vec<_>>())
        .bind(RUNS_MAX)
        .execute(pool)
        .await?
        .rows_affected();
        given += now;
        if now == 0 {
            return Ok(given);
        }
    }
}

//! Schedules whose places are being handed out: the runs that do so, by the schedule's id, which is their key. `workflow` is
//! theirs.

use sqlx::PgExecutor;

use crate::waitlist::policy::Level;

/// Schedules under a doctor, department or campus whose hand-out goes on; `over_at` are the steps at which one is over.
///
/// Plan: a scan of the schedules under it, and one run by its key each; staff ask for it now and then.
pub async fn going_on_under(
    db: impl PgExecutor<'_>,
    hospital: &str,
    workflow: &str,
    over_at: &[&str],
    level: Level,
    id: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select s.id from schedule s
         join run r on r.tenant = s.hospital and r.key = s.id and r.workflow = $2
         where s.hospital = $1 and r.step <> all($3) and r.status not in ('completed', 'cancelled', 'faulted')
           and case $4 when 'doctor' then s.doctor_id when 'department' then s.department_id else s.campus_id end = $5
         order by s.id",
    )
    .bind(hospital)
    .bind(workflow)
    .bind(over_at)
    .bind(level.as_str())
    .bind(id)
    .fetch_all(db)
    .await
}

/// Those of these schedules whose hand-out has heard that a place may be free while nobody waited, and has not asked HIS.
///
/// Plan: one run by its key and its state by its id each.
pub async fn unasked(
    db: impl PgExecutor<'_>,
    hospital: &str,
    workflow: &str,
    schedules: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select t.id from (select distinct id from unnest($3::text[]) as t (id)) t
         cross join lateral (
             select r.id from run r where r.tenant = $1 and r.key = t.id and r.workflow = $2 limit 1) r
         cross join lateral (
             select k.state from run_state k where k.tenant = $1 and k.run_id = r.id limit 1) k
         where k.state -> 'unasked' = 'true' order by t.id",
    )
    .bind(hospital)
    .bind(workflow)
    .bind(schedules)
    .fetch_all(db)
    .await
}

//! Schedules whose places are being handed out: the runs that do so, by the schedule's id, which is their key. `workflow` is
//! theirs.

use sqlx::{PgConnection, PgExecutor};

use crate::engine::RunId;
use crate::waitlist::policy::Level;

/// Schedules under a doctor, department or campus whose hand-out goes on, and whether it is at `shut_at`, where a later cutoff takes
/// it up again unless staff have ended it; `over_at` are the steps at which one is over.
///
/// Plan: a scan of the schedules under it, and one run by its key and its state by its id each; staff ask for it now and then.
pub async fn going_on_under(
    db: impl PgExecutor<'_>,
    hospital: &str,
    workflow: &str,
    over_at: &[&str],
    shut_at: &str,
    level: Level,
    id: &str,
) -> sqlx::Result<Vec<(String, bool)>> {
    sqlx::query_as(
        "select s.id, r.step = $6 from schedule s
         join run r on r.tenant = s.hospital and r.key = s.id and r.workflow = $2
         join run_state k on k.tenant = r.tenant and k.run_id = r.id
         where s.hospital = $1 and r.step <> all($3) and r.status not in ('completed', 'cancelled', 'faulted')
           and (r.step <> $6 or k.state -> 'past' = 'true')
           and case $4 when 'doctor' then s.doctor_id when 'department' then s.department_id else s.campus_id end = $5
         order by s.id",
    )
    .bind(hospital)
    .bind(workflow)
    .bind(over_at)
    .bind(level.as_str())
    .bind(id)
    .bind(shut_at)
    .fetch_all(db)
    .await
}

/// True where none of these is over by now. They are held by whoever asks.
pub async fn all_go_on(
    conn: &mut PgConnection,
    hospital: &str,
    hand_outs: &[RunId],
    over_at: &[&str],
) -> sqlx::Result<bool> {
    if hand_outs.is_empty() {
        return Ok(true);
    }
    let go_on: i64 = sqlx::query_scalar(
        "select count(*) from run
         where tenant = $1 and id = any($2) and step <> all($3) and status not in ('cancelled', 'faulted')",
    )
    .bind(hospital)
    .bind(hand_outs)
    .bind(over_at)
    .fetch_one(conn)
    .await?;
    Ok(usize::try_from(go_on) == Ok(hand_outs.len()))
}

/// Holds the hand-outs of these schedules for the rest of the transaction: what they have found, and what one of them is about
/// to find, is seen by the next statement.
///
/// Plan: one run by its key each.
pub async fn hold(conn: &mut PgConnection, hospital: &str, workflow: &str, schedules: &[String]) -> sqlx::Result<()> {
    sqlx::query("select from run where tenant = $1 and key = any($3) and workflow = $2 order by id for update")
        .bind(hospital)
        .bind(workflow)
        .bind(schedules)
        .execute(conn)
        .await
        .map(drop)
}

/// Those of these schedules of which a place may be free that nobody was there for; where `of_hints` says so, only those of which HIS
/// was not asked, since nobody was there.
///
/// Plan: one run by its key and its state by its id each.
pub async fn unasked(
    db: impl PgExecutor<'_>,
    hospital: &str,
    workflow: &str,
    schedules: &[String],
    of_hints: bool,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select t.id from (select distinct id from unnest($3::text[]) as t (id)) t
         cross join lateral (
             select r.id from run r where r.tenant = $1 and r.key = t.id and r.workflow = $2 limit 1) r
         cross join lateral (
             select k.state from run_state k where k.tenant = $1 and k.run_id = r.id limit 1) k
         where k.state -> 'unasked' = 'true' and (not $4 or k.state ->> 'told_at' is null) order by t.id",
    )
    .bind(hospital)
    .bind(workflow)
    .bind(schedules)
    .bind(of_hints)
    .fetch_all(db)
    .await
}

//! Whom it concerns that a schedule does not take place, or takes place otherwise (R34).

use chrono::NaiveTime;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Those of these schedules whose end would concern somebody.
pub async fn concerning(db: impl PgExecutor<'_>, hospital: &str, schedules: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select distinct schedule_id from entry
         where hospital = $1 and schedule_id = any($2) and (live or status = 'booked') order by 1",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_all(db)
    .await
}

/// Everybody whom the end of a schedule concerns: who waits, is offered, pays or is booked.
pub async fn concerned(db: impl PgExecutor<'_>, hospital: &str, schedule_id: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select id from entry where hospital = $1 and schedule_id = $2 and (live or status = 'booked') order by seq",
    )
    .bind(hospital)
    .bind(schedule_id)
    .fetch_all(db)
    .await
}

/// Who is booked at a time of these schedules that `begins` to `ends` is a part of, or the other way round (停诊 of some times):
/// a place of a whole half-day is met by any part of it.
pub async fn booked_within(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedules: &[String],
    begins: NaiveTime,
    ends: NaiveTime,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select id from entry
         where hospital = $1 and schedule_id = any($2) and (live or status = 'booked')
           and (slot ->> 'begins')::time < $4 and (slot ->> 'ends')::time > $3 order by id",
    )
    .bind(hospital)
    .bind(schedules)
    .bind(begins)
    .bind(ends)
    .fetch_all(db)
    .await
}

/// Who waits, is offered, pays or is booked for a schedule, and has not agreed to what it has become: schedule and entry, by
/// schedule. Of these schedules, or of a department where none are given.
///
/// Plan: the changed schedules by `schedule_of_department` or their key, and the entries of each by `entry_of_schedule`.
pub async fn behind(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedules: Option<&[String]>,
    department_id: &str,
) -> sqlx::Result<Vec<(String, Uuid)>> {
    sqlx::query_as(
        "select s.id, e.id from schedule s
         join entry e on e.hospital = s.hospital and e.schedule_id = s.id and (e.live or e.status = 'booked')
                     and coalesce(e.agreed_at, e.created_at) < s.changed_at
         where s.hospital = $1 and s.department_id = $3 and s.changed_at is not null
           and ($2::text[] is null or s.id = any($2)) order by s.id, e.seq",
    )
    .bind(hospital)
    .bind(schedules)
    .bind(department_id)
    .fetch_all(db)
    .await
}

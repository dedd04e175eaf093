//! Whom it concerns that a schedule does not take place, or takes place otherwise (R34).

use chrono::{DateTime, NaiveTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::schedules::{Half, from_name};

/// Those of these schedules whose end would concern somebody; one who waits for the day at a half-day that is stopped among them
/// (Q2).
pub async fn concerning(db: impl PgExecutor<'_>, hospital: &str, schedules: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select schedule_id from entry
         where hospital = $1 and schedule_id = any($2) and (live or status = 'booked')
         union
         select s.id from schedule s
         join schedule o on o.hospital = s.hospital and o.doctor_id = s.doctor_id and o.visit_date = s.visit_date
                        and o.department_id = s.department_id and o.id <> s.id and o.state = 'stopped'
         where s.hospital = $1 and s.id = any($2)
           and exists (select from entry e
                       where e.hospital = o.hospital and e.schedule_id = o.id and e.status = 'waiting' and e.whole_day)
         order by 1",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_all(db)
    .await
}

/// What the end of a schedule is to somebody whom it concerns.
#[derive(Debug, Clone)]
pub enum End {
    /// The application is at it, and ends with it.
    Here,
    /// It only waits, for the day, and waits on at this other half-day (Q2).
    WaitsAt(Half),
    /// It waits for the day, of which no half-day is open any more: it ends, at whichever of them it stands by now (Q2).
    Day,
}

#[derive(sqlx::FromRow)]
struct Concerned {
    entry: Uuid,
    of_day: bool,
    half: Option<String>,
    part: Option<String>,
    changed_at: Option<DateTime<Utc>>,
}

/// Everybody whom the end of a schedule concerns: who waits, is offered, pays or is booked. Whoever only waits, for the day, waits
/// on where another half-day of it is open; where none is any more, those at half-days that were stopped before are concerned too.
/// So is `offered`, to whom a place of it is on offer, who has not heard of that yet, and stands at another half-day that is open.
pub async fn concerned(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule_id: &str,
    offered: Option<Uuid>,
) -> sqlx::Result<Vec<(Uuid, End)>> {
    let rows: Vec<Concerned> = sqlx::query_as(
        "with beside as materialized (
             select o.* from schedule s
             join schedule o on o.hospital = s.hospital and o.doctor_id = s.doctor_id and o.visit_date = s.visit_date
                            and o.department_id = s.department_id and o.id <> s.id
             where s.hospital = $1 and s.id = $2)
         (select e.id as entry,
                 e.whole_day and e.status = 'waiting' and not exists (select from beside where state = 'open') as of_day,
                 refuge.id as half, refuge.part, refuge.changed_at
          from entry e
          left join lateral (
              select b.* from beside b
              where b.state = 'open' and e.whole_day and e.status = 'waiting'
                and not exists (select from entry o
                                where o.hospital = e.hospital and o.schedule_id = b.id and o.patient_id = e.patient_id
                                  and o.live)
              order by b.id limit 1) refuge on true
          where e.hospital = $1 and e.schedule_id = $2 and (e.live or e.status = 'booked') order by e.seq)
         union all
         select e.id, true, null, null, null from beside b
         join entry e on e.hospital = b.hospital and e.schedule_id = b.id and e.status = 'waiting' and e.whole_day
         where b.state = 'stopped' and not exists (select from beside where state = 'open')
         union all
         select e.id, false, b.id, b.part, b.changed_at from beside b
         join entry e on e.hospital = b.hospital and e.schedule_id = b.id and e.status = 'waiting' and e.whole_day
         where b.state = 'open' and e.id = $3",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(offered)
    .fetch_all(db)
    .await?;
    let read = |Concerned { entry, of_day, half, part, changed_at }: Concerned| {
        let end = match half.zip(part) {
            Some((schedule_id, part)) => End::WaitsAt(Half { schedule_id, part: from_name(&part)?, changed_at }),
            None if of_day => End::Day,
            None => End::Here,
        };
        Ok((entry, end))
    };
    rows.into_iter().map(read).collect()
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

//! The figures of the waitlist by day of visit (R33), summed up in one statement. Reads only.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::schedules::Schedule;

/// What figures are summed up by, beside the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The hospital as a whole.
    Day,
    /// 院区.
    Campus,
    /// 科室.
    Department,
    /// 医生.
    Doctor,
}

/// The sums of one day and group.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Sums {
    /// The day of the visits.
    pub day: NaiveDate,
    /// The doctor, department or campus; empty for the whole hospital.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Applications that were admitted.
    pub applications: i64,
    /// Of which a visit was booked, cancelled since or not.
    pub converted: i64,
    /// Offers of a place.
    pub offers: i64,
    /// Declined by the patient.
    pub declined: i64,
    /// Not answered or not paid in time.
    pub missed: i64,
    /// Places that somebody of another channel took between the offer and the lock or booking (114 loss, R28).
    pub lost: i64,
    /// Places that could not be had although nobody else took them: HIS refused the lock or
    /// stopped that time, or the offer came too late or reached nobody.
    pub unusable: i64,
    /// Places that HIS locked or booked for us, of which it is known when they came free.
    pub filled: i64,
    /// How long those stood free altogether, s.
    pub idle_s: f64,
    /// Visits of converted applications that were not cancelled.
    pub visits: i64,
    /// Of which HIS says that the patient did not come.
    pub no_shows: i64,
}

/// How many applications of each of the doctor's queues in the department came to a visit: those of days before `today`, the latest
/// thirty of half a year.
///
/// Plan: the doctor's schedules by `schedule_of_doctor`, and for each its applications by `entry_of_schedule`: some thirty
/// queues' rows.
pub async fn booked_of_late(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule: &Schedule,
    today: NaiveDate,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "select e.booked
         from schedule s
         cross join lateral (
             select count(*) as applications, count(e.order_id) as booked
             from entry e where e.hospital = s.hospital and e.schedule_id = s.id) e
         where s.hospital = $1 and s.doctor_id = $2 and s.department_id = $3
           and s.visit_date between $4::date - 183 and $4::date - 1 and e.applications > 0
         order by s.visit_date desc, s.id limit 30",
    )
    .bind(hospital)
    .bind(&schedule.doctor_id)
    .bind(&schedule.department_id)
    .bind(today)
    .fetch_all(db)
    .await
}

/// The sums between two days, inclusive, by day and group.
///
/// Plan: the days' schedules by `schedule_of_day`, and for each its applications by `entry_of_schedule`, its offers by
/// `offer_of_schedule`, its visits by `appointment_of_schedule`; breaches by `breach_of_day`. Rows as many as those days have,
/// however many there ever were.
pub async fn sums(
    db: impl PgExecutor<'_>,
    hospital: &str,
    from: NaiveDate,
    to: NaiveDate,
    by: By,
) -> sqlx::Result<Vec<Sums>> {
    let group = match by {
        By::Day => "day",
        By::Campus => "campus",
        By::Department => "department",
        By::Doctor => "doctor",
    };
    sqlx::query_as(SUMS).bind(hospital).bind(from).bind(to).bind(group).fetch_all(db).await
}

/// The statement, for whoever looks at its plan.
pub const SUMS: &str = "
    with missed as materialized (
        select e.schedule_id, count(*) as no_shows
        from breach b
        cross join lateral (
            select e.schedule_id from entry e where e.hospital = b.hospital and e.id = b.entry_id limit 1) e
        where b.hospital = $1 and b.visit_date between $2 and $3 and b.event = 'noShow' and b.state = 'counts'
        group by e.schedule_id),
    schedules as materialized (
        select s.id as schedule_id, s.visit_date,
               case $4 when 'doctor' then s.doctor_id when 'department' then s.department_id
                       when 'campus' then s.campus_id else '' end as id
        from schedule s where s.hospital = $1 and s.visit_date between $2 and $3),
    figures as (
        select s.visit_date, s.id, a.*, o.*, v.visits, coalesce(m.no_shows, 0) as no_shows
        from schedules s
        cross join lateral (
            select count(*) as applications, count(e.order_id) as converted
            from entry e where e.hospital = $1 and e.schedule_id = s.schedule_id) a
        cross join lateral (
            select count(*) as offers, count(*) filter (where o.outcome = 'declined') as declined,
                   count(*) filter (where o.outcome = 'missed') as missed,
                   count(*) filter (where o.outcome = 'lost') as lost,
                   count(*) filter (where o.outcome = 'unusable') as unusable,
                   count(*) filter (where o.taken_at is not null and o.freed_at is not null) as filled,
                   coalesce(sum(extract(epoch from o.taken_at - o.freed_at)), 0)::float8 as idle_s
            from offer o where o.hospital = $1 and o.schedule_id = s.schedule_id) o
        cross join lateral (
            select count(*) as visits from appointment p
            where p.hospital = $1 and p.schedule_id = s.schedule_id and p.status <> 'cancelled') v
        left join missed m on m.schedule_id = s.schedule_id)
    select f.visit_date as day, f.id,
           coalesce(case $4 when 'doctor' then (select name from doctor where hospital = $1 and id = f.id)
                            when 'department' then (select name from department where hospital = $1 and id = f.id)
                            when 'campus' then (select name from campus where hospital = $1 and id = f.id) end, '') as name,
           sum(f.applications)::bigint as applications, sum(f.converted)::bigint as converted,
           sum(f.offers)::bigint as offers, sum(f.declined)::bigint as declined, sum(f.missed)::bigint as missed,
           sum(f.lost)::bigint as lost, sum(f.unusable)::bigint as unusable, sum(f.filled)::bigint as filled, sum(f.idle_s)::float8 as idle_s,
           sum(f.visits)::bigint as visits, sum(f.no_shows)::bigint as no_shows
    from figures f
    group by f.visit_date, f.id order by f.visit_date, f.id";

//! Schedules as HIS last told them, and whom they belong to. HIS is the truth; these rows are for showing and for the
//! first answer to an application.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor, Postgres, QueryBuilder};

use crate::ports::his::{DayPart, HisSchedule, ScheduleState, Sitting};

/// A schedule with everything that it hangs under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// HIS's `REG_ID`.
    pub id: String,
    /// The doctor.
    pub doctor_id: String,
    /// The doctor's name.
    pub doctor_name: String,
    /// The department.
    pub department_id: String,
    /// The department's name.
    pub department_name: String,
    /// The campus (院区).
    pub campus_id: String,
    /// The day.
    pub visit_date: NaiveDate,
    /// The half-day.
    pub part: DayPart,
    /// 停诊, 出诊 or 未开放.
    pub state: ScheduleState,
    /// All places.
    pub total: u32,
    /// Bookable places, as last told.
    pub remaining: u32,
    /// 分.
    pub fee_fen: i64,
}

/// One half-day of a doctor's day, as whoever waits for the day is told of it (Q2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Half {
    /// The schedule.
    pub schedule_id: String,
    /// Which part of the day.
    pub part: DayPart,
    /// When its doctor, day or half-day last became another one (R34).
    pub changed_at: Option<DateTime<Utc>>,
}

impl Schedule {
    /// True where both are half-days of one doctor's day in one department (Q2).
    pub fn is_of_the_day_of(&self, other: &Self) -> bool {
        self.doctor_id == other.doctor_id
            && self.department_id == other.department_id
            && self.visit_date == other.visit_date
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    doctor_id: String,
    doctor_name: String,
    department_id: String,
    department_name: String,
    campus_id: String,
    visit_date: NaiveDate,
    part: String,
    state: String,
    total: i32,
    remaining: i32,
    fee_fen: i64,
}

impl Row {
    fn read(self) -> sqlx::Result<Schedule> {
        Ok(Schedule {
            part: from_name(&self.part)?,
            state: from_name(&self.state)?,
            total: u32::try_from(self.total).unwrap_or(0),
            remaining: u32::try_from(self.remaining).unwrap_or(0),
            id: self.id,
            doctor_id: self.doctor_id,
            doctor_name: self.doctor_name,
            department_id: self.department_id,
            department_name: self.department_name,
            campus_id: self.campus_id,
            visit_date: self.visit_date,
            fee_fen: self.fee_fen,
        })
    }
}

/// The name of a unit variant, as it is stored and sent.
pub fn name_of<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The unit variant of a stored name.
pub fn from_name<T: serde::de::DeserializeOwned>(name: &str) -> sqlx::Result<T> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|e| sqlx::Error::Decode(e.into()))
}

macro_rules! schedules_of {
    () => {
        "select s.id, s.doctor_id, d.name as doctor_name, s.department_id, p.name as department_name, s.campus_id,
                    s.visit_date, s.part, s.state, s.total, s.remaining, s.fee_fen
             from schedule s
             join doctor d on d.hospital = s.hospital and d.id = s.doctor_id
             join department p on p.hospital = s.hospital and p.id = s.department_id
             where s.hospital = "
    };
}

macro_rules! select_schedule {
    ($where:literal) => {
        concat!(schedules_of!(), "$1 and ", $where)
    };
}

/// The schedule of this id.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<Option<Schedule>> {
    let row: Option<Row> =
        sqlx::query_as(select_schedule!("s.id = $2")).bind(hospital).bind(id).fetch_optional(db).await?;
    row.map(Row::read).transpose()
}

/// The schedules of these ids, in no order.
pub async fn find_all(db: impl PgExecutor<'_>, hospital: &str, ids: &[&str]) -> sqlx::Result<Vec<Schedule>> {
    let rows: Vec<Row> =
        sqlx::query_as(select_schedule!("s.id = any($2)")).bind(hospital).bind(ids).fetch_all(db).await?;
    rows.into_iter().map(Row::read).collect()
}

/// Schedules between two days, of a department or a doctor or both.
pub async fn list(
    db: impl PgExecutor<'_>,
    hospital: &str,
    department_id: Option<&str>,
    doctor_id: Option<&str>,
    from: NaiveDate,
    to: NaiveDate,
) -> sqlx::Result<Vec<Schedule>> {
    let mut query = QueryBuilder::<Postgres>::new(schedules_of!());
    query.push_bind(hospital);
    // Only what is asked for is compared, so that the index of that is used.
    for (column, id) in [("department_id", department_id), ("doctor_id", doctor_id)] {
        if let Some(id) = id {
            query.push(format_args!(" and s.{column} = ")).push_bind(id);
        }
    }
    query.push(" and s.visit_date between ").push_bind(from).push(" and ").push_bind(to);
    query.push(" order by s.visit_date, s.doctor_id, s.id limit 1000");
    let rows: Vec<Row> = query.build_query_as().fetch_all(db).await?;
    rows.into_iter().map(Row::read).collect()
}

/// The schedules of one doctor of one department on one day (5001 names no `REG_ID`).
pub async fn of_doctor_on(
    db: impl PgExecutor<'_>,
    hospital: &str,
    department_id: &str,
    doctor_id: &str,
    day: NaiveDate,
    part: Option<DayPart>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select id from schedule
         where hospital = $1 and department_id = $5 and doctor_id = $2 and visit_date = $3
           and ($4::text is null or part = $4) order by id",
    )
    .bind(hospital)
    .bind(doctor_id)
    .bind(day)
    .bind(part.map(|part| name_of(&part)))
    .bind(department_id)
    .fetch_all(db)
    .await
}

/// The other half-days of the doctors' days that these schedules are of, in the same department (Q2): schedule and one beside it.
///
/// Plan: each by its key, and those beside it by `schedule_of_doctor`.
pub async fn beside(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedules: &[&str],
) -> sqlx::Result<HashMap<String, Vec<String>>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select s.id, o.id from schedule s
         join schedule o on o.hospital = s.hospital and o.doctor_id = s.doctor_id and o.visit_date = s.visit_date
                        and o.department_id = s.department_id and o.id <> s.id
         where s.hospital = $1 and s.id = any($2) order by s.id, o.id",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_all(db)
    .await?;
    let mut beside: HashMap<String, Vec<String>> = HashMap::new();
    for (of, id) in rows {
        beside.entry(of).or_default().push(id);
    }
    Ok(beside)
}

/// A department and the campus it stands on.
pub async fn put_department(
    db: &mut PgConnection,
    hospital: &str,
    campus: (&str, &str),
    department: (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into campus (hospital, id, name) values ($1, $2, $3)
         on conflict (hospital, id) do update set name = excluded.name",
    )
    .bind(hospital)
    .bind(campus.0)
    .bind(campus.1)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "insert into department (hospital, id, campus_id, name) values ($1, $2, $3, $4)
         on conflict (hospital, id) do update set name = excluded.name, campus_id = excluded.campus_id",
    )
    .bind(hospital)
    .bind(department.0)
    .bind(campus.0)
    .bind(department.1)
    .execute(db)
    .await
    .map(drop)
}

/// The departments that schedules are kept in step with.
pub async fn departments(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select id from department where hospital = $1 order by id").bind(hospital).fetch_all(db).await
}

/// Writes down what HIS told at `at`. An older telling never overwrites a newer one. That somebody else sees the patients, or on
/// another day or half-day, is noted as a change (R34).
pub async fn mirror(
    conn: &mut PgConnection,
    hospital: &str,
    department_id: &str,
    told: &[HisSchedule],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let mut doctors: Vec<(&str, &str, &str)> =
        told.iter().map(|s| (s.doctor_id.as_str(), s.doctor_name.as_str(), s.doctor_title.as_str())).collect();
    doctors.sort_unstable();
    doctors.dedup_by_key(|doctor| doctor.0);
    sqlx::query(
        "insert into doctor (hospital, id, department_id, name, title)
         select $1, t.id, $2, t.name, t.title from unnest($3::text[], $4::text[], $5::text[]) as t (id, name, title)
         on conflict (hospital, id) do update
         set name = excluded.name, title = excluded.title, department_id = excluded.department_id
         where (doctor.name, doctor.title, doctor.department_id)
               is distinct from (excluded.name, excluded.title, excluded.department_id)",
    )
    .bind(hospital)
    .bind(department_id)
    .bind(doctors.iter().map(|doctor| doctor.0).collect::<Vec<_>>())
    .bind(doctors.iter().map(|doctor| doctor.1).collect::<Vec<_>>())
    .bind(doctors.iter().map(|doctor| doctor.2).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    let mut told: Vec<&HisSchedule> = told.iter().collect();
    told.sort_unstable_by(|a, b| a.reg_id.cmp(&b.reg_id));
    told.dedup_by(|a, b| a.reg_id == b.reg_id);
    sqlx::query(
        "insert into schedule (hospital, id, doctor_id, department_id, campus_id, visit_date, part, state, total,
                               remaining, fee_fen, timed, synced_at, sitting_at)
         select $1, t.id, t.doctor_id, $2, p.campus_id, t.visit_date, t.part, t.state, t.total, t.remaining, t.fee_fen,
                t.timed, $3, $3
         from unnest($4::text[], $5::text[], $6::date[], $7::text[], $8::text[], $9::int[], $10::int[], $11::bigint[],
                     $12::bool[])
              as t (id, doctor_id, visit_date, part, state, total, remaining, fee_fen, timed)
         join department p on p.hospital = $1 and p.id = $2
         on conflict (hospital, id) do update
         set doctor_id = excluded.doctor_id, visit_date = excluded.visit_date, part = excluded.part,
             state = excluded.state, total = excluded.total, remaining = excluded.remaining,
             fee_fen = excluded.fee_fen, timed = excluded.timed, synced_at = excluded.synced_at,
             sitting_at = excluded.sitting_at,
             changed_at = case when (schedule.doctor_id, schedule.visit_date, schedule.part)
                                    is distinct from (excluded.doctor_id, excluded.visit_date, excluded.part)
                               then greatest(engine_now(), schedule.changed_at + interval '1 microsecond')
                               else schedule.changed_at end
         where schedule.synced_at <= excluded.synced_at",
    )
    .bind(hospital)
    .bind(department_id)
    .bind(at)
    .bind(told.iter().map(|s| s.reg_id.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|s| s.doctor_id.as_str()).collect::<Vec<_>>())
    .bind(told.iter().map(|s| s.visit_date).collect::<Vec<_>>())
    .bind(told.iter().map(|s| name_of(&s.part)).collect::<Vec<_>>())
    .bind(told.iter().map(|s| name_of(&s.state)).collect::<Vec<_>>())
    .bind(told.iter().map(|s| i32::try_from(s.total).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(told.iter().map(|s| i32::try_from(s.remaining).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(told.iter().map(|s| s.fee_fen).collect::<Vec<_>>())
    .bind(told.iter().map(|s| s.timed).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// Writes down that a schedule is stopped (5001), ahead of the next sync: what HIS told before is older than this.
pub async fn stop(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update schedule set state = 'stopped', remaining = 0, synced_at = greatest(synced_at, engine_now())
         where hospital = $1 and id = $2",
    )
    .bind(hospital)
    .bind(id)
    .execute(db)
    .await
    .map(drop)
}

/// Writes down that somebody else sees the patients of a schedule, or on another day or half-day (5008), as HIS had it at `at`. False
/// where it is known, or what is known is newer, or there is no such schedule in the department.
pub async fn become_another(
    conn: &mut PgConnection,
    hospital: &str,
    id: &str,
    department_id: &str,
    doctor: (&str, &str, &str),
    sitting: &Sitting,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let (doctor_id, name, title) = doctor;
    let known = "select exists (select from schedule where hospital = $1 and id = $2 and department_id = $3)";
    let known: bool =
        sqlx::query_scalar(known).bind(hospital).bind(id).bind(department_id).fetch_one(&mut *conn).await?;
    if !known {
        return Ok(false);
    }
    sqlx::query(
        "insert into doctor (hospital, id, department_id, name, title) values ($1, $2, $3, $4, $5)
         on conflict (hospital, id) do nothing",
    )
    .bind(hospital)
    .bind(doctor_id)
    .bind(department_id)
    .bind(if name.is_empty() { doctor_id } else { name })
    .bind(title)
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query(
        "update schedule set doctor_id = $3, visit_date = $4, part = $5, synced_at = greatest(synced_at, $6), sitting_at = $6,
                changed_at = greatest(engine_now(), changed_at + interval '1 microsecond')
         where hospital = $1 and id = $2 and coalesce(sitting_at, '-infinity') <= $6
           and (doctor_id, visit_date, part) is distinct from ($3, $4, $5)",
    )
    .bind(hospital)
    .bind(id)
    .bind(&sitting.doctor_id)
    .bind(sitting.visit_date)
    .bind(name_of(&sitting.part))
    .bind(at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is known of one schedule's free places.
#[derive(Debug, Clone)]
pub struct Free {
    /// HIS's `REG_ID`.
    pub id: String,
    /// Bookable places.
    pub remaining: u32,
    /// When HIS told it, less what we took since.
    pub told_at: DateTime<Utc>,
}

/// Writes down how many places are left. A newer telling of HIS is not overwritten. Rows are locked in the order of
/// their ids, as [`mirror`] does, so that nobody waits in a circle.
pub async fn note_free(conn: &mut PgConnection, hospital: &str, free: &[Free]) -> sqlx::Result<()> {
    if free.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "with held as materialized (
             select id from schedule where hospital = $1 and id = any($2) order by id for update)
         update schedule s set remaining = t.remaining, synced_at = t.told_at
         from held, unnest($2::text[], $3::int[], $4::timestamptz[]) as t (id, remaining, told_at)
         where s.hospital = $1 and s.id = held.id and t.id = held.id and s.synced_at <= t.told_at",
    )
    .bind(hospital)
    .bind(free.iter().map(|one| one.id.as_str()).collect::<Vec<_>>())
    .bind(free.iter().map(|one| i32::try_from(one.remaining).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(free.iter().map(|one| one.told_at).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

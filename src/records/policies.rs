//! The settings of doctors, departments and campuses, and how many live entries each has.
//!
//! `capacity` rows are locked in the order (level, id) by whoever changes them: campus, department, doctor.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::schedules::from_name;
use crate::ports::his::{DayPart, Sitting};
use crate::waitlist::policy::{Level, LevelPolicy, Policy, QueuePer};

/// Whose settings a schedule is under.
#[derive(Debug, Clone, Copy)]
pub struct Under<'a> {
    /// The doctor.
    pub doctor_id: &'a str,
    /// The department.
    pub department_id: &'a str,
    /// The campus.
    pub campus_id: &'a str,
}

impl<'a> Under<'a> {
    /// The id at this level.
    pub fn id_at(&self, level: Level) -> &'a str {
        match level {
            Level::Doctor => self.doctor_id,
            Level::Department => self.department_id,
            Level::Campus => self.campus_id,
        }
    }
}

/// One level's settings and its live entries.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The settings; the default where none were made.
    pub policy: LevelPolicy,
    /// Live entries under it.
    pub live: u32,
}

/// The settings of one level; `None` where none were made.
pub async fn find(
    db: impl PgExecutor<'_>,
    hospital: &str,
    level: Level,
    id: &str,
) -> sqlx::Result<Option<LevelPolicy>> {
    let body: Option<Value> =
        sqlx::query_scalar("select body from policy where hospital = $1 and level = $2 and id = $3")
            .bind(hospital)
            .bind(level.as_str())
            .bind(id)
            .fetch_optional(db)
            .await?;
    body.map(read).transpose()
}

/// What places of a schedule are handed out by.
#[derive(Debug, Default)]
pub struct OfSchedule {
    /// What the settings of its doctor, department and campus come to now.
    pub policy: Policy,
    /// What a visit costs, 分; none where there is no such schedule.
    pub fee_fen: Option<i64>,
    /// Department, doctor and half-day where HIS keeps no times of it (R18).
    pub half_day: Option<(String, String, DayPart)>,
    /// Who sees patients, and when; none where there is no such schedule.
    pub sitting: Option<Sitting>,
    /// When that last became another one (R34).
    pub changed_at: Option<DateTime<Utc>>,
    /// The doctor's other half-days of the day in the department whose lines for the day are served here too: all, where the queue is
    /// of the day by now; else those where somebody waits for the day (Q2).
    pub beside: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct LevelOf {
    body: Option<Value>,
    fee_fen: i64,
    timed: bool,
    department_id: String,
    doctor_id: String,
    part: String,
    visit_date: NaiveDate,
    changed_at: Option<DateTime<Utc>>,
    beside: Vec<String>,
    waited_beside: Vec<String>,
}

/// See [`OfSchedule`].
///
/// Plan: the schedule and three rows of `policy`, each by primary key; the half-days beside it by `schedule_of_doctor`.
pub async fn of_schedule(db: impl PgExecutor<'_>, hospital: &str, schedule_id: &str) -> sqlx::Result<OfSchedule> {
    let rows: Vec<LevelOf> = sqlx::query_as(
        "select p.body, s.fee_fen, s.timed, s.department_id, s.doctor_id, s.part, s.visit_date, s.changed_at,
                array(select o.id from schedule o
                      where o.hospital = s.hospital and o.doctor_id = s.doctor_id and o.visit_date = s.visit_date
                        and o.department_id = s.department_id and o.id <> s.id
                      order by o.id) as beside,
                array(select o.id from schedule o
                      where o.hospital = s.hospital and o.doctor_id = s.doctor_id and o.visit_date = s.visit_date
                        and o.department_id = s.department_id and o.id <> s.id
                        and exists (select from entry e where e.hospital = o.hospital and e.schedule_id = o.id
                                                          and e.status = 'waiting' and e.whole_day)
                      order by o.id) as waited_beside
         from schedule s
         cross join lateral (values (1, 'doctor', s.doctor_id), (2, 'department', s.department_id),
                                    (3, 'campus', s.campus_id)) l (nth, level, id)
         left join policy p on p.hospital = s.hospital and p.level = l.level and p.id = l.id
         where s.hospital = $1 and s.id = $2 order by l.nth",
    )
    .bind(hospital)
    .bind(schedule_id)
    .fetch_all(db)
    .await?;
    let Some(first) = rows.first() else { return Ok(OfSchedule::default()) };
    let (fee_fen, timed) = (Some(first.fee_fen), first.timed);
    let part = from_name(&first.part)?;
    let half_day = (first.department_id.clone(), first.doctor_id.clone(), part);
    let sitting = Some(Sitting { doctor_id: first.doctor_id.clone(), visit_date: first.visit_date, part });
    let changed_at = first.changed_at;
    let (beside, waited_beside) = (first.beside.clone(), first.waited_beside.clone());
    let mut levels = rows.into_iter().map(|row| row.body.map(read).transpose().map(Option::unwrap_or_default));
    let mut level = || levels.next().transpose().map(Option::unwrap_or_default);
    let policy = Policy::resolve(&level()?, &level()?, &level()?);
    let beside = if policy.queue_per == QueuePer::Day { beside } else { waited_beside };
    Ok(OfSchedule { policy, fee_fen, half_day: (!timed).then_some(half_day), sitting, changed_at, beside })
}

/// Makes or replaces the settings of one level.
pub async fn put(
    db: impl PgExecutor<'_>,
    hospital: &str,
    level: Level,
    id: &str,
    policy: &LevelPolicy,
) -> sqlx::Result<()> {
    let body = serde_json::to_value(policy).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "insert into policy (hospital, level, id, body) values ($1, $2, $3, $4)
         on conflict (hospital, level, id) do update set body = excluded.body, updated_at = engine_now()",
    )
    .bind(hospital)
    .bind(level.as_str())
    .bind(id)
    .bind(body)
    .execute(db)
    .await
    .map(drop)
}

/// Unmakes the settings of one level: everything is inherited again.
pub async fn remove(db: impl PgExecutor<'_>, hospital: &str, level: Level, id: &str) -> sqlx::Result<()> {
    sqlx::query("delete from policy where hospital = $1 and level = $2 and id = $3")
        .bind(hospital)
        .bind(level.as_str())
        .bind(id)
        .execute(db)
        .await
        .map(drop)
}

/// Holds the settings of one level until the transaction ends, whether there are any or not: changes come one after the other.
pub async fn hold(conn: &mut PgConnection, hospital: &str, level: Level, id: &str) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('policy/' || $1 || '/' || $2 || '/' || $3, 0))")
        .bind(hospital)
        .bind(level.as_str())
        .bind(id)
        .execute(conn)
        .await
        .map(drop)
}

/// The settings and live entries of these levels, where there are any.
pub async fn standings_of<'a>(
    db: impl PgExecutor<'_>,
    hospital: &str,
    levels: &[(Level, &'a str)],
) -> sqlx::Result<Vec<((Level, &'a str), Standing)>> {
    let rows: Vec<(i64, Option<Value>, Option<i32>)> = sqlx::query_as(
        "select t.nth, p.body, c.live
         from unnest($2::text[], $3::text[]) with ordinality as t (level, id, nth)
         left join policy p on p.hospital = $1 and p.level = t.level and p.id = t.id
         left join capacity c on c.hospital = $1 and c.level = t.level and c.id = t.id",
    )
    .bind(hospital)
    .bind(levels.iter().map(|(level, _)| level.as_str()).collect::<Vec<_>>())
    .bind(levels.iter().map(|(_, id)| *id).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    let mut standings = Vec::with_capacity(rows.len());
    for (nth, body, live) in rows {
        let at = usize::try_from(nth - 1).ok().and_then(|nth| levels.get(nth));
        let policy = body.map(read).transpose()?.unwrap_or_default();
        let live = live.and_then(|live| u32::try_from(live).ok()).unwrap_or(0);
        standings.extend(at.map(|at| (*at, Standing { policy, live })));
    }
    Ok(standings)
}

/// The three levels' settings and live entries, in the order doctor, department, campus.
pub async fn standings(db: impl PgExecutor<'_>, hospital: &str, under: &Under<'_>) -> sqlx::Result<[Standing; 3]> {
    let levels = Level::ALL.map(|level| (level, under.id_at(level)));
    let mut found = standings_of(db, hospital, &levels).await?;
    Ok(levels.map(|at| {
        let own = found.iter().position(|(level, _)| *level == at);
        own.map(|nth| found.swap_remove(nth).1).unwrap_or_default()
    }))
}

/// Changes counts: `changes` has a (level, id, by how many) for each level of each entry that began or ceased to be live.
pub async fn count(conn: &mut PgConnection, hospital: &str, changes: &[(&str, &str, i32)]) -> sqlx::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let levels: Vec<&str> = changes.iter().map(|(level, ..)| *level).collect();
    let ids: Vec<&str> = changes.iter().map(|(_, id, _)| *id).collect();
    lock_capacity(conn, hospital, &levels, &ids).await?;
    sqlx::query(
        "update capacity c set live = c.live + t.n
         from (select level, id, sum(by_n)::int as n
               from unnest($2::text[], $3::text[], $4::int[]) as t (level, id, by_n) group by level, id) t
         where c.hospital = $1 and c.level = t.level and c.id = t.id",
    )
    .bind(hospital)
    .bind(levels)
    .bind(ids)
    .bind(changes.iter().map(|(.., by)| *by).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// Locks these counts in the order (level, id).
async fn lock_capacity(conn: &mut PgConnection, hospital: &str, levels: &[&str], ids: &[&str]) -> sqlx::Result<()> {
    sqlx::query(
        "select from (select distinct * from unnest($2::text[], $3::text[]) as t (level, id) order by level, id) t
         cross join lateral (
             select from capacity c where c.hospital = $1 and c.level = t.level and c.id = t.id for update) locked",
    )
    .bind(hospital)
    .bind(levels)
    .bind(ids)
    .execute(conn)
    .await
    .map(drop)
}

fn read(body: Value) -> sqlx::Result<LevelPolicy> {
    serde_json::from_value(body).map_err(|error| sqlx::Error::Decode(error.into()))
}

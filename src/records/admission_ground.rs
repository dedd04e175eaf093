//! What decisions about applications stand on, read by one statement and without a lock: a decision needs ten small looks,
//! and ten round trips cost more than the looks.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

use super::schedules::Schedule;
use crate::engine::RunId;
use crate::waitlist::policy::{Level, LevelPolicy};

/// Everything that was read, of the same instant.
#[derive(Debug, Deserialize)]
pub struct Ground {
    /// What time it is.
    pub now: DateTime<Utc>,
    /// The schedules that are asked for.
    pub schedules: Vec<Schedule>,
    /// Their hand-outs.
    pub hand_outs: Vec<StandingRun>,
    /// Schedules with free places, and how many wait for each.
    pub waiting: Vec<(String, i64)>,
    /// The levels above the schedules.
    pub levels: Vec<Counted>,
    /// All accounts of the persons who ask.
    pub accounts: Vec<Account>,
    /// Their live entries.
    pub live: Vec<Live>,
    /// Their booked visits: patient, department, day.
    pub booked: Vec<(String, String, NaiveDate)>,
    /// Those of them who are blacklisted now, until when, and in which department alone.
    pub blacklisted: Vec<(String, Option<DateTime<Utc>>, Option<String>)>,
    /// The entries under the callers' keys.
    pub keyed: Vec<Keyed>,
}

/// A patient of the person who asks: one ID document, however many accounts (R4).
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// The patient who was asked about.
    pub asked: String,
    /// A patient with the same ID document; that one itself among them.
    pub id: String,
    /// What both have in common.
    pub person: String,
    /// How often this person was admitted.
    pub applied: i32,
}

/// A live entry of a person who asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Live {
    /// Whose it is.
    pub patient_id: String,
    /// The schedule that it is at.
    pub schedule_id: String,
    /// The schedule's doctor.
    pub doctor_id: String,
    /// The department.
    pub department_id: String,
    /// The day of the visit.
    pub visit_date: NaiveDate,
    /// True where it waits for any half-day of the day (Q2).
    pub whole_day: bool,
}

/// One level's settings and its live entries.
#[derive(Debug, Clone, Deserialize)]
pub struct Counted {
    /// Doctor, department or campus.
    pub level: Level,
    /// Which.
    pub id: String,
    /// The settings; none where none were made.
    pub policy: Option<LevelPolicy>,
    /// Live entries under it.
    pub live: u32,
}

/// An entry that stands under a caller's key.
#[derive(Debug, Clone, Deserialize)]
pub struct Keyed {
    /// The key.
    pub idempotency_key: String,
    /// The entry.
    pub id: Uuid,
    /// What it is for.
    pub schedule_id: String,
    /// Whose it is.
    pub patient_id: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Deserialize)]
pub struct StandingRun {
    /// Its key.
    pub key: String,
    /// The run.
    pub id: RunId,
    /// Where it stands.
    pub step: String,
    /// See [`engine::store::staff::Standing`](crate::engine::store::staff::Standing).
    pub status: String,
    /// When it closes, as it knows.
    pub cutoff: Option<DateTime<Utc>>,
    /// True where a place may be free that nobody was there for.
    pub unasked: Option<bool>,
    /// True where its cutoff has ended it, and a later one takes it up again.
    pub past: Option<bool>,
}

/// Who asks for what.
pub struct Asked<'a> {
    /// Schedules.
    pub schedules: &'a [&'a str],
    /// Patients.
    pub patients: &'a [&'a str],
    /// The callers' keys.
    pub keys: &'a [&'a str],
    /// The workflow that hands out a schedule's places, by the schedule's id.
    pub hand_out: &'a str,
}

/// Plan: every row by the key that it is asked for by; the queue of a schedule with free places is counted.
const GROUND: &str = "
    with s as materialized (
        select s.* from unnest($2::text[]) as t (id)
        cross join lateral (
            select s.id, s.doctor_id, d.name as doctor_name, s.department_id, p.name as department_name, s.campus_id,
                   s.visit_date, s.part, s.state, s.total, s.remaining, s.fee_fen
            from schedule s
            join doctor d on d.hospital = s.hospital and d.id = s.doctor_id
            join department p on p.hospital = s.hospital and p.id = s.department_id
            where s.hospital = $1 and s.id = t.id limit 1) s),
    a as materialized (
        select own.id as asked, p.id, encode(own.id_hash, 'hex') as person, p.applied
        from unnest($3::text[]) as t (id)
        cross join lateral (select id, id_hash from patient where hospital = $1 and id = t.id limit 1) own
        cross join lateral (
            select id, applied from patient where hospital = $1 and id_hash = own.id_hash offset 0) p),
    person as materialized (select distinct id from a)
    select json_build_object(
        'now', engine_now(),
        'schedules', (select coalesce(json_agg(s), '[]') from s),
        'hand_outs', (
            select coalesce(json_agg(r), '[]') from s
            cross join lateral (
                select r.key, r.id, r.step, r.status, k.cutoff, k.unasked, k.past
                from (select r.* from run r
                      where r.tenant = $1 and r.key = s.id and r.workflow = $5 limit 1) r
                cross join lateral (
                    select k.state -> 'cutoff' as cutoff, k.state -> 'unasked' as unasked, k.state -> 'past' as past
                    from run_state k
                    where k.tenant = $1 and k.run_id = r.id limit 1) k) r),
        'waiting', (
            select coalesce(json_agg(json_build_array(s.id, (
                       select count(*) from entry e
                       where e.hospital = $1 and e.schedule_id = s.id and e.status = 'waiting'))), '[]')
            from s where s.remaining > 0),
        'levels', (
            select coalesce(json_agg(json_build_object(
                       'level', l.level, 'id', l.id, 'policy', p.body, 'live', coalesce(c.live, 0))), '[]')
            from (select distinct v.* from s
                  cross join lateral (values ('doctor', s.doctor_id), ('department', s.department_id),
                                             ('campus', s.campus_id)) as v (level, id)) l
            left join lateral (
                select body from policy where hospital = $1 and level = l.level and id = l.id limit 1) p on true
            left join lateral (
                select live from capacity where hospital = $1 and level = l.level and id = l.id limit 1) c on true),
        'accounts', (select coalesce(json_agg(a), '[]') from a),
        'live', (
            select coalesce(json_agg(e), '[]')
            from person
            cross join lateral (
                select e.patient_id, e.schedule_id, s.doctor_id, e.department_id, s.visit_date, e.whole_day from entry e
                join schedule s on s.hospital = e.hospital and s.id = e.schedule_id
                where e.hospital = $1 and e.patient_id = person.id and e.live offset 0) e),
        'booked', (
            select coalesce(json_agg(json_build_array(v.patient_id, v.department_id, v.visit_date)), '[]') from person
            cross join lateral (
                select a.patient_id, s.department_id, s.visit_date from appointment a
                join schedule s on s.hospital = a.hospital and s.id = a.schedule_id
                where a.hospital = $1 and a.patient_id = person.id and a.status = 'booked' offset 0) v),
        'blacklisted', (
            select coalesce(json_agg(json_build_array(person.id, b.until, b.department_id)), '[]') from person
            cross join lateral (
                select b.until, b.department_id from blacklist b
                where b.hospital = $1 and b.patient_id = person.id and (b.until is null or b.until > engine_now())
                offset 0) b),
        'keyed', (
            select coalesce(json_agg(e), '[]') from unnest($4::text[]) as t (key)
            cross join lateral (
                select e.idempotency_key, e.id, e.schedule_id, e.patient_id from entry e
                where e.hospital = $1 and e.idempotency_key = t.key limit 1) e))";

/// Reads it.
pub async fn read(db: impl PgExecutor<'_>, hospital: &str, asked: &Asked<'_>) -> sqlx::Result<Ground> {
    let ground: Json<Ground> = sqlx::query_scalar(GROUND)
        .bind(hospital)
        .bind(asked.schedules)
        .bind(asked.patients)
        .bind(asked.keys)
        .bind(asked.hand_out)
        .fetch_one(db)
        .await?;
    Ok(ground.0)
}

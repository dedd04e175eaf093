//! Applications: the queue and the places in it. A row says what its run says; `entry_changes` writes it.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::policies;
use crate::waitlist::policy::Level;

/// The rule of one live entry a patient and schedule (R4).
pub const ONCE: &str = "entry_once";

/// An admitted application, written in the transaction that starts its run.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// The schedule.
    pub schedule_id: &'a str,
    /// Whose schedule it is.
    pub under: policies::Under<'a>,
    /// Who waits.
    pub patient_id: &'a str,
    /// Its first status.
    pub status: &'a str,
    /// none, prepay or lockThenPay.
    pub payment_mode: String,
    /// What the visit costs, 分.
    pub fee_fen: i64,
    /// When waiting ends.
    pub cutoff: DateTime<Utc>,
}

/// The live applications under a doctor, department or campus: schedule and entry, by schedule.
///
/// Plan: a scan of the live entries; staff ask for it now and then.
pub async fn live_under(
    db: impl PgExecutor<'_>,
    hospital: &str,
    level: Level,
    id: &str,
) -> sqlx::Result<Vec<(String, Uuid)>> {
    sqlx::query_as(
        "select schedule_id, id from entry
         where hospital = $1 and live
           and case $2 when 'doctor' then doctor_id when 'department' then department_id else campus_id end = $3
         order by schedule_id, seq",
    )
    .bind(hospital)
    .bind(level.as_str())
    .bind(id)
    .fetch_all(db)
    .await
}

/// What lets a waiting application `e` be offered a place now; `$1` is the hospital, `$3` whom to pass over.
macro_rules! may_be_asked {
    () => {
        "e.hospital = $1 and e.status = 'waiting' and e.id <> all($3)
           and e.cutoff > engine_now() and e.question is null
           and not exists (
               select from schedule s
               where s.hospital = e.hospital and s.id = e.schedule_id
                 and s.changed_at > coalesce(e.agreed_at, e.created_at))
           and not exists (select from run r where r.tenant = e.hospital and r.id = e.id and r.status = 'suspended')
           and not exists (
               select from patient own
               join patient p on p.hospital = own.hospital and p.id_hash = own.id_hash
               join blacklist b on b.hospital = p.hospital and b.patient_id = p.id
               where own.hospital = e.hospital and own.id = e.patient_id
                 and (b.until is null or b.until > engine_now())
                 and (b.department_id is null or b.department_id = e.department_id))
           and not exists (
               select from patient own
               join patient p on p.hospital = own.hospital and p.id_hash = own.id_hash
               join entry o on o.hospital = p.hospital and o.patient_id = p.id
               where own.hospital = e.hospital and own.id = e.patient_id and o.id <> e.id and o.live
                 and o.status in ('offered', 'awaitingPayment', 'booking'))"
    };
}

/// The first in line of a schedule, and of the day's queue at the half-days `beside` it (Q2), passing over those already asked
/// about this place; whose run stands still for a person, since it would not hear; whoever is blacklisted by now (R32), or is being
/// offered a place in another queue (R35), under any account; and whoever has not said yet whether the application is kept, as it is
/// by now (R34) or at all (R35). All keep their turn.
///
/// Plan: walks `entry_queue`, and `entry_day_queue` for each half-day beside it, and asks the four by primary key and
/// `patient_by_id_number`, until one is found.
pub async fn first_in_line(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule_id: &str,
    beside: &[String],
    passing_over: &[Uuid],
) -> sqlx::Result<Option<Uuid>> {
    let first = if beside.is_empty() {
        concat!("select e.id from entry e where e.schedule_id = $2 and ", may_be_asked!(), " order by e.seq limit 1")
    } else {
        concat!(
            "select id from (
                 (select e.id, e.seq from entry e where e.schedule_id = $2 and ",
            may_be_asked!(),
            " order by e.seq limit 1)
                 union all
                 select first.id, first.seq from unnest($4::text[]) as t (id)
                 cross join lateral (
                     select e.id, e.seq from entry e
                     where e.schedule_id = t.id and e.whole_day
                       and not exists (
                           select from entry o
                           where o.hospital = e.hospital and o.schedule_id = $2 and o.patient_id = e.patient_id and o.live)
                       and ",
            may_be_asked!(),
            " order by e.seq limit 1) first) firsts
             order by seq limit 1"
        )
    };
    let query = sqlx::query_scalar(first).bind(hospital).bind(schedule_id).bind(passing_over);
    if beside.is_empty() { query.fetch_optional(db).await } else { query.bind(beside).fetch_optional(db).await }
}

/// Whether the person of this application is being offered a place, or booked, in another queue (R35). Of two that ask at
/// once each has said so before it asks, so that at least one of them hears of the other.
pub async fn asked_elsewhere(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (
             select from entry e
             join patient own on own.hospital = e.hospital and own.id = e.patient_id
             join patient p on p.hospital = own.hospital and p.id_hash = own.id_hash
             join entry o on o.hospital = p.hospital and o.patient_id = p.id
             where e.hospital = $1 and e.id = $2 and o.id <> e.id and o.live
               and o.status in ('offered', 'awaitingPayment', 'booking'))",
    )
    .bind(hospital)
    .bind(id)
    .fetch_one(db)
    .await
}

/// The live applications of the same person for a day, under any account; in one department where one is given (R35).
pub async fn others_of(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    day: NaiveDate,
    department_id: Option<&str>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select o.id from entry e
         join patient own on own.hospital = e.hospital and own.id = e.patient_id
         join patient p on p.hospital = own.hospital and p.id_hash = own.id_hash
         join entry o on o.hospital = p.hospital and o.patient_id = p.id and o.live and o.id <> e.id
         join schedule s on s.hospital = o.hospital and s.id = o.schedule_id and s.visit_date = $3
         where e.hospital = $1 and e.id = $2 and ($4::text is null or o.department_id = $4) order by o.id",
    )
    .bind(hospital)
    .bind(id)
    .bind(day)
    .bind(department_id)
    .fetch_all(db)
    .await
}

/// Those of these schedules that somebody waits for, there or in the day's queue (Q2).
pub async fn waited_for(db: impl PgExecutor<'_>, hospital: &str, schedules: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select schedule_id from entry where hospital = $1 and schedule_id = any($2) and status = 'waiting'
         union
         select s.id from schedule s
         join schedule o on o.hospital = s.hospital and o.doctor_id = s.doctor_id and o.visit_date = s.visit_date
                        and o.department_id = s.department_id and o.id <> s.id
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

/// The status of one entry; whether its run moves by itself: not one that is suspended, nor one whose step has failed again and
/// again; and which schedule it is at.
pub async fn standing(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
) -> sqlx::Result<Option<(String, bool, String)>> {
    sqlx::query_as(
        "select e.status, r.status <> 'suspended' and r.attempt < $3, e.schedule_id from entry e
         join run r on r.tenant = e.hospital and r.id = e.id
         where e.hospital = $1 and e.id = $2",
    )
    .bind(hospital)
    .bind(id)
    .bind(ATTEMPTS_OF_A_HEAD)
    .fetch_optional(db)
    .await
}

/// After so many failed attempts at one step (about four minutes) the queue goes on without its head.
const ATTEMPTS_OF_A_HEAD: i32 = 8;

/// The status of one entry.
pub async fn status(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select status from entry where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .fetch_optional(db)
        .await
}

/// An application with its place, as it is shown.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Shown {
    /// The run; `waitlistId` outside.
    pub id: Uuid,
    /// The place in the order of admission.
    pub seq: i64,
    /// The schedule.
    pub schedule_id: String,
    /// Who waits.
    pub patient_id: String,
    /// Where it stands.
    pub status: String,
    /// How many wait before it, plus one; none unless it waits, and none before its place is drawn (R17).
    pub position: Option<i64>,
    /// none, prepay or lockThenPay.
    pub payment_mode: String,
    /// selfPay or insurance (R7).
    pub pay_type: String,
    /// What the visit costs, 分.
    pub fee_fen: i64,
    /// When waiting ends.
    pub cutoff: DateTime<Utc>,
    /// The slot that is offered or booked.
    pub slot: Option<Value>,
    /// By when the patient must answer or pay.
    pub deadline: Option<DateTime<Utc>>,
    /// Why it ended.
    pub reason: Option<String>,
    /// Number, amount, client parameters, refund.
    pub payment: Option<Value>,
    /// Our order at HIS; `appointmentId` outside.
    pub order_id: Option<String>,
    /// What the patient is asked.
    pub question: Option<Value>,
    /// Raised by every change.
    pub version: i32,
    /// When it was admitted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

macro_rules! select_shown {
    ($where:literal) => {
        concat!(
            "select e.id, e.seq, e.schedule_id, e.patient_id, e.status, e.payment_mode, e.pay_type, e.fee_fen, e.cutoff, e.slot,
                    e.deadline, e.reason, e.payment, e.order_id, e.question, e.version, e.created_at, e.updated_at,
                    case when e.status = 'waiting' and not exists (
                            select from draw d
                            where d.hospital = e.hospital and d.schedule_id = e.schedule_id and d.held_at > e.created_at
                              and d.drawn_at is null) then
                        (select count(*) from entry q
                         where q.hospital = e.hospital and q.schedule_id = e.schedule_id and q.status = 'waiting'
                           and q.seq <= e.seq)
                        + case when e.whole_day then
                            (select count(*) from schedule s
                             join schedule o on o.hospital = s.hospital and o.doctor_id = s.doctor_id
                                            and o.visit_date = s.visit_date and o.department_id = s.department_id
                                            and o.id <> s.id
                             join entry q on q.hospital = o.hospital and q.schedule_id = o.id and q.status = 'waiting'
                                         and q.whole_day and q.seq <= e.seq
                             where s.hospital = e.hospital and s.id = e.schedule_id)
                          else 0 end end as position
             from entry e where e.hospital = $1 and ",
            $where
        )
    };
}

/// One application.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<Shown>> {
    sqlx::query_as(select_shown!("e.id = $2")).bind(hospital).bind(id).fetch_optional(db).await
}

/// These applications, in no order.
pub async fn find_all(db: impl PgExecutor<'_>, hospital: &str, ids: &[Uuid]) -> sqlx::Result<Vec<Shown>> {
    sqlx::query_as(select_shown!("e.id = any($2)")).bind(hospital).bind(ids).fetch_all(db).await
}

/// Every application that this patient ever made. Plan: `entry_of_patient`.
pub async fn all_of(db: impl PgExecutor<'_>, hospital: &str, patient_id: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar("select id from entry where hospital = $1 and patient_id = $2")
        .bind(hospital)
        .bind(patient_id)
        .fetch_all(db)
        .await
}

/// A patient's applications, newest first, before `before` if given.
pub async fn of_patient(
    db: impl PgExecutor<'_>,
    hospital: &str,
    patient_id: &str,
    status: Option<&str>,
    before: Option<i64>,
    most: i64,
) -> sqlx::Result<Vec<Shown>> {
    sqlx::query_as(select_shown!(
        "e.patient_id = $2 and ($3::text is null or e.status = $3) and ($4::bigint is null or e.seq < $4)
         order by e.seq desc limit $5"
    ))
    .bind(hospital)
    .bind(patient_id)
    .bind(status)
    .bind(before)
    .bind(most)
    .fetch_all(db)
    .await
}

/// How many wait for each of these schedules; one that nobody waits for is left out.
pub async fn queue_lengths(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedules: &[String],
) -> sqlx::Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select schedule_id, count(*) from entry
         where hospital = $1 and schedule_id = any($2) and status = 'waiting' group by schedule_id",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().collect())
}

/// How many live entries each of these schedules has, and how many applications it ever had.
///
/// Plan: each schedule's applications by `entry_of_schedule`, as many as a cap lets in.
pub async fn counts(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedules: &[&str],
) -> sqlx::Result<HashMap<String, (u32, u32)>> {
    let rows: Vec<(String, i32, i32)> = sqlx::query_as(
        "select t.id, n.live, n.ever from unnest($2::text[]) as t (id)
         cross join lateral (
             select count(*) filter (where e.live)::int as live, count(*)::int as ever
             from entry e where e.hospital = $1 and e.schedule_id = t.id) n",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_all(db)
    .await?;
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    Ok(rows.into_iter().map(|(id, live, ever)| (id, (number(live), number(ever)))).collect())
}

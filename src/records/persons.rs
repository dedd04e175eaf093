//! All that is kept of one person, to be handed over or forgotten.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

/// Everything but what is sealed, as one document: applications with their offers, places in draws and notices, visits,
/// payments, blacklist entries, appeals, breaches, accounts, and what staff did about them. Who of the staff it was is not
/// the patient's. Every part is read by an index that begins with the patient or the application.
pub async fn export(db: impl PgExecutor<'_>, hospital: &str, patient_id: &str) -> sqlx::Result<Value> {
    sqlx::query_scalar(
        "with mine as materialized (
             select * from entry where hospital = $1 and patient_id = $2)
         select jsonb_build_object(
             'applications', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'waitlistId', id, 'scheduleId', schedule_id, 'status', status, 'reason', reason, 'feeFen', fee_fen,
                     'createdAt', created_at, 'updatedAt', updated_at) order by seq), '[]') from mine),
             'appointments', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'appointmentId', id, 'scheduleId', schedule_id, 'slot', slot, 'status', status, 'place', place,
                     'bookedAt', booked_at, 'cancelledAt', cancelled_at) order by booked_at), '[]')
                 from appointment where hospital = $1 and patient_id = $2),
             'payments', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'outTradeNo', p.out_trade_no, 'amountFen', p.amount_fen, 'status', p.status, 'paidAt', p.paid_at,
                     'refundedFen', p.refunded_fen) order by p.out_trade_no), '[]')
                 from mine join payment p on p.hospital = $1 and p.entry_id = mine.id),
             'offers', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'waitlistId', o.entry_id, 'nth', o.nth, 'madeAt', o.made_at, 'takenAt', o.taken_at,
                     'outcome', o.outcome) order by o.made_at, o.entry_id), '[]')
                 from mine join offer o on o.hospital = $1 and o.entry_id = mine.id),
             'draws', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'waitlistId', t.entry_id, 'scheduleId', t.schedule_id, 'arrived', t.arrived, 'place', t.place)
                     order by t.entry_id), '[]')
                 from mine join draw_ticket t
                     on t.hospital = $1 and t.schedule_id = mine.schedule_id and t.entry_id = mine.id),
             'notices', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'waitlistId', o.run_id, 'id', o.id, 'channel', o.topic, 'kind', o.payload -> 'kind', 'status', o.status,
                     'createdAt', o.created_at, 'settledAt', o.settled_at) order by o.created_at, o.id), '[]')
                 from mine join outbox o on o.tenant = $1 and o.run_id = mine.id),
             'accounts', (
                 select coalesce(jsonb_agg(jsonb_build_object('lastAt', a.last_at) order by a.last_at), '[]')
                 from patient p join account_person a on a.hospital = $1 and a.person = p.id_hash
                 where p.hospital = $1 and p.id = $2),
             'audit', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'waitlistId', a.run_id, 'at', a.at, 'verb', a.verb, 'reason', a.reason) order by a.id), '[]')
                 from (select a.* from mine join audit a on a.tenant = $1 and a.run_id = mine.id
                       union all
                       select * from audit
                       where tenant = $1 and coalesce(before ->> 'patientId', after ->> 'patientId') = $2
                         and run_id is null) a),
             'blacklist', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'reason', reason, 'from', created_at, 'until', until) order by created_at), '[]')
                 from blacklist where hospital = $1 and patient_id = $2),
             'appeals', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'said', said, 'state', state, 'openedAt', opened_at, 'decision', decision) order by id), '[]')
                 from blacklist_appeal where hospital = $1 and patient_id = $2),
             'breaches', (
                 select coalesce(jsonb_agg(jsonb_build_object(
                     'hisOrderId', b.his_order_id, 'visitDate', b.visit_date, 'departmentId', b.department_id,
                     'event', b.event, 'state', b.state) order by b.visit_date), '[]')
                 from patient p join breach b on b.hospital = $1 and b.id_hash = p.id_hash
                 where p.hospital = $1 and p.id = $2))",
    )
    .bind(hospital)
    .bind(patient_id)
    .fetch_one(db)
    .await
}

/// True where something about this patient has not ended: an application's run, a message on its way (a reminder of a visit
/// that is over or cancelled will not be sent), or an entry of the blacklist by hand, which nobody could hold against whoever
/// comes with that document again.
pub async fn is_needed(db: impl PgExecutor<'_>, hospital: &str, patient_id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (
             select from entry e
             where e.hospital = $1 and e.patient_id = $2
               and (e.live
                    or exists (select from run r where r.tenant = $1 and r.id = e.id
                                 and r.status in ('pending', 'running', 'waiting', 'suspended'))
                    or exists (select from outbox o where o.tenant = $1 and o.run_id = e.id
                                 and o.status in ('pending', 'sending', 'suspended')
                                 and coalesce(o.payload ->> 'kind', '') <> 'reminder')))
             or exists (
                 select from blacklist b
                 where b.hospital = $1 and b.patient_id = $2 and b.rule_id = ''
                   and coalesce(b.until > engine_now(), true))",
    )
    .bind(hospital)
    .bind(patient_id)
    .fetch_one(db)
    .await
}

/// What an erasure by age asks of a patient: nothing of an application, a run or the blacklist that is younger or stands.
macro_rules! not_with_us_for_days {
    ($and:literal) => {
        concat!(
            "select p.id from patient p
             where p.hospital = $1 and p.updated_at < engine_now() - make_interval(days => $2)
               and not exists (
                   select from entry e where e.hospital = $1 and e.patient_id = p.id
                     and (e.live or e.updated_at >= engine_now() - make_interval(days => $2)
                          or exists (select from run r where r.tenant = $1 and r.id = e.id and r.ended_at is null)))
               and not exists (
                   select from blacklist b where b.hospital = $1 and b.patient_id = p.id
                     and coalesce(b.until > engine_now(), true)) and ",
            $and
        )
    };
}

/// Patients, after `after` in the order of ids, who have not been with us for so many days.
pub async fn not_with_us(
    db: impl PgExecutor<'_>,
    hospital: &str,
    days: i32,
    after: &str,
    most: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(not_with_us_for_days!("p.id > $3 order by p.id limit $4"))
        .bind(hospital)
        .bind(days)
        .bind(after)
        .bind(most)
        .fetch_all(db)
        .await
}

/// Whether this one is such a patient.
pub async fn is_not_with_us(db: impl PgExecutor<'_>, hospital: &str, days: i32, id: &str) -> sqlx::Result<bool> {
    let found =
        sqlx::query(not_with_us_for_days!("p.id = $3")).bind(hospital).bind(days).bind(id).fetch_optional(db).await?;
    Ok(found.is_some())
}

/// Forgets who a patient was, for whom accounts joined queues among it. The id stays in applications and visits, and says
/// nothing; breaches stay under the keyed hash, so that they count for whoever comes with that document again. False where
/// there was no such patient.
pub async fn erase(conn: &mut PgConnection, hospital: &str, patient_id: &str) -> sqlx::Result<bool> {
    sqlx::query("delete from blacklist_appeal where hospital = $1 and patient_id = $2")
        .bind(hospital)
        .bind(patient_id)
        .execute(&mut *conn)
        .await?;
    // Under another id the same person is still there.
    sqlx::query(
        "delete from account_person a using patient p
         where p.hospital = $1 and p.id = $2 and a.hospital = $1 and a.person = p.id_hash
           and not exists (select from patient o where o.hospital = $1 and o.id_hash = p.id_hash and o.id <> p.id)",
    )
    .bind(hospital)
    .bind(patient_id)
    .execute(&mut *conn)
    .await?;
    let erased = sqlx::query("delete from patient where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(patient_id)
        .execute(conn)
        .await?;
    Ok(erased.rows_affected() > 0)
}

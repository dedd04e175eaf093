//! Appointments that came from the waitlist, and the money that went with applications.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// An appointment, as a run's state says it.
#[derive(Debug, Clone)]
pub struct Appointment {
    /// Our `ORDER_ID`.
    pub id: String,
    /// The run.
    pub entry_id: Uuid,
    /// Who visits.
    pub patient_id: String,
    /// Which schedule.
    pub schedule_id: String,
    /// Which time.
    pub slot: Value,
    /// HIS's id.
    pub his_order_id: String,
    /// 就诊序号.
    pub serial: String,
    /// Where to go.
    pub place: String,
    /// booked, fulfilled or cancelled.
    pub status: &'static str,
    /// When HIS booked it.
    pub booked_at: DateTime<Utc>,
    /// Who sees the patient, and when, as the patient agreed.
    pub sitting: Value,
    /// selfPay or insurance (R7).
    pub pay_type: &'static str,
}

/// Brings appointments in line with their runs; answers the `ORDER_ID`s of those that are new.
pub async fn put_appointments(
    conn: &mut PgConnection,
    hospital: &str,
    all: &[Appointment],
) -> sqlx::Result<Vec<String>> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let written: Vec<(String, bool)> = sqlx::query_as(
        "insert into appointment (hospital, id, entry_id, patient_id, schedule_id, slot, his_order_id, serial, place,
                                  status, booked_at, sitting, pay_type)
         select $1, t.* from unnest($2::text[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::text[],
                                    $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::jsonb[],
                                    $13::text[]) as t
         on conflict (hospital, id) do update
         set status = excluded.status, slot = excluded.slot, serial = excluded.serial, place = excluded.place,
             sitting = excluded.sitting,
             cancelled_at = case when excluded.status = 'cancelled'
                                 then coalesce(appointment.cancelled_at, engine_now()) end
         where (appointment.status, appointment.slot, appointment.serial, appointment.place, appointment.sitting)
               is distinct from (excluded.status, excluded.slot, excluded.serial, excluded.place, excluded.sitting)
         returning id, xmax = 0",
    )
    .bind(hospital)
    .bind(all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.entry_id).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.patient_id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.schedule_id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| &one.slot).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.his_order_id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.serial.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.place.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.status).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.booked_at).collect::<Vec<_>>())
    .bind(all.iter().map(|one| &one.sitting).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.pay_type).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().filter(|(_, new)| *new).map(|(id, _)| id).collect())
}

/// Money of one order, as a run's state says it.
#[derive(Debug, Clone)]
pub struct Payment {
    /// Our `out_trade_no`.
    pub out_trade_no: String,
    /// The run.
    pub entry_id: Uuid,
    /// What is due, 分.
    pub amount_fen: i64,
    /// open, paid, closed, refunding or refunded.
    pub status: &'static str,
    /// The provider's id, once paid.
    pub transaction_id: Option<String>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// Our `out_refund_no`, once a refund was asked for.
    pub out_refund_no: Option<String>,
    /// What went back, 分.
    pub refunded_fen: i64,
    /// What a booked visit stands on, 分; none where none was booked.
    pub kept_fen: Option<i64>,
    /// Our `out_refund_no` of what was paid above that (R6).
    pub part_refund_no: Option<String>,
    /// What was asked for under `out_refund_no`, 分.
    pub refund_fen: Option<i64>,
    /// What was asked for under `part_refund_no`, 分.
    pub part_refund_fen: Option<i64>,
}

/// Brings payments in line with their runs.
pub async fn put_payments(conn: &mut PgConnection, hospital: &str, all: &[Payment]) -> sqlx::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into payment (hospital, out_trade_no, entry_id, amount_fen, status, transaction_id, paid_at,
                              out_refund_no, refunded_fen, kept_fen, part_refund_no, refund_fen, part_refund_fen, settled_at)
         select $1, t.*, case when t.status in ('closed', 'refunded') then (select engine_now()) end
         from unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[],
                                    $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::bigint[])
              as t (out_trade_no, entry_id, amount_fen, status, transaction_id, paid_at, out_refund_no, refunded_fen,
                    kept_fen, part_refund_no, refund_fen, part_refund_fen)
         on conflict (hospital, out_trade_no) do update
         set status = excluded.status, transaction_id = excluded.transaction_id, paid_at = excluded.paid_at,
             out_refund_no = excluded.out_refund_no, refunded_fen = excluded.refunded_fen,
             kept_fen = excluded.kept_fen, part_refund_no = excluded.part_refund_no, refund_fen = excluded.refund_fen,
             part_refund_fen = excluded.part_refund_fen, updated_at = (select engine_now()),
             settled_at = case when excluded.settled_at is not null
                               then coalesce(payment.settled_at, excluded.settled_at) end
         where (payment.status, payment.transaction_id, payment.paid_at, payment.out_refund_no, payment.refunded_fen,
                payment.kept_fen, payment.part_refund_no, payment.refund_fen, payment.part_refund_fen)
               is distinct from (excluded.status, excluded.transaction_id, excluded.paid_at, excluded.out_refund_no,
                                 excluded.refunded_fen, excluded.kept_fen, excluded.part_refund_no,
                                 excluded.refund_fen, excluded.part_refund_fen)",
    )
    .bind(hospital)
    .bind(all.iter().map(|one| one.out_trade_no.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.entry_id).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.amount_fen).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.status).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.transaction_id.as_deref()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.paid_at).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.out_refund_no.as_deref()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.refunded_fen).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.kept_fen).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.part_refund_no.as_deref()).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.refund_fen).collect::<Vec<_>>())
    .bind(all.iter().map(|one| one.part_refund_fen).collect::<Vec<_>>())
    .execute(conn)
    .await
    .map(drop)
}

/// What an order is for: the run and the amount.
pub async fn payment_of(
    db: impl PgExecutor<'_>,
    hospital: &str,
    out_trade_no: &str,
) -> sqlx::Result<Option<(Uuid, i64)>> {
    sqlx::query_as("select entry_id, amount_fen from payment where hospital = $1 and out_trade_no = $2")
        .bind(hospital)
        .bind(out_trade_no)
        .fetch_optional(db)
        .await
}

/// True where an order was closed without money.
pub async fn is_closed(db: impl PgExecutor<'_>, hospital: &str, out_trade_no: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from payment where hospital = $1 and out_trade_no = $2 and status = 'closed')",
    )
    .bind(hospital)
    .bind(out_trade_no)
    .fetch_one(db)
    .await
}

/// What we asked for under this number of a refund of an order, 分; none where it is not its last number, or an earlier release
/// asked.
pub async fn refund_asked(
    db: impl PgExecutor<'_>,
    hospital: &str,
    out_trade_no: &str,
    out_refund_no: &str,
) -> sqlx::Result<Option<i64>> {
    let asked: Option<Option<i64>> = sqlx::query_scalar(
        "select case $3 when out_refund_no then refund_fen when part_refund_no then part_refund_fen end
         from payment where hospital = $1 and out_trade_no = $2",
    )
    .bind(hospital)
    .bind(out_trade_no)
    .bind(out_refund_no)
    .fetch_optional(db)
    .await?;
    Ok(asked.flatten())
}

/// True where we know of no money for an order of ours.
pub async fn is_unpaid(db: impl PgExecutor<'_>, hospital: &str, out_trade_no: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select 1 from payment where hospital = $1 and out_trade_no = $2 and paid_at is null)",
    )
    .bind(hospital)
    .bind(out_trade_no)
    .fetch_one(db)
    .await
}

/// The visit that HIS knows under its own id: its run, and our `ORDER_ID`.
pub async fn of_his_order(
    db: impl PgExecutor<'_>,
    hospital: &str,
    his_order_id: &str,
) -> sqlx::Result<Option<(Uuid, String)>> {
    sqlx::query_as(
        "select entry_id, id from appointment where hospital = $1 and his_order_id = $2 and status = 'booked'",
    )
    .bind(hospital)
    .bind(his_order_id)
    .fetch_optional(db)
    .await
}

/// Our `ORDER_ID` of the latest visit that HIS numbered so, whatever became of it.
///
/// Plan: `appointment_by_his_order`.
pub async fn last_of_his_order(
    db: impl PgExecutor<'_>,
    hospital: &str,
    his_order_id: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "select id from appointment where hospital = $1 and his_order_id = $2 order by booked_at desc limit 1",
    )
    .bind(hospital)
    .bind(his_order_id)
    .fetch_optional(db)
    .await
}

/// An appointment, as it is shown.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Shown {
    /// Our `ORDER_ID`.
    pub id: String,
    /// The application it came from.
    pub entry_id: Uuid,
    /// Who visits.
    pub patient_id: String,
    /// Which schedule.
    pub schedule_id: String,
    /// Which time.
    pub slot: Value,
    /// 就诊序号.
    pub serial: String,
    /// Where to go.
    pub place: String,
    /// booked, fulfilled or cancelled.
    pub status: String,
    /// Where it came from.
    pub source: String,
    /// When HIS booked it.
    pub booked_at: DateTime<Utc>,
    /// Who sees the patient, and when, as the patient agreed; none of a visit from before this was kept.
    pub sitting: Option<Value>,
    /// selfPay or insurance (R7).
    pub pay_type: String,
}

/// One appointment.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, id: &str) -> sqlx::Result<Option<Shown>> {
    sqlx::query_as(
        "select id, entry_id, patient_id, schedule_id, slot, serial, place, status, source, booked_at, sitting, pay_type
         from appointment where hospital = $1 and id = $2",
    )
    .bind(hospital)
    .bind(id)
    .fetch_optional(db)
    .await
}

/// A patient's appointments, newest first.
pub async fn of_patient(db: impl PgExecutor<'_>, hospital: &str, patient_id: &str) -> sqlx::Result<Vec<Shown>> {
    sqlx::query_as(
        "select id, entry_id, patient_id, schedule_id, slot, serial, place, status, source, booked_at, sitting, pay_type
         from appointment where hospital = $1 and patient_id = $2 order by booked_at desc limit 200",
    )
    .bind(hospital)
    .bind(patient_id)
    .fetch_all(db)
    .await
}

//! Our own books of the applications that a day concerns. Reads only.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A day: from its first instant until the first of the next.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

/// Every application that the day concerns: listed outside; paid, settled, booked, cancelled or ended on it; not settled
/// at all; paid and waiting for a person; or with a case that stands open.
///
/// Plan: one range or partial index each; rows as many as the day has, however many there ever were.
pub async fn concerned(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, (from, to): Span) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select entry_id from reconciliation_line where hospital = $1 and reconciliation = $2
         union select entry_id from payment where hospital = $1 and paid_at >= $3 and paid_at < $4
         union select entry_id from payment where hospital = $1 and settled_at >= $3 and settled_at < $4
         union select entry_id from payment where hospital = $1 and status in ('open', 'refunding')
         union select p.entry_id from run r join payment p on p.hospital = r.tenant and p.entry_id = r.id
               where r.tenant = $1 and r.workflow = 'waitlist_application' and r.status = 'suspended' and p.status = 'paid'
         union select entry_id from appointment where hospital = $1 and booked_at >= $3 and booked_at < $4
         union select entry_id from appointment where hospital = $1 and cancelled_at >= $3 and cancelled_at < $4
         union select id from run where tenant = $1 and workflow = 'waitlist_application'
                                    and status in ('completed', 'cancelled', 'faulted')
                                    and ended_at >= $3 and ended_at < $4
         union select entry_id from reconciliation_case where hospital = $1 and state <> 'resolved'
         order by 1",
    )
    .bind(hospital)
    .bind(id)
    .bind(from)
    .bind(to)
    .fetch_all(db)
    .await
}

/// An application with where its run stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Entry {
    /// The run.
    pub id: Uuid,
    /// Where it stands, as patients see it.
    pub status: String,
    /// What the visit costs, 分.
    pub fee_fen: i64,
    /// none, prepay or lockThenPay.
    pub payment_mode: String,
    /// The run's status; none where there is no run.
    pub run_status: Option<String>,
    /// Its step.
    pub step: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// It has moved since the reconciliation began: the others may have been asked before that.
    pub moved: bool,
    /// Another booked visit of the same patient in the same schedule.
    pub twin: Option<String>,
    /// A case about it stands open.
    pub reopened: bool,
}

/// These applications, for a reconciliation.
pub async fn entries(
    db: impl PgExecutor<'_>,
    hospital: &str,
    reconciliation: Uuid,
    ids: &[Uuid],
) -> sqlx::Result<Vec<Entry>> {
    sqlx::query_as(
        "select e.id, e.status, e.fee_fen, e.payment_mode, r.status as run_status, r.step, r.ended_at,
                coalesce(r.updated_at > (select created_at from run where tenant = $1 and id = $3), false) as moved,
                (select min(a.id) from appointment a
                 where a.hospital = e.hospital and a.schedule_id = e.schedule_id and a.patient_id = e.patient_id
                   and a.status <> 'cancelled' and a.entry_id <> e.id and e.status = 'booked') as twin,
                exists (select from reconciliation_case c
                        where c.hospital = e.hospital and c.entry_id = e.id and c.state <> 'resolved') as reopened
         from entry e
         left join lateral (
             select status, step, ended_at, updated_at from run where tenant = e.hospital and id = e.id
             union all
             select status, step, ended_at, ended_at from run_archive where tenant = e.hospital and id = e.id limit 1) r on true
         where e.hospital = $1 and e.id = any($2)",
    )
    .bind(hospital)
    .bind(ids)
    .bind(reconciliation)
    .fetch_all(db)
    .await
}

/// A payment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Payment {
    /// The application.
    pub entry_id: Uuid,
    /// Our number.
    pub out_trade_no: String,
    /// open, paid, closed, refunding, refunded.
    pub status: String,
    /// 分.
    pub amount_fen: i64,
    /// What went back, 分.
    pub refunded_fen: i64,
    /// Our number of the last refund.
    pub out_refund_no: Option<String>,
    /// What a booked visit stands on, 分.
    pub kept_fen: Option<i64>,
    /// Our last number for what was paid above that.
    pub part_refund_no: Option<String>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// When it was closed or refunded.
    pub settled_at: Option<DateTime<Utc>>,
}

/// The payments of these applications.
pub async fn payments(db: impl PgExecutor<'_>, hospital: &str, ids: &[Uuid]) -> sqlx::Result<Vec<Payment>> {
    sqlx::query_as(
        "select entry_id, out_trade_no, status, amount_fen, refunded_fen, out_refund_no, kept_fen, part_refund_no, paid_at, settled_at
         from payment where hospital = $1 and entry_id = any($2) order by out_trade_no",
    )
    .bind(hospital)
    .bind(ids)
    .fetch_all(db)
    .await
}

/// A visit.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Visit {
    /// The application.
    pub entry_id: Uuid,
    /// Our `ORDER_ID`.
    pub id: String,
    /// booked, fulfilled, cancelled.
    pub status: String,
    /// When HIS booked it.
    pub booked_at: DateTime<Utc>,
    /// When it was cancelled.
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// The visits of these applications.
pub async fn visits(db: impl PgExecutor<'_>, hospital: &str, ids: &[Uuid]) -> sqlx::Result<Vec<Visit>> {
    sqlx::query_as(
        "select entry_id, id, status, booked_at, cancelled_at from appointment
         where hospital = $1 and entry_id = any($2) order by id",
    )
    .bind(hospital)
    .bind(ids)
    .fetch_all(db)
    .await
}

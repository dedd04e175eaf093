//! What happened within a stretch of time and what stands open, in numbers. Reads only.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::callbacks::for_a_person;

/// Where there are more of them than so many nobody reads on: they are counted no further.
pub const MANY: i64 = 10_000;

/// The numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Numbers {
    /// Applications that were admitted.
    pub applied: i64,
    /// Visits that were booked.
    pub booked: i64,
    /// Visits that were cancelled.
    pub cancelled: i64,
    /// What was paid, 分.
    pub paid_fen: i64,
    /// What went back, 分.
    pub refunded_fen: i64,
    /// Who waits now, counted as far as one above [`MANY`].
    pub waiting: i64,
    /// Who is being offered a place now, or pays for one.
    pub answering: i64,
    /// Refunds that are under way.
    pub refunding: i64,
    /// Differences that a person has to settle.
    pub cases: i64,
    /// Callbacks that wait for a person: they found nothing they could be about, cannot be right, or were not treated.
    pub unmatched: i64,
    /// Appeals that are not decided.
    pub appeals: i64,
}

/// The numbers between two instants; what stands open stands so now.
///
/// Plan: each a range of an index: `entry_recent`, `appointment_booked`, `appointment_cancelled`, `payment_paid`,
/// `payment_settled`, `payment_unsettled`, `entry_queue`, `entry_answering`, `reconciliation_case_state`,
/// `callback_for_a_person`.
pub async fn numbers(
    db: impl PgExecutor<'_>,
    hospital: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> sqlx::Result<Numbers> {
    sqlx::query_as(concat!(
        "select (select count(*) from entry where hospital = $1 and created_at >= $2 and created_at < $3) as applied,
                (select count(*) from appointment
                 where hospital = $1 and booked_at >= $2 and booked_at < $3) as booked,
                (select count(*) from appointment
                 where hospital = $1 and cancelled_at >= $2 and cancelled_at < $3) as cancelled,
                (select coalesce(sum(amount_fen), 0)::bigint from payment
                 where hospital = $1 and paid_at >= $2 and paid_at < $3) as paid_fen,
                (select coalesce(sum(refunded_fen), 0)::bigint from payment
                 where hospital = $1 and settled_at >= $2 and settled_at < $3) as refunded_fen,
                (select count(*) from (
                     select from entry where hospital = $1 and status = 'waiting' limit 10001) counted) as waiting,
                (select count(*) from entry
                 where hospital = $1 and live and status in ('offered', 'awaitingPayment', 'booking')) as answering,
                (select count(*) from payment where hospital = $1 and status = 'refunding') as refunding,
                (select count(*) from reconciliation_case where hospital = $1 and state = 'open') as cases,
                (select count(*) from callback where hospital = $1 and ",
        for_a_person!(),
        ") as unmatched,
                (select count(*) from blacklist_appeal where hospital = $1 and state = 'open') as appeals",
    ))
    .bind(hospital)
    .bind(from)
    .bind(to)
    .fetch_one(db)
    .await
}

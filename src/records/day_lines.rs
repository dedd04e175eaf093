//! The lines behind the numbers of [`super::overview`]: each list has exactly as many as its number says. Reads only.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// Which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Applications that were admitted.
    Applied,
    /// Who waits now.
    Waiting,
    /// Who is being offered a place now, or pays for one.
    Answering,
    /// Visits that were booked.
    Booked,
    /// Visits that were cancelled.
    Cancelled,
    /// Money that was paid.
    Paid,
    /// Money that went back.
    Refunded,
    /// Refunds that are under way.
    Refunding,
    /// Refunds that wait for a person.
    StuckRefunds,
}

/// A line.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    /// The application.
    pub entry_id: Uuid,
    /// What the line is of, where an application has several: the order's number; else the application.
    pub key: String,
    /// When.
    pub at: DateTime<Utc>,
    /// 分, where it is about money.
    pub amount_fen: Option<i64>,
    /// Where the application stands.
    pub status: String,
    /// Who.
    pub patient_id: String,
    /// The name, masked.
    pub name: Option<String>,
    /// Whom it is for.
    pub doctor_name: Option<String>,
    /// The day of the visit.
    pub visit_date: Option<NaiveDate>,
}

/// Where a refund stands that waits for a person.
macro_rules! refund_steps {
    () => {
        "('Refunding', 'RefundWait', 'RefundCheck', 'PartRefund', 'PartRefundWait', 'LateRefund')"
    };
}

/// What stands behind a number, as `entry_id`, `key`, `at` and `amount_fen`: `$1` hospital, from `$2` until `$3`.
macro_rules! behind {
    ($before:literal, $of:expr, $after:literal) => {
        match $of {
            Of::Applied => concat!(
                $before,
                "select id as entry_id, id::text as key, created_at as at, null::bigint as amount_fen from entry
                 where hospital = $1 and created_at >= $2 and created_at < $3",
                $after
            ),
            Of::Waiting => concat!(
                $before,
                "select id as entry_id, id::text as key, created_at as at, null::bigint as amount_fen from entry
                 where hospital = $1 and status = 'waiting' and $2 < $3",
                $after
            ),
            Of::Answering => concat!(
                $before,
                "select id as entry_id, id::text as key, updated_at as at, null::bigint as amount_fen from entry
                 where hospital = $1 and live and status in ('offered', 'awaitingPayment', 'booking') and $2 < $3",
                $after
            ),
            Of::Booked => concat!(
                $before,
                "select entry_id, id as key, booked_at as at, null::bigint as amount_fen from appointment
                 where hospital = $1 and booked_at >= $2 and booked_at < $3",
                $after
            ),
            Of::Cancelled => concat!(
                $before,
                "select entry_id, id as key, cancelled_at as at, null::bigint as amount_fen from appointment
                 where hospital = $1 and cancelled_at >= $2 and cancelled_at < $3",
                $after
            ),
            Of::Paid => concat!(
                $before,
                "select entry_id, out_trade_no as key, paid_at as at, amount_fen from payment
                 where hospital = $1 and paid_at >= $2 and paid_at < $3",
                $after
            ),
            Of::Refunded => concat!(
                $before,
                "select entry_id, out_trade_no as key, settled_at as at, refunded_fen as amount_fen from payment
                 where hospital = $1 and settled_at >= $2 and settled_at < $3 and refunded_fen > 0",
                $after
            ),
            Of::Refunding => concat!(
                $before,
                "select entry_id, out_trade_no as key, updated_at as at, amount_fen from payment
                 where hospital = $1 and status = 'refunding' and $2 < $3",
                $after
            ),
            Of::StuckRefunds => concat!(
                $before,
                "select id as entry_id, id::text as key, updated_at as at, null::bigint as amount_fen from run
                 where tenant = $1 and status = 'suspended' and workflow = 'waitlist_application' and $2 < $3
                   and step in ",
                refund_steps!(),
                $after
            ),
        }
    };
}

/// How many there are, who waits counted as far as one above [`super::overview::MANY`]; and what they come to, 分.
pub async fn count(
    db: impl PgExecutor<'_>,
    hospital: &str,
    of: Of,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> sqlx::Result<(i64, i64)> {
    let statement = match of {
        Of::Waiting => behind!("select count(*), 0::bigint from (", of, " limit 10001) counted"),
        of => behind!("select count(*), coalesce(sum(amount_fen), 0)::bigint from (", of, ") counted"),
    };
    sqlx::query_as(statement).bind(hospital).bind(from).bind(to).fetch_one(db).await
}

/// A page of them, the latest first, behind the last one of the page before.
///
/// Plan: the index of the number, as [`super::overview::numbers`] says; for each line one application, one patient and one schedule by
/// their keys.
pub async fn page(
    db: impl PgExecutor<'_>,
    hospital: &str,
    of: Of,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    after: Option<(DateTime<Utc>, &str)>,
    most: i64,
) -> sqlx::Result<Vec<Line>> {
    let statement = behind!(
        "select l.entry_id, l.key, l.at, l.amount_fen, e.status, e.patient_id, p.masked ->> 'name' as name,
                d.name as doctor_name, s.visit_date
         from (select * from (",
        of,
        ") behind where $4::timestamptz is null or (at, key) < ($4, $5) order by at desc, key desc limit $6) l
         join entry e on e.hospital = $1 and e.id = l.entry_id
         left join patient p on p.hospital = $1 and p.id = e.patient_id
         left join schedule s on s.hospital = $1 and s.id = e.schedule_id
         left join doctor d on d.hospital = $1 and d.id = s.doctor_id
         order by l.at desc, l.key desc"
    );
    sqlx::query_as(statement)
        .bind(hospital)
        .bind(from)
        .bind(to)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, key)| key))
        .bind(most)
        .fetch_all(db)
        .await
}

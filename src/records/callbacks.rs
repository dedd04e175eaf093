//! What the outside told us, with its fate: every verified callback leaves one row, repeated ones raise its count.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool, QueryBuilder};

/// What became of a callback, as stored with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Runs were told.
    Delivered,
    /// There is no run that it concerns yet: it waits for one, and staff see it.
    Kept,
    /// It had come before.
    Duplicate,
    /// Nothing that the waitlist acts on: it concerns nobody here.
    Ignored,
    /// It is about something of ours that is not here: for staff.
    NoRun,
    /// It is stored, and nothing is done about it yet.
    Received,
    /// It cannot be right: for staff.
    Refused,
    /// It is about an order of ours, and a person says what follows from it.
    ForStaff,
    /// A person has seen to it.
    Settled,
    /// It was not believed: what came of one kind on a day is one row, and nothing that it said is kept.
    Unbelieved,
}

impl Fate {
    /// Every one, as they are listed.
    pub const ALL: [Self; 10] = [
        Self::Delivered,
        Self::Kept,
        Self::Duplicate,
        Self::Ignored,
        Self::NoRun,
        Self::Received,
        Self::Refused,
        Self::ForStaff,
        Self::Settled,
        Self::Unbelieved,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Kept => "kept",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::NoRun => "no-run",
            Self::Received => "received",
            Self::Refused => "refused",
            Self::ForStaff => "for-staff",
            Self::Settled => "settled",
            Self::Unbelieved => "unbelieved",
        }
    }
}

/// In SQL: a callback waits for a person; one that nobody has done anything about does, once that has been so for a while.
macro_rules! for_a_person {
    () => {
        "fate in ('no-run', 'received', 'refused', 'for-staff')
         and (fate <> 'received' or received_at < engine_now() - interval '5 minutes')"
    };
}
pub(super) use for_a_person;

/// A verified callback.
#[derive(Debug, Clone)]
pub struct Callback<'a> {
    /// his, wechat-pay, pay-platform or wechat.
    pub source: &'a str,
    /// The sender's id of it; the same event has the same id.
    pub event_id: &'a str,
    /// What it says, for example `5007` or `TRANSACTION.SUCCESS`.
    pub kind: &'a str,
    /// Our id of what it is about.
    pub subject: &'a str,
    /// What it carried, without personal data.
    pub body: &'a Value,
}

/// Who brings a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings {
    /// Whoever sends it.
    Outside,
    /// Staff, who have it done again.
    Staff,
}

/// Writes a callback down; true where nothing was done about it yet: it is the first of its id, it could not be taken before (its
/// body says `why`) and now it can, or whoever took it before died in between.
pub async fn receive(conn: &mut PgConnection, hospital: &str, callback: &Callback<'_>) -> sqlx::Result<bool> {
    receive_from(conn, hospital, callback, Brings::Outside).await
}

/// The same of whoever brings it: what staff have done again has not come again.
pub async fn receive_from(
    conn: &mut PgConnection,
    hospital: &str,
    callback: &Callback<'_>,
    brings: Brings,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "insert into callback (hospital, source, event_id, kind, subject, body, fate)
         values ($1, $2, $3, $4, $5, $6, 'received')
         on conflict (hospital, source, event_id) do update
         set times = callback.times + $7,
             kind = case when callback.body ? 'why' then excluded.kind else callback.kind end,
             subject = case when callback.body ? 'why' then excluded.subject else callback.subject end,
             body = case when callback.body ? 'why' then excluded.body else callback.body end,
             fate = case when callback.body ? 'why' then 'received' else callback.fate end
         returning fate = 'received'",
    )
    .bind(hospital)
    .bind(callback.source)
    .bind(callback.event_id)
    .bind(callback.kind)
    .bind(callback.subject)
    .bind(callback.body)
    .bind(i32::from(brings == Brings::Outside))
    .fetch_one(conn)
    .await
}

/// Counts what was not believed, by day and reason.
pub async fn doubt(db: impl PgExecutor<'_>, hospital: &str, source: &str, why: &str, times: i32) -> sqlx::Result<()> {
    sqlx::query(
        "insert into callback (hospital, source, event_id, kind, subject, body, times, fate)
         values ($1, $2, to_char(engine_now() at time zone 'UTC', 'YYYY-MM-DD') || ' ' || $3, 'unbelieved', '',
                 jsonb_build_object('why', $3), $4, 'unbelieved')
         on conflict (hospital, source, event_id) do update
         set times = least(callback.times::bigint + excluded.times, 2147483647)",
    )
    .bind(hospital)
    .bind(source)
    .bind(why)
    .bind(times)
    .execute(db)
    .await
    .map(drop)
}

/// Writes down what became of a callback.
pub async fn settle(
    conn: &mut PgConnection,
    hospital: &str,
    source: &str,
    event_id: &str,
    fate: Fate,
) -> sqlx::Result<()> {
    sqlx::query("update callback set fate = $4 where hospital = $1 and source = $2 and event_id = $3")
        .bind(hospital)
        .bind(source)
        .bind(event_id)
        .bind(fate.as_str())
        .execute(conn)
        .await
        .map(drop)
}

/// Takes up what was received, for the rest of the transaction; false where that has been done, by somebody who was at it perhaps.
/// It waits for whoever is. No row is locked for it: rows of runs come first.
pub async fn take_up(conn: &mut PgConnection, hospital: &str, source: &str, event_id: &str) -> sqlx::Result<bool> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2 || '/' || $3, 500))")
        .bind(hospital)
        .bind(source)
        .bind(event_id)
        .execute(&mut *conn)
        .await?;
    let fate: Option<String> =
        sqlx::query_scalar("select fate from callback where hospital = $1 and source = $2 and event_id = $3")
            .bind(hospital)
            .bind(source)
            .bind(event_id)
            .fetch_optional(conn)
            .await?;
    // Nothing is done about what is not there any more either.
    Ok(fate.as_deref() == Some(Fate::Received.as_str()))
}

/// Writes down what became of what was received; what a person has seen to meanwhile stays so.
pub async fn came_to(
    conn: &mut PgConnection,
    hospital: &str,
    source: &str,
    event_id: &str,
    fate: Fate,
) -> sqlx::Result<()> {
    sqlx::query(
        "update callback set fate = $4
         where hospital = $1 and source = $2 and event_id = $3 and fate = 'received'",
    )
    .bind(hospital)
    .bind(source)
    .bind(event_id)
    .bind(fate.as_str())
    .execute(conn)
    .await
    .map(drop)
}

/// Writes down what a callback is about, once that is known.
pub async fn is_about(
    conn: &mut PgConnection,
    hospital: &str,
    source: &str,
    event_id: &str,
    subject: &str,
) -> sqlx::Result<()> {
    sqlx::query("update callback set subject = $4 where hospital = $1 and source = $2 and event_id = $3")
        .bind(hospital)
        .bind(source)
        .bind(event_id)
        .bind(subject)
        .execute(conn)
        .await
        .map(drop)
}

/// What was received so many seconds ago by the engine's clock, from and to, and nothing was done about, the oldest first, after this
/// place.
///
/// Plan: `callback_left`.
pub async fn left(
    db: impl PgExecutor<'_>,
    hospital: &str,
    source: &str,
    (ago, after, most): ((f64, f64), Option<&Place>, i64),
) -> sqlx::Result<Vec<Seen>> {
    sqlx::query_as(
        "select source, event_id, kind, subject, body, received_at, times, fate from callback
         where hospital = $1 and source = $2 and fate = 'received'
           and received_at < engine_now() - make_interval(secs => $3)
           and received_at > engine_now() - make_interval(secs => $7)
           and ($4::timestamptz is null or (received_at, event_id) > ($4, $5))
         order by received_at, event_id limit $6",
    )
    .bind(hospital)
    .bind(source)
    .bind(ago.0)
    .bind(after.map(|place| place.received_at))
    .bind(after.map(|place| place.event_id.as_str()))
    .bind(most)
    .bind(ago.1)
    .fetch_all(db)
    .await
}

/// What HIS has told of these orders of its own within a day, since it may number others alike later: `EVENT_ID` and `HOSP_ORDER_ID`
/// of each 5007. The orders are held for the rest of the transaction (see [`hold_his_orders`]).
///
/// Plan: `callback_cancelled`, by the orders.
pub async fn cancelled_orders(
    conn: &mut PgConnection,
    hospital: &str,
    his_order_ids: &[&str],
) -> sqlx::Result<Vec<(String, String)>> {
    if his_order_ids.is_empty() {
        return Ok(Vec::new());
    }
    hold_his_orders(conn, hospital, his_order_ids).await?;
    sqlx::query_as(
        "select event_id, body #>> '{cancelled,hisOrderId}' from callback
         where hospital = $1 and source = 'his' and kind = '5007' and body #>> '{cancelled,hisOrderId}' = any($2)
           and received_at > engine_now() - interval '1 day'",
    )
    .bind(hospital)
    .bind(his_order_ids)
    .fetch_all(conn)
    .await
}

/// Whoever writes an order of HIS's down, as a visit or as cancelled, holds it until that is committed, and sees what the other
/// has written. No row is locked after it by who tells of a cancellation, so that nobody waits in a circle.
pub async fn hold_his_orders(conn: &mut PgConnection, hospital: &str, his_order_ids: &[&str]) -> sqlx::Result<()> {
    sqlx::query(
        "select pg_advisory_xact_lock(key) from (
             select distinct hashtextextended($1 || '/' || id, 5007) as key from unnest($2::text[]) as id order by key
         ) as keys",
    )
    .bind(hospital)
    .bind(his_order_ids)
    .execute(conn)
    .await
    .map(drop)
}

/// The callbacks of one statement.
const BATCH: i64 = 1_000;

/// Deletes callbacks that are older than `days` by the engine's clock, in small statements; says how many. One that is
/// sent again later than that is a new one, and what it says changes nothing a second time.
pub async fn delete_older(pool: &PgPool, hospital: &str, days: i32) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        let deleted = sqlx::query(
            "with old as materialized (
                 select source, event_id from callback
                 where hospital = $1 and received_at < engine_now() - make_interval(days => $2)
                 order by received_at limit $3 for update skip locked)
             delete from callback c using old
             where c.hospital = $1 and c.source = old.source and c.event_id = old.event_id",
        )
        .bind(hospital)
        .bind(days)
        .bind(BATCH)
        .execute(pool)
        .await?
        .rows_affected();
        all += deleted;
        if deleted < BATCH.unsigned_abs() {
            return Ok(all);
        }
    }
}

/// A callback, as staff see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seen {
    /// his, wechat-pay, pay-platform or wechat.
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
    /// What it says.
    pub kind: String,
    /// Our id of what it is about.
    pub subject: String,
    /// What it carried, without personal data.
    pub body: Value,
    /// When it came first.
    pub received_at: DateTime<Utc>,
    /// How often it came.
    pub times: i32,
    /// What became of it.
    pub fate: String,
}

/// A callback's place in the list. Many come in one instant, so that it needs its whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When it came first.
    pub received_at: DateTime<Utc>,
    /// From where.
    pub source: String,
    /// The sender's id of it.
    pub event_id: String,
}

impl Place {
    /// Right after this one.
    pub fn after(seen: &Seen) -> Self {
        let (source, event_id) = (seen.source.clone(), seen.event_id.clone());
        Self { received_at: seen.received_at, source, event_id }
    }

    /// The reverse of its `Display`; none where it is no place.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '~');
        let received_at = DateTime::parse_from_rfc3339(parts.next()?).ok()?.to_utc();
        Some(Self { received_at, source: parts.next()?.to_owned(), event_id: parts.next()?.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}~{}", self.received_at.to_rfc3339(), self.source, self.event_id)
    }
}

/// Which callbacks; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// From here.
    pub source: Option<String>,
    /// With this fate.
    pub fate: Option<String>,
    /// Only those that wait for a person.
    pub for_a_person: bool,
    /// About this.
    pub subject: Option<String>,
    /// Come first at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Come first before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Only those after this one in the list: the last of the page before.
    pub before: Option<Place>,
    /// So many at most.
    pub most: i64,
}

/// Callbacks, the latest first. Plan: `callback_recent`, from the place or the instant that was asked for; `callback_for_a_person`.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str, wanted: &Wanted) -> sqlx::Result<Vec<Seen>> {
    let before = wanted.before.as_ref();
    let mut query = QueryBuilder::new(
        "select source, event_id, kind, subject, body, received_at, times, fate from callback where hospital = ",
    );
    query.push_bind(hospital);
    for (column, is) in [("source", &wanted.source), ("fate", &wanted.fate), ("subject", &wanted.subject)] {
        if let Some(is) = is {
            query.push(format_args!(" and {column} = ")).push_bind(is);
        }
    }
    if let Some(from) = wanted.from {
        query.push(" and received_at >= ").push_bind(from);
    }
    if let Some(until) = wanted.until {
        query.push(" and received_at < ").push_bind(until);
    }
    if wanted.for_a_person {
        query.push(concat!(" and ", for_a_person!()));
    }
    if let Some(before) = before {
        query.push(" and (received_at, source, event_id) < (").push_bind(before.received_at).push(", ");
        query.push_bind(&before.source).push(", ").push_bind(&before.event_id).push(")");
    }
    query.push(" order by received_at desc, source desc, event_id desc limit ").push_bind(wanted.most);
    query.build_query_as().fetch_all(db).await
}

/// One callback, locked for the rest of the transaction.
pub async fn hold(conn: &mut PgConnection, hospital: &str, source: &str, event_id: &str) -> sqlx::Result<Option<Seen>> {
    sqlx::query_as(
        "select source, event_id, kind, subject, body, received_at, times, fate from callback
         where hospital = $1 and source = $2 and event_id = $3 for update",
    )
    .bind(hospital)
    .bind(source)
    .bind(event_id)
    .fetch_optional(conn)
    .await
}

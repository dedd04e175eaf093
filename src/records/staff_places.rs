//! Where passwords of a user were tried: how many wrong ones in a row, and for how long none from there is looked at. All times are
//! the server's own.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A place, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// network, browser, session.
    pub kind: &'static str,
    /// What tells it from others of its kind.
    pub mark: &'a [u8],
}

/// How a place stands with a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, sqlx::FromRow)]
pub struct Tried {
    /// Tries since the last one that was right.
    pub failures: i32,
    /// For so long no try from there is looked at, s; none: it is not locked.
    pub locked_s: Option<f64>,
}

/// How a place stands with a user; none: nobody tried from there, or came in there.
///
/// Plan: one row by its primary key.
pub async fn find(
    conn: &mut PgConnection,
    hospital: &str,
    user: Uuid,
    place: Place<'_>,
) -> sqlx::Result<Option<Tried>> {
    sqlx::query_as(
        "select failures, case when locked_until > clock_timestamp()
                          then extract(epoch from locked_until - clock_timestamp())::float8 end as locked_s
         from staff_place where hospital = $1 and user_id = $2 and kind = $3 and mark = $4",
    )
    .bind(hospital)
    .bind(user)
    .bind(place.kind)
    .bind(place.mark)
    .fetch_optional(conn)
    .await
}

/// Writes down a try before it is looked at: how many there were, and for how long none is looked at then.
pub async fn count_try(
    conn: &mut PgConnection,
    hospital: &str,
    user: Uuid,
    place: Place<'_>,
    failures: i32,
    locked_s: Option<f64>,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into staff_place (hospital, user_id, kind, mark, failures, locked_until)
         values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
         on conflict (hospital, user_id, kind, mark) do update
         set failures = excluded.failures, locked_until = excluded.locked_until, seen_at = clock_timestamp()",
    )
    .bind(hospital)
    .bind(user)
    .bind(place.kind)
    .bind(place.mark)
    .bind(failures)
    .bind(locked_s)
    .execute(conn)
    .await
    .map(drop)
}

/// Somebody was right at this place: no try from there counts any more.
pub async fn forgive(db: impl PgExecutor<'_>, hospital: &str, user: Uuid, place: Place<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "update staff_place set failures = 0, locked_until = null, seen_at = clock_timestamp()
         where hospital = $1 and user_id = $2 and kind = $3 and mark = $4",
    )
    .bind(hospital)
    .bind(user)
    .bind(place.kind)
    .bind(place.mark)
    .execute(db)
    .await
    .map(drop)
}

/// No try counts any more, wherever it was; how many places were locked.
pub async fn forgive_all(conn: &mut PgConnection, hospital: &str, user: Uuid) -> sqlx::Result<i64> {
    let locked = sqlx::query_scalar(
        "select count(*) from staff_place where hospital = $1 and user_id = $2 and locked_until > clock_timestamp()",
    )
    .bind(hospital)
    .bind(user)
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query(
        "update staff_place set failures = 0, locked_until = null
         where hospital = $1 and user_id = $2 and failures > 0",
    )
    .bind(hospital)
    .bind(user)
    .execute(conn)
    .await?;
    Ok(locked)
}

/// Every place of a user is unknown from now on.
pub async fn forget_all(db: impl PgExecutor<'_>, hospital: &str, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from staff_place where hospital = $1 and user_id = $2")
        .bind(hospital)
        .bind(user)
        .execute(db)
        .await
        .map(drop)
}

/// Whether anybody came in in this browser.
///
/// Plan: `staff_place_of_browser`.
pub async fn is_known(db: impl PgExecutor<'_>, hospital: &str, browser: &[u8]) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select 1 from staff_place where hospital = $1 and kind = 'browser' and mark = $2)",
    )
    .bind(hospital)
    .bind(browser)
    .fetch_one(db)
    .await
}

/// Whether the user of this name came in in this browser.
///
/// Plan: `staff_place_of_browser`, one user by theirs.
pub async fn is_known_to(db: impl PgExecutor<'_>, hospital: &str, name: &str, browser: &[u8]) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select 1 from staff_place p join staff_user u on u.hospital = p.hospital and u.id = p.user_id
                        where p.hospital = $1 and p.kind = 'browser' and p.mark = $3 and u.name = $2)",
    )
    .bind(hospital)
    .bind(name)
    .bind(browser)
    .fetch_one(db)
    .await
}

/// The user of a session came in in this browser.
pub async fn know(db: impl PgExecutor<'_>, hospital: &str, session: &[u8], browser: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into staff_place (hospital, user_id, kind, mark)
         select hospital, user_id, 'browser', $3 from staff_session where hospital = $1 and token_hash = $2
         on conflict (hospital, user_id, kind, mark) do update set seen_at = clock_timestamp()",
    )
    .bind(hospital)
    .bind(session)
    .bind(browser)
    .execute(db)
    .await
    .map(drop)
}

/// Deletes what counts no more: tries of more than a day ago, and browsers that nobody came in with for `known_s`; how many.
pub async fn delete_old(db: impl PgExecutor<'_>, hospital: &str, known_s: f64) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "delete from staff_place where hospital = $1
           and seen_at <= clock_timestamp() - make_interval(secs => case when kind = 'browser' then $2 else 86400.0 end)",
    )
    .bind(hospital)
    .bind(known_s)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

//! Who is logged in, and links that are good once. Tokens are kept as their SHA-256; all times are the server's own.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// Who a token belongs to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Session {
    /// The user.
    pub user_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its role now.
    pub role: String,
    /// Its language; none: as the browser says.
    pub language: Option<String>,
    /// Since when it was not seen, s.
    pub idle_s: f64,
}

/// One of a user's sessions, as it is listed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listed {
    /// SHA-256 of its token.
    pub token_hash: Vec<u8>,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it was seen last.
    pub seen_at: DateTime<Utc>,
}

/// Begins a session.
pub async fn begin(db: impl PgExecutor<'_>, hospital: &str, token_hash: &[u8], user: Uuid) -> sqlx::Result<()> {
    sqlx::query("insert into staff_session (hospital, token_hash, user_id) values ($1, $2, $3)")
        .bind(hospital)
        .bind(token_hash)
        .bind(user)
        .execute(db)
        .await
        .map(drop)
}

/// The session of a token, where it has not ended: idle for less than `idle_s`, begun less than `most_s` ago.
///
/// Plan: one row by its primary key, one user by theirs.
pub async fn find(
    db: impl PgExecutor<'_>,
    hospital: &str,
    token_hash: &[u8],
    idle_s: f64,
    most_s: f64,
) -> sqlx::Result<Option<Session>> {
    sqlx::query_as(
        "select s.user_id, u.name, u.role, u.language, extract(epoch from clock_timestamp() - s.seen_at)::float8 as idle_s
         from staff_session s join staff_user u on u.hospital = s.hospital and u.id = s.user_id
         where s.hospital = $1 and s.token_hash = $2 and u.disabled_at is null
           and s.seen_at > clock_timestamp() - make_interval(secs => $3)
           and s.began_at > clock_timestamp() - make_interval(secs => $4)",
    )
    .bind(hospital)
    .bind(token_hash)
    .bind(idle_s)
    .bind(most_s)
    .fetch_optional(db)
    .await
}

/// A session was seen.
pub async fn seen(db: impl PgExecutor<'_>, hospital: &str, token_hash: &[u8]) -> sqlx::Result<()> {
    sqlx::query("update staff_session set seen_at = clock_timestamp() where hospital = $1 and token_hash = $2")
        .bind(hospital)
        .bind(token_hash)
        .execute(db)
        .await
        .map(drop)
}

/// A user's sessions, the latest seen first.
pub async fn of_user(db: impl PgExecutor<'_>, hospital: &str, user: Uuid) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as(
        "select token_hash, began_at, seen_at from staff_session where hospital = $1 and user_id = $2
         order by seen_at desc",
    )
    .bind(hospital)
    .bind(user)
    .fetch_all(db)
    .await
}

/// Ends one.
pub async fn end(db: impl PgExecutor<'_>, hospital: &str, token_hash: &[u8]) -> sqlx::Result<u64> {
    let done = sqlx::query("delete from staff_session where hospital = $1 and token_hash = $2")
        .bind(hospital)
        .bind(token_hash)
        .execute(db)
        .await?;
    Ok(done.rows_affected())
}

/// Ends all of a user's but one; how many.
pub async fn end_all(db: impl PgExecutor<'_>, hospital: &str, user: Uuid, but: Option<&[u8]>) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "delete from staff_session where hospital = $1 and user_id = $2 and token_hash is distinct from $3::bytea",
    )
    .bind(hospital)
    .bind(user)
    .bind(but)
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes sessions and links that have ended; how many.
pub async fn delete_ended(db: impl PgExecutor<'_>, hospital: &str, idle_s: f64, most_s: f64) -> sqlx::Result<u64> {
    let done: i64 = sqlx::query_scalar(
        "with sessions as (delete from staff_session where hospital = $1
                             and (seen_at <= clock_timestamp() - make_interval(secs => $2)
                                  or began_at <= clock_timestamp() - make_interval(secs => $3)) returning 1),
              links as (delete from staff_link where hospital = $1 and ends_at <= clock_timestamp() returning 1)
         select (select count(*) from sessions) + (select count(*) from links)",
    )
    .bind(hospital)
    .bind(idle_s)
    .bind(most_s)
    .fetch_one(db)
    .await?;
    Ok(done.unsigned_abs())
}

/// Makes a link, in place of any other for the same user. Of those for the first administrator there may be several: each process
/// that starts prints one.
pub async fn make_link(
    db: impl PgExecutor<'_>,
    hospital: &str,
    token_hash: &[u8],
    user: Option<Uuid>,
    lasts_s: f64,
) -> sqlx::Result<()> {
    sqlx::query(
        "with former as (delete from staff_link where hospital = $1 and user_id = $3)
         insert into staff_link (hospital, token_hash, user_id, ends_at)
         values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))",
    )
    .bind(hospital)
    .bind(token_hash)
    .bind(user)
    .bind(lasts_s)
    .execute(db)
    .await
    .map(drop)
}

/// A user's link is good no more.
pub async fn end_links(db: impl PgExecutor<'_>, hospital: &str, user: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from staff_link where hospital = $1 and user_id = $2")
        .bind(hospital)
        .bind(user)
        .execute(db)
        .await
        .map(drop)
}

/// Whom a link is for: none where it has ended or was used, `Some(None)`: for the first administrator.
pub async fn link(db: impl PgExecutor<'_>, hospital: &str, token_hash: &[u8]) -> sqlx::Result<Option<Option<Uuid>>> {
    sqlx::query_scalar(
        "select user_id from staff_link where hospital = $1 and token_hash = $2 and ends_at > clock_timestamp()",
    )
    .bind(hospital)
    .bind(token_hash)
    .fetch_optional(db)
    .await
}

/// Uses a link up; the same answer.
pub async fn use_link(
    db: impl PgExecutor<'_>,
    hospital: &str,
    token_hash: &[u8],
) -> sqlx::Result<Option<Option<Uuid>>> {
    sqlx::query_scalar(
        "delete from staff_link where hospital = $1 and token_hash = $2 and ends_at > clock_timestamp()
         returning user_id",
    )
    .bind(hospital)
    .bind(token_hash)
    .fetch_optional(db)
    .await
}

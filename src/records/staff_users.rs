//! Users of the console, and the links by which they choose a password. Names are stored in small letters.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A user as it is shown: without the password.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct User {
    /// Its id.
    pub id: Uuid,
    /// The name that is logged in with.
    pub name: String,
    /// viewer, operator, administrator.
    pub role: String,
    /// zh-CN, en; none: as the browser says.
    pub language: Option<String>,
    /// Who it is to the identity provider.
    pub subject: Option<String>,
    /// Whether a password was chosen.
    pub has_password: bool,
    /// No try from some place is looked at before; none: it is locked out nowhere.
    pub locked_until: Option<DateTime<Utc>>,
    /// Since when it may not come in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it logged in last.
    pub came_at: Option<DateTime<Utc>>,
    /// In how many browsers it is logged in.
    pub sessions: i64,
}

/// What a try to log in looks at, held.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Held {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// argon2id, with its parameters.
    pub password: Option<String>,
    /// viewer, operator, administrator.
    pub role: String,
    /// Whether the identity provider knows it, and the password.
    pub outside: bool,
    /// Whether it may not come in.
    pub disabled: bool,
}

const SHOWN: &str = "select u.id, u.name, u.role, u.language, u.subject, u.password is not null as has_password,
    (select max(p.locked_until) from staff_place p where p.hospital = u.hospital and p.user_id = u.id
       and p.locked_until > clock_timestamp()) as locked_until, u.disabled_at, u.made_at, u.came_at,
    (select count(*) from staff_session s where s.hospital = u.hospital and s.user_id = u.id) as sessions
  from staff_user u where u.hospital = $1";

/// Everybody, by name.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<User>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SHOWN} order by u.name"))).bind(hospital).fetch_all(db).await
}

/// One.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SHOWN} and u.id = $2")))
        .bind(hospital)
        .bind(id)
        .fetch_optional(db)
        .await
}

/// Whether there is anybody at all.
pub async fn is_anybody(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select 1 from staff_user where hospital = $1)")
        .bind(hospital)
        .fetch_one(db)
        .await
}

/// Lets nobody else make a user of the hospital, or change who administers it, until the transaction ends.
pub async fn lock_all(conn: &mut PgConnection, hospital: &str) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('staff_user/' || $1, 0))")
        .bind(hospital)
        .execute(conn)
        .await
        .map(drop)
}

const HELD: &str =
    "select id, name, password, role, subject is not null as outside, disabled_at is not null as disabled
  from staff_user where hospital = $1";

/// The user of this name, held until the transaction ends.
pub async fn hold_named(conn: &mut PgConnection, hospital: &str, name: &str) -> sqlx::Result<Option<Held>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{HELD} and name = $2 for update")))
        .bind(hospital)
        .bind(name)
        .fetch_optional(conn)
        .await
}

/// The user of this id, held until the transaction ends.
pub async fn hold(conn: &mut PgConnection, hospital: &str, id: Uuid) -> sqlx::Result<Option<Held>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{HELD} and id = $2 for update")))
        .bind(hospital)
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The user of this identity, held until the transaction ends.
pub async fn hold_subject(conn: &mut PgConnection, hospital: &str, subject: &str) -> sqlx::Result<Option<Held>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{HELD} and subject = $2 for update")))
        .bind(hospital)
        .bind(subject)
        .fetch_optional(conn)
        .await
}

/// A new user.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    /// In small letters.
    pub name: &'a str,
    /// argon2id; none: to be chosen by a link.
    pub password: Option<&'a str>,
    /// viewer, operator, administrator.
    pub role: &'a str,
    /// Who it is to the identity provider.
    pub subject: Option<&'a str>,
}

/// Makes a user; none where the name is taken.
pub async fn make(db: impl PgExecutor<'_>, hospital: &str, user: NewUser<'_>) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "insert into staff_user (hospital, id, name, password, role, subject) values ($1, $2, $3, $4, $5, $6)
         on conflict (hospital, name) do nothing returning id",
    )
    .bind(hospital)
    .bind(Uuid::now_v7())
    .bind(user.name)
    .bind(user.password)
    .bind(user.role)
    .bind(user.subject)
    .fetch_optional(db)
    .await
}

/// A user has come in.
pub async fn came(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("update staff_user set came_at = clock_timestamp() where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .execute(db)
        .await
        .map(drop)
}

/// Another password.
pub async fn set_password(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, password: &str) -> sqlx::Result<()> {
    sqlx::query("update staff_user set password = $3 where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .bind(password)
        .execute(db)
        .await
        .map(drop)
}

/// Another role.
pub async fn set_role(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, role: &str) -> sqlx::Result<()> {
    sqlx::query("update staff_user set role = $3 where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .bind(role)
        .execute(db)
        .await
        .map(drop)
}

/// Another language; none: as the browser says.
pub async fn set_language(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    language: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query("update staff_user set language = $3 where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .bind(language)
        .execute(db)
        .await
        .map(drop)
}

/// May not come in from now on, or may again.
pub async fn set_disabled(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, disabled: bool) -> sqlx::Result<()> {
    sqlx::query(
        "update staff_user set disabled_at = case when $3 then coalesce(disabled_at, clock_timestamp()) end
         where hospital = $1 and id = $2",
    )
    .bind(hospital)
    .bind(id)
    .bind(disabled)
    .execute(db)
    .await
    .map(drop)
}

/// How many administrators could come in, but for this one.
pub async fn other_administrators(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from staff_user where hospital = $1 and id <> $2 and role = 'administrator'
           and disabled_at is null and (password is not null or subject is not null)",
    )
    .bind(hospital)
    .bind(id)
    .fetch_one(db)
    .await
}

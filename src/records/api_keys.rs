//! Keys of the API that administrators make, and their secrets as hashes. All times are the server's own.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// A key as it is listed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// waitlist, runs, admin.
    pub scopes: Vec<String>,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: DateTime<Utc>,
    /// Since when it opens nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A secret as it is listed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Secret {
    /// Whose.
    pub key_id: Uuid,
    /// Its last letters.
    pub hint: String,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// When it ends, where it does.
    pub ends_at: Option<DateTime<Utc>>,
    /// When it opened something last, to half a minute.
    pub used_at: Option<DateTime<Utc>>,
}

/// A secret that opens something now, with what its key may.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Live {
    /// SHA-256.
    pub hash: Vec<u8>,
    /// The key's name.
    pub name: String,
    /// waitlist, runs, admin.
    pub scopes: Vec<String>,
    /// For so long, s; none: until it is changed or revoked.
    pub lasts_s: Option<f64>,
}

/// Every key, by name.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<Key>> {
    sqlx::query_as(
        "select id, name, scopes, made_by, made_at, revoked_at from api_key where hospital = $1
         order by revoked_at is not null, name",
    )
    .bind(hospital)
    .fetch_all(db)
    .await
}

/// Every secret that has not ended, the newest first.
pub async fn secrets(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<Secret>> {
    sqlx::query_as(
        "select key_id, hint, made_at, ends_at, used_at from api_key_secret
         where hospital = $1 and (ends_at is null or ends_at > clock_timestamp()) order by made_at desc",
    )
    .bind(hospital)
    .fetch_all(db)
    .await
}

/// What opens something now.
///
/// Plan: both tables as a whole; they have a row or two for each caller.
pub async fn live(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<Live>> {
    sqlx::query_as(
        "select s.hash, k.name, k.scopes, extract(epoch from s.ends_at - clock_timestamp())::float8 as lasts_s
         from api_key_secret s join api_key k on k.hospital = s.hospital and k.id = s.key_id
         where s.hospital = $1 and k.revoked_at is null and (s.ends_at is null or s.ends_at > clock_timestamp())",
    )
    .bind(hospital)
    .fetch_all(db)
    .await
}

/// Makes a key; none where the name is taken, or was.
pub async fn make(
    db: impl PgExecutor<'_>,
    hospital: &str,
    name: &str,
    scopes: &[String],
    made_by: &str,
) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "insert into api_key (hospital, id, name, scopes, made_by) values ($1, $2, $3, $4, $5)
         on conflict (hospital, name) do nothing returning id",
    )
    .bind(hospital)
    .bind(Uuid::now_v7())
    .bind(name)
    .bind(scopes)
    .bind(made_by)
    .fetch_optional(db)
    .await
}

/// One key, held until the transaction ends.
pub async fn hold(conn: &mut PgConnection, hospital: &str, id: Uuid) -> sqlx::Result<Option<Key>> {
    sqlx::query_as(
        "select id, name, scopes, made_by, made_at, revoked_at from api_key where hospital = $1 and id = $2 for update",
    )
    .bind(hospital)
    .bind(id)
    .fetch_optional(conn)
    .await
}

/// Adds a secret; the newest before it ends after `overlap_s` (if not sooner), any older one now.
pub async fn add_secret(
    conn: &mut PgConnection,
    hospital: &str,
    key: Uuid,
    hash: &[u8],
    hint: &str,
    overlap_s: f64,
) -> sqlx::Result<()> {
    sqlx::query(
        "with newest as (select hash from api_key_secret where hospital = $1 and key_id = $2
                           and (ends_at is null or ends_at > clock_timestamp()) order by ends_at is null desc, made_at desc limit 1)
         update api_key_secret s
         set ends_at = case when s.hash = newest.hash
                            then least(s.ends_at, clock_timestamp() + make_interval(secs => $3))
                            else least(s.ends_at, clock_timestamp()) end
         from newest where s.hospital = $1 and s.key_id = $2",
    )
    .bind(hospital)
    .bind(key)
    .bind(overlap_s)
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into api_key_secret (hospital, key_id, hash, hint) values ($1, $2, $3, $4)")
        .bind(hospital)
        .bind(key)
        .bind(hash)
        .bind(hint)
        .execute(conn)
        .await
        .map(drop)
}

/// A key opens nothing from now on.
pub async fn revoke(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("update api_key set revoked_at = clock_timestamp() where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .execute(db)
        .await
        .map(drop)
}

/// These secrets opened something so long ago, s.
pub async fn used(db: impl PgExecutor<'_>, hospital: &str, hashes: &[Vec<u8>], ago_s: &[f64]) -> sqlx::Result<()> {
    sqlx::query(
        "update api_key_secret s set used_at = greatest(s.used_at, clock_timestamp() - make_interval(secs => u.ago_s))
         from unnest($2::bytea[], $3::float8[]) as u (hash, ago_s) where s.hospital = $1 and s.hash = u.hash",
    )
    .bind(hospital)
    .bind(hashes)
    .bind(ago_s)
    .execute(db)
    .await
    .map(drop)
}

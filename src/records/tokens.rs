//! The message platform's access token, sealed: one for all processes of a hospital, who take turns at asking for another.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use uuid::Uuid;

use crate::ports::messages::tokens::{BookError, FORCE_APART, FORCED_A_DAY_MAX, Token, TokenBook};
use crate::waitlist::cipher::{Keyring, Sealed};

/// The book of all processes on one database.
pub struct SharedTokens {
    pool: PgPool,
    hospital: String,
    keyring: Keyring,
}

impl fmt::Debug for SharedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTokens").field("hospital", &self.hospital).finish_non_exhaustive()
    }
}

impl SharedTokens {
    /// The hospital's book.
    pub fn new(pool: PgPool, hospital: String, keyring: Keyring) -> Self {
        Self { pool, hospital, keyring }
    }

    /// Writes what the holder of this right was given; nothing where the right is another's by now.
    async fn write(&self, account: &str, right: Uuid, sealed: &[u8], lasts: Duration) -> sqlx::Result<()> {
        sqlx::query(
            "update platform_token
             set sealed = $4, ends_at = engine_now() + make_interval(secs => $5), right_id = null, right_until = null
             where hospital = $1 and account = $2 and right_id = $3",
        )
        .bind(&self.hospital)
        .bind(account)
        .bind(right)
        .bind(sealed)
        .bind(lasts.as_secs_f64())
        .execute(&self.pool)
        .await
        .map(drop)
    }

    async fn give_back(&self, account: &str, right: Uuid) -> sqlx::Result<()> {
        sqlx::query(
            "update platform_token set right_id = null, right_until = null
             where hospital = $1 and account = $2 and right_id = $3",
        )
        .bind(&self.hospital)
        .bind(account)
        .bind(right)
        .execute(&self.pool)
        .await
        .map(drop)
    }
}

/// What the token of an account is sealed as.
fn about(account: &str) -> String {
    format!("platform_token/{account}")
}

fn unread(error: sqlx::Error) -> BookError {
    BookError(error.to_string())
}

#[async_trait]
impl TokenBook for SharedTokens {
    async fn read(&self, account: &str) -> Result<Option<Token>, BookError> {
        let found: Option<(Vec<u8>, f64)> = sqlx::query_as(
            "select sealed, extract(epoch from ends_at - engine_now())::float8 from platform_token
             where hospital = $1 and account = $2 and sealed is not null and ends_at > engine_now()",
        )
        .bind(&self.hospital)
        .bind(account)
        .fetch_optional(&self.pool)
        .await
        .map_err(unread)?;
        // What does not open was sealed with a key that is gone: the platform gives the token again.
        Ok(found.and_then(|(sealed, seconds)| {
            let value = self.keyring.open(&about(account), &Sealed::from_bytes(sealed)).ok()?;
            Some(Token { value, lasts: Duration::try_from_secs_f64(seconds).ok()? })
        }))
    }

    async fn begin(&self, account: &str, lease: Duration) -> Result<Option<Uuid>, BookError> {
        sqlx::query_scalar(
            "insert into platform_token as held (hospital, account, right_id, right_until)
             values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
             on conflict (hospital, account) do update
             set right_id = excluded.right_id, right_until = excluded.right_until
             where held.right_until is null or held.right_until <= clock_timestamp()
             returning right_id",
        )
        .bind(&self.hospital)
        .bind(account)
        .bind(Uuid::new_v4())
        .bind(lease.as_secs_f64())
        .fetch_optional(&self.pool)
        .await
        .map_err(unread)
    }

    async fn may_force(&self, account: &str, right: Uuid) -> Result<bool, BookError> {
        let done = sqlx::query(
            "update platform_token
             set forced_at = engine_now(), forced_day = engine_now()::date,
                 forced_count = case when forced_day = engine_now()::date then forced_count else 0 end + 1
             where hospital = $1 and account = $2 and right_id = $3
               and (forced_at is null or forced_at <= engine_now() - make_interval(secs => $4))
               and (forced_day is distinct from engine_now()::date or forced_count < $5)",
        )
        .bind(&self.hospital)
        .bind(account)
        .bind(right)
        .bind(FORCE_APART.as_secs_f64())
        .bind(i32::try_from(FORCED_A_DAY_MAX).unwrap_or(i32::MAX))
        .execute(&self.pool)
        .await
        .map_err(unread)?;
        Ok(done.rows_affected() == 1)
    }

    async fn end(&self, account: &str, right: Uuid, token: Option<&Token>) -> Result<(), BookError> {
        let Some(token) = token else {
            return self.give_back(account, right).await.map_err(unread);
        };
        let text = secrecy::ExposeSecret::expose_secret(&token.value);
        let sealed = self.keyring.seal(&about(account), text).map_err(|error| BookError(error.to_string()))?;
        self.write(account, right, sealed.as_bytes(), token.lasts).await.map_err(unread)
    }
}

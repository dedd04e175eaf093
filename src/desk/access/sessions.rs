//! Who is logged in: found by the token that the browser holds, ended by whoever holds it or by an administrator.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::{Answer, DeskError};
use super::Lodge;
use super::role::Role;
use super::token::Token;
use crate::engine::staff::By;
use crate::engine::store::audit;
use crate::records::staff_sessions::{self, Listed};
use crate::waitlist::language::Language;

/// A session is written down as seen no more often than this, s.
const SEEN_EVERY_S: f64 = 60.0;

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without a request.
    pub idle: Duration,
    /// In all.
    pub most: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle: Duration::from_hours(1), most: Duration::from_hours(12) }
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Who {
    /// The user.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// Its role now.
    pub role: Role,
    /// Its language; none: as the browser says.
    pub language: Option<Language>,
}

impl Lodge {
    /// Whose token it is, where the session has not ended. `is_present`: a person does something, rather than a page by itself.
    pub async fn who_is_in(&self, token: &Token, limits: SessionLimits, is_present: bool) -> Answer<Option<Who>> {
        let (idle_s, most_s) = (limits.idle.as_secs_f64(), limits.most.as_secs_f64());
        let (pool, hash) = (&self.pool, token.hash());
        let found = staff_sessions::find(pool, &self.hospital, &hash, idle_s, most_s).await?;
        let Some(found) = found else { return Ok(None) };
        if is_present && found.idle_s > SEEN_EVERY_S.min(idle_s / 2.0) {
            staff_sessions::seen(pool, &self.hospital, &hash).await?;
        }
        Ok(Some(Who {
            id: found.user_id,
            name: found.name.into(),
            role: role_of(&found.role)?,
            language: found.language.as_deref().and_then(language_of),
        }))
    }

    /// Begins a session of a user, in a transaction.
    pub(super) async fn begin_session(&self, conn: &mut PgConnection, user: Uuid) -> Answer<Token> {
        let token = Token::make()?;
        staff_sessions::begin(conn, &self.hospital, &token.hash(), user).await?;
        Ok(token)
    }

    /// Where a user is logged in, the latest seen first.
    pub async fn sessions_of(&self, user: Uuid) -> Answer<Vec<Listed>> {
        Ok(staff_sessions::of_user(&self.pool, &self.hospital, user).await?)
    }

    /// Ends the session of a token.
    pub async fn log_out(&self, token: &Token, name: &str) -> Answer<()> {
        let mut tx = self.pool.begin().await?;
        if staff_sessions::end(&mut *tx, &self.hospital, &token.hash()).await? > 0 {
            let by = By { who: name.to_owned(), reason: String::new() };
            self.audit_access(&mut tx, &by, "logout", json!({}), json!({ "user": name })).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Writes a deed of access down, in its transaction.
    pub(super) async fn audit_access(
        &self,
        conn: &mut PgConnection,
        by: &By,
        verb: &str,
        before: Value,
        after: Value,
    ) -> Answer<()> {
        Ok(audit::write(conn, &self.hospital, &by.deed(verb, before, after)).await?)
    }
}

/// A stored role.
pub(super) fn role_of(name: &str) -> Answer<Role> {
    Role::parse(name).ok_or_else(|| DeskError::Broken(format!("a user has the unknown role {name}")))
}

/// A stored language.
pub(super) fn language_of(tag: &str) -> Option<Language> {
    Language::ALL.into_iter().find(|language| language.tag() == tag)
}

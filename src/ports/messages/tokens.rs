//! Who holds the access token. The platform gives an account one token, and a forced refresh ends the one that others hold: so
//! all processes share a book in which the token stands, and one at a time may ask for another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use thiserror::Error;
use tokio::time::Instant;
use uuid::Uuid;

/// The platform allows a forced refresh every 30 s (4.2).
pub const FORCE_APART: Duration = Duration::from_secs(30);
/// And so many a day.
pub const FORCED_A_DAY_MAX: u32 = 20;

/// A token, and for how long it may be used.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub value: SecretString,
    /// From now.
    pub lasts: Duration,
}

/// The book cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the book of tokens: {0}")]
pub struct BookError(pub String);

/// Where the token of an account (`appid`) stands, for all who send with it.
#[async_trait]
pub trait TokenBook: Send + Sync + std::fmt::Debug {
    /// The token that may be used now.
    async fn read(&self, account: &str) -> Result<Option<Token>, BookError>;

    /// Takes the right to ask the platform, for at most `lease`; none: another has it, and will write what it gets.
    async fn begin(&self, account: &str, lease: Duration) -> Result<Option<Uuid>, BookError>;

    /// True where the holder of this right may force a refresh now, which is counted; false: it is too soon, or too often.
    async fn may_force(&self, account: &str, right: Uuid) -> Result<bool, BookError>;

    /// Gives the right back, with what it brought. Whoever kept it for too long writes nothing.
    async fn end(&self, account: &str, right: Uuid, token: Option<&Token>) -> Result<(), BookError>;
}

/// The book of a process that sends alone, for one account.
#[derive(Debug, Default)]
pub struct OwnBook(Mutex<Page>);

#[derive(Debug, Default)]
struct Page {
    held: Option<(SecretString, Instant)>,
    asking: Option<(Uuid, Instant)>,
    forced: Vec<Instant>,
}

impl OwnBook {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenBook for OwnBook {
    async fn read(&self, _account: &str) -> Result<Option<Token>, BookError> {
        let page = self.page();
        Ok(page.held.as_ref().and_then(|(value, ends)| {
            let lasts = ends.checked_duration_since(Instant::now()).filter(|lasts| !lasts.is_zero())?;
            Some(Token { value: value.clone(), lasts })
        }))
    }

    async fn begin(&self, _account: &str, lease: Duration) -> Result<Option<Uuid>, BookError> {
        let (mut page, now) = (self.page(), Instant::now());
        if page.asking.is_some_and(|(_, until)| until > now) {
            return Ok(None);
        }
        let right = Uuid::new_v4();
        page.asking = Some((right, now + lease));
        Ok(Some(right))
    }

    async fn may_force(&self, _account: &str, _right: Uuid) -> Result<bool, BookError> {
        let (mut page, now) = (self.page(), Instant::now());
        page.forced.retain(|at| now.duration_since(*at) < Duration::from_hours(24));
        let soon = page.forced.last().is_some_and(|at| now.duration_since(*at) < FORCE_APART);
        if soon || page.forced.len() >= FORCED_A_DAY_MAX as usize {
            return Ok(false);
        }
        page.forced.push(now);
        Ok(true)
    }

    async fn end(&self, _account: &str, right: Uuid, token: Option<&Token>) -> Result<(), BookError> {
        let mut page = self.page();
        if page.asking.is_some_and(|(held, _)| held == right) {
            page.asking = None;
            if let Some(token) = token {
                page.held = Some((token.value.clone(), Instant::now() + token.lasts));
            }
        }
        Ok(())
    }
}

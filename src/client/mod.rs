//! The API in Rust: every call of a backend service or of staff, with the types that the server itself reads and writes.
//!
//! ```no_run
//! use houbu::client::{Client, Error};
//! use houbu::client::shapes::{NamedOffer, NewEntry};
//!
//! # async fn apply() -> Result<(), Error> {
//! let houbu = Client::new("http://127.0.0.1:8080", "a key with the scope waitlist")?;
//! let wish = NewEntry { schedule_id: "R20251128-0101-1".into(), patient_id: "p-1001".into(), ..NewEntry::default() };
//! // The caller's own number of the request as its key: a program that crashes here and asks again joins once.
//! let entry = match houbu.keyed("order-77").apply(&wish).await {
//!     Ok(entry) => entry.body,
//!     Err(error) if error.code() == Some("queue_full") => return Ok(()),
//!     Err(error) => return Err(error),
//! };
//! // Until a place is offered or the wait is over, asking as seldom as can be.
//! let entry = houbu.entry_once(entry.waitlist_id, |entry| entry.offer.is_some() || !entry.status.live()).await?;
//! if entry.offer.is_some() {
//!     houbu.confirm(entry.waitlist_id, &NamedOffer::default()).await?;
//! }
//! # Ok(()) }
//! ```
//!
//! - Every POST has an `Idempotency-Key`, which stays the same when the client asks again by itself: nothing is done twice.
//! - It asks again after 429, 502, 503 and 504, while the same request is still being answered, and where no answer
//!   came: a few times, later each time, and not before `Retry-After` ([`Retries`]).
//! - What is refused is [`Error::Refused`] with the problem's stable `code`; every error says the request's id, by which
//!   the server's log finds it.
//! - Lists that go on are streams ([`Client::every`]); a change is waited for without asking often ([`Client::entry_once`]).
//!
//! | file | |
//! |---|---|
//! | `calls` | the calls, one line each |
//! | `asking` | one request, until it is answered |
//! | `retries` | whether and when it is sent again |
//! | `pages` | lists that go on, and waiting for a change |
//! | `error` | what was not done, and why |
//!
//! The key is in no log, no error and no `Debug`.

mod asking;
mod calls;
mod error;
mod pages;
mod retries;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};

pub use crate::http::shapes;
pub use calls::{BulkAnswer, CALLS, Call, Reads};
pub use error::Error;
pub use pages::{Page, Paged};
pub use retries::Retries;

use shapes::Language;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than the longest wait for a change.
const TIMEOUT: Duration = Duration::from_secs(70);

/// Asks one Houbu, under one key. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<Url>,
    bearer: HeaderValue,
    language: Language,
    retries: Retries,
    /// The key of the next POST, where the caller has one.
    key: Option<String>,
}

impl Client {
    /// For the API at `base`, for example `https://houbu.hospital.example`, with this API key.
    pub fn new(base: &str, api_key: &str) -> Result<Self, Error> {
        let base: Url = base.parse().map_err(|_| Error::Unaskable(format!("{base} is not an address")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(Error::Unaskable(format!("{base} is neither http:// nor https://")));
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {api_key}"))
            .map_err(|_| Error::Unaskable("the API key has characters that no header takes".to_owned()))?;
        bearer.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("houbu/", env!("CARGO_PKG_VERSION")));
        if base.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]")) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Unaskable(error.to_string()))?;
        let (language, retries) = (Language::ZhCn, Retries::default());
        Ok(Self { http, base: Arc::new(base), bearer, language, retries, key: None })
    }

    /// The same with sentences in this language; Chinese without.
    #[must_use]
    pub fn reading(&self, language: Language) -> Self {
        Self { language, ..self.clone() }
    }

    /// The same with other patience.
    #[must_use]
    pub fn retrying(&self, retries: Retries) -> Self {
        Self { retries, ..self.clone() }
    }

    /// The same for one POST with this `Idempotency-Key`, 1 to 128 visible ASCII characters: whoever sends the same request
    /// with the same key within two days, a program that was restarted for one, gets the same answer. Without it every call
    /// has a new key.
    #[must_use]
    pub fn keyed(&self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self.clone() }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// An answer, with what stood around it.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// What was answered.
    pub body: T,
    /// The status: 201 where something is new, 200 where it was there, 202 where the rest follows.
    pub status: StatusCode,
    /// The request, as the server's log calls it.
    pub request_id: Option<String>,
    /// True where this is the stored answer to an earlier request with the same `Idempotency-Key`.
    pub replayed: bool,
}

impl<T> Deref for Reply<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one() {
        for wrong in ["", "houbu", "ftp://houbu", "file:///etc/passwd"] {
            assert!(matches!(Client::new(wrong, "k"), Err(Error::Unaskable(_))), "{wrong}");
        }
        assert!(matches!(Client::new("http://houbu", "a\nb"), Err(Error::Unaskable(_))));
        assert!(Client::new("https://houbu.example/api/", "k").is_ok());
    }

    #[test]
    fn nobody_sees_the_key() {
        let client = Client::new("http://houbu", "a-very-secret-key").unwrap().keyed("order-77");
        let seen = format!("{client:?} {:?}", client.bearer);
        assert!(seen.contains("http://houbu/") && !seen.contains("secret"), "{seen}");
    }
}

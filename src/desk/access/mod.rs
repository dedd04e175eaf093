//! Who of the staff may come in to the console, and what they may do there; and the keys of the API. Every deed here is in the
//! audit.
//!
//! | file | |
//! |---|---|
//! | `role` | roles, and the table of what each may do |
//! | `passwords`, `lockout` | which are refused, how they are kept; how long nobody is let in after wrong ones |
//! | `places` | where wrong ones were tried, which is where nobody is let in then |
//! | `token` | secrets that are given away once and kept as a hash |
//! | `login`, `sessions` | coming in, and who is in |
//! | `outside` | users whom an identity provider knows |
//! | `users` | what administrators do to users |
//! | `keys`, `known_keys` | keys of the API, and those in force as this process knows them |
//! | `rates` | how often somebody may ask |
//! | `refused` | what is not done, and how people are told |

mod keys;
mod known_keys;
mod lockout;
mod login;
mod outside;
pub mod passwords;
mod places;
pub mod rates;
mod refused;
pub mod role;
mod sessions;
pub mod token;
mod users;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use keys::{Given, Listed, OVERLAP_MAX, SCOPES};
pub use known_keys::Holder;
pub use login::{LinkFor, agreed, demo_name};
pub use outside::GroupRoles;
pub use places::{BROWSERS_KNOWN_FOR, Knock};
pub use refused::Refused;
pub use sessions::{SessionLimits, Who};

use sqlx::PgPool;

use super::Answer;
use known_keys::KnownKeys;
use places::{Strangers, network_of};
use rates::{Rate, Rates};
use token::hash_of;

/// A link is good for so long.
pub const LINK_LASTS: Duration = Duration::from_hours(24);
/// Tries to log in from one network, which a ward may share.
const LOGINS: Rate = Rate { at_once: 20, every: Duration::from_secs(3) };

/// The lodge, where staff come in and keys hang: everything about access, beside the desk. It needs no more than the database, so
/// that a terminal has one too.
pub struct Lodge {
    pool: PgPool,
    hospital: String,
    /// Tries to log in, by network; those of whom nobody can tell are together.
    logins: Rates<Option<IpAddr>>,
    /// Tries to log in from where somebody never came in, by name.
    strangers: Strangers,
    /// The keys in force.
    keys: Arc<KnownKeys>,
}

impl Lodge {
    /// The lodge of a hospital.
    pub fn new(pool: PgPool, hospital: String) -> Self {
        Self { pool, hospital, logins: Rates::new(Some(LOGINS)), strangers: Strangers::default(), keys: Arc::default() }
    }

    /// The same, where these names of keys are the configuration's.
    #[must_use]
    pub fn reserving(self, key_names: impl IntoIterator<Item = String>) -> Self {
        Self { keys: Arc::new(KnownKeys::reserving(key_names)), ..self }
    }

    /// One more try to come in from an address.
    pub fn may_try(&self, from: Option<IpAddr>) -> Answer<()> {
        self.logins.take(network_of(from)).map_err(|wait| Refused::TooManyTries(wait).into())
    }

    /// Who a key that was presented belongs to. The database is asked every few seconds, not for each request.
    pub async fn key_holder(&self, presented: &str) -> Answer<Option<Holder>> {
        Ok(self.keys.holder(&self.pool, &self.hospital, hash_of(presented)).await?)
    }

    /// Writes down now when keys were used last.
    pub async fn write_down_used_keys(&self) {
        self.keys.write_down(&self.pool, &self.hospital).await;
    }
}

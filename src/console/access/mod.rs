//! Who may see the pages: logging in and out, users, roles, sessions and API keys.
//!
//! A handler takes a [`Staff`] and asks it what it may: `staff.require(Role::Operator)?`. [`layer`] stands before every page but
//! those of logging in: whoever has no session is sent to `/login?next=…`, and what changes something is refused without the
//! session's own `csrf`, which every form carries (`<input type="hidden" name="csrf" value="{{ staff.csrf }}">`; htmx sends the
//! header `x-csrf-token`).
//!
//! | file | |
//! |---|---|
//! | `gate` | the layers, cookies, what is same-origin |
//! | `door` | logging in and out, links that are good once, the language |
//! | `provider` | logging in at the hospital's identity provider |
//! | `account`, `users`, `keys` | one's own password and sessions; users and roles; API keys |
//! | `refused` | the page of whoever may not |

mod account;
mod door;
mod gate;
mod keys;
mod provider;
mod refused;
mod users;
mod words;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use uuid::Uuid;

pub use crate::desk::access::SessionLimits;
pub use crate::desk::access::role::{Permission, Role};
use crate::desk::access::token::Token;
use crate::engine::staff::By;
use crate::http::Surface;
use crate::waitlist::language::Language;
pub(super) use gate::open_layer;
pub use gate::{headers, language, layer};
pub use provider::Provider;
pub use refused::{Denied, Refused};

/// How the console is entered.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// It is reached over https alone: cookies are `Secure` and have the `__Host-` prefix.
    pub secure: bool,
    /// Where it is reached, for links.
    pub url: String,
    /// The name under which it is reached, with the port where it is not the usual one; none: as the request says.
    pub host: Option<String>,
    /// How long a session lasts.
    pub limits: SessionLimits,
    /// The hospital's identity provider; none: local users alone.
    pub provider: Option<Arc<Provider>>,
    /// A demo is played: whoever comes may be any of its users, with one click.
    pub demo: bool,
    /// The page by which a simulated outside world is made to misbehave; none: the outside is real.
    pub sandbox: Option<String>,
    /// For how long a signal waits for its run, days.
    pub signals_days: u16,
}

/// Pages for everybody: where one comes in.
pub fn open_router(surface: &Arc<Surface>) -> Router<Arc<Surface>> {
    Router::new()
        .route("/login", get(door::login).post(door::log_in))
        .route("/login/demo", post(door::enter_demo))
        .route("/login/provider", get(provider::begin))
        .route("/login/provider/back", get(provider::back))
        .route("/welcome/{link}", get(door::welcome).post(door::choose))
        .route_layer(from_fn_with_state(Arc::clone(surface), gate::open_layer))
}

/// Pages for whoever is in; they stand behind [`layer`].
pub fn router() -> Router<Arc<Surface>> {
    Router::new()
        .route("/logout", post(door::log_out))
        .route("/language", post(door::read_in))
        .route("/account", get(account::show_own))
        .route("/account/password", post(account::change_password))
        .route("/account/sessions", post(account::end_others))
        .route("/users", get(users::list).post(users::invite))
        .route("/users/{id}/role", post(users::give_role))
        .route("/users/{id}/deed", post(users::deed))
        .route("/keys", get(keys::list).post(keys::make))
        .route("/keys/{id}/rotate", post(keys::rotate))
        .route("/keys/{id}/revoke", post(keys::revoke))
}

/// Who of the staff asks.
#[derive(Debug, Clone)]
pub struct Staff {
    /// The name that is logged in with; it stands in the audit.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// The language of its pages.
    pub language: Language,
    /// What its forms carry.
    pub csrf: String,
    /// The user.
    pub(crate) id: Uuid,
    /// Its session.
    pub(crate) token: Token,
}

impl Staff {
    /// Whether it may do what this role may.
    pub fn is(&self, role: Role) -> bool {
        self.role >= role
    }

    /// Whether it may do this.
    pub fn may(&self, permission: Permission) -> bool {
        self.is(permission.needs())
    }

    /// [`Refused`], a page that says so, where it may not do what this role may.
    pub fn require(&self, role: Role) -> Result<(), Refused> {
        if self.is(role) { Ok(()) } else { Err(Refused::needs(role, self.language)) }
    }

    /// The same by the table of permissions.
    pub fn require_to(&self, permission: Permission) -> Result<(), Refused> {
        self.require(permission.needs())
    }

    /// It does something, for this reason.
    pub fn by(&self, reason: impl Into<String>) -> By {
        By { who: self.name.to_string(), reason: reason.into() }
    }
}

/// Behind [`layer`] there always is one; a page that stands before it by mistake is refused.
impl<S: Sync> FromRequestParts<S> for Staff {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let language = language(&parts.headers);
        parts.extensions.get::<Self>().cloned().ok_or(Refused::not_in(language))
    }
}

/// Whoever may be logged in, on pages for everybody.
pub(crate) struct MaybeStaff(pub(crate) Option<Staff>);

impl<S: Sync> FromRequestParts<S> for MaybeStaff {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Staff>().cloned()))
    }
}

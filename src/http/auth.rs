//! API keys of backend services: those of the configuration, and those that administrators made. One of the configuration, which a
//! person may have chosen, is compared as its SHA-256, in constant time, with every key there is, so that the time of an answer
//! tells nothing. One of the others is by chance, and looked up by its SHA-256. Keys are never logged.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::Surface;
use super::problem::Problem;
use crate::desk::access::token::hash_of;

/// The fewest characters of a key.
const KEY_LENGTH_MIN: usize = 24;

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Schedules, applications, appointments, patients.
    Waitlist,
    /// Any workflow's runs.
    Runs,
    /// Policies and the blacklist.
    Admin,
}

impl Scope {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waitlist => "waitlist",
            Self::Runs => "runs",
            Self::Admin => "admin",
        }
    }

    /// The scope of this name: `waitlist`, `runs`, `admin`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "waitlist" => Some(Self::Waitlist),
            "runs" => Some(Self::Runs),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// Why a configured key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too easily guessed.
    #[error("the API key {0} is shorter than {KEY_LENGTH_MIN} characters")]
    Short(String),
    /// No such scope.
    #[error("the API key {0} has the scope {1}; there are waitlist, runs and admin")]
    Scope(String, String),
}

/// A key, as we keep it.
#[derive(Clone)]
pub struct ApiKey {
    name: Arc<str>,
    hash: [u8; 32],
    scopes: Arc<[Scope]>,
}

impl ApiKey {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it allows, by name.
    pub fn scope_names(&self) -> String {
        self.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ")
    }

    /// From configuration. `name` stands in logs and histories.
    pub fn new(name: &str, key: &SecretString, scopes: &[String]) -> Result<Self, KeyError> {
        if key.expose_secret().len() < KEY_LENGTH_MIN {
            return Err(KeyError::Short(name.to_owned()));
        }
        let scopes = scopes
            .iter()
            .map(|scope| Scope::parse(scope).ok_or_else(|| KeyError::Scope(name.to_owned(), scope.clone())))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name: name.into(), hash: hash_of(key.expose_secret()), scopes: scopes.into() })
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({})", self.name)
    }
}

/// Who asks: the name of the key.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<str>);

impl Caller {
    /// As the audit has it. No user's name has an `@`, so no key passes for somebody who works in the console.
    pub(super) fn who(&self) -> String {
        format!("{}@api", self.0)
    }
}

/// What the caller's key allows.
#[derive(Debug, Clone)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// Whether it allows this as well.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

fn find<'a>(keys: &'a [ApiKey], presented: &str) -> Option<&'a ApiKey> {
    let presented = hash_of(presented);
    // Every key is compared, whichever fits.
    keys.iter().fold(
        None,
        |found, key| {
            if verify_slices_are_equal(&key.hash, &presented).is_ok() { Some(key) } else { found }
        },
    )
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The layer that lets nobody in without a key that has `scope`.
pub(super) async fn layer(
    State((surface, scope)): State<(Arc<Surface>, Scope)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let presented = bearer(request.headers()).ok_or_else(Problem::unauthorized)?;
    let (name, scopes) = match find(&surface.api_keys, presented) {
        Some(key) => (Arc::clone(&key.name), Arc::clone(&key.scopes)),
        None => stored(&surface, presented).await?.ok_or_else(Problem::unauthorized)?,
    };
    surface.rates.take(Arc::clone(&name)).map_err(Problem::too_many_requests)?;
    if !scopes.contains(&scope) {
        return Err(Problem::forbidden());
    }
    request.extensions_mut().insert(Caller(name));
    request.extensions_mut().insert(Scopes(scopes));
    Ok(next.run(request).await)
}

/// A key that an administrator made.
async fn stored(surface: &Surface, presented: &str) -> Result<Option<(Arc<str>, Arc<[Scope]>)>, Problem> {
    let holder = surface.desk.lodge.key_holder(presented).await?;
    Ok(holder.map(|holder| (holder.name, holder.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn key(name: &str, key: &str, scopes: &[&str]) -> Result<ApiKey, KeyError> {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        ApiKey::new(name, &key.into(), &scopes)
    }

    #[test]
    fn only_the_whole_key_fits() {
        let keys = [
            key("a", "0123456789abcdef01234567", &["runs"]).unwrap(),
            key("b", "fedcba9876543210fedcba98", &[]).unwrap(),
        ];
        assert_eq!(&*find(&keys, "0123456789abcdef01234567").unwrap().name, "a");
        assert_eq!(&*find(&keys, "fedcba9876543210fedcba98").unwrap().name, "b");
        for wrong in ["", "0123456789abcdef0123456", "0123456789abcdef01234567 ", "0123456789ABCDEF01234567"] {
            assert!(find(&keys, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_short_key_or_an_unknown_scope_is_refused() {
        assert_eq!(key("a", "short", &[]).unwrap_err(), KeyError::Short("a".to_owned()));
        let unknown = key("a", "0123456789abcdef01234567", &["waitlist", "root"]).unwrap_err();
        assert_eq!(unknown, KeyError::Scope("a".to_owned(), "root".to_owned()));
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer k".parse().unwrap());
        assert_eq!(bearer(&headers), Some("k"));
        headers.insert(header::AUTHORIZATION, "Basic k".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}

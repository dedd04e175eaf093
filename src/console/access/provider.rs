//! Logging in at the hospital's identity provider: there by a redirect, back with a code. What belongs to one login stays in a
//! cookie of this browser for ten minutes.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::door::{in_to, leave, local, login_page, refusal};
use super::gate::{Asked, cookie_of};
use super::{MaybeStaff, Settings};
use crate::desk::access::token::Token;
use crate::desk::access::{GroupRoles, Refused};
use crate::http::Surface;
use crate::http::addresses::Whence;
use crate::http::problem::Problem;
use crate::ports::identity::{Errand, IdentityError, IdentityProvider};

/// So long somebody may take to log in there, s.
const LASTS_S: u32 = 600;

/// The provider, and what its groups may here.
#[derive(Debug)]
pub struct Provider {
    /// The provider.
    pub client: IdentityProvider,
    /// Its name, for whom it knows.
    pub issuer: String,
    /// What its groups may.
    pub roles: GroupRoles,
}

/// Where somebody wanted to go.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    next: String,
}

/// What a browser brings back.
#[derive(Deserialize)]
pub(super) struct Brought {
    code: Option<String>,
    state: Option<String>,
}

fn cookie_name(settings: &Settings) -> &'static str {
    if settings.secure { "__Host-houbu-errand" } else { "houbu_errand" }
}

/// The cookie of an errand; without one, the cookie that takes it away.
fn cookie(settings: &Settings, errand: Option<(&Errand, &str)>) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    let (value, lasts_s) = match errand {
        Some((errand, next)) => {
            let next = hex::encode(next);
            (format!("{}.{}.{}.{next}", errand.state, errand.nonce, errand.verifier), LASTS_S)
        }
        None => (String::new(), 0),
    };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts_s}{secure}", cookie_name(settings))
}

/// The errand that this browser is on, and where it goes then.
fn errand_of(settings: &Settings, headers: &HeaderMap) -> Option<(Errand, String)> {
    let value = cookie_of(headers, cookie_name(settings))?;
    let mut parts = value.split('.').map(str::to_owned);
    let errand = Errand { state: parts.next()?, nonce: parts.next()?, verifier: parts.next()? };
    let next = String::from_utf8(hex::decode(parts.next()?).ok()?).ok()?;
    Some((errand, local(&next).to_owned()))
}

fn by_chance() -> Result<String, Problem> {
    Ok(Token::make()?.expose().to_owned())
}

/// `GET /login/provider`.
pub(super) async fn begin(
    State(surface): State<Arc<Surface>>,
    Asked(language): Asked,
    Whence(from): Whence,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let provider = surface.console.provider.as_ref().ok_or_else(Problem::not_found)?;
    if let Err(error) = surface.desk.lodge.may_try(from) {
        return login_page(&surface, language, Some(refusal(error)?), &wanted.next, "");
    }
    let errand = Errand { state: by_chance()?, nonce: by_chance()?, verifier: by_chance()? };
    match provider.client.begin(&errand).await {
        Ok(address) => {
            let set = cookie(&surface.console, Some((&errand, local(&wanted.next))));
            Ok(([(header::SET_COOKIE, set)], Redirect::to(&address)).into_response())
        }
        Err(error) => {
            tracing::warn!(%error, "nobody can log in at the identity provider");
            login_page(&surface, language, Some(Refused::ProviderAway), &wanted.next, "")
        }
    }
}

/// `GET /login/provider/back`.
pub(super) async fn back(
    State(surface): State<Arc<Surface>>,
    MaybeStaff(staff): MaybeStaff,
    Asked(language): Asked,
    Whence(from): Whence,
    headers: HeaderMap,
    Query(brought): Query<Brought>,
) -> Result<Response, Problem> {
    let provider = surface.console.provider.as_ref().ok_or_else(Problem::not_found)?;
    if let Err(error) = surface.desk.lodge.may_try(from) {
        return login_page(&surface, language, Some(refusal(error)?), "/", "");
    }
    let (errand, next) = errand_of(&surface.console, &headers).unzip();
    let came = match (&errand, &brought) {
        (Some(errand), Brought { code: Some(code), state: Some(state) }) if *state == errand.state => {
            finish(&surface, provider, code, errand).await
        }
        _ => {
            surface.desk.lodge.turned_away("the provider refused, or another login was brought back").await?;
            Err(Refused::ProviderRefused.into())
        }
    };
    let mut response = match came {
        Ok(token) => {
            leave(&surface, staff).await?;
            in_to(&surface, &token, next.as_deref().unwrap_or("/"))
        }
        Err(error) => login_page(&surface, language, Some(refusal(error)?), next.as_deref().unwrap_or("/"), "")?,
    };
    if let Ok(gone) = HeaderValue::from_str(&cookie(&surface.console, None)) {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    Ok(response)
}

async fn finish(
    surface: &Surface,
    provider: &Provider,
    code: &str,
    errand: &Errand,
) -> Result<Token, crate::desk::DeskError> {
    let lodge = &surface.desk.lodge;
    match provider.client.finish(code, errand).await {
        Ok(identity) => {
            let role = provider.roles.of(&identity.groups);
            lodge.let_in_from(&provider.issuer, &identity.subject, identity.name.as_deref(), role).await
        }
        Err(error) => {
            tracing::warn!(%error, "somebody who came from the identity provider was not let in");
            lodge.turned_away(&error.to_string()).await?;
            let is_away = matches!(error, IdentityError::Away(_));
            Err(if is_away { Refused::ProviderAway } else { Refused::ProviderRefused }.into())
        }
    }
}

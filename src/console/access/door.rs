//! Coming in and going out: the pages that are for everybody. Passwords and links are read here and passed on; nothing of them is
//! logged.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::gate::{Asked, Browser, Sent, browser_cookie, cookie, language_cookie, no_cookie};
use super::words::Access;
use super::{MaybeStaff, Role, Staff};
use crate::console::assets;
use crate::console::page::rendered;
use crate::desk::DeskError;
use crate::desk::access::token::Token;
use crate::desk::access::{Knock, LinkFor, Refused, agreed, demo_name};
use crate::http::Surface;
use crate::http::addresses::Whence;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// What stands around a page for everybody.
pub(super) struct Door {
    pub(super) w: &'static Access,
    pub(super) tag: &'static str,
    pub(super) other_tag: &'static str,
    pub(super) version: &'static str,
}

impl Door {
    pub(super) fn of(language: Language) -> Self {
        let other = if language == Language::En { Language::ZhCn } else { Language::En };
        Self { w: Access::of(language), tag: language.tag(), other_tag: other.tag(), version: assets::version() }
    }
}

/// Somebody is turned away.
#[derive(Template)]
#[template(path = "access_refused.html")]
pub(super) struct Turned {
    pub(super) door: Door,
    pub(super) title: &'static str,
    pub(super) detail: &'static str,
    pub(super) href: &'static str,
    pub(super) link: &'static str,
}

#[derive(Template)]
#[template(path = "access_login.html")]
struct LoginPage<'a> {
    door: Door,
    wrong: Option<&'static str>,
    next: &'a str,
    name: &'a str,
    demo: Vec<(&'static str, &'static str)>,
    provider: bool,
}

#[derive(Template)]
#[template(path = "access_welcome.html")]
struct Welcome<'a> {
    door: Door,
    wrong: Option<&'static str>,
    is_first: bool,
    name: &'a str,
}

/// Where somebody wanted to go.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    next: String,
}

/// Who somebody says to be.
#[derive(Deserialize)]
pub(super) struct Login {
    name: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// As whom somebody looks at a demo.
#[derive(Deserialize)]
pub(super) struct DemoLogin {
    role: String,
    #[serde(default)]
    next: String,
}

/// What is chosen behind a link.
#[derive(Deserialize)]
pub(super) struct Chosen {
    name: String,
    password: SecretString,
    again: SecretString,
}

/// Which language somebody reads.
#[derive(Deserialize)]
pub(super) struct Reads {
    language: String,
}

/// A path of ours, or the first page: an address elsewhere is nobody's to send people to.
pub(super) fn local(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control)
        && next.is_ascii();
    if ours { next } else { "/" }
}

pub(super) fn login_page(
    surface: &Surface,
    language: Language,
    wrong: Option<Refused>,
    next: &str,
    name: &str,
) -> Result<Response, Problem> {
    let roles = if surface.console.demo { &Role::ALL[..] } else { &[] };
    let page = LoginPage {
        door: Door::of(language),
        wrong: wrong.map(|refused| refused.message(language)),
        next: local(next),
        name,
        demo: roles.iter().rev().map(|role| (role.name(), role.title(language))).collect(),
        provider: surface.console.provider.is_some(),
    };
    let page = rendered(&page)?;
    Ok(match wrong {
        None => page,
        Some(refused) => said(refused, page),
    })
}

/// A page that says why something was not done.
pub(super) fn said(refused: Refused, page: Response) -> Response {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::CONFLICT);
    let mut response = (status, page).into_response();
    if let Some(wait) = refused.retry_after() {
        let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The refusal in an error; any other error goes on.
pub(super) fn refusal(error: DeskError) -> Result<Refused, Problem> {
    if let DeskError::Access(refused) = error { Ok(refused) } else { Err(error.into()) }
}

/// In, with a session of its own, to where somebody wanted to go.
pub(super) fn in_to(surface: &Surface, token: &Token, next: &str) -> Response {
    ([(header::SET_COOKIE, cookie(&surface.console, token))], Redirect::to(local(next))).into_response()
}

/// The same of whoever knew a password, whose browser is known from now on.
async fn in_with(surface: &Surface, token: &Token, browser: Option<&Token>, next: &str) -> Result<Response, Problem> {
    let mut response = in_to(surface, token, next);
    let known = surface.desk.lodge.know_browser(token, browser).await?;
    if let Ok(set) = HeaderValue::from_str(&browser_cookie(&surface.console, &known)) {
        response.headers_mut().append(header::SET_COOKIE, set);
    }
    Ok(response)
}

/// `GET /login`.
pub(super) async fn login(
    State(surface): State<Arc<Surface>>,
    MaybeStaff(staff): MaybeStaff,
    Asked(language): Asked,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    if staff.is_some() {
        return Ok(Redirect::to(local(&wanted.next)).into_response());
    }
    login_page(&surface, language, None, &wanted.next, "")
}

/// `POST /login`.
pub(super) async fn log_in(
    State(surface): State<Arc<Surface>>,
    MaybeStaff(staff): MaybeStaff,
    Asked(language): Asked,
    Whence(from): Whence,
    Browser(browser): Browser,
    Sent(login): Sent<Login>,
) -> Result<Response, Problem> {
    let knock = Knock { from, browser: browser.as_ref() };
    match surface.desk.lodge.log_in(&login.name, &login.password, knock).await {
        Ok(token) => {
            leave(&surface, staff).await?;
            in_with(&surface, &token, browser.as_ref(), &login.next).await
        }
        Err(error) => login_page(&surface, language, Some(refusal(error)?), &login.next, &login.name),
    }
}

/// `POST /login/demo`.
pub(super) async fn enter_demo(
    State(surface): State<Arc<Surface>>,
    MaybeStaff(staff): MaybeStaff,
    Sent(wanted): Sent<DemoLogin>,
) -> Result<Response, Problem> {
    let role = Role::parse(&wanted.role).filter(|_| surface.console.demo).ok_or_else(Problem::not_found)?;
    let token = surface.desk.lodge.enter_demo(role).await?;
    leave(&surface, staff).await?;
    tracing::info!(user = demo_name(role), "somebody looks at the demo");
    Ok(in_to(&surface, &token, &wanted.next))
}

/// Whoever comes in anew is out of the session before.
pub(super) async fn leave(surface: &Surface, staff: Option<Staff>) -> Result<(), Problem> {
    if let Some(staff) = staff {
        surface.desk.lodge.log_out(&staff.token, &staff.name).await?;
    }
    Ok(())
}

/// `POST /logout`.
pub(super) async fn log_out(State(surface): State<Arc<Surface>>, staff: Staff) -> Result<Response, Problem> {
    surface.desk.lodge.log_out(&staff.token, &staff.name).await?;
    Ok(([(header::SET_COOKIE, no_cookie(&surface.console))], Redirect::to("/login")).into_response())
}

/// `GET /welcome/{link}`.
pub(super) async fn welcome(
    State(surface): State<Arc<Surface>>,
    Asked(language): Asked,
    Path(link): Path<String>,
) -> Result<Response, Problem> {
    let found = match Token::presented(&link) {
        Some(link) => surface.desk.lodge.link_is_for(&link).await,
        None => Err(Refused::LinkEnded.into()),
    };
    match found {
        Ok(link_for) => welcome_page(language, None, &link_for, ""),
        Err(error) => ended(language, refusal(error)?),
    }
}

fn welcome_page(
    language: Language,
    wrong: Option<Refused>,
    link_for: &LinkFor,
    typed: &str,
) -> Result<Response, Problem> {
    let (is_first, name) = match link_for {
        LinkFor::First => (true, typed),
        LinkFor::User(name) => (false, name.as_str()),
    };
    let wrong_text = wrong.map(|refused| refused.message(language));
    let page = rendered(&Welcome { door: Door::of(language), wrong: wrong_text, is_first, name })?;
    Ok(match wrong {
        None => page,
        Some(refused) => said(refused, page),
    })
}

/// The page of a link that is not good any more.
fn ended(language: Language, refused: Refused) -> Result<Response, Problem> {
    let w = Access::of(language);
    let (title, detail) = (w.refused_title, refused.message(language));
    let page = rendered(&Turned { door: Door::of(language), title, detail, href: "/login", link: w.log_in })?;
    Ok(said(refused, page))
}

/// `POST /welcome/{link}`.
pub(super) async fn choose(
    State(surface): State<Arc<Surface>>,
    MaybeStaff(staff): MaybeStaff,
    Asked(language): Asked,
    Path(link): Path<String>,
    Browser(browser): Browser,
    Sent(chosen): Sent<Chosen>,
) -> Result<Response, Problem> {
    let Some(link) = Token::presented(&link) else { return ended(language, Refused::LinkEnded) };
    let link_for = match surface.desk.lodge.link_is_for(&link).await {
        Ok(link_for) => link_for,
        Err(error) => return ended(language, refusal(error)?),
    };
    let done = match (agreed(&chosen.password, &chosen.again), &link_for) {
        (Err(differ), _) => Err(differ),
        (Ok(()), LinkFor::First) => surface.desk.lodge.become_first(&link, &chosen.name, &chosen.password).await,
        (Ok(()), LinkFor::User(_)) => surface.desk.lodge.choose_password(&link, &chosen.password).await,
    };
    match done {
        Ok(token) => {
            leave(&surface, staff).await?;
            in_with(&surface, &token, browser.as_ref(), "/").await
        }
        Err(error) => match refusal(error)? {
            Refused::LinkEnded => ended(language, Refused::LinkEnded),
            refused => welcome_page(language, Some(refused), &link_for, &chosen.name),
        },
    }
}

/// `POST /language`.
pub(super) async fn read_in(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    headers: axum::http::HeaderMap,
    Sent(reads): Sent<Reads>,
) -> Result<Response, Problem> {
    let language = Language::ALL.into_iter().find(|one| one.tag() == reads.language).ok_or_else(Problem::not_found)?;
    surface.desk.lodge.read_in(staff.id, language).await?;
    let cookie = language_cookie(&surface.console, language);
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&back(&headers))).into_response())
}

/// The page that somebody came from, as a path of ours.
fn back(headers: &axum::http::HeaderMap) -> String {
    let from = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = from.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    local(path.unwrap_or("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for ours in ["/", "/runs?status=suspended&q=1", "/runs/0199b0c2"] {
            assert_eq!(local(ours), ours);
        }
        for elsewhere in
            ["", "//example.org", "https://example.org", "/\\example.org", "javascript:x", "/a\r\nb", "/候"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}

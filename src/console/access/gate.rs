//! The layer before the pages. It finds who asks by the cookie, lets nobody change anything without the session's own `csrf`
//! or from another site's page, and gives every page its headers. The cookie holds a token and nothing else.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Refused, Settings, Staff};
use crate::desk::access::BROWSERS_KNOWN_FOR;
use crate::desk::access::token::Token;
use crate::http::problem::{Problem, language_of};
use crate::http::{BODY_BYTES_MAX, Surface};
use crate::waitlist::language::Language;

const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const HTMX: HeaderName = HeaderName::from_static("hx-request");
const HTMX_TRIGGER: HeaderName = HeaderName::from_static("hx-trigger");
const HTMX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// The cookie of the language that was chosen in a browser.
const LANGUAGE: &str = "houbu_language";

/// What pages may load and where they may send: our own files, our own addresses, and no script within a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The cookie's name: a browser takes one with `__Host-` from this very host over https alone.
fn cookie_name(settings: &Settings) -> &'static str {
    if settings.secure { "__Host-houbu" } else { "houbu_session" }
}

/// The cookie that holds a session's token, until the browser closes or the session ends.
pub(super) fn cookie(settings: &Settings, token: &Token) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    let most = settings.limits.most.as_secs();
    format!("{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={most}{secure}", cookie_name(settings), token.expose())
}

/// The cookie that takes it away.
pub(super) fn no_cookie(settings: &Settings) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}", cookie_name(settings))
}

/// What a browser is known by, where somebody came in with it.
fn browser_cookie_name(settings: &Settings) -> &'static str {
    if settings.secure { "__Host-houbu-browser" } else { "houbu_browser" }
}

/// The cookie by which a browser is known later. It opens nothing: wrong passwords elsewhere are not counted against it.
pub(super) fn browser_cookie(settings: &Settings, browser: &Token) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    let (name, lasts) = (browser_cookie_name(settings), BROWSERS_KNOWN_FOR.as_secs());
    format!("{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{secure}", browser.expose())
}

/// What a browser presents to be known by.
pub(super) struct Browser(pub(super) Option<Token>);

impl FromRequestParts<Arc<Surface>> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, surface: &Arc<Surface>) -> Result<Self, Infallible> {
        let name = browser_cookie_name(&surface.console);
        Ok(Self(cookie_of(&parts.headers, name).and_then(Token::presented)))
    }
}

fn token(settings: &Settings, headers: &HeaderMap) -> Option<Token> {
    let name = cookie_name(settings);
    cookie_of(headers, name).and_then(Token::presented)
}

/// A cookie's value.
pub(super) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookies(headers).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// Whether a request comes from a page of ours. A browser says so; what is no browser says nothing and has no cookie either
/// that somebody could misuse.
fn is_ours(settings: &Settings, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SITE) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some((_, host)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    asked == Some(host) || settings.host.as_deref() == Some(host)
}

#[derive(Deserialize)]
struct Guarded {
    csrf: String,
}

/// The language that a page is asked for with `?lang=`.
pub(super) fn asked_language(uri: &Uri) -> Option<Language> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let tag = pairs.filter(|(key, _)| *key == "lang").map(|(_, tag)| tag).next_back()?;
    Language::ALL.into_iter().find(|language| language.tag() == tag)
}

/// The language of a page: as it is asked for, as the user has chosen, as was chosen in this browser, as it says.
fn page_language(uri: &Uri, headers: &HeaderMap, chosen: Option<Language>) -> Language {
    asked_language(uri).or(chosen).unwrap_or_else(|| language(headers))
}

/// The language that somebody reads who is not known: as was chosen in this browser, or as the browser says.
pub fn language(headers: &HeaderMap) -> Language {
    let chosen = cookie_of(headers, LANGUAGE);
    Language::ALL.into_iter().find(|one| Some(one.tag()) == chosen).unwrap_or_else(|| language_of(headers))
}

/// The cookie that keeps a language for a year.
pub(super) fn language_cookie(settings: &Settings, language: Language) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    format!("{LANGUAGE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000{secure}", language.tag())
}

/// The language of a page for everybody.
pub(super) struct Asked(pub(super) Language);

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let chosen = parts.extensions.get::<Staff>().map(|staff| staff.language);
        Ok(Self(page_language(&parts.uri, &parts.headers, chosen)))
    }
}

/// A form that was sent.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // What was typed is not repeated: it may be a password.
        let form = Form::<T>::from_request(request, state).await;
        form.map(|Form(form)| Self(form)).map_err(|_| Problem::not_filled_in())
    }
}

/// The layer before every page that is not for everybody.
pub async fn layer(State(surface): State<Arc<Surface>>, request: Request, next: Next) -> Result<Response, Response> {
    let request = recognised(&surface, request).await.map_err(IntoResponse::into_response)?;
    let Some(staff) = request.extensions().get::<Staff>().cloned() else { return Err(to_login(&request)) };
    // Whoever is refused here is known all the same, and the page that says so is one of theirs.
    let request = if is_safe(request.method()) {
        request
    } else {
        guarded(&surface, request, &staff)
            .await
            .map_err(|refused| (Extension(staff.clone()), refused).into_response())?
    };
    Ok(next.run(request).await)
}

/// The layer before the pages that are for everybody: who is logged in is known, and what changes something comes from a page
/// of ours.
pub(in crate::console) async fn open_layer(
    State(surface): State<Arc<Surface>>,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    if !is_safe(request.method()) && !is_ours(&surface.console, request.headers()) {
        return Err(Refused::elsewhere(page_language(request.uri(), request.headers(), None)).into_response());
    }
    let request = recognised(&surface, request).await.map_err(IntoResponse::into_response)?;
    Ok(next.run(request).await)
}

/// Whether a page asks by itself: a stream that it holds open, or a part that it looks at again every few seconds, which is called
/// `live`. That says nothing about whether somebody sits before it.
fn is_by_itself(headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, text: &str| headers.get(name).is_some_and(|value| value == text);
    is(&header::ACCEPT, "text/event-stream") || is(&HTMX_TRIGGER, "live")
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The request with who asks, where somebody is logged in.
async fn recognised(surface: &Surface, mut request: Request) -> Result<Request, Problem> {
    let Some(token) = token(&surface.console, request.headers()) else { return Ok(request) };
    let is_present = !is_by_itself(request.headers());
    let who = surface.desk.lodge.who_is_in(&token, surface.console.limits, is_present).await?;
    if let Some(who) = who {
        let (csrf, language) = (token.csrf(), page_language(request.uri(), request.headers(), who.language));
        request.extensions_mut().insert(Staff { name: who.name, role: who.role, language, csrf, id: who.id, token });
    }
    Ok(request)
}

/// Sends whoever is not logged in to the page where one does; a script is told so.
fn to_login(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    let next = if *request.method() == Method::GET && wanted != "/" { wanted } else { "" };
    let mut address = "/login".to_owned();
    if !next.is_empty() {
        address.push_str("?next=");
        address.push_str(&encoded(next));
    }
    if request.headers().contains_key(HTMX) {
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        if let Ok(value) = HeaderValue::from_str("/login") {
            response.headers_mut().insert(HTMX_REDIRECT, value);
        }
        return response;
    }
    if is_safe(request.method()) {
        return Redirect::to(&address).into_response();
    }
    Refused::not_in(page_language(request.uri(), request.headers(), None)).into_response()
}

/// A text as a part of a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The request, if it comes from a form of the session's own.
async fn guarded(surface: &Surface, request: Request, staff: &Staff) -> Result<Request, Response> {
    let refused = || Refused::elsewhere(staff.language).into_response();
    if !is_ours(&surface.console, request.headers()) {
        return Err(refused());
    }
    if let Some(given) = request.headers().get(CSRF) {
        return if same(given.as_bytes(), &staff.csrf) { Ok(request) } else { Err(refused()) };
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Problem::too_large(BODY_BYTES_MAX).into_response())?;
    let looked_at = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    match Form::<Guarded>::from_request(looked_at, &()).await {
        Ok(Form(form)) if same(form.csrf.as_bytes(), &staff.csrf) => Ok(Request::from_parts(parts, Body::from(bytes))),
        _ => Err(refused()),
    }
}

fn same(given: &[u8], wanted: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(given, wanted.as_bytes()).is_ok()
}

/// The layer that gives every answer of the console its headers; a page may set its own.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let all = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Forms say where they come from; nobody else hears an address.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in all {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn with(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_page_of_ours_changes_anything() {
        type Row<'a> = (&'a Settings, &'a [(&'static str, &'a str)], bool);
        let plain = Settings::default();
        let proxied = Settings { host: Some("houbu.example.org".to_owned()), ..Settings::default() };
        let table: [Row<'_>; 9] = [
            (&plain, &[], true),
            (&plain, &[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&plain, &[("sec-fetch-site", "cross-site")], false),
            (&plain, &[("sec-fetch-site", "same-site")], false),
            (&plain, &[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")], true),
            (&plain, &[("origin", "http://127.0.0.1:9090"), ("host", "127.0.0.1:8080")], false),
            (&plain, &[("origin", "null"), ("host", "127.0.0.1:8080")], false),
            (&proxied, &[("origin", "https://houbu.example.org"), ("host", "10.0.0.7:8080")], true),
            (&proxied, &[("origin", "https://example.org"), ("host", "10.0.0.7:8080")], false),
        ];
        for (settings, headers, ours) in table {
            assert_eq!(is_ours(settings, &with(headers)), ours, "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_is_bound_to_this_host_where_it_is_reached_over_https() {
        let token = Token::make().unwrap();
        let (plain, secure) = (Settings::default(), Settings { secure: true, ..Settings::default() });
        let made = cookie(&secure, &token);
        assert!(made.starts_with("__Host-houbu=") && made.contains("; Secure") && made.contains("; Path=/;"), "{made}");
        assert!(made.contains("HttpOnly") && made.contains("SameSite=Lax") && !made.contains("Domain"));
        assert!(!cookie(&plain, &token).contains("Secure"));
        let sent = format!("other=1; houbu_session={}; __Host-houbu=nonsense", token.expose());
        let sent = with(&[("cookie", sent.as_str())]);
        assert_eq!(super::token(&plain, &sent), Some(token));
        assert_eq!(super::token(&secure, &sent), None);
        assert!(no_cookie(&plain).contains("Max-Age=0"));
    }

    #[test]
    fn a_page_that_was_asked_for_is_found_again() {
        assert_eq!(encoded("/runs?q=张 三&x=1"), "/runs%3Fq%3D%E5%BC%A0%20%E4%B8%89%26x%3D1");
        assert_eq!(asked_language(&"/runs?lang=en&lang=zh-CN".parse().unwrap()), Some(Language::ZhCn));
        assert_eq!(asked_language(&"/runs?slang=en".parse().unwrap()), None);
    }
}

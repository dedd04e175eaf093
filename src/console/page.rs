//! A page: its frame, its headers, and what goes wrong on the way to one.

use std::fmt::Write as _;
use std::io;

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use futures::stream::{self, Stream, StreamExt};

use super::access::{Permission, Refused, Staff};
use super::words::frame::FrameWords;
use super::words::refused::refusal;
use super::{access, assets};
use crate::desk::paging;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;
use crate::waitlist::masking::holds_number;

/// Why there is no page.
pub(super) enum Not {
    /// What was asked for is not done.
    Problem(Problem),
    /// Whoever asks may not.
    Refused(Refused),
}

/// What a handler comes to.
pub(super) type Page = Result<Response, Not>;

impl<E: Into<Problem>> From<E> for Not {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl From<Refused> for Not {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl IntoResponse for Not {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Refused(refused) => refused.into_response(),
        }
    }
}

/// What stands around a page.
pub(super) struct Frame {
    /// The words of every page.
    pub(super) words: &'static FrameWords,
    /// The language's tag.
    pub(super) tag: &'static str,
    /// The other one's.
    pub(super) other_tag: &'static str,
    /// Who looks.
    pub(super) name: String,
    /// Goes with every form.
    pub(super) csrf: String,
    /// True for who may act on single runs, letters, jobs and cases.
    pub(super) mends: bool,
    /// True for who may act on many runs at once.
    pub(super) bulks: bool,
    /// True for who may change rules and texts.
    pub(super) rules: bool,
    /// What was just done.
    pub(super) done: Option<String>,
    /// The address of the form that undoes it, with what it asks for besides a reason.
    pub(super) undo: Option<Undo>,
    /// What assets are asked for by: another one after a release.
    pub(super) version: &'static str,
    /// The navigation.
    pub(super) groups: Vec<Group>,
}

/// How what was just done is undone: as an act of its own.
pub(super) struct Undo {
    pub(super) action: String,
    pub(super) fields: Vec<(&'static str, String)>,
}

/// Entries of the navigation that belong together.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) links: Vec<Link>,
}

/// An entry of the navigation.
pub(super) struct Link {
    pub(super) here: bool,
    pub(super) href: &'static str,
    pub(super) title: &'static str,
}

impl Frame {
    /// The frame of the page `here` for `staff`.
    pub(super) fn of(staff: &Staff, here: &'static str) -> Self {
        let words = FrameWords::of(staff.language);
        Self {
            words,
            tag: staff.language.tag(),
            other_tag: if staff.language == Language::En { Language::ZhCn.tag() } else { Language::En.tag() },
            name: staff.name.to_string(),
            csrf: staff.csrf.clone(),
            mends: staff.may(Permission::Mend),
            bulks: staff.may(Permission::Bulk),
            rules: staff.may(Permission::Rules),
            done: None,
            undo: None,
            version: assets::version(),
            groups: groups(words, here, staff.may(Permission::Users)),
        }
    }

    /// The same with word of what was done.
    pub(super) fn done(self, done: Option<String>) -> Self {
        Self { done, ..self }
    }

    /// The same with a way back, where there is one and whoever looks may go it.
    pub(super) fn undo(self, may: bool, action: Option<String>) -> Self {
        self.undo_with(may, action, Vec::new())
    }

    /// The same for a form with these fields.
    pub(super) fn undo_with(self, may: bool, action: Option<String>, fields: Vec<(&'static str, String)>) -> Self {
        Self { undo: action.filter(|_| may).map(|action| Undo { action, fields }), ..self }
    }
}

fn groups(w: &'static FrameWords, here: &'static str, sees_users: bool) -> Vec<Group> {
    let group = |title: &'static str, links: &[(&'static str, &'static str, &'static str)]| Group {
        title,
        links: links.iter().map(|(name, href, title)| Link { here: *name == here, href, title }).collect(),
    };
    let mut machine =
        vec![("jobs", "/jobs", w.jobs), ("system", "/system", w.system), ("callbacks", "/callbacks", w.callbacks)];
    if sees_users {
        machine.push(("users", "/users", w.users));
    }
    vec![
        group(
            w.now,
            &[
                ("home", "/", w.home),
                ("runs", "/runs", w.runs),
                ("bulks", "/bulks", w.bulks),
                ("letters", "/letters", w.letters),
                ("deadlines", "/deadlines", w.deadlines),
            ],
        ),
        group(
            w.patients_and_queues,
            &[("patients", "/patients", w.patients), ("schedules", "/schedules", w.schedules)],
        ),
        group(
            w.rules,
            &[
                ("policies", "/policies", w.policies),
                ("texts", "/texts", w.texts),
                ("blacklist", "/blacklist", w.blacklist),
            ],
        ),
        group(
            w.books,
            &[("cases", "/cases", w.cases), ("figures", "/figures", w.figures), ("audit", "/audit", w.audit)],
        ),
        group(w.machine, &machine),
    ]
}

/// A page as an answer.
pub(super) fn show(page: &impl Template) -> Page {
    Ok(rendered(page)?)
}

/// A template as an answer.
pub(super) fn rendered(page: &impl Template) -> Result<Response, Problem> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Problem::internal()
    })?;
    Ok(Html(html).into_response())
}

/// Rows as a file for a spreadsheet, which reads UTF-8 where a mark says so.
pub(super) fn csv(name: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Response {
    file(name, format!("\u{feff}{}{}", line(head), rows.map(|row| line(&row)).collect::<String>()).into())
}

/// The same of a list that is as long as it is: read part by part while the file is sent, so that it ends where the list does. Where a
/// later part cannot be read the file breaks off, which a browser calls a failed download.
pub(super) async fn long_csv(
    name: &str,
    head: &[&str],
    parts: impl Stream<Item = Result<Vec<Vec<String>>, Problem>> + Send + 'static,
) -> Page {
    let lines = |rows: &[Vec<String>]| rows.iter().map(|row| line(row)).collect::<String>();
    let mut parts = Box::pin(parts);
    let first = parts.next().await.transpose()?.unwrap_or_default();
    let begin = format!("\u{feff}{}{}", line(head), lines(&first));
    let rest = parts.map(move |part| {
        part.map(|rows| lines(&rows)).map_err(|problem| {
            let (_, detail) = problem.in_words(Language::En);
            tracing::error!(detail, "a file breaks off: the rest of its list could not be read");
            io::Error::other("the rest of the list could not be read")
        })
    });
    let all = stream::once(async { Ok(begin) }).chain(rest);
    Ok(file(name, Body::from_stream(all)))
}

/// A line of a file.
fn line(cells: &[impl AsRef<str>]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

fn file(name: &str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
    ];
    (headers, body).into_response()
}

/// A cell that no spreadsheet takes for a formula.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

/// After a form: to the page that shows what came of it. As a handler answers it.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn to(path: &str) -> Page {
    Ok(Redirect::to(path).into_response())
}

/// What went wrong, ready for a page.
struct Told {
    head: &'static str,
    /// The kind of problem, where the head does not say it.
    kind: &'static str,
    detail: String,
    /// True where something was to be changed.
    deed: bool,
    back: String,
}

/// For whoever is logged in: the menu and the search stay.
#[derive(Template)]
#[template(path = "wrong.html")]
struct Wrong {
    frame: Frame,
    told: Told,
}

#[derive(Template)]
#[template(path = "wrong_bare.html")]
struct WrongAtTheDoor {
    w: &'static FrameWords,
    tag: &'static str,
    version: &'static str,
    told: Told,
}

/// What a problem says, with the names that pages have for things.
pub(super) fn said(problem: &Problem, language: Language) -> String {
    problem.refused().map_or_else(|| problem.on_page(language), |refused| refusal(refused, language))
}

/// A problem on the way to a page is a page too.
pub(super) async fn wrong(request: Request, next: Next) -> Response {
    let (asked, deed) = (request.headers().clone(), !request.method().is_safe());
    let path = request.uri().path().to_owned();
    let staff = request.extensions().get::<Staff>().cloned();
    let mut response = next.run(request).await;
    // The layer that knows who asks may be behind this one.
    let staff = staff.or_else(|| response.extensions_mut().remove::<Staff>());
    let status = response.status();
    let language = staff.as_ref().map_or_else(|| access::language(&asked), |staff| staff.language);
    let w = FrameWords::of(language);
    let problem = response.extensions_mut().remove::<Problem>().or_else(|| unsaid(&response, deed));
    if status == StatusCode::METHOD_NOT_ALLOWED && !deed {
        // An address that forms are sent to, come back to by another language or by hand.
        return Redirect::to(page_of(&path)).into_response();
    }
    let (kind, detail) = if let Some(problem) = problem {
        (problem.in_words(language).0, said(&problem, language))
    } else if let Some((refused, _)) = response.extensions_mut().remove::<Refused>().zip(staff.as_ref()) {
        refused.in_words()
    } else {
        return response;
    };
    // Who only looks is told what is the matter, and not that nothing was changed.
    let (head, kind) = match (deed, status) {
        (true, _) => (w.wrong_title, kind),
        (false, StatusCode::NOT_FOUND) => (w.not_found, ""),
        (false, _) => (kind, ""),
    };
    let told = Told { head, kind, detail, deed, back: back(&asked) };
    let page = match staff {
        Some(staff) => Wrong { frame: Frame::of(&staff, ""), told }.render(),
        None => WrongAtTheDoor { w, tag: language.tag(), version: assets::version(), told }.render(),
    };
    let Ok(html) = page else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    (status, Html(html)).into_response()
}

/// The problem of an answer that the framework made by itself: a method, or a form that lacks something.
fn unsaid(response: &Response, deed: bool) -> Option<Problem> {
    let plain =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => Some(Problem::method_not_allowed()),
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY
            if deed && plain =>
        {
            Some(Problem::not_filled_in())
        }
        _ => None,
    }
}

/// The page whose forms are sent to this address.
fn page_of(path: &str) -> &str {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let deep = match first {
        "runs" | "patients" | "schedules" | "texts" => 2,
        "policies" => 3,
        "views" => return "/runs",
        "appeals" => return "/blacklist",
        "logout" | "language" => return "/",
        _ => 1,
    };
    let end = path.match_indices('/').nth(deep).map_or(path.len(), |(at, _)| at);
    // Where it is a page's own address, there is no such page.
    if end == path.len() { "/" } else { path.get(..end).unwrap_or("/") }
}

/// The page that somebody came from, as a path of ours.
fn back(asked: &HeaderMap) -> String {
    let from = asked.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = from.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    path.filter(|path| !path.starts_with("//")).unwrap_or("/").to_owned()
}

/// What begins with a text that a person may have typed, as a part of an address.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.push(if query.is_empty() { '?' } else { '&' });
        query.push_str(key);
        query.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                query.push(char::from(byte));
            } else {
                let _ = write!(query, "%{byte:02X}");
            }
        }
    }
    query
}

/// From which row of a list its page begins; of a list that moves a row may be seen twice.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Onward {
    from: u32,
}

impl Onward {
    /// Rows to leave out.
    pub(super) fn skip(self) -> i64 {
        i64::from(self.from)
    }

    /// The address of this page.
    pub(super) fn address(self, path: &str) -> String {
        at_row(path, self.skip())
    }

    /// Cuts what was found, one row more than a page, to the page; the address of the next one where there is more.
    pub(super) fn cut<T>(self, found: &mut Vec<T>, path: &str, most: i64) -> Option<String> {
        paging::cut(found, most).map(|_| at_row(path, self.skip() + most))
    }
}

fn at_row(path: &str, row: i64) -> String {
    if row == 0 { path.to_owned() } else { format!("{path}?from={row}") }
}

/// The reason that a form gives: 1 to 200 characters, and no person's number.
pub(super) fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let fine = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    match fine {
        true if holds_number(text) => Err(Problem::personal_reason()),
        true => Ok(text.to_owned()),
        false => Err(Problem::no_reason()),
    }
}

/// The largest number of rows of a list's page.
pub(super) const ROWS: i64 = 50;
/// The rows of a part of a file.
pub(super) const PART: i64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("-5"), "\"-5\"");
        assert_eq!(quoted("say \"yes\""), "\"say \"\"yes\"\"\"");
    }

    #[test]
    fn a_query_carries_any_text() {
        assert_eq!(query(&[("q", "a b&c"), ("step", ""), ("n", "候")]), "?q=a%20b%26c&n=%E5%80%99");
    }

    #[test]
    fn the_way_back_stays_in_the_house() {
        let from = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::REFERER, text.parse().unwrap_or_else(|_| unreachable!()));
            back(&headers)
        };
        assert_eq!(from("http://h:80/runs?x=1"), "/runs?x=1");
        assert_eq!(from("http://h//evil"), "/");
        assert_eq!(from("nonsense"), "/");
    }
}

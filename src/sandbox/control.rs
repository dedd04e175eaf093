//! The sandbox's own page: how much goes wrong, what is to go wrong next, and what is done by hand. HTML for people, JSON for
//! programs:
//!
//! `GET /catalogue`: everything that can be switched and done; `GET /switches`; `POST /switches` with `call`, `fault` and either
//! `times` or `ofThousand` (neither: off); `POST /level` with `level`; `POST /deeds` with `deed`, `about` and `more`. All take a
//! form, and the page has one of each.

#![allow(clippy::unused_async)] // What axum calls is async.

use std::net::{Ipv4Addr, SocketAddr};

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::catalogue::{SUBJECTS, Subject, System, subject, words_of};
use super::deeds::Deed;
use super::faults::Level;
use super::outside::Outside;
use super::switches::{Shown, Switch, Wrong};

/// The console's ground and parts, and what this page has of its own.
const STYLE: &str = concat!(
    include_str!("../console/assets/ground.css"),
    include_str!("../console/assets/parts.css"),
    include_str!("page/control.css")
);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    call: String,
    fault: String,
    #[serde(default)]
    times: String,
    #[serde(default)]
    of_thousand: String,
    /// The page's choice: `times 3` or `of 100`.
    #[serde(default)]
    how: String,
}

#[derive(Deserialize)]
struct Wanted {
    level: Level,
}

#[derive(Deserialize)]
struct Doing {
    deed: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    more: String,
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    done: String,
    #[serde(default)]
    wrong: String,
}

/// A switch that is on, ready for the page.
struct On {
    what: &'static str,
    how: String,
    shown: Shown,
}

/// A system with what can go wrong there.
struct Part {
    title: &'static str,
    subjects: Vec<Row>,
    /// By kind.
    deeds: Vec<(&'static str, Vec<DeedRow>)>,
}

/// A call or push with what can go wrong with it, and what it can answer or tell instead.
struct Row {
    of: &'static Subject,
    faults: Vec<&'static str>,
    /// Beside what HIS says with it.
    answers: Vec<(&'static str, &'static str)>,
}

#[derive(Serialize)]
struct DeedRow {
    name: String,
    what: &'static str,
    about: Option<&'static str>,
    more: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "control.html")]
struct Control {
    levels: Vec<(&'static str, bool, &'static str)>,
    on: Vec<On>,
    parts: Vec<Part>,
    done: String,
    wrong: String,
}

/// Serves the page on a free port of 127.0.0.1, for as long as the process lives; its address.
pub async fn serve(outside: Outside) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let at = listener.local_addr()?;
    let router = router(outside);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the sandbox's page is gone");
        }
    });
    Ok(at)
}

fn router(outside: Outside) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/style.css", get(style))
        .route("/catalogue", get(catalogue))
        .route("/switches", get(shown).post(switch))
        .route("/level", post(level))
        .route("/deeds", post(deed))
        .with_state(outside)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn shown(State(outside): State<Outside>) -> Json<Vec<Shown>> {
    Json(outside.faults.switches().shown())
}

async fn catalogue() -> Json<Value> {
    let calls = SUBJECTS.iter().map(|of| {
        let faults: Vec<&str> = Wrong::all(of).map(Wrong::name).collect();
        json!({ "call": of.call, "system": of.system.title(), "what": of.what, "push": of.is_push, "faults": faults })
    });
    let deeds: Vec<DeedRow> = Deed::all().into_iter().map(row).collect();
    Json(json!({ "calls": calls.collect::<Vec<_>>(), "deeds": deeds }))
}

async fn switch(State(outside): State<Outside>, Form(asked): Form<Asked>) -> Response {
    let refused = |why: String| (StatusCode::BAD_REQUEST, why).into_response();
    let Some(of) = subject(&asked.call) else {
        let known: Vec<&str> = SUBJECTS.iter().map(|of| of.call).collect();
        return refused(format!("call is one of {}", known.join(", ")));
    };
    let Some(wrong) = Wrong::named(of, &asked.fault) else {
        let known: Vec<&str> = Wrong::all(of).map(Wrong::name).collect();
        return refused(format!("fault is one of {}", known.join(", ")));
    };
    let (times, of_thousand) = match asked.how.split_once(' ') {
        Some(("times", times)) => (times, ""),
        Some(("of", rate)) => ("", rate),
        _ => (asked.times.as_str(), asked.of_thousand.as_str()),
    };
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u32>().ok() };
    let mut switches = outside.faults.switches();
    match (number(times), number(of_thousand)) {
        (Some(0), Some(0)) => switches.off(of.call, wrong),
        (Some(times), Some(0)) => switches.on(of.call, wrong, Switch::Times(times)),
        (Some(0), Some(rate @ 1..=1000)) => switches.on(of.call, wrong, Switch::OfThousand(rate)),
        _ => return refused("either times, or ofThousand up to 1000".to_owned()),
    }
    Redirect::to("/").into_response()
}

async fn level(State(outside): State<Outside>, Form(wanted): Form<Wanted>) -> Redirect {
    outside.faults.set_level(wanted.level);
    Redirect::to("/")
}

async fn deed(State(outside): State<Outside>, Form(doing): Form<Doing>) -> Redirect {
    let said = match Deed::named(&doing.deed) {
        Some(deed) => match deed.done(&outside, doing.about.trim(), doing.more.trim()).await {
            Ok(()) => ("done", deed.told().0.to_owned()),
            Err(error) => ("wrong", error.to_string()),
        },
        None => ("wrong", format!("there is no deed {}", doing.deed)),
    };
    Redirect::to(&format!("/?{}", encoded(&[(said.0, &said.1)])))
}

/// As a form has it.
fn encoded(pairs: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://sandbox/", pairs);
    url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

fn said_with(of: &Subject, code: &str) -> &'static str {
    if of.system == System::His { words_of(code).unwrap_or_default() } else { "" }
}

/// What is done to a system, or planted in its books.
fn deeds(system: System, planted: bool) -> Vec<DeedRow> {
    let theirs = |deed: &Deed| deed.system() == system && matches!(deed, Deed::InHis(_) | Deed::InPay(_)) == planted;
    Deed::all().into_iter().filter(theirs).map(row).collect()
}

fn row(deed: Deed) -> DeedRow {
    let (what, about, more) = deed.told();
    DeedRow { name: deed.name(), what, about, more }
}

async fn page(State(outside): State<Outside>, Query(said): Query<Said>) -> Response {
    let level = outside.faults.level();
    let named = [
        (Level::None, "none", "nothing goes wrong by itself"),
        (Level::Some, "some", "one request in fifty, one push in twenty"),
        (Level::Heavy, "heavy", "one request in eight, one push in four"),
    ];
    let levels = named.map(|(one, name, what)| (name, one == level, what)).to_vec();
    let on = outside.faults.switches().shown().into_iter().map(|shown| {
        let how = match (shown.times, shown.of_thousand) {
            (Some(1), _) => "the next one".to_owned(),
            (Some(times), _) => format!("the next {times}"),
            (_, rate) => format!("{} of 1000", rate.unwrap_or_default()),
        };
        On { what: subject(&shown.call).map(|of| of.what).unwrap_or_default(), how, shown }
    });
    let on = on.collect();
    let parts = System::ALL.map(|system| Part {
        title: system.title(),
        subjects: SUBJECTS
            .iter()
            .filter(|of| of.system == system)
            .map(|of| Row {
                of,
                faults: Wrong::all(of).filter(|wrong| !matches!(wrong, Wrong::Answer(_))).map(Wrong::name).collect(),
                answers: of.answers.iter().map(|code| (*code, said_with(of, code))).collect(),
            })
            .collect(),
        deeds: [("Done by hand", false), ("Wrong in its books", true)]
            .map(|(title, planted)| (title, deeds(system, planted)))
            .into_iter()
            .filter(|(_, deeds)| !deeds.is_empty())
            .collect(),
    });
    let page = Control { levels, on, parts: parts.into(), done: said.done, wrong: said.wrong };
    match page.render() {
        Ok(page) => Html(page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

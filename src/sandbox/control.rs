//! The sandbox's own page: how much goes wrong, and what is to go wrong next, by hand. HTML for people, JSON for programs:
//!
//! `GET /switches`; `POST /switches` with `call`, `fault` and either `times` or `ofThousand` (neither: off); `POST /level` with
//! `level`. Both take a form, and the page has one of each.

#![allow(clippy::unused_async)] // What axum calls is async.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::Deserialize;

use super::faults::{Faults, Level};
use super::switches::{NAMES, Shown, Switch, Wrong};

/// Calls and pushes that can be named; others may be typed.
const CALLS: [&str; 24] = [
    "2003",
    "2004",
    "2005",
    "2006",
    "2007",
    "2008",
    "2009",
    "2010",
    "2012",
    "5001",
    "5002",
    "5007",
    "wechat-pay open",
    "wechat-pay query",
    "wechat-pay close",
    "wechat-pay refund",
    "wechat-pay notice",
    "pay-platform open",
    "pay-platform query",
    "pay-platform close",
    "pay-platform refund",
    "pay-platform notice",
    "wechat template send",
    "sms",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    call: String,
    fault: String,
    #[serde(default)]
    times: String,
    #[serde(default)]
    of_thousand: String,
}

#[derive(Deserialize)]
struct Wanted {
    level: Level,
}

/// Serves the page on a free port of 127.0.0.1, for as long as the process lives; its address.
pub async fn serve(faults: Arc<Faults>) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let at = listener.local_addr()?;
    let router = router(faults);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the sandbox's page is gone");
        }
    });
    Ok(at)
}

fn router(faults: Arc<Faults>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/switches", get(shown).post(switch))
        .route("/level", post(level))
        .with_state(faults)
}

async fn shown(State(faults): State<Arc<Faults>>) -> Json<Vec<Shown>> {
    Json(faults.switches().shown())
}

async fn switch(State(faults): State<Arc<Faults>>, Form(asked): Form<Asked>) -> Response {
    let Some(wrong) = Wrong::named(&asked.fault) else {
        let known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        return (StatusCode::BAD_REQUEST, format!("fault is one of {}", known.join(", "))).into_response();
    };
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u32>().ok() };
    match (number(&asked.times), number(&asked.of_thousand)) {
        (Some(0), Some(0)) => faults.switches().off(&asked.call, wrong),
        (Some(times), Some(0)) => faults.switches().on(&asked.call, wrong, Switch::Times(times)),
        (Some(0), Some(rate @ 1..=1000)) => faults.switches().on(&asked.call, wrong, Switch::OfThousand(rate)),
        _ => {
            return (StatusCode::BAD_REQUEST, "either times, or ofThousand up to 1000").into_response();
        }
    }
    Redirect::to("/").into_response()
}

async fn level(State(faults): State<Arc<Faults>>, Form(wanted): Form<Wanted>) -> Redirect {
    faults.set_level(wanted.level);
    Redirect::to("/")
}

async fn page(State(faults): State<Arc<Faults>>) -> Html<String> {
    let mut rows = String::new();
    for Shown { call, fault, times, of_thousand } in faults.switches().shown() {
        let how = match (times, of_thousand) {
            (Some(times), _) => format!("the next {times}"),
            (_, rate) => format!("{} of 1000", rate.unwrap_or_default()),
        };
        let call = escaped(&call);
        let _ = write!(
            rows,
            "<tr><td>{call}<td>{fault}<td>{how}<td><form method=post action=/switches><input type=hidden name=call \
             value=\"{call}\"><input type=hidden name=fault value={fault}><button>off</button></form>"
        );
    }
    let options = |names: &[&str]| names.iter().fold(String::new(), |all, name| all + "<option>" + name + "</option>");
    let faults_known: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    let level = faults.level();
    let levels = [Level::None, Level::Some, Level::Heavy].map(|one| {
        let name = format!("{one:?}").to_lowercase();
        format!("<option{}>{name}</option>", if one == level { " selected" } else { "" })
    });
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Houbu sandbox</title>\
         <style>body{{font:16px sans-serif;max-width:50em;margin:2em auto}}td{{padding:.2em 1em .2em 0}}</style>\
         <h1>The outside world</h1>\
         <h2>How much goes wrong</h2><form method=post action=/level><select name=level>{}</select> <button>set</button></form>\
         <h2>What is to go wrong</h2><form method=post action=/switches>\
         <input name=call list=calls required placeholder=call><datalist id=calls>{}</datalist> \
         <select name=fault>{}</select> times <input name=times size=4> or of 1000 <input name=ofThousand size=4> \
         <button>on</button></form><table>{rows}</table></html>",
        levels.concat(),
        options(&CALLS),
        options(&faults_known),
    ))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::faults::Fault;
    use super::*;

    #[tokio::test]
    async fn behaviour_is_switched_on_and_off_one_by_one() {
        let faults = Arc::new(Faults::new(Level::None, 7));
        let at = serve(Arc::clone(&faults)).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = async |path: &str, form: &'static str| {
            let request =
                http.post(format!("http://{at}{path}")).header("content-type", "application/x-www-form-urlencoded");
            request.body(form).send().await.unwrap()
        };
        assert_eq!(faults.request("2007", "a"), None);
        assert!(post("/switches", "call=2007&fault=cut-after&times=1").await.status().is_success());
        let page = http.get(format!("http://{at}/")).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("the next 1"), "{page}");
        assert_eq!(faults.request("2007", "b"), Some(Fault::CutAfter));
        assert_eq!(faults.request("2007", "c"), None, "once");

        post("/switches", "call=2007&fault=slow&ofThousand=1000").await;
        assert_eq!(faults.request("2007", "d"), Some(Fault::Slow));
        post("/switches", "call=2007&fault=slow").await;
        assert_eq!(faults.request("2007", "e"), None);
        for wrong in [
            "call=2007&fault=fire&times=1",
            "call=2007&fault=slow&times=1&ofThousand=5",
            "call=2007&fault=slow&times=x",
        ] {
            assert_eq!(post("/switches", wrong).await.status(), 400, "{wrong}");
        }

        post("/level", "level=heavy").await;
        assert!((0..100).any(|n| faults.request("2007", &n.to_string()).is_some()));
    }
}

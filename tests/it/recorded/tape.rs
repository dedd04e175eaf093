//! Recordings: read from `tests/recorded/**/*.http`, and played to whoever asks what stands there.
//!
//! A file is a list of scenarios. `### title` begins one, lines `# name: value` say of it what is no part of the wire (`call`, `code`,
//! `means`, `charset`), and after them stand its exchanges: a request as it is sent, then the answer from `HTTP/1.1 <status>` on.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use houbu::ports::his::Charset;
use serde_json::Value;

/// One message of an exchange: its headers and its body, each line as in the file.
#[derive(Debug, Clone, Default)]
struct Told {
    headers: Vec<(String, String)>,
    body: String,
}

/// What must be asked, and what is answered.
#[derive(Debug, Clone)]
struct Exchange {
    method: String,
    target: String,
    asked: Told,
    status: u16,
    answered: Told,
}

/// One scenario of a file.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) title: String,
    notes: BTreeMap<String, String>,
    exchanges: Vec<Exchange>,
}

impl Scenario {
    pub(super) fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// Everything that is answered in it.
    pub(super) fn answers(&self) -> String {
        self.exchanges.iter().map(|it| it.answered.body.as_str()).collect()
    }
}

/// A file: what its first line says, and its scenarios.
pub(super) struct Recording {
    pub(super) source: String,
    pub(super) scenarios: Vec<Scenario>,
}

/// `tests/recorded/<folder>`.
pub(super) fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(of)
}

/// The recordings of a folder, each under its name.
pub(super) fn recordings(of: &str) -> BTreeMap<String, Recording> {
    let files = std::fs::read_dir(folder(of)).unwrap().map(|entry| entry.unwrap().path());
    let read = files.filter(|file| file.extension().is_some_and(|it| it == "http")).map(|file| {
        let text = std::fs::read_to_string(&file).unwrap();
        let (head, rest) = text.split_once("\n### ").unwrap_or_else(|| panic!("{}: no scenario", file.display()));
        let scenarios = rest.split("\n### ").map(|one| scenario(one, &file)).collect();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, Recording { source: head.to_owned(), scenarios })
    });
    read.collect()
}

fn scenario(text: &str, file: &Path) -> Scenario {
    let mut lines = text.lines().peekable();
    let title = lines.next().unwrap_or_default().to_owned();
    let mut notes = BTreeMap::new();
    while let Some((name, value)) = lines.peek().and_then(|line| line.strip_prefix("# ")?.split_once(':')) {
        notes.insert(name.to_owned(), value.trim().to_owned());
        lines.next();
    }
    let mut exchanges = Vec::<Exchange>::new();
    let (mut answering, mut within) = (false, false);
    for line in lines {
        if let Some((method, target)) = line.split_once(" /").filter(|_| begins(line)) {
            let (method, target) = (method.to_owned(), format!("/{target}"));
            exchanges.push(Exchange { method, target, asked: Told::default(), status: 0, answered: Told::default() });
            (answering, within) = (false, false);
            continue;
        }
        let exchange = exchanges.last_mut().unwrap_or_else(|| panic!("{}: {title}: {line}", file.display()));
        if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
            exchange.status = status.trim().parse().unwrap();
            (answering, within) = (true, false);
            continue;
        }
        let told = if answering { &mut exchange.answered } else { &mut exchange.asked };
        match line.split_once(": ") {
            Some((name, value)) if !within => told.headers.push((name.to_ascii_lowercase(), value.to_owned())),
            _ => {
                within = true;
                told.body.push_str(line);
            }
        }
    }
    assert!(exchanges.iter().all(|it| it.status != 0) && !exchanges.is_empty(), "{}: {title}", file.display());
    Scenario { title, notes, exchanges }
}

fn begins(line: &str) -> bool {
    ["GET /", "POST /", "PATCH /"].iter().any(|method| line.starts_with(method))
}

/// Plays a scenario, each exchange once and in order.
pub(super) struct Tape {
    left: Mutex<VecDeque<Exchange>>,
    charset: Charset,
    /// Where answers carry a stamp: it is about their nonce and time, so whoever plays them makes it.
    stamped: Option<&'static str>,
    differences: Mutex<Vec<String>>,
}

impl Tape {
    /// Plays; the address and the tape.
    pub(super) async fn play(scenario: &Scenario, stamped: Option<&'static str>) -> (String, Arc<Self>) {
        let charset = if scenario.note("charset") == Some("gbk") { Charset::Gbk } else { Charset::Utf8 };
        let left = Mutex::new(scenario.exchanges.clone().into());
        let tape = Arc::new(Self { left, charset, stamped, differences: Mutex::default() });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&tape));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (address, tape)
    }

    /// In what it is written.
    pub(super) fn charset(&self) -> Charset {
        self.charset
    }

    /// Holds that all was asked as it stands there, and nothing more.
    pub(super) fn was_asked(&self, what: &str) {
        let differences = self.differences.lock().unwrap();
        assert!(differences.is_empty(), "{what}:\n{}", differences.join("\n"));
        assert!(self.left.lock().unwrap().is_empty(), "{what}: something was not asked");
    }

    /// In what a request differs from the one that is recorded.
    fn compare(&self, exchange: &Exchange, (method, uri, headers): (&Method, &Uri, &HeaderMap), body: &[u8]) {
        let differ = |what: &str, recorded: String, sent: String| {
            if recorded != sent {
                self.differences.lock().unwrap().push(format!("{what}\n  recorded {recorded}\n  sent     {sent}"));
            }
        };
        differ("method", exchange.method.clone(), method.to_string());
        differ("target", target(&exchange.target), target(&uri.to_string()));
        for (name, value) in &exchange.asked.headers {
            let sent = headers.get(name).map(|it| it.to_str().unwrap().to_owned());
            differ(name, value.clone(), sent.unwrap_or_default());
        }
        let json = |text: &[u8]| serde_json::from_slice::<Value>(text).map(|value| value.to_string());
        let recorded = self.charset.bytes(&exchange.asked.body).into_owned();
        match (json(&recorded), json(body)) {
            (Ok(recorded), Ok(sent)) => differ("body", recorded, sent),
            _ => differ("body", String::from_utf8_lossy(&recorded).into(), String::from_utf8_lossy(body).into()),
        }
    }
}

/// A path with its query, however that is escaped.
fn target(written: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://tape{written}")).unwrap();
    let mut query: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    query.sort();
    format!("{} {query:?}", url.path())
}

async fn answer(State(tape): State<Arc<Tape>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let Some(exchange) = tape.left.lock().unwrap().pop_front() else {
        tape.differences.lock().unwrap().push(format!("{method} {uri} is asked, and nothing more is recorded"));
        return StatusCode::NOT_IMPLEMENTED.into_response();
    };
    tape.compare(&exchange, (&method, &uri, &headers), &body);
    let told = tape.charset.bytes(&exchange.answered.body).into_owned();
    let mut response = (StatusCode::from_u16(exchange.status).unwrap(), told.clone()).into_response();
    let stamp = tape.stamped.map(|key| stamp(key, &tape, &headers, &body, &told)).unwrap_or_default();
    for (name, value) in exchange.answered.headers.into_iter().chain(stamp) {
        response.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    response
}

/// The stamp of a request, made anew beside the one that was sent; and that of the answer.
fn stamp(key: &str, tape: &Tape, headers: &HeaderMap, asked: &[u8], told: &[u8]) -> Vec<(String, String)> {
    let said = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
    let (at, nonce) = (said("x-houbu-timestamp"), said("x-houbu-nonce"));
    let signed = |way: &str, body: &[u8]| {
        let message = [format!("{way}\n{at}\n{nonce}\n").as_bytes(), body].concat();
        hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), &message))
    };
    if said("x-houbu-signature") != signed("call", asked) {
        tape.differences.lock().unwrap().push("the request's signature is wrong".to_owned());
    }
    let names = ["x-houbu-timestamp", "x-houbu-nonce", "x-houbu-signature"].map(str::to_owned);
    names.into_iter().zip([at.clone(), nonce.clone(), signed("answer", told)]).collect()
}

//! `houbu his-check`: asks a HIS test system what it supports, and says so in one line each. Nothing of ours is read or
//! changed; at the HIS one lock is made and given back, and with `--book` one booking made and cancelled.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chrono::Utc;
use serde_json::json;
use tokio::sync::mpsc;

use crate::app::clients;
use crate::config::Config;
use crate::ports::his::conformance::{self, Finding, Scope, Standing};
use crate::ports::his::{Push, PushAnswer, PushError, PushReader};

/// What `houbu his-check` may be told.
#[derive(Debug, clap::Args)]
pub struct HisCheck {
    /// The configuration file with the [his] of the test system; --config does as well.
    file: Option<PathBuf>,
    /// A department of the test system with free places in the next two weeks.
    #[arg(long)]
    department: String,
    /// Only read: make no lock.
    #[arg(long, conflicts_with = "book")]
    read_only: bool,
    /// Book a made-up patient, and cancel it again. Only for a test system.
    #[arg(long)]
    book: bool,
    /// With --book: wait so many seconds at `listen` for the push of that cancellation (5007 or 5002). HIS must be told to push
    /// here.
    #[arg(long, requires = "book", value_parser = clap::value_parser!(u64).range(1..=600))]
    pushes: Option<u64>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

impl HisCheck {
    /// The file that it names.
    pub(super) fn file(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }
}

pub(super) async fn run(config: &Config, asked: HisCheck) -> anyhow::Result<ExitCode> {
    let his = config.his.as_ref().ok_or_else(|| {
        anyhow::anyhow!(
            "[his] is not configured: `houbu config` prints every key, docs/integration/his.md says what goes in"
        )
    })?;
    let (listening, mut heard) = match asked.pushes {
        Some(_) => {
            let (telling, heard) = mpsc::unbounded_channel();
            (Some(listen(config, telling).await?), Some(heard))
        }
        None => (None, None),
    };
    let scope = Scope {
        department_id: asked.department.clone(),
        today: Utc::now().with_timezone(&config.time_zone).date_naive(),
        locks: !asked.read_only,
        books: asked.book,
    };
    let mut findings = conformance::ask(clients::real_his(config)?.as_ref(), &scope).await;
    if let (Some(seconds), Some(heard)) = (asked.pushes, heard.as_mut()) {
        let cancelled = findings.iter().any(|it| it.check == "order-cancelled" && it.standing == Standing::Supported);
        findings.push(if cancelled { pushed(heard, Duration::from_secs(seconds)).await } else { unasked() });
    }
    drop(listening);
    if asked.json {
        println!("{}", json!({ "protocol": his.protocol, "findings": findings }));
    } else {
        println!("{} speaks {}", his.url, his.protocol.name());
        for finding in &findings {
            println!("{} {}: {}", finding.standing.mark(), finding.check, finding.said);
        }
    }
    let wrong = findings.iter().any(|finding| finding.standing == Standing::Wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

type Heard = Result<Push, PushError>;

/// Listens for pushes as Houbu does, until it is dropped.
async fn listen(config: &Config, hears: mpsc::UnboundedSender<Heard>) -> anyhow::Result<Listening> {
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .map_err(|error| anyhow::anyhow!("{} cannot be listened at for pushes: {error}", config.listen))?;
    let ear = Arc::new(Ear { reader: PushReader::of(&clients::real_his_config(config)?)?, hears });
    let router = Router::new()
        .route("/callbacks/his", post(in_soap))
        .route("/callbacks/his/events", post(as_event))
        .with_state(ear);
    Ok(Listening(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            eprintln!("pushes are listened for no longer: {error}");
        }
    })))
}

struct Listening(tokio::task::JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Ear {
    reader: PushReader,
    hears: mpsc::UnboundedSender<Heard>,
}

impl Ear {
    fn takes(&self, push: Heard) -> PushAnswer {
        let answer = push.as_ref().map_or_else(|error| PushAnswer::from(*error), |_| PushAnswer::Accepted);
        // Nobody listens any more once the check is over.
        let _ = self.hears.send(push);
        answer
    }
}

async fn in_soap(State(ear): State<Arc<Ear>>, raw: Bytes) -> Vec<u8> {
    ear.reader.answer(ear.takes(ear.reader.read(&raw)))
}

async fn as_event(State(ear): State<Arc<Ear>>, headers: HeaderMap, raw: Bytes) -> Response {
    let now = Utc::now();
    let answer = ear.takes(ear.reader.read_event(&headers, &raw, now));
    let told = ear.reader.answer_event(&headers, answer, now);
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, told.headers, told.body).into_response()
}

/// Whether the cancellation was pushed.
async fn pushed(heard: &mut mpsc::UnboundedReceiver<Heard>, patience: Duration) -> Finding {
    let check = "pushes";
    let mut said =
        format!("none came within {} s: only the sync finds what other channels cancel (R14)", patience.as_secs());
    let mut standing = Standing::Absent;
    let listening = async {
        while let Some(push) = heard.recv().await {
            match push {
                Ok(Push::Cancelled { .. }) => return Some("5007 came: every channel's cancellations are pushed"),
                Ok(Push::OrderCancelled { .. }) => return Some("5002 came: our own cancellations are pushed"),
                Ok(_) => {}
                Err(error) => {
                    (standing, said) = (Standing::Wrong, format!("one came that cannot be believed: {error}"));
                }
            }
        }
        None
    };
    match tokio::time::timeout(patience, listening).await {
        Ok(Some(came)) => Finding { check, standing: Standing::Supported, said: came.to_owned() },
        _ => Finding { check, standing, said },
    }
}

fn unasked() -> Finding {
    let said = "nothing was cancelled that could be pushed".to_owned();
    Finding { check: "pushes", standing: Standing::NotAsked, said }
}

//! `GET /`: runs, newest first, each with why it stands where it stands. Where nothing is asked for, the applications: jobs
//! start far more runs than patients do.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::words::{self, Words, fixed};
use crate::desk::why::sentence;
use crate::engine::inspect::Filter;
use crate::http::Surface;
use crate::http::extract::{Query, Reads};
use crate::http::problem::Problem;
use crate::waitlist::language::Language;
use crate::workflows::waitlist_application::WaitlistApplication;

/// Runs of one page.
const PAGE: i64 = 50;
/// The statuses that can be picked.
const STATUSES: [&str; 6] = ["suspended", "unrunnable", "waiting", "pending", "running", "completed"];

/// Which runs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    workflow: Option<String>,
    status: String,
    q: String,
    lang: String,
    cursor: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Page<'a> {
    words: Words,
    tag: &'static str,
    other_tag: &'static str,
    lang: &'a str,
    workflow: &'a str,
    workflows: Vec<&'static str>,
    picked: &'a str,
    q: &'a str,
    statuses: Vec<(&'static str, &'a str)>,
    rows: Vec<Row>,
    older: Option<Uuid>,
}

struct Row {
    workflow: String,
    key: String,
    step: String,
    status: String,
    status_name: String,
    why: String,
    updated: String,
}

pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Reads(reads): Reads,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let language = match wanted.lang.as_str() {
        "en" => Language::En,
        "zh-CN" => Language::ZhCn,
        _ => reads,
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let asks = !wanted.status.is_empty() || !wanted.q.is_empty();
    let workflow = wanted.workflow.as_deref().unwrap_or(if asks { "" } else { WaitlistApplication::NAME });
    let filter = Filter {
        workflow: some(workflow),
        status: some(&wanted.status),
        q: some(&wanted.q),
        before: wanted.cursor,
        most: PAGE,
        ..Filter::default()
    };
    let found = surface.desk.runs(filter).await?;
    let full = i64::try_from(found.len()).is_ok_and(|length| length >= PAGE);
    let older = found.last().filter(|_| full).map(|last| last.seen.id);
    let tz = surface.desk.ports.tz;
    let rows = found.into_iter().map(|shown| Row {
        why: sentence(&shown.why, language, tz),
        updated: shown.seen.updated_at.with_timezone(&tz).format("%m-%d %H:%M:%S").to_string(),
        status_name: words::status(&shown.seen.status, language).to_owned(),
        workflow: shown.seen.workflow,
        key: shown.seen.key,
        step: shown.seen.step,
        status: shown.seen.status,
    });
    let page = Page {
        words: fixed(language),
        tag: language.tag(),
        other_tag: if language == Language::En { "zh-CN" } else { "en" },
        lang: &wanted.lang,
        workflow,
        workflows: surface.desk.engine.registry.tables().map(|table| table.name).collect(),
        picked: &wanted.status,
        q: &wanted.q,
        statuses: STATUSES.iter().map(|name| (*name, words::status(name, language))).collect(),
        rows: rows.collect(),
        older,
    };
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Problem::internal()
    })?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; form-action 'self'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Html(html)).into_response())
}

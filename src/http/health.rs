//! How the whole is, for operators: what is wrong, how bad it is and what to do about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, FixedOffset, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::openapi::Problems;
use super::problem::{Problem, language_of};
use crate::desk::advice;
use crate::desk::health::{self, Health};
use crate::engine::health::{Finding as Found, Severity};
use crate::waitlist::language::Language;

/// How the whole is.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "status": "warning", "checkedAt": "2025-11-25T10:00:00+08:00", "findings": [{
        "code": "suspended_runs", "severity": "warning", "sentence": "3 runs wait for a person.",
        "advice": "List them with houbu runs list --status suspended."
    }], "due": [{ "destination": "his", "runs": 4, "oldestSeconds": 1.5 }], "suspendedRuns": 3, "suspendedLetters": 0,
    "workers": ["house-1"]
}))]
pub struct Report {
    /// The worst of the findings: `ok`, `notice`, `warning`, `critical`.
    pub status: String,
    /// When it was looked at, by this machine's clock.
    pub checked_at: DateTime<FixedOffset>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// What is due and in nobody's hands, by the system that it calls.
    pub due: Vec<Due>,
    /// Runs that wait for a person.
    pub suspended_runs: i64,
    /// Messages that wait for a person.
    pub suspended_letters: i64,
    /// Who works, by name.
    pub workers: Vec<String>,
}

/// Something that is wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Its stable name, for programs.
    pub code: String,
    /// `notice`, `warning`, `critical`.
    pub severity: String,
    /// What is wrong, in the language of `Accept-Language`.
    pub sentence: String,
    /// What to do about it.
    pub advice: String,
}

/// What is due at one system outside.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Due {
    /// The system; empty: runs that call nobody now.
    pub destination: String,
    /// Runs.
    pub runs: i64,
    /// How long the oldest has been due, seconds.
    pub oldest_seconds: f64,
}

/// What is wrong with the whole and with the process that answers, and what to do about it.
#[utoipa::path(
    get, path = "/v1/health", tag = "operations", security(("apiKey" = [])),
    responses((status = 200, body = Report), Problems)
)]
pub(super) async fn show(State(surface): State<Arc<Surface>>, headers: HeaderMap) -> Result<Json<Report>, Problem> {
    let health = surface.desk.health().await?;
    Ok(Json(report(&surface, health, language_of(&headers))))
}

fn report(surface: &Surface, health: Health, language: Language) -> Report {
    let tz = surface.desk.ports.tz;
    let survey = &health.survey;
    let due = survey.due.iter().map(|(destination, backlog)| Due {
        destination: destination.clone(),
        runs: backlog.count,
        oldest_seconds: backlog.oldest_s,
    });
    Report {
        status: health.worst().map_or("ok", Severity::name).to_owned(),
        checked_at: surface.local(Utc::now()),
        findings: health.findings.iter().map(|found| finding(found, language, tz)).collect(),
        due: due.collect(),
        suspended_runs: survey.with_status("suspended"),
        suspended_letters: survey.letters_with("suspended"),
        workers: survey.workers.iter().map(|worker| worker.name.clone()).collect(),
    }
}

fn finding(found: &Found, language: Language, tz: chrono_tz::Tz) -> Finding {
    Finding {
        code: found.code().to_owned(),
        severity: found.severity().name().to_owned(),
        sentence: health::sentence(found, language, tz),
        advice: advice::advice(found, language).to_owned(),
    }
}

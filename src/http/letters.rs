//! Messages that the platform did not take: which they are and why, and sent again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Query};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::by;
use crate::desk::letters::{RETRIED_MAX, Wanted};
use crate::desk::paging;
use crate::engine::staff::letters::PutAside;

/// Messages of one page.
const PAGE: i64 = 100;

/// Which messages.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Of this topic, for example `notice`.
    pub topic: Option<String>,
    /// Whose last error contains this text.
    pub error: Option<String>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// A page of messages.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Letters {
    /// By id.
    pub items: Vec<Letter>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A message that waits for a person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "letterId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11:3:booked", "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11",
    "topic": "notice", "attempts": 1, "error": "wechat refuses template send for good: errcode 40037",
    "createdAt": "2025-11-25T10:00:00+08:00"
}))]
pub struct Letter {
    /// Its id, which the receiver knows.
    pub letter_id: String,
    /// The run that wrote it.
    pub run_id: Uuid,
    /// What kind it is.
    pub topic: String,
    /// Failed attempts.
    pub attempts: i32,
    /// Why it was put aside.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<FixedOffset>,
}

/// Which messages are sent again, and why: those that are named, or all that a filter holds, 500 at most.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "error": "40037", "reason": "the template is approved again" }))]
pub struct Retry {
    /// These.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub letter_ids: Vec<String>,
    /// Those of this topic.
    pub topic: Option<String>,
    /// Those whose last error contains this text.
    pub error: Option<String>,
    /// Stands in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// What is sent again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "letterIds": ["0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11:3:booked"], "more": false }))]
pub struct Retried {
    /// These; what did not wait for a person is not among them.
    pub letter_ids: Vec<String>,
    /// True where the filter holds more: ask again.
    pub more: bool,
}

/// Lists the messages that wait for a person: refused for good, or with all retries spent.
#[utoipa::path(
    get, path = "/v1/letters", tag = "runs", params(Which), security(("apiKey" = [])),
    responses((status = 200, body = Letters), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Query(which): Query<Which>,
) -> Result<Json<Letters>, Problem> {
    let wanted = Wanted { topic: which.topic, error: which.error, after: which.cursor, most: paging::asked(PAGE) };
    let mut found = surface.desk.letters_put_aside(&wanted).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.id.clone());
    Ok(Json(Letters { items: found.into_iter().map(|one| letter(&surface, one)).collect(), next_cursor }))
}

/// Sends messages again, with all their attempts. One that is no longer true is not sent.
#[utoipa::path(
    post, path = "/v1/letters/retry", tag = "runs", security(("apiKey" = [])),
    params(IdempotencyKey), request_body = Retry, responses((status = 202, body = Retried), Problems)
)]
pub(super) async fn retry(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<Retry>,
) -> Result<(StatusCode, Json<Retried>), Problem> {
    let by = by(&caller, asked.reason)?;
    let named = !asked.letter_ids.is_empty();
    if named == (asked.topic.is_some() || asked.error.is_some()) {
        return Err(Problem::invalid("name letterIds, or a filter of topic and error"));
    }
    let (ids, more) = if named {
        (asked.letter_ids, false)
    } else {
        let wanted = Wanted { topic: asked.topic, error: asked.error, after: None, most: RETRIED_MAX };
        let found = surface.desk.letters_put_aside(&wanted).await?;
        let more = i64::try_from(found.len()).is_ok_and(|length| length >= RETRIED_MAX);
        (found.into_iter().map(|one| one.id).collect(), more)
    };
    if i64::try_from(ids.len()).map_or(true, |count| count > RETRIED_MAX) {
        return Err(Problem::invalid(format!("letterIds has {RETRIED_MAX} ids at most")));
    }
    let retried = surface.desk.retry_letters(&ids, &by).await?;
    let letter_ids = retried.into_iter().map(|one| one.id).collect();
    Ok((StatusCode::ACCEPTED, Json(Retried { letter_ids, more })))
}

fn letter(surface: &Surface, one: PutAside) -> Letter {
    Letter {
        letter_id: one.id,
        run_id: one.run_id,
        topic: one.topic,
        attempts: one.attempt,
        error: one.last_error,
        created_at: surface.local(one.created_at),
    }
}

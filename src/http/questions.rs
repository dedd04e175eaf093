//! Questions to patients: is an application or a visit kept, as it is by now (R34) or beside another visit (R35)?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Surface;
use super::extract::{Body, Path};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::waitlist::{Entry, entry};

/// Who sees the patient, and when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "doctorId": "D-17", "visitDate": "2025-11-28", "part": "morning" }))]
pub struct Sitting {
    /// The doctor.
    pub doctor_id: String,
    /// The day.
    pub visit_date: NaiveDate,
    /// morning, afternoon, evening, wholeDay.
    pub part: String,
}

/// What the patient is asked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "change:1764118800000000", "about": "change", "until": "2025-11-26T20:00:00Z",
    "sitting": { "doctorId": "D-17", "visitDate": "2025-11-28", "part": "morning" }
}))]
pub struct Question {
    /// Its id.
    pub id: String,
    /// `change`: the doctor, day or half-day is another one by now; without an answer in time the application or the visit ends,
    /// and what was paid goes back. `otherVisit`: another application came to a visit on that day; without an answer in time this
    /// one waits on.
    pub about: String,
    /// Until when.
    pub until: DateTime<FixedOffset>,
    /// What the schedule is by now.
    pub sitting: Option<Sitting>,
}

/// Keep it or leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// The application or the visit is kept, as it is by now.
    Keep,
    /// It ends; what was paid goes back.
    Leave,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "answer": "keep", "questionId": "change:1764118800000000" }))]
pub struct Answered {
    /// Keep it or leave.
    pub answer: Choice,
    /// The `question.id` that was shown: another one that stands open by now is not answered by mistake. Default: whichever does.
    #[serde(default)]
    pub question_id: Option<String>,
}

/// Answers the question that stands open: the application or the visit is kept, or it ends.
#[utoipa::path(
    post, path = "/v1/waitlist/{waitlistId}/answer", tag = "waitlist", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path), IdempotencyKey), request_body = Answered,
    responses((status = 202, body = Entry), Problems)
)]
pub(super) async fn answer(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<Uuid>,
    Body(answered): Body<Answered>,
) -> Result<(StatusCode, Json<Entry>), Problem> {
    surface.desk.answer(id, answered.question_id.as_deref(), answered.answer == Choice::Keep).await?;
    Ok((StatusCode::ACCEPTED, Json(entry(&surface, surface.desk.entry(id).await?)?)))
}

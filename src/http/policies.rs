//! Settings of doctors, departments and campuses (R2, R24, R29).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query, foreign_id};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::desk::policy_changes::Since;
use crate::waitlist::policy::{Level, LevelPolicy};
use crate::waitlist::refusal::Refusal;

/// To whom settings were carried over.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "schedules": 12, "applications": 340 }))]
pub struct CarriedOver {
    /// Schedules whose places are handed out, or that somebody waits for.
    pub schedules: usize,
    /// Applications that may come to a place; those that are being offered one among them.
    pub applications: usize,
}

/// Why settings are changed.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhyChanged {
    /// Stands in the audit; no personal data. Without it, that the API was asked.
    #[param(min_length = 1, max_length = 200)]
    pub reason: Option<String>,
}

/// A change that is undone, and why.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "changeId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11", "reason": "the cap was meant for K02" }))]
pub struct UndonePolicy {
    /// The change: its id in `GET /v1/audit?verb=policy.put`.
    pub change_id: Uuid,
    /// Stands in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

fn level_of(name: &str) -> Result<Level, Problem> {
    Level::parse(name).ok_or_else(|| Refusal::NotFound.into())
}

/// Makes or replaces the settings of one level. They count for applications to come; `…/applications` carries them over to
/// those that wait, and `…/undo` undoes them. Stands in the audit.
#[utoipa::path(
    put, path = "/v1/policies/{level}/{id}", tag = "policies", security(("apiKey" = [])),
    params(("level" = Level, Path, description = "doctor, department, campus"), ("id" = String, Path), WhyChanged),
    request_body = LevelPolicy,
    responses((status = 200, body = LevelPolicy), Problems)
)]
pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((level, id)): Path<(String, String)>,
    Query(why): Query<WhyChanged>,
    Body(policy): Body<LevelPolicy>,
) -> Result<Json<LevelPolicy>, Problem> {
    foreign_id(&id, "id")?;
    let by = by(&caller, why.reason.unwrap_or_else(|| "PUT /v1/policies".to_owned()))?;
    surface.desk.change_policy(level_of(&level)?, &id, &policy, Since::Whatever, &by).await?;
    Ok(Json(policy))
}

/// The settings of one level.
#[utoipa::path(
    get, path = "/v1/policies/{level}/{id}", tag = "policies", security(("apiKey" = [])),
    params(("level" = Level, Path), ("id" = String, Path)),
    responses((status = 200, body = LevelPolicy), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path((level, id)): Path<(String, String)>,
) -> Result<Json<LevelPolicy>, Problem> {
    Ok(Json(surface.desk.policy(level_of(&level)?, &id).await?))
}

/// Undoes a change of these settings: they are made what they were before it, by a change of its own that stands in the audit. 409
/// `policy_changed` where they have been changed since. To whom the change was carried over, they go by it until the settings
/// are carried over anew.
#[utoipa::path(
    post, path = "/v1/policies/{level}/{id}/undo", tag = "policies", security(("apiKey" = [])),
    params(("level" = Level, Path), ("id" = String, Path), IdempotencyKey), request_body = UndonePolicy,
    responses((status = 200, body = LevelPolicy), Problems)
)]
pub(super) async fn undo(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((level, id)): Path<(String, String)>,
    Body(undone): Body<UndonePolicy>,
) -> Result<Json<LevelPolicy>, Problem> {
    foreign_id(&id, "id")?;
    let by = by(&caller, undone.reason)?;
    Ok(Json(surface.desk.undo_policy(level_of(&level)?, &id, undone.change_id, &by).await?))
}

/// Has everybody who waits under this level go by the present settings: cutoff, windows and limits. How an application is paid
/// stays as it began, and so does an earlier end that its patient chose; an offer that is out keeps its terms. Places are handed
/// out until the new cutoff. A cutoff that has passed by the new settings ends the wait. Stands in the audit.
#[utoipa::path(
    post, path = "/v1/policies/{level}/{id}/applications", tag = "policies", security(("apiKey" = [])),
    params(("level" = Level, Path), ("id" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 200, body = CarriedOver), Problems)
)]
pub(super) async fn carry_over(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((level, id)): Path<(String, String)>,
    Body(why): Body<Reason>,
) -> Result<Json<CarriedOver>, Problem> {
    foreign_id(&id, "id")?;
    let by = by(&caller, why.reason)?;
    let done = surface.desk.carry_over(level_of(&level)?, &id, &by).await?;
    Ok(Json(CarriedOver { schedules: done.schedules, applications: done.applications }))
}

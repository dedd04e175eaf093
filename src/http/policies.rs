//! Settings of doctors, departments and campuses (R2, R24, R29).

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, foreign_id};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
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

fn level_of(name: &str) -> Result<Level, Problem> {
    Level::parse(name).ok_or_else(|| Refusal::NotFound.into())
}

/// Makes or replaces the settings of one level. They count for applications to come; `…/applications` carries them over to
/// those that wait.
#[utoipa::path(
    put, path = "/v1/policies/{level}/{id}", tag = "policies", security(("apiKey" = [])),
    params(("level" = Level, Path, description = "doctor, department, campus"), ("id" = String, Path)),
    request_body = LevelPolicy,
    responses((status = 200, body = LevelPolicy), Problems)
)]
pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    Path((level, id)): Path<(String, String)>,
    Body(policy): Body<LevelPolicy>,
) -> Result<Json<LevelPolicy>, Problem> {
    foreign_id(&id, "id")?;
    surface.desk.put_policy(level_of(&level)?, &id, &policy).await?;
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

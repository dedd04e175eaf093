//! Settings of doctors, departments and campuses (R2, R24, R29).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Surface;
use super::extract::{Body, Path, foreign_id};
use super::openapi::Problems;
use super::problem::Problem;
use crate::waitlist::policy::{Level, LevelPolicy};
use crate::waitlist::refusal::Refusal;

fn level_of(name: &str) -> Result<Level, Problem> {
    Level::parse(name).ok_or_else(|| Refusal::NotFound.into())
}

/// Makes or replaces the settings of one level. They count for applications to come.
#[utoipa::path(
    put, path = "/v1/policies/{level}/{id}", tag = "policies", security(("apiKey" = [])),
    params(("level" = Level, Path, description = "doctor, department, campus"), ("id" = String, Path)),
    request_body(
        content = LevelPolicy,
        example = json!({ "switch": "on", "cap": 200, "paymentMode": "lockThenPay", "offerWindowMinutes": 30 })
    ),
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

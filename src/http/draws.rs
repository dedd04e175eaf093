//! The draw of a queue's order (R17): what was fixed at the opening, and what anybody needs to check it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::extract::Path;
use super::openapi::Problems;
use super::problem::Problem;
use crate::waitlist::draw::Transcript;

/// Where a draw stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Nobody has applied yet; the seed is fixed.
    Fixed,
    /// Whoever applies now takes part.
    Open,
    /// It was held.
    Drawn,
}

/// The draw of a schedule's queue. Once it was held the transcript's fields are here too, and the whole is what
/// `houbu draw verify` reads.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "stage": "open", "scheduleId": "S1",
    "commitment": "147a847b70c11ffcdb32d00fc061ee037edfa6bfa27daa5a9df1135aa158a029",
    "openedAt": "2026-03-02T09:00:00+08:00", "heldAt": "2026-03-02T09:30:00+08:00"
}))]
pub struct Draw {
    /// Where it stands.
    pub stage: Stage,
    /// The schedule whose draw it is: where the half-days of a day have one queue, they have one draw, of one of them (Q2).
    pub schedule_id: String,
    /// SHA-256 of `houbu-draw-1\n`, the hospital, `\n`, the schedule, `\n` and the 32 bytes of the seed.
    pub commitment: String,
    /// When the first one applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<FixedOffset>>,
    /// Who applies before this takes part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<DateTime<FixedOffset>>,
    /// When it was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_at: Option<DateTime<FixedOffset>>,
    /// `houbu-draw-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
    /// The hospital.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hospital: Option<String>,
    /// The seed, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// Every application of the window, in the order of arrival.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applications: Option<Vec<uuid::Uuid>>,
    /// The same by SHA-256 of the seed, SHA-256 of the pool (the ids sorted, a line each) and the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<uuid::Uuid>>,
}

/// Shows the draw of a schedule's queue. Asked before the first application, it fixes the seed and shows its hash; once
/// the draw was held it shows seed, applications and order. 404 where a queue is served by arrival.
#[utoipa::path(
    get, path = "/v1/schedules/{scheduleId}/draw", tag = "schedules", security(("apiKey" = [])),
    params(("scheduleId" = String, Path, description = "HIS's REG_ID")),
    responses((status = 200, body = Draw), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(schedule_id): Path<String>,
) -> Result<Json<Draw>, Problem> {
    let draw = surface.desk.draw(&schedule_id).await?;
    let local = |at: Option<DateTime<chrono::Utc>>| at.map(|at| surface.local(at));
    let stage = match (draw.opened_at, draw.drawn_at) {
        (_, Some(_)) => Stage::Drawn,
        (Some(_), None) => Stage::Open,
        (None, None) => Stage::Fixed,
    };
    let (procedure, hospital, seed, applications, order) = match draw.transcript {
        Some(Transcript { procedure, hospital, seed, applications, order, .. }) => {
            (Some(procedure), Some(hospital), Some(seed), Some(applications), Some(order))
        }
        None => Default::default(),
    };
    Ok(Json(Draw {
        stage,
        schedule_id: draw.of_schedule,
        commitment: draw.commitment,
        opened_at: local(draw.opened_at),
        held_at: local(draw.held_at),
        drawn_at: local(draw.drawn_at),
        procedure,
        hospital,
        seed,
        applications,
        order,
    }))
}

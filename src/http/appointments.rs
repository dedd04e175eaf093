//! Visits that came from the waitlist (R22).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::extract::{Path, Query};
use super::openapi::Problems;
use super::problem::Problem;
use super::questions::Sitting;
use super::schedules::{Accepted, Slot};
use crate::records::visits::Shown;

/// Whose.
#[derive(Debug, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct Wanted {
    /// The patient.
    pub patient_id: String,
}

/// Visits.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Appointments {
    /// Newest first.
    pub items: Vec<Appointment>,
}

/// A visit.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "appointmentId": "A01J055R4HMFAY8VVR14D2PF2DB01", "waitlistId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11",
    "scheduleId": "R20251128-0101-1", "slot": { "begins": "08:30:00", "ends": "09:00:00" }, "serial": "12",
    "place": "门诊楼3层", "status": "booked", "source": "waitlist", "bookedAt": "2025-11-27T10:00:00+08:00",
    "sitting": { "doctorId": "D-17", "visitDate": "2025-11-28", "part": "morning" }, "payType": "selfPay"
}))]
pub struct Appointment {
    /// Its id, ours.
    pub appointment_id: String,
    /// The application it came from.
    pub waitlist_id: Uuid,
    /// The schedule.
    pub schedule_id: String,
    /// Which time.
    #[schema(value_type = Slot)]
    pub slot: Value,
    /// 就诊序号.
    pub serial: String,
    /// Where to go.
    pub place: String,
    /// booked, fulfilled, cancelled.
    pub status: String,
    /// Where it came from: waitlist.
    pub source: String,
    /// When HIS booked it.
    pub booked_at: DateTime<FixedOffset>,
    /// Who sees the patient, and when, as the patient agreed (R34).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Sitting>)]
    pub sitting: Option<Value>,
    /// How the patient means to pay: selfPay or insurance (R7).
    #[schema(value_type = crate::waitlist::policy::PayType)]
    pub pay_type: String,
}

/// A patient's visits from the waitlist, newest first.
#[utoipa::path(
    get, path = "/v1/appointments", tag = "appointments", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = Appointments), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Appointments>, Problem> {
    let visits = surface.desk.visits_of(&wanted.patient_id).await?;
    Ok(Json(Appointments { items: visits.into_iter().map(|visit| appointment(&surface, visit)).collect() }))
}

/// Cancels a visit; its place goes to the next in line, what was paid goes back.
#[utoipa::path(
    delete, path = "/v1/appointments/{appointmentId}", tag = "appointments", security(("apiKey" = [])),
    params(("appointmentId" = String, Path)), responses((status = 202, body = Accepted), Problems)
)]
pub(super) async fn cancel(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    surface.desk.cancel_visit(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { accepted: true })))
}

fn appointment(surface: &Surface, visit: Shown) -> Appointment {
    Appointment {
        appointment_id: visit.id,
        waitlist_id: visit.entry_id,
        schedule_id: visit.schedule_id,
        slot: visit.slot,
        serial: visit.serial,
        place: visit.place,
        sitting: visit.sitting,
        status: visit.status,
        source: visit.source,
        booked_at: surface.local(visit.booked_at),
        pay_type: visit.pay_type,
    }
}

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
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct Wanted {
    /// The patient.
    patient_id: String,
}

/// Visits.
#[derive(Debug, Serialize, ToSchema)]
pub struct Appointments {
    /// Newest first.
    items: Vec<Appointment>,
}

/// A visit.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Appointment {
    /// Its id, ours.
    appointment_id: String,
    /// The application it came from.
    waitlist_id: Uuid,
    /// The schedule.
    schedule_id: String,
    /// Which time.
    #[schema(value_type = Slot)]
    slot: Value,
    /// 就诊序号.
    serial: String,
    /// Where to go.
    place: String,
    /// booked, fulfilled, cancelled.
    status: String,
    /// Where it came from: waitlist.
    source: String,
    /// When HIS booked it.
    booked_at: DateTime<FixedOffset>,
    /// Who sees the patient, and when, as the patient agreed (R34).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Sitting>)]
    sitting: Option<Value>,
    /// How the patient means to pay: selfPay or insurance (R7).
    #[schema(value_type = crate::waitlist::policy::PayType)]
    pay_type: String,
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

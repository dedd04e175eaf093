//! One person's data: handed over or forgotten, with a reason. Both stand in the audit.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::IntoParams;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};

/// Why the data of a person is opened.
#[derive(Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Because {
    /// Stands in the audit; no personal data.
    #[param(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Hands over all that is kept of a patient, opened: for the person's own request. A GET, whose answer is stored nowhere.
#[utoipa::path(
    get, path = "/v1/patients/{patientId}/export", tag = "patients", security(("apiKey" = [])),
    params(("patientId" = String, Path), Because),
    responses((status = 200, body = Object, example = json!({
        "patientId": "p1", "person": { "name": "…", "idType": "1", "idNumber": "…", "phone": "…" }, "applications": [],
        "appointments": [], "payments": [], "offers": [], "draws": [], "notices": [], "accounts": [], "audit": [],
        "blacklist": [], "appeals": [], "breaches": []
    })), Problems)
)]
pub(super) async fn export(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(patient_id): Path<String>,
    Query(why): Query<Because>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(surface.desk.export_patient(&patient_id, &by(&caller, why.reason)?).await?))
}

/// Forgets who a patient was. Applications, visits and payments stay under the id, which then says nothing. Refused while
/// something about the patient is under way.
#[utoipa::path(
    post, path = "/v1/patients/{patientId}/erasure", tag = "patients", security(("apiKey" = [])),
    params(("patientId" = String, Path), IdempotencyKey), request_body = Reason, responses((status = 204), Problems)
)]
pub(super) async fn erase(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(patient_id): Path<String>,
    Body(why): Body<Reason>,
) -> Result<StatusCode, Problem> {
    surface.desk.erase_patient(&patient_id, &by(&caller, why.reason)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

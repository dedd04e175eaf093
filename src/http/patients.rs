//! Patients: taken in whole, shown masked (4.4). No body of these requests is ever logged.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Surface;
use super::extract::{Body, Path, foreign_id};
use super::openapi::Problems;
use super::problem::Problem;
use crate::desk::put_patient::PatientData;

/// A patient.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "张三丰", "idType": "1", "idNumber": "11010519491231002X", "phone": "13800138000", "openid": "o-abc"
}))]
pub struct NewPatient {
    /// The name on the ID document.
    pub name: String,
    /// HIS's code: 1 身份证, 2 港澳, 3 台湾, 5 护照, 6 军官证, 7 出生证明, 10 医保卡, 99 other.
    pub id_type: String,
    /// The document's number.
    pub id_number: String,
    /// A mainland mobile number.
    pub phone: String,
    /// The payer and receiver at WeChat.
    #[serde(default)]
    pub openid: Option<String>,
    /// The guardian's name, for a patient under age.
    #[serde(default)]
    pub guardian: Option<String>,
}

/// A patient, as shown.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "patientId": "p-1001", "masked": { "name": "张*丰", "idNumber": "110***********002X", "phone": "138****8000" }
}))]
pub struct Patient {
    /// The caller's id.
    pub patient_id: String,
    /// Name, number and phone, masked.
    #[schema(value_type = Object)]
    pub masked: Value,
}

/// Stores or replaces a patient.
#[utoipa::path(
    put, path = "/v1/patients/{patientId}", tag = "patients", security(("apiKey" = [])),
    params(("patientId" = String, Path, description = "The caller's id")),
    request_body = NewPatient, responses((status = 200, body = Patient), Problems)
)]
pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    Path(patient_id): Path<String>,
    Body(new): Body<NewPatient>,
) -> Result<Json<Patient>, Problem> {
    foreign_id(&patient_id, "patientId")?;
    let data = PatientData {
        name: new.name,
        id_type: new.id_type,
        id_number: new.id_number,
        phone: new.phone,
        openid: new.openid,
        guardian: new.guardian,
    };
    let masked = surface.desk.put_patient(&patient_id, &data).await?;
    Ok(Json(Patient { patient_id, masked }))
}

/// Shows a patient, masked.
#[utoipa::path(
    get, path = "/v1/patients/{patientId}", tag = "patients", security(("apiKey" = [])),
    params(("patientId" = String, Path)), responses((status = 200, body = Patient), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(patient_id): Path<String>,
) -> Result<Json<Patient>, Problem> {
    let masked = surface.desk.patient(&patient_id).await?;
    Ok(Json(Patient { patient_id, masked }))
}

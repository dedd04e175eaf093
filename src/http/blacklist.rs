//! Who may not join a queue for a while (R32).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Datelike, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::records::patients::Blacklisted;

/// The last year that calendars everywhere can tell in every zone.
const YEAR_MAX: i32 = 9_998;

/// Why a patient may not join, and until when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "reason": "三次爽约", "until": "2099-12-31T00:00:00+08:00" }))]
pub struct Listing {
    /// For staff.
    pub reason: String,
    /// Until when; none: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<FixedOffset>>,
}

/// Blacklists a patient, or changes why and until when.
#[utoipa::path(
    put, path = "/v1/blacklist/{patientId}", tag = "blacklist", security(("apiKey" = [])),
    params(("patientId" = String, Path)), request_body = Listing,
    responses((status = 200, body = Listing), Problems)
)]
pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(patient_id): Path<String>,
    Body(listing): Body<Listing>,
) -> Result<Json<Listing>, Problem> {
    if listing.until.is_some_and(|until| until.year() > YEAR_MAX) {
        return Err(Problem::invalid(format!("until is in the year {YEAR_MAX} at the latest; leave it out for ever")));
    }
    if let Some(until) = listing.until
        && until <= surface.desk.now().await?
    {
        return Err(Problem::invalid("until has passed; lift the entry to end it".to_owned()));
    }
    let entry = Blacklisted { reason: listing.reason.clone(), until: listing.until.map(|until| until.to_utc()) };
    surface.desk.put_blacklist(&patient_id, &entry, &by(&caller, listing.reason.clone())?).await?;
    Ok(Json(listing))
}

/// The entry in force.
#[utoipa::path(
    get, path = "/v1/blacklist/{patientId}", tag = "blacklist", security(("apiKey" = [])),
    params(("patientId" = String, Path)), responses((status = 200, body = Listing), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(patient_id): Path<String>,
) -> Result<Json<Listing>, Problem> {
    let entry = surface.desk.blacklisted(&patient_id).await?;
    Ok(Json(Listing { reason: entry.reason, until: entry.until.map(|until| surface.local(until)) }))
}

/// Lifts an entry; one that is not there is lifted already. `POST …/lift` does the same with a reason.
#[utoipa::path(
    delete, path = "/v1/blacklist/{patientId}", tag = "blacklist", security(("apiKey" = [])),
    params(("patientId" = String, Path)), responses((status = 204), Problems)
)]
pub(super) async fn lift(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(patient_id): Path<String>,
) -> Result<StatusCode, Problem> {
    surface.desk.lift_blacklist(&patient_id, &by(&caller, "lifted without a word".to_owned())?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lifts what keeps a patient out, with a reason. Breaches that led to it count no more; those to come do.
#[utoipa::path(
    post, path = "/v1/blacklist/{patientId}/lift", tag = "blacklist", security(("apiKey" = [])),
    params(("patientId" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 204), Problems)
)]
pub(super) async fn lift_for(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(patient_id): Path<String>,
    Body(why): Body<Reason>,
) -> Result<StatusCode, Problem> {
    surface.desk.lift_blacklist(&patient_id, &by(&caller, why.reason)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

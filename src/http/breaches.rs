//! Breaches and what follows from them (R32): the rules, a patient's breaches, appeals.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query, foreign_id};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::by;
use crate::desk::paging;
use crate::records::breaches;
use crate::waitlist::breach::Rule;

/// Appeals of one page.
const PAGE: i64 = 100;

/// The most characters of an appeal.
const SAID_MAX: usize = 500;

/// A rule with its name.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "ruleId": "no-shows", "rule": {
    "event": "noShow", "windowDays": 365, "threshold": 3, "penaltyDays": 90, "scope": "hospital", "appealDays": 2
}}))]
pub struct NamedRule {
    /// Its name.
    pub rule_id: String,
    /// The rule.
    pub rule: Rule,
}

/// All rules.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Rules {
    /// By name.
    pub items: Vec<NamedRule>,
}

/// A breach.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "hisOrderId": "H0a5c", "visitDate": "2025-11-24", "departmentId": "K01", "channelId": "4", "event": "noShow",
    "state": "counts"
}))]
pub struct Breach {
    /// HIS's number of the visit.
    pub his_order_id: String,
    /// Its day.
    pub visit_date: NaiveDate,
    /// Where.
    pub department_id: String,
    /// Through which channel it was booked.
    pub channel_id: String,
    /// `noShow`, `lateCancel`.
    pub event: String,
    /// `counts`; `withdrawn` by HIS; `excused`: 停诊, or by staff.
    pub state: String,
    /// Why it is excused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A patient's breaches.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Breaches {
    /// Newest first.
    pub items: Vec<Breach>,
}

/// What a patient says against it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "said": "当日已到院，因系统故障未能签到。" }))]
pub struct Said {
    /// 1 to 500 characters; no personal data beyond the case.
    #[schema(min_length = 1, max_length = 500)]
    pub said: String,
}

/// An appeal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "appealId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11", "patientId": "p1", "said": "当日已到院，因系统故障未能签到。",
    "state": "open", "openedAt": "2025-11-25T10:00:00+08:00", "dueAt": "2025-11-27T10:00:00+08:00"
}))]
pub struct Appeal {
    /// Its id.
    pub appeal_id: Uuid,
    /// Whose.
    pub patient_id: String,
    /// What the patient says.
    pub said: String,
    /// `open`, `granted`, `refused`.
    pub state: String,
    /// When it came.
    pub opened_at: DateTime<FixedOffset>,
    /// By when it is to be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<FixedOffset>>,
    /// When it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<FixedOffset>>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
}

/// A page of appeals.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Appeals {
    /// Newest first.
    pub items: Vec<Appeal>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Uuid>,
}

/// Which appeals.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `open` (the default), `granted` or `refused`.
    pub state: Option<String>,
    /// `nextCursor` of the page before.
    pub cursor: Option<Uuid>,
}

/// What staff decide.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "granted": true, "reason": "签到系统当日故障" }))]
pub struct Decision {
    /// True: what keeps the patient out is lifted, and the breaches that led to it count no more.
    pub granted: bool,
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// The rules by which breaches keep a person out.
#[utoipa::path(
    get, path = "/v1/blacklist-rules", tag = "blacklist", security(("apiKey" = [])),
    responses((status = 200, body = Rules), Problems)
)]
pub(super) async fn rules(State(surface): State<Arc<Surface>>) -> Result<Json<Rules>, Problem> {
    let found = surface.desk.blacklist_rules().await?;
    Ok(Json(Rules { items: found.into_iter().map(|(rule_id, rule)| NamedRule { rule_id, rule }).collect() }))
}

/// Makes or replaces a rule. It counts for persons whose breaches HIS lists from then on.
#[utoipa::path(
    put, path = "/v1/blacklist-rules/{ruleId}", tag = "blacklist", security(("apiKey" = [])),
    params(("ruleId" = String, Path)), request_body = Rule, responses((status = 200, body = NamedRule), Problems)
)]
pub(super) async fn put_rule(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(rule_id): Path<String>,
    Body(rule): Body<Rule>,
) -> Result<Json<NamedRule>, Problem> {
    foreign_id(&rule_id, "ruleId")?;
    surface.desk.put_blacklist_rule(&rule_id, &rule, &by(&caller, "a rule is set".to_owned())?).await?;
    Ok(Json(NamedRule { rule_id, rule }))
}

/// Removes a rule. What follows from it alone is over.
#[utoipa::path(
    delete, path = "/v1/blacklist-rules/{ruleId}", tag = "blacklist", security(("apiKey" = [])),
    params(("ruleId" = String, Path)), responses((status = 204), Problems)
)]
pub(super) async fn remove_rule(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(rule_id): Path<String>,
) -> Result<StatusCode, Problem> {
    surface.desk.remove_blacklist_rule(&rule_id, &by(&caller, "a rule is removed".to_owned())?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A patient's breaches, whichever account they came under.
#[utoipa::path(
    get, path = "/v1/blacklist/{patientId}/breaches", tag = "blacklist", security(("apiKey" = [])),
    params(("patientId" = String, Path)), responses((status = 200, body = Breaches), Problems)
)]
pub(super) async fn of_patient(
    State(surface): State<Arc<Surface>>,
    Path(patient_id): Path<String>,
) -> Result<Json<Breaches>, Problem> {
    let found = surface.desk.breaches(&patient_id).await?;
    let items = found.into_iter().map(|one| Breach {
        his_order_id: one.his_order_id,
        visit_date: one.visit_date,
        department_id: one.department_id,
        channel_id: one.channel_id,
        event: one.event,
        state: one.state,
        why: one.why,
    });
    Ok(Json(Breaches { items: items.collect() }))
}

/// A patient appeals. One that stands open is answered.
#[utoipa::path(
    post, path = "/v1/blacklist/{patientId}/appeals", tag = "blacklist", security(("apiKey" = [])),
    params(("patientId" = String, Path), IdempotencyKey), request_body = Said,
    responses((status = 201, body = Appeal), Problems)
)]
pub(super) async fn appeal(
    State(surface): State<Arc<Surface>>,
    Path(patient_id): Path<String>,
    Body(said): Body<Said>,
) -> Result<(StatusCode, Json<Appeal>), Problem> {
    let said = said.said.trim();
    if said.is_empty() || said.chars().count() > SAID_MAX {
        return Err(Problem::invalid(format!("said has 1 to {SAID_MAX} characters")));
    }
    let opened = surface.desk.appeal(&patient_id, said).await?;
    Ok((StatusCode::CREATED, Json(shown(&surface, opened))))
}

/// Appeals, newest first.
#[utoipa::path(
    get, path = "/v1/blacklist-appeals", tag = "blacklist", params(Which), security(("apiKey" = [])),
    responses((status = 200, body = Appeals), Problems)
)]
pub(super) async fn appeals(
    State(surface): State<Arc<Surface>>,
    Query(which): Query<Which>,
) -> Result<Json<Appeals>, Problem> {
    let state = which.state.as_deref().unwrap_or("open");
    if !["open", "granted", "refused"].contains(&state) {
        return Err(Problem::invalid("state is open, granted or refused"));
    }
    let mut found = surface.desk.appeals(state, which.cursor, paging::asked(PAGE)).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.id);
    Ok(Json(Appeals { items: found.into_iter().map(|one| shown(&surface, one)).collect(), next_cursor }))
}

/// Staff decide an appeal, with a reason.
#[utoipa::path(
    post, path = "/v1/blacklist-appeals/{appealId}/decide", tag = "blacklist", security(("apiKey" = [])),
    params(("appealId" = Uuid, Path), IdempotencyKey), request_body = Decision,
    responses((status = 200, body = Appeal), Problems)
)]
pub(super) async fn decide(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<Uuid>,
    Body(decision): Body<Decision>,
) -> Result<Json<Appeal>, Problem> {
    let by = by(&caller, decision.reason)?;
    Ok(Json(shown(&surface, surface.desk.decide_appeal(id, decision.granted, &by).await?)))
}

fn shown(surface: &Surface, one: breaches::Appeal) -> Appeal {
    Appeal {
        appeal_id: one.id,
        patient_id: one.patient_id,
        said: one.said,
        state: one.state,
        opened_at: surface.local(one.opened_at),
        due_at: one.due_at.map(|at| surface.local(at)),
        decided_at: one.decided_at.map(|at| surface.local(at)),
        decided_by: one.decided_by,
        decision: one.decision,
    }
}

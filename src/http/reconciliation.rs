//! Reconciliation (R36): which days were compared with HIS and the payment provider, and every difference as a case.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query, Reads};
use super::idempotency::key_of;
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::desk::paging;
use crate::records::reconciliation::cases::{self, Wanted};
use crate::waitlist::language::Language;
use crate::waitlist::reconciliation::Kind;

/// Cases of one page.
const PAGE: i64 = 100;

/// One comparison of one day.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "day": "2025-11-24", "beganAt": "2025-11-25T10:30:00+08:00",
    "endedAt": "2025-11-25T10:30:12+08:00", "compared": 1840, "asked": 3, "found": 1, "foreignLines": 0
}))]
pub struct Reconciliation {
    /// Its run.
    pub run_id: Uuid,
    /// The day.
    pub day: NaiveDate,
    /// When it began.
    pub began_at: DateTime<FixedOffset>,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<FixedOffset>>,
    /// Applications that the day concerned.
    pub compared: i32,
    /// Of which HIS and the provider were asked again.
    pub asked: i32,
    /// Differences, suspicions among them.
    pub found: i32,
    /// Lines of the provider's bill whose numbers are not of our form: somebody else's with the same merchant number.
    pub foreign_lines: i32,
}

/// The latest comparisons.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Reconciliations {
    /// Newest first.
    pub items: Vec<Reconciliation>,
}

/// A day to be compared.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "day": "2025-11-24", "reason": "HIS was restored from a backup" }))]
pub struct Wish {
    /// A day that is over.
    pub day: NaiveDate,
    /// Why.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// The run that compares it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StartedReconciliation, example = json!({ "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11" }))]
pub struct Begun {
    /// The run.
    pub run_id: Uuid,
}

/// A difference.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReconciliationCase, example = json!({
    "caseId": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11", "kind": "paidNotBooked", "subject": "T01J055R4HMFAY8VVR14D2PF2DB01",
    "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "day": "2025-11-24", "ours": "refunded", "theirs": "paid",
    "oursFen": 0, "theirsFen": 5000, "action": "查看该申请的流程：若已挂起，处理后重试；否则在商户平台按原单全额退款。",
    "state": "open", "foundAt": "2025-11-25T10:30:12+08:00", "seenAt": "2025-11-25T10:30:12+08:00"
}))]
pub struct Case {
    /// Its id.
    pub case_id: Uuid,
    /// What differs.
    pub kind: String,
    /// The order, refund or lock: `out_trade_no`, `ORDER_ID`, `LOCK_ID`.
    pub subject: String,
    /// The application that the subject derives from, which may be none of ours.
    pub run_id: Uuid,
    /// The day whose comparison found it.
    pub day: NaiveDate,
    /// What our books say.
    pub ours: String,
    /// What theirs say.
    pub theirs: String,
    /// 分, where money is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours_fen: Option<i64>,
    /// 分.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs_fen: Option<i64>,
    /// What is proposed, in the language of `Accept-Language`. Nothing is done by itself.
    pub action: String,
    /// `open`; `suspect` while its run may still settle it, or where it moved while the others were asked; `resolved`.
    pub state: String,
    /// When it was found first.
    pub found_at: DateTime<FixedOffset>,
    /// When it was found last.
    pub seen_at: DateTime<FixedOffset>,
    /// When it was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<DateTime<FixedOffset>>,
    /// By whom; `reconciliation` where the books agree again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
}

/// A page of cases.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReconciliationCases)]
pub struct Cases {
    /// Newest first.
    pub items: Vec<Case>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Uuid>,
}

/// Which cases.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// `open` (the default), `suspect` or `resolved`.
    pub state: Option<String>,
    /// Of this kind, for example `paidNotBooked`.
    pub kind: Option<String>,
    /// Found first on this day.
    pub day: Option<NaiveDate>,
    /// `nextCursor` of the page before.
    pub cursor: Option<Uuid>,
}

/// The days that were compared lately.
#[utoipa::path(
    get, path = "/v1/reconciliation/runs", tag = "reconciliation", security(("apiKey" = [])),
    responses((status = 200, body = Reconciliations), Problems)
)]
pub(super) async fn runs(State(surface): State<Arc<Surface>>) -> Result<Json<Reconciliations>, Problem> {
    let found = surface.desk.reconciliations().await?;
    let items = found.into_iter().map(|one| Reconciliation {
        run_id: one.id,
        day: one.day,
        began_at: surface.local(one.began_at),
        ended_at: one.ended_at.map(|at| surface.local(at)),
        compared: one.compared,
        asked: one.asked,
        found: one.found,
        foreign_lines: one.foreign_lines,
    });
    Ok(Json(Reconciliations { items: items.collect() }))
}

/// Compares a day that is over once more. The job `reconciliation` does it every day for the day before.
#[utoipa::path(
    post, path = "/v1/reconciliation/runs", tag = "reconciliation", security(("apiKey" = [])),
    params(IdempotencyKey), request_body = Wish, responses((status = 202, body = Begun), Problems)
)]
pub(super) async fn begin(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Begun>), Problem> {
    let (by, request) = (by(&caller, wish.reason)?, key_of(&headers)?);
    let run_id = surface.desk.reconcile(wish.day, &by, request.as_deref()).await?.id;
    Ok((StatusCode::ACCEPTED, Json(Begun { run_id })))
}

/// Differences, newest first.
#[utoipa::path(
    get, path = "/v1/reconciliation/cases", tag = "reconciliation", params(Which), security(("apiKey" = [])),
    responses((status = 200, body = Cases), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Query(which): Query<Which>,
) -> Result<Json<Cases>, Problem> {
    let state = which.state.unwrap_or_else(|| "open".to_owned());
    if !["open", "suspect", "resolved"].contains(&state.as_str()) {
        return Err(Problem::invalid("state is open, suspect or resolved"));
    }
    if which.kind.as_deref().is_some_and(|kind| Kind::parse(kind).is_none()) {
        return Err(Problem::invalid("there is no such kind of difference"));
    }
    let wanted = Wanted { state, kind: which.kind, day: which.day, before: which.cursor, most: paging::asked(PAGE) };
    let mut found = surface.desk.cases(&wanted).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.id);
    Ok(Json(Cases { items: found.into_iter().map(|one| case(&surface, one, language)).collect(), next_cursor }))
}

/// One of them.
#[utoipa::path(
    get, path = "/v1/reconciliation/cases/{caseId}", tag = "reconciliation", security(("apiKey" = [])),
    params(("caseId" = Uuid, Path)), responses((status = 200, body = Case), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
) -> Result<Json<Case>, Problem> {
    Ok(Json(case(&surface, surface.desk.case(id).await?, language)))
}

/// A person has settled a difference, and says how. It comes back if it is found again with other words or amounts.
#[utoipa::path(
    post, path = "/v1/reconciliation/cases/{caseId}/resolve", tag = "reconciliation", security(("apiKey" = [])),
    params(("caseId" = Uuid, Path), IdempotencyKey), request_body = Reason,
    responses((status = 200, body = Case), Problems)
)]
pub(super) async fn resolve(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Reads(language): Reads,
    Path(id): Path<Uuid>,
    Body(why): Body<Reason>,
) -> Result<Json<Case>, Problem> {
    let resolved = surface.desk.resolve_case(id, &by(&caller, why.reason)?).await?;
    Ok(Json(case(&surface, resolved, language)))
}

fn case(surface: &Surface, one: cases::Case, language: Language) -> Case {
    let action = Kind::parse(&one.kind).map_or("", |kind| kind.action(language)).to_owned();
    Case {
        case_id: one.id,
        kind: one.kind,
        subject: one.subject,
        run_id: one.entry_id,
        day: one.day,
        ours: one.ours,
        theirs: one.theirs,
        ours_fen: one.ours_fen,
        theirs_fen: one.theirs_fen,
        action,
        state: one.state,
        found_at: surface.local(one.found_at),
        seen_at: surface.local(one.seen_at),
        resolved_at: one.resolved_at.map(|at| surface.local(at)),
        resolved_by: one.resolved_by,
        resolution: one.resolution,
    }
}

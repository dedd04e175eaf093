//! What staff did to runs and jobs: who, when, why, and how it stood before and after.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::extract::Query;
use super::openapi::Problems;
use super::problem::Problem;
use crate::desk::paging;
use crate::engine::store::audit::{Audited, Wanted as Filter};
use crate::waitlist::calendar::{day_begins, day_ends};

/// Deeds of one page.
const PAGE: i64 = 100;

/// Which deeds.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// To this run.
    pub run_id: Option<Uuid>,
    /// To this job.
    pub job: Option<String>,
    /// By this API key or person.
    pub who: Option<String>,
    /// retry, answer, jump, signal, suspend, resume, cancel, bulk.begin, bulk.pause, bulk.resume, bulk.cancel,
    /// job.run, job.pause, job.resume, letter.retry, case.resolve, callback.replay, callback.settle, blacklist.put, blacklist.lift,
    /// blacklist.rule, appeal.granted, appeal.refused, patient.export, patient.erase, patient.unmask, run.unmask,
    /// policy.put, policy.undo, policy.carryOver, template.put, template.withdraw, notice.resend, view.put, view.remove,
    /// destination.pause, destination.resume, login, login.failed, logout, logout.everywhere, user.first, user.invite,
    /// user.link, user.password, user.password.failed, user.role, user.disable, user.enable, key.make,
    /// key.rotate, key.revoke.
    pub verb: Option<String>,
    /// To this patient, or to one of the patient's applications.
    pub patient_id: Option<String>,
    /// From this day of the hospital on.
    pub from: Option<NaiveDate>,
    /// To this day, inclusive.
    pub to: Option<NaiveDate>,
    /// `nextCursor` of the page before.
    pub cursor: Option<Uuid>,
}

/// A page of deeds.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Newest first.
    pub items: Vec<Deed>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Something that was done.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11", "at": "2025-11-25T10:00:00+08:00", "who": "desk@api", "verb": "retry",
    "runId": "0199b0c2-1111-7c1e-8a55-3f6f0a0d6b11", "reason": "HIS is back",
    "before": { "step": "Booking", "status": "suspended", "attempt": 24, "owes": ["Money"] },
    "after": { "step": "Booking", "status": "pending", "attempt": 0, "owes": ["Money"], "asked": { "verb": "retry" } }
}))]
pub struct Deed {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<FixedOffset>,
    /// Who.
    pub who: String,
    /// What.
    pub verb: String,
    /// To which run; absent: to a bulk itself, or to a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// To which job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why.
    pub reason: String,
    /// How it stood.
    #[schema(value_type = Object)]
    pub before: Value,
    /// How it stood then, and what was asked for.
    #[schema(value_type = Object)]
    pub after: Value,
    /// The bulk that it belonged to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_id: Option<Uuid>,
}

/// What staff did, newest first.
#[utoipa::path(
    get, path = "/v1/audit", tag = "runs", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = Audit), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Audit>, Problem> {
    let filter = Filter {
        run: wanted.run_id,
        job: wanted.job,
        who: wanted.who,
        verb: wanted.verb,
        patient: wanted.patient_id,
        from: wanted.from.map(|day| day_begins(day, surface.desk.ports.tz)),
        until: wanted.to.map(|day| day_ends(day, surface.desk.ports.tz)),
        before: wanted.cursor,
        most: paging::asked(PAGE),
        ..Filter::default()
    };
    let mut found = surface.desk.audit(&filter).await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| last.id.to_string());
    Ok(Json(Audit { items: found.into_iter().map(|one| deed(&surface, one)).collect(), next_cursor }))
}

fn deed(surface: &Surface, one: Audited) -> Deed {
    Deed {
        id: one.id,
        at: surface.local(one.at),
        who: one.who,
        verb: one.verb,
        run_id: one.run_id,
        job: one.job,
        reason: one.reason,
        before: one.before,
        after: one.after,
        bulk_id: one.bulk,
    }
}

//! What became of the notices about an application, and that staff send one again (R23).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::by;
use crate::desk::notices::{self, Channel};
use crate::waitlist::notice::{FailReason, NoticeKind};
use crate::waitlist::template::TemplateName;

/// The notices about an application.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Notices {
    /// Oldest first.
    pub items: Vec<Notice>,
}

/// A notice, and what became of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "noticeId": "M01J055R4HMFAY8VVR14D2PF2DBP01", "channel": "wechat", "template": "waitlist_please_confirm",
    "state": "unreachable", "why": "the platform answers 43004", "attempts": 0,
    "createdAt": "2025-11-25T10:00:00+08:00", "settledAt": "2025-11-25T10:00:01+08:00"
}))]
pub struct Notice {
    /// Its id, which the platform knows.
    pub notice_id: String,
    /// `wechat`, `platform` (the hospital's own) or `sms`: how it went; while it has not gone, how its route has it go.
    pub channel: String,
    /// The text that it is written with.
    pub template: TemplateName,
    /// Of a failure: why the application failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<FailReason>,
    /// `queued`; `sent` and, where the platform tells, `delivered` or `failed`; `suppressed`: it was no longer true;
    /// `unreachable`: the patient cannot be reached this way; `putAside`: it waits for a person.
    pub state: String,
    /// Why it was not sent, or did not arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Failed attempts.
    pub attempts: i32,
    /// When it was written.
    pub created_at: DateTime<FixedOffset>,
    /// While it is queued: when it is tried; in quiet hours their end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<FixedOffset>>,
    /// When it was sent, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<DateTime<FixedOffset>>,
    /// When the platform told whether it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told_at: Option<DateTime<FixedOffset>>,
    /// The notice that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resend_of: Option<String>,
}

/// How, and why, a notice is sent again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "channel": "sms", "reason": "患者来电称未收到" }))]
pub struct Resend {
    /// `wechat`: by the channels of its route; `sms`; without it as before.
    #[serde(default)]
    pub channel: Option<Over>,
    /// Stands in the audit; no personal data.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// A channel.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Over {
    /// By the channels of its route, the first of them first.
    Wechat,
    /// An SMS.
    Sms,
}

/// The notices about an application, and what became of each.
#[utoipa::path(
    get, path = "/v1/waitlist/{waitlistId}/notices", tag = "waitlist", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path)), responses((status = 200, body = Notices), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Path(entry): Path<Uuid>,
) -> Result<Json<Notices>, Problem> {
    let all = surface.desk.notices(entry).await?;
    Ok(Json(Notices { items: all.into_iter().map(|one| notice(&surface, one)).collect() }))
}

/// Sends a notice again, as it is or over another channel. It is a notice of its own, with the text in force; one that is no
/// longer true is not sent. 409 while it is on its way.
#[utoipa::path(
    post, path = "/v1/waitlist/{waitlistId}/notices/{noticeId}/resend", tag = "runs", security(("apiKey" = [])),
    params(("waitlistId" = Uuid, Path), ("noticeId" = String, Path), IdempotencyKey), request_body = Resend,
    responses((status = 202, body = Notice), Problems)
)]
pub(super) async fn resend(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((entry, id)): Path<(Uuid, String)>,
    Body(asked): Body<Resend>,
) -> Result<(StatusCode, Json<Notice>), Problem> {
    let by = by(&caller, asked.reason)?;
    let channel = asked.channel.map(|over| match over {
        Over::Wechat => Channel::Wechat,
        Over::Sms => Channel::Sms,
    });
    let resent = surface.desk.resend_notice(entry, &id, channel, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(notice(&surface, resent))))
}

fn notice(surface: &Surface, one: notices::Notice) -> Notice {
    let local = |at: Option<DateTime<chrono::Utc>>| at.map(|at| surface.local(at));
    Notice {
        notice_id: one.id,
        channel: one.channel.as_str().to_owned(),
        template: one.written.kind.template(),
        reason: match one.written.kind {
            NoticeKind::Failed(reason) => Some(reason),
            _ => None,
        },
        state: one.state.as_str().to_owned(),
        why: one.why,
        attempts: one.attempts,
        created_at: surface.local(one.created_at),
        due_at: local(one.due_at),
        settled_at: local(one.settled_at),
        told_at: local(one.told_at),
        resend_of: one.resend_of,
    }
}

//! The callback inbox: what the outside told us and what became of it, done again, and seen to by a person.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path, Query};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::desk::paging;
use crate::records::callbacks::{Fate, Place, Seen, Wanted as Filter};
use crate::waitlist::calendar::{day_begins, day_ends};
use crate::waitlist::ids;

/// Callbacks of one page.
const PAGE: i64 = 100;

/// Which callbacks.
#[derive(Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// From here: his, wechat-pay, pay-platform, wechat, platform.
    pub source: Option<String>,
    /// What became of it: delivered, kept, duplicate, ignored, no-run, received, refused, for-staff, settled,
    /// unbelieved.
    pub fate: Option<String>,
    /// Our id of what it is about.
    pub subject: Option<String>,
    /// True: only those that wait for a person.
    pub for_a_person: bool,
    /// From this day of the hospital on, by when it came first.
    pub from: Option<NaiveDate>,
    /// To this day, inclusive.
    pub to: Option<NaiveDate>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// A page of callbacks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Callbacks {
    /// The latest first.
    pub items: Vec<Callback>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A verified callback. The same event counts as one.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "source": "his", "eventId": "5002-L01J055R4HMFAY8VVR14D2PF2DB01", "kind": "5002",
    "subject": "L01J055R4HMFAY8VVR14D2PF2DB01", "runId": "01900a5c-1234-7abc-8def-0123456789ab",
    "content": { "orderCancelled": { "orderId": "L01J055R4HMFAY8VVR14D2PF2DB01" } },
    "receivedAt": "2025-11-25T10:00:00+08:00", "times": 1, "fate": "delivered"
}))]
pub struct Callback {
    /// his, wechat-pay, pay-platform, wechat or platform.
    pub source: String,
    /// The sender's id of it; the SHA-256 of what cannot be read.
    pub event_id: String,
    /// What it says, for example `5007` or `TRANSACTION.SUCCESS`; `unreadable` where nobody can tell.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The run that `subject` was derived from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// What it carried, without personal data; of what could not be taken, why, and its size and hash.
    #[schema(value_type = Object)]
    pub content: Value,
    /// When it came first.
    pub received_at: DateTime<FixedOffset>,
    /// How often it came.
    pub times: i32,
    /// What became of it.
    pub fate: String,
}

/// What became of a callback.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "fate": "delivered" }))]
pub struct Became {
    /// See [`Callback`].
    pub fate: String,
}

/// Lists what HIS, the payment provider and the message platform told us, with what became of it.
#[utoipa::path(
    get, path = "/v1/callbacks", tag = "runs", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, body = Callbacks), Problems)
)]
pub(super) async fn list(
    State(surface): State<Arc<Surface>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Callbacks>, Problem> {
    let before = match wanted.cursor.as_deref().map(Place::parse) {
        Some(None) => return Err(Problem::invalid("cursor is none that a page ended with")),
        place => place.flatten(),
    };
    let Wanted { source, fate, subject, for_a_person, from, to, .. } = wanted;
    let tz = surface.desk.ports.tz;
    let mut found = surface
        .desk
        .callbacks(&Filter {
            source,
            fate,
            subject,
            for_a_person,
            from: from.map(|day| day_begins(day, tz)),
            until: to.map(|day| day_ends(day, tz)),
            before,
            most: paging::asked(PAGE),
        })
        .await?;
    let next_cursor = paging::cut(&mut found, PAGE).map(|last| Place::after(last).to_string());
    Ok(Json(Callbacks { items: found.into_iter().map(|one| callback(&surface, one)).collect(), next_cursor }))
}

/// Does again what a callback asks for, with what was kept of it; runs that have heard of it do not hear of it again.
#[utoipa::path(
    post, path = "/v1/callbacks/{source}/{eventId}/replay", tag = "runs", security(("apiKey" = [])),
    params(
        ("source" = String, Path, description = "From where it came"),
        ("eventId" = String, Path, description = "The sender's id of it"),
        IdempotencyKey
    ),
    request_body = Reason, responses((status = 200, body = Became), Problems)
)]
pub(super) async fn replay(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((source, event_id)): Path<(String, String)>,
    Body(asked): Body<Reason>,
) -> Result<Json<Became>, Problem> {
    let fate = surface.desk.replay_callback(&source, &event_id, &by(&caller, asked.reason)?).await?;
    Ok(Json(Became { fate: fate.as_str().to_owned() }))
}

/// Says that a person has seen to what a callback says: it waits for nobody any more.
#[utoipa::path(
    post, path = "/v1/callbacks/{source}/{eventId}/settle", tag = "runs", security(("apiKey" = [])),
    params(
        ("source" = String, Path, description = "From where it came"),
        ("eventId" = String, Path, description = "The sender's id of it"),
        IdempotencyKey
    ),
    request_body = Reason, responses((status = 200, body = Became), Problems)
)]
pub(super) async fn settle(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path((source, event_id)): Path<(String, String)>,
    Body(asked): Body<Reason>,
) -> Result<Json<Became>, Problem> {
    surface.desk.settle_callback(&source, &event_id, &by(&caller, asked.reason)?).await?;
    Ok(Json(Became { fate: Fate::Settled.as_str().to_owned() }))
}

fn callback(surface: &Surface, one: Seen) -> Callback {
    Callback {
        run_id: ids::run_of(&one.subject),
        received_at: surface.local(one.received_at),
        source: one.source,
        event_id: one.event_id,
        kind: one.kind,
        subject: one.subject,
        content: one.body,
        times: one.times,
        fate: one.fate,
    }
}

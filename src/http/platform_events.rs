//! Events of the hospital's own message platform: whether a message arrived. Signed with a key of their own; without a key there
//! are none.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Surface;
use super::openapi::Problems;
use super::problem::Problem;
use crate::desk::message_event::Arrival;
use crate::desk::untaken::Untaken;
use crate::ports::stamp::{Stamp, StampError, Stamper, Way};

/// The most letters of a message's id, ours and anybody's.
const ID_LETTERS_MAX: usize = 64;

/// What the platform tells of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "id": "M01J055R4HMFAY8VVR14D2PF2DBB00", "status": "failed", "reason": "user blocked" }))]
pub struct PlatformEvent {
    /// The `id` that we sent it with.
    id: String,
    /// `delivered`, `failed`, or what else there is: that is written down, and nothing follows.
    status: String,
    /// Why it failed; no personal data.
    #[serde(default)]
    reason: String,
}

/// Takes an event of the hospital's own message platform. The headers `X-Houbu-Timestamp`, `X-Houbu-Nonce` and
/// `X-Houbu-Signature` carry HMAC-SHA256 over `event`, timestamp, nonce and raw body, each on a line, with the key
/// `message_platform.event_key`; a timestamp more than five minutes away from our clock is refused. The same event may come as
/// often as it likes; one of a message that is not known is kept for staff to see.
#[utoipa::path(
    post, path = "/callbacks/messages/events", tag = "callbacks",
    params(
        ("x-houbu-timestamp" = i64, Header, description = "Seconds since 1970"),
        ("x-houbu-nonce" = String, Header, description = "8 to 64 letters, digits and hyphens"),
        ("x-houbu-signature" = String, Header, description = "64 hexadecimal digits")
    ),
    request_body = PlatformEvent,
    responses((status = 204, description = "Stored, or stored before"), Problems)
)]
pub(super) async fn receive(
    State(surface): State<Arc<Surface>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let key = surface.platform_key.as_ref().ok_or_else(Problem::not_found)?;
    if let Err(doubt) = believed(key, &headers, &body, surface.desk.now().await?) {
        surface.desk.not_believed("platform", &doubt);
        return Err(Problem::unauthorized());
    }
    let refused = |why| Untaken { source: "platform", raw: &body, why, id: None, kind: None };
    let event: PlatformEvent = match serde_json::from_slice(&body) {
        Ok(event) => event,
        Err(error) => {
            surface.desk.refuse_callback(&refused("the event cannot be read")).await?;
            return Err(Problem::invalid(format!("the event cannot be read: {error}")));
        }
    };
    let is_id = |id: &str| (1..=ID_LETTERS_MAX).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic());
    if !is_id(&event.id) {
        surface.desk.refuse_callback(&refused("the event's id is no id of a message")).await?;
        return Err(Problem::invalid("id is no id of a message: 1 to 64 letters and digits"));
    }
    // What no text in the database can hold is nothing that a platform says.
    let told = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let arrival = match event.status.as_str() {
        "delivered" => Arrival::Delivered,
        "failed" => Arrival::Failed(told(&event.reason)),
        other => Arrival::Other(told(other)),
    };
    surface.desk.platform_event(&event.id, &arrival).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn believed(key: &SecretString, headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<(), StampError> {
    let stamp = Stamp::read(headers)?;
    Stamper::new(key).verify(Way::Event, &stamp, body)?;
    stamp.fresh(now)
}

//! Events of the WeChat message platform: whether a template message arrived (`TEMPLATESENDJOBFINISH`), or subscribe messages
//! (`subscribe_msg_sent_event`). Signed with the account's token and not older than a notice may be; without a token there are none.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::Query;
use super::openapi::Problems;
use super::problem::Problem;
use super::{EventToken, Surface};
use crate::desk::message_event::OfWechat;
use crate::desk::untaken::Untaken;

/// The most messages of one event that are heard; it tells of one. What stands after them is for staff, who may have it heard.
const SUBSCRIBED_MAX: usize = 10;
/// The most of those after them that are written down.
const BESIDE_MAX: usize = 50;
/// The most letters of the id of a message and of what is said of it.
const LETTERS_MAX: usize = 100;

/// The signature of an event.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Signature {
    /// SHA-1 of token, timestamp and nonce, sorted.
    #[serde(default)]
    signature: String,
    /// Seconds.
    #[serde(default)]
    timestamp: String,
    /// Any text.
    #[serde(default)]
    nonce: String,
    /// To be echoed when the address is set up.
    #[serde(default)]
    echostr: String,
}

/// What a message event says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "Event")]
    event: String,
    /// Of what is no event: what somebody wrote to the account.
    #[serde(rename = "MsgType")]
    message_type: String,
    #[serde(rename = "MsgID", alias = "MsgId")]
    message_id: String,
    #[serde(rename = "Status")]
    status: String,
    #[serde(rename = "SubscribeMsgSentEvent")]
    subscribed: Subscribed,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subscribed {
    #[serde(rename = "List")]
    list: Vec<OneSubscribed>,
}

/// What became of one subscribe message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneSubscribed {
    #[serde(rename = "MsgID", alias = "MsgId")]
    message_id: String,
    #[serde(rename = "ErrorStatus")]
    status: String,
}

/// Echoes the platform's challenge when the address is set up.
#[utoipa::path(
    get, path = "/callbacks/wechat/events", tag = "callbacks", params(Signature),
    responses((status = 200, content_type = "text/plain", body = String, example = "3746473623"), Problems)
)]
pub(super) async fn verify(
    State(surface): State<Arc<Surface>>,
    Query(signature): Query<Signature>,
) -> Result<String, Problem> {
    believe(surface.wechat_token.as_ref(), &signature, surface.desk.now().await?)?;
    Ok(signature.echostr)
}

/// Takes an event.
#[utoipa::path(
    post, path = "/callbacks/wechat/events", tag = "callbacks", params(Signature),
    request_body(
        content = String, content_type = "text/xml",
        example = "<xml><Event>TEMPLATESENDJOBFINISH</Event><MsgID>200163836</MsgID><Status>success</Status></xml>"
    ),
    responses((status = 200, content_type = "text/plain", body = String, example = "success"), Problems)
)]
pub(super) async fn receive(
    State(surface): State<Arc<Surface>>,
    Query(signature): Query<Signature>,
    body: Bytes,
) -> Result<Response, Problem> {
    if let Err(doubt) = believe(surface.wechat_token.as_ref(), &signature, surface.desk.now().await?) {
        if surface.wechat_token.is_some() {
            surface.desk.not_believed("wechat", &"the event's signature is wrong, or old");
        }
        return Err(doubt);
    }
    let desk = &surface.desk;
    let untaken = |why| Untaken { source: "wechat", raw: &body, why, id: None, kind: None };
    let event = match read(&body) {
        Ok(event) => event,
        Err(why) => {
            desk.refuse_callback(&untaken(why)).await?;
            return Err(Problem::invalid(why));
        }
    };
    let kind = Some(event.event.as_str()).filter(|event| !event.is_empty());
    match event.event.as_str() {
        "TEMPLATESENDJOBFINISH" if is_id(&event.message_id) => {
            desk.message_event(&event.message_id, &event.status).await?;
        }
        "subscribe_msg_sent_event" => {
            if let Some(why) = subscribed(&surface, &event.subscribed.list).await? {
                desk.refuse_callback(&Untaken { kind, ..untaken(why) }).await?;
            }
        }
        "TEMPLATESENDJOBFINISH" => desk.refuse_callback(&Untaken { kind, ..untaken(NAMELESS) }).await?,
        _ => {
            let kind = kind.or(Some(&event.message_type));
            desk.ignore_callback(&Untaken { kind, ..untaken("the event is of a kind that nobody here hears") }).await?;
        }
    }
    Ok("success".into_response())
}

/// Why an event about messages says of one of them nothing that can be followed.
const NAMELESS: &str = "the event names no MsgID";
/// Why staff have to have it heard.
const TOO_MANY: &str = "the event tells of too many messages at once";

fn read(body: &[u8]) -> Result<Event, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the event is not UTF-8")?;
    quick_xml::de::from_str(text).map_err(|_| "the event is not XML")
}

fn is_id(message_id: &str) -> bool {
    (1..=LETTERS_MAX).contains(&message_id.len()) && message_id.bytes().all(|letter| letter.is_ascii_graphic())
}

/// Has each message heard; says why there is more in the event than that.
async fn subscribed(surface: &Surface, list: &[OneSubscribed]) -> Result<Option<&'static str>, Problem> {
    let named: Vec<&OneSubscribed> = list.iter().filter(|one| is_id(&one.message_id)).collect();
    let (heard, beside) = named.split_at(named.len().min(SUBSCRIBED_MAX));
    // Together: each may be waited for, and WeChat waits for the answer to all.
    let told = heard.iter().map(|one| surface.desk.wechat_event(OfWechat::Subscribe, &one.message_id, &one.status));
    try_join_all(told).await?;
    for one in beside.iter().take(BESIDE_MAX) {
        surface.desk.refuse_message(OfWechat::Subscribe, &one.message_id, &one.status, TOO_MANY).await?;
    }
    let nameless = named.len() < list.len() || list.is_empty();
    Ok(if beside.len() > BESIDE_MAX { Some(TOO_MANY) } else { nameless.then_some(NAMELESS) })
}

fn believe(token: Option<&EventToken>, signature: &Signature, now: DateTime<Utc>) -> Result<(), Problem> {
    let EventToken { token, skew } = token.ok_or_else(Problem::not_found)?;
    let expected = sign(token.expose_secret(), &signature.timestamp, &signature.nonce);
    verify_slices_are_equal(expected.as_bytes(), signature.signature.as_bytes())
        .map_err(|_| Problem::unauthorized())?;
    // The body is not signed: whoever has seen one address could send with it what they like, for ever.
    let at = signature.timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let fresh = at.is_some_and(|at| (now - at).abs() <= *skew);
    if fresh { Ok(()) } else { Err(Problem::unauthorized()) }
}

fn sign(token: &str, timestamp: &str, nonce: &str) -> String {
    let mut parts = [token, timestamp, nonce];
    parts.sort_unstable();
    hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn only_the_tokens_signature_is_believed() {
        let signed = |nonce: &str| Signature {
            signature: sign("token", "1700000000", "n1"),
            timestamp: "1700000000".to_owned(),
            nonce: nonce.to_owned(),
            echostr: String::new(),
        };
        let token = |token: &str| EventToken { token: token.into(), skew: TimeDelta::seconds(300) };
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let believed = |token: Option<EventToken>, nonce, now| believe(token.as_ref(), &signed(nonce), at(now)).is_ok();
        let now = 1_700_000_000;
        assert!(believed(Some(token("token")), "n1", now));
        assert!(!believed(Some(token("token")), "n2", now));
        assert!(!believed(Some(token("other")), "n1", now));
        assert!(!believed(None, "n1", now));
        for (later, fresh) in [(-301, false), (-300, true), (300, true), (301, false)] {
            assert_eq!(believed(Some(token("token")), "n1", now + later), fresh, "{later} s");
        }
    }

    #[test]
    fn an_event_is_read_with_or_without_what_we_do_not_know() {
        let text = "<xml><ToUserName>a</ToUserName><Event>TEMPLATESENDJOBFINISH</Event><MsgID>9</MsgID>\
                    <Status>failed:user block</Status></xml>";
        let event: Result<Event, _> = quick_xml::de::from_str(text);
        let read = event.ok().map(|event| (event.event, event.message_id, event.status));
        let expected = ("TEMPLATESENDJOBFINISH".to_owned(), "9".to_owned(), "failed:user block".to_owned());
        assert_eq!(read, Some(expected));
        let text = "<xml><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><TemplateId>T</TemplateId>\
                    <MsgID>1700827132819554304</MsgID><ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List>\
                    </SubscribeMsgSentEvent></xml>";
        let event: Result<Event, _> = quick_xml::de::from_str(text);
        let list = event.map(|event| event.subscribed.list).unwrap_or_default();
        let read: Vec<_> = list.iter().map(|one| (one.message_id.as_str(), one.status.as_str())).collect();
        assert_eq!(read, [("1700827132819554304", "success")]);
    }
}

//! Callbacks of HIS and the payment provider. The raw body is verified before a byte of it is read; what it says is
//! committed before it is answered. The answers are in the sender's own form.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::addresses::FromHis;
use super::problem::{Problem, ProblemBody, cannot_be_stored};
use crate::desk::DeskError;
use crate::desk::untaken::Untaken;
use crate::ports::his::{self, Named, Push, PushAnswer};
use crate::ports::payments::{NoticeError, NoticeHeaders, Provider};
use crate::ports::stamp;

/// A push of HIS (健康通 v3.3): 5001 停诊, 5002 a cancelled booking of ours, 5007 one of any channel, 5008 (ours) 替诊 and 改诊.
/// Answered in its own envelope with `RETURN_CODE`
/// 0 stored, 1 unreadable, 7 wrong signature, 13 stored without an answer to what it asks (5006), 99 send it again.
#[utoipa::path(
    post, path = "/callbacks/his", tag = "callbacks",
    request_body(
        content = String, content_type = "text/xml",
        example = "<ROOT><FUN_CODE>5007</FUN_CODE><USER_ID>HIS</USER_ID><SIGN_TYPE>MD5</SIGN_TYPE><SIGN>…</SIGN>\
                   <REQ_ENCRYPTED>…</REQ_ENCRYPTED></ROOT>"
    ),
    responses(
        (
            status = 200, content_type = "text/xml", body = String,
            example = "<ROOT><RETURN_CODE>0</RETURN_CODE><RETURN_MSG>…</RETURN_MSG><SIGN_TYPE>MD5</SIGN_TYPE>\
                       <SIGN>…</SIGN><RES_ENCRYPTED>…</RES_ENCRYPTED></ROOT>"
        ),
        (status = 403, description = "From an address that is not in `his.push_from`", body = ProblemBody),
        (status = 404, description = "This HIS speaks no SOAP (`his.protocol`)", body = ProblemBody)
    )
)]
pub(super) async fn his(State(surface): State<Arc<Surface>>, _: FromHis, body: Bytes) -> Result<Response, Problem> {
    let charset = surface.his_pushes.charset().ok_or_else(Problem::not_found)?;
    let answer = taken(&surface, &body, surface.his_pushes.take(&body)).await;
    let content_type = format!("text/xml; charset={charset}");
    Ok(([(header::CONTENT_TYPE, content_type)], surface.his_pushes.answer(answer)).into_response())
}

/// A push of HIS as JSON: `{"function": "5007", "userId": "…", "data": {…}}`, the fields of 健康通 v3.3 in camelCase. The headers
/// `X-Houbu-Timestamp`, `X-Houbu-Nonce` and `X-Houbu-Signature` carry HMAC-SHA256 over `event`, timestamp, nonce and raw body, each on a
/// line; a timestamp more than five minutes away from our clock is refused. Answered `{"code", "message"}` in the same way, with
/// the same nonce: `0` stored, `1` unreadable, `7` wrong signature, `13` stored without an answer to what it asks
/// (5006), `stale`, `99` send it again.
#[utoipa::path(
    post, path = "/callbacks/his/events", tag = "callbacks",
    params(
        ("x-houbu-timestamp" = i64, Header, description = "Seconds since 1970"),
        ("x-houbu-nonce" = String, Header, description = "8 to 64 letters, digits and hyphens"),
        ("x-houbu-signature" = String, Header, description = "64 hexadecimal digits")
    ),
    request_body(
        content = Object,
        example = json!({
            "function": "5007", "userId": "HIS",
            "data": {
                "eventId": "cancel-1", "hospOrderId": "H1", "channelId": "9", "regId": "20260305D0011",
                "deptId": "K01", "doctorId": "D001", "regDate": "2026-03-05", "timeFlag": "1",
                "beginTime": "08:30", "endTime": "09:00", "cancelTime": "2026-03-04 10:15:30"
            }
        })
    ),
    responses(
        (status = 200, description = "Stored, or stored before", body = Object, example = json!({ "code": "0" })),
        (status = 400, description = "Unreadable", body = Object, example = json!({ "code": "1" })),
        (status = 401, description = "Not believed, or too old", body = Object, example = json!({ "code": "7" })),
        (status = 403, description = "From an address that is not in `his.push_from`", body = ProblemBody),
        (status = 500, description = "Not stored; send it again", body = Object, example = json!({ "code": "99" })),
        (status = 503, description = "Not now; send it again", body = ProblemBody)
    )
)]
pub(super) async fn his_events(
    State(surface): State<Arc<Surface>>,
    _: FromHis,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let now = surface.desk.now().await?;
    let answer = taken(&surface, &body, surface.his_pushes.take_event(&headers, &body, now)).await;
    let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let answer = surface.his_pushes.answer_event(&headers, answer, now);
    Ok((status, answer.headers, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response())
}

/// Stores a push that can be believed; says how it is to be answered.
async fn taken(surface: &Surface, raw: &[u8], push: Result<Push, his::Untaken>) -> PushAnswer {
    match push {
        Ok(push) => match surface.desk.his_push(&push).await {
            Ok(_) => push.answer(),
            // Nothing of it is an id: what can never be stored may be that.
            Err(error) if is_for_good(&error) => {
                refused(surface, raw, UNSTORABLE, &Named::default(), PushAnswer::Unreadable).await
            }
            Err(error) => {
                tracing::error!(%error, "a push could not be stored; HIS sends it again");
                PushAnswer::TryAgain
            }
        },
        Err(his::Untaken { error, signed: Some(named) }) => {
            refused(surface, raw, &error.to_string(), &named, error.into()).await
        }
        Err(his::Untaken { error, signed: None }) => {
            tracing::warn!(%error, "a push was not believed");
            surface.desk.not_believed("his", &error);
            error.into()
        }
    }
}

/// HIS signed it, and it cannot be taken: staff see it, and HIS hears so.
async fn refused(surface: &Surface, raw: &[u8], why: &str, named: &Named, answer: PushAnswer) -> PushAnswer {
    let (id, kind) = (named.event_id.as_deref(), named.function.as_deref());
    match surface.desk.refuse_callback(&Untaken { source: "his", raw, why, id, kind }).await {
        Ok(()) => answer,
        Err(error) => {
            tracing::error!(%error, "a push that is refused could not be written down; HIS sends it again");
            PushAnswer::TryAgain
        }
    }
}

/// Why somebody who may say it said nothing that is kept.
const UNSTORABLE: &str = "it says what can never be stored";

/// The answer to a notice that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fail {
    /// `FAIL`.
    code: &'static str,
    /// Why.
    message: String,
}

fn fail(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(Fail { code: "FAIL", message: message.into() })).into_response()
}

/// A payment notice of WeChat Pay v3.
#[utoipa::path(
    post, path = "/callbacks/wechat-pay/payments", tag = "callbacks",
    request_body(content = Object, example = json!({
        "id": "EV-2018022511223320873", "create_time": "2025-11-26T10:34:56+08:00", "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功", "resource": {
            "algorithm": "AEAD_AES_256_GCM", "original_type": "transaction", "associated_data": "", "nonce": "fdasflkja484w",
            "ciphertext": "base64 of what is sealed"
        }
    })),
    responses(
        (status = 204, description = "Stored, or stored before"),
        (status = 400, description = "Not a notice, or not one for this merchant", body = Fail),
        (status = 401, description = "Not believed", body = Fail),
        (status = 404, description = "Not an order of ours, or another provider takes the money", body = Fail),
        (status = 500, description = "Not stored; send it again", body = Fail),
        (status = 503, description = "Not now; send it again", body = Fail),
        (status = 422, description = "Another amount than ordered", body = Fail),
    )
)]
pub(super) async fn payments(State(surface): State<Arc<Surface>>, headers: HeaderMap, body: Bytes) -> Response {
    notice(&surface, Provider::Wechat, &wechat_headers(&headers), &body).await
}

/// A refund notice of WeChat Pay v3.
#[utoipa::path(
    post, path = "/callbacks/wechat-pay/refunds", tag = "callbacks",
    request_body(content = Object, example = json!({
        "id": "EV-2018022511223320873", "create_time": "2025-11-26T10:34:56+08:00", "resource_type": "encrypt-resource",
        "event_type": "REFUND.SUCCESS", "summary": "退款成功", "resource": {
            "algorithm": "AEAD_AES_256_GCM", "original_type": "refund", "associated_data": "", "nonce": "fdasflkja484w",
            "ciphertext": "base64 of what is sealed"
        }
    })),
    responses(
        (status = 204, description = "Stored, or stored before"),
        (status = 400, description = "Not a notice, or not one for this merchant", body = Fail),
        (status = 401, description = "Not believed", body = Fail),
        (status = 404, description = "Not an order of ours, or another provider takes the money", body = Fail),
        (status = 422, description = "Another amount than ordered", body = Fail),
        (status = 500, description = "Not stored; send it again", body = Fail),
        (status = 503, description = "Not now; send it again", body = Fail),
    )
)]
pub(super) async fn refunds(State(surface): State<Arc<Surface>>, headers: HeaderMap, body: Bytes) -> Response {
    notice(&surface, Provider::Wechat, &wechat_headers(&headers), &body).await
}

/// A notice of the hospital's own payment platform: an order is paid (`ORDER_PAID`), or a refund is settled (`REFUND_DONE`,
/// `REFUND_GIVEN_UP`, `REFUND_ABNORMAL`). The headers `X-Houbu-Timestamp`, `X-Houbu-Nonce` and `X-Houbu-Signature` carry HMAC-SHA256
/// over `event`, timestamp, nonce and raw body, each on a line; a timestamp further from our clock than `notice_skew_s` is refused.
#[utoipa::path(
    post, path = "/callbacks/pay-platform", tag = "callbacks",
    params(
        ("x-houbu-timestamp" = i64, Header, description = "Seconds since 1970"),
        ("x-houbu-nonce" = String, Header, description = "8 to 64 letters, digits and hyphens"),
        ("x-houbu-signature" = String, Header, description = "64 hexadecimal digits")
    ),
    request_body(
        content = Object,
        example = json!({
            "id": "N-1", "event": "ORDER_PAID", "merchantId": "1001",
            "data": {
                "orderNo": "W0001", "state": "PAID", "amountFen": 2500, "paymentId": "P-1",
                "paidAt": "2026-03-05T09:00:00+08:00"
            }
        })
    ),
    responses(
        (status = 204, description = "Stored, or stored before"),
        (status = 400, description = "Not a notice, or not one for this merchant", body = Fail),
        (status = 401, description = "Not believed, or too old", body = Fail),
        (status = 404, description = "Not an order of ours, or another provider takes the money", body = Fail),
        (status = 422, description = "Another amount than ordered", body = Fail),
        (status = 500, description = "Not stored; send it again", body = Fail),
        (status = 503, description = "Not now; send it again", body = Fail),
    )
)]
pub(super) async fn pay_platform(State(surface): State<Arc<Surface>>, headers: HeaderMap, body: Bytes) -> Response {
    let named = |name| text_of(&headers, name);
    let signed = NoticeHeaders {
        timestamp: named(stamp::TIMESTAMP),
        nonce: named(stamp::NONCE),
        signature: named(stamp::SIGNATURE),
        serial: String::new(),
    };
    notice(&surface, Provider::Platform, &signed, &body).await
}

/// A notice at the door of this provider.
async fn notice(surface: &Surface, of: Provider, signed: &NoticeHeaders, body: &[u8]) -> Response {
    if surface.payments.provider() != of {
        surface.desk.not_believed(of.source(), &"another provider takes the money here");
        return fail(StatusCode::NOT_FOUND, "another provider takes the money here");
    }
    let now = match surface.desk.now().await {
        Ok(now) => now,
        Err(error) => {
            tracing::error!(%error, "a notice could not be looked at; the provider sends it again");
            return fail(StatusCode::SERVICE_UNAVAILABLE, "try again");
        }
    };
    let mut read = surface.payments.notice(signed, body, now);
    // The platform may have begun to sign with a key that it has not shown us yet.
    if read == Err(NoticeError::UnknownKey) {
        match surface.payments.learn_keys().await {
            Ok(()) => read = surface.payments.notice(signed, body, now),
            Err(error) => tracing::warn!(%error, "the payment provider's keys could not be asked for"),
        }
    }
    let notice = match read {
        Ok(notice) => notice,
        Err(error) => {
            tracing::warn!(%error, "a payment notice was not believed");
            let written = match error {
                NoticeError::NotOurs(what) => foreign(surface, of, body, what).await,
                NoticeError::Body(_) => unread(surface, of, body, &error.to_string()).await,
                _ => {
                    surface.desk.not_believed(of.source(), &error);
                    true
                }
            };
            if !written {
                return fail(StatusCode::INTERNAL_SERVER_ERROR, "try again");
            }
            let status = match error {
                NoticeError::Header(_) | NoticeError::Stale | NoticeError::Signature | NoticeError::UnknownKey => {
                    StatusCode::UNAUTHORIZED
                }
                NoticeError::Body(_) | NoticeError::NotOurs(_) => StatusCode::BAD_REQUEST,
            };
            return fail(status, error.to_string());
        }
    };
    match surface.desk.payment_notice(&notice).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(DeskError::NotOurs) => fail(StatusCode::NOT_FOUND, "the order is not known here"),
        Err(DeskError::WrongAmount) => {
            fail(StatusCode::UNPROCESSABLE_ENTITY, "the amount is not that of the order or refund")
        }
        Err(DeskError::UnknownRefund) => {
            fail(StatusCode::UNPROCESSABLE_ENTITY, "the refund was never asked for under this number")
        }
        Err(error) if is_for_good(&error) => {
            if unread(surface, of, body, UNSTORABLE).await {
                fail(StatusCode::BAD_REQUEST, "a value cannot be stored")
            } else {
                fail(StatusCode::INTERNAL_SERVER_ERROR, "try again")
            }
        }
        Err(error) => {
            tracing::error!(%error, "a notice could not be stored; the provider sends it again");
            fail(StatusCode::INTERNAL_SERVER_ERROR, "try again")
        }
    }
}

/// What of a notice is not sealed.
#[derive(Default, Deserialize)]
struct Outside {
    id: Option<String>,
    #[serde(alias = "event")]
    event_type: Option<String>,
}

/// The provider signed it, and it is for another merchant: that staff see it is all that can be done. False where it could not be
/// written down.
async fn foreign(surface: &Surface, of: Provider, body: &[u8], what: &'static str) -> bool {
    let Outside { id: Some(id), .. } = serde_json::from_slice(body).unwrap_or_default() else {
        return unread(surface, of, body, "the notice is not ours").await;
    };
    match surface.desk.foreign_notice(&id, what).await {
        Ok(()) => true,
        Err(error) if is_for_good(&error) => unread(surface, of, body, UNSTORABLE).await,
        Err(error) => {
            tracing::error!(%error, "a payment notice that is not ours could not be written down");
            false
        }
    }
}

/// The provider signed it, and it cannot be read, opened or stored. False where that could not be written down.
async fn unread(surface: &Surface, of: Provider, raw: &[u8], why: &str) -> bool {
    let outside: Outside = serde_json::from_slice(raw).unwrap_or_default();
    let (id, kind) = (outside.id.as_deref(), outside.event_type.as_deref());
    let written = surface.desk.refuse_callback(&Untaken { source: of.source(), raw, why, id, kind }).await;
    if let Err(error) = &written {
        tracing::error!(%error, "a payment notice that is refused could not be written down; the provider sends it again");
    }
    written.is_ok()
}

/// True where what was sent can never be stored, however often it comes: nobody is asked to send it again.
fn is_for_good(error: &DeskError) -> bool {
    match error {
        DeskError::Database(error) => cannot_be_stored(error),
        DeskError::TooLarge(_) => true,
        _ => false,
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn wechat_headers(headers: &HeaderMap) -> NoticeHeaders {
    let named = |name| text_of(headers, name);
    NoticeHeaders {
        timestamp: named("wechatpay-timestamp"),
        nonce: named("wechatpay-nonce"),
        signature: named("wechatpay-signature"),
        serial: named("wechatpay-serial"),
    }
}

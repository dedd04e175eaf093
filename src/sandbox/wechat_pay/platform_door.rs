//! The door at which the simulated payer is a hospital's own payment platform: the same books and rules, other words.
//!
//! Stamps are of the machine's clock, not of the sandbox's: a signature's age is an affair of machines. Notices carry the
//! sandbox's, as whoever receives them lives by it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::House;
use super::counter::{self, Answered, BODY_BYTES_MAX, Call, address, is_number, param, trade_no};
use super::entries::{Asked, RefundAsked};
use super::keys::MERCHANT_ID;
use super::ledger::{Refusal, refuse};
use crate::ports::payments::Provider;
use crate::ports::payments::platform::wire::{self, Answering, Asking};
use crate::ports::stamp::{Stamp, Way};

/// `POST /platform/<call>`.
pub(super) async fn answer(State(house): State<Arc<House>>, Path(path): Path<String>, request: Request) -> Response {
    let busy = house.busy.enter();
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (Ok(stamp), Some(asked)) = (Stamp::read(&parts.headers), wire::Call::of(&path)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match open(&house, asked, &stamp, &body) {
        Ok(call) => {
            counter::carry_out(house, busy, Provider::Platform, call, move |house, result| {
                respond(house, asked, &stamp, result)
            })
            .await
        }
        Err(refusal) => respond(&house, asked, &stamp, Err(refusal)),
    }
}

/// True requests only: our key, a fresh stamp, our merchant, the call that its address names.
fn open(house: &House, asked: wire::Call, stamp: &Stamp, raw: &[u8]) -> Result<Call, Refusal> {
    let stranger = refuse(401, "SIGN_ERROR", "签名错误");
    house.keys.stamper.verify(Way::Call, stamp, raw).map_err(|_| stranger)?;
    stamp.fresh(Utc::now()).map_err(|_| refuse(401, "STALE", "时间戳超出允许范围"))?;
    let Asking { call, merchant_id, data } = read(serde_json::from_slice(raw).unwrap_or_default())?;
    if merchant_id != MERCHANT_ID {
        return Err(refuse(403, "MCH_NOT_EXISTS", "商户不存在"));
    }
    if call != asked.path() {
        return Err(param("call"));
    }
    call_of(asked, data)
}

fn call_of(asked: wire::Call, data: Value) -> Result<Call, Refusal> {
    let order_no = |data| read(data).and_then(|named: wire::OrderNamed| trade_no(&named.order_no));
    Ok(match asked {
        wire::Call::Open => Call::Open(order_asked(read(data)?)?),
        wire::Call::Query => Call::Query(order_no(data)?),
        wire::Call::Close => Call::Close(order_no(data)?),
        wire::Call::Refund => Call::Refund(refund_asked(read(data)?)?),
        wire::Call::QueryRefund => {
            let wire::RefundNamed { refund_no } = read(data)?;
            if is_number(&refund_no, 1, 64) { Call::QueryRefund(refund_no) } else { return Err(param("refundNo")) }
        }
        wire::Call::Bill => {
            let wire::BillAsked { day, page } = read(data)?;
            Call::BillPage(day, page)
        }
    })
}

fn order_asked(asked: wire::OrderAsked) -> Result<Asked, Refusal> {
    if asked.amount_fen < 1 {
        return Err(param("amountFen"));
    }
    if asked.payer.is_empty() || asked.payer.len() > 128 {
        return Err(param("payer"));
    }
    Ok(Asked {
        out_trade_no: trade_no(&asked.order_no)?,
        description: asked.description,
        amount_fen: asked.amount_fen,
        openid: asked.payer,
        notify_url: address(asked.notify_url)?,
        expires_at: asked.expires_at,
        door: Provider::Platform,
        pay_type: asked.pay_type,
    })
}

fn refund_asked(asked: wire::RefundAsked) -> Result<RefundAsked, Refusal> {
    if asked.amount_fen < 1 || asked.total_fen < 1 || !is_number(&asked.refund_no, 1, 64) {
        return Err(param("amountFen"));
    }
    Ok(RefundAsked {
        out_trade_no: trade_no(&asked.order_no)?,
        out_refund_no: asked.refund_no,
        amount_fen: asked.amount_fen,
        total_fen: asked.total_fen,
        notify_url: Some(address(asked.notify_url)?),
        door: Provider::Platform,
    })
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|_| param("data"))
}

/// The answer, stamped with the nonce of what it answers.
fn respond(house: &House, asked: wire::Call, stamp: &Stamp, result: Result<Answered, Refusal>) -> Response {
    let (status, code, data) = match result {
        Ok(Answered::Json(Some(said))) if asked == wire::Call::Open => (200, "OK", payable(&said)),
        Ok(Answered::Json(said)) => (200, "OK", said.unwrap_or_default()),
        Ok(Answered::File(_)) => (500, "FAILED", Value::Null),
        Err(Refusal { status, code, .. }) => (status, named(asked, code), Value::Null),
    };
    let answering = Answering { code: code.to_owned(), message: String::new(), data };
    let body = serde_json::to_vec(&answering).unwrap_or_default();
    let stamp = house.keys.stamper.sign(Way::Answer, Utc::now(), &stamp.nonce, &body).headers();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, stamp, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// What the payer's client is sent to.
fn payable(said: &Value) -> Value {
    let id = said["prepay_id"].as_str().unwrap_or_default();
    json!({ "pay": { "payUrl": format!("https://pay.sandbox.invalid/cashier?order={id}") } })
}

/// The refusals of the books in a platform's words; a code that is switched on is one already.
fn named(asked: wire::Call, code: &'static str) -> &'static str {
    match (code, asked) {
        (
            "FAILED" | "BUSY" | "STALE" | "BAD_SIGNATURE" | "BAD_REQUEST" | "MERCHANT_UNKNOWN" | "NOT_PERMITTED"
            | "ORDER_EXISTS" | "ORDER_PAID" | "INSURANCE_REFUSED" | "ORDER_REFUSED" | "ORDER_UNKNOWN" | "PAYING"
            | "FUNDS_SHORT" | "ACCOUNT_CLOSED" | "REFUND_REFUSED" | "REFUND_UNKNOWN" | "BILL_NOT_READY",
            _,
        ) => code,
        ("SIGN_ERROR", _) => "BAD_SIGNATURE",
        ("MCH_NOT_EXISTS", _) => "MERCHANT_UNKNOWN",
        ("FREQUENCY_LIMITED", _) => "BUSY",
        ("SYSTEM_ERROR", _) => "FAILED",
        ("ORDERPAID", _) => "ORDER_PAID",
        ("ORDER_CLOSED", _) => "ORDER_CLOSED",
        ("OUT_TRADE_NO_USED", _) => "ORDER_EXISTS",
        ("USER_PAYING", _) => "PAYING",
        ("ORDER_NOT_EXIST", _) | ("RESOURCE_NOT_EXISTS", wire::Call::Refund) => "ORDER_UNKNOWN",
        ("RESOURCE_NOT_EXISTS", _) => "REFUND_UNKNOWN",
        ("STATEMENT_CREATING", _) => "BILL_NOT_READY",
        ("INVALID_REQUEST", wire::Call::Open) => "ORDER_REFUSED",
        ("INVALID_REQUEST", _) => "REFUND_REFUSED",
        _ => "BAD_REQUEST",
    }
}

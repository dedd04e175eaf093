//! The counter of the simulated WeChat Pay: a request comes in, is verified, perhaps goes wrong, and is answered signed.
//!
//! What was decided is in the books before the answer leaves, and a caller that hangs up does not stop it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bill;
use super::certificates;
use super::entries::{Asked, RefundAsked, misstate};
use super::keys::{APP_ID, MCH_ID};
use super::ledger::{Refusal, refuse};
use super::{Entered, House};
use crate::ports::payments::signature::{SCHEME, nonce, platform_message, request_message};
use crate::ports::payments::{PayType, Provider};
use crate::sandbox::faults::{Fault, perhaps};

pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Open(Asked),
    Query(String),
    Close(String),
    Refund(RefundAsked),
    QueryRefund(String),
    Bill(NaiveDate),
    Download(NaiveDate),
    /// A platform's bill; pages count from 1.
    BillPage(NaiveDate, u32),
    Certificates,
}

#[derive(Deserialize)]
struct OpenBody {
    appid: String,
    mchid: String,
    description: String,
    out_trade_no: String,
    time_expire: DateTime<Utc>,
    notify_url: String,
    amount: OpenAmount,
    payer: PayerBody,
}

#[derive(Deserialize)]
struct OpenAmount {
    total: i64,
    #[serde(default = "yuan")]
    currency: String,
}

#[derive(Deserialize)]
struct PayerBody {
    openid: String,
}

#[derive(Deserialize)]
struct CloseBody {
    mchid: String,
}

#[derive(Deserialize)]
struct RefundBody {
    out_trade_no: String,
    out_refund_no: String,
    notify_url: Option<String>,
    amount: RefundAmount,
}

#[derive(Deserialize)]
struct RefundAmount {
    refund: i64,
    total: i64,
    currency: String,
}

fn yuan() -> String {
    "CNY".to_owned()
}

/// Answers every request.
pub(super) async fn answer(State(house): State<Arc<House>>, request: Request) -> Response {
    let busy = house.busy.enter();
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return signed(&house, Err(refuse(400, "PARAM_ERROR", "请求体过大")));
    };
    let target = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    if let Err(refusal) = verify(&house, &parts.method, target, &parts.headers, &body) {
        return signed(&house, Err(refusal));
    }
    let call = match read(&parts.method, parts.uri.path(), parts.uri.query(), &body) {
        Ok(call) => call,
        Err(refusal) => return signed(&house, Err(refusal)),
    };
    carry_out(house, busy, Provider::Wechat, call, |house, result| match result {
        Ok(Answered::File(text)) => text.into_response(),
        Ok(Answered::Json(json)) => signed(house, Ok(json)),
        Err(refusal) => signed(house, Err(refusal)),
    })
    .await
}

/// Does what is asked at this door, perhaps wrongly, and answers in its form.
pub(super) async fn carry_out(
    house: Arc<House>,
    busy: Entered,
    door: Provider,
    call: Call,
    respond: impl FnOnce(&House, Result<Answered, Refusal>) -> Response + Send + 'static,
) -> Response {
    let (name, key) = name_and_key(&call);
    let name = format!("{} {name}", door.source());
    let fault = house.faults.request(&name, &key);
    if let Some(code) = house.faults.answer(&name, &key) {
        return respond(&house, Err(refuse(status_of(code), code, "按沙箱开关返回")));
    }
    let slow = house.slow;
    perhaps(fault, slow, async move {
        let _busy = busy;
        let result = serve(&house, door, call, fault).await;
        respond(&house, result)
    })
    .await
}

/// The HTTP status beside a code, WeChat Pay's or the platform's.
fn status_of(code: &str) -> u16 {
    match code {
        "SIGN_ERROR" | "BAD_SIGNATURE" | "STALE" => 401,
        "OUT_TRADE_NO_USED" | "NOT_ENOUGH" | "USER_ACCOUNT_ABNORMAL" | "MERCHANT_UNKNOWN" | "NOT_PERMITTED" => 403,
        "ORDER_NOT_EXIST" | "RESOURCE_NOT_EXISTS" | "ORDER_UNKNOWN" | "REFUND_UNKNOWN" => 404,
        "FREQUENCY_LIMITED" | "BUSY" => 429,
        "SYSTEM_ERROR" | "FAILED" => 500,
        _ => 400,
    }
}

/// The call's name and the number it is about, by which faults are drawn.
fn name_and_key(call: &Call) -> (&'static str, String) {
    match call {
        Call::Open(asked) => ("open", asked.out_trade_no.clone()),
        Call::Query(number) => ("query", number.clone()),
        Call::Close(number) => ("close", number.clone()),
        Call::Refund(asked) => ("refund", asked.out_refund_no.clone()),
        Call::QueryRefund(number) => ("refund query", number.clone()),
        Call::Bill(day) | Call::BillPage(day, _) => ("bill", day.to_string()),
        Call::Download(day) => ("bill download", day.to_string()),
        Call::Certificates => ("certificates", String::new()),
    }
}

/// Does what is asked. Only where nothing goes wrong does the answer reach the caller, so that a payer may come.
async fn serve(house: &House, door: Provider, call: Call, fault: Option<Fault>) -> Result<Answered, Refusal> {
    let (now, delivered, misstated) = ((house.now)(), fault.is_none(), fault == Some(Fault::AnotherAmount));
    let result = match call {
        Call::Open(asked) => {
            let plan = delivered.then(|| house.payers.plan(&asked.openid, &asked.out_trade_no, now, asked.expires_at));
            let opened = house.change(|ledger| ledger.open(asked, plan, now)).await;
            opened.map(|opened| opened.map(|prepay_id| Some(json!({"prepay_id": prepay_id}))))
        }
        Call::Query(number) => Ok(house.ledger.lock().await.order(&number, door).map(Some)),
        Call::Close(number) => house.change(|ledger| ledger.close(&number)).await.map(|closed| closed.map(|()| None)),
        Call::Refund(asked) => {
            let instead_fen = misstated.then(|| another_amount(asked.amount_fen));
            let refunded = house.change(|ledger| ledger.refund(asked, instead_fen, now)).await;
            refunded.map(|refunded| refunded.map(Some))
        }
        Call::QueryRefund(number) => Ok(house.ledger.lock().await.refund_shown(&number, door).map(|mut shown| {
            if misstated {
                misstate(&mut shown, door);
            }
            Some(shown)
        })),
        Call::Bill(day) => {
            let download = format!("http://{}{BILLS}{day}", house.listens_at);
            Ok(bill::address(&house.ledger.lock().await.books(), day, now, &download).map(Some))
        }
        Call::BillPage(day, page) => Ok(bill::page(&house.ledger.lock().await.books(), day, page, now).map(Some)),
        Call::Certificates => Ok(Ok(certificates::handed_out(&house.keys))),
        Call::Download(day) => return Ok(Answered::File(bill::text(&house.ledger.lock().await.books(), day))),
    };
    let answered = result.unwrap_or_else(|error| {
        tracing::error!(%error, "the books of the simulated WeChat Pay could not be saved");
        Err(refuse(500, "SYSTEM_ERROR", "系统异常"))
    });
    answered.map(Answered::Json)
}

/// An 分 less than was asked for, or more where there is no less.
fn another_amount(asked_fen: i64) -> i64 {
    if asked_fen > 1 { asked_fen - 1 } else { asked_fen + 1 }
}

/// What a good answer holds.
pub(super) enum Answered {
    /// Signed JSON, or nothing.
    Json(Option<Value>),
    /// A file, which is not signed.
    File(String),
}

/// Where bills are downloaded.
const BILLS: &str = "/v3/billdownload/file?token=";

/// True requests only: our scheme, our merchant, a signature over what arrived.
fn verify(house: &House, method: &Method, target: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), Refusal> {
    const WRONG: Refusal = refuse(401, "SIGN_ERROR", "签名错误");
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).ok_or(WRONG)?;
    let fields = header.strip_prefix(SCHEME).ok_or(WRONG)?;
    let field = |name: &str| {
        let quoted = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))?;
        quoted.strip_prefix('"')?.strip_suffix('"')
    };
    let (Some(merchant), Some(nonce), Some(signature), Some(timestamp), Some(serial)) =
        (field("mchid"), field("nonce_str"), field("signature"), field("timestamp"), field("serial_no"))
    else {
        return Err(WRONG);
    };
    let (Ok(timestamp), Ok(body)) = (timestamp.parse(), std::str::from_utf8(body)) else { return Err(WRONG) };
    let message = request_message(method.as_str(), target, timestamp, nonce, body);
    let fits = house.keys.merchant.verify(serial, message.as_bytes(), signature).is_ok();
    if merchant == MCH_ID && fits { Ok(()) } else { Err(WRONG) }
}

/// What is asked, if it keeps to the rules that need no books.
fn read(method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Result<Call, Refusal> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["v3", "pay", "transactions", "jsapi"]) => read_open(parse(body)?),
        ("GET", ["v3", "pay", "transactions", "out-trade-no", number]) => {
            let ours = query.is_some_and(|query| query.split('&').any(|pair| pair == format!("mchid={MCH_ID}")));
            if ours { Ok(Call::Query(trade_no(number)?)) } else { Err(param("mchid")) }
        }
        ("POST", ["v3", "pay", "transactions", "out-trade-no", number, "close"]) => {
            let body: CloseBody = parse(body)?;
            if body.mchid == MCH_ID { Ok(Call::Close(trade_no(number)?)) } else { Err(param("mchid")) }
        }
        ("POST", ["v3", "refund", "domestic", "refunds"]) => read_refund(parse(body)?),
        ("GET", ["v3", "refund", "domestic", "refunds", number]) => {
            let longest = 64;
            if is_number(number, 1, longest) {
                Ok(Call::QueryRefund((*number).to_owned()))
            } else {
                Err(param("out_refund_no"))
            }
        }
        ("GET", ["v3", "certificates"]) => Ok(Call::Certificates),
        ("GET", ["v3", "bill", "tradebill"]) => Ok(Call::Bill(named(query, "bill_date")?)),
        ("GET", ["v3", "billdownload", "file"]) => Ok(Call::Download(named(query, "token")?)),
        _ => Err(refuse(404, "RESOURCE_NOT_EXISTS", "没有这个接口")),
    }
}

/// The day that a query names.
fn named(query: Option<&str>, name: &'static str) -> Result<NaiveDate, Refusal> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let day = pairs.into_iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok());
    day.ok_or_else(|| param(name))
}

fn read_open(body: OpenBody) -> Result<Call, Refusal> {
    if body.appid != APP_ID || body.mchid != MCH_ID {
        return Err(refuse(400, "APPID_MCHID_NOT_MATCH", "AppID 和 mch_id 不匹配"));
    }
    if body.description.is_empty() || body.description.chars().count() > 127 {
        return Err(param("description"));
    }
    if body.amount.total < 1 || body.amount.currency != "CNY" {
        return Err(param("amount"));
    }
    if body.payer.openid.is_empty() || body.payer.openid.len() > 128 {
        return Err(param("payer.openid"));
    }
    let OpenBody { description, out_trade_no, time_expire, notify_url, amount, payer, .. } = body;
    Ok(Call::Open(Asked {
        out_trade_no: trade_no(&out_trade_no)?,
        description,
        amount_fen: amount.total,
        openid: payer.openid,
        notify_url: address(notify_url)?,
        expires_at: time_expire,
        door: Provider::Wechat,
        pay_type: PayType::default(),
    }))
}

fn read_refund(body: RefundBody) -> Result<Call, Refusal> {
    if body.amount.refund < 1 || body.amount.total < 1 || body.amount.currency != "CNY" {
        return Err(param("amount"));
    }
    if !is_number(&body.out_refund_no, 1, 64) {
        return Err(param("out_refund_no"));
    }
    Ok(Call::Refund(RefundAsked {
        out_trade_no: trade_no(&body.out_trade_no)?,
        out_refund_no: body.out_refund_no,
        amount_fen: body.amount.refund,
        total_fen: body.amount.total,
        notify_url: body.notify_url.map(address).transpose()?,
        door: Provider::Wechat,
    }))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| refuse(400, "PARAM_ERROR", "参数错误"))
}

pub(super) fn param(field: &'static str) -> Refusal {
    refuse(400, "PARAM_ERROR", field)
}

pub(super) fn trade_no(number: &str) -> Result<String, Refusal> {
    if is_number(number, 6, 32) { Ok(number.to_owned()) } else { Err(param("out_trade_no")) }
}

pub(super) fn is_number(number: &str, shortest: usize, longest: usize) -> bool {
    (shortest..=longest).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'|' | b'*' | b'@'))
}

pub(super) fn address(url: String) -> Result<String, Refusal> {
    let is_one = reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_one { Ok(url) } else { Err(param("notify_url")) }
}

/// The signed answer.
fn signed(house: &House, result: Result<Option<Value>, Refusal>) -> Response {
    let (status, body) = match result {
        Ok(Some(body)) => (200, body.to_string()),
        Ok(None) => (204, String::new()),
        Err(Refusal { status, code, message }) => (status, json!({"code": code, "message": message}).to_string()),
    };
    let (timestamp, nonce) = ((house.now)().timestamp().to_string(), nonce());
    let signature = house.keys.platform().sign(&platform_message(&timestamp, &nonce, body.as_bytes()));
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json; charset=utf-8")
        .header("Wechatpay-Timestamp", timestamp)
        .header("Wechatpay-Nonce", nonce)
        .header("Wechatpay-Serial", house.keys.platform_serial())
        .header("Wechatpay-Signature", signature.unwrap_or_default())
        .header("Wechatpay-Signature-Type", SCHEME)
        .body(Body::from(body))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

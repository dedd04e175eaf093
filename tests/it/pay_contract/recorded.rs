//! Both adapters against recorded exchanges: what each call writes, byte by byte but for what is random, and what is made of an
//! answer that was written down. Signatures are made anew by whoever plays the recording, since they are about nonce and time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use houbu::ports::CallError;
use houbu::ports::payments::platform::PlatformConfig;
use houbu::ports::payments::signature::{SigningKey, platform_message};
use houbu::ports::payments::{
    Bill, BillLine, Config, Connection, Opened, Paid, Payment, Payments, Provider, Refund, connect,
};
use houbu::ports::stamp::{Stamp, Stamper, Way};
use serde_json::{Value, json};

use super::{known, order, refund, stands};

const SIGN_KEY: &str = "recorded-sign-key";

/// An exchange: the request's method and target, its body (`null`: none), and what was answered.
struct Exchange {
    target: &'static str,
    asked: Value,
    status: u16,
    answered: Value,
}

fn exchange(target: &'static str, asked: Value, status: u16, answered: Value) -> Exchange {
    Exchange { target, asked, status, answered }
}

/// What WeChat Pay's documentation shows of each call, with our numbers.
fn wechat() -> [Exchange; 7] {
    let shown = |state: &str| {
        json!({
            "refund_id": "50000000382019052709732678859", "out_refund_no": "refund1", "out_trade_no": "order1",
            "transaction_id": "1217752501201407033233368018", "channel": "ORIGINAL",
            "user_received_account": "招商银行信用卡0403", "create_time": "2026-09-01T10:05:00+08:00", "status": state,
            "amount": { "total": 5000, "refund": 5000, "payer_total": 5000, "payer_refund": 5000, "currency": "CNY" }
        })
    };
    [
        exchange(
            "POST /v3/pay/transactions/jsapi",
            json!({
                "appid": "wxd678efh567hg6787", "mchid": "1230000109", "description": "候补挂号费", "out_trade_no": "order1",
                "time_expire": "2026-09-01T02:15:00Z", "notify_url": "https://houbu.example.org/callbacks/wechat-pay/payments",
                "amount": { "total": 5000, "currency": "CNY" }, "payer": { "openid": "o1" }
            }),
            200,
            json!({ "prepay_id": "wx201410272009395522657a690389285100" }),
        ),
        exchange(
            "GET /v3/pay/transactions/out-trade-no/order1?mchid=1230000109",
            Value::Null,
            200,
            json!({
                "appid": "wxd678efh567hg6787", "mchid": "1230000109", "out_trade_no": "order1",
                "transaction_id": "1217752501201407033233368018", "trade_type": "JSAPI", "trade_state": "SUCCESS",
                "trade_state_desc": "支付成功", "bank_type": "CMC", "attach": "",
                "success_time": "2026-09-01T10:01:00+08:00", "payer": { "openid": "o1" },
                "amount": { "total": 5000, "payer_total": 5000, "currency": "CNY", "payer_currency": "CNY" }
            }),
        ),
        exchange(
            "GET /v3/pay/transactions/out-trade-no/order2?mchid=1230000109",
            Value::Null,
            404,
            json!({ "code": "ORDER_NOT_EXIST", "message": "订单不存在" }),
        ),
        exchange(
            "POST /v3/pay/transactions/out-trade-no/order1/close",
            json!({ "mchid": "1230000109" }),
            400,
            json!({ "code": "ORDERPAID", "message": "该订单已支付" }),
        ),
        exchange(
            "POST /v3/refund/domestic/refunds",
            json!({
                "out_trade_no": "order1", "out_refund_no": "refund1", "reason": "候补未成功退费",
                "notify_url": "https://houbu.example.org/callbacks/wechat-pay/refunds",
                "amount": { "refund": 5000, "total": 5000, "currency": "CNY" }
            }),
            200,
            shown("PROCESSING"),
        ),
        exchange("GET /v3/refund/domestic/refunds/refund1", Value::Null, 200, shown("SUCCESS")),
        exchange(
            "GET /v3/bill/tradebill?bill_date=2026-09-01&bill_type=ALL",
            Value::Null,
            400,
            json!({ "code": "STATEMENT_CREATING", "message": "账单生成中" }),
        ),
    ]
}

/// What docs/integration/payments.md says of each call.
fn platform() -> [Exchange; 7] {
    let asking = |call: &str, data: Value| json!({ "call": call, "merchantId": "1001", "data": data });
    let yes = |data: Value| json!({ "code": "OK", "message": "", "data": data });
    let no = |code: &str| json!({ "code": code, "message": "…", "data": null });
    let shown = |state: &str| json!({ "orderNo": "order1", "refundNo": "refund1", "state": state, "amountFen": 5000 });
    [
        exchange(
            "POST /pay/order",
            asking(
                "order",
                json!({
                    "orderNo": "order1", "payType": "insurance", "amountFen": 5000, "description": "候补挂号费", "payer": "o1",
                    "expiresAt": "2026-09-01T02:15:00Z", "notifyUrl": "https://houbu.example.org/callbacks/pay-platform"
                }),
            ),
            200,
            yes(json!({ "pay": { "payUrl": "https://pay.example.org/c/1" } })),
        ),
        exchange(
            "POST /pay/order-query",
            asking("order-query", json!({ "orderNo": "order1" })),
            200,
            yes(json!({
                "orderNo": "order1", "state": "PAID", "amountFen": 5000, "paymentId": "1217752501201407033233368018",
                "paidAt": "2026-09-01T10:01:00+08:00", "insuranceFen": 3000
            })),
        ),
        exchange(
            "POST /pay/order-query",
            asking("order-query", json!({ "orderNo": "order2" })),
            404,
            no("ORDER_UNKNOWN"),
        ),
        exchange("POST /pay/order-close", asking("order-close", json!({ "orderNo": "order1" })), 409, no("ORDER_PAID")),
        exchange(
            "POST /pay/refund",
            asking(
                "refund",
                json!({
                    "orderNo": "order1", "refundNo": "refund1", "amountFen": 5000, "totalFen": 5000, "reason": "候补未成功退费",
                    "notifyUrl": "https://houbu.example.org/callbacks/pay-platform"
                }),
            ),
            200,
            yes(shown("PROCESSING")),
        ),
        exchange(
            "POST /pay/refund-query",
            asking("refund-query", json!({ "refundNo": "refund1" })),
            200,
            yes(shown("DONE")),
        ),
        exchange(
            "POST /pay/bill",
            asking("bill", json!({ "day": "2026-09-01", "page": 1 })),
            409,
            no("BILL_NOT_READY"),
        ),
    ]
}

/// How answers of WeChat Pay are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Rightly,
    ByAnother,
    Not,
}

/// Plays exchanges, one after the other, each once.
struct Player {
    provider: Provider,
    key: SigningKey,
    signed: Mutex<Signed>,
    stamper: Stamper,
    left: Mutex<Vec<Exchange>>,
}

async fn play(
    State(player): State<Arc<Player>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Exchange { target, asked, status, answered } = player.left.lock().unwrap().remove(0);
    let sent: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    assert_eq!((format!("{method} {uri}"), sent), (target.to_owned(), asked));
    let raw = answered.to_string();
    let status = StatusCode::from_u16(status).unwrap();
    let content = ("content-type", "application/json".to_owned());
    match player.provider {
        Provider::Wechat => {
            let signed = *player.signed.lock().unwrap();
            if signed == Signed::Not {
                return (status, [content], raw).into_response();
            }
            let message = if signed == Signed::Rightly { raw.as_str() } else { "another" };
            let signature = player.key.sign(&platform_message("1788228000", "N", message.as_bytes())).unwrap();
            let stamped = [
                content,
                ("wechatpay-timestamp", "1788228000".to_owned()),
                ("wechatpay-nonce", "N".to_owned()),
                ("wechatpay-serial", "S1".to_owned()),
                ("wechatpay-signature", signature),
            ];
            (status, stamped, raw).into_response()
        }
        Provider::Platform => {
            let stamp = Stamp::read(&headers).unwrap();
            player.stamper.verify(Way::Call, &stamp, &body).unwrap();
            let stamp = player.stamper.sign(Way::Answer, Utc::now(), &stamp.nonce, raw.as_bytes());
            (status, stamp.headers(), [content], raw).into_response()
        }
    }
}

/// The exchanges of this provider, and a client that talks to whoever plays them.
async fn recording(provider: Provider, exchanges: Vec<Exchange>) -> (Arc<Player>, Arc<dyn Payments>) {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem = |kind, der: &[u8]| format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der));
    let private_pem = pem("PRIVATE KEY", private.as_ref());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let player = Arc::new(Player {
        provider,
        key: SigningKey::from_pem(&private_pem).unwrap(),
        signed: Mutex::new(Signed::Rightly),
        stamper: Stamper::new(&SIGN_KEY.into()),
        left: Mutex::new(exchanges),
    });
    let router = axum::Router::new().fallback(play).with_state(Arc::clone(&player));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let callbacks = "https://houbu.example.org/callbacks";
    let (notice_skew, timeout) = (TimeDelta::minutes(5), Duration::from_secs(20));
    let connection = match provider {
        Provider::Wechat => Connection::Wechat(Box::new(Config {
            base_url: base,
            app_id: "wxd678efh567hg6787".to_owned(),
            mch_id: "1230000109".to_owned(),
            serial_no: "OURS".to_owned(),
            private_key_pem: private_pem.into(),
            platform_keys: vec![("S1".to_owned(), pem("PUBLIC KEY", public.as_ref()))],
            platform_certificates: false,
            api_v3_key: "0123456789abcdef0123456789abcdef".into(),
            notify_url_payments: format!("{callbacks}/wechat-pay/payments"),
            notify_url_refunds: format!("{callbacks}/wechat-pay/refunds"),
            notice_skew,
            timeout,
        })),
        Provider::Platform => Connection::Platform(PlatformConfig {
            url: format!("{base}/pay"),
            merchant_id: "1001".to_owned(),
            sign_key: SIGN_KEY.into(),
            notify_url: format!("{callbacks}/pay-platform"),
            notice_skew,
            timeout,
        }),
    };
    (player, connect(connection).unwrap())
}

/// A refusal may come without a signature, and is believed; one that is signed by somebody else is not. Who answers nothing that is
/// signed has proven nothing.
#[tokio::test]
async fn a_refusal_is_believed_unless_somebody_else_signed_it() {
    let unknown = || {
        let target = "GET /v3/pay/transactions/out-trade-no/nobodys?mchid=1230000109";
        exchange(target, Value::Null, 404, json!({ "code": "ORDER_NOT_EXIST", "message": "订单不存在" }))
    };
    let (player, payments) = recording(Provider::Wechat, (0..6).map(|_| unknown()).collect()).await;
    for (signed, believed, proves) in [
        (Signed::Rightly, true, "ok"),
        (Signed::ByAnother, false, "signature is wrong"),
        (Signed::Not, true, "not proven"),
    ] {
        *player.signed.lock().unwrap() = signed;
        let order = payments.order("nobodys").await;
        assert_eq!(matches!(order, Ok(Payment::Unknown)), believed, "{order:?}");
        let wrong = matches!(&order, Err(CallError::Unknown { detail, .. }) if detail.contains("signature"));
        assert_eq!(wrong, !believed, "{order:?}");
        let proven = payments
            .prove("nobodys")
            .await
            .map_or_else(|error| error.to_string(), |proven| if proven { "ok" } else { "not proven" }.to_owned());
        assert!(proven.contains(proves), "{proven}");
    }
}

#[tokio::test]
async fn recorded_exchanges_are_written_and_understood_as_they_were() {
    let (expires_at, day): (DateTime<Utc>, _) =
        ("2026-09-01T02:15:00Z".parse().unwrap(), NaiveDate::from_ymd_opt(2026, 9, 1).unwrap());
    let paid = Paid {
        transaction_id: "1217752501201407033233368018".to_owned(),
        amount_fen: 5000,
        paid_at: "2026-09-01T02:01:00Z".parse().unwrap(),
    };
    for (provider, exchanges) in [(Provider::Wechat, wechat()), (Provider::Platform, platform())] {
        let (player, pay) = recording(provider, exchanges.into()).await;
        let ready = match provider {
            Provider::Wechat => "wx201410272009395522657a690389285100",
            Provider::Platform => "{\"payUrl\":\"https://pay.example.org/c/1\"}",
        };
        let opened = pay.open(&order("order1", expires_at)).await;
        assert_eq!(opened, Ok(Opened::Ready { prepay_id: ready.to_owned() }), "{provider:?}");
        assert_eq!(pay.order("order1").await, Ok(Payment::Paid(paid.clone())), "{provider:?}");
        assert_eq!(pay.order("order2").await, Ok(Payment::Unknown), "{provider:?}");
        assert_eq!(pay.close("order1").await, Ok(()), "{provider:?}");
        assert_eq!(
            stands(&pay.refund(&refund("order1", "refund1", 5000)).await),
            Ok(Refund::Processing),
            "{provider:?}"
        );
        assert_eq!(stands(&pay.refund_status("refund1").await), Ok(Refund::Success), "{provider:?}");
        assert_eq!(pay.bill(day).await, Ok(Bill::NotYet), "{provider:?}");
        assert!(player.left.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn r36_a_recorded_bill_of_a_platform_is_read_page_by_page_and_not_with_a_gap() {
    let page = |page: u32, count: usize, lines: Value| {
        exchange(
            "POST /pay/bill",
            json!({ "call": "bill", "merchantId": "1001", "data": { "day": "2026-09-01", "page": page } }),
            200,
            json!({ "code": "OK", "data": { "pages": 2, "count": count, "lines": lines } }),
        )
    };
    let first = json!([{ "kind": "payment", "orderNo": "order1", "paymentId": "P1", "amountFen": 5000 }]);
    let second =
        json!([{ "kind": "refund", "orderNo": "order1", "refundNo": "refund1", "amountFen": 100, "state": "DONE" }]);
    let day = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
    let good = vec![page(1, 2, first.clone()), page(2, 2, second.clone())];
    let (_, pay) = recording(Provider::Platform, good).await;
    let Ok(Bill::Lines(lines)) = pay.bill(day).await else { panic!("no bill") };
    assert!(
        matches!(&lines[..], [BillLine::Paid { amount_fen: 5000, .. }, BillLine::Refund { amount_fen: 100, .. }]),
        "{lines:?}"
    );
    for bad in [
        vec![page(1, 3, first.clone()), page(2, 3, second.clone())],
        vec![page(1, 2, first.clone()), page(2, 3, second)],
        vec![page(1, 2, first.clone()), page(2, 2, json!([{ "kind": "else" }]))],
    ] {
        let (_, pay) = recording(Provider::Platform, bad).await;
        assert_eq!(known(&pay.bill(day).await), "unknown");
    }
}

#[tokio::test]
async fn a_platform_whose_clock_differs_is_written_in_its_own_time_from_then_on() {
    let asked = json!({ "call": "order-query", "merchantId": "1001", "data": { "orderNo": "order1" } });
    let stale = exchange("POST /pay/order-query", asked.clone(), 401, json!({ "code": "STALE" }));
    let then = exchange("POST /pay/order-query", asked, 200, json!({ "code": "ORDER_UNKNOWN" }));
    let (_, pay) = recording(Provider::Platform, vec![stale, then]).await;
    assert_eq!(known(&pay.order("order1").await), "not taken");
    assert_eq!(pay.order("order1").await, Ok(Payment::Unknown));
}

//! The platform's callback endpoint in a hospital at work: what is believed is stored once and acted on, what is not changes
//! nothing (R6, R8, E2).

use chrono::{DateTime, TimeDelta, Utc};
use houbu::ports::payments::Provider;
use houbu::ports::stamp::{Stamp, Stamper, Way};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::hospital::world::FEE_FEN;
use crate::hospital::{Hospital, Setup, door};
use crate::patience::wait_for;

const DOOR: &str = "/callbacks/pay-platform";

async fn hospital() -> Hospital {
    Hospital::open(Setup { pay: Provider::Platform, ..Setup::paying(PaymentMode::Prepay) }).await
}

/// This order was paid with so much.
fn told(id: &str, merchant: &str, number: &str, fen: i64) -> String {
    let data = json!({
        "orderNo": number, "state": "PAID", "amountFen": fen, "paymentId": "P-1", "paidAt": "2026-09-01T10:00:00+08:00"
    });
    json!({ "id": id, "event": "ORDER_PAID", "merchantId": merchant, "data": data }).to_string()
}

/// The notice, stamped at this instant.
fn stamped(hospital: &Hospital, at: DateTime<Utc>, body: &str) -> (Stamp, RequestBuilder) {
    let key = hospital.pay.platform_config("", std::time::Duration::ZERO).sign_key;
    let stamp = Stamper::new(&key).sign(Way::Event, at, "nonce-0001", body.as_bytes());
    let mut request = hospital.door.request(Method::POST, DOOR).body(body.to_owned());
    for (name, value) in stamp.headers() {
        request = request.header(name, value);
    }
    (stamp, request)
}

/// What staff see of callbacks: source, fate, times.
async fn inbox(hospital: &Hospital) -> Vec<(String, String, i32)> {
    let believed = "select source, fate, times from callback where source <> 'his' and fate <> 'unbelieved'
                    order by received_at, event_id";
    sqlx::query_as(believed).fetch_all(&hospital.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_e02_notices_of_a_platform_are_stored_once_and_what_is_not_its_changes_nothing() {
    let hospital = hospital().await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    let number = ids::trade_no(entry, 1);
    let good = told("N-1", "1001", &number, FEE_FEN);
    let status = async |request: RequestBuilder| door::Door::reply(request).await.status;
    let at = |minutes| hospital.now() + TimeDelta::minutes(minutes);
    let signed = |body: &str| stamped(&hospital, at(0), body).1;
    for (what, expected, request) in [
        ("no signature", 401, hospital.door.request(Method::POST, DOOR).body(good.clone())),
        ("another body under the same signature", 401, signed(&good).body(good.replace("N-1", "N-2"))),
        ("played again later", 401, stamped(&hospital, at(-6), &good).1),
        ("from the future", 401, stamped(&hospital, at(6), &good).1),
        ("half a document", 400, signed(&good[..good.len() / 2])),
        ("another merchant", 400, signed(&told("N-3", "1002", &number, FEE_FEN))),
        ("an order that is not ours", 404, signed(&told("N-4", "1001", "ABCDEF", FEE_FEN))),
        ("another amount", 422, signed(&told("N-5", "1001", &number, FEE_FEN - 1))),
        ("WeChat Pay's door", 404, hospital.door.request(Method::POST, "/callbacks/wechat-pay/payments").body("{}")),
    ] {
        assert_eq!(status(request).await, expected, "{what}");
        hospital.until_still().await;
        assert_eq!(hospital.status(entry).await, "awaitingPrepayment", "{what}");
    }
    let seen = |fate: &str| ("pay-platform".to_owned(), fate.to_owned(), 1);
    let mut unfit = inbox(&hospital).await;
    unfit.sort_unstable();
    assert_eq!(
        unfit,
        [seen("no-run"), seen("refused"), seen("refused"), seen("refused")],
        "staff see what did not fit, and what is no document"
    );
    let door = "select times::bigint from callback where source = 'wechat-pay' and fate = 'unbelieved'";
    wait_for("what knocked at the other provider's door to be counted", async || {
        let times: Option<i64> = sqlx::query_scalar(door).fetch_optional(&hospital.db.pool).await.unwrap();
        times == Some(1)
    })
    .await;

    hospital.pay.pay_now(&number).await.unwrap();
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.status(entry).await, "waiting", "the platform's own notice is believed");
    let steps = hospital.steps(entry).await;
    // A copy of it, under its own id and under another: money that is there is not heard again.
    let own: String =
        sqlx::query_scalar("select event_id from callback where fate = 'delivered' and source = 'pay-platform'")
            .fetch_one(&hospital.db.pool)
            .await
            .unwrap();
    for id in [own.as_str(), "N-6"] {
        assert_eq!(status(signed(&told(id, "1001", &number, FEE_FEN))).await, 204);
    }
    hospital.until_still().await;
    assert_eq!(hospital.steps(entry).await, steps);
    assert!(inbox(&hospital).await.contains(&("pay-platform".to_owned(), "delivered".to_owned(), 2)));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r08_r36_a_fee_goes_through_a_platform_and_back_and_all_books_agree() {
    let hospital = hospital().await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "visitCancelled");
    hospital.pass_until(crate::hospital::world::local(2, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, Vec::<(String, String)>::new());
    hospital.finish().await;
}

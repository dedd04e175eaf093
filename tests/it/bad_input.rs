//! Bad input, from patients' services and from outside: a clear word, nothing changed, nothing lost.

use std::collections::BTreeSet;

use houbu::engine::RunId;
use houbu::http::addresses::Addresses;
use houbu::ports::his::Credentials;
use houbu::ports::his::envelope::Envelope;
use houbu::ports::payments::sealed::SealingKey;
use houbu::ports::payments::signature::{SigningKey, nonce, platform_message};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::hospital::world::{FEE_FEN, cutoff};
use crate::hospital::{Hospital, Reply, Setup, credentials, door};
use crate::patience::wait_for;

/// Asks for something that is refused: with this status, and without a trace in our tables.
async fn refused(hospital: &Hospital, what: &str, status: u16, request: reqwest::RequestBuilder) -> Reply {
    let before = hospital.everything().await;
    let reply = door::Door::reply(request).await;
    assert_eq!(reply.status, status, "{what}: {}", reply.body);
    hospital.until_still().await;
    let after = hospital.everything().await;
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{what} changed the table {table}");
    }
    reply
}

fn apply(hospital: &Hospital, schedule: &str, patient: &str) -> reqwest::RequestBuilder {
    let body = json!({ "scheduleId": schedule, "patientId": patient });
    hospital.door.keyed(Method::POST, "/v1/waitlist").json(&body)
}

async fn policy(hospital: &Hospital, level: &str, id: &str, policy: Value) {
    let reply = hospital.door.ask(Method::PUT, &format!("/v1/policies/{level}/{id}"), Some(policy)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_r03_r04_every_reason_not_to_join_a_queue_has_its_own_code() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let mut codes = Vec::new();
    let mut asks = async |what: &str, status: u16, schedule: &str, patient: &str| {
        let reply = refused(&hospital, what, status, apply(&hospital, schedule, patient)).await;
        assert!(reply.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: {}", reply.body);
        codes.push(reply.code().to_owned());
    };
    asks("an unknown schedule", 404, "nowhere", "p1").await;
    asks("an unknown patient", 404, "w1-am", "nobody").await;
    hospital.apply("w1-am", 1).await;
    asks("a duplicate", 409, "w1-am", "p1").await;
    policy(&hospital, "doctor", "W1", json!({ "cap": 1 })).await;
    asks("a full queue", 409, "w1-am", "p2").await;
    policy(&hospital, "doctor", "W1", json!({ "switch": "off" })).await;
    asks("a closed switch", 409, "w1-am", "p2").await;
    policy(&hospital, "doctor", "W1", json!({ "liveEntriesPerPatient": 1 })).await;
    asks("one queue too many", 409, "w1-pm", "p1").await;
    policy(&hospital, "doctor", "W1", json!({})).await;
    let listing = Some(json!({ "reason": "三次爽约" }));
    assert_eq!(hospital.door.ask(Method::PUT, "/v1/blacklist/p3", listing).await.status, 200);
    asks("somebody blacklisted", 403, "w1-am", "p3").await;
    hospital.free_a_place("w1-am").await;
    asks("somebody who is booked that day", 409, "w1-pm", "p1").await;
    // A free place that nobody waits for is for everybody.
    hospital.free_silently("w2-am", 1).await;
    hospital.start_sync().await;
    asks("a schedule with a free place", 409, "w2-am", "p2").await;
    let stopped = hospital.apply("w1-pm", 2).await;
    hospital.stop("w1-pm").await;
    assert_eq!(hospital.status(stopped).await, "stopped");
    asks("a stopped schedule", 409, "w1-pm", "p4").await;
    hospital.pass_until(cutoff()).await;
    asks("an application at the cutoff", 409, "w1-am", "p4").await;
    let expected = [
        "unknown_schedule",
        "unknown_patient",
        "duplicate_application",
        "queue_full",
        "waitlist_not_enabled",
        "patient_limit",
        "blacklisted",
        "already_booked",
        "bookable_now",
        "schedule_stopped",
        "past_cutoff",
    ];
    assert_eq!(codes, expected);
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_cannot_be_read_are_told_what_is_wrong() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let raw = |kind: &'static str, body: String| {
        hospital.door.keyed(Method::POST, "/v1/waitlist").header("content-type", kind).body(body)
    };
    let json_of = |value: Value| raw("application/json", value.to_string());
    let stranger = hospital.door.request(Method::POST, "/v1/waitlist");
    let well_formed = json!({ "scheduleId": "w1-am", "patientId": "p2" });
    let cases = [
        ("half a document", 400, raw("application/json", "{\"scheduleId\":".to_owned())),
        ("no document", 400, raw("application/json", String::new())),
        ("bytes that are no text", 400, raw("application/json", "\u{0}\u{1}".to_owned())),
        ("XML where JSON belongs", 415, raw("text/xml", "<a/>".to_owned())),
        ("a list", 422, json_of(json!([1, 2, 3]))),
        ("nothing in it", 422, json_of(json!({}))),
        ("a number for a name", 422, json_of(json!({ "scheduleId": 1, "patientId": "p2" }))),
        ("a field that nobody knows", 422, json_of(json!({ "scheduleId": "w1-am", "patientId": "p2", "cap": 1 }))),
        ("a name with a NUL", 422, json_of(json!({ "scheduleId": "w1-am", "patientId": "p\u{0}2" }))),
        ("an endless name", 422, json_of(json!({ "scheduleId": "w1-am", "patientId": "p".repeat(10_000) }))),
        ("a huge document", 413, json_of(json!({ "scheduleId": "x".repeat(400_000), "patientId": "p2" }))),
        ("no key", 401, stranger.json(&well_formed)),
        ("a wrong key", 401, hospital.door.request(Method::POST, "/v1/waitlist").bearer_auth("x").json(&well_formed)),
        ("a wrong verb", 405, hospital.door.keyed(Method::PATCH, "/v1/waitlist")),
        ("no such page", 404, hospital.door.keyed(Method::GET, "/v1/nothing")),
        ("no such application", 404, hospital.door.keyed(Method::GET, &format!("/v1/waitlist/{}", RunId::now_v7()))),
        ("an id that is none", 404, hospital.door.keyed(Method::DELETE, "/v1/waitlist/1%20or%201")),
        ("nothing to confirm", 409, hospital.door.keyed(Method::POST, &format!("/v1/waitlist/{entry}/confirm"))),
        ("nothing to decline", 409, hospital.door.keyed(Method::POST, &format!("/v1/waitlist/{entry}/decline"))),
        ("no such visit", 404, hospital.door.keyed(Method::DELETE, "/v1/appointments/L0")),
    ];
    for (what, status, request) in cases {
        let reply = refused(&hospital, what, status, request).await;
        assert!(!reply.code().is_empty(), "{what} has no code: {}", reply.body);
        assert!(reply.body["type"].is_string() && reply.body["title"].is_string(), "{what}: {}", reply.body);
    }
    hospital.finish().await;
}

fn sealed(credentials: &Credentials, function: &str, body: &str) -> String {
    Envelope::new(credentials).unwrap().seal_request(function, body).unwrap()
}

fn cancel_push(event: &str, schedule: &str) -> String {
    format!(
        "<REQ><EVENT_ID>{event}</EVENT_ID><HOSP_ORDER_ID>H9</HOSP_ORDER_ID><CHANNEL_ID>9</CHANNEL_ID>\
         <REG_ID>{schedule}</REG_ID><DEPT_ID>D1</DEPT_ID><DOCTOR_ID>W1</DOCTOR_ID><REG_DATE>2026-09-04</REG_DATE>\
         <TIME_FLAG>1</TIME_FLAG><BEGIN_TIME>08:00</BEGIN_TIME><END_TIME>08:30</END_TIME>\
         <CANCEL_TIME>2026-09-01 10:00:00</CANCEL_TIME></REQ>"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_r30_pushes_that_are_not_his_change_nothing() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    let genuine = sealed(&credentials(), "5007", &cancel_push("e1", "w1-am"));
    let forger = Credentials { sign_key: SecretString::from("another-key"), ..credentials() };
    let from_another = sealed(&forger, "5007", &cancel_push("e1", "w1-am"));
    let push = |body: String| hospital.door.request(Method::POST, "/callbacks/his").body(body);
    let envelope = Envelope::new(&credentials()).unwrap();
    let code = |reply: &Reply| envelope.open_reply(reply.body.as_str().unwrap().as_bytes()).unwrap().code;
    let cases = [
        ("no XML", "1", "hello".to_owned()),
        ("nothing", "1", String::new()),
        ("half of it", "1", genuine[..genuine.len() / 2].to_owned()),
        ("another signature", "7", from_another),
        ("another function under the same signature", "7", genuine.replacen("5007", "5001", 1)),
        ("fields missing", "1", sealed(&credentials(), "5007", "<REQ><EVENT_ID>e1</EVENT_ID></REQ>")),
    ];
    for (what, expected, body) in cases {
        let reply = refused(&hospital, what, 200, push(body)).await;
        assert_eq!(code(&reply), expected, "{what}");
    }
    refused(&hospital, "a huge push", 413, push("x".repeat(400_000))).await;
    // A function that we do not act on is written down, once, without what it carries.
    for _ in 0..2 {
        let printed = sealed(&credentials(), "5004", "<REQ><NAME>张三</NAME></REQ>");
        assert_eq!(code(&door::Door::reply(push(printed)).await), "0");
    }
    let ignored = "select fate, times, body::text from callback where kind = '5004'";
    let ignored: Vec<(String, i32, String)> = sqlx::query_as(ignored).fetch_all(&hospital.db.pool).await.unwrap();
    let [(fate, times, body)] = ignored.as_slice() else { panic!("{ignored:?}") };
    assert!(
        (fate.as_str(), *times) == ("ignored", 2) && !body.contains("张三"),
        "what it says of a person is not kept: {body}"
    );
    // The genuine one is not lost for all that; repeated, it does nothing more.
    assert_eq!(code(&door::Door::reply(push(genuine.clone())).await), "0");
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "booked");
    let reply = refused(&hospital, "a replayed push", 200, push(genuine)).await;
    assert_eq!(code(&reply), "0");
    // Nobody waits for this one: the hint is kept, once, and helps whoever waits first.
    hospital.free_silently("w2-am", 1).await;
    for event in ["e2", "e3"] {
        let hint = sealed(&credentials(), "5007", &cancel_push(event, "w2-am"));
        assert_eq!(code(&door::Door::reply(push(hint)).await), "0");
    }
    let kept = "select count(*) from unmatched where status = 'waiting'";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!(kept, 1);
    let first = hospital.apply("w2-am", 2).await;
    hospital.until_still().await;
    assert_eq!(hospital.status(first).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_pushes_from_elsewhere_are_refused_unread_and_counted() {
    let networks = |all: &[&str]| all.iter().map(|network| network.parse().unwrap()).collect();
    let addresses = Addresses { trusted_proxies: networks(&["127.0.0.1/32"]), push_from: networks(&["10.0.0.0/8"]) };
    let hospital = Hospital::open(Setup { addresses, ..Setup::paying(PaymentMode::None) }).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    let push = |body: String, forwarded: &str| {
        let request = hospital.door.request(Method::POST, "/callbacks/his").body(body);
        if forwarded.is_empty() { request } else { request.header("x-forwarded-for", forwarded) }
    };
    let genuine = sealed(&credentials(), "5007", &cancel_push("e1", "w1-am"));
    let cases = [
        ("from the proxy itself", genuine.clone(), ""),
        ("from elsewhere", genuine.clone(), "203.0.113.5"),
        ("from elsewhere, with an address made up", genuine.clone(), "10.1.2.3, 203.0.113.5"),
        ("from nowhere that can be read", genuine.clone(), "10.1.2.3, unknown"),
        ("a huge one from elsewhere", "x".repeat(400_000), "203.0.113.5"),
    ];
    let refusals = cases.len();
    for (what, body, forwarded) in cases {
        let reply = refused(&hospital, what, 403, push(body, forwarded)).await;
        assert_eq!(reply.code(), "address_not_allowed", "{what}");
    }
    let figures = door::Door::reply(hospital.door.request(Method::GET, "/metrics")).await;
    let counted =
        format!(r#"houbu_http_refusals_total{{route="/callbacks/his",code="address_not_allowed"}} {refusals}"#);
    assert!(figures.body.as_str().unwrap().contains(&counted), "{counted} is not in {}", figures.body);
    let elsewhere = "select times::bigint from callback where fate = 'unbelieved' and event_id like '%his.push_from'";
    wait_for("all of them to be counted in the inbox", async || {
        let times: Option<i64> = sqlx::query_scalar(elsewhere).fetch_optional(&hospital.db.pool).await.unwrap();
        times == i64::try_from(refusals).ok()
    })
    .await;
    // What comes from where HIS pushes from is taken.
    assert_eq!(door::Door::reply(push(genuine, "10.1.2.3")).await.status, 200);
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// The keys of the simulated provider, as its books have them.
struct Provider {
    serial: String,
    key: SigningKey,
    sealing: SealingKey,
}

impl Provider {
    async fn of(hospital: &Hospital) -> Self {
        let keys: Value = sqlx::query_scalar("select body from sandbox.record where book = 'wechat_pay.keys'")
            .fetch_one(&hospital.db.pool)
            .await
            .unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            serial: text(&keys["platform"]["serial"]),
            key: SigningKey::from_pem(&text(&keys["platform"]["private_pem"])).unwrap(),
            sealing: SealingKey::new(&SecretString::from(text(&keys["api_v3_key"]))).unwrap(),
        }
    }

    /// A notice's body: this order was paid with so much.
    fn body(&self, merchant: &str, number: &str, fen: i64) -> String {
        let told = json!({
            "appid": "wx0000000000000109", "mchid": merchant, "out_trade_no": number, "transaction_id": "4200001",
            "trade_type": "JSAPI", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS",
            "success_time": "2026-09-01T10:00:00+08:00", "payer": { "openid": "o" }, "attach": "",
            "amount": { "total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY" },
        });
        let ciphertext = self.sealing.seal("0123456789ab", "transaction", told.to_string().as_bytes()).unwrap();
        json!({
            "id": "EV-1", "create_time": "2026-09-01T10:00:00+08:00", "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
            "resource": {
                "original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "ciphertext": ciphertext,
                "associated_data": "transaction", "nonce": "0123456789ab",
            },
        })
        .to_string()
    }

    /// The notice, signed at this second.
    fn signed(&self, hospital: &Hospital, at: i64, body: &str) -> reqwest::RequestBuilder {
        let (at, nonce) = (at.to_string(), nonce());
        let signature = self.key.sign(&platform_message(&at, &nonce, body.as_bytes())).unwrap();
        hospital
            .door
            .request(Method::POST, "/callbacks/wechat-pay/payments")
            .header("content-type", "application/json")
            .header("Wechatpay-Timestamp", at)
            .header("Wechatpay-Nonce", nonce)
            .header("Wechatpay-Signature", signature)
            .header("Wechatpay-Serial", &self.serial)
            .body(body.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_that_are_not_the_providers_change_nothing() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, houbu::sandbox::wechat_pay::Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    let number = ids::trade_no(entry, 1);
    let provider = Provider::of(&hospital).await;
    let now = hospital.now().timestamp();
    let good = provider.body("1900000109", &number, FEE_FEN);
    let sign = |body: &str| provider.signed(&hospital, now, body);
    let unsigned = hospital.door.request(Method::POST, "/callbacks/wechat-pay/payments").body(good.clone());
    let another_body = sign(&good).body(good.replace("EV-1", "EV-2"));
    let another_number = provider.body("1900000109", &ids::trade_no(RunId::now_v7(), 1), FEE_FEN);
    let cases = [
        ("no signature", 401, unsigned),
        ("another body under the same signature", 401, another_body),
        ("an old notice", 401, provider.signed(&hospital, now - 3_600, &good)),
        ("a notice from the future", 401, provider.signed(&hospital, now + 3_600, &good)),
        ("half a document", 400, sign(&good[..good.len() / 2])),
        ("another merchant", 400, sign(&provider.body("1900000999", &number, FEE_FEN))),
        ("an order that is not ours", 404, sign(&another_number)),
        ("an order that cannot be ours", 404, sign(&provider.body("1900000109", "ABCDEF", FEE_FEN))),
        ("another amount", 422, sign(&provider.body("1900000109", &number, FEE_FEN - 1))),
        ("a huge notice", 413, sign(&"x".repeat(400_000))),
    ];
    for (what, status, request) in cases {
        refused(&hospital, what, status, request).await;
    }
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    // Signed notices that fit nothing changed no run, and stand there for staff.
    let unfit = "select count(*) from callback where source = 'wechat-pay' and fate in ('no-run', 'refused')";
    let unfit: i64 = sqlx::query_scalar(unfit).fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!(unfit, 2, "the provider's notices of this test have one id; half a document has none");
    // The payer does pay; the provider's own notice is believed, and a copy of it changes nothing.
    hospital.pay.pay_now(&number).await.unwrap();
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    let before = hospital.everything().await;
    let (steps, replayed) = (hospital.steps(entry).await, door::Door::reply(sign(&good)).await);
    assert_eq!(replayed.status, 204);
    hospital.until_still().await;
    assert_eq!(hospital.steps(entry).await, steps, "money that was there already is not heard again");
    assert_eq!(before["entry"], hospital.everything().await["entry"]);
    hospital.finish().await;
}

/// Where `api_v3_key` is wrong every notice is signed and none can be opened: each waits for a person, and is taken once it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_notice_that_cannot_be_opened_is_for_a_person_until_it_can() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, houbu::sandbox::wechat_pay::Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    let number = ids::trade_no(entry, 1);
    let provider = Provider::of(&hospital).await;
    let another = SealingKey::new(&SecretString::from("another-api-v3-key-of-32-bytes!!")).unwrap();
    let elsewhere = Provider { sealing: another, ..Provider::of(&hospital).await };
    let now = hospital.now().timestamp();
    let sealed = elsewhere.body("1900000109", &number, FEE_FEN);
    for _ in 0..2 {
        refused(&hospital, "sealed with another key", 400, provider.signed(&hospital, now, &sealed)).await;
    }
    let seen = async || {
        let wanted = houbu::records::callbacks::Wanted {
            source: Some("wechat-pay".to_owned()),
            most: 9,
            ..houbu::records::callbacks::Wanted::default()
        };
        hospital.desk.callbacks(&wanted).await.unwrap()
    };
    wait_for("both to be counted", async || seen().await[0].times == 2).await;
    let [one] = &seen().await[..] else { panic!("{:?}", seen().await) };
    assert_eq!(
        (one.event_id.as_str(), one.kind.as_str(), one.fate.as_str()),
        ("EV-1", "TRANSACTION.SUCCESS", "refused")
    );
    assert_eq!(one.body["why"], "the notice's body cannot be read: the resource does not decrypt");
    assert_eq!(
        (one.body["bytes"].as_u64(), one.body.as_object().unwrap().len()),
        (u64::try_from(sealed.len()).ok(), 3)
    );
    assert_eq!(hospital.desk.numbers_of_day(hospital.today()).await.unwrap().unmatched, 1);
    // The key is set right, and the provider sends it again.
    hospital.pay.pay_now(&number).await.unwrap();
    let good = provider.body("1900000109", &number, FEE_FEN);
    assert_eq!(door::Door::reply(provider.signed(&hospital, now, &good)).await.status, 204);
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    let one = seen().await.into_iter().find(|one| one.event_id == "EV-1").unwrap();
    assert_eq!((one.fate.as_str(), one.times, one.body.get("why")), ("delivered", 3, None));
    assert_eq!(hospital.desk.numbers_of_day(hospital.today()).await.unwrap().unmatched, 0);
    hospital.finish().await;
}

//! Pushes of HIS as JSON, at the door where they come in (R15, R30).

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use houbu::ports::his::envelope::Envelope;
use houbu::ports::his::{json as twin, soap};
use houbu::ports::stamp::{Stamp, Stamper, Way};
use houbu::waitlist::policy::PaymentMode;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::hospital::{Hospital, credentials};
use crate::patience::wait_for;

fn cancellation(event: &str, schedule: &str) -> Value {
    json!({
        "function": "5007", "userId": "HOUBU",
        "data": {
            "eventId": event, "hospOrderId": format!("H-{event}"), "channelId": "9", "regId": schedule, "deptId": "K1",
            "doctorId": "W1", "regDate": "2026-09-03", "timeFlag": "1", "cancelTime": "2026-09-01 10:00:00"
        }
    })
}

/// The event as the sender stamps it at this time.
fn event(hospital: &Hospital, at: DateTime<Utc>, body: &Value) -> (Stamp, RequestBuilder) {
    let body = body.to_string();
    let stamp = Stamper::new(&credentials().sign_key).sign(Way::Event, at, "nonce-0001", body.as_bytes());
    let mut request = hospital.door.request(Method::POST, "/callbacks/his/events").body(body);
    for (name, value) in stamp.headers() {
        request = request.header(name, value);
    }
    (stamp, request)
}

/// The status and the code of an answer that is ours, to this event.
async fn answered(request: RequestBuilder) -> (u16, String) {
    let reply = request.send().await.unwrap();
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let raw = reply.bytes().await.unwrap();
    let stamp = Stamp::read(&headers).unwrap();
    Stamper::new(&credentials().sign_key).verify(Way::Receipt, &stamp, &raw).unwrap();
    assert_eq!(stamp.nonce, "nonce-0001");
    let said: Value = serde_json::from_slice(&raw).unwrap();
    (status, said["code"].as_str().unwrap().to_owned())
}

async fn callbacks(hospital: &Hospital) -> Vec<(String, i32)> {
    let believed = "select event_id, times from callback where source = 'his' and kind <> 'unbelieved' order by 1";
    sqlx::query_as(believed).fetch_all(&hospital.db.pool).await.unwrap()
}

/// What is for staff because it could not be taken: rows, and how often it came.
async fn refused(hospital: &Hospital) -> (i64, Option<i64>) {
    let refused = "select count(*), sum(times) from callback where source = 'his' and fate = 'refused'";
    sqlx::query_as(refused).fetch_one(&hospital.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_r30_an_event_frees_a_place_once_and_what_is_old_or_forged_changes_nothing() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    let genuine = cancellation("e1", "w1-am");
    let at = |minutes: i64| hospital.now() + TimeDelta::minutes(minutes);
    assert_eq!(answered(event(&hospital, at(-6), &genuine).1).await, (401, "stale".to_owned()), "played again");
    assert_eq!(answered(event(&hospital, at(6), &genuine).1).await, (401, "stale".to_owned()), "from the future");
    let stranger = json!({ "function": "5007", "userId": "ANOTHER", "data": genuine["data"] });
    assert_eq!(answered(event(&hospital, at(0), &stranger).1).await, (401, "7".to_owned()));
    let half = json!({ "function": "5007", "userId": "HOUBU", "data": { "eventId": "e1" } });
    assert_eq!(answered(event(&hospital, at(0), &half).1).await, (400, "1".to_owned()));
    let (_, forged) = event(&hospital, at(0), &genuine);
    let forged = forged.body(cancellation("e1", "w2-am").to_string()).send().await.unwrap();
    assert_eq!(forged.status(), 401);
    let unsigned = hospital.door.request(Method::POST, "/callbacks/his/events").body(genuine.to_string());
    assert_eq!(unsigned.send().await.unwrap().status(), 400);
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(callbacks(&hospital).await, [("e1".to_owned(), 1)], "half a push is signed, and for staff");
    assert_eq!(refused(&hospital).await, (1, Some(1)));

    for minutes in [-4, 0, 4] {
        assert_eq!(answered(event(&hospital, at(minutes), &genuine).1).await, (200, "0".to_owned()));
    }
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(callbacks(&hospital).await, [("e1".to_owned(), 4)], "stored once, counted");
    assert_eq!(refused(&hospital).await, (0, None), "it could be read in the end");
    hospital.finish().await;
}

/// `HOS_ID` is that of `[his]`, where a push names one: what is signed rightly and meant for another hospital is refused, in both forms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_push_of_another_hospital_is_refused() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    let of = |function: &str, hos_id: &str| {
        let mut body = cancellation("e1", "w1-am");
        (body["function"], body["data"]["hosId"]) = (json!(function), json!(hos_id));
        body
    };
    for function in ["5001", "5002", "5003", "5007", "5008"] {
        let answer = answered(event(&hospital, hospital.now(), &of(function, "1002")).1).await;
        assert_eq!(answer, (400, "1".to_owned()), "{function}");
    }
    for (hos_id, code) in [("1002", "1"), ("1001", "0")] {
        let body = twin::as_xml(&of("5007", hos_id)["data"]).unwrap();
        let envelope = Envelope::new(&credentials()).unwrap();
        let sealed = soap::request("Push", &envelope.seal_request("5007", &body).unwrap());
        assert_eq!(callbacks(&hospital).await.len(), 0, "nothing of another hospital is stored");
        let reply = hospital.door.request(Method::POST, "/callbacks/his").body(sealed).send().await.unwrap();
        let answer = envelope.open_reply(&reply.bytes().await.unwrap()).unwrap();
        assert_eq!(answer.code, code, "{hos_id}");
        hospital.until_still().await;
    }
    assert_eq!(answered(event(&hospital, hospital.now(), &of("5007", "1001")).1).await, (200, "0".to_owned()));
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(callbacks(&hospital).await, [("e1".to_owned(), 2)]);
    hospital.finish().await;
}

/// Thousands of bodies that are nothing: each is answered, none with a failure of ours. What nobody signed is counted by its reason;
/// what was signed is for staff, and has no more rows than so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_thousands_of_malformed_bodies_are_each_refused() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let pieces =
        ["{", "}", "[", "]", "\"function\":", "\"5007\"", ",", "null", "\u{fffd}", "<ROOT>", "<!DOCTYPE", "&a;", "\0"];
    let mut state = 7_u64;
    let mut chance = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap()
    };
    let stamper = Stamper::new(&credentials().sign_key);
    for nth in 0..10_000_u32 {
        let body: String = (0..chance() % 12).map(|_| pieces[chance() % pieces.len()]).collect();
        let path = if nth % 2 == 0 { "/callbacks/his" } else { "/callbacks/his/events" };
        let mut request = hospital.door.request(Method::POST, path).body(body.clone());
        if nth % 4 == 1 {
            // Signed nonsense gets further.
            for (name, value) in stamper.sign(Way::Event, hospital.now(), "nonce-0001", body.as_bytes()).headers() {
                request = request.header(name, value);
            }
        }
        let status = request.send().await.unwrap().status().as_u16();
        assert!(matches!((path, status), ("/callbacks/his", 200) | (_, 400 | 401)), "{path} {status}: {body}");
    }
    // Each is counted by its reason, of which there are few.
    let counted = "select count(*), sum(times) from callback where source = 'his' and fate = 'unbelieved'";
    let so_far = async || -> (i64, Option<i64>) { sqlx::query_as(counted).fetch_one(&hospital.db.pool).await.unwrap() };
    wait_for("all of them to be counted", async || {
        (so_far().await.1, refused(&hospital).await.1) == (Some(7_500), Some(2_500))
    })
    .await;
    assert!(so_far().await.0 < 20, "{:?}", so_far().await);
    let rows = refused(&hospital).await.0;
    assert_eq!(rows, 51, "so many, and the one that counts the rest");
    assert_eq!(callbacks(&hospital).await.len(), 51, "nothing else is written");
    assert_eq!(
        hospital.desk.numbers_of_day(hospital.today()).await.unwrap().unmatched,
        rows,
        "nobody is called for more"
    );
    hospital.finish().await;
}

/// A busy morning's worth of pushes at once, most of other people's bookings, some twice and some of schedules that nobody knows: each
/// is stored once and answered as stored, and the places that did come free go to who waits, one each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_thousands_of_cancellations_at_once_are_each_stored_once() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let mut entries = Vec::new();
    for patient in 1..=4 {
        entries.push(hospital.apply("w1-am", patient).await);
    }
    hospital.free_silently("w1-am", 3).await;
    let schedules = ["w1-am", "w1-pm", "w2-am", "nobody-knows"];
    let sent = (0..2_500_usize).map(|nth| {
        let body = cancellation(&format!("e{}", nth % 2_000), schedules[nth % 2_000 % schedules.len()]);
        event(&hospital, hospital.now(), &body).1
    });
    let answers: Vec<(u16, String)> = stream::iter(sent.map(answered)).buffer_unordered(64).collect().await;
    assert!(answers.iter().all(|answer| *answer == (200, "0".to_owned())), "{answers:?}");
    let stored = callbacks(&hospital).await;
    assert_eq!((stored.len(), stored.iter().map(|(_, times)| *times).sum::<i32>()), (2_000, 2_500));
    hospital.until_still().await;
    let mut statuses = Vec::new();
    for entry in entries {
        statuses.push(hospital.status(entry).await);
    }
    assert_eq!(statuses, ["booked", "booked", "booked", "waiting"]);
    hospital.finish().await;
}

/// 5006 asks what became of a refund: the answer is no yes, whether the order is ours or not, the first time and every other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_a_question_about_a_refund_is_never_answered_as_done() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    let (order_id, his_order_id): (String, String) =
        sqlx::query_as("select id, his_order_id from appointment where entry_id = $1")
            .bind(entry)
            .fetch_one(&hospital.db.pool)
            .await
            .unwrap();
    let asks = |function: &str, data: Value| json!({ "function": function, "userId": "HOUBU", "data": data });
    for data in [json!({ "orderId": order_id }), json!({ "orderId": order_id }), json!({ "orderId": "X" }), json!({})] {
        let answer = answered(event(&hospital, hospital.now(), &asks("5006", data)).1).await;
        assert_eq!(answer, (200, "13".to_owned()));
    }
    let envelope = Envelope::new(&credentials()).unwrap();
    let sealed = soap::request("Push", &envelope.seal_request("5006", "<REQ><ORDER_ID>X</ORDER_ID></REQ>").unwrap());
    let reply = hospital.door.request(Method::POST, "/callbacks/his").body(sealed).send().await.unwrap();
    assert_eq!(envelope.open_reply(&reply.bytes().await.unwrap()).unwrap().code, "13");
    // Whoever names our order by HIS's number alone is followed to it, at whichever of them.
    for function in ["5003", "5004", "5005", "5006"] {
        let data = json!({ "hospOrderId": his_order_id });
        let code = if function == "5006" { "13" } else { "0" };
        let answer = answered(event(&hospital, hospital.now(), &asks(function, data)).1).await;
        assert_eq!(answer, (200, code.to_owned()), "{function}");
        let strange = json!({ "hospOrderId": "H-of-nobody" });
        assert_eq!(answered(event(&hospital, hospital.now(), &asks(function, strange)).1).await.0, 200);
    }
    let ours = "select kind, fate from callback where subject = $1 order by kind, event_id";
    let ours: Vec<(String, String)> = sqlx::query_as(ours).bind(&order_id).fetch_all(&hospital.db.pool).await.unwrap();
    let for_staff = |function: &str| (function.to_owned(), "for-staff".to_owned());
    assert_eq!(ours, ["5003", "5004", "5005", "5006", "5006"].map(for_staff));
    let others = "select count(*) from callback where subject = 'H-of-nobody' and fate = 'ignored'";
    let others: i64 = sqlx::query_scalar(others).fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!((others, hospital.status(entry).await.as_str()), (4, "booked"));
    hospital.finish().await;
}

/// What no row can hold is refused for good, and its own row says so; HIS is not asked to bring it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_push_that_can_never_be_stored_is_for_staff() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    // Letters that do not compress: no index takes so long an id.
    let mut state = 7_u64;
    let endless: String = (0..20_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
        })
        .collect();
    let unstorable = cancellation(&format!("张三{endless}"), "w1-am");
    for _ in 0..2 {
        let answer = answered(event(&hospital, hospital.now(), &unstorable).1).await;
        assert_eq!(answer, (400, "1".to_owned()));
    }
    wait_for("both to be counted", async || refused(&hospital).await == (1, Some(2))).await;
    let kept: String =
        sqlx::query_scalar("select event_id || body::text from callback").fetch_one(&hospital.db.pool).await.unwrap();
    assert!(kept.contains("it says what can never be stored") && !kept.contains("张三"), "{kept}");
    hospital.finish().await;
}

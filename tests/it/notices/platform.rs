//! The hospital's own message platform: what it takes, and what it tells later, whenever and however often it does.

use chrono::{DateTime, TimeDelta, Utc};
use houbu::engine::RunId;
use houbu::ports::stamp::{Stamper, Way};
use houbu::sandbox::catalogue::{PLATFORM_EVENT, PLATFORM_SEND, subject};
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::waitlist::policy::PaymentMode;
use houbu::waitlist::route::Routes;
use reqwest::Method;
use serde_json::{Value, json};

use super::delivery::{notices, states};
use crate::hospital::{Hospital, Setup};

async fn with_platform() -> Hospital {
    let setup = Setup::paying(PaymentMode::None);
    Hospital::open(Setup { routes: Routes::new(false, true, true), ..setup }).await
}

fn switch(hospital: &Hospital, call: &str, fault: &str) {
    let wrong = Wrong::named(subject(call).unwrap(), fault).unwrap();
    hospital.faults.switches().on(call, wrong, Switch::Times(1));
}

/// The status of an event's answer; signed at this time with this key.
async fn event(hospital: &Hospital, at: DateTime<Utc>, key: &secrecy::SecretString, body: &Value) -> u16 {
    let body = body.to_string();
    let mut request = hospital.door.request(Method::POST, "/callbacks/messages/events");
    for (name, value) in Stamper::new(key).sign(Way::Event, at, "nonce-0001", body.as_bytes()).headers() {
        request = request.header(name, value);
    }
    request.body(body).send().await.unwrap().status().as_u16()
}

async fn told(hospital: &Hospital) -> Vec<(String, String, i32)> {
    let believed = "select kind, fate, times from callback where source = 'platform' and fate <> 'unbelieved'
                    order by received_at, event_id";
    sqlx::query_as(believed).fetch_all(&hospital.db.pool).await.unwrap()
}

async fn id_of(hospital: &Hospital, entry: RunId) -> String {
    notices(hospital, entry).await[0]["noticeId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_the_platform_tells_that_a_message_arrived_late_twice_and_of_what_nobody_sent() {
    let hospital = with_platform().await;
    for (number, fault) in [(1, "duplicate"), (2, "unknown"), (3, "wrong-signature"), (4, "late")] {
        switch(&hospital, PLATFORM_EVENT, fault);
        let entry = hospital.apply("w1-am", number).await;
        assert_eq!(states(&hospital, entry).await, ["platform waitlist_submitted sent"], "{fault}");
        let before = told(&hospital).await.len();
        hospital.pass_minutes(1).await;
        let now = told(&hospital).await;
        let (kinds, state) = match fault {
            "duplicate" => (vec![("delivered", "ignored", 2)], "delivered"),
            // What is not ours is kept for staff to see.
            "unknown" => (vec![("delivered", "ignored", 1), ("delivered", "no-run", 1)], "delivered"),
            "late" => (vec![], "sent"),
            _ => (vec![("delivered", "ignored", 1)], "delivered"),
        };
        let mut came: Vec<_> =
            now[before..].iter().map(|(kind, fate, times)| (kind.as_str(), fate.as_str(), *times)).collect();
        came.sort_unstable();
        assert_eq!(came, kinds, "{fault}");
        assert_eq!(states(&hospital, entry).await, [format!("platform waitlist_submitted {state}")], "{fault}");
        if fault == "late" {
            hospital.pass_minutes(16).await;
            assert_eq!(states(&hospital, entry).await, ["platform waitlist_submitted delivered"]);
        }
    }
    assert!(hospital.sms.books().await.is_empty());
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_r23_what_the_platform_could_not_bring_is_one_sms_however_often_it_says_so() {
    let hospital = with_platform().await;
    switch(&hospital, PLATFORM_EVENT, "failed");
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    let expected = ["platform waitlist_submitted failed", "sms waitlist_submitted sent"];
    assert_eq!(states(&hospital, entry).await, expected);
    assert_eq!(notices(&hospital, entry).await[0]["why"], "failed: user unreachable");
    let key = hospital.messages.event_key();
    let failed = json!({ "id": id_of(&hospital, entry).await, "status": "failed", "reason": "user unreachable" });
    for _ in 0..3 {
        assert_eq!(event(&hospital, hospital.now(), &key, &failed).await, 204);
        hospital.until_still().await;
    }
    let sms = hospital.sms.books().await;
    assert_eq!((sms.len(), sms[0].times, sms[0].phone.as_str()), (1, 1, "13800000001"));
    assert_eq!(told(&hospital).await, [("failed".to_owned(), "delivered".to_owned(), 4)]);
    // It did arrive after all: that counts.
    let arrived = json!({ "id": id_of(&hospital, entry).await, "status": "delivered" });
    assert_eq!(event(&hospital, hospital.now(), &key, &arrived).await, 204);
    assert_eq!(event(&hospital, hospital.now(), &key, &failed).await, 204);
    assert_eq!(states(&hospital, entry).await[0], "platform waitlist_submitted delivered");
    // What else there is to say of it changes nothing.
    let read = json!({ "id": id_of(&hospital, entry).await, "status": "read", "opened": 1 });
    assert_eq!(event(&hospital, hospital.now(), &key, &read).await, 204);
    assert_eq!(states(&hospital, entry).await[0], "platform waitlist_submitted delivered");
    assert_eq!(hospital.sms.books().await.len(), 1);
    // Staff see all of it.
    let seen = houbu::records::callbacks::Wanted { source: Some("platform".to_owned()), most: 9, ..Default::default() };
    assert_eq!(hospital.desk.callbacks(&seen).await.unwrap().len(), 3);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_an_event_that_is_forged_old_or_nothing_changes_nothing() {
    let hospital = with_platform().await;
    let entry = hospital.apply("w1-am", 1).await;
    let (key, other) = (hospital.messages.event_key(), secrecy::SecretString::from("another"));
    let failed = json!({ "id": id_of(&hospital, entry).await, "status": "failed" });
    let at = |minutes| hospital.now() + TimeDelta::minutes(minutes);
    for (at, key) in [(at(0), &other), (at(-6), &key), (at(6), &key)] {
        assert_eq!(event(&hospital, at, key, &failed).await, 401);
    }
    for nothing in
        [json!({}), json!([]), json!({ "id": "", "status": "failed" }), json!({ "id": 7, "status": "failed" })]
    {
        assert_eq!(event(&hospital, at(0), &key, &nothing).await, 422, "{nothing}");
    }
    let long = json!({ "id": "M".repeat(65), "status": "failed" });
    assert_eq!(event(&hospital, at(0), &key, &long).await, 422);
    let unsigned = hospital.door.request(Method::POST, "/callbacks/messages/events").body(failed.to_string());
    assert_eq!(unsigned.send().await.unwrap().status(), 401);
    hospital.until_still().await;
    // Each that was signed and says nothing that can be followed is for staff.
    assert_eq!(told(&hospital).await, vec![("unreadable".to_owned(), "refused".to_owned(), 1); 5]);
    assert!(hospital.sms.books().await.is_empty());
    // What no text in the database can hold is nothing that anybody said.
    let odd = json!({ "id": id_of(&hospital, entry).await, "status": "failed", "reason": "a\u{0}b" });
    assert_eq!(event(&hospital, at(0), &key, &odd).await, 204);
    hospital.until_still().await;
    assert_eq!(notices(&hospital, entry).await[0]["why"], "failed: ab");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_a_platform_that_fails_takes_each_message_once() {
    let hospital = with_platform().await;
    let mut entries = Vec::new();
    for (number, fault) in [(1, "cut-after"), (2, "error-before"), (3, "error-after"), (4, "3")] {
        switch(&hospital, PLATFORM_SEND, fault);
        entries.push(hospital.apply("w1-am", number).await);
    }
    hospital.pass_minutes(30).await;
    let mut ids: Vec<String> = hospital.messages.books().await.into_iter().map(|sent| sent.client_msg_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), hospital.messages.books().await.len()), (4, 4), "one each, however often it was asked for");
    for entry in entries {
        assert_eq!(states(&hospital, entry).await, ["platform waitlist_submitted delivered"]);
    }
    assert!(hospital.sms.books().await.is_empty());
    hospital.finish().await;
}

//! What a patient may rely on whatever happens beside it: messages undo nothing, late payers keep their turn, one place is one
//! place however many tell of it, and a visit says where it came from (R11, R14, R16, R20, R21, R22, E8).

use std::time::Duration;

use houbu::sandbox::his::channel;
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, Told, statuses};
use crate::hospital::{Hospital, Setup};

const NOT_FOR_WHO_WAITS: &[&str] = &["Waiting on Stoppage: Elsewhere", "Waiting on Offer: Covered", "Booking: Booked"];

pub const TOLD: &[Told] = &[(APPLICATION, NOT_FOR_WHO_WAITS)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_message_that_cannot_be_sent_undoes_no_booking() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.turns("messages", "pause").await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(60).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert!(hospital.told(1).await.is_empty());
    hospital.turns("messages", "resume").await;
    hospital.pass_minutes(2).await;
    assert!(hospital.told(1).await.contains(&"waitlist_booked".to_owned()), "told late, and told");
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_a_booking_that_was_cancelled_before_it_could_be_told_is_not_told() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.turns("messages", "pause").await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "visitCancelled");
    hospital.turns("messages", "resume").await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.told(1).await, ["visit_cancelled"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_e08_one_place_that_everybody_tells_of_is_one_place() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.start_sync().await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    // HIS pushes it, the hospital's own site says so twice, and a pull finds it.
    hospital.free_a_place_and_go_on("w1-am").await;
    hospital.hint("w1-am").await;
    hospital.hint("w1-am").await;
    hospital.pass_minutes(31).await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting", "waiting"]);
    // Whoever is booked gives the place back: HIS echoes our own cancellation, and a pull finds the place as well.
    hospital.cancel_visit(entries[0]).await;
    hospital.hint("w1-am").await;
    hospital.pass_minutes(31).await;
    assert_eq!(statuses(&hospital, entries).await, ["visitCancelled", "booked", "waiting"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_whoever_pays_in_advance_later_keeps_the_earlier_place() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_mins(4) });
    hospital.payer(2, Payer::Pays { after: Duration::from_secs(5) });
    let early = hospital.apply("w1-am", 1).await;
    let late = hospital.apply("w1-am", 2).await;
    hospital.pass_minutes(1).await;
    assert_eq!(statuses(&hospital, [early, late]).await, ["awaitingPrepayment", "waiting"]);
    hospital.pass_minutes(5).await;
    assert_eq!(statuses(&hospital, [early, late]).await, ["waiting", "waiting"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [early, late]).await, ["booked", "waiting"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_two_devices_that_confirm_at_once_are_one_patient_with_one_order() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(20) });
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "offered");
    let devices = [hospital.door.confirm(entry), hospital.door.confirm(entry)];
    let mut orders = Vec::new();
    for device in devices {
        let reply = device.await.unwrap();
        assert!((200..300).contains(&reply.status), "{} {}", reply.status, reply.body);
        orders.push(reply.body["payment"]["outTradeNo"].clone());
    }
    assert_eq!(orders[0], orders[1], "both are shown the one order");
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let books = hospital.pay.books().await;
    assert_eq!((books.orders.len(), books.refunds.len()), (1, 0));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_a_visit_says_that_it_came_from_the_waitlist() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let listed = hospital.ask(Method::GET, "/v1/appointments?patientId=p1", None).await;
    let visit = &listed["items"][0];
    assert_eq!((&visit["source"], &visit["waitlistId"]), (&json!("waitlist"), &json!(entry)), "{listed}");
    hospital.finish().await;
}

/// It was meant for a place that the patient has given up meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stop_of_some_times_ends_nobodys_wait() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let times = json!({ "begins": "08:00:00", "ends": "08:30:00" });
    hospital.tell_run(entry, "Stoppage", json!({ "times": times })).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, NOT_FOR_WHO_WAITS);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_an_answer_that_names_its_offer_meets_no_later_one() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.declines_max = Some(2);
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    let path = format!("/v1/waitlist/{entry}");
    let deadline = async || hospital.ask(Method::GET, &path, None).await["offer"]["deadline"].clone();
    let answer = async |verb: &str, deadline: &serde_json::Value| {
        let named = Some(json!({ "deadline": deadline }));
        hospital.door.ask(Method::POST, &format!("{path}/{verb}"), named).await
    };
    hospital.free_a_place("w1-am").await;
    let first = deadline().await;
    assert_eq!(answer("decline", &first).await.status, 202);
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    assert!(hospital.his.cancel_ordinary("w1-am", 1, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_seconds(1).await;
    // The patient has tapped twice, or still looks at the page of before.
    for verb in ["decline", "confirm"] {
        assert_eq!(answer(verb, &first).await.code(), "offer_gone", "{verb}");
    }
    assert_eq!(
        hospital.door.ask(Method::POST, &format!("{path}/confirm"), Some(json!({ "deadline": 5 }))).await.status,
        422
    );
    assert_eq!(hospital.status(entry).await, "offered");
    assert_eq!(answer("decline", &deadline().await).await.status, 202);
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.status(entry).await, "declined");
    hospital.finish().await;
}

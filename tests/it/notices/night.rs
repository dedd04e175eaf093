//! Quiet hours: what can wait is sent in the morning, and what cannot is sent at once.

use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hospital::Hospital;
use crate::hospital::world::local;

async fn booked(hospital: &Hospital) -> houbu::engine::RunId {
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    entry
}

async fn last(hospital: &Hospital, entry: houbu::engine::RunId) -> Value {
    let all = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}/notices"), None).await;
    all["items"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_at_night_what_can_wait_is_sent_in_the_morning() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = booked(&hospital).await;
    hospital.pass_until(local(1, 23, 30)).await;
    hospital.cancel_visit(entry).await;
    let told = hospital.told(1).await;
    let waits = last(&hospital, entry).await;
    assert_eq!((&waits["template"], &waits["state"]), (&json!("visit_cancelled"), &json!("queued")), "{waits}");
    assert_eq!((&waits["dueAt"], &waits["attempts"]), (&json!("2026-09-02T06:00:00+08:00"), &json!(0)));
    // Whoever applies is awake, and is told at once.
    hospital.apply("w2-am", 2).await;
    assert_eq!(hospital.told(2).await, ["waitlist_submitted"]);
    hospital.pass_until(local(2, 5, 59)).await;
    assert_eq!(hospital.told(1).await, told);
    hospital.pass_until(local(2, 6, 0)).await;
    assert_eq!(last(&hospital, entry).await["state"], "sent");
    assert_eq!(hospital.told(1).await.len(), told.len() + 1);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_at_night_what_is_about_the_coming_morning_is_sent_at_once_and_a_text_may_say_otherwise() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = booked(&hospital).await;
    hospital.pass_until(local(3, 23, 30)).await;
    hospital.cancel_visit(entry).await;
    assert_eq!(last(&hospital, entry).await["state"], "sent", "the visit was to be in the morning");
    hospital.finish().await;

    let hospital = Hospital::paying(PaymentMode::None).await;
    let text = json!({
        "templateId": "TM1", "fields": { "thing1": "{status}" }, "quietHours": "send", "reason": "nobody is to come in vain"
    });
    hospital.ask(Method::PUT, "/v1/templates/visit_cancelled", Some(text)).await;
    let entry = booked(&hospital).await;
    hospital.pass_until(local(1, 23, 30)).await;
    hospital.cancel_visit(entry).await;
    assert_eq!(last(&hospital, entry).await["state"], "sent");
    hospital.finish().await;
}

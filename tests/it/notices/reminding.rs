//! The reminder before a visit: written with the booking, sent when its time has come, if it is still true then.

use houbu::engine::RunId;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hospital::world::local;
use crate::hospital::{Hospital, Setup};

async fn booked(hospital: &Hospital) -> RunId {
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    entry
}

/// The notices of this text, as staff and the patient's services see them.
async fn reminders(hospital: &Hospital, entry: RunId) -> Vec<Value> {
    let all = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}/notices"), None).await;
    let all = all["items"].as_array().unwrap().iter();
    all.filter(|notice| notice["template"] == "visit_reminder").cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_whoever_is_booked_is_reminded_once_on_the_day_before() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = booked(&hospital).await;
    let begins: String =
        sqlx::query_scalar("select slot->>'begins' from appointment").fetch_one(&hospital.db.pool).await.unwrap();
    let waiting = reminders(&hospital, entry).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0]["state"], &waiting[0]["attempts"]), (&json!("queued"), &json!(0)));
    assert_eq!(waiting[0]["dueAt"], format!("2026-09-03T{begins}+08:00"));
    hospital.pass_until(local(3, 7, 59)).await;
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked"]);
    hospital.pass_until(local(3, 9, 0)).await;
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked", "visit_reminder"]);
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(hospital.told(1).await.len(), 3);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_nobody_is_reminded_of_a_visit_that_was_cancelled_or_has_begun() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = booked(&hospital).await;
    hospital.cancel_visit(entry).await;
    hospital.pass_until(local(3, 9, 0)).await;
    assert_eq!(reminders(&hospital, entry).await[0]["state"], "suppressed");
    assert!(!hospital.told(1).await.contains(&"visit_reminder".to_owned()));
    hospital.finish().await;

    // Nor does it keep anybody who wants to be forgotten.
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = booked(&hospital).await;
    hospital.cancel_visit(entry).await;
    hospital.pass_seconds(60).await;
    let why = json!({ "reason": "the person asks for it" });
    assert_eq!(hospital.door.ask(Method::POST, "/v1/patients/p1/erasure", Some(why)).await.status, 204);
    hospital.pass_until(local(3, 9, 0)).await;
    hospital.finish().await;

    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = booked(&hospital).await;
    hospital.turns("messages", "pause").await;
    hospital.pass_until(local(4, 8, 45)).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.turns("messages", "resume").await;
    hospital.pass_seconds(60).await;
    assert_eq!(reminders(&hospital, entry).await[0]["state"], "suppressed");
    assert!(!hospital.told(1).await.contains(&"visit_reminder".to_owned()));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_a_hospital_reminds_when_it_wants_and_not_at_night() {
    for (hours, due) in [(0, None), (48, Some("2026-09-02T08")), (8, Some("2026-09-04T06:00"))] {
        let mut setup = Setup::paying(PaymentMode::None);
        setup.policy.reminder_hours_before = Some(hours);
        let hospital = Hospital::open(setup).await;
        let entry = booked(&hospital).await;
        let due_at = reminders(&hospital, entry).await.first().map(|one| one["dueAt"].as_str().unwrap().to_owned());
        match (due, due_at) {
            (None, None) => {}
            (Some(due), Some(at)) => assert!(at.starts_with(due), "{hours}: {at}"),
            other => panic!("{hours}: {other:?}"),
        }
        hospital.finish().await;
    }
}

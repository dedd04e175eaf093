//! Staff lead runs elsewhere than their tables would: an application back into its queue, a hand-out to its end. Counts,
//! places and money stay right (R2, R4, R34, R37).

use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::waitlist::policy::PaymentMode;
use houbu::workflows::slot_release::SlotRelease;
use reqwest::Method;
use serde_json::{Value, json};

use super::{of_application, statuses};
use crate::hospital::{Hospital, Reply};

const ENDED_BY_STAFF: &[&str] = &["Idle on staff: cancelled", "Shut on Stoppage: Stopped", "Stopping: Told"];

/// Staff say where a run goes on, and what it knows besides.
async fn jumps(hospital: &Hospital, run: RunId, step: &str, patch: Value) -> Reply {
    let body = json!({ "reason": "agreed on the telephone", "step": step, "patch": patch });
    let reply = hospital.door.ask(Method::POST, &format!("/v1/runs/{run}/jump"), Some(body)).await;
    hospital.until_still().await;
    reply
}

/// An application that has withdrawn and not settled yet.
async fn withdrawn(hospital: &Hospital) -> RunId {
    let entry = hospital.apply("w1-am", 1).await;
    hospital.mishaps.plan_for(entry, Point::AfterCall, &of_application("Settlement"), Act::Fail);
    hospital.withdraw(entry).await;
    assert_eq!(hospital.status(entry).await, "settling");
    entry
}

async fn live_under_the_campus(hospital: &Hospital) -> i32 {
    let live = "select live from capacity where level = 'campus'";
    sqlx::query_scalar(live).fetch_one(&hospital.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_led_back_into_the_queue_counts_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = withdrawn(&hospital).await;
    assert_eq!(live_under_the_campus(&hospital).await, 0);
    let back = jumps(&hospital, entry, "Waiting", json!({ "why": null })).await;
    assert_eq!((back.status, hospital.status(entry).await.as_str()), (202, "waiting"), "{}", back.body);
    assert_eq!(live_under_the_campus(&hospital).await, 1);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(live_under_the_campus(&hospital).await, 0);
    hospital.finish().await;
}

/// R4: the patient has joined the same queue anew meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_joined_anew_is_not_led_back() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = withdrawn(&hospital).await;
    let anew = hospital.apply("w1-am", 1).await;
    let refused = jumps(&hospital, entry, "Waiting", json!({ "why": null })).await;
    assert_eq!((refused.status, refused.code()), (409, "duplicate_application"), "{}", refused.body);
    assert_eq!(live_under_the_campus(&hospital).await, 1);
    hospital.pass_minutes(1).await;
    assert_eq!(statuses(&hospital, [entry, anew]).await, ["withdrawn", "waiting"]);
    hospital.finish().await;
}

/// Nobody joins a queue that nobody serves; who waits there still hears of a 停诊.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_out_that_staff_cancel_is_shut_and_hears_of_the_stoppage() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.staff_cancels(hospital.run_of_key(SlotRelease::NAME, "w1-am").await).await;
    let refused = hospital.door.apply("w1-am", "p2").await;
    assert_eq!((refused.status, refused.code()), (409, "past_cutoff"), "{}", refused.body);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "waiting", "nothing is handed out");
    hospital.stop("w1-am").await;
    assert_eq!(hospital.status(entry).await, "stopped");
    assert_eq!(hospital.release_steps("w1-am").await, ENDED_BY_STAFF);
    hospital.finish().await;
}

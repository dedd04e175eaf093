//! The department's schedules are pulled from HIS, and what nobody pushed is found (R14).

use houbu::ports::his::His;
use houbu::records::schedules;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::{SYNC, Told};
use crate::hospital::Hospital;
use crate::hospital::world::{DEPARTMENT, HOSPITAL, local, visit_date};

const TWO_PULLS: &[&str] = &["Pulling: Pulled", "Resting on deadline: Due", "Pulling: Pulled"];
const GIVEN_UP: &[&str] = &["Pulling: Pulled", "Resting on PullNow: Retired"];

pub const TOLD: &[Told] = &[(SYNC, TWO_PULLS), (SYNC, GIVEN_UP)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_nobody_pushed_is_found_at_the_next_pull() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let sync = hospital.start_sync().await;
    hospital.free_silently("w1-am", 1).await;
    hospital.pass_until(local(1, 10, 29)).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(hospital.steps(sync).await, TWO_PULLS);
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// R1: a place that the sync saw and the queue took is not there for anybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_queue_took_is_not_bookable_any_more() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    hospital.start_sync().await;
    hospital.free_silently("w1-am", 1).await;
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(hospital.status(first).await, "booked");
    let second = hospital.apply("w1-am", 2).await;
    assert_eq!(hospital.status(second).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extra_places_are_found_too() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.start_sync().await;
    assert!(hospital.his.add_places("w1-am", 2).await.unwrap());
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(super::statuses(&hospital, [first, second]).await, ["booked", "booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stoppage_whose_push_was_lost_is_found() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.start_sync().await;
    hospital.shut_the_door();
    hospital.stop("w1-am").await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(hospital.status(entry).await, "stopped");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_that_is_given_up_is_not_pulled_any_more() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let sync = hospital.start_sync().await;
    hospital.tell_run(sync, "PullNow", json!({ "retire": true })).await;
    hospital.pass_until(local(1, 12, 0)).await;
    assert_eq!(hospital.steps(sync).await, GIVEN_UP);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_can_be_pulled_at_once() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let sync = hospital.start_sync().await;
    hospital.free_silently("w1-am", 1).await;
    hospital.tell_run(sync, "PullNow", json!({})).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// R34: a pull that had begun before the 停诊 was pushed writes what HIS told before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_telling_does_not_open_a_stopped_schedule() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let began = hospital.now();
    let told = hospital.line.schedules(DEPARTMENT, None, visit_date(), visit_date()).await.unwrap();
    hospital.stop("w1-am").await;
    let mut conn = hospital.db.pool.acquire().await.unwrap();
    schedules::mirror(&mut conn, HOSPITAL, DEPARTMENT, &told, began).await.unwrap();
    drop(conn);
    assert_eq!(hospital.door.apply("w1-am", "p1").await.code(), "schedule_stopped");
    hospital.finish().await;
}

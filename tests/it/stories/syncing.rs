//! The department's schedules are pulled from HIS, and what nobody pushed is found (R14).

use chrono::Days;
use houbu::ports::his::His;
use houbu::records::schedules;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{SYNC, Told};
use crate::hospital::world::{DEPARTMENT, HOSPITAL, local, opening, schedule_on, visit_date};
use crate::hospital::{Hospital, Setup};

const PULLED: &[&str] = &["Pulling: Pulled"];
const GIVEN_UP: &[&str] = &["Pulling: Away", "Resting on PullNow: Retired"];
const ASKED_AGAIN: &[&str] = &["Pulling: Away", "Resting on PullNow: Due", "Pulling: Pulled"];

pub const TOLD: &[Told] = &[(SYNC, PULLED), (SYNC, GIVEN_UP), (SYNC, ASKED_AGAIN)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_a_place_that_nobody_pushed_is_found_at_the_next_pull() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let sync = hospital.start_sync().await;
    hospital.free_silently("w1-am", 1).await;
    hospital.pass_until(local(1, 10, 29)).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(hospital.steps(sync).await, PULLED);
    assert_eq!(hospital.status(entry).await, "booked");
    let job = hospital.ask(Method::GET, "/v1/jobs/schedule_sync", None).await;
    assert_eq!((&job["status"], &job["lastTick"]), (&json!("waiting"), &json!("2026-09-01T10:30:00+08:00")));
    assert_eq!(job["lastRunStatuses"], json!({ "completed": 1 }));
    assert_eq!(job["nextTicks"].as_array().map(Vec::len), Some(10));
    hospital.finish().await;
}

/// R1: a place that the sync saw and the queue took is not there for anybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r13_what_the_queue_took_is_not_bookable_any_more() {
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
async fn r14_extra_places_are_found_too() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.start_sync().await;
    assert!(hospital.his.add_places("w1-am", 2).await.unwrap());
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(super::statuses(&hospital, [first, second]).await, ["booked", "booked"]);
    hospital.finish().await;
}

/// A hospital that lets patients book a fortnight ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_schedules_are_pulled_as_many_days_ahead_as_the_hospital_says() {
    for (days_ahead, known) in [(8, false), (15, true)] {
        let hospital = Hospital::open(Setup { days_ahead, ..Setup::paying(PaymentMode::None) }).await;
        let far = opening().date_naive().checked_add_days(Days::new(14)).unwrap();
        hospital.his.add_schedule(schedule_on("w9-am", 2, far)).await.unwrap();
        hospital.start_sync().await;
        hospital.pass_until(local(1, 10, 30)).await;
        let found = hospital.door.ask(Method::GET, "/v1/schedules/w9-am/waitlist", None).await;
        assert_eq!(found.status == 200, known, "{days_ahead} days: {} {}", found.status, found.body);
        hospital.finish().await;
    }
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
async fn a_pull_that_waits_for_his_is_given_up_and_the_next_tick_pulls() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    hospital.line.cut(true);
    let sync = hospital.start_sync().await;
    hospital.line.cut(false);
    hospital.tell_run(sync, "PullNow", json!({ "retire": true })).await;
    assert_eq!(hospital.steps(sync).await, GIVEN_UP);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_until(local(1, 10, 30)).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// Ticks start nothing while HIS is away: the first pull goes on asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_whose_pull_has_not_ended_is_not_pulled_twice() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.line.cut(true);
    let sync = hospital.start_sync().await;
    hospital.pass_until(local(1, 11, 10)).await;
    assert_eq!(hospital.pulls().await, 1);
    let job = hospital.ask(Method::GET, "/v1/jobs/schedule_sync", None).await;
    assert_eq!(job["lastTick"], "2026-09-01T11:00:00+08:00");
    assert_eq!(job["lastRuns"][0]["runId"], json!(sync));
    hospital.line.cut(false);
    hospital.pass_until(local(1, 11, 30)).await;
    assert_eq!(hospital.pulls().await, 2, "it has ended, so that the next tick starts another");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_can_be_pulled_at_once() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 1).await;
    hospital.pull_now().await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.free_silently("w1-pm", 1).await;
    let second = hospital.apply("w1-pm", 2).await;
    hospital.pass_seconds(1).await;
    hospital.line.cut(true);
    let sync = hospital.pull_now().await;
    hospital.line.cut(false);
    hospital.tell_run(sync, "PullNow", json!({})).await;
    assert_eq!(hospital.steps(sync).await, ASKED_AGAIN);
    assert_eq!(hospital.status(second).await, "booked");
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

//! When a freed place may be handed out: not at a moment that whoever frees it can know (R33), and not to anybody who could
//! not come in time (R18).

use chrono::NaiveTime;
use houbu::engine::sabotage::{Act, Point};
use houbu::sandbox::his::channel;
use houbu::waitlist::calendar::Cutoff;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{RELEASE, Told, of_release, statuses, successful};
use crate::hospital::world::{CAMPUS, cutoff, local};
use crate::hospital::{Hospital, Setup};

const KEPT_FOR_A_TIME: &[&str] = &[
    "Idle on Freed: Kept",
    "Keeping on deadline: Over",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const STOPPED_MEANWHILE: &[&str] = &["Idle on Freed: Kept", "Keeping on Stoppage: Stopped", "Stopping: Told"];
const TAKEN_MEANWHILE: &[&str] = &["Idle on Freed: Kept", "Keeping on deadline: Over", "Refreshing: Full"];
const TOO_NEAR: &[&str] = &["Idle on Freed: Hint", "Refreshing: Full"];
const TOO_NEAR_BY_NOW: &[&str] = &["Idle on Freed: Hint", "Refreshing: Found", "Matching: Exhausted"];

pub const TOLD: &[Told] = &[
    (RELEASE, KEPT_FOR_A_TIME),
    (RELEASE, STOPPED_MEANWHILE),
    (RELEASE, TAKEN_MEANWHILE),
    (RELEASE, TOO_NEAR),
    (RELEASE, TOO_NEAR_BY_NOW),
];

/// A place is kept for five hours at most, and for half an hour at least.
async fn delaying(mode: PaymentMode) -> Hospital {
    let mut setup = Setup::paying(mode);
    setup.policy.release_delay_minutes_max = Some(300);
    Hospital::open(setup).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_what_is_freed_is_handed_out_after_a_time_by_chance() {
    let hospital = delaying(PaymentMode::None).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "waiting", "waiting"]);
    hospital.pass_minutes(280).await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "waiting"], "both, though freed at two times");
    assert_eq!(hospital.release_steps("w1-am").await, KEPT_FOR_A_TIME);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_stoppage_does_not_wait_for_a_kept_place() {
    let hospital = delaying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, STOPPED_MEANWHILE);
    assert_eq!(hospital.status(entry).await, "stopped");
    hospital.finish().await;
}

/// The place is not locked meanwhile: HIS is asked for what is left of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_kept_place_that_the_counter_gave_away_costs_nobody_the_turn() {
    let hospital = delaying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert!(hospital.his.grab("w1-am", channel::WINDOW).await.unwrap());
    hospital.pass_minutes(301).await;
    assert_eq!(hospital.release_steps("w1-am").await, TAKEN_MEANWHILE);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_lock_that_is_given_back_is_not_kept_again() {
    let hospital = delaying(PaymentMode::LockThenPay).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    while hospital.status(first).await == "waiting" && hospital.now() < cutoff() {
        hospital.pass_minutes(5).await;
    }
    hospital.decline(first).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["declined", "offered"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_no_place_is_lost_to_waiting_before_the_cutoff() {
    let hospital = delaying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(cutoff() - chrono::TimeDelta::minutes(10)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_seconds(60).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// The queue closes on the morning of the visits; who is to come has an hour to get there.
async fn an_hour_ahead() -> Hospital {
    let mut setup = Setup::paying(PaymentMode::None);
    let at = NaiveTime::from_hms_opt(8, 20, 0).unwrap();
    setup.policy.cutoff = Some(Cutoff { days_before: 0, at, on_working_day: false });
    setup.policy.minimum_notice_minutes = Some(60);
    Hospital::open(setup).await
}

/// The places at HIS that our own site shows as free.
async fn shown_as_free(hospital: &Hospital) -> i32 {
    let remaining = "select remaining from schedule where id = 'w1-am'";
    sqlx::query_scalar(remaining).fetch_one(&hospital.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_visit_that_is_too_near_is_offered_to_nobody() {
    let hospital = an_hour_ahead().await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(4, 7, 10)).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, TOO_NEAR, "the visit at eight is fifty minutes ahead");
    assert_eq!(shown_as_free(&hospital).await, 1, "it is anybody's");
    // The later half-hour of that morning is eighty minutes ahead.
    assert!(hospital.his.cancel_ordinary("w1-am", 1, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let begins: String = sqlx::query_scalar("select slot->>'begins' from entry where id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(begins, "08:30:00");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_visit_that_grows_too_near_on_the_way_is_skipped() {
    let hospital = an_hour_ahead().await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(4, 6, 59)).await;
    hospital.mishaps.plan(Point::AfterCall, &of_release("Matching"), Act::Fail, 7);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(successful(hospital.release_steps("w1-am").await), TOO_NEAR_BY_NOW);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_notice_that_is_changed_counts_for_the_queues_that_stand() {
    let hospital = an_hour_ahead().await;
    let entry = hospital.apply("w1-am", 1).await;
    let path = format!("/v1/policies/campus/{CAMPUS}");
    let mut policy = hospital.ask(Method::GET, &path, None).await;
    policy["minimumNoticeMinutes"] = json!(30);
    hospital.ask(Method::PUT, &path, Some(policy)).await;
    hospital.pass_until(local(4, 7, 10)).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

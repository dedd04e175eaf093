//! The place is locked, the patient is asked (R9, R10, R20, E3).

use futures::FutureExt;
use houbu::engine::sabotage::{Act, Point};
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;

use super::{APPLICATION, Told, of_application, statuses, successful};
use crate::hospital::world::{cutoff, local};
use crate::hospital::{Hospital, Setup};

const OFFERED: &[&str] = &["Waiting on Offer: Payable", "Locking: Locked"];
const LOST: &[&str] = &["Waiting on Offer: Payable", "Locking: Taken"];
const LOST_THEN_STOPPED: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Taken",
    "Waiting on Stoppage: Stopped",
    "Settlement: Clear",
    "Closure: Stopped",
];
const TOO_LITTLE_TIME_LEFT: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Unusable",
    "Unlocking: Requeued",
    "Waiting on Offer: Payable",
    "Locking: Locked",
];
const DECLINED: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Decline: Declined",
    "Unlocking: Released",
    "Settlement: Clear",
    "Closure: Declined",
];
const LAPSED: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on deadline: Lapsed",
    "Unlocking: Released",
    "Settlement: Clear",
    "Closure: Lapsed",
];
const WITHDRAWN: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Withdrawal: Withdrawn",
    "Unlocking: Released",
    "Settlement: Clear",
    "Closure: Withdrawn",
];
const STOPPED: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Stoppage: Stopped",
    "Unlocking: Released",
    "Settlement: Clear",
    "Closure: Stopped",
];

pub const TOLD: &[Told] = &[
    (APPLICATION, OFFERED),
    (APPLICATION, LOST),
    (APPLICATION, LOST_THEN_STOPPED),
    (APPLICATION, TOO_LITTLE_TIME_LEFT),
    (APPLICATION, DECLINED),
    (APPLICATION, LAPSED),
    (APPLICATION, WITHDRAWN),
    (APPLICATION, STOPPED),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_r10_r31_an_offer_is_locked_before_the_patient_is_asked() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, OFFERED);
    assert_eq!(hospital.status(entry).await, "offered");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_please_confirm"]);
    assert!(!hospital.his.grab("w1-am", "114").await.unwrap(), "nobody else gets the place");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_cannot_be_locked_any_more_costs_nobody_the_turn() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.mishaps.just_before(&of_application("Locking"), hospital.grab("w1-am"));
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, LOST);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_nobody_could_pay_any_more_costs_nobody_the_turn() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.hard_stop_minutes_before_visit = Some(4 * 24 * 60);
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, LOST);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

/// The schedule is stopped between the offer and the lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_is_stopped_while_locking_ends_as_stopped() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    let his = hospital.his.clone();
    hospital.mishaps.just_before(&of_application("Locking"), || {
        async move { assert!(his.stop_schedule("w1-am").await.unwrap()) }.boxed()
    });
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await, LOST_THEN_STOPPED);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_place_goes_to_the_next_in_line() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    hospital.decline(first).await;
    assert_eq!(hospital.steps(first).await, DECLINED);
    assert_eq!(statuses(&hospital, [first, second]).await, ["declined", "offered"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_an_unanswered_place_goes_to_the_next_in_line() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(29).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["offered", "waiting"]);
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(first).await, LAPSED);
    assert_eq!(statuses(&hospital, [first, second]).await, ["lapsed", "offered"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_withdraws_gives_the_lock_back() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.withdraw(entry).await;
    assert_eq!(hospital.steps(entry).await, WITHDRAWN);
    assert!(hospital.his.grab("w1-am", "114").await.unwrap(), "the place is free again");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_schedule_ends_the_offer() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.steps(entry).await, STOPPED);
    hospital.finish().await;
}

/// E3: nobody has to answer at night, and the lock lasts until they can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_e03_an_offer_at_night_lasts_until_the_morning() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(2, 2, 0)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(2, 6, 29)).await;
    assert_eq!(hospital.status(entry).await, "offered");
    hospital.confirm(entry).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// E3: an offer that was made before the cutoff outlasts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e03_an_offer_a_minute_before_the_cutoff_keeps_its_window() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.pass_until(cutoff() - chrono::TimeDelta::minutes(1)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(20).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["offered", "expired"]);
    hospital.confirm(first).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(first).await, "booked");
    hospital.finish().await;
}

/// HIS has locked and its answer is lost; when it can be asked again the lock is nearly over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_e01_nobody_is_given_seconds_to_answer_for_a_lock_whose_answer_was_lost() {
    let hospital = Hospital::open(Setup { plain: None, ..Setup::paying(PaymentMode::LockThenPay) }).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.mishaps.plan(Point::AfterCall, &of_application("Locking"), Act::Fail, 1);
    hospital.free_a_place("w1-am").await;
    hospital.line.cut(true);
    hospital.pass_minutes(23).await;
    hospital.line.cut(false);
    hospital.pass_minutes(6).await;
    assert_eq!(successful(hospital.steps(entries[0]).await), TOO_LITTLE_TIME_LEFT);
    hospital.pass_minutes(20).await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"], "the whole window, and the turn was kept");
    hospital.confirm(entries[0]).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entries[0]).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_his_that_does_not_keep_the_minutes_of_a_lock_is_for_a_person() {
    let hospital = Hospital::open(Setup { plain: None, ..Setup::paying(PaymentMode::LockThenPay) }).await;
    hospital.his.grant_at_most(12).await.unwrap();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(5).await;
    let why = hospital.ask(Method::GET, &format!("/v1/runs/{entry}"), None).await["why"].to_string();
    assert!(why.contains("LOCK_MINUTES"), "{why}");
    assert_eq!(hospital.his.books().await.locks.len(), 1, "asked once, and not over and over");
    hospital.his.grant_at_most(1_000).await.unwrap();
    hospital.staff_retries(entry).await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.steps(entry).await.last().map(String::as_str), Some("Locking: Locked"), "the turn was kept");
    hospital.decline(entry).await;
    hospital.finish().await;
}

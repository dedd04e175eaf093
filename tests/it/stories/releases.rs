//! The hand-out of freed places: one after the other, to the first in line, as long as there is time (R16, R18, R34).

use std::time::Duration;

use chrono::TimeDelta;
use houbu::engine::sabotage::{Act, Point};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::PaymentMode;

use super::{RELEASE, Told, of_application, of_release, once, statuses, successful};
use crate::hospital::Hospital;
use crate::hospital::world::{cutoff, local};

const QUIET_UNTIL_THE_END: &[&str] = &["Idle on deadline: CutOff", "Shut on deadline: Over"];
const A_FALSE_HINT: &[&str] = &["Idle on Freed: Hint", "Refreshing: Full"];
const NOBODY_WAITS: &[&str] = &["Idle on Freed: Hint", "Refreshing: Nobody"];
const ASKED_TOO_LATE: &[&str] = &["Idle on Freed: Hint", "Refreshing: CutOff", "Idle on deadline: CutOff"];
const MATCHED_TOO_LATE: &[&str] =
    &["Idle on Freed: Hint", "Refreshing: Found", "Matching: CutOff", "Idle on deadline: CutOff"];
const MORE_PLACES_THAN_PEOPLE: &[&str] =
    &["Idle on Freed: Hint", "Refreshing: Found", "Matching: Offered", "Answering on Answer: Took", "Matching: Nobody"];
const PASSED_ON: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Passed",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const SLOW_BUT_AT_IT: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on deadline: Due",
    "AnswerCheck: AtIt",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const GONE: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on deadline: Due",
    "AnswerCheck: Gone",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const AN_OLD_ANSWER: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Offered",
    "Answering on Answer: Stale",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const STOPPED_IDLE: &[&str] = &["Idle on Stoppage: Stopped", "Stopping: Told"];
const STOPPED_WHILE_OFFERING: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Stoppage: Stopped",
    "Stopping: Told",
];

pub const TOLD: &[Told] = &[
    (RELEASE, QUIET_UNTIL_THE_END),
    (RELEASE, A_FALSE_HINT),
    (RELEASE, NOBODY_WAITS),
    (RELEASE, ASKED_TOO_LATE),
    (RELEASE, MATCHED_TOO_LATE),
    (RELEASE, MORE_PLACES_THAN_PEOPLE),
    (RELEASE, PASSED_ON),
    (RELEASE, SLOW_BUT_AT_IT),
    (RELEASE, GONE),
    (RELEASE, AN_OLD_ANSWER),
    (RELEASE, STOPPED_IDLE),
    (RELEASE, STOPPED_WHILE_OFFERING),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_nothing_comes_free_for_just_ends() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(5, 0, 0)).await;
    assert_eq!(hospital.release_steps("w1-am").await, QUIET_UNTIL_THE_END);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_r18_a_hint_is_only_a_hint() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.hint("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, A_FALSE_HINT);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_nobody_waits_for_is_left_to_others() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.withdraw(entry).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, NOBODY_WAITS);
    hospital.finish().await;
}

/// The hint is spent by then, and what we know says that nothing is free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_whoever_joins_beside_a_place_that_came_free_while_nobody_waited_gets_it() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    hospital.withdraw(first).await;
    hospital.free_a_place("w1-am").await;
    let [second, third] = [hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    assert_eq!(statuses(&hospital, [first, second, third]).await, ["withdrawn", "booked", "waiting"]);
    let told = [NOBODY_WAITS, &MORE_PLACES_THAN_PEOPLE[..4], &["Matching: Exhausted"]].concat();
    assert_eq!(hospital.release_steps("w1-am").await, told, "HIS was asked once");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r16_whoever_pays_while_a_place_comes_free_gets_it_when_the_money_is_there() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    assert_eq!(hospital.release_steps("w1-am").await, NOBODY_WAITS);
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_his_is_away_the_cutoff_may_pass() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(cutoff() - TimeDelta::minutes(1)).await;
    hospital.mishaps.plan(Point::AfterCall, &of_release("Refreshing"), Act::Fail, 7);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(successful(hospital.release_steps("w1-am").await), ASKED_TOO_LATE);
    assert_eq!(hospital.status(entry).await, "expired");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_offer_is_made_after_the_cutoff() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(cutoff() - TimeDelta::minutes(1)).await;
    hospital.mishaps.plan(Point::AfterCall, &of_release("Matching"), Act::Fail, 7);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(successful(hospital.release_steps("w1-am").await), MATCHED_TOO_LATE);
    assert_eq!(hospital.status(entry).await, "expired");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_handed_out_until_nobody_waits() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_silently("w1-am", 2).await;
    hospital.hint("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, MORE_PLACES_THAN_PEOPLE);
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// Two accounts with one document: HIS refuses the second of them, and the place goes to the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_somebody_cannot_take_is_passed_on_at_once() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.same_person(2, 1).await;
    let twin = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let before = hospital.release_steps("w1-am").await.len();
    let [second, third] = [hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await[before..], *PASSED_ON);
    assert_eq!(statuses(&hospital, [twin, second, third]).await, ["booked", "refused", "booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_still_at_it_keeps_the_place() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.mishaps.plan_for(first, Point::AfterCall, &of_application("Booking"), Act::Fail);
    for _ in 0..5 {
        hospital.mishaps.plan_for(first, Point::AfterCall, &of_application("Booking"), Act::Fail);
    }
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(5).await;
    assert_eq!(once(hospital.release_steps("w1-am").await), SLOW_BUT_AT_IT);
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
    hospital.finish().await;
}

/// The withdrawal was there first, but had not been worked on when the offer was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_to_somebody_who_has_left_goes_on_to_the_next() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.mishaps.plan_for(first, Point::AfterCall, &of_application("Waiting"), Act::Fail);
    hospital.withdraw(first).await;
    hospital.free_silently("w1-am", 1).await;
    hospital.hint("w1-am").await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.release_steps("w1-am").await, GONE);
    assert_eq!(statuses(&hospital, [first, second]).await, ["withdrawn", "booked"]);
    hospital.finish().await;
}

/// The first has locked and books while the second is being offered the next place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_an_earlier_offer_is_not_taken_for_one_to_this() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(1) });
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.mishaps.plan_for(second, Point::AfterCall, &of_application("Locking"), Act::Fail);
    hospital.free_silently("w1-am", 2).await;
    hospital.hint("w1-am").await;
    hospital.confirm(first).await;
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.release_steps("w1-am").await, AN_OLD_ANSWER);
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "offered"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stoppage_is_told_to_everybody() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.stop("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, STOPPED_IDLE);
    assert_eq!(statuses(&hospital, [first, second]).await, ["stopped", "stopped"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stoppage_while_an_offer_is_out_ends_the_hand_out() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.mishaps.plan_for(first, Point::AfterCall, &of_application("Locking"), Act::Fail);
    hospital.free_silently("w1-am", 1).await;
    hospital.hint("w1-am").await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, STOPPED_WHILE_OFFERING);
    assert_eq!(hospital.status(second).await, "stopped");
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(first).await, "stopped");
    hospital.finish().await;
}

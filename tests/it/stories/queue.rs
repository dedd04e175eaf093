//! Waiting, and the visit that needs no payment (R5, R11, R16, R18, R19, R21, R26, R28, R32, R34).

use chrono::TimeDelta;
use houbu::waitlist::policy::{OtherQueues, PaymentMode};
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, RELEASE, Told, of_application, statuses};
use crate::hospital::world::{cutoff, furnish_half_day};
use crate::hospital::{Hospital, Setup};

const BOOKED_AT_ONCE: &[&str] = &["Waiting on Offer: Covered", "Booking: Booked"];
const ONE_PLACE_TAKEN: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const EXPIRED: &[&str] = &["Waiting on deadline: Expired"];
const WITHDRAWN: &[&str] = &["Waiting on Withdrawal: Withdrawn", "Settlement: Clear", "Closure: Withdrawn"];
const STOPPED: &[&str] = &["Waiting on Stoppage: Stopped", "Settlement: Clear", "Closure: Stopped"];
const LOST_AND_BACK: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Taken",
    "Unlocking: Requeued",
    "Waiting on Offer: Covered",
    "Booking: Booked",
];
const REFUSED: &[&str] =
    &["Waiting on Offer: Covered", "Booking: Refused", "Unlocking: Released", "Settlement: Clear", "Closure: Refused"];
const NOT_GIVEN: &[&str] = &["Waiting on Offer: Covered", "Booking: Withheld", "Unlocking: Requeued"];
const LOST_TO_114: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Conflict",
    "Matching: Exhausted",
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];

pub const TOLD: &[Told] = &[
    (APPLICATION, BOOKED_AT_ONCE),
    (APPLICATION, EXPIRED),
    (APPLICATION, WITHDRAWN),
    (APPLICATION, STOPPED),
    (APPLICATION, LOST_AND_BACK),
    (APPLICATION, REFUSED),
    (APPLICATION, NOT_GIVEN),
    (RELEASE, ONE_PLACE_TAKEN),
    (RELEASE, LOST_TO_114),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r05_r11_r21_a_freed_place_goes_to_the_first_in_line() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(first).await, BOOKED_AT_ONCE);
    assert_eq!(hospital.release_steps("w1-am").await, ONE_PLACE_TAKEN);
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked"]);
    assert_eq!(hospital.told(2).await, ["waitlist_submitted"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_where_his_keeps_no_times_a_place_is_of_the_whole_half_day() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    furnish_half_day(&hospital.db.pool, &hospital.his, "w3-pm").await;
    let [first, second] = [hospital.apply("w3-pm", 1).await, hospital.apply("w3-pm", 2).await];
    hospital.hint("w3-pm").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "waiting"], "nothing is free yet");
    hospital.free_a_place("w3-pm").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
    // HIS was told no hours: it would not have known them.
    let entry = hospital.ask(Method::GET, &format!("/v1/waitlist/{first}"), None).await;
    let slot = json!({ "begins": "13:00:00", "ends": "17:00:00", "ofHalfDay": true });
    assert_eq!(entry["offer"]["slot"], slot, "{entry}");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_campus_says_when_its_half_days_are() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    let half_days = json!({
        "morning": { "from": "08:00:00", "to": "11:30:00" }, "afternoon": { "from": "14:00:00", "to": "16:30:00" },
        "evening": { "from": "18:00:00", "to": "20:00:00" },
    });
    setup.policy.half_days = serde_json::from_value(half_days).unwrap();
    let hospital = Hospital::open(setup).await;
    furnish_half_day(&hospital.db.pool, &hospital.his, "w3-pm").await;
    let entry = hospital.apply("w3-pm", 1).await;
    hospital.free_a_place("w3-pm").await;
    // Locked, and then booked, without a word of hours to HIS.
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let slot: serde_json::Value =
        sqlx::query_scalar("select slot from appointment").fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!((&slot["begins"], &slot["ends"]), (&json!("14:00:00"), &json!("16:30:00")));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_the_queue_is_served_in_the_order_of_admission() {
    let mut setup = Setup::paying(PaymentMode::None);
    setup.policy.other_queues = Some(OtherQueues::Keep);
    let hospital = Hospital::open(setup).await;
    let mut entries = Vec::new();
    for patient in [3, 1, 4, 2] {
        entries.push(hospital.apply("w1-am", patient).await);
    }
    let elsewhere = hospital.apply("w2-am", 1).await;
    for served in 1..=4 {
        hospital.free_a_place("w1-am").await;
        for (place, entry) in entries.iter().enumerate() {
            let expected = if place < served { "booked" } else { "waiting" };
            assert_eq!(hospital.status(*entry).await, expected, "the {place}th after {served} places");
        }
    }
    assert_eq!(hospital.status(elsewhere).await, "waiting", "another schedule has another queue");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_at_the_cutoff_whoever_still_waits_is_told_so() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(cutoff() - chrono::TimeDelta::seconds(1)).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.steps(entry).await, EXPIRED);
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_failed"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "expired");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_withdraws_is_passed_over() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.withdraw(first).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(first).await, WITHDRAWN);
    assert_eq!(hospital.steps(second).await, BOOKED_AT_ONCE);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stopped_schedule_ends_every_wait_for_it() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    let afternoon = hospital.apply("w1-pm", 3).await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.steps(first).await, STOPPED);
    assert_eq!(hospital.steps(second).await, STOPPED);
    assert_eq!(hospital.status(afternoon).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_a_place_that_114_took_first_costs_nobody_the_turn() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let first = hospital.apply("w1-am", 1).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.mishaps.just_before(&of_application("Booking"), hospital.grab("w1-am"));
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "waiting"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(first).await, LOST_AND_BACK);
    assert_eq!(hospital.release_steps("w1-am").await, LOST_TO_114);
    assert_eq!(hospital.status(second).await, "waiting");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked"], "one submission, one message");
    hospital.finish().await;
}

/// Two accounts with one document: HIS takes the second for the same person and refuses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_r19_whom_his_refuses_does_not_block_the_queue() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.same_person(2, 1).await;
    let [first, twin, third] =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(twin).await, REFUSED);
    assert_eq!(statuses(&hospital, [first, twin, third]).await, ["booked", "refused", "booked"]);
    hospital.finish().await;
}

/// R32: who is blacklisted while waiting is passed over, under whatever account, and keeps the turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r32_whoever_is_blacklisted_while_waiting_is_passed_over() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    let other_account = "update patient set id_hash = (select id_hash from patient where id = 'p1') where id = 'p4'";
    sqlx::query(other_account).execute(&hospital.db.pool).await.unwrap();
    let blacklist = async |method: Method, entry: Option<serde_json::Value>| {
        let reply = hospital.door.ask(method, "/v1/blacklist/p4", entry).await;
        assert!(reply.status < 300, "{} {}", reply.status, reply.body);
    };
    blacklist(Method::PUT, Some(json!({ "reason": "three no-shows" }))).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booked", "waiting"]);
    blacklist(Method::DELETE, None).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "waiting"], "the turn was kept");

    // An entry that is over by now says nothing.
    let until = hospital.now() + TimeDelta::minutes(5);
    let of_three = json!({ "reason": "three no-shows", "until": until });
    assert_eq!(hospital.door.ask(Method::PUT, "/v1/blacklist/p3", Some(of_three)).await.status, 200);
    hospital.pass_minutes(6).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entries[2]).await, "booked");
    hospital.finish().await;
}

/// A code that no list of ours has may speak of the patient or of the place: the place goes to the next, the turn is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_his_does_not_give_to_one_goes_to_the_next() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.line.refuses_a_booking("200799");
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(first).await, NOT_GIVEN);
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "booked"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(first).await, "booked");
    hospital.finish().await;
}

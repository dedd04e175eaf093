//! An offer that is declined or missed costs that time, and not the place in the queue, as often as the hospital allows
//! (Q6).

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use houbu::engine::RunId;
use houbu::sandbox::his::{LockState, channel};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::{APPLICATION, RELEASE, THE_MONEY_COMES_BACK, Told, folded, of_application, once, statuses};
use crate::hospital::world::cutoff;
use crate::hospital::{Hospital, Setup};

const DECLINED_ONCE: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Decline: Declined",
    "Unlocking: Requeued",
    "Waiting on Offer: GivenUp",
];
const HANDED_ON: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Passed",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const MISSED_AFTER_THE_CUTOFF: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on deadline: Lapsed",
    "Unlocking: Requeued",
    "Waiting on deadline: Expired",
];
const NOT_TOLD: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on deadline: Lapsed",
    "Unlocking: Requeued",
    // The place is free again, and goes to the next in line.
    "Waiting on Offer: GivenUp",
];
const AN_OLD_ANSWER: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Decline: Stale",
    "Confirmation on Confirm: Stale",
];
/// After the place was accepted.
const UNPAID_ONCE: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on deadline: Due",
    "PaymentCheck: Open",
    "Paying on deadline: Due",
    "PaymentCheck: Over",
    "OrderClosing: Closed",
    "Unlocking: Requeued",
    "Waiting on Offer: GivenUp",
];

pub const TOLD: &[Told] = &[
    (APPLICATION, DECLINED_ONCE),
    (APPLICATION, MISSED_AFTER_THE_CUTOFF),
    (APPLICATION, AN_OLD_ANSWER),
    (APPLICATION, UNPAID_ONCE),
    (RELEASE, HANDED_ON),
];

/// Of offers, the second that is declined, or missed, ends the application.
async fn patient_hospital() -> Hospital {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    (setup.policy.declines_max, setup.policy.missed_offers_max) = (Some(2), Some(2));
    Hospital::open(setup).await
}

/// What became of a patient's offers.
async fn offers(hospital: &Hospital, entry: RunId) -> Vec<String> {
    sqlx::query_scalar("select outcome from offer where entry_id = $1 order by nth")
        .bind(entry)
        .fetch_all(&hospital.db.pool)
        .await
        .unwrap()
}

/// A place of the later half-hour is freed at the counter.
async fn free_a_later_place(hospital: &Hospital) {
    assert!(hospital.his.cancel_ordinary("w1-am", 1, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_seconds(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_a_declined_time_goes_to_the_next_and_the_turn_is_kept() {
    let hospital = patient_hospital().await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    hospital.free_a_place("w1-am").await;
    hospital.decline(entries[0]).await;
    assert_eq!(hospital.steps(entries[0]).await, DECLINED_ONCE);
    assert_eq!(hospital.release_steps("w1-am").await, HANDED_ON);
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "offered", "waiting"]);
    free_a_later_place(&hospital).await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "offered", "waiting"], "the first is still the first");
    for entry in &entries[..2] {
        hospital.confirm(*entry).await;
    }
    hospital.pass_seconds(30).await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "waiting"]);
    assert_eq!(offers(&hospital, entries[0]).await, ["declined", "booked"], "a time that is not wanted is no offer");
    let told = ["waitlist_submitted", "waitlist_please_confirm", "waitlist_please_confirm", "waitlist_booked"];
    assert_eq!(hospital.told(1).await, told);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_the_last_decline_that_is_allowed_ends_the_application() {
    let hospital = patient_hospital().await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.decline(entry).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    free_a_later_place(&hospital).await;
    hospital.decline(entry).await;
    assert_eq!(hospital.status(entry).await, "declined");
    assert_eq!(offers(&hospital, entry).await, ["declined", "declined"]);
    hospital.finish().await;
}

/// The declined place is still free when another one is freed: each goes to the first who wants it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_whoever_passes_on_one_time_is_the_first_for_another_of_the_same_round() {
    let hospital = patient_hospital().await;
    let first = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.decline(first).await;
    let [second, third] = [hospital.apply("w1-am", 2).await, hospital.apply("w1-am", 3).await];
    free_a_later_place(&hospital).await;
    assert_eq!(statuses(&hospital, [first, second, third]).await, ["offered", "offered", "waiting"]);
    let locks = hospital.his.books().await.locks;
    let held =
        |entry| locks.iter().find(|lock| lock.state == LockState::Held && ids::run_of(&lock.lock_id) == Some(entry));
    assert!(held(second).unwrap().slot < held(first).unwrap().slot);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_a_missed_offer_costs_that_time_and_the_second_one_the_place() {
    let hospital = patient_hospital().await;
    let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(30).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["waiting", "offered"]);
    free_a_later_place(&hospital).await;
    assert_eq!(statuses(&hospital, [first, second]).await, ["offered", "offered"]);
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.status(first).await, "lapsed");
    assert_eq!(offers(&hospital, first).await, ["missed", "missed"]);
    hospital.finish().await;
}

/// E3: the window of an offer outlasts the cutoff; nobody waits any more when it has passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_an_offer_that_is_missed_after_the_cutoff_was_the_last() {
    let hospital = patient_hospital().await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(cutoff() - TimeDelta::minutes(1)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.steps(entry).await, MISSED_AFTER_THE_CUTOFF);
    assert_eq!(hospital.told(1).await.last().map(String::as_str), Some("waitlist_failed"));
    hospital.finish().await;
}

async fn accepts(hospital: &Hospital) -> RunId {
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    assert_eq!(hospital.status(entry).await, "awaitingPayment");
    entry
}

/// The next offer has an order of its own; the old one is closed and takes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_an_unpaid_offer_costs_that_time_and_the_next_one_is_paid() {
    let hospital = patient_hospital().await;
    hospital.payer(1, Payer::Never);
    let entry = accepts(&hospital).await;
    hospital.pass_minutes(31).await;
    assert_eq!(once(hospital.steps(entry).await.split_off(3)), UNPAID_ONCE);
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(20) });
    free_a_later_place(&hospital).await;
    hospital.confirm(entry).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(offers(&hospital, entry).await, ["missed", "booked"]);
    let paid = hospital.pay.books().await.orders.into_iter().filter(|order| order.paid_at.is_some());
    assert_eq!(paid.map(|order| order.out_trade_no).collect::<Vec<_>>(), [ids::trade_no(entry, 2)]);
    hospital.finish().await;
}

/// E2: the provider had called the order closed, and takes the money a moment before its end all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_money_that_comes_for_a_missed_offer_goes_back() {
    let hospital = patient_hospital().await;
    hospital.payer(1, Payer::Never);
    hospital.provider.closes_in_words_only();
    let entry = accepts(&hospital).await;
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    let clock = hospital.sandbox_clock();
    let shows = clock.load(Ordering::SeqCst);
    clock.store(shows - 120_000_000, Ordering::SeqCst);
    hospital.pay.pay_now(&ids::trade_no(entry, 1)).await.unwrap();
    clock.store(shows, Ordering::SeqCst);
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    free_a_later_place(&hospital).await;
    assert_eq!(hospital.status(entry).await, "offered", "that money is for no place: the patient is asked");
    hospital.withdraw(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    assert_eq!(hospital.pay.books().await.refunds.len(), 1);
    hospital.finish().await;
}

/// E2, E4: the lock still holds, and the place is the patient's: nothing was missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_a_payment_at_the_last_moment_was_not_missed() {
    let hospital = patient_hospital().await;
    hospital.payer(1, Payer::Never);
    let entry = accepts(&hospital).await;
    let (pay, clock) = (hospital.pay.clone(), hospital.sandbox_clock());
    hospital.mishaps.just_before(&of_application("OrderClosing"), move || {
        async move {
            let shows = clock.load(Ordering::SeqCst);
            clock.store(shows - 25_000_000, Ordering::SeqCst);
            pay.pay_now(&ids::trade_no(entry, 1)).await.unwrap();
            clock.store(shows, Ordering::SeqCst);
        }
        .boxed()
    });
    hospital.pass_minutes(32).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(offers(&hospital, entry).await, ["booked"]);
    let state: serde_json::Value = sqlx::query_scalar("select state from run_state where run_id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!((&state["missed"], &state["given_up"]), (&json!(0), &json!([])));
    hospital.finish().await;
}

/// E5: nobody's money is kept for a place that they may never be offered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_whoever_pays_and_declines_at_once_gets_the_money_back() {
    let hospital = patient_hospital().await;
    let entry = accepts(&hospital).await;
    let pay = hospital.pay.clone();
    hospital.mishaps.just_before(&of_application("OrderClosing"), move || {
        async move { drop(pay.pay_now(&ids::trade_no(entry, 1)).await.unwrap()) }.boxed()
    });
    hospital.decline(entry).await;
    hospital.pass_minutes(10).await;
    let steps = folded(hospital.steps(entry).await);
    assert_eq!(steps[steps.len() - 3..], ["Reckoning: Held", THE_MONEY_COMES_BACK, "Closure: Declined"]);
    assert_eq!(hospital.status(entry).await, "declined");
    hospital.finish().await;
}

/// E5: an answer that was on its way when its offer ended is not taken for one to the next offer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_an_answer_to_an_earlier_offer_answers_no_later_one() {
    let hospital = patient_hospital().await;
    let entry = hospital.apply("w1-am", 1).await;
    for answer in ["Decline", "Confirm"] {
        hospital.tell_run(entry, answer, json!({ "until": "2026-09-01T02:30:00Z" })).await;
    }
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, AN_OLD_ANSWER);
    assert_eq!(hospital.status(entry).await, "offered");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_please_confirm"], "asked once");
    hospital.confirm(entry).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// The message platform is away for the whole of an offer: who could not know of it has missed nothing, and the next gets that time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_an_offer_that_nobody_was_told_of_is_not_missed() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.turns("messages", "pause").await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.steps(entries[0]).await, NOT_TOLD);
    assert_eq!(offers(&hospital, entries[0]).await, ["unusable"], "no miss in the figures either");
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "offered"]);
    hospital.turns("messages", "resume").await;
    hospital.pass_minutes(1).await;
    assert!(hospital.told(2).await.contains(&"waitlist_please_confirm".to_owned()));
    // Another time: the place in the queue was kept, and the offer that was told counts.
    assert!(hospital.his.cancel_ordinary("w1-am", 1, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entries[0]).await, "offered");
    hospital.pass_minutes(40).await;
    assert_eq!(statuses(&hospital, entries).await, ["lapsed", "lapsed"]);
    hospital.finish().await;
}

/// Staff end it while HIS is away, before anybody could ask whether the offer had been told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r09_an_offer_that_nobody_was_told_of_is_not_missed_either_where_staff_end_it() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.turns("messages", "pause").await;
    hospital.free_a_place("w1-am").await;
    hospital.turns("his", "pause").await;
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.steps(entry).await.last().map(String::as_str), Some("Confirmation on deadline: Lapsed"));
    assert_eq!(offers(&hospital, entry).await, ["held"]);
    let why = json!({ "reason": "患者来电取消" });
    hospital.ask(reqwest::Method::POST, &format!("/v1/runs/{entry}/cancel"), Some(why)).await;
    hospital.turns("his", "resume").await;
    hospital.turns("messages", "resume").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    assert_eq!(offers(&hospital, entry).await, ["ended"]);
    hospital.finish().await;
}

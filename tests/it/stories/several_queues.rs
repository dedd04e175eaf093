//! One person in several queues (R35): never offered two places at once, and done with the others of the day once a visit is
//! booked.

use futures::FutureExt;
use houbu::engine::RunId;
use houbu::sandbox::his::channel;
use houbu::waitlist::policy::{OtherQueues, PaymentMode};
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, statuses};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

const BOOKED_ELSEWHERE: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Withdrawal: Withdrawn",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];
const BOTH_BOOKED: &[&str] = &["Waiting on Offer: Covered", "Booking: Booked", "Visit on Withdrawal: Kept"];
const ASKED_ELSEWHERE: &[&str] = &["Waiting on Offer: Payable", "Locking: Withheld"];
const BEING_BOOKED_ELSEWHERE: &[&str] = &["Waiting on Offer: Covered", "Booking: Withheld", "Unlocking: Requeued"];

const ASKED_AND_LEFT: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Withdrawal: Asked",
    "Waiting on Consent: Left",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];
const ASKED_AND_KEPT: &[&str] =
    &["Waiting on Withdrawal: Asked", "Waiting on Consent: Kept", "Waiting on Offer: Covered", "Booking: Booked"];
const ASKED_IN_VAIN: &[&str] = &["Waiting on Withdrawal: Asked", "Waiting on deadline: Kept"];

pub const TOLD: &[Told] = &[
    (APPLICATION, ASKED_AND_LEFT),
    (APPLICATION, ASKED_AND_KEPT),
    (APPLICATION, ASKED_IN_VAIN),
    (APPLICATION, BOOKED_ELSEWHERE),
    (APPLICATION, BOTH_BOOKED),
    (APPLICATION, ASKED_ELSEWHERE),
    (APPLICATION, BEING_BOOKED_ELSEWHERE),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_booked_visit_ends_the_others_of_the_day_and_their_money_goes_back() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 1).await, hospital.apply("w2-am", 2).await];
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(10).await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "withdrawn", "waiting"]);
    assert_eq!(folded(hospital.steps(entries[1]).await), BOOKED_ELSEWHERE);
    let shown = hospital.ask(reqwest::Method::GET, &format!("/v1/waitlist/{}", entries[1]), None).await;
    assert_eq!(shown["reason"], "bookedElsewhere");
    assert_eq!(hospital.pay.books().await.refunds.len(), 1);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_the_others_wait_on_where_the_hospital_says_so() {
    let mut setup = Setup::paying(PaymentMode::None);
    setup.policy.other_queues = Some(OtherQueues::Keep);
    let hospital = Hospital::open(setup).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 1).await];
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting"]);
    hospital.finish().await;
}

/// Of two that were booked at the same moment neither cancels the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_visit_is_not_ended_by_another_one() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.tell_run(entry, "Withdrawal", json!({ "booked_by": RunId::now_v7() })).await;
    assert_eq!(hospital.steps(entry).await, BOTH_BOOKED);
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_whoever_is_being_offered_a_place_is_passed_over_in_other_queues_and_keeps_the_turn() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w2-am", 1).await, hospital.apply("w2-am", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w2-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting", "offered"]);
    hospital.decline(entries[0]).await;
    hospital.free_a_place("w2-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["declined", "offered", "offered"]);
    hospital.finish().await;
}

/// While the first queue's offer is on its way, the second queue's is answered: both were made before either was heard.
async fn both_at_once(mode: PaymentMode, second_is: &'static str) -> (Hospital, [RunId; 3]) {
    let mut setup = Setup::paying(mode);
    setup.policy.other_queues = Some(OtherQueues::Keep);
    let hospital = Hospital::open(setup).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w2-am", 1).await, hospital.apply("w1-am", 2).await];
    let (his, desk, pool) = (hospital.his.clone(), hospital.desk.clone(), hospital.db.pool.clone());
    let second = entries[1];
    hospital.mishaps.just_before(&of_application("Waiting"), move || {
        async move {
            assert!(his.cancel_ordinary("w2-am", 0, channel::WINDOW, false).await.unwrap().is_some());
            desk.release_slot("w2-am", "at the same moment").await.unwrap();
            let status = async || houbu::records::entries::status(&pool, "H1", second).await.unwrap();
            wait_for("the second offer", || async { status().await.as_deref() == Some(second_is) }).await;
        }
        .boxed()
    });
    (hospital, entries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_two_offers_at_once_are_made_one_after_the_other() {
    let (hospital, entries) = both_at_once(PaymentMode::LockThenPay, "offered").await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "offered", "offered"]);
    assert_eq!(hospital.steps(entries[0]).await, ASKED_ELSEWHERE);
    hospital.decline(entries[1]).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "declined", "offered"], "the turn was kept");
    hospital.finish().await;
}

/// The same where nothing is to be paid: HIS is slow with the second booking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_two_bookings_at_once_are_made_one_after_the_other() {
    let (hospital, entries) = both_at_once(PaymentMode::None, "booking").await;
    let (point, act) = (houbu::engine::sabotage::Point::AfterCall, houbu::engine::sabotage::Act::Fail);
    hospital.mishaps.plan_for(entries[1], point, &of_application("Booking"), act);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entries[0]).await, BEING_BOOKED_ELSEWHERE);
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "booking", "booked"]);
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "booked"]);
    hospital.finish().await;
}

async fn that_asks(mode: PaymentMode) -> Hospital {
    let mut setup = Setup::paying(mode);
    setup.policy.other_queues = Some(OtherQueues::Ask);
    Hospital::open(setup).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_the_patient_is_asked_about_the_others_of_the_day_and_leaves_one() {
    let hospital = that_asks(PaymentMode::Prepay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 1).await];
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting"]);
    assert!(hospital.told(1).await.contains(&"waitlist_others_asked".to_owned()));
    let shown = hospital.ask(reqwest::Method::GET, &format!("/v1/waitlist/{}", entries[1]), None).await;
    assert_eq!(shown["question"]["about"], "otherVisit");
    hospital.answer(entries[1], "leave").await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entries[1]).await), ASKED_AND_LEFT);
    assert_eq!(hospital.pay.books().await.refunds.len(), 1);
    hospital.finish().await;
}

/// Until the answer nobody is booked a second visit unasked; the place goes to the next in line, and the turn is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_whoever_is_asked_is_passed_over_until_the_answer() {
    let hospital = that_asks(PaymentMode::None).await;
    let entries =
        [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 1).await, hospital.apply("w1-pm", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting", "booked"]);
    hospital.answer(entries[1], "keep").await;
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "booked", "booked"]);
    assert_eq!(hospital.steps(entries[1]).await, ASKED_AND_KEPT);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_without_an_answer_the_others_wait_on() {
    let hospital = that_asks(PaymentMode::None).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-pm", 1).await];
    hospital.free_a_place("w1-am").await;
    // A place that is free all the while, of which nobody tells again.
    hospital.free_a_place("w1-pm").await;
    assert_eq!(statuses(&hospital, entries).await, ["booked", "waiting"]);
    hospital.pass_minutes(12 * 60 + 1).await;
    assert_eq!(hospital.steps(entries[1]).await[..2], *ASKED_IN_VAIN);
    assert_eq!(hospital.status(entries[1]).await, "booked", "as it was before the question");
    hospital.finish().await;
}

//! Some times of a schedule do not take place (5001 with times): whoever was only offered one waits on, and whoever has paid for
//! one or is booked there gets the money back (R34).

use std::time::Duration;

use chrono::NaiveTime;
use futures::FutureExt;
use houbu::engine::RunId;
use houbu::ports::his::TimeSlot;
use houbu::sandbox::his::LockState;
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, statuses};
use crate::hospital::Hospital;
use crate::hospital::world::local;

const OFFERED_THERE: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Stoppage: Revoked",
    "Unlocking: Requeued",
    "Waiting on Offer: Payable",
    "Locking: Locked",
];
const PAYING_FOR_IT: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Confirm: Confirmed",
    "OfferOrder: Opened",
    "Paying on Stoppage: Revoked",
    "OrderClosing: Closed",
    "Unlocking: Requeued",
];
const PAID_FOR_IT: &[&str] = &[
    "Paying on Stoppage: Revoked",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Stopped",
];
const OF_OTHER_TIMES: &[&str] = &["Waiting on Offer: Payable", "Locking: Locked", "Confirmation on Stoppage: Stale"];

pub const TOLD: &[Told] = &[
    (APPLICATION, OFFERED_THERE),
    (APPLICATION, PAYING_FOR_IT),
    (APPLICATION, PAID_FOR_IT),
    (APPLICATION, OF_OTHER_TIMES),
];

/// The time that somebody is offered.
async fn time_of(hospital: &Hospital, entry: RunId) -> TimeSlot {
    let locks = hospital.his.books().await.locks;
    let held =
        locks.into_iter().find(|lock| lock.state == LockState::Held && ids::run_of(&lock.lock_id) == Some(entry));
    held.unwrap().slot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_is_only_offered_a_time_that_stops_keeps_the_place_in_the_queue() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    // HIS gives that time to nobody any more.
    hospital.mishaps.just_after(&of_application("Unlocking"), hospital.grab("w1-am"));
    hospital.stops_time(time_of(&hospital, entries[0]).await).await;
    hospital.pass_seconds(5).await;
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "waiting"]);
    let told = ["waitlist_submitted", "waitlist_please_confirm", "waitlist_offer_withdrawn"];
    assert_eq!(hospital.told(1).await, told);
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"], "still the first");
    assert_eq!(hospital.steps(entries[0]).await, OFFERED_THERE);
    let outcomes: Vec<String> = sqlx::query_scalar("select outcome from offer where entry_id = $1 order by nth")
        .bind(entries[0])
        .fetch_all(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(outcomes, ["unusable", "held"], "neither missed nor lost");
    hospital.finish().await;
}

/// At night the next offer is told at once and the withdrawal waits for the morning: by then it would say of the next one that it is
/// not to be paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_r34_that_an_offer_was_withdrawn_is_not_told_any_more_once_there_is_a_later_one() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w2-am", 2).await];
    hospital.pass_until(local(1, 23, 30)).await;
    for (nth, schedule) in ["w1-am", "w2-am"].into_iter().enumerate() {
        hospital.free_a_place(schedule).await;
        hospital.mishaps.just_after(&of_application("Unlocking"), hospital.grab(schedule));
        let slot = time_of(&hospital, entries[nth]).await;
        hospital.tell_run(entries[nth], "Stoppage", json!({ "times": slot })).await;
        hospital.pass_seconds(5).await;
    }
    assert_eq!(statuses(&hospital, entries).await, ["waiting"; 2]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"]);
    hospital.pass_until(local(2, 6, 1)).await;
    let told = ["waitlist_submitted", "waitlist_please_confirm", "waitlist_please_confirm"];
    assert_eq!(hospital.told(1).await, told);
    let told = ["waitlist_submitted", "waitlist_please_confirm", "waitlist_offer_withdrawn"];
    assert_eq!(hospital.told(2).await, told, "who has no other one is told in the morning");
    hospital.confirm(entries[0]).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entries[0]).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_an_unpaid_order_for_a_time_that_stops_is_closed_and_the_turn_is_kept() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let slot = time_of(&hospital, entry).await;
    hospital.confirm(entry).await;
    hospital.mishaps.just_after(&of_application("Unlocking"), hospital.grab("w1-am"));
    hospital.stops_time(slot).await;
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.steps(entry).await, PAYING_FOR_IT);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(5) });
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_whoever_has_just_paid_for_a_time_that_stops_gets_the_money_back() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let slot = time_of(&hospital, entry).await;
    hospital.confirm(entry).await;
    let (pay, number) = (hospital.pay.clone(), ids::trade_no(entry, 1));
    hospital.mishaps.just_before(&of_application("OrderClosing"), move || {
        async move { pay.pay_now(&number).await.unwrap() }.map(drop).boxed()
    });
    hospital.stops_time(slot).await;
    hospital.pass_minutes(10).await;
    let steps = folded(hospital.steps(entry).await);
    assert_eq!(steps[steps.len() - PAID_FOR_IT.len()..], *PAID_FOR_IT);
    assert_eq!(hospital.status(entry).await, "stopped");
    assert_eq!(hospital.pay.books().await.refunds.len(), 1);
    let told = hospital.told(1).await;
    assert_eq!(told.iter().filter(|one| *one == "waitlist_failed").count(), 1, "{told:?}");
    assert!(!told.contains(&"waitlist_offer_withdrawn".to_owned()), "{told:?}");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stop_of_other_times_leaves_an_offer_and_a_visit_as_they_are() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    let slot = time_of(&hospital, entry).await;
    let times = json!({ "times": TimeSlot::new(slot.ends, NaiveTime::from_hms_opt(12, 0, 0).unwrap()) });
    hospital.tell_run(entry, "Stoppage", times.clone()).await;
    assert_eq!(hospital.steps(entry).await, OF_OTHER_TIMES);
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    hospital.tell_run(entry, "Stoppage", times).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

//! Locks while the patient takes time (R10), where HIS offers 2014 and 2016: renewed ahead of their end, asked about before money is
//! asked for, and taken anew where HIS has lost them.

use houbu::engine::RunId;
use houbu::sandbox::his::{LockState, channel};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::{FeeChange, PaymentMode};
use reqwest::Method;

use super::{APPLICATION, Told, statuses};
use crate::hospital::world::{FEE_FEN, costs, local};
use crate::hospital::{Hospital, Setup};

const RENEWED: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on deadline: Due",
    "LockCheck: Renewed",
    "Confirmation on deadline: Due",
    "LockCheck: Renewed",
    "Confirmation on Confirm: Checked",
    "LockCheck: Holds",
    "OfferOrder: Opened",
];
const RENEWED_WHILE_PAYING: &[&str] = &["Paying on deadline: Renews", "LockCheck: Open"];
const LOST_BEFORE_THE_ORDER: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Confirm: Checked",
    "LockCheck: Lost",
    "Unlocking: Requeued",
];
const LOST_WHILE_PAYING: &[&str] =
    &["Paying on deadline: Renews", "LockCheck: Gone", "OrderClosing: Closed", "Unlocking: Requeued"];

pub const TOLD: &[Told] = &[
    (APPLICATION, RENEWED),
    (APPLICATION, RENEWED_WHILE_PAYING),
    (APPLICATION, LOST_BEFORE_THE_ORDER),
    (APPLICATION, LOST_WHILE_PAYING),
];

/// A hospital whose HIS grants this many minutes at most, and the patients who wait there.
async fn granting<const N: usize>(minutes: u32) -> (Hospital, [RunId; N]) {
    let setup = Setup { cares_for_locks: true, ..Setup::paying(PaymentMode::LockThenPay) };
    let hospital = Hospital::open(setup).await;
    hospital.his.grant_at_most(minutes).await.unwrap();
    let mut entries = Vec::new();
    for patient in 1..=N {
        entries.push(hospital.apply("w1-am", u32::try_from(patient).unwrap()).await);
    }
    (hospital, entries.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_lock_that_is_granted_for_less_is_renewed_while_the_patient_thinks() {
    let (hospital, [entry]) = granting(15).await;
    hospital.free_a_place("w1-am").await;
    // The offer lasts for half an hour, whatever HIS grants at a time.
    hospital.pass_minutes(24).await;
    assert_eq!(hospital.status(entry).await, "offered");
    let held = hospital.his.books().await.locks;
    assert!(held.iter().all(|lock| lock.state == LockState::Held && lock.expires_at > hospital.now()));
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(hospital.steps(entry).await[..RENEWED.len()], *RENEWED);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_lock_is_renewed_over_the_night() {
    let (hospital, [entry]) = granting(60).await;
    hospital.pass_until(local(2, 2, 0)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(2, 6, 20)).await;
    assert_eq!(hospital.status(entry).await, "offered");
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_lock_is_renewed_while_the_patient_pays() {
    let (hospital, [entry]) = granting(12).await;
    hospital.payer(1, Payer::Pays { after: std::time::Duration::from_mins(20) });
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    hospital.pass_minutes(25).await;
    let steps = hospital.steps(entry).await;
    assert!(steps.windows(2).any(|two| two == RENEWED_WHILE_PAYING), "{steps:#?}");
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// HIS restarts and knows its locks no more: where the place is free it is locked anew, and the patient notices nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_lock_that_his_has_lost_is_taken_anew_before_money_is_asked_for() {
    let (hospital, [entry]) = granting(1_000).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.his.lose_locks().await.unwrap(), 1);
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_place_that_is_lost_with_its_lock_costs_no_money_and_no_turn() {
    let (hospital, entries) = granting::<2>(1_000).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.his.lose_locks().await.unwrap(), 1);
    assert!(hospital.his.grab("w1-am", channel::PLATFORM_114).await.unwrap());
    assert!(hospital.tries_to_confirm(entries[0]).await.is_none());
    assert_eq!(hospital.steps(entries[0]).await, LOST_BEFORE_THE_ORDER);
    assert!(hospital.pay.books().await.orders.is_empty(), "nobody was asked for money");
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"], "the turn was kept");
    hospital.finish().await;
}

/// A HIS that never frees an id answers with the lock that is over: nobody pays for a place on its word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_lock_that_is_over_is_not_believed_to_hold() {
    let (hospital, [entry]) = granting(1_000).await;
    hospital.his.remember_locks().await.unwrap();
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.his.lose_locks().await.unwrap(), 1);
    assert!(hospital.tries_to_confirm(entry).await.is_none());
    let steps = hospital.steps(entry).await;
    assert_eq!(steps[..LOST_BEFORE_THE_ORDER.len()], *LOST_BEFORE_THE_ORDER);
    assert!(hospital.pay.books().await.orders.is_empty(), "nobody was asked for money");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_place_that_is_lost_while_the_patient_pays_closes_the_order_and_keeps_the_turn() {
    let (hospital, entries) = granting::<2>(12).await;
    hospital.payer(1, Payer::Never);
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entries[0]).await;
    assert_eq!(hospital.his.lose_locks().await.unwrap(), 1);
    assert!(hospital.his.grab("w1-am", channel::PLATFORM_114).await.unwrap());
    hospital.pass_minutes(9).await;
    let steps = hospital.steps(entries[0]).await;
    assert_eq!(steps[steps.len() - LOST_WHILE_PAYING.len()..], *LOST_WHILE_PAYING);
    assert_eq!(statuses(&hospital, entries).await, ["waiting", "waiting"]);
    hospital.free_a_place("w1-am").await;
    assert_eq!(statuses(&hospital, entries).await, ["offered", "waiting"], "the turn was kept");
    hospital.withdraw(entries[0]).await;
    hospital.pass_minutes(10).await;
    hospital.finish().await;
}

/// Whoever has paid in advance pays what the visit costs more by now, also where the lock is looked at before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r10_what_is_missing_is_asked_for_once_the_lock_was_looked_at() {
    let mut setup = Setup { cares_for_locks: true, ..Setup::paying(PaymentMode::Prepay) };
    setup.policy.fee_change = Some(FeeChange::RefundAndTopUp);
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    costs(&hospital, FEE_FEN + 1_500).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    assert_eq!(shown["payment"]["amountFen"], 1_500, "{shown}");
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

//! A HIS that offers v3.3 alone: it locks by 2005 for ten minutes, does not say until when, and is told of money by 2008 (R10, R20).

use std::time::Duration;

use houbu::engine::RunId;
use houbu::sandbox::catalogue::subject;
use houbu::sandbox::his::{LockState, OrderState, Planted};
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::PaymentMode;

use super::{RELEASE, Told, statuses};
use crate::hospital::world::local;
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

const AFTER_THE_NIGHT: &[&str] = &[
    "Idle on Freed: Hint",
    "Refreshing: Kept",
    "Keeping on deadline: Over",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];

pub const TOLD: &[Told] = &[(RELEASE, AFTER_THE_NIGHT)];

async fn plain(mode: PaymentMode) -> Hospital {
    Hospital::open(Setup { plain: Some(10), ..Setup::paying(mode) }).await
}

/// The next so many calls of this function go wrong so.
fn goes_wrong(hospital: &Hospital, function: &str, how: &str, times: u32) {
    let wrong = Wrong::named(subject(function).unwrap(), how).unwrap();
    hospital.faults.switches().on(function, wrong, Switch::Times(times));
}

/// How often HIS was asked to lock, and every lock that it made.
async fn locks(hospital: &Hospital) -> Vec<LockState> {
    hospital.his.books().await.locks.into_iter().map(|lock| lock.state).collect()
}

/// What HIS knows of what was paid for the booking of an application.
async fn paid_at_his(hospital: &Hospital, entry: RunId) -> Option<i64> {
    let (order_id, _) = hospital.numbers(entry).await;
    let orders = hospital.his.books().await.orders;
    let order = orders.into_iter().find(|order| order.order_id == order_id && order.state == OrderState::Booked)?;
    order.paid.map(|paid| paid.amount_fen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_place_is_locked_for_ten_minutes_and_his_is_told_of_the_money() {
    let hospital = plain(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(4).await;
    assert_eq!((hospital.status(entry).await.as_str(), locks(&hospital).await), ("offered", vec![LockState::Held]));
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!((hospital.status(entry).await.as_str(), locks(&hospital).await), ("booked", vec![LockState::Used]));
    assert_eq!(paid_at_his(&hospital, entry).await, Some(crate::hospital::world::FEE_FEN));
    hospital.finish().await;
}

/// Half of a lock is the offer, half of it the grace (E4): the lock is given back before it ends by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r9_who_is_silent_for_five_minutes_gives_the_place_to_the_next() {
    let hospital = plain(PaymentMode::LockThenPay).await;
    let entries = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(6).await;
    assert_eq!(statuses(&hospital, entries).await, ["lapsed", "offered"]);
    let mut held = locks(&hospital).await;
    held.sort_by_key(|state| format!("{state:?}"));
    assert_eq!(held, [LockState::Held, LockState::Unlocked]);
    hospital.confirm(entries[1]).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entries[1]).await, "booked");
    hospital.finish().await;
}

/// 200504 says that the lock is ours, and not how old it is: it is as old as the offer may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_lock_of_which_the_answer_was_lost_is_ours_and_is_not_made_twice() {
    let hospital = plain(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    goes_wrong(&hospital, "2005", "cut-after", 1);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!((hospital.status(entry).await.as_str(), locks(&hospital).await), ("offered", vec![LockState::Held]));
    let lock = hospital.his.books().await.locks.remove(0);
    let deadline: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select deadline from entry where id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert!(deadline + chrono::TimeDelta::minutes(5) <= lock.expires_at, "{deadline} {}", lock.expires_at);
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// A HIS that never frees an id says 200504 of a lock that is over: it is as old as the offer, is given back, and the turn is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_a_lock_of_which_the_answer_was_lost_for_long_is_given_back() {
    let hospital = plain(PaymentMode::LockThenPay).await;
    hospital.his.remember_locks().await.unwrap();
    let entry = hospital.apply("w1-am", 1).await;
    goes_wrong(&hospital, "2005", "cut-after", 1);
    hospital.free_a_place_and_go_on("w1-am").await;
    wait_for("the lock of which the answer is lost", || async { !locks(&hospital).await.is_empty() }).await;
    hospital.line.cut(true);
    hospital.pass_minutes(12).await;
    hospital.line.cut(false);
    let given_back = |steps: &[String]| steps.iter().any(|step| step == "Locking: Unusable");
    for _ in 0..10 {
        if !given_back(&hospital.steps(entry).await) {
            hospital.pass_minutes(1).await;
        }
    }
    let steps = hospital.steps(entry).await;
    assert!(given_back(&steps), "{steps:#?}");
    assert!(steps.contains(&"Unlocking: Requeued".to_owned()), "{steps:#?}");
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "offered", "{:#?}", hospital.steps(entry).await);
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// A booking and the money for it are two calls: whichever answer is lost, HIS has one booking and its money once (E1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e01_his_is_told_of_the_money_whatever_answer_is_lost() {
    for (function, how) in [("2007", "cut-after"), ("2008", "cut-before"), ("2008", "cut-after"), ("2008", "10")] {
        let hospital = plain(PaymentMode::Prepay).await;
        hospital.payer(1, Payer::Pays { after: Duration::from_secs(20) });
        let entry = hospital.apply("w1-am", 1).await;
        hospital.pass_minutes(1).await;
        goes_wrong(&hospital, function, how, 1);
        hospital.free_a_place("w1-am").await;
        hospital.pass_minutes(2).await;
        assert_eq!(hospital.status(entry).await, "booked", "{function} {how}");
        assert!(hospital.faults.switches().shown().is_empty(), "{function} {how} did not happen");
        assert_eq!(paid_at_his(&hospital, entry).await, Some(crate::hospital::world::FEE_FEN), "{function} {how}");
        hospital.finish().await;
    }
}

/// HIS has closed the booking meanwhile: it is cancelled there, the turn and the money are kept, and the next place is booked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_a_booking_that_his_takes_no_money_for_costs_neither_turn_nor_money() {
    let hospital = plain(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(20) });
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    goes_wrong(&hospital, "2008", "200803", 1);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(2).await;
    assert!(hospital.steps(entry).await.contains(&"Booking: Withheld".to_owned()));
    let (order_id, _) = hospital.numbers(entry).await;
    let ours: Vec<_> = hospital.his.books().await.orders.into_iter().filter(|order| !order.ordinary).collect();
    let closed = ours.iter().find(|order| order.order_id != order_id || order.state != OrderState::Booked);
    assert!(closed.is_some_and(|order| order.state == OrderState::Cancelled), "{ours:#?}");
    gets_the_next_place(&hospital, entry).await;
    hospital.finish().await;
}

/// HIS books, never hears of the money, and cancels the booking by itself: an outage costs neither turn nor money.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_e01_a_booking_that_his_closed_before_it_heard_of_the_money_costs_neither_turn_nor_money() {
    let (hospital, entry, order_id) = booked_and_untold().await;
    assert!(hospital.his.plant(Planted::SilentCancel, &order_id, "").await.unwrap());
    hospital.line.cut(false);
    hospital.pass_minutes(10).await;
    assert!(
        hospital.steps(entry).await.contains(&"Booking: Withheld".to_owned()),
        "{:#?}",
        hospital.steps(entry).await
    );
    gets_the_next_place(&hospital, entry).await;
    hospital.finish().await;
}

/// Staff cancel an application whose money HIS has not heard of: HIS is not told that it goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_of_money_that_his_was_not_told_of_it_is_not_told_that_it_goes_back() {
    let (hospital, entry, order_id) = booked_and_untold().await;
    hospital.staff_cancels(entry).await;
    hospital.line.cut(false);
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    let orders = hospital.his.books().await.orders;
    let ours = orders.iter().find(|order| order.order_id == order_id).unwrap();
    assert_eq!((ours.state, ours.refunded_fen), (OrderState::Cancelled, None));
    hospital.finish().await;
}

/// The turn and the money are kept: the next place that comes free is booked and paid for.
async fn gets_the_next_place(hospital: &Hospital, entry: RunId) {
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(2).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(paid_at_his(hospital, entry).await, Some(crate::hospital::world::FEE_FEN));
}

/// HIS has booked and was not told of the money, and the line is cut; its `ORDER_ID`.
async fn booked_and_untold() -> (Hospital, RunId, String) {
    let hospital = plain(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(20) });
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    goes_wrong(&hospital, "2008", "cut-before", 1);
    hospital.free_a_place_and_go_on("w1-am").await;
    let told = || async { hospital.faults.switches().shown().is_empty() };
    wait_for("the money that HIS does not hear of", told).await;
    hospital.line.cut(true);
    hospital.until_still().await;
    let orders = hospital.his.books().await.orders;
    let ours = orders.into_iter().find(|order| !order.ordinary).unwrap();
    assert_eq!((ours.state, ours.paid.is_some()), (OrderState::Booked, false));
    (hospital, entry, ours.order_id)
}

/// A lock of ten minutes does not last the night: nobody is asked who sleeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_what_comes_free_at_night_is_offered_when_the_quiet_hours_end() {
    let hospital = plain(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(2, 2, 0)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(2, 5, 59)).await;
    assert_eq!((hospital.status(entry).await.as_str(), locks(&hospital).await), ("waiting", vec![]));
    hospital.pass_until(local(2, 6, 1)).await;
    assert_eq!(hospital.status(entry).await, "offered");
    assert_eq!(hospital.release_steps("w1-am").await, AFTER_THE_NIGHT);
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// Who has paid needs no lock, and is booked at any hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_what_is_prepaid_is_booked_at_night() {
    let hospital = plain(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(20) });
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(2, 2, 0)).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

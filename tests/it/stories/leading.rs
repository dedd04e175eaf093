//! Staff lead runs elsewhere than their tables would: an application back into its queue or past a payment, a hand-out to
//! its end. Counts, places and money stay right (R2, R4, R34, R37, E2).

use std::time::Duration;

use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use houbu::workflows::slot_release::SlotRelease;
use reqwest::Method;
use serde_json::{Value, json};

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, statuses};
use crate::hospital::world::{FEE_FEN, cutoff, local};
use crate::hospital::{Hospital, Reply};

const ENDED_BY_STAFF: &[&str] = &["Idle on staff: cancelled", "Shut on Stoppage: Stopped", "Stopping: Told"];
const PAID_TWICE: &[&str] = &[
    "Visit on deadline: Unsettled",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Fulfilled",
];

const LED_BACK_UNPAID: &[&str] =
    &["Waiting on deadline: CutOff", "Settlement: Ordered", "Reckoning: Clear", "Closure: Expired"];

pub const TOLD: &[Told] = &[(APPLICATION, PAID_TWICE), (APPLICATION, LED_BACK_UNPAID)];

/// Staff say where a run goes on, and what it knows besides.
async fn jumps(hospital: &Hospital, run: RunId, step: &str, patch: Value) -> Reply {
    let body = json!({ "reason": "agreed on the telephone", "step": step, "patch": patch });
    let reply = hospital.door.ask(Method::POST, &format!("/v1/runs/{run}/jump"), Some(body)).await;
    hospital.until_still().await;
    reply
}

/// An application that has withdrawn and not settled yet.
async fn withdrawn(hospital: &Hospital) -> RunId {
    let entry = hospital.apply("w1-am", 1).await;
    hospital.mishaps.plan_for(entry, Point::AfterCall, &of_application("Settlement"), Act::Fail);
    hospital.withdraw(entry).await;
    assert_eq!(hospital.status(entry).await, "settling");
    entry
}

async fn live_under_the_campus(hospital: &Hospital) -> i32 {
    let live = "select live from capacity where level = 'campus'";
    sqlx::query_scalar(live).fetch_one(&hospital.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_led_back_into_the_queue_counts_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = withdrawn(&hospital).await;
    assert_eq!(live_under_the_campus(&hospital).await, 0);
    let back = jumps(&hospital, entry, "Waiting", json!({ "why": null })).await;
    assert_eq!((back.status, hospital.status(entry).await.as_str()), (202, "waiting"), "{}", back.body);
    assert_eq!(live_under_the_campus(&hospital).await, 1);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(live_under_the_campus(&hospital).await, 0);
    hospital.finish().await;
}

/// An order that nobody is known to have paid is asked about once more before the application ends (E2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_led_back_with_an_unpaid_order_is_settled_at_the_cutoff() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    hospital.mishaps.plan_for(entry, Point::AfterCall, &of_application("Settlement"), Act::Fail);
    hospital.withdraw(entry).await;
    let back = jumps(&hospital, entry, "Waiting", json!({ "why": null })).await;
    assert_eq!((back.status, hospital.status(entry).await.as_str()), (202, "waiting"), "{}", back.body);
    hospital.pass_until(cutoff() + chrono::TimeDelta::minutes(5)).await;
    let steps = hospital.steps(entry).await;
    assert_eq!(steps[steps.len() - LED_BACK_UNPAID.len()..], *LED_BACK_UNPAID);
    assert_eq!(live_under_the_campus(&hospital).await, 0);
    hospital.finish().await;
}

/// A withdrawal that was heard before is not taken for the one of now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_whoever_is_led_back_into_the_queue_may_withdraw_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = withdrawn(&hospital).await;
    let back = jumps(&hospital, entry, "Waiting", json!({ "why": null })).await;
    assert_eq!((back.status, hospital.status(entry).await.as_str()), (202, "waiting"), "{}", back.body);
    hospital.withdraw(entry).await;
    hospital.until_still().await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    hospital.finish().await;
}

/// R4: the patient has joined the same queue anew meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_joined_anew_is_not_led_back() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = withdrawn(&hospital).await;
    let anew = hospital.apply("w1-am", 1).await;
    let refused = jumps(&hospital, entry, "Waiting", json!({ "why": null })).await;
    assert_eq!((refused.status, refused.code()), (409, "duplicate_application"), "{}", refused.body);
    assert_eq!(live_under_the_campus(&hospital).await, 1);
    hospital.pass_minutes(1).await;
    assert_eq!(statuses(&hospital, [entry, anew]).await, ["withdrawn", "waiting"]);
    hospital.finish().await;
}

/// E1: the lock was made and nobody told us. A person sends the run to give it back, and the place is found free again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_whose_lock_nobody_heard_of_is_offered_again() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.mishaps.plan_for_the_next(Point::AfterCall, &of_application("Locking"), Act::Fail);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(jumps(&hospital, entry, "Unlocking", json!({})).await.status, 202);
    assert_eq!(hospital.status(entry).await, "offered");
    hospital.finish().await;
}

/// Nobody joins a queue that nobody serves; who waits there still hears of a 停诊.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_out_that_staff_cancel_is_shut_and_hears_of_the_stoppage() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.staff_cancels(hospital.run_of_key(SlotRelease::NAME, "w1-am").await).await;
    let refused = hospital.door.apply("w1-am", "p2").await;
    assert_eq!((refused.status, refused.code()), (409, "past_cutoff"), "{}", refused.body);
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "waiting", "nothing is handed out");
    hospital.stop("w1-am").await;
    assert_eq!(hospital.status(entry).await, "stopped");
    assert_eq!(hospital.release_steps("w1-am").await, ENDED_BY_STAFF);
    hospital.finish().await;
}

/// Staff have seen the money at the provider. Their word alone would be a step and no money: the fee would be asked for
/// again, and the first one never given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_staff_have_seen_must_be_said() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.shut_the_door();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_seconds(30).await;
    let answer = async |patch: Value| {
        let body = json!({ "reason": "seen at the provider", "outcome": "Paid", "patch": patch });
        let reply = hospital.door.ask(Method::POST, &format!("/v1/runs/{entry}/answer"), Some(body)).await;
        hospital.until_still().await;
        reply
    };
    for patch in [json!({}), json!({ "why": "withdrawn" })] {
        let refused = answer(patch).await;
        assert_eq!((refused.status, refused.code()), (409, "state_lacks"), "{}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains("order.paid"), "{}", refused.body);
    }
    let jumped = jumps(&hospital, entry, "Waiting", json!({})).await;
    assert_eq!((jumped.status, jumped.code()), (409, "state_lacks"), "{}", jumped.body);
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");

    let order = &hospital.pay.books().await.orders[0];
    let paid = json!({
        "transaction_id": order.transaction_id, "amount_fen": order.amount_fen, "paid_at": order.paid_at,
    });
    assert_eq!(answer(json!({ "order": { "paid": paid } })).await.status, 202);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.free_silently("w1-am", 1).await;
    hospital.hint("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(hospital.pay.books().await.orders.len(), 1, "nobody is asked twice");
    hospital.finish().await;
}

/// An application that was led back into its queue past an order which the provider calls closed, and is booked with a
/// second one; then the money for the first comes as well.
async fn paid_twice(hospital: &Hospital) -> RunId {
    hospital.payer(1, Payer::Never);
    hospital.provider.closes_in_words_only();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    assert_eq!(hospital.status(entry).await, "awaitingPayment");
    let still_open = jumps(hospital, entry, "Confirmation", json!({})).await;
    assert_eq!((still_open.status, still_open.code()), (409, "state_lacks"), "{}", still_open.body);
    assert_eq!(jumps(hospital, entry, "OrderClosing", json!({})).await.status, 202);
    assert_eq!(hospital.status(entry).await, "offered", "the same place once more");
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(1) });
    hospital.confirm(entry).await;
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.status(entry).await, "booked");
    // Of which no notice comes: nobody knows of it before the provider is asked.
    hospital.door.shut_to_callbacks();
    hospital.pay.pay_now(&ids::trade_no(entry, 1)).await.unwrap();
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.status(entry).await, "booked");
    entry
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_for_an_order_that_the_visit_does_not_stand_on_goes_back() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = paid_twice(&hospital).await;
    hospital.pass_until(local(5, 12, 0)).await;
    let steps = folded(hospital.steps(entry).await);
    assert_eq!(steps[steps.len() - 5..], *PAID_TWICE);
    assert_eq!(hospital.status(entry).await, "booked");
    let refunds = hospital.pay.books().await.refunds;
    let back: Vec<_> = refunds.iter().map(|refund| (refund.out_trade_no.as_str(), refund.amount_fen)).collect();
    assert_eq!(back, [(ids::trade_no(entry, 1).as_str(), FEE_FEN)]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_of_a_cancelled_visit_goes_back() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = paid_twice(&hospital).await;
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.status(entry).await, "visitCancelled");
    let mut back: Vec<String> = hospital.pay.books().await.refunds.into_iter().map(|one| one.out_trade_no).collect();
    back.sort();
    assert_eq!(back, [1, 2].map(|nth| ids::trade_no(entry, nth)));
    hospital.finish().await;
}

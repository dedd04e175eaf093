//! A fee that changes after it was paid (R6, 多退少补): too much goes back while the visit stands, what is missing the hospital
//! bears or the patient pays like an offer; whatever ends it, no more goes back than was paid.

use std::collections::BTreeMap;

use houbu::engine::RunId;
use houbu::ports::payments::{Payments as _, Refund};
use houbu::sandbox::faults::Fault;
use houbu::sandbox::his::channel;
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::sandbox::wechat_pay::{OrderStanding, Payer};
use houbu::waitlist::ids;
use houbu::waitlist::policy::{FeeChange, PaymentMode};
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, statuses};
use crate::hospital::world::{FEE_FEN, costs, local};
use crate::hospital::{GivesUp, Hospital, Setup};

const LESS: i64 = FEE_FEN - 1_000;
const MORE: i64 = FEE_FEN + 1_500;

/// By a notice, or for want of one.
const ASKED: &str = "PartRefundWait: Due";

const PART_CAME_BACK: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Overpaid",
    "PartRefund: Processing",
    ASKED,
    "PartRefund: Refunded",
    "Visit on deadline: Over",
];
const CANCELLED_MEANWHILE: &[&str] = &[
    "Waiting on Offer: Covered",
    "Booking: Overpaid",
    "PartRefund: Processing",
    "PartRefundWait on Cancellation: Cancelled",
    "Cancelling: Cancelled",
    "Settlement: Ordered",
    "Reckoning: Held",
];
const STOPPED_MEANWHILE: &[&str] =
    &["PartRefund: Processing", "PartRefundWait on Stoppage: Stopped", "Cancelling: Cancelled"];
const NOT_CANCELLED_MEANWHILE: &[&str] =
    &["PartRefund: Processing", "PartRefundWait on Cancellation: Cancelled", "Cancelling: RefusedInPart"];
const KEPT_MEANWHILE: &[&str] = &["PartRefund: Processing", "PartRefundWait on Withdrawal: Kept"];
const LEFT_TO_THE_SETTLEMENT: &[&str] =
    &["PartRefund: Left", "Visit on deadline: Unsettled", "Settlement: Ordered", "Reckoning: Held"];
const TOPPED_UP: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on Confirm: Confirmed",
    "OfferOrder: Opened",
    "Paying on Payment: Paid",
    "Booking: Booked",
];
const NOT_TOPPED_UP: &[&str] = &[
    "Waiting on Offer: Payable",
    "Locking: Locked",
    "Confirmation on deadline: Lapsed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Lapsed",
];

pub const TOLD: &[Told] = &[
    (APPLICATION, PART_CAME_BACK),
    (APPLICATION, CANCELLED_MEANWHILE),
    (APPLICATION, STOPPED_MEANWHILE),
    (APPLICATION, NOT_CANCELLED_MEANWHILE),
    (APPLICATION, KEPT_MEANWHILE),
    (APPLICATION, LEFT_TO_THE_SETTLEMENT),
    (APPLICATION, TOPPED_UP),
    (APPLICATION, NOT_TOPPED_UP),
];

/// Somebody has paid in advance where the hospital goes by this rule.
async fn prepaid(rule: FeeChange) -> (Hospital, RunId) {
    let mut setup = Setup::paying(PaymentMode::Prepay);
    setup.policy.fee_change = Some(rule);
    open(setup).await
}

async fn open(setup: Setup) -> (Hospital, RunId) {
    let hospital = Hospital::open(setup).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    (hospital, entry)
}

/// The steps since the place came; how often a part on its way is asked about is chance.
async fn since_offered(hospital: &Hospital, entry: RunId) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for step in folded(hospital.steps(entry).await).split_off(2) {
        let asks = matches!(step.as_str(), "PartRefundWait on deadline: Due" | "PartRefundWait on RefundNotice: Due");
        let step = if asks { ASKED.to_owned() } else { step };
        let n = told.len();
        if n >= 2 && step == "PartRefund: Processing" && told[n - 1] == ASKED {
            told.truncate(n - 1);
        } else {
            told.push(step);
        }
    }
    told
}

/// What the provider took and gave back of each order, by our numbers.
async fn at_the_provider(hospital: &Hospital) -> BTreeMap<String, (i64, Vec<i64>)> {
    let books = hospital.pay.books().await;
    let paid = books.orders.iter().filter(|order| order.state == OrderStanding::Paid);
    let back = |number: &str| {
        let refunds = books.refunds.iter().filter(|one| one.out_trade_no == number && one.state == Refund::Success);
        let mut back: Vec<i64> = refunds.map(|one| one.amount_fen).collect();
        back.sort_unstable();
        back
    };
    paid.map(|order| (order.out_trade_no.clone(), (order.amount_fen, back(&order.out_trade_no)))).collect()
}

/// The number and the amount that HIS was told was paid for the only visit.
async fn at_his(hospital: &Hospital) -> Option<(String, i64)> {
    let order = hospital.his.books().await.orders.into_iter().find(|order| !order.ordinary).unwrap();
    order.paid.map(|paid| (paid.out_trade_no, paid.amount_fen))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_what_was_paid_too_much_goes_back_and_the_visit_stands() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked", "nobody waits for a refund to be booked");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked"]);
    hospital.pass_minutes(20).await;
    let order = ids::trade_no(entry, 1);
    assert_eq!(at_the_provider(&hospital).await, BTreeMap::from([(order.clone(), (FEE_FEN, vec![FEE_FEN - LESS]))]));
    assert_eq!(at_his(&hospital).await, Some((order, LESS)));
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_booked", "waitlist_refunded"]);
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    assert_eq!((&shown["feeFen"], &shown["payment"]["state"]), (&json!(LESS), &json!("paid")), "{shown}");
    let (paid, back) = (&shown["payment"]["paidFen"], &shown["payment"]["refundedFen"]);
    assert_eq!((paid, back), (&json!(FEE_FEN), &json!(FEE_FEN - LESS)), "{shown}");
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(since_offered(&hospital, entry).await, PART_CAME_BACK);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r08_a_cancelled_visit_gives_back_the_rest_and_not_more() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(20).await;
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "visitCancelled");
    let back = vec![FEE_FEN - LESS, LESS];
    assert_eq!(at_the_provider(&hospital).await, BTreeMap::from([(ids::trade_no(entry, 1), (FEE_FEN, back))]));
    hospital.pass_until(local(2, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, []);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r22_a_visit_is_cancelled_while_a_part_is_on_its_way() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    hospital.provider.give_up(GivesUp::AtOnce);
    hospital.free_a_place("w1-am").await;
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(30).await;
    let steps = since_offered(&hospital, entry).await;
    assert_eq!(steps[..CANCELLED_MEANWHILE.len()], *CANCELLED_MEANWHILE);
    assert_eq!(hospital.status(entry).await, "visitCancelled");
    let back = vec![FEE_FEN - LESS, LESS];
    assert_eq!(at_the_provider(&hospital).await, BTreeMap::from([(ids::trade_no(entry, 1), (FEE_FEN, back))]));
    let numbers: Vec<String> = hospital.pay.books().await.refunds.into_iter().map(|one| one.out_refund_no).collect();
    assert_eq!(numbers.len(), 2, "the number that was given up never reached the books: {numbers:?}");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r22_a_part_goes_back_all_the_same_where_his_does_not_cancel_the_visit() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    hospital.his.cancels_no_later_than(30).await.unwrap();
    costs(&hospital, LESS).await;
    hospital.free_a_place("w1-am").await;
    hospital.cancel_visit(entry).await;
    assert_eq!(since_offered(&hospital, entry).await[2..5], *NOT_CANCELLED_MEANWHILE);
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let back = vec![FEE_FEN - LESS];
    assert_eq!(at_the_provider(&hospital).await, BTreeMap::from([(ids::trade_no(entry, 1), (FEE_FEN, back))]));
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(hospital.steps(entry).await.last().map(String::as_str), Some("Visit on deadline: Over"));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r34_a_visit_is_stopped_while_a_part_is_on_its_way() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    hospital.free_a_place("w1-am").await;
    hospital.stop("w1-am").await;
    assert!(hospital.told(1).await.contains(&"waitlist_failed".to_owned()), "at once");
    let steps = since_offered(&hospital, entry).await;
    assert_eq!(steps[2..5], *STOPPED_MEANWHILE);
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.status(entry).await, "stopped");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r35_two_visits_at_once_both_stand_while_a_part_is_on_its_way() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    hospital.free_a_place("w1-am").await;
    hospital.tell_run(entry, "Withdrawal", json!({ "booked_by": uuid::Uuid::now_v7() })).await;
    let steps = since_offered(&hospital, entry).await;
    assert_eq!(steps[2..4], *KEPT_MEANWHILE);
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// The provider gives back another part than was asked for: it is not booked, and the visit goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r08_r36_a_part_of_another_amount_is_never_booked_whole_and_keeps_nobody_from_the_visit() {
    let (mut hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    let call = format!("{} refund", hospital.provider.provider().source());
    hospital.faults.switches().on(&call, Wrong::Request(Fault::AnotherAmount), Switch::Times(1));
    hospital.free_a_place("w1-am").await;
    hospital.pass_until(local(2, 10, 30)).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let refunded: i64 =
        sqlx::query_scalar("select sum(refunded_fen)::bigint from payment").fetch_one(&hospital.db.pool).await.unwrap();
    assert_eq!((refunded, hospital.pay.books().await.refunds[0].amount_fen), (0, FEE_FEN - LESS - 1));
    hospital.reconcile().await;
    let cases: Vec<String> = hospital.open_cases().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(cases, ["paidTwice", "paymentDiffers"]);
    hospital.pass_until(local(4, 19, 0)).await;
    let (status, why): (String, String) = sqlx::query_as("select status, last_error from run where id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!((status.as_str(), hospital.status(entry).await.as_str()), ("suspended", "booked"));
    let says = format!("asked for {} fen and the provider says {}", FEE_FEN - LESS, FEE_FEN - LESS - 1);
    assert!(why.contains(&says), "{why}");
    hospital.leaves_suspended(1);
    hospital.finish_in_disorder().await;
}

/// The payer's account cannot take it: the visit goes on, the books of the day show it, and it is a person's after the visit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_r36_a_part_that_cannot_go_back_keeps_nobody_from_the_visit() {
    let (mut hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, LESS).await;
    hospital.free_a_place("w1-am").await;
    let number = hospital.pay.books().await.refunds[0].out_refund_no.clone();
    assert!(hospital.pay.make_abnormal(&number).await);
    hospital.pass_until(local(2, 10, 30)).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.reconcile().await;
    let visit = hospital.numbers(entry).await.0;
    assert_eq!(hospital.open_cases().await, [("paidTwice".to_owned(), visit)]);
    hospital.pass_until(local(4, 19, 0)).await;
    let steps = since_offered(&hospital, entry).await;
    let left = steps.iter().position(|step| step == LEFT_TO_THE_SETTLEMENT[0]).unwrap();
    assert_eq!(steps[left..left + 4], *LEFT_TO_THE_SETTLEMENT);
    let status: String = sqlx::query_scalar("select status from run where id = $1")
        .bind(entry)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!((status.as_str(), hospital.status(entry).await.as_str()), ("suspended", "booked"));
    hospital.leaves_suspended(1);
    hospital.finish_in_disorder().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_what_is_missing_the_hospital_bears() {
    let (hospital, entry) = prepaid(FeeChange::RefundOnly).await;
    costs(&hospital, MORE).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(at_his(&hospital).await, Some((ids::trade_no(entry, 1), FEE_FEN)));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_what_is_missing_is_paid_like_an_offer_and_all_of_it_goes_back_with_the_visit() {
    let (hospital, entry) = prepaid(FeeChange::RefundAndTopUp).await;
    costs(&hospital, MORE).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "offered");
    hospital.confirm(entry).await;
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    assert_eq!(shown["payment"]["amountFen"], MORE - FEE_FEN, "over the difference alone: {shown}");
    hospital.pass_seconds(30).await;
    assert_eq!(since_offered(&hospital, entry).await, TOPPED_UP);
    let (first, second) = (ids::trade_no(entry, 1), ids::trade_no(entry, 2));
    assert_eq!(at_his(&hospital).await, Some((first.clone(), MORE)));
    hospital.pass_until(local(2, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, [], "two orders are one visit's");
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(30).await;
    let back = [(first, (FEE_FEN, vec![FEE_FEN])), (second, (MORE - FEE_FEN, vec![MORE - FEE_FEN]))];
    assert_eq!(at_the_provider(&hospital).await, BTreeMap::from(back));
    hospital.pass_until(local(3, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, []);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_whoever_does_not_top_up_has_missed_an_offer_and_gets_the_fee_back() {
    let (hospital, entry) = prepaid(FeeChange::RefundAndTopUp).await;
    costs(&hospital, MORE).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(60).await;
    assert_eq!(since_offered(&hospital, entry).await, NOT_TOPPED_UP);
    assert_eq!(at_the_provider(&hospital).await[&ids::trade_no(entry, 1)], (FEE_FEN, vec![FEE_FEN]));
    hospital.finish().await;
}

/// A top-up that nobody pays is missed and the place in the queue is kept; at the next offer the visit costs less than was
/// paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_q6_the_prepaid_fee_stays_with_a_place_that_is_kept() {
    let mut setup = Setup::paying(PaymentMode::Prepay);
    (setup.policy.fee_change, setup.policy.missed_offers_max) = (Some(FeeChange::RefundAndTopUp), Some(2));
    let (hospital, entry) = open(setup).await;
    let next = hospital.apply("w1-am", 2).await;
    hospital.pass_minutes(1).await;
    costs(&hospital, MORE).await;
    hospital.payer(1, Payer::Never);
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    hospital.pass_minutes(31).await;
    assert_eq!(statuses(&hospital, [entry, next]).await, ["waiting", "offered"]);
    let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
    assert_eq!((&shown["payment"]["state"], &shown["payment"]["amountFen"]), (&json!("paid"), &json!(FEE_FEN)));
    hospital.decline(next).await;
    costs(&hospital, LESS).await;
    hospital.pass_minutes(1).await;
    // A time that the patient has not missed before.
    assert!(hospital.his.cancel_ordinary("w1-am", 1, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(at_the_provider(&hospital).await[&ids::trade_no(entry, 1)], (FEE_FEN, vec![FEE_FEN - LESS]));
    hospital.pass_until(local(4, 19, 0)).await;
    hospital.finish().await;
}

/// The provider refuses the top-up again and again: the money that is there is a case for staff until it is settled (R36).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_money_of_a_run_that_stands_still_is_a_case_until_it_is_settled() {
    let (hospital, entry) = prepaid(FeeChange::RefundAndTopUp).await;
    costs(&hospital, MORE).await;
    hospital.provider.refuses(3);
    hospital.free_a_place("w1-am").await;
    for _ in 0..3 {
        hospital.confirm(entry).await;
        hospital.pass_seconds(1).await;
    }
    hospital.pass_until(local(2, 10, 30)).await;
    hospital.reconcile().await;
    let case = ("paidAndStuck".to_owned(), ids::trade_no(entry, 1));
    assert_eq!(hospital.open_cases().await, [case]);
    let cases = hospital.ask(Method::GET, "/v1/reconciliation/cases", None).await;
    let (ours, theirs) = (&cases["items"][0]["oursFen"], &cases["items"][0]["theirsFen"]);
    assert_eq!((ours, theirs), (&json!(FEE_FEN), &json!(FEE_FEN)), "{cases}");
    hospital.staff_retries(entry).await;
    hospital.withdraw(entry).await;
    hospital.pass_minutes(60).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    hospital.pass_until(local(3, 10, 30)).await;
    hospital.reconcile().await;
    assert_eq!(hospital.open_cases().await, []);
    hospital.finish().await;
}

//! The fee is taken with the application and goes back where no visit comes of it (R6, R8, R27).

use std::time::Duration;

use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, statuses, successful};
use crate::hospital::Hospital;
use crate::hospital::world::{cutoff, local};

const PREPAID_AND_BOOKED: &[&str] =
    &["PrepayOrder: Opened", "Prepayment on Payment: Paid", "Waiting on Offer: Covered", "Booking: Booked"];
const NOTICE_LOST: &[&str] = &["PrepayOrder: Opened", "Prepayment on deadline: Due", "PrepayCheck: Paid"];
const NEVER_PAID: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on deadline: Due",
    "PrepayCheck: Open",
    "Prepayment on deadline: Due",
    "PrepayCheck: Open",
    "Prepayment on deadline: Due",
    "PrepayCheck: Open",
    "Prepayment on deadline: Due",
    "PrepayCheck: Unpaid",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Unpaid",
];
const WITHDRAWN_UNPAID: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Withdrawal: Withdrawn",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Withdrawn",
];
const STOPPED_UNPAID: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Stoppage: Stopped",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Stopped",
];
const PAID_BEFORE_WE_KNEW: &[&str] = &[
    "PrepayOrder: failed",
    "PrepayOrder: Paid",
    "Waiting on deadline: Prepaid",
    THE_MONEY_COMES_BACK,
    "Closure: Expired",
];
const NO_TIME_LEFT_TO_PAY: &[&str] =
    &["PrepayOrder: Refused", "Settlement: Ordered", "Reckoning: Clear", "Closure: Expired"];
const OPENED_LATER: &[&str] = &["PrepayOrder: Again", "PrepayOrder: Opened", "Prepayment on Payment: Paid"];
const REFUSED_AND_OPENED: &[&str] =
    &["PrepayOrder: Again", "PrepayOrder: Again", "PrepayOrder: Opened", "Prepayment on Payment: Paid"];
const REFUNDED_AT_THE_CUTOFF: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on deadline: Prepaid",
    THE_MONEY_COMES_BACK,
    "Closure: Expired",
];
const WITHDRAWN_PAID: &[&str] = &[
    "PrepayOrder: Opened",
    "Prepayment on Payment: Paid",
    "Waiting on Withdrawal: Withdrawn",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Withdrawn",
];

pub const TOLD: &[Told] = &[
    (APPLICATION, PREPAID_AND_BOOKED),
    (APPLICATION, NOTICE_LOST),
    (APPLICATION, NEVER_PAID),
    (APPLICATION, WITHDRAWN_UNPAID),
    (APPLICATION, STOPPED_UNPAID),
    (APPLICATION, PAID_BEFORE_WE_KNEW),
    (APPLICATION, NO_TIME_LEFT_TO_PAY),
    (APPLICATION, OPENED_LATER),
    (APPLICATION, REFUSED_AND_OPENED),
    (APPLICATION, REFUNDED_AT_THE_CUTOFF),
    (APPLICATION, WITHDRAWN_PAID),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_the_fee_and_the_booking_go_to_his_together() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    assert!(hospital.told(1).await.is_empty(), "nothing is submitted yet");
    hospital.pass_seconds(20).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.steps(entry).await, PREPAID_AND_BOOKED);
    let books = hospital.his.books().await;
    let order = books.orders.iter().find(|order| !order.ordinary).unwrap();
    assert_eq!(order.paid.as_ref().map(|paid| paid.amount_fen), Some(crate::hospital::world::FEE_FEN));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_lost_notice_is_made_up_for_by_asking() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.shut_the_door();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await, NOTICE_LOST);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_an_unpaid_place_is_held_for_a_quarter_of_an_hour() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(15).await;
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment", "a success may be reported seconds later");
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await, NEVER_PAID);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withdrawing_before_paying_closes_the_order() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.withdraw(entry).await;
    assert_eq!(hospital.steps(entry).await, WITHDRAWN_UNPAID);
    hospital.pass_minutes(20).await;
    assert!(hospital.pay.books().await.orders.iter().all(|order| order.paid_at.is_none()), "nobody can pay any more");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_schedule_takes_no_money() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.steps(entry).await, STOPPED_UNPAID);
    hospital.finish().await;
}

/// The order was opened, but the answer was lost on our side; meanwhile the patient paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_came_before_we_knew_of_the_order_is_found() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(1) });
    hospital.mishaps.plan(Point::AfterCall, &of_application("PrepayOrder"), Act::Fail, 1);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_seconds(5).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_until(local(3, 19, 0)).await;
    assert_eq!(folded(hospital.steps(entry).await), PAID_BEFORE_WE_KNEW);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_could_not_be_opened_in_time_is_not_opened() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Never);
    hospital.pass_until(cutoff() - chrono::TimeDelta::minutes(1)).await;
    hospital.mishaps.plan(Point::AfterCall, &of_application("PrepayOrder"), Act::Fail, 7);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(10).await;
    assert_eq!(successful(hospital.steps(entry).await), NO_TIME_LEFT_TO_PAY);
    hospital.finish().await;
}

/// The provider is away for longer than the fee may be paid: the patient had nothing to pay with, and loses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_provider_that_is_away_costs_nobody_the_place() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.turns("payments", "pause").await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(40).await;
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    hospital.turns("payments", "resume").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await, OPENED_LATER);
    assert_eq!(hospital.status(entry).await, "waiting");
    let opened: Vec<String> = hospital.provider.asked_to_open().into_iter().map(|order| order.out_trade_no).collect();
    assert_eq!(opened, [ids::trade_no(entry, 2)], "the next number, and the first was never opened");
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.pass_until(local(4, 19, 0)).await;
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_refused_order_is_followed_by_the_next_and_by_a_person_after_three() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.provider.refuses(2);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.steps(entry).await, REFUSED_AND_OPENED);
    hospital.provider.refuses(3);
    let other = hospital.apply("w1-am", 2).await;
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.status(other).await, "awaitingPrepayment", "nobody is told not to have paid");
    hospital.staff_retries(other).await;
    hospital.pass_minutes(1).await;
    // The time of the third was over when somebody had looked.
    let last = hospital.provider.asked_to_open().last().map(|order| order.out_trade_no.clone());
    assert_eq!(last, Some(ids::trade_no(other, 4)));
    hospital.withdraw(entry).await;
    hospital.withdraw(other).await;
    hospital.pass_minutes(30).await;
    assert_eq!(statuses(&hospital, [entry, other]).await, ["withdrawn", "withdrawn"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r27_at_the_cutoff_the_fee_goes_back() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_until(local(3, 19, 0)).await;
    assert_eq!(folded(hospital.steps(entry).await), REFUNDED_AT_THE_CUTOFF);
    let mut told = hospital.told(1).await;
    // The last two are written together and delivered in any order.
    told.sort();
    assert_eq!(told, ["waitlist_failed", "waitlist_refunded", "waitlist_submitted"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_withdraws_gets_the_fee_back() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    hospital.withdraw(entry).await;
    assert_eq!(hospital.status(entry).await, "settling");
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entry).await), WITHDRAWN_PAID);
    hospital.finish().await;
}

/// The payer pays in the very moment of withdrawing: the order is closed too late, and the money goes back (E2, E5).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e05_money_that_races_with_a_withdrawal_goes_back() {
    use futures::FutureExt;

    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    let pay = hospital.pay.clone();
    let number = ids::trade_no(entry, 1);
    hospital.mishaps.just_before(&of_application("Settlement"), || {
        async move { drop(pay.pay_now(&number).await.unwrap()) }.boxed()
    });
    hospital.withdraw(entry).await;
    hospital.pass_minutes(10).await;
    let steps = folded(hospital.steps(entry).await);
    assert_eq!(
        steps[1..],
        [
            "Prepayment on Withdrawal: Withdrawn",
            "Settlement: Ordered",
            "Reckoning: Held",
            THE_MONEY_COMES_BACK,
            "Closure: Withdrawn"
        ]
    );
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r07_the_way_of_paying_is_kept_with_the_application_and_the_visit() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let body = json!({ "scheduleId": "w1-am", "patientId": "p1", "payType": "insurance" });
    let joined = hospital.ask(Method::POST, "/v1/waitlist", Some(body)).await;
    let entry: RunId = joined["waitlistId"].as_str().unwrap().parse().unwrap();
    let other = hospital.apply("w1-am", 2).await;
    hospital.pass_minutes(1).await;
    for _ in 0..2 {
        hospital.free_a_place("w1-am").await;
    }
    for (patient, entry, pay_type, first) in
        [("p1", entry, "insurance", json!(true)), ("p2", other, "selfPay", json!(null))]
    {
        let shown = hospital.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await;
        assert_eq!((&shown["payType"], &shown["selfPayFirst"]), (&json!(pay_type), &first), "{shown}");
        let visits = hospital.ask(Method::GET, &format!("/v1/appointments?patientId={patient}"), None).await;
        assert_eq!(visits["items"][0]["payType"], pay_type, "{visits}");
    }
    hospital.finish().await;
}

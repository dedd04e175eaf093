//! The payment of an accepted place (R20, E2, E4).

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application, once, successful};
use crate::hospital::{Hospital, Setup};

/// What every story here begins with; the rest follows it.
const ACCEPTED: &[&str] = &["Waiting on Offer: Payable", "Locking: Locked", "Confirmation on Confirm: Confirmed"];
const PAID_AND_BOOKED: &[&str] = &["OfferOrder: Opened", "Paying on Payment: Paid", "Booking: Booked"];
const PAID_BEFORE_WE_KNEW: &[&str] = &["OfferOrder: failed", "OfferOrder: Paid", "Booking: Booked"];
const NOT_OPENED: &[&str] =
    &["OfferOrder: Refused", "OrderClosing: Closed", "Unlocking: Requeued", "Waiting on Offer: Payable"];
const PAID_SLOWLY: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on deadline: Due",
    "PaymentCheck: Open",
    "Paying on Payment: Paid",
    "Booking: Booked",
];
const NOTICE_LOST: &[&str] =
    &["OfferOrder: Opened", "Paying on deadline: Due", "PaymentCheck: Paid", "Booking: Booked"];
const NEVER_PAID: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on deadline: Due",
    "PaymentCheck: Open",
    "Paying on deadline: Due",
    "PaymentCheck: Over",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Lapsed",
];
const DECLINED: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on Decline: Declined",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Declined",
];
const WITHDRAWN: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on Withdrawal: Withdrawn",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Withdrawn",
];
const STOPPED: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on Stoppage: Stopped",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Clear",
    "Closure: Stopped",
];
const PAID_AT_THE_LAST_MOMENT: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on deadline: Due",
    "PaymentCheck: Open",
    "Paying on deadline: Due",
    "PaymentCheck: Over",
    "OrderClosing: Paid",
    "Booking: Booked",
];
const PAID_AND_DECLINED: &[&str] = &[
    "OfferOrder: Opened",
    "Paying on Decline: Declined",
    "OrderClosing: Closed",
    "Unlocking: Released",
    "Settlement: Ordered",
    "Reckoning: Held",
    THE_MONEY_COMES_BACK,
    "Closure: Declined",
];

pub const TOLD: &[Told] = &[
    (APPLICATION, ACCEPTED),
    (APPLICATION, PAID_AND_BOOKED),
    (APPLICATION, PAID_BEFORE_WE_KNEW),
    (APPLICATION, NOT_OPENED),
    (APPLICATION, PAID_SLOWLY),
    (APPLICATION, NOTICE_LOST),
    (APPLICATION, NEVER_PAID),
    (APPLICATION, DECLINED),
    (APPLICATION, WITHDRAWN),
    (APPLICATION, STOPPED),
    (APPLICATION, PAID_AT_THE_LAST_MOMENT),
    (APPLICATION, PAID_AND_DECLINED),
];

async fn offered(hospital: &Hospital) -> RunId {
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "offered");
    entry
}

async fn accepted(hospital: &Hospital) -> RunId {
    let entry = offered(hospital).await;
    hospital.confirm(entry).await;
    assert_eq!(hospital.status(entry).await, "awaitingPayment");
    entry
}

/// The steps after those that every story begins with.
async fn since_accepted(hospital: &Hospital, entry: RunId) -> Vec<String> {
    let mut steps = hospital.steps(entry).await;
    let rest = steps.split_off(ACCEPTED.len());
    assert_eq!(steps, ACCEPTED);
    rest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_r21_a_paid_place_is_booked() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = accepted(&hospital).await;
    hospital.pass_seconds(20).await;
    assert_eq!(since_accepted(&hospital, entry).await, PAID_AND_BOOKED);
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_please_confirm", "waitlist_booked"]);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_came_before_we_knew_of_the_order_is_found() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(1) });
    hospital.mishaps.plan(Point::AfterCall, &of_application("OfferOrder"), Act::Fail, 1);
    let entry = offered(&hospital).await;
    hospital.confirm(entry).await;
    hospital.pass_seconds(5).await;
    assert_eq!(since_accepted(&hospital, entry).await, PAID_BEFORE_WE_KNEW);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_order_that_could_not_be_opened_in_time_costs_nobody_the_turn() {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.offer_window_minutes = Some(1);
    let hospital = Hospital::open(setup).await;
    hospital.payer(1, Payer::Never);
    hospital.mishaps.plan(Point::AfterCall, &of_application("OfferOrder"), Act::Fail, 7);
    let entry = offered(&hospital).await;
    hospital.confirm(entry).await;
    // The order's own time is over before it can be opened; the same place is offered anew.
    while hospital.status(entry).await == "awaitingPayment" {
        hospital.pass_seconds(10).await;
    }
    let steps = successful(since_accepted(&hospital, entry).await);
    assert_eq!(steps[..NOT_OPENED.len()], *NOT_OPENED);
    assert_eq!(hospital.status(entry).await, "offered");
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(5) });
    hospital.confirm(entry).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked", "the first missed offer would have ended it");
    hospital.finish().await;
}

/// A refusal is not the patient's doing: the place goes back, the turn is kept, and the third one is for staff.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_orders_that_the_provider_refuses_are_not_the_patients_miss() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let [entry, next] = [offered(&hospital).await, hospital.apply("w1-am", 2).await];
    hospital.provider.refuses(3);
    for _ in 0..2 {
        hospital.confirm(entry).await;
        hospital.pass_seconds(1).await;
        assert_eq!(hospital.status(entry).await, "offered", "the place that came back is the first one's again");
    }
    assert_eq!(since_accepted(&hospital, entry).await[..NOT_OPENED.len()], *NOT_OPENED);
    hospital.confirm(entry).await;
    let error = "select last_error from run where id = $1 and status = 'suspended'";
    let error: String = sqlx::query_scalar(error).bind(entry).fetch_one(&hospital.db.pool).await.unwrap();
    assert!(error.contains("refused 3 orders"), "{error}");
    assert_eq!(hospital.status(next).await, "waiting");
    hospital.staff_retries(entry).await;
    hospital.pass_seconds(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let offers = "select outcome from offer where entry_id = $1 order by nth";
    let offers: Vec<String> = sqlx::query_scalar(offers).bind(entry).fetch_all(&hospital.db.pool).await.unwrap();
    assert_eq!(offers, ["withheld", "withheld", "booked"], "none was missed");
    let run = hospital.ask(reqwest::Method::GET, &format!("/v1/runs/{entry}"), None).await;
    assert_eq!(run["state"]["missed"], 0, "{run}");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_payer_is_waited_for() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(90) });
    let entry = accepted(&hospital).await;
    hospital.pass_minutes(2).await;
    assert_eq!(since_accepted(&hospital, entry).await, PAID_SLOWLY);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_notice_is_made_up_for_by_asking() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = accepted(&hospital).await;
    hospital.shut_the_door();
    hospital.pass_minutes(1).await;
    assert_eq!(since_accepted(&hospital, entry).await, NOTICE_LOST);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_unpaid_place_goes_to_the_next_in_line() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = accepted(&hospital).await;
    let second = hospital.apply("w1-am", 2).await;
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.status(entry).await, "awaitingPayment", "a success may be reported seconds later");
    hospital.pass_minutes(1).await;
    assert_eq!(once(since_accepted(&hospital, entry).await), NEVER_PAID);
    assert_eq!(hospital.status(second).await, "offered");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declining_while_paying_closes_the_order_first() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = accepted(&hospital).await;
    hospital.decline(entry).await;
    assert_eq!(since_accepted(&hospital, entry).await, DECLINED);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withdrawing_while_paying_closes_the_order_first() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = accepted(&hospital).await;
    hospital.withdraw(entry).await;
    assert_eq!(since_accepted(&hospital, entry).await, WITHDRAWN);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_schedule_takes_no_money() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = accepted(&hospital).await;
    hospital.stop("w1-am").await;
    assert_eq!(since_accepted(&hospital, entry).await, STOPPED);
    hospital.finish().await;
}

/// E2, E4: the provider's clock is slow, and it takes the money after ours said that time is up. The lock still holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_e04_a_payment_at_the_last_moment_is_honoured() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = accepted(&hospital).await;
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
    assert_eq!(once(since_accepted(&hospital, entry).await), PAID_AT_THE_LAST_MOMENT);
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// E5: the payer pays in the very moment of declining.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e05_money_that_races_with_a_decline_goes_back() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    let entry = accepted(&hospital).await;
    let pay = hospital.pay.clone();
    hospital.mishaps.just_before(&of_application("OrderClosing"), move || {
        async move { drop(pay.pay_now(&ids::trade_no(entry, 1)).await.unwrap()) }.boxed()
    });
    hospital.decline(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(folded(since_accepted(&hospital, entry).await), PAID_AND_DECLINED);
    hospital.finish().await;
}

//! Money that comes after the end, money of another amount, orders that are opened again and again, and patients who
//! have no account to pay from (R6, R8, R20, E2, E4, E6).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use houbu::desk::DeskError;
use houbu::desk::his_push::Fate;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::ports::his::DayPart;
use houbu::ports::payments::{Notice, Paid};
use houbu::sandbox::his::{Becomes, channel};
use houbu::sandbox::wechat_pay::{PayServer, Payer};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::json;

use super::{APPLICATION, THE_MONEY_COMES_BACK, Told, folded, of_application};
use crate::hospital::world::{FEE_FEN, local, visit_date};
use crate::hospital::{Hospital, Setup};
use crate::meetings::waiters;
use crate::patience::wait_for;

const COMES_LATE: &[&str] = &["Unpaid on late: reopened", "Reckoning: Held", THE_MONEY_COMES_BACK, "Closure: Unpaid"];

const GOES_BACK_AT_ONCE: &[&str] = &["Visit on LateMoney: Late", "PartRefund: Processing"];

const GOES_BACK_IN_THE_QUEUE: &[&str] = &["Waiting on LateMoney: Late", "LateRefund: Processing"];

const IS_BACK: &[&str] = &["Waiting on deadline: Late", "LateRefund: Refunded"];

const CHANGED_MEANWHILE: &[&str] = &["PartRefundWait on Change: Changed", "AskingMeanwhile: Asked"];

const LEFT_MEANWHILE: &[&str] = &["PartRefundWait on Consent: Cancelled", "Cancelling: Cancelled"];

pub const TOLD: &[Told] = &[
    (APPLICATION, GOES_BACK_AT_ONCE),
    (APPLICATION, GOES_BACK_IN_THE_QUEUE),
    (APPLICATION, IS_BACK),
    (APPLICATION, CHANGED_MEANWHILE),
    (APPLICATION, LEFT_MEANWHILE),
];

/// A notice about this order as the provider would send it.
async fn notice_about(hospital: &Hospital, out_trade_no: &str, amount_fen: i64) -> Notice {
    about(&hospital.pay, out_trade_no, amount_fen, hospital.now()).await
}

async fn about(pay: &PayServer, out_trade_no: &str, amount_fen: i64, now: DateTime<Utc>) -> Notice {
    let books = pay.books().await;
    let order = books.orders.iter().find(|order| order.out_trade_no == out_trade_no).unwrap();
    let sent = books.notices.iter().find(|notice| notice.about == out_trade_no);
    Notice::Paid {
        notice_id: sent.map_or_else(|| "EV-another".to_owned(), |notice| notice.id.clone()),
        out_trade_no: out_trade_no.to_owned(),
        paid: Paid {
            transaction_id: order.transaction_id.clone().unwrap_or_else(|| "4200099".to_owned()),
            amount_fen,
            paid_at: order.paid_at.unwrap_or(now),
        },
    }
}

/// Whether a run has ended, and how often it was claimed.
async fn standing(hospital: &Hospital, run: RunId) -> (String, i32) {
    sqlx::query_as("select status, generation from run where id = $1")
        .bind(run)
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap()
}

/// The provider called the order closed, and takes the money a moment before its end all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_money_that_comes_after_the_end_goes_back() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Never);
    hospital.provider.closes_in_words_only();
    let entry = hospital.apply("w1-am", 1).await;
    let number = ids::trade_no(entry, 1);
    hospital.pass_minutes(16).await;
    assert_eq!(hospital.status(entry).await, "unpaid");
    let before = hospital.steps(entry).await.len();

    let shows = hospital.sandbox_clock().load(Ordering::SeqCst);
    hospital.sandbox_clock().store(shows - 61_000_000, Ordering::SeqCst);
    hospital.pay.pay_now(&number).await.unwrap();
    hospital.sandbox_clock().store(shows, Ordering::SeqCst);
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.status(entry).await, "settling");
    hospital.pass_minutes(10).await;
    assert_eq!(folded(hospital.steps(entry).await)[before..], *COMES_LATE);
    assert_eq!(hospital.status(entry).await, "unpaid", "the same ending");
    assert_eq!(hospital.told(1).await.iter().filter(|told| *told == "waitlist_refunded").count(), 1);

    let everything = hospital.everything().await;
    let again = notice_about(&hospital, &number, FEE_FEN).await;
    assert_eq!(hospital.desk.payment_notice(&again).await.unwrap(), Fate::Duplicate);
    hospital.until_still().await;
    assert_eq!(hospital.everything().await, everything, "the same notice again changes nothing");
    hospital.finish().await;
}

/// A deed: the order that the provider has called closed is paid all the same, and its notice comes at once.
fn is_paid_all_the_same(
    hospital: &Hospital,
    number: String,
) -> impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static {
    let (pay, desk, clock) = (hospital.pay.clone(), Arc::clone(&hospital.desk), hospital.sandbox_clock());
    move || {
        async move {
            let shows = clock.load(Ordering::SeqCst);
            clock.store(shows - 61_000_000, Ordering::SeqCst);
            pay.pay_now(&number).await.unwrap();
            clock.store(shows, Ordering::SeqCst);
            let paid_at = DateTime::from_timestamp_micros(shows).unwrap();
            let notice = about(&pay, &number, FEE_FEN, paid_at).await;
            assert_eq!(desk.payment_notice(&notice).await.unwrap(), Fate::Delivered);
        }
        .boxed()
    }
}

/// The patient has confirmed an offer, does not pay for it, and may let some pass; what the provider calls closed can be paid.
async fn paying_for_an_offer() -> (Hospital, RunId) {
    let mut setup = Setup::paying(PaymentMode::LockThenPay);
    setup.policy.missed_offers_max = Some(3);
    let hospital = Hospital::open(setup).await;
    hospital.payer(1, Payer::Never);
    hospital.provider.closes_in_words_only();
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    (hospital, entry)
}

/// The patient let one offer pass, and waits for the next.
async fn waiting_for_the_second_offer() -> (Hospital, RunId) {
    let (hospital, entry) = paying_for_an_offer().await;
    hospital.pass_minutes(31).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    (hospital, entry)
}

/// And pays for it, and is booked.
async fn booked_at_the_second_offer() -> (Hospital, RunId) {
    let (hospital, entry) = waiting_for_the_second_offer().await;
    accepts_the_second_offer(&hospital, entry).await;
    (hospital, entry)
}

async fn accepts_the_second_offer(hospital: &Hospital, entry: RunId) {
    hospital.provider.closes_indeed();
    // Of another time than the one that was missed.
    assert!(hospital.his.cancel_ordinary("w1-am", 2, channel::WINDOW, true).await.unwrap().is_some());
    hospital.pass_seconds(5).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_secs(5) });
    hospital.confirm(entry).await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
}

/// What went back, by our numbers of the orders.
async fn went_back(hospital: &Hospital) -> Vec<(String, i64)> {
    let refunds = hospital.pay.books().await.refunds;
    refunds.into_iter().map(|one| (one.out_trade_no, one.amount_fen)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_r20_money_for_an_order_that_another_replaced_goes_back_at_once_and_the_visit_stands() {
    let (hospital, entry) = booked_at_the_second_offer().await;
    let [replaced, living] = [ids::trade_no(entry, 1), ids::trade_no(entry, 2)];
    let steps = hospital.steps(entry).await.len();
    hospital.is_paid_late(&replaced).await;
    hospital.pass_minutes(20).await;
    assert_eq!(hospital.steps(entry).await[steps..][..2], *GOES_BACK_AT_ONCE);
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(went_back(&hospital).await, [(replaced.clone(), FEE_FEN)], "long before the visit");
    assert_eq!(hospital.told(1).await.iter().filter(|told| *told == "waitlist_refunded").count(), 1);
    let again = notice_about(&hospital, &replaced, FEE_FEN).await;
    assert_eq!(hospital.desk.payment_notice(&again).await.unwrap(), Fate::Duplicate);

    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "visitCancelled");
    assert_eq!(went_back(&hospital).await, [(replaced, FEE_FEN), (living, FEE_FEN)], "each once");
    hospital.finish().await;
}

fn holds(steps: &[String], told: &[&str]) -> bool {
    steps.windows(told.len()).any(|steps| steps == told)
}

/// Whoever waits again has no visit that the money could be for: it goes back at once, and the place in the queue stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_money_for_an_offer_that_was_missed_goes_back_while_the_patient_waits_on() {
    let (hospital, entry) = waiting_for_the_second_offer().await;
    let missed = ids::trade_no(entry, 1);
    hospital.is_paid_late(&missed).await;
    hospital.pass_minutes(20).await;
    let steps = hospital.steps(entry).await;
    assert!(holds(&steps, GOES_BACK_IN_THE_QUEUE) && holds(&steps, IS_BACK), "{steps:#?}");
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(went_back(&hospital).await, [(missed.clone(), FEE_FEN)], "long before the cutoff");
    let told = || async { hospital.told(1).await.iter().filter(|told| *told == "waitlist_refunded").count() };
    assert_eq!(told().await, 1);
    let submitted = hospital.told(1).await.iter().filter(|told| *told == "waitlist_submitted").count();
    assert_eq!(submitted, 1, "nobody applies twice");

    accepts_the_second_offer(&hospital, entry).await;
    let living = ids::trade_no(entry, 2);
    let order = hospital.pay.books().await.orders.into_iter().find(|order| order.out_trade_no == living).unwrap();
    assert_eq!(order.amount_fen, FEE_FEN, "what came late has bought nothing");
    hospital.cancel_visit(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(went_back(&hospital).await, [(missed, FEE_FEN), (living, FEE_FEN)], "each once");
    hospital.finish().await;
}

/// The place comes while that money is still on its way: it goes on going back while the visit stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_money_on_its_way_back_neither_buys_nor_delays_a_visit() {
    let (hospital, entry) = waiting_for_the_second_offer().await;
    hospital.provider.refunds_rest(true);
    let missed = ids::trade_no(entry, 1);
    hospital.is_paid_late(&missed).await;
    hospital.pass_seconds(1).await;
    accepts_the_second_offer(&hospital, entry).await;
    assert_eq!(hospital.steps(entry).await.iter().filter(|step| *step == "Booking: Overpaid").count(), 1);
    hospital.provider.refunds_rest(false);
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(went_back(&hospital).await, [(missed, FEE_FEN)]);
    hospital.pass_until(local(4, 19, 0)).await;
    assert_eq!(hospital.steps(entry).await.last().map(String::as_str), Some("Visit on deadline: Over"));
    hospital.finish().await;
}

/// A refund that the provider refuses, say because staff have given the money back by hand: 停诊 is heard all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_refund_that_is_refused_keeps_nobody_from_hearing_that_the_visit_is_stopped() {
    let (mut hospital, entry) = booked_at_the_second_offer().await;
    let replaced = ids::trade_no(entry, 1);
    hospital.provider.refuses_refunds_of(&replaced);
    hospital.is_paid_late(&replaced).await;
    hospital.pass_minutes(1).await;
    assert!(holds(&hospital.steps(entry).await, &["Visit on LateMoney: Late", "PartRefund: Left"]));
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.stop("w1-am").await;
    assert!(hospital.told(1).await.contains(&"waitlist_failed".to_owned()), "at once");
    hospital.pass_minutes(30).await;
    // The visit's own money does not wait for the other's.
    assert_eq!(went_back(&hospital).await, [(ids::trade_no(entry, 2), FEE_FEN)]);
    hospital.leaves_suspended(1);
    hospital.finish_in_disorder().await;
}

/// While the provider is away the run does not stand at the refund, deaf to all else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_refund_that_finds_nobody_waits_where_the_visit_can_be_stopped() {
    let (hospital, entry) = booked_at_the_second_offer().await;
    hospital.provider.is_away(true);
    hospital.is_paid_late(&ids::trade_no(entry, 1)).await;
    hospital.pass_minutes(2).await;
    let steps = hospital.steps(entry).await;
    assert_eq!(steps.last().map(String::as_str), Some("PartRefund: Processing"), "{steps:#?}");
    hospital.stop("w1-am").await;
    assert!(hospital.told(1).await.contains(&"waitlist_failed".to_owned()), "at once");
    hospital.provider.is_away(false);
    hospital.pass_minutes(60).await;
    assert_eq!(hospital.status(entry).await, "stopped");
    assert_eq!(went_back(&hospital).await.len(), 2, "each once");
    hospital.finish().await;
}

/// R34: nobody is moved silently, whatever is still on its way back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_another_doctor_is_put_to_the_patient_while_a_part_of_the_money_is_on_its_way() {
    let (hospital, entry) = booked_at_the_second_offer().await;
    hospital.provider.refunds_rest(true);
    hospital.is_paid_late(&ids::trade_no(entry, 1)).await;
    hospital.pass_seconds(1).await;
    let (doctor_id, doctor_name) = ("W9".to_owned(), "替诊".to_owned());
    let becomes = Becomes { doctor_id, doctor_name, visit_date: visit_date(), part: DayPart::Morning };
    hospital.becomes("w1-am", &becomes).await;
    hospital.until_still().await;
    let steps = hospital.steps(entry).await;
    assert!(holds(&steps, CHANGED_MEANWHILE), "{steps:#?}");
    assert!(hospital.told(1).await.contains(&"visit_changed".to_owned()));
    hospital.answer(entry, "keep").await;
    hospital.provider.refunds_rest(false);
    hospital.pass_minutes(60).await;
    assert_eq!(hospital.status(entry).await, "booked");
    assert_eq!(went_back(&hospital).await.len(), 1);
    hospital.finish().await;
}

/// R34: a refund may take days, and the patient's answer about the visit does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_question_about_a_visit_is_answered_while_a_part_of_the_money_is_on_its_way() {
    let (hospital, entry) = booked_at_the_second_offer().await;
    let (doctor_id, doctor_name) = ("W9".to_owned(), "替诊".to_owned());
    let becomes = Becomes { doctor_id, doctor_name, visit_date: visit_date(), part: DayPart::Morning };
    hospital.becomes("w1-am", &becomes).await;
    hospital.until_still().await;
    let replaced = ids::trade_no(entry, 1);
    hospital.is_paid_late(&replaced).await;
    hospital.pass_seconds(1).await;
    assert_eq!(hospital.steps(entry).await.last().unwrap(), "PartRefund: Processing");
    hospital.answer(entry, "leave").await;
    hospital.until_still().await;
    let steps = hospital.steps(entry).await;
    assert!(steps.windows(2).any(|two| two == LEFT_MEANWHILE), "{steps:#?}");
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    assert_eq!(went_back(&hospital).await.len(), 2, "each once");
    hospital.finish().await;
}

/// The notice comes between the provider's "closed" and the end: the answer it followed from was true, and is no more.
async fn comes_when(plan: impl FnOnce(&Hospital, String), finds: &str) {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Never);
    hospital.provider.closes_in_words_only();
    let entry = hospital.apply("w1-am", 1).await;
    plan(&hospital, ids::trade_no(entry, 1));
    hospital.pass_minutes(30).await;
    assert_eq!(hospital.mishaps.left(), [""; 0]);
    let steps = folded(hospital.steps(entry).await);
    assert_eq!(steps[steps.len() - 4..], [finds, "Reckoning: Held", THE_MONEY_COMES_BACK, "Closure: Unpaid"]);
    assert_eq!(hospital.status(entry).await, "unpaid");
    assert_eq!(hospital.pay.books().await.refunds.len(), 1, "once, however often the notice came");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_comes_while_the_settlement_asks_goes_back() {
    let plan = |hospital: &Hospital, number| {
        hospital.mishaps.just_after(&of_application("Reckoning"), is_paid_all_the_same(hospital, number));
    };
    comes_when(plan, "Reckoning on late: reopened").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_comes_between_the_settlement_and_the_end_goes_back() {
    let plan = |hospital: &Hospital, number| {
        hospital.mishaps.just_before(&of_application("Closure"), is_paid_all_the_same(hospital, number));
    };
    comes_when(plan, "Closure on late: reopened").await;
}

/// The notice of the money comes while the turn that has found the order closed is being written: it waits for that turn, and is
/// late by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_money_that_comes_while_its_order_is_being_closed_goes_back_while_the_patient_waits_on() {
    let (hospital, entry) = paying_for_an_offer().await;
    let number = ids::trade_no(entry, 1);
    hospital.shut_the_door();

    // Somebody holds the order, so that the turn has the run and waits for the order.
    let (hands_over, held) = tokio::sync::oneshot::channel();
    let (pool, order) = (hospital.db.pool.clone(), number.clone());
    hospital.mishaps.just_after(&of_application("OrderClosing"), move || {
        async move {
            let mut other = pool.begin().await.unwrap();
            let lock = "select from payment where out_trade_no = $1 for update";
            assert_eq!(sqlx::query(lock).bind(order).execute(&mut *other).await.unwrap().rows_affected(), 1);
            assert!(hands_over.send(other).is_ok());
        }
        .boxed()
    });
    let meets = async {
        let other = held.await.unwrap();
        wait_for("the turn to wait", || async { waiters(&hospital).await == 1 }).await;
        hospital.is_paid_late(&number).await;
        let notice = notice_about(&hospital, &number, FEE_FEN).await;
        let desk = Arc::clone(&hospital.desk);
        let told = tokio::spawn(async move { desk.payment_notice(&notice).await.unwrap() });
        wait_for("the notice to wait", || async { waiters(&hospital).await == 2 }).await;
        other.rollback().await.unwrap();
        assert_eq!(told.await.unwrap(), Fate::Delivered);
    };
    tokio::join!(hospital.pass_minutes(31), meets);
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(went_back(&hospital).await, [(number, FEE_FEN)]);
    assert!(holds(&hospital.steps(entry).await, GOES_BACK_IN_THE_QUEUE));
    hospital.finish().await;
}

/// It comes when the provider has said that the order is closed, and nobody has written that down yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e02_money_that_comes_before_its_order_is_seen_to_be_closed_goes_back_while_the_patient_waits_on() {
    let (hospital, entry) = paying_for_an_offer().await;
    let number = ids::trade_no(entry, 1);
    // The notice comes once: nobody tells of it again when the order is known to be closed.
    hospital.shut_the_door();
    let comes = is_paid_all_the_same(&hospital, number.clone());
    hospital.mishaps.just_after(&of_application("OrderClosing"), comes);
    hospital.pass_minutes(40).await;
    assert_eq!(hospital.mishaps.left(), [""; 0]);
    assert_eq!(hospital.status(entry).await, "waiting");
    assert_eq!(went_back(&hospital).await, [(number, FEE_FEN)]);
    assert!(holds(&hospital.steps(entry).await, GOES_BACK_IN_THE_QUEUE));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_about_a_visit_reopens_nothing() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    let number = ids::trade_no(entry, 1);
    hospital.pass_minutes(1).await;
    hospital.free_a_place("w1-am").await;
    for (until, status) in [(local(3, 12, 0), "waiting"), (local(4, 19, 0), "completed")] {
        hospital.pass_until(until).await;
        let (before, steps) = (standing(&hospital, entry).await, hospital.steps(entry).await);
        assert_eq!(before.0, status);
        let mut notice = notice_about(&hospital, &number, FEE_FEN).await;
        assert_eq!(hospital.desk.payment_notice(&notice).await.unwrap(), Fate::Duplicate);
        if let Notice::Paid { notice_id, paid, .. } = &mut notice {
            *notice_id = format!("EV-{status}");
            paid.transaction_id = format!("42-{status}");
        }
        assert_eq!(hospital.desk.payment_notice(&notice).await.unwrap(), Fate::Delivered);
        hospital.until_still().await;
        assert_eq!(standing(&hospital, entry).await, before);
        assert_eq!(hospital.steps(entry).await, steps);
    }
    assert!(hospital.pay.books().await.refunds.is_empty());
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_of_another_amount_is_refused() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    let everything = hospital.everything().await;
    for amount_fen in [FEE_FEN - 1, FEE_FEN + 1] {
        let notice = notice_about(&hospital, &ids::trade_no(entry, 1), amount_fen).await;
        let answer = hospital.desk.payment_notice(&notice).await;
        assert!(matches!(answer, Err(DeskError::WrongAmount)), "{answer:?}");
    }
    hospital.until_still().await;
    assert_eq!(hospital.everything().await, everything);
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    hospital.finish().await;
}

/// The provider's own answer names another amount: a person looks at it, and nothing is booked meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_another_amount_is_for_a_person() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.shut_the_door();
    hospital.provider.miscounts(true);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(5).await;
    assert_eq!(standing(&hospital, entry).await.0, "suspended");
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    let booked: i64 = sqlx::query_scalar("select count(*) from payment where paid_at is not null")
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(booked, 0, "money of another amount is no payment");

    hospital.provider.miscounts(false);
    hospital.staff_retries(entry).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

/// Asks of every attempt to open an order that it was the same request (E6), and that there were so many.
fn all_the_same(hospital: &Hospital, attempts: usize) {
    let asked = hospital.provider.asked_to_open();
    let requests: Vec<_> = asked.iter().map(|one| (&one.out_trade_no, one.amount_fen, one.expires_at)).collect();
    assert_eq!(requests.len(), attempts);
    assert!(requests.iter().all(|one| *one == requests[0]), "{requests:?}");
}

/// The worker dies after the call, and then the answer is lost for minutes: the patient pays the order all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_a_prepayment_that_is_opened_again_minutes_later_is_the_same_order() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_mins(8) });
    hospital.mishaps.plan(Point::AfterCall, &of_application("PrepayOrder"), Act::Crash, 1);
    hospital.mishaps.plan(Point::AfterCall, &of_application("PrepayOrder"), Act::Fail, 6);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(5).await;
    all_the_same(&hospital, 8);
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    assert_eq!(
        hospital.steps(entry).await[6..],
        ["PrepayOrder: Opened", "Prepayment on deadline: Due", "PrepayCheck: Open"]
    );
    hospital.pass_minutes(5).await;
    hospital.free_a_place("w1-am").await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_an_offers_order_that_is_opened_again_minutes_later_is_the_same_order() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Pays { after: Duration::from_mins(8) });
    hospital.mishaps.plan(Point::AfterCall, &of_application("OfferOrder"), Act::Crash, 1);
    hospital.mishaps.plan(Point::AfterCall, &of_application("OfferOrder"), Act::Fail, 6);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    hospital.pass_minutes(5).await;
    all_the_same(&hospital, 8);
    assert_eq!(hospital.status(entry).await, "awaitingPayment");
    hospital.pass_minutes(5).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_account_to_pay_from_is_told_before_the_queue() {
    let patient = json!({ "name": "患者九", "idType": "5", "idNumber": "E9000001", "phone": "13800009000" });
    for (mode, refused) in [(PaymentMode::Prepay, true), (PaymentMode::LockThenPay, true), (PaymentMode::None, false)] {
        let hospital = Hospital::paying(mode).await;
        let put = hospital.door.ask(Method::PUT, "/v1/patients/p9", Some(patient.clone())).await;
        assert_eq!(put.status, 200, "{}", put.body);
        let everything = hospital.everything().await;
        let reply = hospital.door.apply("w1-am", "p9").await;
        hospital.until_still().await;
        if refused {
            assert_eq!(reply.code(), "no_payment_account", "{} {}", reply.status, reply.body);
            assert_eq!(hospital.everything().await, everything, "nothing was changed");
        } else {
            assert_eq!(reply.status, 201, "{}", reply.body);
        }
        hospital.finish().await;
    }
}

//! What people switch on at the sandbox's page, one by one, and what becomes of it here: pushes of the counter, answers that were altered,
//! a HIS that is too busy or whose clock is off, orders that are being paid or were revoked, and codes that are for a person.

use houbu::engine::RunId;
use houbu::ports::his::Protocol;
use houbu::ports::payments::Payments;
use houbu::sandbox::catalogue::subject;
use houbu::sandbox::his::Act;
use houbu::sandbox::switches::{Switch, Wrong};
use houbu::sandbox::wechat_pay::{OrderStanding, Payer, Unpaid};
use houbu::waitlist::ids;
use houbu::waitlist::policy::PaymentMode;

use super::statuses;
use crate::hospital::{Hospital, Setup};

/// The next so many of these calls or pushes go wrong so.
fn goes_wrong(hospital: &Hospital, call: &str, fault: &str, times: u32) {
    let wrong = Wrong::named(subject(call).unwrap(), fault).unwrap();
    hospital.faults.switches().on(call, wrong, Switch::Times(times));
}

/// The number under which HIS knows the visit of this application.
async fn order_of(hospital: &Hospital, entry: RunId) -> String {
    hospital.numbers(entry).await.0
}

/// How the pushes of this function ended, and how often each came.
async fn fates(hospital: &Hospital, function: &str) -> Vec<(String, i32)> {
    let told = "select fate, times from callback where source = 'his' and kind = $1 order by received_at, event_id";
    sqlx::query_as(told).bind(function).fetch_all(&hospital.db.pool).await.unwrap()
}

async fn speaking(his: Protocol, mode: PaymentMode) -> Hospital {
    Hospital::open(Setup { his, plain: None, ..Setup::paying(mode) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r22_r30_a_booking_that_his_cancels_at_its_counter_is_over_and_refunded_in_either_language() {
    for his in [Protocol::Jiankangtong, Protocol::Rest] {
        let hospital = speaking(his, PaymentMode::Prepay).await;
        let [first, second] = [hospital.apply("w1-am", 1).await, hospital.apply("w1-am", 2).await];
        hospital.pass_minutes(1).await;
        hospital.free_a_place("w1-am").await;
        assert_eq!(statuses(&hospital, [first, second]).await, ["booked", "waiting"]);
        goes_wrong(&hospital, "5002", "duplicate", 1);
        assert!(hospital.his.at_counter(Act::Cancels, &order_of(&hospital, first).await).await.unwrap());
        hospital.pass_minutes(10).await;
        assert_eq!(statuses(&hospital, [first, second]).await, ["visitCancelled", "booked"]);
        assert_eq!(fates(&hospital, "5002").await, [("delivered".to_owned(), 2)]);
        let refunds = hospital.pay.books().await.refunds;
        assert_eq!(refunds.len(), 1, "{his:?}");
        hospital.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r36_what_is_done_to_our_order_at_the_counter_is_for_staff_in_either_language() {
    for his in [Protocol::Jiankangtong, Protocol::Rest] {
        let hospital = speaking(his, PaymentMode::None).await;
        let entry = hospital.apply("w1-am", 1).await;
        hospital.free_a_place("w1-am").await;
        let order_id = order_of(&hospital, entry).await;
        for act in [Act::Prints, Act::TakesMoney, Act::AsksOfRefund, Act::Refunds] {
            assert!(hospital.his.at_counter(act, &order_id).await.unwrap());
            hospital.pass_seconds(2).await;
            assert_eq!(fates(&hospital, act.function()).await, [("for-staff".to_owned(), 1)], "{his:?} {act:?}");
        }
        // Somebody else's order is nobody's affair here.
        let ordinary = hospital.his.books().await.orders.into_iter().find(|order| order.ordinary).unwrap().order_id;
        assert!(hospital.his.at_counter(Act::Prints, &ordinary).await.unwrap());
        hospital.pass_seconds(2).await;
        assert_eq!(fates(&hospital, "5004").await[1].0, "ignored");
        assert_eq!(hospital.status(entry).await, "booked", "no run is changed");
        // HIS has taken money of which we know nothing.
        hospital.finish_in_disorder().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e01_a_booking_whose_answer_was_altered_on_its_way_is_asked_about_and_never_made_twice() {
    for his in Protocol::ALL {
        let hospital = speaking(his, PaymentMode::None).await;
        let entry = hospital.apply("w1-am", 1).await;
        goes_wrong(&hospital, "2007", "altered", 1);
        hospital.free_a_place("w1-am").await;
        hospital.pass_minutes(2).await;
        assert_eq!(hospital.status(entry).await, "booked", "{his:?}");
        let orders = hospital.his.books().await.orders;
        assert_eq!(orders.iter().filter(|order| !order.ordinary).count(), 1, "{his:?}");
        hospital.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e01_a_fhir_server_that_is_too_busy_or_away_is_asked_again() {
    let hospital = speaking(Protocol::Fhir, PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    goes_wrong(&hospital, "2007", "http-429", 1);
    goes_wrong(&hospital, "2007", "http-503", 2);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(30).await;
    assert!(hospital.faults.switches().shown().is_empty());
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// Its events are refused while its clock is off, and its answers are understood all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_events_of_a_his_whose_clock_is_off_count_once_it_is_set_right() {
    let hospital = speaking(Protocol::Rest, PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.his.is_ahead(-8);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!((hospital.status(entry).await.as_str(), fates(&hospital, "5007").await.len()), ("waiting", 0));
    hospital.his.is_ahead(0);
    hospital.pass_minutes(15).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// An event that was recorded and is played again long after is refused, and the true one counts once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_an_old_event_is_refused_and_the_true_one_counts() {
    let hospital = speaking(Protocol::Rest, PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    goes_wrong(&hospital, "5007", "old", 1);
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let freed = hospital.his.books().await.pushes.remove(0);
    assert_eq!(freed.old_answer.as_deref(), Some("stale"));
    assert!(fates(&hospital, "5007").await.iter().all(|(_, times)| *times == 1));
    hospital.finish().await;
}

/// Whoever types a password holds the order open: it cannot be closed, and the place is not given away before it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e04_an_order_that_is_being_paid_is_closed_once_the_payment_has_failed() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    let number = ids::trade_no(entry, 1);
    assert!(hospital.pay.shows(&number, Unpaid::Paying).await.unwrap());
    hospital.pass_minutes(70).await;
    let standing = async || hospital.pay.books().await.orders.remove(0).state;
    assert_eq!(standing().await, OrderStanding::Open);
    assert!(hospital.pay.shows(&number, Unpaid::Failed).await.unwrap());
    hospital.pass_minutes(60).await;
    assert_eq!(standing().await, OrderStanding::Closed);
    assert_eq!(hospital.status(entry).await, "lapsed");
    hospital.finish().await;
}

/// No money will come for an order that was revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e04_an_order_that_was_revoked_gives_the_place_back() {
    let hospital = Hospital::paying(PaymentMode::LockThenPay).await;
    hospital.payer(1, Payer::Never);
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.confirm(entry).await;
    assert!(hospital.pay.shows(&ids::trade_no(entry, 1), Unpaid::Revoked).await.unwrap());
    hospital.pass_minutes(70).await;
    assert_eq!(hospital.status(entry).await, "lapsed");
    hospital.finish().await;
}

/// What our keys or parameters cause is for a person, and goes on under the same number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_a_refund_that_is_refused_for_its_signature_is_for_a_person_who_retries_it() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    let call = format!("{} refund", hospital.provider.provider().source());
    goes_wrong(&hospital, &call, if call.starts_with("wechat") { "SIGN_ERROR" } else { "BAD_SIGNATURE" }, 1);
    hospital.withdraw(entry).await;
    let run = hospital.door.ask(reqwest::Method::GET, &format!("/v1/runs/{entry}"), None).await.body;
    assert_eq!(run["status"], "suspended", "{run:#}");
    hospital.staff_retries(entry).await;
    hospital.pass_minutes(10).await;
    assert_eq!(hospital.status(entry).await, "withdrawn");
    assert_eq!(hospital.pay.books().await.refunds.len(), 1);
    hospital.finish().await;
}

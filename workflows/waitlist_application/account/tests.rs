//! Money by chance: fees that change, top-ups that are paid or not, visits that are booked, cancelled or over, refunds that are
//! done, given up or late. Whatever happens, no order gives back more than was paid for it, and at the end what is held is
//! what the visit that took place costs.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ports::his::Visit;
use crate::ports::payments::Paid;
use crate::waitlist::policy::FeeChange;
use crate::workflows::waitlist_application::state::{Booked, Offered};

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn pays(order: &mut Order) {
    order.paid = Some(Paid { transaction_id: "42".to_owned(), amount_fen: order.amount_fen, paid_at: at(0) });
}

/// An application that has prepaid so much.
fn prepaid(rule: FeeChange, fee_fen: i64) -> Application {
    let mut app = Application { fee_fen, ..Application::sample() };
    (app.policy.payment_mode, app.policy.fee_change) = (PaymentMode::Prepay, rule);
    let mut order = Order::prepayment(Uuid::nil(), fee_fen, &app.policy, at(100), at(0));
    pays(&mut order);
    app.order = Some(order);
    app
}

/// An offer on a day of this fee; what is missing is ordered, and paid where the patient pays. True where it can be booked.
fn offered(app: &mut Application, today_fen: i64, pays_top_up: bool) -> bool {
    app.offers += 1;
    app.costs(Some(today_fen));
    let slot = app.part.slot(&app.policy.half_days);
    app.offer = Some(Offered { deadline: Some(at(30)), locked: true, ..Offered::new(slot) });
    if app.covered() {
        return true;
    }
    let order = app.order_for_offer(Uuid::nil(), at(30), at(0));
    app.reorder(order);
    let order = app.order.as_mut().unwrap_or_else(|| panic!("there is an order"));
    if pays_top_up {
        pays(order);
    } else {
        order.closed = true;
    }
    pays_top_up
}

fn booked(app: &mut Application) {
    let his = Visit { his_order_id: "H".to_owned(), serial: "1".to_owned(), place: "room".to_owned() };
    let visit = Booked { order_id: "L".to_owned(), his, at: at(0), over_at: at(60), cancelled: false, reminder: None };
    app.visit = Some(visit);
    app.stands_on();
}

/// The provider's answer to a refund.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Done,
    GivenUp,
}

/// So many refunds are followed, as the provider answers. False where one was given up for good.
fn refunds(app: &mut Application, answers: &mut impl Iterator<Item = Answer>, most: usize) -> bool {
    for _ in 0..most {
        let Some(next) = app.refund_next(Of::All, at(1)) else { return true };
        assert!(next.refund.amount_fen.is_some_and(|fen| 0 < fen && fen <= next.total_fen), "{:?}", next.refund);
        match answers.next() {
            Some(Answer::GivenUp) => {
                if !next.refund.renumber(next.out_trade_no, at(1)) {
                    return false;
                }
            }
            Some(Answer::Done) | None => next.refund.done = true,
        }
    }
    true
}

/// What the provider holds.
fn held_fen(app: &Application) -> i64 {
    app.orders().map(|order| order.paid_fen() - order.back_fen()).sum()
}

fn sound(app: &Application) {
    let mut numbers: Vec<&str> = Vec::new();
    for order in app.orders() {
        let asked: i64 = order.refunds().filter_map(|refund| refund.amount_fen).sum();
        assert!(asked <= order.paid_fen(), "more is asked for than was paid: {order:?}");
        assert!(order.back_fen() <= asked);
        numbers.extend(order.refunds().map(|refund| refund.out_refund_no.as_str()));
        numbers.push(&order.out_trade_no);
    }
    let all = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "every order and refund has a number of its own: {numbers:?}");
}

fn rule() -> impl Strategy<Value = FeeChange> {
    prop_oneof![Just(FeeChange::KeepPaid), Just(FeeChange::RefundOnly), Just(FeeChange::RefundAndTopUp)]
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let one = prop_oneof![4 => Just(Answer::Done), 1 => Just(Answer::GivenUp)];
    proptest::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn r06_r08_after_every_ending_what_is_held_is_what_the_visit_costs(
        rule in rule(), fee in 1..10_000_i64,
        offers in proptest::collection::vec((0..10_000_i64, any::<bool>(), any::<bool>()), 0..5),
        late in any::<bool>(), parts in 0..4_usize, cancelled in any::<bool>(), answers in answers(),
    ) {
        let mut app = prepaid(rule, fee);
        let mut answers = answers.into_iter();
        for (today, pays_top_up, lost) in offers {
            let books = offered(&mut app, today, pays_top_up);
            sound(&app);
            prop_assert!(app.refund_next(Of::All, at(0)).is_some(), "all of it goes back where it ends here");
            for order in app.earlier.iter_mut().chain(&mut app.order) {
                order.refund = None;
            }
            if books && !lost {
                booked(&mut app);
                break;
            }
            app.offer = None;
        }
        let before = app.paid_fen();
        if app.visit.is_some() {
            prop_assert_eq!(app.paid_with().map_or(0, |paid| paid.amount_fen), app.fee_fen, "as HIS is told");
            // Money that nobody expected any more comes for an order that was over.
            if let Some(order) = app.earlier.iter_mut().find(|order| order.paid.is_none()).filter(|_| late) {
                pays(order);
            }
            if !refunds(&mut app, &mut answers, parts) {
                return Ok(());
            }
            sound(&app);
            prop_assert!(held_fen(&app) >= app.fee_fen, "never below what the visit costs");
            prop_assert_eq!(app.paid_with().map_or(0, |paid| paid.amount_fen), app.fee_fen, "and is told the same later");
        }
        if let Some(visit) = app.visit.as_mut() {
            visit.cancelled = cancelled;
        }
        let stands = app.stands();
        // The settlement: every order without money is closed.
        let close = app.to_settle().filter(|(order, _)| order.paid.is_none()).count();
        if !refunds(&mut app, &mut answers, 100) {
            return Ok(());
        }
        sound(&app);
        prop_assert!(app.refund_next(Of::All, at(2)).is_none());
        prop_assert_eq!(held_fen(&app), if stands { app.fee_fen } else { 0 });
        prop_assert_eq!(app.is_settled(), close == 0, "an order without money is asked about");
        prop_assert_eq!(app.returned_fen(false) + held_fen(&app), app.paid_fen());
        prop_assert!(before <= app.paid_fen());
    }
}

#[test]
fn r06_a_part_and_the_rest_are_the_whole_and_have_numbers_of_their_own() {
    let mut app = prepaid(FeeChange::RefundOnly, 5_000);
    assert!(offered(&mut app, 3_500, false));
    booked(&mut app);
    let next = app.refund_next(Of::All, at(0)).unwrap_or_else(|| panic!("too much was paid"));
    assert_eq!((next.refund.amount_fen, next.total_fen), (Some(1_500), 5_000));
    let part = next.refund.out_refund_no.clone();
    next.refund.done = true;
    assert!(app.is_settled() && app.refund_next(Of::All, at(0)).is_none(), "the rest is the visit's");
    app.visit.iter_mut().for_each(|visit| visit.cancelled = true);
    let next = app.refund_next(Of::All, at(0)).unwrap_or_else(|| panic!("the rest goes back with the visit"));
    assert_eq!(next.refund.amount_fen, Some(3_500));
    assert_ne!(next.refund.out_refund_no, part);
}

#[test]
fn r08_a_refund_that_an_older_release_asked_for_is_of_the_whole_order() {
    let mut app = prepaid(FeeChange::KeepPaid, 5_000);
    booked(&mut app);
    let mut stored = serde_json::to_value(&app).unwrap_or_default();
    assert!(stored["order"].as_object_mut().and_then(|order| order.remove("kept_fen")).is_some());
    let mut read: Application = serde_json::from_value(stored.clone()).unwrap_or_else(|error| panic!("{error}"));
    assert!(read.is_settled() && read.refund_next(Of::All, at(0)).is_none(), "a visit stands on all of its order");
    assert_eq!(read.paid_with().map(|paid| paid.amount_fen), Some(5_000));
    stored["visit"]["cancelled"] = true.into();
    stored["order"]["refund"] = serde_json::json!({
        "out_refund_no": "T1U01", "nth": 1, "ask_at": at(0), "asked": 1, "done": true
    });
    let read: Application = serde_json::from_value(stored).unwrap_or_else(|error| panic!("{error}"));
    assert!(read.is_settled());
    assert_eq!(read.returned_fen(false), 5_000);
}

#[test]
fn r20_money_that_comes_late_goes_back_whole_and_what_the_visit_stands_on_stays() {
    let mut app = prepaid(FeeChange::KeepPaid, 5_000);
    let (paid, late) = (app.order.clone(), Order::new(Uuid::nil(), 7, 5_000, at(0), at(0)));
    app.earlier.push(Order { closed: true, ..late.clone() });
    booked(&mut app);
    assert!(app.is_settled() || app.refund_next(Of::All, at(0)).is_none(), "no money is there to go back");
    let money = paid.and_then(|order| order.paid).unwrap_or_else(|| panic!("the visit is paid for"));
    let payment = Payment { out_trade_no: late.out_trade_no.clone(), paid: money };
    assert!(app.receives_late(&payment) && !app.receives_late(&payment), "once");
    let next = app.refund_next(Of::All, at(0)).unwrap_or_else(|| panic!("it goes back"));
    assert_eq!((next.out_trade_no, next.refund.amount_fen), (late.out_trade_no.as_str(), Some(5_000)));
    assert!(!next.is_part());
    next.refund.done = true;
    assert!(app.refund_next(Of::All, at(0)).is_none(), "the living order's money stays");
    app.tells_of_refunds();
    assert_eq!(app.part_told, Some(PartTold { nth: 1, amount_fen: 5_000 }));
    assert_eq!(app.paid_with().map(|paid| paid.amount_fen), Some(5_000));
}

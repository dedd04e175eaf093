//! What an application must know to stand at a step, and does not: asked where a person leads it there, by an answer or a
//! jump. Pure; a step's own handler has seen to it.

use super::Step;
use super::closure::ending;
use super::state::{Application, Order};
use crate::waitlist::policy::PaymentMode;

/// As the patch of a verb would have to say it.
pub(super) fn lacks(step: Step, app: &Application) -> Vec<&'static str> {
    let lacking: &[Option<&'static str>] = match step {
        Step::PrepayOrder | Step::Prepayment | Step::PrepayCheck => &[goes_on(app), order(app)],
        Step::Waiting => &[goes_on(app), prepaid(app).or(nothing_open(app))],
        Step::LateRefund => &[goes_on(app), late_money(app)],
        Step::Locking => &[goes_on(app), offer(app)],
        Step::Confirmation => &[goes_on(app), locked(app), nothing_open(app)],
        Step::LockCheck => &[goes_on(app), locked(app)],
        Step::OfferOrder | Step::Paying | Step::PaymentCheck => &[goes_on(app), locked(app), order(app)],
        Step::OrderClosing => &[locked(app), order(app)],
        Step::Booking => &[goes_on(app), offer(app), covered(app)],
        Step::Visit | Step::Asking => &[goes_on(app), offer(app), visit(app)],
        Step::PartRefund | Step::PartRefundWait | Step::AskingMeanwhile => {
            &[goes_on(app), offer(app), visit(app), money(app)]
        }
        Step::Cancelling => &[visit(app), reason(app)],
        Step::Unlocking | Step::Clearing => &[],
        Step::Settlement | Step::Reckoning | Step::Closure => &[reason(app)],
        Step::Refunding | Step::RefundWait | Step::RefundCheck => &[reason(app), money(app)],
        Step::Fulfilled => &[goes_on(app), visit(app)],
        Step::Expired
        | Step::Withdrawn
        | Step::Stopped
        | Step::Refused
        | Step::Lapsed
        | Step::Declined
        | Step::Unpaid
        | Step::VisitCancelled => &[ends_so(step, app)],
    };
    lacking.iter().copied().flatten().collect()
}

/// An application that has its reason to end would end at the next turning.
fn goes_on(app: &Application) -> Option<&'static str> {
    app.why.is_some().then_some("why: null")
}

fn reason(app: &Application) -> Option<&'static str> {
    (app.why.is_none() && !app.stands()).then_some("why")
}

fn ends_so(step: Step, app: &Application) -> Option<&'static str> {
    let so = app.why.is_some_and(|why| ending(why).chosen().next == step.name());
    (!so).then_some("why")
}

fn offer(app: &Application) -> Option<&'static str> {
    app.offer.is_none().then_some("offer")
}

/// A place that is held until the patient has paid.
fn locked(app: &Application) -> Option<&'static str> {
    app.offer.as_ref().and_then(|offer| offer.deadline).is_none().then_some("offer.deadline")
}

fn order(app: &Application) -> Option<&'static str> {
    app.order.is_none().then_some("order")
}

/// R6: the money comes before the place in the queue.
fn prepaid(app: &Application) -> Option<&'static str> {
    let prepays = app.policy.payment_mode == PaymentMode::Prepay;
    // What a top-up would be for is paid with an offer.
    (prepays && !app.covered() && app.paid_fen() == 0).then_some("order.paid")
}

fn covered(app: &Application) -> Option<&'static str> {
    (!app.covered()).then_some("order.paid")
}

/// An order that can still be paid is followed, or closed first: another one would take its place.
fn nothing_open(app: &Application) -> Option<&'static str> {
    let open = |order: &Order| order.paid.is_none() && !order.closed;
    app.order.as_ref().is_some_and(open).then_some("order.closed")
}

fn visit(app: &Application) -> Option<&'static str> {
    app.visit.is_none().then_some("visit")
}

fn late_money(app: &Application) -> Option<&'static str> {
    (!app.holds_late_money()).then_some("order.paid")
}

fn money(app: &Application) -> Option<&'static str> {
    (!app.holds_too_much()).then_some("order.paid")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::state::Why;
    use super::*;
    use crate::ports::payments::Paid;

    fn ordered(paid: bool) -> Application {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let mut app = Application { fee_fen: 5_000, ..Application::sample() };
        app.policy.payment_mode = PaymentMode::Prepay;
        let mut order = Order::prepayment(uuid::Uuid::nil(), app.fee_fen, &app.policy, now, now);
        order.paid = paid.then(|| Paid { transaction_id: "42".to_owned(), amount_fen: 5_000, paid_at: now });
        Application { order: Some(order), ..app }
    }

    #[test]
    fn money_that_was_seen_must_be_said() {
        assert_eq!(lacks(Step::Waiting, &ordered(false)), ["order.paid"]);
        assert!(lacks(Step::Waiting, &ordered(true)).is_empty());
        assert_eq!(lacks(Step::Booking, &ordered(false)), ["offer", "order.paid"]);
    }

    #[test]
    fn an_end_must_have_its_reason() {
        let mut app = ordered(true);
        for step in [Step::Settlement, Step::Closure, Step::Withdrawn] {
            assert_eq!(lacks(step, &app), ["why"], "{step:?}");
        }
        app.why = Some(Why::Withdrawn);
        assert!(lacks(Step::Withdrawn, &app).is_empty());
        assert_eq!(lacks(Step::Expired, &app), ["why"], "another one");
        assert_eq!(lacks(Step::Waiting, &app), ["why: null"]);
    }

    #[test]
    fn a_visit_is_one_that_was_booked() {
        assert_eq!(lacks(Step::Visit, &ordered(true)), ["offer", "visit"]);
        assert_eq!(lacks(Step::Fulfilled, &ordered(true)), ["visit"]);
    }
}

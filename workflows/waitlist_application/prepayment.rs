//! The prepayment (R6): open the order that the application began with, await the notice, ask when it does not come. Where the
//! provider could not be reached before the order's end, or refuses it, the patient has missed nothing: the next one is opened.

use super::paying::{Asked, ask, close, open};
use super::signals::Stops;
use super::state::{Application, Why};
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::workflows::Ports;

pub(super) async fn prepay_order(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::PrepayOrder, Fault> {
    match open(app, turn, ports).await? {
        Asked::Paid => return Ok(outcome::PrepayOrder::Paid),
        Asked::Open => {
            app.refused_orders = 0;
            return Ok(outcome::PrepayOrder::Opened);
        }
        Asked::Closed => {}
    }
    // The patient never had anything to pay with: another order takes its place, once nothing can come for this one (E2).
    if !app.is_over(turn.now) {
        app.is_refused()?;
    }
    if let Some(order) = app.order.as_mut() {
        close(order, ports).await?;
    }
    if app.paid().is_some() {
        return Ok(outcome::PrepayOrder::Paid);
    }
    if turn.now >= app.cutoff {
        app.why = Some(Why::Expired);
        return Ok(outcome::PrepayOrder::Refused);
    }
    app.prepays_anew(turn.run, turn.now);
    Ok(outcome::PrepayOrder::Again)
}

pub(super) fn prepayment(app: &mut Application, _: &Turn, woke: woke::Prepayment) -> outcome::Prepayment {
    match woke {
        woke::Prepayment::Payment(payment) if app.receive(&payment) => outcome::Prepayment::Paid,
        woke::Prepayment::Payment(_) | woke::Prepayment::Deadline => outcome::Prepayment::Due,
        // The patient is asked once the application is in the queue (R35).
        woke::Prepayment::Withdrawal(withdrawal) if app.is_beside(&withdrawal).is_some() => outcome::Prepayment::Due,
        woke::Prepayment::Withdrawal(withdrawal) => {
            app.why = Some(withdrawal.why());
            outcome::Prepayment::Withdrawn
        }
        // Of some times: nothing was offered yet.
        woke::Prepayment::Stoppage(stoppage) if stoppage.stops(&app.schedule_id, None) != Stops::All => {
            outcome::Prepayment::Due
        }
        woke::Prepayment::Stoppage(_) => {
            app.why = Some(Why::Stopped);
            outcome::Prepayment::Stopped
        }
    }
}

pub(super) async fn prepay_check(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::PrepayCheck, Fault> {
    Ok(match ask(app, turn, ports).await? {
        Asked::Paid => outcome::PrepayCheck::Paid,
        Asked::Open => outcome::PrepayCheck::Open,
        Asked::Closed => {
            app.why = Some(Why::Unpaid);
            outcome::PrepayCheck::Unpaid
        }
    })
}

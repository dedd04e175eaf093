//! The prepayment (R6): open the order that the application began with, await the notice, ask when it does not come.

use super::paying::{Asked, ask, open};
use super::state::{Application, Why};
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::workflows::Ports;

pub(super) async fn prepay_order(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::PrepayOrder, Fault> {
    Ok(match open(app, turn, ports).await? {
        Asked::Paid => outcome::PrepayOrder::Paid,
        Asked::Open => outcome::PrepayOrder::Opened,
        Asked::Closed => {
            app.why = Some(Why::Unpaid);
            outcome::PrepayOrder::Refused
        }
    })
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

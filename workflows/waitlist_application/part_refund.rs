//! What was paid above the fee of the booked visit goes back while the visit stands (R6): under numbers of its own, so that
//! the rest can go back later. The visit does not depend on it: it is cancelled meanwhile like any other.

use chrono::{DateTime, Utc};

use super::refund::{Followed, follow, next, request};
use super::state::{Application, Why};
use super::visit::visit_ends;
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::workflows::Ports;

pub(super) async fn part_refund(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::PartRefund, Fault> {
    let due = next(app, turn)?;
    let said = if due.refund.asked > 0 {
        let out_refund_no = due.refund.out_refund_no.clone();
        ports.payments.refund_status(&out_refund_no).await?
    } else {
        ports.payments.refund(&request(due, "挂号费调整退差额")).await?
    };
    match follow(app, turn, said) {
        Ok(Followed::Done) => {
            app.tells_of_refunds();
            Ok(outcome::PartRefund::Refunded)
        }
        Ok(Followed::OnItsWay | Followed::Another) => Ok(outcome::PartRefund::Processing),
        // Nobody's visit stands still for it: it is settled after the visit, and the books of the day show what is held too much.
        Err(Fault::Stop(why)) => {
            tracing::warn!(run = %turn.run, why, "the part that was paid too much is left to the settlement");
            Ok(outcome::PartRefund::Left)
        }
        Err(fault) => Err(fault),
    }
}

/// Until when a refund notice is awaited before the provider is asked.
pub(super) fn part_is_asked(app: &Application) -> DateTime<Utc> {
    app.refund_asked_at().unwrap_or_else(|| visit_ends(app))
}

pub(super) fn part_refund_wait(app: &mut Application, _: &Turn, woke: woke::PartRefundWait) -> outcome::PartRefundWait {
    let (why, outcome) = match woke {
        woke::PartRefundWait::RefundNotice(_) | woke::PartRefundWait::Deadline => return outcome::PartRefundWait::Due,
        woke::PartRefundWait::Withdrawal(withdrawal) if withdrawal.booked_by.is_some() => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Cancellation(_) => (Why::VisitCancelled, outcome::PartRefundWait::Cancelled),
        woke::PartRefundWait::Withdrawal(_) => (Why::Withdrawn, outcome::PartRefundWait::Cancelled),
        woke::PartRefundWait::Stoppage(stoppage) if !stoppage.ends(&app.schedule_id) => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Stoppage(_) => (Why::Stopped, outcome::PartRefundWait::Stopped),
    };
    app.why = Some(why);
    outcome
}

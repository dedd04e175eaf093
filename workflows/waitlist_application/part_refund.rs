//! What was paid above the fee of the booked visit goes back while the visit stands (R6): under numbers of its own, so that
//! the rest can go back later. The visit does not depend on it: it is cancelled meanwhile like any other.

use chrono::{DateTime, Utc};

use super::asking::Came;
use super::refund::{Followed, follow, next, request};
use super::signals::Stops;
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
        let reason = if due.is_part() { "挂号费调整退差额" } else { "重复支付退费" };
        ports.payments.refund(&request(due, reason)).await?
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

/// Until when a refund notice is awaited before the provider is asked, or until when the patient may answer about the visit.
pub(super) fn part_is_asked(app: &Application) -> DateTime<Utc> {
    let asked = app.refund_asked_at().unwrap_or_else(|| visit_ends(app));
    app.changing().map_or(asked, |question| question.until.min(asked))
}

pub(super) fn part_refund_wait(
    app: &mut Application,
    turn: &Turn,
    woke: woke::PartRefundWait,
) -> outcome::PartRefundWait {
    let stood = app.question.clone();
    let asked = match &woke {
        woke::PartRefundWait::Consent(consent) => app.answers(consent),
        woke::PartRefundWait::Deadline => app.is_not_answered(turn.now),
        _ => Came::Nothing,
    };
    if asked == Came::Left {
        // Should HIS not cancel it any more, the visit is as it has become.
        app.left = stood;
        return outcome::PartRefundWait::Cancelled;
    }
    let (why, outcome) = match woke {
        woke::PartRefundWait::RefundNotice(_) | woke::PartRefundWait::Deadline => return outcome::PartRefundWait::Due,
        woke::PartRefundWait::Consent(_) => return outcome::PartRefundWait::Kept,
        woke::PartRefundWait::Withdrawal(withdrawal) if withdrawal.booked_by.is_some() => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Stoppage(stoppage) if stoppage.stops(&app.schedule_id, app.slot()) == Stops::Nothing => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Cancellation(_) => (Why::VisitCancelled, outcome::PartRefundWait::Cancelled),
        woke::PartRefundWait::Withdrawal(_) => (Why::Withdrawn, outcome::PartRefundWait::Cancelled),
        woke::PartRefundWait::Stoppage(_) => (Why::Stopped, outcome::PartRefundWait::Stopped),
    };
    app.why = Some(why);
    outcome
}

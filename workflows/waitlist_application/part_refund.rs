//! What the hospital holds too much of goes back while an application lives on: what was paid above the fee of the booked visit (R6),
//! under numbers of its own, so that the rest can go back later; and what came late, also to whoever waits for another place (E2).
//! Neither the visit nor the place in the queue depends on it.

use chrono::{DateTime, TimeDelta, Utc};

use super::account::Of;
use super::asking::Came;
use super::refund::{Followed, follow, next, request};
use super::signals::Stops;
use super::state::{Application, Why};
use super::visit::visit_ends;
use super::{outcome, woke};
use crate::engine::{Fault, Turn, limits};
use crate::ports::CallError;
use crate::workflows::Ports;

/// While the provider is away it is asked so often.
const AWAY_MINUTES: i64 = 5;

/// How far it is with what goes back.
enum Gave {
    /// All of it is back.
    Back,
    /// The provider has it, or is away.
    OnItsWay,
    /// It is left to the settlement, and to a person.
    Left,
}

pub(super) async fn part_refund(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::PartRefund, Fault> {
    Ok(match give(app, Of::All, turn, ports).await? {
        Gave::Back => outcome::PartRefund::Refunded,
        Gave::OnItsWay => outcome::PartRefund::Processing,
        Gave::Left => outcome::PartRefund::Left,
    })
}

pub(super) async fn late_refund(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::LateRefund, Fault> {
    Ok(match give(app, Of::Late, turn, ports).await? {
        Gave::Back => outcome::LateRefund::Refunded,
        Gave::OnItsWay | Gave::Left => outcome::LateRefund::Processing,
    })
}

/// Asks for what goes back next, or where it stands.
async fn give(app: &mut Application, of: Of, turn: &Turn, ports: &Ports) -> Result<Gave, Fault> {
    let due = next(app, of, turn)?;
    let said = if due.refund.asked > 0 {
        let out_refund_no = due.refund.out_refund_no.clone();
        ports.payments.refund_status(&out_refund_no).await
    } else {
        ports.payments.refund(&request(due)).await
    };
    let left = |why: String| {
        // Nobody stands still for it: it is settled at the end, and the books of the day show what is held too much.
        tracing::warn!(run = %turn.run, why, "money that should go back is left to the settlement");
        Ok(Gave::Left)
    };
    let said = match said {
        Ok(said) => said,
        Err(error @ CallError::Broken { .. }) => {
            next(app, of, turn)?.refund.stuck = true;
            return left(error.to_string());
        }
        // What the patient and the hospital have to say is heard meanwhile.
        Err(error) if turn.again => {
            limits::unanswered(&error);
            next(app, of, turn)?.refund.ask_at = turn.now + TimeDelta::minutes(AWAY_MINUTES);
            return Ok(Gave::OnItsWay);
        }
        Err(error) => return Err(error.into()),
    };
    match follow(app, of, turn, &said) {
        Ok(Followed::Done) => {
            app.tells_of_refunds();
            Ok(Gave::Back)
        }
        Ok(Followed::OnItsWay | Followed::Another) => Ok(Gave::OnItsWay),
        Err(Fault::Stop(why)) => left(why),
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
        woke::PartRefundWait::Change(change) => app.hears(change.clone()),
        woke::PartRefundWait::Consent(consent) => app.answers(consent),
        woke::PartRefundWait::Deadline => app.is_not_answered(turn.now),
        _ => Came::Nothing,
    };
    if asked == Came::Asked {
        return outcome::PartRefundWait::Changed;
    }
    if asked == Came::Left {
        // Should HIS not cancel it any more, the visit is as it has become.
        app.left = stood;
        return outcome::PartRefundWait::Cancelled;
    }
    let (why, outcome) = match woke {
        woke::PartRefundWait::RefundNotice(_) | woke::PartRefundWait::Deadline => return outcome::PartRefundWait::Due,
        woke::PartRefundWait::Change(_) | woke::PartRefundWait::Consent(_) => return outcome::PartRefundWait::Kept,
        woke::PartRefundWait::Withdrawal(withdrawal) if withdrawal.booked_by.is_some() => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Stoppage(stoppage) if stoppage.stops(&app.schedule_id, app.slot()) == Stops::Nothing => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Cancellation(cancellation) if !cancellation.means(app.visit.as_ref()) => {
            return outcome::PartRefundWait::Kept;
        }
        woke::PartRefundWait::Cancellation(_) => (Why::VisitCancelled, outcome::PartRefundWait::Cancelled),
        woke::PartRefundWait::Withdrawal(_) => (Why::Withdrawn, outcome::PartRefundWait::Cancelled),
        woke::PartRefundWait::Stoppage(_) => (Why::Stopped, outcome::PartRefundWait::Stopped),
    };
    app.why = Some(why);
    outcome
}

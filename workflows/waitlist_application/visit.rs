//! The booked visit: it takes place, the patient cancels it (R22), or the hospital does (R34).

use chrono::{DateTime, Utc};

use super::account::Of;
use super::asking::Came;
use super::signals::{LateMoney, Stops};
use super::state::{Application, Why};
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::ports::his::{Cancelling, Order};
use crate::workflows::Ports;

/// The end of the visit's time slot; while the patient is asked about a change, the end of that.
pub(super) fn visit_ends(app: &Application) -> DateTime<Utc> {
    if let Some(question) = app.changing() {
        return question.until;
    }
    app.visit.as_ref().map_or(app.cutoff, |visit| visit.over_at)
}

pub(super) fn visit(app: &mut Application, turn: &Turn, woke: woke::Visit) -> outcome::Visit {
    let stood = app.question.clone();
    let asked = match &woke {
        woke::Visit::Change(change) => app.hears(change.clone()),
        woke::Visit::Consent(consent) => app.answers(consent),
        woke::Visit::Deadline => match app.is_not_answered(turn.now) {
            // It was over before the patient answered: it took place.
            Came::Kept => Came::Nothing,
            asked => asked,
        },
        _ => Came::Nothing,
    };
    match asked {
        Came::Asked => return outcome::Visit::Changed,
        Came::Left => {
            // Should HIS not cancel it any more, the visit is as it has become.
            app.left = stood;
            return outcome::Visit::Left;
        }
        Came::Kept | Came::Nothing => {}
    }
    let (why, outcome) = match woke {
        woke::Visit::Deadline if app.is_settled() => return outcome::Visit::Over,
        // Orders that this visit does not stand on: nobody may keep what came for them.
        woke::Visit::Deadline => return outcome::Visit::Unsettled,
        woke::Visit::Change(_) | woke::Visit::Consent(_) => return outcome::Visit::Kept,
        woke::Visit::Cancellation(cancellation) if !cancellation.means(app.visit.as_ref()) => {
            return outcome::Visit::Kept;
        }
        woke::Visit::Cancellation(_) => (Why::VisitCancelled, outcome::Visit::Cancelled),
        // Both came to a visit at the same moment: neither cancels the other, and the patient decides (R35).
        woke::Visit::Withdrawal(withdrawal) if withdrawal.booked_by.is_some() => return outcome::Visit::Kept,
        // A withdrawal that was accepted in the queue while the place was already on its way (E5).
        woke::Visit::Withdrawal(_) => (Why::Withdrawn, outcome::Visit::Withdrawn),
        woke::Visit::Stoppage(stoppage) if stoppage.stops(&app.schedule_id, app.slot()) == Stops::Nothing => {
            return outcome::Visit::Kept;
        }
        woke::Visit::Stoppage(_) => (Why::Stopped, outcome::Visit::Stopped),
        woke::Visit::LateMoney(LateMoney { payment }) => {
            // Its number is committed with the move, before a call uses it (E6).
            let goes_back = app.receives_late(&payment) && app.refund_next(Of::All, turn.now).is_some();
            return if goes_back { outcome::Visit::Late } else { outcome::Visit::Kept };
        }
    };
    app.why = Some(why);
    outcome
}

pub(super) async fn cancelling(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::Cancelling, Fault> {
    let reason = match app.why {
        Some(Why::Stopped) => "停诊",
        Some(Why::Changed) => "出诊变更，患者未同意",
        _ => "患者取消",
    };
    let Given::Refused { code } = give_back(app, turn, ports, reason).await? else {
        return Ok(outcome::Cancelling::Cancelled);
    };
    if app.why == Some(Why::Stopped) {
        return Err(Fault::Stop(format!(
            "HIS stops the schedule and refuses to cancel a visit of it with the code {code}"
        )));
    }
    tracing::warn!(run = %turn.run, code, "HIS does not cancel a visit any more");
    if let Some(left) = app.left.take() {
        app.keeps(left);
    }
    app.why = None;
    app.not_cancelled = app.not_cancelled.saturating_add(1);
    let on_its_way = app.refund_asked_at().is_some();
    Ok(if on_its_way { outcome::Cancelling::RefusedInPart } else { outcome::Cancelling::Refused })
}

/// What became of what HIS holds for us.
pub(super) enum Given {
    /// Nothing was booked.
    Nothing,
    /// It is cancelled.
    Back,
    /// HIS does not cancel it, and says that it is booked.
    Refused { code: String },
}

/// Cancels at HIS what is booked under our number, and tells it of the money. A booking whose answer never reached us
/// is asked for (E1).
pub(super) async fn give_back(app: &mut Application, turn: &Turn, ports: &Ports, reason: &str) -> Result<Given, Fault> {
    let mut paid = app.paid_with();
    let order_id = match &app.visit {
        Some(visit) if visit.cancelled => return Ok(Given::Nothing),
        Some(visit) => visit.order_id.clone(),
        None if app.offer.is_none() => return Ok(Given::Nothing),
        None => {
            let order_id = app.order_id(turn.run);
            match ports.his.order(&order_id).await? {
                Order::Unknown | Order::Closed => return Ok(Given::Nothing),
                // Of what HIS was not told it is not told that it goes back.
                Order::Unpaid(_) => paid = None,
                Order::Booked(_) | Order::Cancelled => {}
            }
            order_id
        }
    };
    // What HIS does not cancel because it has done so itself is cancelled.
    if let Cancelling::Refused { code } = ports.his.cancel(&order_id, reason).await?
        && let Order::Booked(_) | Order::Unpaid(_) = ports.his.order(&order_id).await?
    {
        return Ok(Given::Refused { code });
    }
    if let Some(paid) = &paid {
        ports.his.refund(&order_id, paid).await?;
    }
    if let Some(visit) = app.visit.as_mut() {
        visit.cancelled = true;
    }
    Ok(Given::Back)
}

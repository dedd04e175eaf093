//! The patient's answer to a locked place (R9). Decides only.

use chrono::{DateTime, Utc};

use super::signals::{Confirm, Decline};
use super::state::{Application, Why};
use super::{outcome, woke};
use crate::engine::Turn;

/// E3: min(max(now, end of quiet hours) + window, hard stop), fixed when the place was locked.
pub(super) fn offer_ends(app: &Application) -> DateTime<Utc> {
    app.offer.as_ref().and_then(|offer| offer.deadline).unwrap_or(app.cutoff)
}

pub(super) fn confirmation(app: &mut Application, turn: &Turn, woke: woke::Confirmation) -> outcome::Confirmation {
    let (why, outcome) = match woke {
        woke::Confirmation::Confirm(Confirm { until }) | woke::Confirmation::Decline(Decline { until })
            if !app.answered_by(until) =>
        {
            return outcome::Confirmation::Stale;
        }
        woke::Confirmation::Confirm(_) => {
            // The order is committed with this move, number and end included, before a call uses it (E6).
            let ends = offer_ends(app);
            if !app.covered() {
                app.reorder(app.order_for_offer(turn.run, ends, turn.now));
            }
            return outcome::Confirmation::Confirmed;
        }
        woke::Confirmation::Decline(_) => (Why::Declined, outcome::Confirmation::Declined),
        woke::Confirmation::Withdrawal(withdrawal) => (withdrawal.why(), outcome::Confirmation::Withdrawn),
        woke::Confirmation::Stoppage(_) => (Why::Stopped, outcome::Confirmation::Stopped),
        woke::Confirmation::Deadline => (Why::Lapsed, outcome::Confirmation::Lapsed),
    };
    app.why = app.gives_up(why);
    outcome
}

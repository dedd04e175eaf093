//! The patient's answer to a locked place (R9). Decides only.

use chrono::{DateTime, Utc};

use super::asking::Came;
use super::lock_check::Checking;
use super::signals::{Confirm, Decline, Stops};
use super::state::{Application, Why};
use super::{outcome, woke};
use crate::engine::Turn;

/// E3: min(max(now, end of quiet hours) + window, hard stop), fixed when the place was locked.
pub(super) fn offer_ends(app: &Application) -> DateTime<Utc> {
    app.offer.as_ref().and_then(|offer| offer.deadline).unwrap_or(app.cutoff)
}

/// When the offer ends, or its lock is renewed before (R10).
pub(super) fn confirmed_until(app: &Application) -> DateTime<Utc> {
    app.renews_at().unwrap_or_else(|| offer_ends(app))
}

fn of(asked: Came) -> outcome::Confirmation {
    match asked {
        Came::Asked => outcome::Confirmation::Asked,
        Came::Kept => outcome::Confirmation::Kept,
        Came::Left => outcome::Confirmation::Left,
        Came::Nothing => outcome::Confirmation::Stale,
    }
}

pub(super) fn confirmation(app: &mut Application, turn: &Turn, woke: woke::Confirmation) -> outcome::Confirmation {
    let (why, outcome) = match woke {
        woke::Confirmation::Confirm(Confirm { until }) | woke::Confirmation::Decline(Decline { until })
            if !app.answered_by(until) =>
        {
            return outcome::Confirmation::Stale;
        }
        // Accepted before it was known that somebody else sees the patient, or on another day: asked first (R34).
        woke::Confirmation::Confirm(_) if app.changing().is_some() => return outcome::Confirmation::Stale,
        woke::Confirmation::Change(change) => return of(app.hears(change)),
        woke::Confirmation::Consent(consent) => return of(app.answers(&consent)),
        // HIS is asked first whether it still holds the place.
        woke::Confirmation::Confirm(_) if app.offer.as_ref().is_some_and(|offer| offer.watched) => {
            app.checking = Some(Checking::Order);
            return outcome::Confirmation::Checked;
        }
        woke::Confirmation::Deadline if app.renews(turn.now) => {
            app.checking = Some(Checking::Offer);
            return outcome::Confirmation::Due;
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
        woke::Confirmation::Withdrawal(withdrawal) => match app.is_beside(&withdrawal) {
            Some(asked) => return of(asked),
            None => (withdrawal.why(), outcome::Confirmation::Withdrawn),
        },
        woke::Confirmation::Stoppage(stoppage) => match stoppage.stops(&app.schedule_id, app.slot()) {
            Stops::All => (Why::Stopped, outcome::Confirmation::Stopped),
            // The patient has missed nothing, and waits on for another time.
            Stops::ItsTime => {
                app.is_revoked();
                return outcome::Confirmation::Revoked;
            }
            Stops::Nothing => return outcome::Confirmation::Stale,
        },
        woke::Confirmation::Deadline => {
            app.unanswered = Some(app.offers);
            app.why = app.lapses();
            return outcome::Confirmation::Lapsed;
        }
    };
    app.why = app.gives_up(why);
    outcome
}

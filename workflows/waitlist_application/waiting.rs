//! The queue. Decides only: the schedule's `slot_release` run says whose turn it is.

use chrono::{DateTime, Utc};

use super::account::Of;
use super::asking::Came;
use super::signals::{LateMoney, Stops};
use super::state::{Application, Offered, Why};
use super::{outcome, woke};
use crate::engine::Turn;
use crate::waitlist::policy::QueuePer;

/// R24, R25: no offers after the cutoff; a question may have its end before, and money that goes back is asked about.
pub(super) fn waits_until(app: &Application) -> DateTime<Utc> {
    let question = app.question.as_ref().map(|question| question.until);
    [question, app.late_refund_asked_at()].into_iter().flatten().fold(app.cutoff, DateTime::min)
}

fn of(asked: Came) -> outcome::Waiting {
    match asked {
        Came::Asked => outcome::Waiting::Asked,
        Came::Kept => outcome::Waiting::Kept,
        Came::Left => outcome::Waiting::Left,
        Came::Nothing => outcome::Waiting::Elsewhere,
    }
}

pub(super) fn waiting(app: &mut Application, turn: &Turn, woke: woke::Waiting) -> outcome::Waiting {
    let outcome = heard(app, turn, woke);
    app.in_passing = matches!(outcome, outcome::Waiting::Payable | outcome::Waiting::Covered);
    let anew = app.in_passing || matches!(outcome, outcome::Waiting::Kept);
    app.stood = !(anew && app.policy.queue_per == QueuePer::Day);
    outcome
}

fn heard(app: &mut Application, turn: &Turn, woke: woke::Waiting) -> outcome::Waiting {
    match woke {
        woke::Waiting::Offer(offer) => {
            app.offer_id = Some(offer.id);
            app.freed_at = offer.freed_at;
            app.withheld = false;
            app.unusable = None;
            app.unanswered = None;
            // Of another half-day of the day (Q2): what that was before concerns nobody who never asked for it.
            let elsewhere = offer.half.filter(|half| half.schedule_id != app.schedule_id);
            app.offered_by = elsewhere.as_ref().map(|half| half.schedule_id.clone());
            // Nobody takes a place of what the schedule has become, unasked (R34).
            if let Some(change) = offer.change.filter(|_| elsewhere.is_none()) {
                app.hears(change);
            }
            if app.question.is_some() {
                return outcome::Waiting::GivenUp;
            }
            // Nobody is asked twice about a time: the next in line gets it (Q6).
            if app.does_not_want(&offer.slot) {
                return outcome::Waiting::GivenUp;
            }
            // The next ids derive from this count; it is committed with this move, before any call uses them (E6).
            let Some(offers) = app.offers.checked_add(1) else { return outcome::Waiting::GivenUp };
            app.offers = offers;
            if let Some(half) = elsewhere {
                app.goes_to(half);
            }
            app.costs(offer.fee_fen);
            app.offer = Some(Offered::new(offer.slot).since(turn.now));
            if app.covered() { outcome::Waiting::Covered } else { outcome::Waiting::Payable }
        }
        woke::Waiting::Change(change) => of(app.hears(change)),
        woke::Waiting::Consent(consent) => of(app.answers(&consent)),
        woke::Waiting::Withdrawal(withdrawal) => {
            if let Some(asked) = app.is_beside(&withdrawal) {
                return of(asked);
            }
            app.why = Some(withdrawal.why());
            outcome::Waiting::Withdrawn
        }
        // Of some times, for which another place will come. Of another half-day of the day than this one is at by now, or it lives on
        // at another one (Q2).
        woke::Waiting::Stoppage(stoppage) if stoppage.stops(&app.schedule_id, None) != Stops::All => {
            let here = stoppage.schedule_id.as_ref() == Some(&app.schedule_id);
            if let Some(half) = stoppage.waits_at.filter(|_| here && app.question.is_none()) {
                app.goes_to(half);
            }
            outcome::Waiting::Elsewhere
        }
        woke::Waiting::Stoppage(_) => {
            app.why = Some(Why::Stopped);
            outcome::Waiting::Stopped
        }
        woke::Waiting::LateMoney(LateMoney { payment }) => {
            // Its number is committed with the move, before a call uses it (E6).
            let goes_back = app.receives_late(&payment) && app.refund_next(Of::Late, turn.now).is_some();
            if goes_back { outcome::Waiting::Late } else { outcome::Waiting::Elsewhere }
        }
        woke::Waiting::Terms(terms) => {
            app.renew(terms);
            outcome::Waiting::Renewed
        }
        woke::Waiting::Deadline => {
            let left = if turn.now < app.cutoff { app.is_not_answered(turn.now) } else { Came::Nothing };
            if left != Came::Nothing {
                return of(left);
            }
            if turn.now < app.cutoff && app.late_refund_asked_at().is_some_and(|at| at <= turn.now) {
                return outcome::Waiting::Late;
            }
            app.question = None;
            app.why = Some(Why::Expired);
            // Everybody who still waits comes here at the same instant: who never paid is done with this one turn, and
            // whose money we know of need not be asked about.
            if app.is_settled() {
                outcome::Waiting::Expired
            } else if app.all_is_known() {
                // Its number is committed with the move, before a call uses it (E6).
                app.refund_next(Of::All, turn.now);
                outcome::Waiting::Prepaid
            } else {
                outcome::Waiting::CutOff
            }
        }
    }
}

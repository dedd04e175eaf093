//! The queue. Decides only: the schedule's `slot_release` run says whose turn it is.

use chrono::{DateTime, Utc};

use super::state::{Application, Offered, Why};
use super::{outcome, woke};
use crate::engine::Turn;

/// R24, R25: no offers after this.
pub(super) fn cutoff(app: &Application) -> DateTime<Utc> {
    app.cutoff
}

pub(super) fn waiting(app: &mut Application, turn: &Turn, woke: woke::Waiting) -> outcome::Waiting {
    match woke {
        woke::Waiting::Offer(offer) => {
            app.offer_id = Some(offer.id);
            app.freed_at = offer.freed_at;
            app.withheld = false;
            // Nobody is asked twice about a time: the next in line gets it (Q6).
            if app.does_not_want(&offer.slot) {
                return outcome::Waiting::GivenUp;
            }
            // The next ids derive from this count; it is committed with this move, before any call uses them (E6).
            app.offers += 1;
            app.costs(offer.fee_fen);
            app.offer = Some(Offered { slot: offer.slot, deadline: None, locked: false });
            if app.covered() { outcome::Waiting::Covered } else { outcome::Waiting::Payable }
        }
        woke::Waiting::Withdrawal(withdrawal) => {
            app.why = Some(withdrawal.why());
            outcome::Waiting::Withdrawn
        }
        // It was for a place that has been given up since; the queue goes on for other times.
        woke::Waiting::Stoppage(stoppage) if stoppage.times.is_some() => outcome::Waiting::Elsewhere,
        woke::Waiting::Stoppage(_) => {
            app.why = Some(Why::Stopped);
            outcome::Waiting::Stopped
        }
        woke::Waiting::Terms(terms) => {
            app.renew(terms);
            outcome::Waiting::Renewed
        }
        woke::Waiting::Deadline => {
            app.why = Some(Why::Expired);
            // Everybody who still waits comes here at the same instant: who never paid is done with this one turn, and
            // whose money we know of need not be asked about.
            if app.is_settled() {
                outcome::Waiting::Expired
            } else if app.all_is_known() {
                // Its number is committed with the move, before a call uses it (E6).
                app.refund_next(turn.now);
                outcome::Waiting::Prepaid
            } else {
                outcome::Waiting::CutOff
            }
        }
    }
}

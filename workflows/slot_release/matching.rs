//! The first free place to the first in line (R16, R18).

use chrono::TimeDelta;

use super::outcome;
use super::state::{OnOffer, Release};
use crate::engine::{Fault, RunId, Turn};
use crate::ports::his::TimeSlot;
use crate::records::entries;
use crate::workflows::{Ports, unread};

/// How long an offer may be out before we look whether the applicant is still at it.
const ASK_AFTER: TimeDelta = TimeDelta::seconds(60);
/// The same where another half-day's hand-out may have asked the same applicant at the same moment (Q2).
const ASK_AFTER_OF_A_DAY: TimeDelta = TimeDelta::seconds(5);

pub(super) async fn matching(release: &mut Release, turn: &Turn, ports: &Ports) -> Result<outcome::Matching, Fault> {
    release.offer = None;
    if turn.now >= release.cutoff {
        return Ok(outcome::Matching::CutOff);
    }
    // Handing the earlier ones out may have taken its time.
    release.skip_what_is_near(turn.now, ports.tz);
    let Some((slot, entry)) = next(release, ports).await? else {
        // What is left over is for whoever joins next.
        release.unasked = !release.free.is_empty();
        return Ok(if release.free.is_empty() { outcome::Matching::Exhausted } else { outcome::Matching::Nobody });
    };
    release.offers += 1;
    release.offer = Some(OnOffer { nth: release.offers, entry, slot, ask_at: turn.now + ask_after(release) });
    Ok(outcome::Matching::Offered)
}

pub(super) fn ask_after(release: &Release) -> TimeDelta {
    if release.day.is_some() { ASK_AFTER_OF_A_DAY } else { ASK_AFTER }
}

/// The first time that somebody wants, and the first in line for it.
async fn next(release: &Release, ports: &Ports) -> Result<Option<(TimeSlot, RunId)>, Fault> {
    for (slot, passing_over) in release.on_offer() {
        let (id, beside) = (&release.schedule_id, release.beside());
        let first = entries::first_in_line(&ports.pool, &ports.hospital, id, beside, &passing_over);
        if let Some(entry) = first.await.map_err(unread)? {
            return Ok(Some((slot.clone(), entry)));
        }
        if passing_over.len() == release.passed.len() {
            // Nobody passes on this time alone, so nobody is left for another one either.
            return Ok(None);
        }
    }
    Ok(None)
}

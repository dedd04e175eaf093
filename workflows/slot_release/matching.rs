//! The first free place to the first in line (R16, R18).

use chrono::TimeDelta;

use super::outcome;
use super::state::{OnOffer, Release};
use crate::engine::{Fault, RunId, Turn};
use crate::ports::his::TimeSlot;
use crate::records::entries;
use crate::workflows::{Ports, unread};

/// How long an offer may be out before we look whether the applicant is still at it.
pub(super) const ASK_AFTER: TimeDelta = TimeDelta::seconds(60);

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
    release.offer = Some(OnOffer { nth: release.offers, entry, slot, ask_at: turn.now + ASK_AFTER });
    Ok(outcome::Matching::Offered)
}

/// The first time that somebody wants, and the first in line for it.
async fn next(release: &Release, ports: &Ports) -> Result<Option<(TimeSlot, RunId)>, Fault> {
    for (slot, passing_over) in release.on_offer() {
        let first = entries::first_in_line(&ports.pool, &ports.hospital, &release.schedule_id, &passing_over);
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

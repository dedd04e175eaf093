//! The first free place to the first in line (R16, R18).

use chrono::TimeDelta;

use super::outcome;
use super::state::{OnOffer, Release};
use crate::engine::{Fault, Turn};
use crate::records::entries;
use crate::workflows::{Ports, unread};

/// How long an offer may be out before we look whether the applicant is still at it.
pub(super) const ASK_AFTER: TimeDelta = TimeDelta::seconds(60);

pub(super) async fn matching(release: &mut Release, turn: &Turn, ports: &Ports) -> Result<outcome::Matching, Fault> {
    release.offer = None;
    if turn.now >= release.cutoff {
        return Ok(outcome::Matching::CutOff);
    }
    let Some(open) = release.free.first() else { return Ok(outcome::Matching::Exhausted) };
    let slot = open.slot.clone();
    let first = entries::first_in_line(&ports.pool, &ports.hospital, &release.schedule_id, &release.passed)
        .await
        .map_err(unread)?;
    let Some(entry) = first else { return Ok(outcome::Matching::Nobody) };
    release.offers += 1;
    release.offer = Some(OnOffer { nth: release.offers, entry, slot, ask_at: turn.now + ASK_AFTER });
    Ok(outcome::Matching::Offered)
}

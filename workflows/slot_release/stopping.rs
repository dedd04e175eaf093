//! 停诊 (R34), and the time after the cutoff in which it can still come.

use chrono::{DateTime, Utc};

use super::state::Release;
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::records::concern::{self, End};
use crate::workflows::{Ports, unread};

pub(super) async fn stopping(release: &mut Release, _: &Turn, ports: &Ports) -> Result<outcome::Stopping, Fault> {
    // Who has not heard of our last offer yet is about to ask HIS for a place of this half-day.
    let offered = release.offer.as_ref().map(|offer| offer.entry);
    let all = concern::concerned(&ports.pool, &ports.hospital, &release.schedule_id, offered).await.map_err(unread)?;
    (release.concerned, release.of_day, release.moving) = (Vec::new(), Vec::new(), Vec::new());
    for (entry, end) in all {
        match end {
            End::Here => release.concerned.push(entry),
            End::WaitsAt(half) => release.moving.push((entry, half)),
            End::Day => release.of_day.push(entry),
        }
    }
    Ok(outcome::Stopping::Told)
}

pub(super) fn visits_end(release: &Release) -> DateTime<Utc> {
    release.visits_end
}

pub(super) fn shut(release: &mut Release, turn: &Turn, woke: woke::Shut) -> outcome::Shut {
    match woke {
        woke::Shut::Change(change) => release.becomes(&change),
        woke::Shut::Terms(terms) => release.renews(&terms),
        woke::Shut::Stoppage(_) => return outcome::Shut::Stopped,
        woke::Shut::Deadline => return outcome::Shut::Over,
    }
    // What came free meanwhile was not heard: HIS is asked.
    if release.reopens(turn.now) { outcome::Shut::Reopened } else { outcome::Shut::Changed }
}

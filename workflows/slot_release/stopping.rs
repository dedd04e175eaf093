//! 停诊 (R34), and the time after the cutoff in which it can still come.

use chrono::{DateTime, Utc};

use super::state::Release;
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::records::concern;
use crate::workflows::{Ports, unread};

pub(super) async fn stopping(release: &mut Release, _: &Turn, ports: &Ports) -> Result<outcome::Stopping, Fault> {
    release.concerned = concern::concerned(&ports.pool, &ports.hospital, &release.schedule_id).await.map_err(unread)?;
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

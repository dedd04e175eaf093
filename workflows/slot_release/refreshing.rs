//! From a hint to the places that HIS really has (R14, R18).

use chrono::{DateTime, Utc};

use super::state::Release;
use super::{outcome, woke};
use crate::engine::{Fault, Turn, limits};
use crate::records::entries;
use crate::waitlist::calendar;
use crate::workflows::{Ports, unread};

/// R25.
pub(super) fn cutoff(release: &Release) -> DateTime<Utc> {
    release.cutoff
}

pub(super) fn idle(release: &mut Release, turn: &Turn, woke: woke::Idle) -> outcome::Idle {
    // It was held when the run came here.
    release.draw = None;
    match woke {
        woke::Idle::Freed(_) => {
            release.heard_at = Some(turn.now);
            outcome::Idle::Hint
        }
        woke::Idle::Stoppage(_) => outcome::Idle::Stopped,
        woke::Idle::Deadline => outcome::Idle::CutOff,
    }
}

pub(super) async fn refreshing(
    release: &mut Release,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::Refreshing, Fault> {
    if turn.now >= release.cutoff {
        limits::nobody_called();
        return Ok(outcome::Refreshing::CutOff);
    }
    release.passed.clear();
    release.told_at = None;
    let waits =
        entries::first_in_line(&ports.pool, &ports.hospital, &release.schedule_id, &[]).await.map_err(unread)?;
    if waits.is_none() {
        limits::nobody_called();
        return Ok(outcome::Refreshing::Nobody);
    }
    let mut free = ports.his.open_slots(&release.schedule_id, release.visit_date).await?;
    // A time that has begun cannot be given to anybody.
    free.retain(|open| {
        open.remaining > 0 && calendar::visit_starts_at(release.visit_date, open.slot.begins, ports.tz) > turn.now
    });
    free.sort_by(|a, b| a.slot.cmp(&b.slot));
    release.free = free;
    release.told_at = Some(turn.now);
    Ok(if release.free.is_empty() { outcome::Refreshing::Full } else { outcome::Refreshing::Found })
}

//! The pull itself. HIS being away is not "full": it is asked again soon, and nothing is concluded.

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::state::Department;
use super::{outcome, woke};
use crate::engine::{Fault, Turn, limits};
use crate::ports::CallError;
use crate::ports::his::ScheduleState;
use crate::records::{concern, entries, schedules};
use crate::workflows::{Ports, changes, unread};

/// HIS that did not answer is asked again after so long.
const ASK_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(2);

pub(super) fn ask_again(department: &Department) -> DateTime<Utc> {
    department.next_at
}

pub(super) fn resting(_: &mut Department, _: &Turn, woke: woke::Resting) -> outcome::Resting {
    match woke {
        woke::Resting::PullNow(now) if now.retire => outcome::Resting::Retired,
        woke::Resting::PullNow(_) | woke::Resting::Deadline => outcome::Resting::Due,
    }
}

pub(super) async fn pulling(
    department: &mut Department,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::Pulling, Fault> {
    let today = turn.now.with_timezone(&ports.tz).date_naive();
    let until = today + Days::new(u64::from(ports.schedule_days_ahead));
    let told = match ports.his.schedules(&department.id, None, today, until).await {
        Ok(told) => told,
        Err(error @ CallError::Broken { .. }) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(department = department.id, %error, "HIS is away; its schedules are asked for again");
            limits::unanswered(&error);
            department.freed.clear();
            department.stopped.clear();
            department.changed.clear();
            department.next_at = turn.now + ASK_AGAIN_AFTER;
            return Ok(outcome::Pulling::Away);
        }
    };
    let mut conn = ports.pool.acquire().await.map_err(unread)?;
    schedules::mirror(&mut conn, &ports.hospital, &department.id, &told, turn.now).await.map_err(unread)?;
    let named = |wanted: &dyn Fn(&crate::ports::his::HisSchedule) -> bool| {
        told.iter().filter(|schedule| wanted(schedule)).map(|schedule| schedule.reg_id.clone()).collect::<Vec<_>>()
    };
    let free = named(&|schedule| schedule.state == ScheduleState::Open && schedule.remaining > 0);
    let stopped = named(&|schedule| schedule.state == ScheduleState::Stopped);
    department.freed = entries::waited_for(&mut *conn, &ports.hospital, &free).await.map_err(unread)?;
    department.stopped = concern::concerning(&mut *conn, &ports.hospital, &stopped).await.map_err(unread)?;
    department.changed = changes::untold(&mut conn, ports, &department.id, None, turn.now).await.map_err(unread)?;
    department.pulled_at = Some(turn.now);
    Ok(outcome::Pulling::Pulled)
}

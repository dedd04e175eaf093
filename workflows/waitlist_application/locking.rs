//! The lock (R10, R20): holds the offered place for as long as the patient may take, and a grace longer (E4).

use chrono::{DateTime, TimeDelta};

use super::lock_check::renewed_at;
use super::outcome;
use super::state::{Application, Offered, Unusable};
use crate::engine::{Fault, Turn, limits};
use crate::ports::his::Lock;
use crate::records::entries;
use crate::waitlist::calendar;
use crate::workflows::{Ports, unread};

pub(super) async fn locking(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Locking, Fault> {
    let lock_id = app.order_id(turn.run);
    let Some(slot) = app.offer.as_ref().map(|offer| offer.slot.clone()) else {
        return Err(Fault::Stop("there is no offer to lock".to_owned()));
    };
    // A lock that may have been taken is followed up.
    if !turn.again && entries::asked_elsewhere(&ports.pool, &ports.hospital, turn.run).await.map_err(unread)? {
        limits::nobody_called();
        (app.withheld, app.offer) = (true, None);
        return Ok(outcome::Locking::Withheld);
    }
    let (window, grace) = match ports.his.holds_for() {
        Some(held) => calendar::within_lock(held, app.policy.offer_window_minutes, app.policy.lock_grace_minutes),
        None => (app.policy.offer_window_minutes, app.policy.lock_grace_minutes),
    };
    let visit_starts = calendar::visit_starts_at(app.visit_date, slot.begins, ports.tz);
    let hard_stop = calendar::hard_stop_at(visit_starts, app.policy.hard_stop_minutes_before_visit);
    let quiet = Some(&app.policy.quiet_hours);
    let deadline = calendar::offer_deadline(turn.now, window, quiet, hard_stop, ports.tz);
    let place = app.place(&slot);
    let least = calendar::least_deadline(turn.now, window);
    if deadline < least {
        limits::nobody_called();
        return Ok(unusable(app, Unusable::TooLate, turn.again));
    }
    let minutes = calendar::lock_minutes(turn.now, deadline, grace);
    let until = match ports.his.lock(&lock_id, &place, minutes).await? {
        Lock::Held { until } => until,
        // Its time began after this turn did; of one that was there before it is only known that the offer was made first.
        Lock::HeldFor { minutes, anew } => {
            let since = app.offer.as_ref().and_then(|offer| offer.since);
            calendar::later(if anew { turn.now } else { since.unwrap_or(DateTime::UNIX_EPOCH) }, minutes)
        }
        Lock::Taken => return Ok(gone(app, turn.again)),
        // A lock names no patient: what is refused is the place.
        Lock::Refused { code } => {
            tracing::warn!(run = %turn.run, code, "HIS refuses the lock of a place");
            return Ok(unusable(app, Unusable::Refused, turn.again));
        }
    };
    // A lock that was taken at an earlier attempt may end sooner than one taken now, and HIS may have granted less.
    let watched = ports.his.cares_for_locks();
    let holds = until - TimeDelta::minutes(i64::from(grace));
    let deadline = if watched { deadline } else { deadline.min(holds) };
    let renew_at = renewed_at(turn.now, until, deadline, grace).filter(|_| watched);
    let too_short = deadline < least || until <= turn.now;
    if too_short && !turn.again {
        let granted = (until - turn.now).num_minutes();
        return Err(Fault::Stop(format!(
            "HIS does not keep LOCK_MINUTES: it grants {granted} minutes where {minutes} were asked for, and nobody could \
             answer in what is left; have it keep them, then retry"
        )));
    }
    // Taken at an earlier attempt, whose answer was lost for long: nobody is given seconds to answer (R20).
    if too_short {
        return Ok(unusable(app, Unusable::TooLate, true));
    }
    app.in_passing = false;
    let since = app.offer.as_ref().and_then(|offer| offer.since);
    app.offer = Some(Offered { slot, deadline: Some(deadline), locked: true, since, renew_at, watched });
    Ok(outcome::Locking::Locked)
}

/// The place cannot be had although nobody else took it.
fn unusable(app: &mut Application, why: Unusable, may_hold: bool) -> outcome::Locking {
    app.unusable = Some(why);
    gone(app, may_hold)
}

/// The place cannot be had. Where an earlier attempt may have locked it after all, it is given back first (E1).
fn gone(app: &mut Application, may_hold: bool) -> outcome::Locking {
    match app.offer.as_mut() {
        Some(offer) if may_hold => {
            offer.locked = true;
            outcome::Locking::Unusable
        }
        _ => {
            app.offer = None;
            outcome::Locking::Taken
        }
    }
}

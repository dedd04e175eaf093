//! From a hint to the places that HIS really has (R14, R18).

use chrono::{DateTime, Utc};

use super::state::{Day, Freed, Release};
use super::{outcome, woke};
use crate::engine::{Fault, Turn, limits};
use crate::ports::his::{DayPart, OpenSlot, ScheduleState};
use crate::records::entries;
use crate::records::policies::{self, OfSchedule};
use crate::records::schedules::Half;
use crate::waitlist::calendar;
use crate::waitlist::policy::{HalfDays, PaymentMode, Policy};
use crate::workflows::{Ports, changes, unread};

/// R25.
pub(super) fn cutoff(release: &Release) -> DateTime<Utc> {
    release.cutoff
}

pub(super) fn idle(release: &mut Release, turn: &Turn, woke: woke::Idle) -> outcome::Idle {
    // It was held when the run came here.
    release.draw = None;
    match woke {
        woke::Idle::Freed(freed) => {
            release.heard_at = Some(turn.now);
            if [Freed::GIVEN_BACK, Freed::UNASKED].contains(&freed.source.as_str()) {
                return outcome::Idle::Hint;
            }
            let at = calendar::handed_out_at(turn.now, release.delay_minutes_max, release.cutoff, chance());
            if at > turn.now {
                release.handed_out_at = Some(at);
                return outcome::Idle::Kept;
            }
            outcome::Idle::Hint
        }
        woke::Idle::Terms(terms) => {
            release.renews(&terms);
            renewed(release)
        }
        woke::Idle::Change(change) => {
            release.becomes(&change);
            renewed(release)
        }
        woke::Idle::Stoppage(_) => outcome::Idle::Stopped,
        woke::Idle::Deadline => {
            release.past = true;
            outcome::Idle::CutOff
        }
    }
}

/// Places that the earlier cutoff kept from being handed out may be handed out after all.
fn renewed(release: &Release) -> outcome::Idle {
    if release.free.is_empty() { outcome::Idle::Renewed } else { outcome::Idle::Hint }
}

fn chance() -> u16 {
    let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
    u16::from_be_bytes([a, b])
}

pub(super) fn handed_out(release: &Release) -> DateTime<Utc> {
    release.handed_out_at.unwrap_or(release.cutoff)
}

/// A place that is freed comes to nobody at a moment that whoever frees it could know (R33).
pub(super) fn keeping(release: &mut Release, _: &Turn, woke: woke::Keeping) -> outcome::Keeping {
    release.handed_out_at = None;
    match woke {
        woke::Keeping::Stoppage(_) => outcome::Keeping::Stopped,
        woke::Keeping::Deadline => outcome::Keeping::Over,
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
    release.unwanted.clear();
    release.told_at = None;
    // Settings and fees that are changed while a queue stands count from the next place on.
    let of = policies::of_schedule(&ports.pool, &ports.hospital, &release.schedule_id).await.map_err(unread)?;
    release.change = changes::change(&release.schedule_id, &of, ports, turn.now);
    let OfSchedule { policy, fee_fen, half_day, sitting, changed_at, beside } = of;
    let half = sitting.as_ref().map(|sitting| Half {
        schedule_id: release.schedule_id.clone(),
        part: sitting.part,
        changed_at,
    });
    release.day = half.filter(|_| !beside.is_empty()).map(|half| Day { half, beside });
    release.visit_date = sitting.map_or(release.visit_date, |sitting| sitting.visit_date);
    release.goes_by(&policy);
    release.fee_fen = fee_fen;
    let (id, beside) = (&release.schedule_id, release.beside());
    let waits = entries::first_in_line(&ports.pool, &ports.hospital, id, beside, &[]).await.map_err(unread)?;
    if waits.is_none() {
        release.unasked = true;
        limits::nobody_called();
        return Ok(outcome::Refreshing::Nobody);
    }
    if let Some(at) = after_the_night(release, &policy, turn.now, ports) {
        release.handed_out_at = Some(at);
        limits::nobody_called();
        return Ok(outcome::Refreshing::Kept);
    }
    release.free = match half_day {
        None => ports.his.open_slots(&release.schedule_id, release.visit_date).await?,
        Some(whole) => of_half_day(release, &whole, &policy.half_days, ports).await?,
    };
    release.unasked = false;
    release.free.sort_by(|a, b| a.slot.cmp(&b.slot));
    release.too_near = 0;
    release.skip_what_is_near(turn.now, ports.tz);
    release.told_at = Some(turn.now);
    Ok(if release.free.is_empty() { outcome::Refreshing::Full } else { outcome::Refreshing::Found })
}

/// When the quiet hours end, where a place cannot be held until then for somebody who has to pay (R10): 2005 locks it for minutes, and
/// nobody is asked who sleeps meanwhile. None where the queue closes sooner.
fn after_the_night(release: &Release, policy: &Policy, now: DateTime<Utc>, ports: &Ports) -> Option<DateTime<Utc>> {
    let held = ports.his.holds_for().filter(|_| policy.payment_mode == PaymentMode::LockThenPay)?;
    let ends = policy.quiet_hours.quiet_end(now, ports.tz)?;
    let (window, _) = calendar::within_lock(held, policy.offer_window_minutes, policy.lock_grace_minutes);
    (calendar::later(ends, window) > calendar::later(now, held) && ends < release.cutoff).then_some(ends)
}

/// A schedule without times has places of its whole half-day, which are listed with it (R18).
async fn of_half_day(
    release: &Release,
    (department_id, doctor_id, part): &(String, String, DayPart),
    half_days: &HalfDays,
    ports: &Ports,
) -> Result<Vec<OpenSlot>, Fault> {
    let (day, id) = (release.visit_date, &release.schedule_id);
    let listed = ports.his.schedules(department_id, Some(doctor_id), day, day).await?;
    let open = listed.into_iter().filter(|one| one.reg_id == *id && one.state == ScheduleState::Open);
    let slot = part.slot(half_days);
    Ok(open.map(|one| OpenSlot { slot: slot.clone(), remaining: one.remaining }).collect())
}

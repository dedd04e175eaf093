//! Which tick of a job is started now, and which are passed over. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Missed, Plan};

/// A tick that starts so late is missed: it takes a worker that long to be replaced.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// A tick to come, and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Planned {
    pub tick: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
}

/// What is to be done about a job that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Decided {
    /// The tick that is started; none where all that are due are passed over.
    pub start: Option<DateTime<Utc>>,
    /// The first of those that are passed over.
    pub missed_from: Option<DateTime<Utc>>,
    /// What comes then.
    pub next: Option<Planned>,
}

impl Plan {
    /// The first tick after `instant`, and when it is due.
    pub(in super::super) fn next_after(&self, job: &str, instant: DateTime<Utc>) -> Option<Planned> {
        let tick = self.cron.next_after(instant)?;
        Some(Planned { tick, due_at: self.due_at(job, tick) })
    }

    /// When a tick is due: as much later as its jitter is, which is derived from job and tick.
    pub(super) fn due_at(&self, job: &str, tick: DateTime<Utc>) -> DateTime<Utc> {
        let most_ms = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let later_ms = scatter(job, tick) % most_ms.saturating_add(1);
        tick + TimeDelta::milliseconds(i64::try_from(later_ms).unwrap_or(i64::MAX))
    }

    /// What to do when `first`, the first tick that was neither started nor passed over, is due. `retried`: it was tried
    /// before and failed, which does not make it missed.
    pub(super) fn decide(&self, job: &str, first: DateTime<Utc>, retried: bool, now: DateTime<Utc>) -> Decided {
        let start = match self.missed {
            Missed::All => Some(first),
            Missed::One => Some(self.newest_due(job, first, now)),
            Missed::Skip => {
                let newest = self.newest_due(job, first, now);
                let in_time = now - self.due_at(job, newest) <= LATE || (retried && newest == first);
                if in_time { Some(newest) } else { None }
            }
        };
        let last = start.unwrap_or_else(|| self.newest_due(job, first, now));
        Decided { start, missed_from: (start != Some(first)).then_some(first), next: self.next_after(job, last) }
    }

    /// The last tick that is due, at least `first`, which is. Looks back from now, further and further, so that a year
    /// without a worker is not walked through minute by minute.
    fn newest_due(&self, job: &str, first: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
        let due = |tick: &DateTime<Utc>| self.due_at(job, *tick) <= now;
        let jitter = TimeDelta::from_std(self.jitter).unwrap_or(TimeDelta::MAX);
        let mut reach = TimeDelta::minutes(1);
        let start = loop {
            let from = now.checked_sub_signed(jitter).and_then(|from| from.checked_sub_signed(reach));
            let Some(from) = from.filter(|from| *from > first) else { break first };
            match self.cron.next_after(from).filter(due) {
                Some(tick) => break tick,
                None => reach = reach.checked_mul(2).unwrap_or(TimeDelta::MAX),
            }
        };
        self.cron.ticks_after(start).take_while(|tick| *tick <= now).filter(due).last().unwrap_or(start)
    }
}

/// A number that depends on job and tick alone (FNV-1a, then mixed), whatever machine and release asks.
fn scatter(job: &str, tick: DateTime<Utc>) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in job.bytes().chain(tick.timestamp_millis().to_be_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::time::Duration;

    use chrono_tz::Asia::Shanghai;

    use super::super::super::cron::Cron;
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-09-01T{text}Z").parse().unwrap()
    }

    fn plan(missed: Missed) -> Plan {
        Plan { cron: Cron::new("*/15 * * * *", Shanghai).unwrap(), missed, jitter: Duration::ZERO }
    }

    /// Start, the first that is passed over, next.
    fn decided(plan: &Plan, first: &str, retried: bool, now: &str) -> (Option<String>, Option<String>, String) {
        let shown = |tick: DateTime<Utc>| tick.format("%H:%M").to_string();
        let decided = plan.decide("tea", at(first), retried, at(now));
        (decided.start.map(shown), decided.missed_from.map(shown), shown(decided.next.unwrap().tick))
    }

    #[allow(clippy::unnecessary_wraps, reason = "a table's word for a tick that is started")]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_tick_that_is_in_time_is_started_whatever_becomes_of_missed_ones() {
        for missed in [Missed::Skip, Missed::One, Missed::All] {
            let plan = plan(missed);
            assert_eq!(decided(&plan, "10:00:00", false, "10:00:00"), (some("10:00"), None, "10:15".to_owned()));
            assert_eq!(decided(&plan, "10:00:00", false, "10:01:00"), (some("10:00"), None, "10:15".to_owned()));
        }
    }

    #[test]
    fn missed_ticks_are_passed_over_or_the_last_is_made_up_or_all_are() {
        let table = [
            (Missed::Skip, (None, some("10:00"), "11:15")),
            (Missed::One, (some("11:00"), some("10:00"), "11:15")),
            (Missed::All, (some("10:00"), None, "10:15")),
        ];
        for (missed, (start, from, next)) in table {
            assert_eq!(
                decided(&plan(missed), "10:00:00", false, "11:07:00"),
                (start, from, next.to_owned()),
                "{missed:?}"
            );
        }
        // One that was missed alone.
        assert_eq!(
            decided(&plan(Missed::Skip), "10:00:00", false, "10:07:00"),
            (None, some("10:00"), "10:15".to_owned())
        );
        assert_eq!(
            decided(&plan(Missed::One), "10:00:00", false, "10:07:00"),
            (some("10:00"), None, "10:15".to_owned())
        );
        // Back in time for the newest.
        assert_eq!(
            decided(&plan(Missed::Skip), "10:00:00", false, "11:00:30"),
            (some("11:00"), some("10:00"), "11:15".to_owned())
        );
    }

    #[test]
    fn a_tick_that_is_tried_again_is_not_missed_until_the_next_one_comes() {
        let plan = plan(Missed::Skip);
        assert_eq!(decided(&plan, "10:00:00", true, "10:14:00"), (some("10:00"), None, "10:15".to_owned()));
        assert_eq!(decided(&plan, "10:00:00", true, "10:15:02"), (some("10:15"), some("10:00"), "10:30".to_owned()));
        assert_eq!(decided(&plan, "10:00:00", true, "10:20:00"), (None, some("10:00"), "10:30".to_owned()));
    }

    #[test]
    fn a_long_absence_ends_at_the_newest_tick() {
        let each_minute = Plan { cron: Cron::new("* * * * *", Shanghai).unwrap(), ..plan(Missed::One) };
        let long_ago = at("00:00:00") - TimeDelta::days(365);
        assert_eq!(each_minute.newest_due("tea", long_ago, at("10:00:59")), at("10:00:00"));
        let each_year = Plan { cron: Cron::new("0 8 1 1 *", Shanghai).unwrap(), ..plan(Missed::One) };
        let new_year = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(each_year.newest_due("tea", long_ago, at("10:00:00")), new_year);
        assert_eq!(each_year.newest_due("tea", new_year, at("10:00:00")), new_year);
    }

    #[test]
    fn jitter_is_the_same_for_everybody_and_stays_within_its_bounds() {
        let plan = Plan { jitter: Duration::from_mins(1), ..plan(Missed::One) };
        let ticks: Vec<DateTime<Utc>> = plan.cron.ticks_after(at("00:00:00")).take(200).collect();
        let later = |job: &str, tick: DateTime<Utc>| (plan.due_at(job, tick) - tick).num_seconds();
        assert!(ticks.iter().all(|tick| (0..=60).contains(&later("tea", *tick))));
        let early = ticks.iter().filter(|tick| later("tea", **tick) < 30).count();
        assert!((60..140).contains(&early), "{early} of 200 in the first half");
        assert!(ticks.iter().any(|tick| later("tea", *tick) != later("coffee", *tick)));
        // Stored rows and other releases rely on it.
        assert_eq!(plan.due_at("tea", at("10:00:00")), plan.clone().due_at("tea", at("10:00:00")));
        // Not due before its jitter has passed: the one before is the newest.
        let first = ticks.iter().copied().find(|tick| later("tea", *tick) > 10).unwrap();
        let before = first - TimeDelta::minutes(15);
        assert_eq!(plan.newest_due("tea", before, first + TimeDelta::seconds(5)), before);
        assert_eq!(plan.newest_due("tea", before, first + TimeDelta::seconds(61)), first);
    }
}

//! When a destination counts as down, for how long, and how it comes back. Pure; goes by the engine's clock.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Limits;

/// How far back calls are counted.
pub const WINDOW: TimeDelta = TimeDelta::seconds(10);

/// What a destination's breaker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls are made: all of them, or while it recovers so many at one time.
    Closed {
        /// None: all.
        ramp: Option<u32>,
    },
    /// No call is made until then.
    Open {
        /// When it may be tried again.
        until: DateTime<Utc>,
    },
    /// One worker makes one call.
    HalfOpen {
        /// Which.
        prober: Uuid,
    },
}

/// How calls ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered, also with a refusal.
    pub ok: u32,
    /// Certainly without effect.
    pub failed: u32,
    /// Who knows.
    pub unknown: u32,
}

impl Counts {
    /// Calls that were not answered.
    pub fn failures(self) -> u32 {
        self.failed.saturating_add(self.unknown)
    }

    /// True where nothing was counted.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            ok: self.ok.saturating_add(other.ok),
            failed: self.failed.saturating_add(other.failed),
            unknown: self.unknown.saturating_add(other.unknown),
        }
    }
}

/// The counts of the last [`WINDOW`].
#[derive(Debug, Clone, Default)]
pub struct Window {
    counts: VecDeque<(DateTime<Utc>, Counts)>,
}

impl Window {
    /// Adds what was counted until `now` and answers what counts now.
    pub fn add(&mut self, now: DateTime<Utc>, counts: Counts) -> Counts {
        // A clock that was moved back by hand leaves instants that never pass.
        self.counts.retain(|(at, _)| *at > now - WINDOW && *at <= now);
        if !counts.is_empty() {
            match self.counts.back_mut().filter(|(at, _)| *at == now) {
                Some((_, last)) => *last = last.plus(counts),
                None => self.counts.push_back((now, counts)),
            }
        }
        self.counts.iter().fold(Counts::default(), |sum, (_, counts)| sum.plus(*counts))
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.counts.clear();
    }
}

/// True where `counts` open the breaker. While a destination recovers, fewer failures do: as many as calls are let
/// through.
pub fn opens(limits: &Limits, ramp: Option<u32>, counts: Counts) -> bool {
    let enough = ramp.map_or(limits.failures_min, |ramp| ramp.min(limits.failures_min));
    let failures = counts.failures();
    let all = f64::from(failures.saturating_add(counts.ok));
    failures >= enough.max(1) && f64::from(failures) >= limits.failures_share * all
}

/// The next ramp after as many answers in a row as the present one lets through; `None` once everything is let through.
pub fn next_ramp(concurrency_max: u32, ramp: u32) -> Option<u32> {
    let next = ramp.saturating_mul(2);
    (next < concurrency_max).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(ok: u32, failed: u32, unknown: u32) -> Counts {
        Counts { ok, failed, unknown }
    }

    #[test]
    fn it_opens_at_many_failures_that_are_most_of_all_calls() {
        let limits = Limits::default();
        let table = [
            (counts(0, 9, 0), None, false),
            (counts(0, 10, 0), None, true),
            (counts(0, 4, 6), None, true),
            (counts(7, 10, 0), None, false),
            (counts(6, 9, 0), None, false),
            (counts(6, 10, 0), None, true),
            (counts(1_000, 900, 0), None, false),
            // Recovering: the first failure of the first call, half of the second pair.
            (counts(0, 0, 0), Some(1), false),
            (counts(0, 1, 0), Some(1), true),
            (counts(1, 1, 0), Some(1), false),
            (counts(1, 2, 0), Some(2), true),
            (counts(0, 9, 0), Some(64), false),
            (counts(0, 10, 0), Some(64), true),
        ];
        for (counts, ramp, expected) in table {
            assert_eq!(opens(&limits, ramp, counts), expected, "{counts:?} {ramp:?}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut window = Window::default();
        assert_eq!(window.add(at(0), counts(0, 1, 0)), counts(0, 1, 0));
        assert_eq!(window.add(at(9), counts(2, 0, 1)), counts(2, 1, 1));
        assert_eq!(window.add(at(10), counts(0, 0, 0)), counts(2, 0, 1));
        assert_eq!(window.add(at(10), counts(1, 0, 0)), counts(3, 0, 1));
        assert_eq!(window.add(at(5), counts(0, 0, 0)), counts(0, 0, 0), "the clock was moved back");
    }

    #[test]
    fn the_ramp_doubles_until_everything_is_let_through() {
        let ramps: Vec<Option<u32>> = [1, 2, 4, 8].map(|ramp| next_ramp(12, ramp)).to_vec();
        assert_eq!(ramps, [Some(2), Some(4), Some(8), None]);
        assert_eq!(next_ramp(1, 1), None);
    }
}

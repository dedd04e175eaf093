//! The slow lane (R33): whoever asks faster than people do is decided later, and never refused.
//!
//! A few requests at once are nobody's business. Beyond that they are spaced, each behind the one before it, up to a longest
//! wait: a crowd behind one address is slower than others, and still served. Nothing here waits or reads a clock.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// How fast one origin may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many at once are not spaced.
    pub at_once: u32,
    /// The space between those beyond.
    pub every: Duration,
    /// Nobody waits longer.
    pub wait_max: Duration,
}

/// When each origin would be back at rest, in time since some beginning.
#[derive(Debug)]
pub struct Lanes<K> {
    rests_at: HashMap<K, Duration>,
    /// With so many origins those that are at rest are forgotten.
    swept_at: usize,
}

/// The fewest origins that are looked through.
const KNOWN_MAX: usize = 50_000;

impl<K> Default for Lanes<K> {
    fn default() -> Self {
        Self { rests_at: HashMap::new(), swept_at: KNOWN_MAX }
    }
}

impl<K: Eq + Hash> Lanes<K> {
    /// One more request of this origin at `now`: how long it waits.
    pub fn arrive(&mut self, origin: K, pace: &Pace, now: Duration) -> Duration {
        if self.rests_at.len() >= self.swept_at {
            self.rests_at.retain(|_, at| *at > now);
            // However many are not at rest: all of them are looked through no more often than they double.
            self.swept_at = KNOWN_MAX.max(self.rests_at.len().saturating_mul(2));
        }
        let rests_at = self.rests_at.entry(origin).or_insert(now);
        let free = pace.every.saturating_mul(pace.at_once);
        // Whoever has waited longest makes nobody wait longer.
        let latest = now.saturating_add(free).saturating_add(pace.wait_max);
        *rests_at = (*rests_at).max(now).saturating_add(pace.every).min(latest);
        rests_at.saturating_sub(now).saturating_sub(free)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACE: Pace = Pace { at_once: 3, every: Duration::from_secs(6), wait_max: Duration::from_secs(20) };

    fn seconds(waits: &[Duration]) -> Vec<u64> {
        waits.iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn r33_a_few_at_once_are_nobodys_business_and_more_are_spaced_and_never_refused() {
        let mut lanes = Lanes::default();
        let now = Duration::from_secs(1000);
        let waits: Vec<Duration> = (0..9).map(|_| lanes.arrive("bot", &PACE, now)).collect();
        assert_eq!(seconds(&waits), [0, 0, 0, 6, 12, 18, 20, 20, 20]);
        // Others do not wait for it, and it is forgiven once it has been quiet.
        assert_eq!(lanes.arrive("patient", &PACE, now), Duration::ZERO);
        let later = now + Duration::from_secs(38);
        assert_eq!(lanes.arrive("bot", &PACE, later), Duration::ZERO);
    }

    #[test]
    fn r33_origins_at_rest_are_forgotten() {
        let mut lanes = Lanes::default();
        for nth in 0..=KNOWN_MAX {
            lanes.arrive(nth, &PACE, Duration::from_secs(nth as u64 * 60));
        }
        assert!(lanes.rests_at.len() < 10);
    }

    #[test]
    fn r33_a_crowd_is_not_looked_through_for_each_of_its_requests() {
        let mut lanes = Lanes::default();
        let now = Duration::from_secs(1000);
        for nth in 0..=KNOWN_MAX {
            lanes.arrive(nth, &PACE, now);
        }
        assert_eq!(lanes.swept_at, 2 * KNOWN_MAX, "nobody was at rest");
        for nth in 0..KNOWN_MAX {
            lanes.arrive(KNOWN_MAX + 1 + nth, &PACE, now + PACE.every);
        }
        assert_eq!(lanes.swept_at, 2 * (KNOWN_MAX - 1), "the first half was");
        assert!(lanes.rests_at.len() <= KNOWN_MAX + 1);
    }

    proptest! {
        #[test]
        fn r33_nobody_waits_longer_than_the_longest_wait_and_people_never_do(
            gaps in proptest::collection::vec(0_u64..20_000, 1..60), at_once in 1_u32..10, every in 1_u64..10_000, most in 0_u64..60_000,
        ) {
            let pace = Pace { at_once, every: Duration::from_millis(every), wait_max: Duration::from_millis(most) };
            let (mut lanes, mut slow) = (Lanes::default(), Lanes::default());
            let (mut now, mut slowly) = (Duration::ZERO, Duration::ZERO);
            for gap in gaps {
                now += Duration::from_millis(gap);
                prop_assert!(lanes.arrive((), &pace, now) <= pace.wait_max);
                slowly += Duration::from_millis(gap).max(pace.every);
                prop_assert_eq!(slow.arrive((), &pace, slowly), Duration::ZERO);
            }
        }
    }
}

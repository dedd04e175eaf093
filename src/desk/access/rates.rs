//! How often somebody may ask, and how long whoever asks more often has to wait: so many at once, then one at a time at a steady
//! rate. It stands in memory, one a process: what keeps off the many must not cost the database a write for each of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// With so many known, those that could ask all they like are forgotten.
const KNOWN_MAX: usize = 10_000;
/// All are looked through for them no more often than this.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// How often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// So many at once.
    pub at_once: u32,
    /// The space between those beyond.
    pub every: Duration,
}

/// When each of those who ask would be back at rest, in time since some beginning.
#[derive(Debug)]
pub struct Buckets<K> {
    rest_at: HashMap<K, Duration>,
    /// They are not looked through before.
    sweeps_at: Duration,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { rest_at: HashMap::new(), sweeps_at: Duration::ZERO }
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// One more at `now`; `Err`: not before so long has passed, and it does not count.
    pub fn take(&mut self, who: K, rate: Rate, now: Duration) -> Result<(), Duration> {
        if self.rest_at.len() >= KNOWN_MAX && now >= self.sweeps_at {
            self.rest_at.retain(|_, rests_at| *rests_at > now);
            self.sweeps_at = now.saturating_add(SWEPT_EVERY);
        }
        let rests_at = self.rest_at.entry(who).or_insert(now);
        let after = (*rests_at).max(now).saturating_add(rate.every);
        let latest = now.saturating_add(rate.every.saturating_mul(rate.at_once.max(1)));
        if after > latest {
            return Err(after.saturating_sub(latest));
        }
        *rests_at = after;
        Ok(())
    }
}

/// The same by the clock, for all requests of a process; without a rate anybody asks as often as they like.
pub struct Rates<K> {
    rate: Option<Rate>,
    began: Instant,
    buckets: Mutex<Buckets<K>>,
}

impl<K> Rates<K> {
    /// At this rate.
    pub fn new(rate: Option<Rate>) -> Self {
        Self { rate, began: Instant::now(), buckets: Mutex::default() }
    }
}

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<K: Eq + Hash> Rates<K> {
    /// One more; `Err`: not before so long has passed.
    pub fn take(&self, who: K) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = self.began.elapsed();
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).take(who, rate, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { at_once: 3, every: Duration::from_secs(2) };

    #[test]
    fn some_at_once_then_at_a_steady_rate_and_each_by_itself() {
        let mut buckets = Buckets::default();
        let at = Duration::from_secs;
        assert!((0..3).all(|_| buckets.take("a", RATE, at(10)).is_ok()));
        assert_eq!(buckets.take("a", RATE, at(10)), Err(at(2)));
        assert_eq!(buckets.take("a", RATE, at(11)), Err(at(1)), "whoever is refused does not wait longer for it");
        assert_eq!(buckets.take("b", RATE, at(11)), Ok(()));
        assert_eq!(buckets.take("a", RATE, at(12)), Ok(()));
        assert_eq!(buckets.take("a", RATE, at(12)), Err(at(2)));
        assert!((0..3).all(|_| buckets.take("a", RATE, at(100)).is_ok()), "at rest again");
    }

    #[test]
    fn whoever_is_at_rest_is_forgotten_and_looked_for_once_a_second() {
        let (mut buckets, at) = (Buckets::default(), Duration::from_millis);
        let fill = |buckets: &mut Buckets<usize>, from: usize, now| {
            (from..from + KNOWN_MAX).for_each(|who| assert_eq!(buckets.take(who, RATE, now), Ok(())));
        };
        fill(&mut buckets, 0, at(0));
        assert_eq!(buckets.take(0, RATE, at(2_000)), Ok(()));
        assert_eq!(buckets.rest_at.len(), 1, "two seconds later all the others are at rest");
        fill(&mut buckets, KNOWN_MAX, at(2_000));
        assert_eq!(buckets.take(0, RATE, at(2_999)), Ok(()));
        assert_eq!(buckets.rest_at.len(), KNOWN_MAX + 1, "a flood is not looked through at every request");
        assert_eq!(buckets.take(0, RATE, at(4_000)), Ok(()));
        assert_eq!(buckets.rest_at.len(), 1);
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_is_let_in_and_never_more_than_the_rate(
            gaps in proptest::collection::vec(0_u64..5_000, 1..80), at_once in 1_u32..6, every in 1_u64..3_000,
        ) {
            let rate = Rate { at_once, every: Duration::from_millis(every) };
            let (mut buckets, mut now, mut let_in) = (Buckets::default(), Duration::ZERO, 0_u64);
            for gap in gaps {
                now += Duration::from_millis(gap);
                if let Err(wait) = buckets.take((), rate, now) {
                    now += wait;
                    prop_assert_eq!(buckets.take((), rate, now), Ok(()));
                }
                let_in += 1;
                let most = u64::from(at_once) + u64::try_from(now.as_millis()).unwrap_or(u64::MAX) / every;
                prop_assert!(let_in <= most, "{} in {:?}", let_in, now);
            }
        }
    }
}

//! A token bucket: so many calls a second, a few of them at once. Pure; goes by the real clock, which is handed in.

use std::time::{Duration, Instant};

/// How many seconds' worth may be taken at once after a rest.
const BURST_S: f64 = 0.1;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    per_s: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(per_s: f64, at: Instant) -> Self {
        Self { per_s, tokens: burst(per_s), at }
    }

    /// The same at another rate: what is left stays, up to what may be taken at once.
    pub fn set_rate(&mut self, per_s: f64, now: Instant) {
        self.fill(now);
        self.per_s = per_s;
        self.tokens = self.tokens.min(burst(per_s));
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    /// Puts back one that was not used.
    pub fn put_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(burst(self.per_s));
    }

    /// How long until there is one.
    pub fn wait(&self, now: Instant) -> Duration {
        let missing = 1.0 - self.tokens - self.per_s * now.saturating_duration_since(self.at).as_secs_f64();
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / self.per_s).unwrap_or(Duration::MAX)
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + self.per_s * passed).min(burst(self.per_s));
        self.at = self.at.max(now);
    }
}

fn burst(per_s: f64) -> f64 {
    if per_s <= 0.0 { 0.0 } else { (per_s * BURST_S).max(1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_few_at_once_and_then_one_after_the_other() {
        let start = Instant::now();
        let mut bucket = Bucket::new(50.0, start);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 5);
        assert_eq!(bucket.wait(start).as_millis(), 20);
        assert!(!bucket.take(start + Duration::from_millis(19)));
        assert!(bucket.take(start + Duration::from_millis(20)));
        bucket.put_back();
        assert!(bucket.take(start + Duration::from_millis(20)));
    }

    #[test]
    fn no_rate_is_no_call() {
        let start = Instant::now();
        let mut bucket = Bucket::new(0.0, start);
        assert!(!bucket.take(start + Duration::from_hours(1)));
        assert_eq!(bucket.wait(start), Duration::MAX);
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_the_burst(per_s in 0.2..500.0_f64, asks in proptest::collection::vec(0..200_u64, 1..400)) {
            let start = Instant::now();
            let mut bucket = Bucket::new(per_s, start);
            let (mut passed, mut taken) = (Duration::ZERO, 0.0_f64);
            for ms in asks {
                passed += Duration::from_millis(ms);
                taken += f64::from(u8::from(bucket.take(start + passed)));
                prop_assert!(taken <= per_s * passed.as_secs_f64() + burst(per_s) + 1e-6);
            }
        }
    }
}

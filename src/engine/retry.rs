//! How long a failed step waits before it is tried again. Pure; the attempt and the next instant stand in the database.

use std::time::Duration;

/// How a step is retried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// The wait after the first failure.
    pub first: Duration,
    /// How much longer each next wait is.
    pub factor: f64,
    /// No wait is longer, jitter aside.
    pub cap: Duration,
    /// After so many failures the run is suspended for a person.
    pub attempts_max: u32,
}

impl Default for RetryPolicy {
    /// 2 s, doubled up to 5 minutes, 200 attempts: a system may be away for a night.
    fn default() -> Self {
        Self { first: Duration::from_secs(2), factor: 2.0, cap: Duration::from_mins(5), attempts_max: 200 }
    }
}

impl RetryPolicy {
    /// The wait after `failures` failures (at least one), or `None` when no attempt is left. `chance` in 0..1 spreads
    /// the wait over ±20 %, so that runs that failed together do not come back together.
    pub fn wait_after(&self, failures: u32, chance: f64) -> Option<Duration> {
        if failures >= self.attempts_max {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(self.cap.as_secs_f64());
        Some(Duration::from_secs_f64(seconds * (0.8 + 0.4 * chance)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_end() {
        let policy = RetryPolicy { attempts_max: 12, ..RetryPolicy::default() };
        let seconds: Vec<u64> =
            (1..12).map(|failures| policy.wait_after(failures, 0.5).unwrap_or_default().as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(policy.wait_after(12, 0.5), None);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait_after(3, 0.0), Some(Duration::from_secs_f64(6.4)));
        assert!(policy.wait_after(3, 0.999).is_some_and(|wait| wait <= Duration::from_secs_f64(9.6)));
    }
}

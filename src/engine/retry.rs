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
    /// Each wait is spread by chance over this share of it to both sides, so that runs that failed together do not come
    /// back together: 0.2 is ±20 %.
    pub jitter: f64,
    /// A step that has been failing for so long is suspended whatever its attempts; `None`: only attempts count.
    pub give_up_after: Option<Duration>,
}

impl RetryPolicy {
    /// 2 s, doubled up to 5 minutes, 200 attempts: a system may be away for a night.
    pub const PATIENT: Self = Self {
        first: Duration::from_secs(2),
        factor: 2.0,
        cap: Duration::from_mins(5),
        attempts_max: 200,
        jitter: 0.2,
        give_up_after: None,
    };
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::PATIENT
    }
}

impl RetryPolicy {
    /// The wait after `failures` failures (at least one) over the time `failing`, or `None` when none is left to try.
    /// `chance` in 0..1 places the wait within the jitter. A wait never goes past the instant at which it is given up,
    /// so that the last attempt is made then.
    pub fn wait_after(&self, failures: u32, failing: Duration, chance: f64) -> Option<Duration> {
        let left = self.give_up_after.map(|most| most.saturating_sub(failing));
        if failures >= self.attempts_max || left == Some(Duration::ZERO) {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(self.cap.as_secs_f64());
        let wait = Duration::from_secs_f64(seconds * (1.0 - self.jitter + 2.0 * self.jitter * chance));
        Some(left.map_or(wait, |left| wait.min(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn the_last_attempt_is_made_when_it_is_given_up() {
        let policy = RetryPolicy { give_up_after: Some(Duration::from_mins(1)), ..RetryPolicy::PATIENT };
        let secs = Duration::from_secs;
        assert_eq!(policy.wait_after(6, secs(20), 0.5), Some(secs(40)), "64 s would be past the end");
        assert_eq!(policy.wait_after(7, secs(60), 0.5), None);
        assert_eq!(policy.wait_after(7, secs(3600), 0.5), None);
    }

    #[test]
    fn waits_double_up_to_the_cap_and_end() {
        let policy = RetryPolicy { attempts_max: 12, ..RetryPolicy::default() };
        let seconds: Vec<u64> =
            (1..12).map(|failures| policy.wait_after(failures, NOW, 0.5).unwrap_or_default().as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(policy.wait_after(12, NOW, 0.5), None);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait_after(3, NOW, 0.0), Some(Duration::from_secs_f64(6.4)));
        assert!(policy.wait_after(3, NOW, 0.999).is_some_and(|wait| wait <= Duration::from_secs_f64(9.6)));
    }
}

//! Whether a request is sent again, and when. Pure. Every request may be: what changes something has a key or says the same
//! each time.

use std::time::Duration;

/// How often, and how long, a request that came to nothing is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// So many times altogether; 1: never again.
    pub tries_max: u32,
    /// After the first failure, unless the server says when; twice as long after each further one, and up to as much again by
    /// chance, so that many clients do not come back together.
    pub wait_first: Duration,
    /// No wait is longer. Where the server asks for more patience, the caller is told at once.
    pub wait_max: Duration,
}

impl Default for Retries {
    /// Four times within a few seconds; 30 s where the server says so.
    fn default() -> Self {
        Self { tries_max: 4, wait_first: Duration::from_millis(200), wait_max: Duration::from_secs(30) }
    }
}

/// What came of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// No answer: not connected, broken off, not in time.
    Nothing,
    /// An answer with this status, and how long `Retry-After` says to wait. `in_progress`: the same request is being answered.
    Status { status: u16, retry_after: Option<Duration>, in_progress: bool },
}

impl Came {
    /// True where the same request may have another end.
    fn passes(self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Status { status, in_progress, .. } => in_progress || matches!(status, 429 | 502 | 503 | 504),
        }
    }
}

impl Retries {
    /// Never again.
    pub const NONE: Self = Self { tries_max: 1, wait_first: Duration::ZERO, wait_max: Duration::ZERO };

    /// How long to wait before the next try; none: there is no next. `tries` were made; `chance` is 0 to 1.
    pub(super) fn wait(&self, tries: u32, came: Came, chance: f64) -> Option<Duration> {
        if tries >= self.tries_max || !came.passes() {
            return None;
        }
        let doubled = self.wait_first.saturating_mul(1 << (tries.saturating_sub(1)).min(16));
        let own = (doubled + doubled.mul_f64(chance)).min(self.wait_max);
        match came {
            Came::Status { retry_after: Some(asked), .. } if asked > self.wait_max => None,
            Came::Status { retry_after: Some(asked), .. } => Some(asked.max(own)),
            _ => Some(own),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn answered(status: u16, retry_after_s: Option<u64>) -> Came {
        Came::Status { status, retry_after: retry_after_s.map(Duration::from_secs), in_progress: false }
    }

    #[test]
    fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let retries = Retries::default();
        for status in [429, 502, 503, 504] {
            assert!(retries.wait(1, answered(status, None), 0.5).is_some(), "{status}");
        }
        for status in [200, 204, 400, 401, 403, 404, 409, 422, 500] {
            assert_eq!(retries.wait(1, answered(status, Some(1)), 0.5), None, "{status}");
        }
        assert!(retries.wait(1, Came::Nothing, 0.5).is_some());
        let busy = Came::Status { status: 409, retry_after: Some(Duration::from_secs(1)), in_progress: true };
        assert_eq!(retries.wait(1, busy, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(Retries::NONE.wait(1, Came::Nothing, 0.0), None);
    }

    #[test]
    fn waits_grow_heed_the_server_and_end() {
        let retries = Retries::default();
        let waits: Vec<_> = (1..=4).map(|tries| retries.wait(tries, Came::Nothing, 0.0)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(waits, [ms(200), ms(400), ms(800), None]);
        assert_eq!(retries.wait(1, Came::Nothing, 1.0), ms(400));
        assert_eq!(retries.wait(1, answered(429, Some(3)), 0.0), ms(3000));
        assert_eq!(retries.wait(3, answered(503, Some(0)), 0.0), ms(800));
        assert_eq!(retries.wait(1, answered(503, Some(31)), 0.0), None);
        let long = Retries { tries_max: u32::MAX, ..retries };
        assert_eq!(long.wait(4_000_000, Came::Nothing, 1.0), Some(retries.wait_max));
    }
}

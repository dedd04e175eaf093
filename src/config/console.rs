//! `[console]` and `[api_rate]`: how long staff stay logged in, and how often a key of the API may ask.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// See [`Config::console`](super::Config::console).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Whoever does nothing for so long is logged out, min.
    pub idle_min: u32,
    /// Everybody is after so long, h.
    pub most_h: u32,
}

/// See [`Config::api_rate`](super::Config::api_rate).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiRate {
    /// Requests a second of one key; 0: any.
    pub per_s: f64,
    /// So many at once.
    pub at_once: u32,
}

impl Console {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        let wrong =
            |key| Err(ConfigError::Invalid { key, what: "it is 0; nobody would be in for a moment".to_owned() });
        match (self.idle_min, self.most_h) {
            (0, _) => wrong("console.idle_min"),
            (_, 0) => wrong("console.most_h"),
            _ => Ok(()),
        }
    }
}

impl ApiRate {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, what: &str| Err(ConfigError::Invalid { key, what: what.to_owned() });
        if !(self.per_s.is_finite() && (self.per_s == 0.0 || self.per_s >= 0.01)) {
            return wrong("api_rate.per_s", "it is 0 (any), or at least 0.01");
        }
        if self.at_once == 0 { wrong("api_rate.at_once", "it is at least 1") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_and_a_rate_lets_something_through() {
        assert!(Console { idle_min: 60, most_h: 12 }.check().is_ok());
        assert!(Console { idle_min: 0, most_h: 12 }.check().is_err());
        assert!(Console { idle_min: 60, most_h: 0 }.check().is_err());
        assert!(ApiRate { per_s: 0.0, at_once: 1 }.check().is_ok());
        for (per_s, at_once) in [(f64::NAN, 1), (-1.0, 1), (0.001, 1), (f64::INFINITY, 1), (5.0, 0)] {
            assert!(ApiRate { per_s, at_once }.check().is_err(), "{per_s} {at_once}");
        }
    }
}

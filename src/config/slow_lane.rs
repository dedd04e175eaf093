//! `[slow_lane]`: how fast one device and one network address may apply before they are decided later (R33).

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The longest that `wait_max_s` may be: well before a claim of an idempotency key counts as left by a process that died,
/// or whoever asks again under the same key would be decided beside the one who waits.
pub const WAIT_MAX_S: u32 = 20;

/// See [`Config::slow_lane`](super::Config::slow_lane).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowLane {
    /// Applications of one device that are decided at once.
    pub device_at_once: u32,
    /// The space between those beyond, s.
    pub device_every_s: u32,
    /// The same of one network address.
    pub address_at_once: u32,
    /// The same.
    pub address_every_s: u32,
    /// Nobody waits longer, s.
    pub wait_max_s: u32,
}

impl SlowLane {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.wait_max_s > WAIT_MAX_S {
            let what = format!(
                "it is {}; at most it is {WAIT_MAX_S}, since a caller who repeats the request must find the first one at work",
                self.wait_max_s
            );
            return Err(ConfigError::Invalid { key: "slow_lane.wait_max_s", what });
        }
        let at_once =
            [("slow_lane.device_at_once", self.device_at_once), ("slow_lane.address_at_once", self.address_at_once)];
        match at_once.into_iter().find(|(_, at_once)| *at_once == 0) {
            Some((key, _)) => Err(ConfigError::Invalid { key, what: "it is 0; one patient is not a bot".to_owned() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_lane_lets_people_through_and_ends() {
        let good =
            SlowLane { device_at_once: 5, device_every_s: 6, address_at_once: 60, address_every_s: 1, wait_max_s: 20 };
        assert!(good.check().is_ok());
        for (bad, key) in [
            (SlowLane { device_at_once: 0, ..good }, "device_at_once"),
            (SlowLane { address_at_once: 0, ..good }, "address_at_once"),
            (SlowLane { wait_max_s: WAIT_MAX_S + 1, ..good }, "wait_max_s"),
        ] {
            assert!(bad.check().is_err_and(|error| error.to_string().contains(key)), "{key}");
        }
    }
}

//! `[retention]`: how long what is past is kept.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// See [`Config::retention`](super::Config::retention). Days of the engine's clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Ended runs, before they are archived.
    pub runs_days: u16,
    /// History, and archived runs with their signals.
    pub history_days: u16,
    /// Settled messages; signals that expired or found their run late.
    pub letters_days: u16,
    /// Callbacks of the outside.
    pub callbacks_days: u16,
    /// Patients who have not been with us.
    pub patients_days: u16,
}

impl Retention {
    /// Whether what is to be kept can be kept.
    pub(super) fn check(&self, unmatched_days: u16) -> Result<(), ConfigError> {
        let all = [
            ("retention.runs_days", self.runs_days),
            ("retention.history_days", self.history_days),
            ("retention.letters_days", self.letters_days),
            ("retention.callbacks_days", self.callbacks_days),
            ("retention.patients_days", self.patients_days),
            ("signals.unmatched_days", unmatched_days),
        ];
        if let Some((key, _)) = all.into_iter().find(|(_, days)| *days == 0) {
            return Err(ConfigError::Invalid { key, what: "it is 0 days; keep at least 1".to_owned() });
        }
        if self.history_days < self.runs_days {
            let what = format!(
                "it is {} days and runs_days {}: a run would outlive its history; make it at least as long",
                self.history_days, self.runs_days
            );
            return Err(ConfigError::Invalid { key: "retention.history_days", what });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_shorter_than_its_runs_is_refused() {
        let good =
            Retention { runs_days: 90, history_days: 400, letters_days: 90, callbacks_days: 400, patients_days: 1095 };
        assert!(good.check(7).is_ok());
        for (bad, unmatched_days, key) in [
            (Retention { history_days: 89, ..good.clone() }, 7, "retention.history_days"),
            (Retention { letters_days: 0, ..good.clone() }, 7, "retention.letters_days"),
            (good.clone(), 0, "signals.unmatched_days"),
        ] {
            assert!(bad.check(unmatched_days).is_err_and(|error| error.to_string().contains(key)), "{key}");
        }
    }
}

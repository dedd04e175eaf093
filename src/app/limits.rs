//! What the systems outside can take, as configured: the engine knows them by the names that steps call them by.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{Config, Limit};
use crate::engine::limits::Limits;
use crate::workflows::notices;

/// The limits by destination.
pub fn limits(config: &Config) -> BTreeMap<&'static str, Limits> {
    let all = &config.limits;
    BTreeMap::from([
        ("his", limit(&all.his, config.his.is_some())),
        ("payments", limit(&all.payments, config.payments_are_real())),
        (notices::LANE, limit(&all.messages, config.messages_are_real())),
        (notices::SMS, limit(&all.sms, config.sms.is_some())),
    ])
}

/// A rate goes by real time. A simulated system has none: a demo's day passes faster than time does.
fn limit(limit: &Limit, is_real: bool) -> Limits {
    Limits {
        concurrency_max: limit.concurrency,
        rate_per_s: (is_real && limit.rate_per_s > 0.0).then_some(limit.rate_per_s),
        failures_min: limit.failures_min,
        failures_share: limit.failures_share,
        open: Duration::from_secs_f64(limit.open_s),
        open_max: Duration::from_secs_f64(limit.open_max_s),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;
    use crate::config::REFERENCE;

    #[test]
    fn every_destination_of_the_workflows_has_limits_and_a_real_one_its_rate() {
        let real: Config = Figment::from(Toml::string(&REFERENCE.replace("#~ ", ""))).extract().unwrap();
        let simulated = Config { wechat_pay: None, payment_platform: None, ..real.clone() };
        assert_eq!(limits(&real)["payments"].rate_per_s, Some(150.0));
        assert_eq!(limits(&simulated)["payments"].rate_per_s, None);
        let steps = crate::workflows::tables().into_iter().flat_map(|table| table.steps.iter());
        for lane in steps.filter_map(|row| row.lane).chain([notices::LANE, notices::SMS]) {
            assert!(limits(&real).contains_key(lane), "{lane}");
        }
    }
}

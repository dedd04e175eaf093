//! Configuration: defaults, then one TOML file, then the environment. An unknown key is an error, not a surprise.
//!
//! `REFERENCE` documents every key and is itself the file of defaults; a test holds both together.

mod console;
mod his;
mod messages;
mod networks;
mod oidc;
mod payments;
mod retention;
mod secret_files;
mod slow_lane;
mod traces;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;
use figment::value::magic::RelativePathBuf;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ports::his::{Charset, Protocol};
use crate::ports::payments::Provider;
use crate::sandbox::faults::Level;
pub use crate::sandbox::wechat_messages::MessagesAs;
pub use console::{ApiRate, Console};
pub use his::{His, HisOAuth};
pub use messages::{MessagePlatform, Sms, WechatMessages};
pub use networks::Network;
pub use oidc::Oidc;
pub use payments::{PaymentPlatform, WechatPay};
pub use retention::Retention;
pub use slow_lane::{SlowLane, WAIT_MAX_S};
pub use traces::Traces;

/// Every key with its default, as `houbu config` prints it.
pub const REFERENCE: &str = include_str!("config.reference.toml");

/// No HIS that we know of opens its schedules further ahead than a quarter.
const SCHEDULE_DAYS_AHEAD_MAX: u16 = 92;

/// Everything that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The hospital that all rows belong to.
    pub hospital: String,
    /// Its time zone.
    pub time_zone: Tz,
    /// Where the API, the callbacks and the console listen.
    pub listen: SocketAddr,
    /// How the outside reaches us, for the payment provider's notices; empty: `http://<listen>`.
    pub public_url: String,
    /// The proxies whose `X-Forwarded-For` is believed; empty: nobody's.
    pub trusted_proxies: Vec<Network>,
    /// How far the timestamp of a payment notice or a message event may be from our clock, either way, s.
    pub notice_skew_s: u16,
    /// When schedules are pulled from HIS: a cron expression of five fields in the hospital's zone.
    pub schedule_sync: String,
    /// How many days ahead schedules are pulled: as far as HIS lets patients book, and a day more.
    pub schedule_days_ahead: u16,
    /// When the day before is reconciled with HIS and the payment provider (R36): a cron expression of five fields.
    pub reconciliation: String,
    /// When breaches are pulled from HIS (R32): a cron expression of five fields.
    pub breach_sync: String,
    /// Holidays and 调休, one file a year; empty: the files that Houbu ships.
    pub calendar: Vec<RelativePathBuf>,
    /// PostgreSQL.
    pub database: Database,
    /// Workers.
    pub worker: Worker,
    /// What the systems outside can take.
    pub limits: Limits,
    /// How long what is past is kept.
    pub retention: Retention,
    /// Signals.
    pub signals: Signals,
    /// Keys of ours.
    pub keys: Keys,
    /// Who may call the API.
    #[serde(default)]
    pub api_keys: Vec<ApiKey>,
    /// The simulated outside world.
    pub sandbox: Sandbox,
    /// A real HIS; none: the sandbox's.
    pub his: Option<His>,
    /// A real merchant account; none: the sandbox's.
    pub wechat_pay: Option<WechatPay>,
    /// The hospital's own payment platform, in the place of a merchant account.
    pub payment_platform: Option<PaymentPlatform>,
    /// A real service account; none: the sandbox's.
    pub wechat_messages: Option<WechatMessages>,
    /// The hospital's own message platform, in the place of a service account or beside it.
    pub message_platform: Option<MessagePlatform>,
    /// The SMS gateway; none: whom WeChat does not reach gets nothing, or the sandbox's.
    pub sms: Option<Sms>,
    /// The hospital's identity provider for staff; none: local users alone.
    pub oidc: Option<Oidc>,
    /// The message platform's template ids by our names.
    pub templates: BTreeMap<String, String>,
    /// The channels of notices, in order, by our names of their templates.
    pub routes: BTreeMap<String, Vec<String>>,
    /// Logs.
    pub log: Log,
    /// How fast one device and one address may apply.
    pub slow_lane: SlowLane,
    /// Traces.
    pub traces: Traces,
    /// How long staff stay logged in.
    pub console: Console,
    /// How often one key of the API may ask.
    pub api_rate: ApiRate,
}

/// See [`Config::database`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// A server to use; empty: a private one is run. `DATABASE_URL` sets it too.
    pub url: SecretString,
    /// Connections of this process.
    pub connections: u32,
    /// Where the private server keeps its files; empty: `/var/lib/houbu` for root, else the user's data folder.
    pub folder: PathBuf,
}

/// See [`Config::worker`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Turns in hand at one time.
    pub turns: usize,
    /// How often due runs are looked for without a hint, ms.
    pub poll_ms: u64,
    /// How long what is in hand may take once the process is asked to end, s.
    pub drain_max_s: u64,
}

/// See [`Config::limits`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The HIS.
    pub his: Limit,
    /// The payment provider.
    pub payments: Limit,
    /// The message platform.
    pub messages: Limit,
    /// The SMS gateway.
    pub sms: Limit,
}

/// What one system can take; all workers share it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Calls at one time.
    pub concurrency: u32,
    /// Calls a second; 0: any.
    pub rate_per_s: f64,
    /// Fewer failures within ten seconds never make it count as down.
    pub failures_min: u32,
    /// Nor do failures that are a smaller part of all calls.
    pub failures_share: f64,
    /// How long nothing is sent then, s; twice as long each time that it is still down.
    pub open_s: f64,
    /// Up to this, s.
    pub open_max_s: f64,
}

/// See [`Config::signals`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// How long a signal waits for a run that is not there, days.
    pub unmatched_days: u16,
}

/// See [`Config::keys`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Seals personal data: 64 hexadecimal digits.
    pub sealing: SecretString,
    /// Former sealing keys, still able to open.
    pub sealing_older: Vec<SecretString>,
    /// Hashes ID numbers for look-up: 64 hexadecimal digits; it cannot be changed later.
    pub lookup: SecretString,
}

/// A caller of the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// Who it is, for logs.
    pub name: String,
    /// The key itself.
    pub key: SecretString,
    /// `waitlist`, `runs`, `admin`.
    pub scopes: Vec<String>,
}

/// See [`Config::sandbox`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// Whether systems that are not configured are simulated.
    pub enabled: bool,
    /// How much goes wrong there.
    pub faults: Level,
    /// What the HIS there is spoken to in.
    pub his: Protocol,
    /// Whether that HIS offers v3.3 alone.
    pub his_plain: bool,
    /// In what its 健康通 is written.
    pub charset: Charset,
    /// Who takes the money there.
    pub pay: Provider,
    /// By whom patients are told there.
    pub messages: MessagesAs,
    /// Seed of all chance there.
    pub seed: u64,
}

/// See [`Config::log`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A filter as `tracing` reads it.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

/// Why a configuration cannot be used: one sentence that names the key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or a value cannot be read, or a key is unknown.
    #[error("the configuration cannot be used: {0}")]
    Unreadable(String),
    /// A value is read but makes no sense.
    #[error("the configuration cannot be used: {key}: {what}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What is wrong, and what it should be.
        what: String,
    },
}

impl Config {
    /// Whether messages reach people.
    pub fn messages_are_real(&self) -> bool {
        self.wechat_messages.is_some() || self.message_platform.is_some()
    }

    /// Whether money is real.
    pub fn payments_are_real(&self) -> bool {
        self.wechat_pay.is_some() || self.payment_platform.is_some()
    }

    /// Reads defaults, then `file` (if given, it must exist; else `houbu.toml` if there is one), then the environment:
    /// `DATABASE_URL`, `OTEL_EXPORTER_OTLP_ENDPOINT`, and `HOUBU_…` with `__` between levels (`HOUBU_DATABASE__CONNECTIONS=20`).
    /// Last, what stands in the files that `{ file = "…" }` names.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(REFERENCE));
        match file {
            Some(file) if !file.exists() => {
                return Err(ConfigError::Unreadable(format!("there is no file {}", file.display())));
            }
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None => figment = figment.merge(Toml::file("houbu.toml")),
        }
        if let Ok(url) = std::env::var("DATABASE_URL") {
            figment = figment.merge(Serialized::default("database.url", url));
        }
        if let Ok(endpoint) = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
            figment = figment.merge(Serialized::default("traces.otlp_endpoint", endpoint));
        }
        let environment = Env::prefixed("HOUBU_").ignore(&["config", "api_url", "api_key"]).split("__");
        let texts = environment.iter().map(|(key, value)| (key.as_str().to_owned(), value)).collect::<Vec<_>>();
        secret_files::check(&texts)?;
        let figment = secret_files::read_in(keep_texts(figment.merge(environment), texts))?;
        let config: Self = figment.extract().map_err(|error| ConfigError::Unreadable(in_one_line(&error)))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !(1..=SCHEDULE_DAYS_AHEAD_MAX).contains(&self.schedule_days_ahead) {
            let what = format!("it is {} days; make it 1 to {SCHEDULE_DAYS_AHEAD_MAX}", self.schedule_days_ahead);
            return Err(ConfigError::Invalid { key: "schedule_days_ahead", what });
        }
        self.limits.check()?;
        self.retention.check(self.signals.unmatched_days)?;
        self.traces.check()?;
        self.slow_lane.check()?;
        self.console.check()?;
        self.api_rate.check()?;
        payments::check_skew(self.notice_skew_s)?;
        self.payment_platform.as_ref().map_or(Ok(()), PaymentPlatform::check)?;
        self.wechat_messages.as_ref().map_or(Ok(()), WechatMessages::check)?;
        self.oidc.as_ref().map_or(Ok(()), Oidc::check)?;
        if self.sandbox.his_plain && self.sandbox.his == Protocol::Fhir {
            let what = "FHIR is not v3.3: it goes with sandbox.his jiankangtong and rest".to_owned();
            return Err(ConfigError::Invalid { key: "sandbox.his_plain", what });
        }
        if self.sandbox.charset == Charset::Gbk && self.sandbox.his != Protocol::Jiankangtong {
            let what = "JSON is UTF-8: gbk goes with sandbox.his jiankangtong alone".to_owned();
            return Err(ConfigError::Invalid { key: "sandbox.charset", what });
        }
        self.his.as_ref().map_or(Ok(()), His::check)
    }

    /// What is logged where nothing else is configured.
    pub fn default_log_filter() -> &'static str {
        "info,sqlx=warn,tower_http=warn"
    }

    /// How the outside reaches us.
    pub fn base_url(&self, listening: SocketAddr) -> String {
        if self.public_url.is_empty() {
            let host = if listening.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { listening.ip() };
            return format!("http://{}", SocketAddr::new(host, listening.port()));
        }
        self.public_url.trim_end_matches('/').to_owned()
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let all = [
            ("limits.his", self.his),
            ("limits.payments", self.payments),
            ("limits.messages", self.messages),
            ("limits.sms", self.sms),
        ];
        for (key, one) in all {
            let wrong = if one.concurrency == 0 || one.failures_min == 0 {
                "concurrency and failures_min are at least 1"
            } else if !(one.rate_per_s >= 0.0 && one.rate_per_s.is_finite()) {
                "rate_per_s is 0 or more"
            } else if !(one.failures_share > 0.0 && one.failures_share <= 1.0) {
                "failures_share is more than 0 and at most 1"
            } else if !(one.open_s > 0.0 && one.open_max_s >= one.open_s && one.open_max_s.is_finite()) {
                "open_s is more than 0, and open_max_s at least as much"
            } else {
                continue;
            };
            return Err(ConfigError::Invalid { key, what: wrong.to_owned() });
        }
        Ok(())
    }
}

/// The environment knows no types, and figment takes `1001` for a number: what the reference has as a text stays the text
/// that was set, leading zeros included.
fn keep_texts(figment: Figment, set: Vec<(String, String)>) -> Figment {
    let reference = Figment::from(Toml::string(&REFERENCE.replace("#~ ", "")));
    let is_text = |key: &str| matches!(reference.find_value(key), Ok(Value::String(..)));
    let texts = set.into_iter().filter(|(key, _)| is_text(key));
    texts.fold(figment, |figment, (key, value)| figment.merge(Serialized::default(&key, value)))
}

/// Figment's errors name key and source; several come joined by line breaks.
fn in_one_line(error: &figment::Error) -> String {
    error.clone().into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_a_complete_configuration() {
        let config: Config = Figment::from(Toml::string(REFERENCE)).extract().unwrap();
        assert_eq!(config.time_zone, Tz::Asia__Shanghai);
        assert_eq!(config.log.filter, Config::default_log_filter());
    }

    #[test]
    fn the_commented_sections_are_right_too() {
        // What stands behind `#~` are settings that have no default: with the marks removed they must be readable.
        let config: Config = Figment::from(Toml::string(&REFERENCE.replace("#~ ", ""))).extract().unwrap();
        assert!(config.his.is_some() && config.wechat_pay.is_some() && config.wechat_messages.is_some());
        assert!(config.sms.is_some() && config.oidc.is_some() && config.payment_platform.is_some());
        assert!(!config.templates.is_empty() && !config.api_keys.is_empty());
    }

    #[test]
    fn a_number_in_the_environment_is_a_text_where_a_text_is_wanted() {
        let all = Figment::from(Toml::string(&REFERENCE.replace("#~ ", "")));
        let as_figment_reads = all
            .merge(Serialized::default("his.hospital_id", 17))
            .merge(Serialized::default("keys.lookup", 1_u64))
            .merge(Serialized::default("worker.turns", 7));
        assert!(as_figment_reads.extract::<Config>().is_err());
        let zeros = "0".repeat(63);
        let set = [
            ("his.hospital_id", "0017".to_owned()),
            ("keys.lookup", format!("{zeros}9")),
            ("worker.turns", "7".to_owned()),
        ];
        let set = set.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let config: Config = keep_texts(as_figment_reads, set).extract().unwrap();
        assert_eq!(config.his.unwrap().hospital_id, "0017");
        assert_eq!(secrecy::ExposeSecret::expose_secret(&config.keys.lookup).len(), 64);
        assert_eq!(config.worker.turns, 7);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let figment = Figment::from(Toml::string(REFERENCE)).merge(Toml::string("[worker]\nturms = 3"));
        let error = in_one_line(&figment.extract::<Config>().unwrap_err());
        assert!(error.contains("turms"), "{error}");
    }

    #[test]
    fn r14_schedules_are_pulled_some_days_ahead_and_not_years() {
        let config: Config = Figment::from(Toml::string(REFERENCE)).extract().unwrap();
        for (days, good) in [(0, false), (1, true), (14, true), (92, true), (93, false)] {
            let config = Config { schedule_days_ahead: days, ..config.clone() };
            let checked = config.check();
            assert_eq!(checked.is_ok(), good, "{days}");
            assert!(checked.err().is_none_or(|error| error.to_string().contains("schedule_days_ahead")), "{days}");
        }
    }

    #[test]
    fn a_limit_that_lets_nothing_through_is_refused() {
        let limits = |wrong: &str| {
            let figment = Figment::from(Toml::string(REFERENCE)).merge(Toml::string(wrong));
            figment.extract::<Config>().unwrap().limits.check()
        };
        limits("").unwrap();
        for wrong in ["concurrency = 0", "rate_per_s = -1.0", "failures_share = 1.5", "open_s = 900.0"] {
            let error = limits(&format!("[limits.payments]\n{wrong}")).unwrap_err().to_string();
            assert!(error.contains("limits.payments"), "{wrong}: {error}");
        }
    }
}

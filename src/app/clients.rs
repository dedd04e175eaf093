//! The clients of the outside world: the configured ones, or those of the sandbox.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use secrecy::ExposeSecret;

use crate::config::{Config, HisOAuth, MessagesAs};
use crate::ports::his::{self, Config as HisConfig, His, PushReader};
use crate::ports::messages::sms::{Sms, SmsConfig, SmsGateway};
use crate::ports::messages::tokens::TokenBook;
use crate::ports::messages::unified::{MessagePlatform, PlatformConfig};
use crate::ports::messages::{Config as MessagesConfig, WechatMessages};
use crate::ports::payments::platform::PlatformConfig as PayPlatformConfig;
use crate::ports::payments::{self as payments_port, Config as PayConfig, Connection, Payments};
use crate::sandbox::outside::{CLIENT_TIMEOUT, Outside};
use crate::waitlist::cipher::{Keyring, LookupKey};
use crate::waitlist::route::{Channel, Routes};
use crate::waitlist::template::TemplateName;
use crate::workflows::notices::Couriers;

/// One client a system, and the reader of HIS's pushes.
#[derive(Clone)]
pub struct Clients {
    /// The HIS.
    pub his: Arc<dyn His>,
    /// What HIS pushes.
    pub pushes: Arc<PushReader>,
    /// The payment provider.
    pub payments: Arc<dyn Payments>,
    /// Who brings notices.
    pub couriers: Couriers,
    /// By which channels they go.
    pub routes: Routes,
    /// The SMS gateway, where there is one.
    pub sms: Option<Arc<dyn Sms>>,
}

/// True where at least one system is simulated.
pub fn simulated(config: &Config) -> bool {
    config.sandbox.enabled && (config.his.is_none() || !config.payments_are_real() || !config.messages_are_real())
}

/// With a real system, personal data is real: keys that everybody knows are refused, and so are keys that are none.
pub fn guard_keys(config: &Config) -> anyhow::Result<()> {
    let known = |key: &secrecy::SecretString| key.expose_secret().trim_start_matches('0').len() <= 1;
    let real = !config.sandbox.enabled
        || config.his.is_some()
        || config.payments_are_real()
        || config.messages_are_real()
        || config.sms.is_some();
    if real && (known(&config.keys.sealing) || known(&config.keys.lookup)) {
        anyhow::bail!(
            "keys.sealing and keys.lookup must be set to secrets of your own (openssl rand -hex 32) before a real \
             system is connected"
        );
    }
    Keyring::new(&config.keys.sealing, &config.keys.sealing_older).context("keys.sealing, keys.sealing_older")?;
    LookupKey::new(&config.keys.lookup).context("keys.lookup")?;
    Ok(())
}

impl Clients {
    /// Clients as configured; what is not configured comes from `outside`. All processes share the message platform's token
    /// in `tokens`.
    pub fn new(
        config: &Config,
        outside: Option<&Outside>,
        base_url: &str,
        tokens: Arc<dyn TokenBook>,
    ) -> anyhow::Result<Self> {
        let his = his_config(config, outside)?;
        let pushes = Arc::new(PushReader::of(&his).context("his.aes_key")?);
        let gateway = sms(config, outside).map(SmsGateway::new).transpose().context("sms.url")?;
        Ok(Self {
            sms: gateway.map(|gateway| Arc::new(gateway) as Arc<dyn Sms>),
            his: his::connect(his).context("the client of the HIS could not be made")?,
            pushes,
            payments: payments_port::connect(payments(config, outside, base_url)?)
                .context("the client of the payment provider could not be made")?,
            couriers: couriers(config, outside, tokens)?,
            routes: routes(config)?,
        })
    }
}

/// A client of each message platform that is configured; where none is, of the sandbox's.
fn couriers(config: &Config, outside: Option<&Outside>, tokens: Arc<dyn TokenBook>) -> anyhow::Result<Couriers> {
    let mut couriers = Couriers::default();
    if brings_wechat(config) {
        let client =
            WechatMessages::new(messages(config, outside)?).context("the client of WeChat could not be made")?;
        couriers.wechat = Some(Arc::new(client.with_book(tokens)));
    }
    if config.message_platform.is_some() {
        couriers.platform = Some(Arc::new(real_platform(config)?));
    } else if simulates_platform(config) {
        let outside = outside.context("[message_platform] is not configured and the sandbox is off")?;
        let client = outside.messages.platform_config(CLIENT_TIMEOUT);
        couriers.platform = Some(Arc::new(MessagePlatform::new(client).context("message_platform.url")?));
    }
    Ok(couriers)
}

/// Whether notices can go by WeChat: by the account that is configured, or the sandbox's where it plays that.
fn brings_wechat(config: &Config) -> bool {
    config.wechat_messages.is_some() || (!config.messages_are_real() && config.sandbox.messages == MessagesAs::Wechat)
}

/// Whether the sandbox plays the hospital's own message platform.
fn simulates_platform(config: &Config) -> bool {
    !config.messages_are_real() && config.sandbox.messages == MessagesAs::Platform
}

/// The key of the platform's delivery events, where it tells any.
pub fn platform_key(config: &Config, outside: Option<&Outside>) -> Option<secrecy::SecretString> {
    match (&config.message_platform, outside) {
        (Some(platform), _) => platform.event_key.clone(),
        (None, Some(outside)) if simulates_platform(config) => Some(outside.messages.event_key()),
        _ => None,
    }
}

/// What WeChat's message events are signed with, where there are any.
pub fn wechat_token(config: &Config, outside: Option<&Outside>) -> Option<secrecy::SecretString> {
    match (&config.wechat_messages, outside) {
        (Some(wechat), _) => wechat.event_token.clone(),
        (None, Some(outside)) if simulates_wechat(config) => Some(outside.messages.event_token()),
        _ => None,
    }
}

/// Whether the sandbox plays WeChat's messages.
pub fn simulates_wechat(config: &Config) -> bool {
    config.sandbox.enabled && !config.messages_are_real() && config.sandbox.messages == MessagesAs::Wechat
}

/// By which channels notices go, as `[routes]` and `wechat_messages.subscribe` say it. What is wrong there is an error; that a
/// channel is not configured is one too.
pub fn routes(config: &Config) -> anyhow::Result<Routes> {
    let platform = config.message_platform.is_some() || simulates_platform(config);
    let sms = config.sms.is_some() || (config.sandbox.enabled && !config.messages_are_real());
    let mut by_name = BTreeMap::new();
    for (name, channels) in &config.routes {
        let key = TemplateName::parse(name)
            .with_context(|| format!("routes.{name}: there is no such template; there are {}", names()))?;
        let channel = |text: &String| {
            Channel::parse(text).with_context(|| {
                let known = Channel::ALL.map(Channel::as_str).join(", ");
                format!("routes.{name}: there is no channel {text}; there are {known}")
            })
        };
        let route: Vec<Channel> = channels.iter().map(channel).collect::<anyhow::Result<_>>()?;
        anyhow::ensure!(!route.is_empty(), "routes.{name}: it names no channel; take the line out, or name one");
        by_name.insert(key, route);
    }
    let subscribe = config.wechat_messages.as_ref().map(|messages| messages.subscribe.as_slice()).unwrap_or_default();
    let routes = Routes::new(brings_wechat(config), platform, sms);
    let routes = routes.with(by_name).subscribing(subscribed(subscribe, &config.templates)?);
    if let Some((name, channel)) = routes.closed().first() {
        anyhow::bail!(
            "routes.{}: {} is not configured; fill in [{}], or take it out of the route",
            name.as_str(),
            channel.as_str(),
            channel.section()
        );
    }
    Ok(routes)
}

fn names() -> String {
    TemplateName::ALL.map(TemplateName::as_str).join(", ")
}

/// The configured HIS alone, for a question before anything is started.
pub fn real_his(config: &Config) -> anyhow::Result<Arc<dyn His>> {
    Ok(his::connect(his_config(config, None)?)?)
}

/// How the configured HIS is reached.
pub fn real_his_config(config: &Config) -> anyhow::Result<HisConfig> {
    his_config(config, None)
}

/// The configured payment provider alone.
pub fn real_payments(config: &Config) -> anyhow::Result<Arc<dyn Payments>> {
    Ok(payments_port::connect(payments(config, None, &config.base_url(config.listen))?)?)
}

/// The configured message platform alone.
pub fn real_messages(config: &Config) -> anyhow::Result<WechatMessages> {
    Ok(WechatMessages::new(messages(config, None)?)?)
}

/// The hospital's own message platform alone.
pub fn real_platform(config: &Config) -> anyhow::Result<MessagePlatform> {
    let Some(platform) = &config.message_platform else { anyhow::bail!("[message_platform] is not configured") };
    let (url, key) = (platform.url.clone(), platform.key.clone());
    let config = PlatformConfig { url, key, timeout: Duration::from_millis(platform.timeout_ms) };
    MessagePlatform::new(config).context("message_platform.url")
}

/// The configured SMS gateway alone.
pub fn real_sms(config: &Config) -> anyhow::Result<SmsGateway> {
    let Some(gateway) = sms(config, None) else { anyhow::bail!("[sms] is not configured") };
    SmsGateway::new(gateway).context("sms.url")
}

/// The templates of ours that are subscribe messages at WeChat, which must be registered there.
fn subscribed(names: &[String], templates: &BTreeMap<String, String>) -> anyhow::Result<BTreeSet<TemplateName>> {
    let registered = |name: &String| {
        let known = TemplateName::parse(name).filter(|_| templates.contains_key(name));
        known.with_context(|| format!("wechat_messages.subscribe names {name}, which is not among [templates]"))
    };
    names.iter().map(registered).collect()
}

fn his_config(config: &Config, outside: Option<&Outside>) -> anyhow::Result<HisConfig> {
    match (&config.his, outside) {
        (Some(his), _) => Ok(HisConfig {
            protocol: his.protocol,
            charset: his.charset,
            url: his.url.clone(),
            hospital_id: his.hospital_id.clone(),
            user_id: his.user_id.clone(),
            sign_key: his.sign_key.clone(),
            aes_key: his.aes_key.clone(),
            channel_id: his.channel_id.clone(),
            timeout: Duration::from_millis(his.timeout_ms),
            cares_for_locks: his.cares_for_locks,
            functions: his.functions(),
            oauth: his.oauth.as_ref().map(HisOAuth::oauth),
            time_zone: config.time_zone,
        }),
        (None, Some(outside)) => Ok(outside.his_config()),
        (None, None) => anyhow::bail!("[his] is not configured and the sandbox is off"),
    }
}

/// How far a notice's timestamp may be from our clock.
pub fn notice_skew(config: &Config) -> TimeDelta {
    TimeDelta::seconds(config.notice_skew_s.into())
}

fn payments(config: &Config, outside: Option<&Outside>, base_url: &str) -> anyhow::Result<Connection> {
    let notice_skew = notice_skew(config);
    match (&config.wechat_pay, &config.payment_platform, outside) {
        (Some(_), Some(_), _) => anyhow::bail!(
            "money goes one way: [payment_platform] and [wechat_pay] are both configured; take one of them out"
        ),
        (Some(pay), None, _) => Ok(Connection::Wechat(Box::new(PayConfig {
            base_url: pay.base_url.clone(),
            app_id: pay.app_id.clone(),
            mch_id: pay.mch_id.clone(),
            serial_no: pay.serial_no.clone(),
            private_key_pem: pay.private_key_pem.clone(),
            platform_keys: pay.platform_keys.iter().map(|(serial, pem)| (serial.clone(), pem.clone())).collect(),
            platform_certificates: pay.platform_certificates,
            api_v3_key: pay.api_v3_key.clone(),
            notify_url_payments: format!("{base_url}/callbacks/wechat-pay/payments"),
            notify_url_refunds: format!("{base_url}/callbacks/wechat-pay/refunds"),
            notice_skew,
            timeout: Duration::from_millis(pay.timeout_ms),
        }))),
        (None, Some(pay), _) => Ok(Connection::Platform(PayPlatformConfig {
            url: pay.url.clone(),
            merchant_id: pay.merchant_id.clone(),
            sign_key: pay.sign_key.clone(),
            notify_url: format!("{base_url}/callbacks/pay-platform"),
            notice_skew,
            timeout: Duration::from_millis(pay.timeout_ms),
        })),
        (None, None, Some(outside)) => Ok(outside.pay_connection(base_url, CLIENT_TIMEOUT)),
        (None, None, None) => {
            anyhow::bail!("neither [wechat_pay] nor [payment_platform] is configured and the sandbox is off")
        }
    }
}

fn messages(config: &Config, outside: Option<&Outside>) -> anyhow::Result<MessagesConfig> {
    match (&config.wechat_messages, outside) {
        (Some(messages), _) => Ok(MessagesConfig {
            base_url: messages.base_url.clone(),
            app_id: messages.app_id.clone(),
            secret: messages.secret.clone(),
            timeout: Duration::from_millis(messages.timeout_ms),
            leads: messages.leads(),
            subscribe_by: messages.subscribe_by,
        }),
        (None, Some(outside)) => Ok(outside.messages.client_config(CLIENT_TIMEOUT)),
        (None, None) => anyhow::bail!("[wechat_messages] is not configured and the sandbox is off"),
    }
}

/// The configured gateway; the sandbox's where the message platform is the sandbox's too, since real patients have real phones.
fn sms(config: &Config, outside: Option<&Outside>) -> Option<SmsConfig> {
    match (&config.sms, outside) {
        (Some(sms), _) => Some(SmsConfig {
            url: sms.url.clone(),
            key: sms.key.clone(),
            timeout: Duration::from_millis(sms.timeout_ms),
        }),
        (None, Some(outside)) if !config.messages_are_real() => Some(outside.sms.client_config(CLIENT_TIMEOUT)),
        (None, _) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;
    use crate::config::REFERENCE;

    fn all_real() -> Config {
        Figment::from(Toml::string(&REFERENCE.replace("#~ ", ""))).extract().unwrap()
    }

    #[test]
    fn r23_a_route_to_a_channel_that_is_not_configured_is_refused() {
        let told = |config: &Config| routes(config).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(told(&all_real()), "");
        let without = Config { sms: None, ..all_real() };
        assert!(told(&without).contains("fill in [sms]"), "{}", told(&without));
        for (route, wrong) in [
            ("waitlist_boked = [\"sms\"]", "no such template"),
            ("waitlist_booked = [\"pigeon\"]", "no channel pigeon"),
            ("waitlist_booked = []", "names no channel"),
        ] {
            let figment = Figment::from(Toml::string(REFERENCE)).merge(Toml::string(&format!("[routes]\n{route}")));
            let error = told(&figment.extract().unwrap());
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn money_goes_one_way() {
        let error = real_payments(&all_real()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("take one of them out"), "{error}");
        let platform = real_payments(&Config { wechat_pay: None, ..all_real() }).unwrap();
        assert_eq!(platform.provider(), payments_port::Provider::Platform);
        let nobody = Config { wechat_pay: None, payment_platform: None, ..all_real() };
        assert!(real_payments(&nobody).is_err());
    }

    #[test]
    fn subscribe_messages_are_named_as_we_name_them() {
        let templates = all_real().templates;
        let named = |name: &str| subscribed(&[name.to_owned()], &templates);
        assert_eq!(named("visit_reminder").unwrap(), BTreeSet::from([TemplateName::VisitReminder]));
        assert!(named("visit_remainder").unwrap_err().to_string().contains("visit_remainder"));
    }

    #[test]
    fn known_keys_are_refused_as_soon_as_one_system_is_real() {
        let simulated = Config {
            his: None,
            wechat_pay: None,
            payment_platform: None,
            wechat_messages: None,
            message_platform: None,
            sms: None,
            ..all_real()
        };
        assert!(guard_keys(&simulated).is_ok());
        let real = [
            Config { his: all_real().his, ..simulated.clone() },
            Config { wechat_pay: all_real().wechat_pay, ..simulated.clone() },
            Config { payment_platform: all_real().payment_platform, ..simulated.clone() },
            Config { wechat_messages: all_real().wechat_messages, ..simulated.clone() },
            Config { message_platform: all_real().message_platform, ..simulated.clone() },
            Config { sms: all_real().sms, ..simulated.clone() },
        ];
        for config in real {
            assert!(guard_keys(&config).is_err());
            let mut own = config;
            (own.keys.sealing, own.keys.lookup) = ("7".repeat(64).into(), "8".repeat(64).into());
            assert!(guard_keys(&own).is_ok());
            own.keys.lookup = "no key".into();
            assert!(guard_keys(&own).is_err_and(|error| format!("{error:#}").contains("keys.lookup")));
        }
    }
}

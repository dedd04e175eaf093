//! Whether patients can be told, and staff let in: every platform and gateway that is configured is asked something that sends nothing, and no route
//! may lead to one that is not.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Standing, answered, mending, wrong};
use crate::app::{clients, door};
use crate::config::Config;
use crate::desk::templates::all_in_force;

/// The routes of the configuration.
pub(super) fn routes(config: &Config) -> bool {
    match clients::routes(config) {
        Ok(_) => true,
        Err(error) => {
            println!("✗ routes: {error:#}");
            false
        }
    }
}

/// The channels of stored texts.
pub(super) async fn stored_routes(config: &Config, pool: &PgPool) -> anyhow::Result<bool> {
    let Ok(routes) = clients::routes(config) else { return Ok(true) };
    let mut sound = true;
    for one in all_in_force(pool, &config.hospital, &config.templates).await? {
        let campus = one.version.map(|version| version.campus_id).filter(|campus| !campus.is_empty());
        let whose = campus.map(|campus| format!(" of campus {campus}")).unwrap_or_default();
        let name = one.name.as_str();
        for channel in one.text.channels.iter().filter(|channel| !routes.is_open(**channel)) {
            sound = false;
            println!(
                "✗ routes: the text {name}{whose} goes by {}, which is not configured; fill in [{}], or change its channels \
                 (PUT /v1/templates/{name})",
                channel.as_str(),
                channel.section()
            );
        }
        if one.text.channels.is_empty() && routes.of(one.name, &one.text).is_empty() {
            sound = false;
            println!("✗ routes: no channel of the text {name}{whose} is configured; name one in [routes]");
        }
    }
    Ok(sound)
}

/// WeChat is asked for a token.
pub(super) async fn wechat(config: &Config) -> bool {
    let real = config.wechat_messages.is_some();
    if !real && config.message_platform.is_some() {
        return true;
    }
    if let Some(told) = Standing::of(real, config).told("WeChat messages", "wechat_messages") {
        return told;
    }
    let asked = match clients::real_messages(config) {
        Ok(messages) => messages.token(None).await.map(drop),
        Err(error) => return wrong("WeChat messages", &format!("{error:#}"), "[wechat_messages]"),
    };
    answered("WeChat messages", "token", asked, "[wechat_messages] base_url, app_id and secret, and the IP allow-list")
}

/// The hospital's own platform is asked to send nothing to nobody.
pub(super) async fn platform(config: &Config) -> bool {
    let Some(platform) = &config.message_platform else { return true };
    let asked = match clients::real_platform(config) {
        Ok(client) => client.probe(&probe_id()).await,
        Err(error) => return wrong("message platform", &format!("{error:#}"), "[message_platform] url"),
    };
    if platform.event_key.is_none() {
        println!(
            "– message platform: whether messages arrive is not told, so nobody gets an SMS for one that did not; set \
             message_platform.event_key where it tells"
        );
    }
    answered("message platform", "it refuses an empty message", asked, "[message_platform] url and key")
}

/// So is the gateway.
pub(super) async fn sms(config: &Config) -> bool {
    if config.sms.is_none() {
        println!("{}", without_sms(config));
        return true;
    }
    let asked = match clients::real_sms(config) {
        Ok(client) => client.probe(&probe_id()).await,
        Err(error) => return wrong("SMS", &format!("{error:#}"), "[sms] url"),
    };
    answered("SMS", "it refuses an empty SMS", asked, "[sms] url and key")
}

fn without_sms(config: &Config) -> &'static str {
    if config.sandbox.enabled && !config.messages_are_real() {
        return "– SMS: simulated (sandbox)";
    }
    "– SMS: none, so whom no message reaches is told nothing; fill in [sms] where there is a gateway"
}

/// The identity provider of staff is asked who it is.
pub(super) async fn identity(config: &Config) -> bool {
    const LOOK_AT: &str = "[oidc] issuer";
    let Some(oidc) = &config.oidc else { return true };
    let asked = match door::identity(oidc, &config.base_url(config.listen)) {
        Ok(provider) => provider.prove().await,
        Err(error) => return wrong("identity provider", &format!("{error:#}"), LOOK_AT),
    };
    let told = asked.map_err(|error| (error.to_string(), mending::mend_identity(&error)));
    match told {
        Ok(()) => {
            println!("✓ identity provider answers (discovery, keys)");
            true
        }
        Err((error, mend)) => {
            println!("✗ identity provider: {error}; {mend}: look at {LOOK_AT}");
            false
        }
    }
}

/// An id that no message of ours has.
fn probe_id() -> String {
    format!("check-{}", Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;
    use crate::config::REFERENCE;

    #[test]
    fn r23_what_becomes_of_whom_no_message_reaches_is_said() -> Result<(), Box<figment::Error>> {
        let real: Config = Figment::from(Toml::string(&REFERENCE.replace("#~ ", ""))).extract()?;
        let without = Config { sms: None, ..real };
        assert!(without_sms(&without).contains("told nothing"));
        assert!(
            without_sms(&Config { wechat_messages: None, message_platform: None, ..without }).contains("simulated")
        );
        Ok(())
    }
}

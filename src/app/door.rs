//! The front door: the HTTP surface on a socket, and the API keys that open it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::App;
use super::clients::{notice_skew, platform_key, wechat_token};
use crate::config::{ApiRate, Config, Network, Oidc, SlowLane};
use crate::console::access::{Provider, Role, SessionLimits, Settings};
use crate::console::live::Live;
use crate::desk::access::GroupRoles;
use crate::desk::access::rates::{Rate, Rates};
use crate::desk::slow_lane::Paces;
use crate::desk::{Desk, left_pushes};
use crate::http::addresses::Addresses;
use crate::http::auth::ApiKey;
use crate::http::{EventToken, Surface, on_socket, router};
use crate::ports::identity::{IdentityConfig, IdentityProvider};
use crate::sandbox::outside::Outside;
use crate::waitlist::pace::Pace;

/// A listening surface.
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it asks.
    pub desk: Arc<Desk>,
    live: Arc<Live>,
    stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

/// Takes the configured address, so that callbacks can be told where we are before anything is assembled.
pub async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("{} cannot be listened on; choose another address with HOUBU_LISTEN", config.listen))
}

/// The configured keys; with the sandbox and none configured, one that is made now and returned in the open.
pub fn api_keys(config: &Config) -> anyhow::Result<(Vec<ApiKey>, Option<String>)> {
    if config.api_keys.is_empty() && config.sandbox.enabled {
        let made = format!("houbu-{}", Uuid::new_v4().simple());
        let scopes = ["waitlist", "runs", "admin"].map(str::to_owned);
        return Ok((vec![ApiKey::new("sandbox", &SecretString::from(made.clone()), &scopes)?], Some(made)));
    }
    let keys = config.api_keys.iter().map(|key| ApiKey::new(&key.name, &key.key, &key.scopes));
    Ok((keys.collect::<Result<_, _>>()?, None))
}

fn paces(lane: &SlowLane) -> Paces {
    let seconds = |count: u32| Duration::from_secs(count.into());
    let pace = |at_once, every_s| Pace { at_once, every: seconds(every_s), wait_max: seconds(lane.wait_max_s) };
    Paces {
        device: pace(lane.device_at_once, lane.device_every_s),
        address: pace(lane.address_at_once, lane.address_every_s),
    }
}

fn addresses(config: &Config) -> Addresses {
    let networks = |all: &[Network]| all.iter().map(|network| network.0).collect();
    Addresses {
        trusted_proxies: networks(&config.trusted_proxies),
        push_from: config.his.as_ref().map(|his| networks(&his.push_from)).unwrap_or_default(),
    }
}

/// What WeChat's message events are signed with, where there are any.
fn event_token(config: &Config, outside: Option<&Outside>) -> Option<EventToken> {
    Some(EventToken { token: wechat_token(config, outside)?, skew: notice_skew(config) })
}

/// How often a key may ask.
fn rate(rate: &ApiRate) -> Option<Rate> {
    let every = || Duration::from_secs_f64(rate.per_s.recip());
    (rate.per_s > 0.0).then(|| Rate { at_once: rate.at_once, every: every() })
}

/// How the console is entered: as the outside reaches it.
fn console(config: &Config, listening: SocketAddr) -> anyhow::Result<Settings> {
    let (scheme, host) = config.public_url.split_once("://").unwrap_or_default();
    let host = host.split('/').next().filter(|host| !host.is_empty()).map(str::to_owned);
    let limits = SessionLimits {
        idle: Duration::from_mins(config.console.idle_min.into()),
        most: Duration::from_hours(config.console.most_h.into()),
    };
    let url = config.base_url(listening);
    let provider = config.oidc.as_ref().map(|oidc| provider(oidc, &url)).transpose().context("oidc")?;
    let provider = provider.map(Arc::new);
    let signals_days = config.signals.unmatched_days;
    Ok(Settings { secure: scheme == "https", url, host, limits, provider, demo: false, sandbox: None, signals_days })
}

/// The identity provider, and what its groups may.
fn provider(oidc: &Oidc, url: &str) -> anyhow::Result<Provider> {
    let client = identity(oidc, url)?;
    let groups = oidc.roles.iter().filter_map(|(role, groups)| Some((Role::parse(role)?, groups)));
    let roles = groups.flat_map(|(role, groups)| groups.iter().map(move |group| (group.clone(), role)));
    Ok(Provider { client, issuer: oidc.issuer.clone(), roles: GroupRoles(roles.collect()) })
}

/// The identity provider alone; `url` is where the console is.
pub fn identity(oidc: &Oidc, url: &str) -> anyhow::Result<IdentityProvider> {
    Ok(IdentityProvider::new(IdentityConfig {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret.clone(),
        redirect_url: format!("{url}/login/provider/back"),
        scopes: oidc.scopes.clone(),
        name_claim: oidc.name_claim.clone(),
        groups_claim: oidc.groups_claim.clone(),
        timeout: Duration::from_millis(oidc.timeout_ms),
    })?)
}

impl App {
    /// What the surface asks.
    fn desk(&self, config: &Config, api_keys: &[ApiKey]) -> Arc<Desk> {
        let desk = Desk::new(Arc::clone(&self.engine), Arc::clone(&self.ports), Arc::clone(&self.lookup));
        let reserved = api_keys.iter().map(|key| key.name().to_owned());
        Arc::new(desk.paced(paces(&config.slow_lane)).reserving(reserved))
    }

    /// Opens the door. `demo`: whoever comes to the console may be any of the demo's users.
    pub fn open(
        &self,
        config: &Config,
        listener: TcpListener,
        api_keys: Vec<ApiKey>,
        demo: bool,
    ) -> anyhow::Result<Door> {
        let desk = self.desk(config, &api_keys);
        tokio::spawn(left_pushes::watch(Arc::downgrade(&desk)));
        let live = Arc::new(Live::default());
        let surface = Surface {
            desk: Arc::clone(&desk),
            his_pushes: Arc::clone(&self.clients.pushes),
            payments: Arc::clone(&self.clients.payments),
            api_keys,
            platform_key: platform_key(config, self.outside.as_ref()),
            wechat_token: event_token(config, self.outside.as_ref()),
            addresses: addresses(config),
            rates: Rates::new(rate(&config.api_rate)),
            console: Settings { demo, sandbox: self.control.clone(), ..console(config, listener.local_addr()?)? },
            live: Arc::clone(&live),
        };
        let address = listener.local_addr()?;
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let serving = axum::serve(listener, on_socket(router(Arc::new(surface)))).with_graceful_shutdown(until);
        Ok(Door { address, desk, live, stop, task: tokio::spawn(serving.into_future()) })
    }
}

impl Door {
    /// Takes no new request, finishes those at hand (a long poll is cut after a moment) and ends the streams of pages.
    pub async fn close(self) {
        self.live.close();
        let _ = self.stop.send(true);
        if tokio::time::timeout(std::time::Duration::from_secs(3), self.task).await.is_err() {
            tracing::info!("requests that were still waiting are cut");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{config, desk};

    #[test]
    fn r33_whoever_is_held_in_the_slow_lane_is_decided_before_the_same_request_is_done_by_another() {
        // What is left is for the decision itself.
        assert!(f64::from(config::WAIT_MAX_S) + 10.0 <= desk::STALE_S);
    }
}

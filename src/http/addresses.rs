//! Which network address a request comes from, behind a proxy too, and whether HIS pushes from there (R15). A signature
//! says who wrote a push; this says who may knock at all, before a byte of the body is read.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::Surface;
use super::problem::Problem;

const FORWARDED: &str = "x-forwarded-for";

/// Who may knock.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// The proxies in front of us; what anybody else says of an address is not believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where HIS pushes from; empty: from anywhere.
    pub push_from: Vec<IpNet>,
}

impl Addresses {
    fn may_push(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
        let from = || whence(peer?, headers, &self.trusted_proxies);
        self.push_from.is_empty() || from().is_some_and(|from| within(from, &self.push_from))
    }
}

/// Which network address a request comes from; none where nobody can tell.
pub(crate) struct Whence(pub(crate) Option<IpAddr>);

impl FromRequestParts<Arc<Surface>> for Whence {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, surface: &Arc<Surface>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Self(peer.and_then(|peer| whence(peer, &parts.headers, &surface.addresses.trusted_proxies))))
    }
}

/// A request that comes from where HIS pushes from.
pub(super) struct FromHis;

impl FromRequestParts<Arc<Surface>> for FromHis {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, surface: &Arc<Surface>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        if surface.addresses.may_push(peer, &parts.headers) {
            return Ok(Self);
        }
        // An address can be a person's: it is not logged.
        let forwarded = parts.headers.contains_key(FORWARDED);
        tracing::warn!(forwarded, "a push from an address that is not in his.push_from was refused");
        surface.desk.not_believed("his", &"the push is from an address that is not in his.push_from");
        Err(Problem::address_not_allowed())
    }
}

/// The peer; where that is a proxy of ours, whom it names. Each proxy adds at the end whom it was asked by, so the list is
/// read from there, and no further than those go who are ours: what stands before, anybody may have written. `None` where
/// a proxy names nobody that can be read.
fn whence(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let lists = headers.get_all(FORWARDED).iter().map(|list| list.to_str().unwrap_or_default());
    let named: Vec<&str> = lists.flat_map(|list| list.split(',')).map(str::trim).collect();
    let mut from = peer.to_canonical();
    for name in named.into_iter().rev() {
        if !within(from, proxies) {
            break;
        }
        from = address(name)?;
    }
    Some(from)
}

/// As proxies write it: alone, or with the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

fn within(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn networks(all: &[&str]) -> Vec<IpNet> {
        all.iter().map(|network| network.parse().unwrap()).collect()
    }

    fn forwarded(lists: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED, list.parse().unwrap());
        }
        headers
    }

    #[test]
    fn r15_whom_a_request_comes_from_is_said_by_our_own_proxies_alone() {
        let proxies = networks(&["127.0.0.1/32", "10.1.0.0/16", "fd00::/8"]);
        let table: &[(&str, &[&str], Option<&str>)] = &[
            ("203.0.113.9", &[], Some("203.0.113.9")),
            // Anybody can write the header.
            ("203.0.113.9", &["10.9.9.9"], Some("203.0.113.9")),
            ("10.1.0.7", &["198.51.100.4"], Some("198.51.100.4")),
            ("10.1.0.7", &["10.9.9.9, 198.51.100.4"], Some("198.51.100.4")),
            // Two proxies, in one header or in two.
            ("127.0.0.1", &["10.9.9.9, 10.1.0.7"], Some("10.9.9.9")),
            ("127.0.0.1", &["10.9.9.9", "10.1.0.7"], Some("10.9.9.9")),
            ("::ffff:10.1.0.7", &["::ffff:198.51.100.4"], Some("198.51.100.4")),
            ("fd00::1", &["[2001:db8::5]:4711"], Some("2001:db8::5")),
            ("10.1.0.7", &["198.51.100.4:4711"], Some("198.51.100.4")),
            // The proxy itself asks.
            ("10.1.0.7", &[], Some("10.1.0.7")),
            ("10.1.0.7", &["unknown"], None),
            ("10.1.0.7", &["198.51.100.4,"], None),
        ];
        for (peer, lists, from) in table {
            let from: Option<IpAddr> = from.map(|from| from.parse().unwrap());
            assert_eq!(whence(peer.parse().unwrap(), &forwarded(lists), &proxies), from, "{peer} {lists:?}");
        }
    }

    #[test]
    fn r15_without_a_list_everybody_may_push_and_with_one_nobody_unknown() {
        let (none, peer) = (HeaderMap::new(), "10.0.0.8".parse().ok());
        let anybody = Addresses::default();
        assert!(anybody.may_push(peer, &none) && anybody.may_push(None, &none));
        let some = Addresses { push_from: networks(&["10.0.0.0/28"]), ..Addresses::default() };
        assert!(some.may_push(peer, &none));
        assert!(!some.may_push("10.0.0.16".parse().ok(), &none));
        assert!(!some.may_push(None, &none), "a peer that nobody knows");
    }
}

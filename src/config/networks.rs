//! Networks and single addresses in lists of who may do something.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// A network (`10.0.0.0/8`), or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

/// A text that is neither.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither a network such as 10.0.0.0/8 nor an address such as 10.1.2.3")]
pub struct NoNetwork(String);

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(network.trunc())).map_err(|_| NoNetwork(text))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn r15_a_network_or_an_address_is_read_and_anything_else_refused() {
        let read = |text: &str| Network::try_from(text.to_owned());
        for (text, network) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("fd00::1", "fd00::1/128"),
        ] {
            assert_eq!(read(text).unwrap().0.to_string(), network);
        }
        for bad in ["", "10.0.0.0/33", "his.example.org", "10.0.0", "10.0.0.1:80"] {
            assert!(read(bad).is_err_and(|error| error.to_string().contains("10.0.0.0/8")), "{bad}");
        }
    }
}

//! Where somebody tries to come in: an end to wrong passwords is of that place, so that nobody keeps others out. A browser in which
//! the user came in before is a place of its own; everywhere else it is the network. Over all networks together a name is tried no
//! faster than people do, and never refused for it (as decision 021 has it for patients).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Answer;
use super::token::{Token, hash_of};
use super::{Lodge, lockout};
use crate::records::staff_places::{self, Place, Tried};
use crate::waitlist::pace::{Lanes, Pace};

/// A browser is known for so long after its user came in last.
pub const BROWSERS_KNOWN_FOR: Duration = Duration::from_hours(180 * 24);
/// The bits of an IPv6 address that name a network: whoever has one address there has them all.
const NETWORK: u128 = !0 << 64;
/// How fast one name is tried from wherever it never came in.
const STRANGERS: Pace = Pace { at_once: 20, every: Duration::from_secs(3), wait_max: Duration::from_secs(15) };

/// Somebody at the door.
#[derive(Debug, Clone, Copy, Default)]
pub struct Knock<'a> {
    /// The network address, where anybody can tell.
    pub from: Option<IpAddr>,
    /// What the browser was given when somebody came in there.
    pub browser: Option<&'a Token>,
}

/// The network of an address.
pub(super) fn network_of(from: Option<IpAddr>) -> Option<IpAddr> {
    from.map(|from| match from.to_canonical() {
        IpAddr::V6(from) => IpAddr::V6(Ipv6Addr::from_bits(from.to_bits() & NETWORK)),
        from @ IpAddr::V4(_) => from,
    })
}

/// A place where a user's password is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// A network, by a mark that many others have too.
    Network([u8; 2]),
    /// A browser in which the user came in before.
    Browser([u8; 32]),
    /// A session.
    Session([u8; 32]),
}

impl At {
    /// The network that somebody knocks from. Whoever reads the mark learns no address; whoever does not know the user's id finds no
    /// other network with the same one.
    fn network(user: Uuid, from: Option<IpAddr>) -> Self {
        let network = network_of(from).map(|network| network.to_string()).unwrap_or_default();
        let [first, second, ..] = hash_of(&format!("{user}/{network}"));
        Self::Network([first, second])
    }

    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Self::Network(mark) => Place { kind: "network", mark },
            Self::Browser(mark) => Place { kind: "browser", mark },
            Self::Session(mark) => Place { kind: "session", mark },
        }
    }
}

/// Names that strangers try, of this process: what keeps them slow must not cost the database a write for each.
pub(super) struct Strangers {
    began: Instant,
    /// By the hash of the name: what was typed for one may be a password.
    lanes: Mutex<Lanes<[u8; 32]>>,
}

impl Default for Strangers {
    fn default() -> Self {
        Self { began: Instant::now(), lanes: Mutex::default() }
    }
}

impl Strangers {
    /// How long one more try of a name waits, whether there is one or not.
    fn arrive(&self, name: &str) -> Duration {
        let now = self.began.elapsed();
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).arrive(hash_of(name), &STRANGERS, now)
    }
}

impl Lodge {
    /// Comes back when it is the turn of this try.
    pub(super) async fn in_turn(&self, name: &str, knock: Knock<'_>) -> Answer<()> {
        if let Some(browser) = knock.browser
            && staff_places::is_known_to(&self.pool, &self.hospital, name, &browser.hash()).await?
        {
            return Ok(());
        }
        let wait = self.strangers.arrive(name);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Where a user's password is tried.
    pub(super) async fn place_of(&self, conn: &mut PgConnection, user: Uuid, knock: Knock<'_>) -> Answer<At> {
        if let Some(browser) = knock.browser {
            let at = At::Browser(browser.hash());
            if staff_places::find(conn, &self.hospital, user, at.place()).await?.is_some() {
                return Ok(at);
            }
        }
        Ok(At::network(user, knock.from))
    }

    /// Writes a try at this place down, in the transaction that holds the user; false where none is looked at.
    pub(super) async fn count_try(&self, conn: &mut PgConnection, user: Uuid, at: At) -> Answer<bool> {
        let before = staff_places::find(conn, &self.hospital, user, at.place()).await?;
        let Tried { failures, locked_s: None } = before.unwrap_or_default() else { return Ok(false) };
        let tries = failures.saturating_add(1);
        let wait_s = lockout::wait_after(tries).map(|wait| wait.as_secs_f64());
        staff_places::count_try(conn, &self.hospital, user, at.place(), tries, wait_s).await?;
        Ok(true)
    }

    /// Whoever has this session came in in this browser, which is known from now on by what is answered.
    pub async fn know_browser(&self, session: &Token, presented: Option<&Token>) -> Answer<Token> {
        let browser = match presented {
            // One that we gave away: others may have come in there too.
            Some(one) if staff_places::is_known(&self.pool, &self.hospital, &one.hash()).await? => one.clone(),
            _ => Token::make()?,
        };
        staff_places::know(&self.pool, &self.hospital, &session.hash(), &browser.hash()).await?;
        Ok(browser)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn network(from: &str) -> Option<IpAddr> {
        network_of(Some(from.parse().unwrap()))
    }

    #[test]
    fn an_address_of_ipv6_is_its_network() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("203.0.113.9"), network("203.0.113.10"));
        assert_eq!(network("::ffff:203.0.113.9"), network("203.0.113.9"));
        assert_eq!(network_of(None), None);
    }

    #[test]
    fn a_mark_is_of_one_user_and_of_many_networks() {
        let (anna, bert) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let from = |text: &str| Some(text.parse().unwrap());
        let at = At::network(anna, from("203.0.113.9"));
        assert_eq!(at, At::network(anna, from("203.0.113.9")));
        assert_ne!(at, At::network(bert, from("203.0.113.9")));
        let others = (0..=u16::MAX).flat_map(|host| {
            let [third, fourth] = host.to_be_bytes();
            [10, 11, 12, 13].map(|first| At::network(anna, Some(IpAddr::from([first, 7, third, fourth]))))
        });
        assert!(others.filter(|other| *other == at).count() > 0, "nobody can tell which network it was");
    }

    #[test]
    fn strangers_try_one_name_no_faster_than_people_do_and_are_never_refused() {
        let strangers = Strangers::default();
        let waits: Vec<Duration> = (0..40).map(|_| strangers.arrive("anna")).collect();
        assert!(waits[..20].iter().all(Duration::is_zero));
        assert!(waits[20] > Duration::from_secs(2) && waits[21] > waits[20]);
        assert!(waits.iter().all(|wait| *wait <= STRANGERS.wait_max));
        assert!(strangers.arrive("bert").is_zero(), "nor do they slow others down");
    }
}

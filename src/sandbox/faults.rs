//! Misbehaviour by rate and seed: which call goes wrong, and how.
//!
//! A draw depends only on the seed, the call, its key and how often that key was drawn before: never on the order in
//! which concurrent requests happen to arrive. The same seed gives the same faults.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::altering::altered;
use super::catalogue::subject;
use super::switches::{Kind, Switches, Wrong};

/// How a request to the sandbox goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before anything was done.
    CutBefore,
    /// Everything was done, then the connection is cut: the caller cannot know.
    CutAfter,
    /// A 5xx before anything was done.
    ErrorBefore,
    /// A 5xx although everything was done.
    ErrorAfter,
    /// Everything was done, but the answer comes later than the caller waits.
    Slow,
    /// A refund of another amount than was asked for; of a question about one, an answer that names another. Never by chance: a person
    /// has to look into it.
    AnotherAmount,
    /// Everything was done, and the answer is altered on its way: its signature does not fit. Never by chance.
    Altered,
    /// This HTTP status, before anything was done: of a server that is too busy, away, or elsewhere. Never by chance.
    Status(u16),
}

impl Fault {
    /// True where the work is not done.
    pub fn prevents(self) -> bool {
        matches!(self, Self::CutBefore | Self::ErrorBefore | Self::Status(_))
    }
}

/// How a push to Houbu (a notice, a cancel push) goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushFault {
    /// Sent twice.
    Duplicate,
    /// Sent much later than it should be, after others that happened later.
    Late,
    /// Never sent.
    Lost,
    /// Preceded by a copy with a wrong signature.
    WrongSignature,
    /// Preceded by another, well signed, that says another amount. Never by chance: a person has to look into it.
    WrongAmount,
    /// Preceded by another, well signed, to another merchant. Never by chance either.
    WrongMerchant,
    /// Preceded by one about something that does not exist.
    Unknown,
    /// Preceded by the same as it was stamped long ago: what was recorded is played again. Never by chance.
    Old,
}

/// When what is [`PushFault::Old`] was stamped: longer ago than is believed.
pub(super) const LONG_AGO: chrono::TimeDelta = chrono::TimeDelta::minutes(10);

/// How much goes wrong, as `--faults` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    None,
    /// About one request in fifty, one push in twenty.
    Some,
    /// About one request in eight, one push in four.
    Heavy,
}

/// Draws faults.
pub struct Faults {
    seed: u64,
    level: Mutex<Level>,
    drawn: Mutex<HashMap<u64, u64>>,
    switches: Mutex<Switches>,
}

impl Faults {
    /// Faults of this level from this seed.
    pub fn new(level: Level, seed: u64) -> Self {
        Self { seed, level: Mutex::new(level), drawn: Mutex::default(), switches: Mutex::default() }
    }

    /// How much goes wrong.
    pub fn level(&self) -> Level {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much goes wrong from now on.
    pub fn set_level(&self, level: Level) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = level;
    }

    /// What is switched on by hand.
    pub fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is switched on for this call. Where nothing is, no chance is used up: the level draws as it always did.
    fn switched(&self, call: &str, key: &str, kind: Kind) -> Option<Wrong> {
        debug_assert!(subject(call).is_some(), "{call} is not in the catalogue, so that nobody can switch it");
        if self.switches().shown().is_empty() {
            return None;
        }
        let roll = self.roll("switch", &format!("{call}/{key}"));
        self.switches().draw(call, roll, kind)
    }

    /// What is answered instead of doing it, or told instead of the truth, where that is switched on.
    pub fn answer(&self, call: &str, key: &str) -> Option<&'static str> {
        match self.switched(call, key, Kind::Answer) {
            Some(Wrong::Answer(code)) => Some(code),
            _ => None,
        }
    }

    /// What goes wrong with this request, if anything. `key` names the thing the request is about.
    pub fn request(&self, call: &str, key: &str) -> Option<Fault> {
        if let Some(Wrong::Request(fault)) = self.switched(call, key, Kind::Request) {
            return Some(fault);
        }
        let of_1000 = match self.level() {
            Level::None => return None,
            Level::Some => 20,
            Level::Heavy => 125,
        };
        let roll = self.roll(call, key);
        (roll % 1000 < of_1000).then_some(match (roll / 1000) % 20 {
            0..=4 => Fault::CutBefore,
            5..=10 => Fault::CutAfter,
            11..=14 => Fault::ErrorBefore,
            15..=18 => Fault::ErrorAfter,
            _ => Fault::Slow,
        })
    }

    /// What goes wrong with this push, if anything.
    pub fn push(&self, kind: &str, key: &str) -> Option<PushFault> {
        if let Some(Wrong::Push(fault)) = self.switched(kind, key, Kind::Push) {
            return Some(fault);
        }
        let of_1000 = match self.level() {
            Level::None => return None,
            Level::Some => 50,
            Level::Heavy => 250,
        };
        let roll = self.roll(kind, key);
        (roll % 1000 < of_1000).then_some(match (roll / 1000) % 4 {
            0 => PushFault::Duplicate,
            1 => PushFault::Late,
            2 => PushFault::Lost,
            _ => PushFault::WrongSignature,
        })
    }

    /// A number that depends only on seed, call, key and how often this pair was drawn before.
    fn roll(&self, call: &str, key: &str) -> u64 {
        let pair = hash(&[&self.seed.to_le_bytes(), call.as_bytes(), key.as_bytes()]);
        let nth = {
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = drawn.entry(pair).or_insert(0);
            *nth += 1;
            *nth
        };
        hash(&[&pair.to_le_bytes(), &nth.to_le_bytes()])
    }
}

/// A stable, well-mixed 64-bit hash of several parts; the sandbox's only source of chance.
pub fn hash(parts: &[&[u8]]) -> u64 {
    // FNV-1a over the parts with their lengths, then a finaliser (splitmix64).
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    for part in parts {
        hasher.write(&part.len().to_le_bytes());
        hasher.write(part);
    }
    let mut z = hasher.finish().wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Does what is asked and answers it, or goes wrong as was drawn. In a task of its own, so that a caller that hangs up cannot stop it
/// between the books and their store.
pub async fn perhaps(
    fault: Option<Fault>,
    slow: std::time::Duration,
    done: impl Future<Output = Response> + Send + 'static,
) -> Response {
    if let Some(fault) = fault.filter(|fault| fault.prevents()) {
        return spoil(fault, ().into_response(), slow).await;
    }
    let answer = tokio::spawn(done).await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    match fault {
        Some(fault) => spoil(fault, answer, slow).await,
        None => answer,
    }
}

/// The answer of a request that goes wrong; `answer` is what a good one would have said.
pub async fn spoil(fault: Fault, answer: Response, slow: std::time::Duration) -> Response {
    match fault {
        Fault::CutBefore | Fault::CutAfter => cut(),
        Fault::ErrorBefore | Fault::ErrorAfter => StatusCode::BAD_GATEWAY.into_response(),
        Fault::Slow => {
            tokio::time::sleep(slow).await;
            answer
        }
        Fault::AnotherAmount => answer,
        Fault::Altered => altered(answer).await,
        Fault::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response(),
    }
}

/// A response whose connection breaks before its body arrives.
pub(super) fn cut() -> Response {
    let broken = futures::stream::once(async {
        Err::<axum::body::Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Response::new(Body::from_stream(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_faults_in_any_order() {
        let (one, two) = (Faults::new(Level::Heavy, 7), Faults::new(Level::Heavy, 7));
        let keys: Vec<String> = (0..500).map(|n| n.to_string()).collect();
        let forward: Vec<_> = keys.iter().map(|key| one.request("2007", key)).collect();
        let mut backward: Vec<_> = keys.iter().rev().map(|key| two.request("2007", key)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        let wrong = forward.iter().flatten().count();
        assert!((30..=95).contains(&wrong), "{wrong} of 500 at one in eight");
    }
}

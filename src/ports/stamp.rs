//! How a JSON message says who wrote it, when, and as what: HMAC-SHA256 over its way, timestamp, nonce and raw body, each on a line.
//!
//! Three headers carry it, in both directions. An answer repeats the nonce of what it answers, so that it cannot stand for
//! the answer to something else; and since the way is signed, no message can be sent back as the answer to itself.

use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

/// When it was written: seconds since 1970.
pub const TIMESTAMP: &str = "x-houbu-timestamp";
/// Said once: 8 to 64 letters, digits and hyphens.
pub const NONCE: &str = "x-houbu-nonce";
/// 64 hexadecimal digits.
pub const SIGNATURE: &str = "x-houbu-signature";

/// A message older or newer than this is not believed: what is recorded cannot be played again later.
pub const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// What a message is: the first line of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Our call to a HIS or a payment platform.
    Call,
    /// Its answer.
    Answer,
    /// What it tells us.
    Event,
    /// Our answer to that.
    Receipt,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Answer => "answer",
            Self::Event => "event",
            Self::Receipt => "receipt",
        }
    }
}

/// What the three headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// [`TIMESTAMP`].
    pub at: DateTime<Utc>,
    /// [`NONCE`].
    pub nonce: String,
    /// [`SIGNATURE`].
    pub signature: String,
}

/// Why a message was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// A header is missing or not what it should be.
    #[error("the header {0} is missing or unreadable")]
    Header(&'static str),
    /// Another signature than our key gives.
    #[error("the signature is wrong")]
    Signature,
    /// Written too long ago, or in the future.
    #[error("the timestamp is more than five minutes away from our clock")]
    Stale,
}

impl Stamp {
    /// Reads the headers.
    pub fn read(headers: &HeaderMap) -> Result<Self, StampError> {
        let field = |name: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
            value.map(str::to_owned).ok_or(StampError::Header(name))
        };
        let at = field(TIMESTAMP)?.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let nonce = field(NONCE)?;
        let spoken = nonce.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !(8..=64).contains(&nonce.len()) || !spoken {
            return Err(StampError::Header(NONCE));
        }
        Ok(Self { at: at.ok_or(StampError::Header(TIMESTAMP))?, nonce, signature: field(SIGNATURE)? })
    }

    /// The headers: name and value.
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [(TIMESTAMP, self.at.timestamp().to_string()), (NONCE, self.nonce.clone()), (SIGNATURE, self.signature.clone())]
    }

    /// Whether it was written within [`WINDOW`] of `now`.
    pub fn fresh(&self, now: DateTime<Utc>) -> Result<(), StampError> {
        if (self.at - now).abs() <= WINDOW { Ok(()) } else { Err(StampError::Stale) }
    }
}

/// Signs and verifies with one key.
pub struct Stamper(hmac::Key);

impl Stamper {
    /// With this key.
    pub fn new(key: &SecretString) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes()))
    }

    /// The stamp of a body.
    pub fn sign(&self, way: Way, at: DateTime<Utc>, nonce: &str, body: &[u8]) -> Stamp {
        let tag = hmac::sign(&self.0, &message(way, at.timestamp(), nonce, body));
        Stamp { at, nonce: nonce.to_owned(), signature: hex::encode(tag) }
    }

    /// Whether this key signed the body as this. Says nothing about when: see [`Stamp::fresh`].
    pub fn verify(&self, way: Way, stamp: &Stamp, body: &[u8]) -> Result<(), StampError> {
        let tag = hex::decode(&stamp.signature).map_err(|_| StampError::Signature)?;
        hmac::verify(&self.0, &message(way, stamp.at.timestamp(), &stamp.nonce, body), &tag)
            .map_err(|_| StampError::Signature)
    }
}

fn message(way: Way, timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{}\n{timestamp}\n{nonce}\n", way.name()).into_bytes();
    message.extend_from_slice(body);
    message
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn headers(stamp: &Stamp) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in stamp.headers() {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_known_body_has_a_known_signature() {
        let stamper = Stamper::new(&"sandbox-sign-key".into());
        let at = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
        let stamp = stamper.sign(Way::Event, at, "nonce-01", b"{\"function\":\"5007\"}");
        // printf 'event\n1760000000\nnonce-01\n{"function":"5007"}' | openssl dgst -sha256 -hmac sandbox-sign-key
        assert_eq!(stamp.signature, KNOWN);
        let read = Stamp::read(&headers(&stamp)).unwrap();
        assert_eq!(read, stamp);
        assert_eq!(stamper.verify(Way::Event, &read, b"{\"function\":\"5007\"}"), Ok(()));
        assert_eq!(stamper.verify(Way::Event, &read, b"{\"function\":\"5001\"}"), Err(StampError::Signature));
        let sent_back = stamper.verify(Way::Receipt, &read, b"{\"function\":\"5007\"}");
        assert_eq!(sent_back, Err(StampError::Signature), "nothing is the answer to itself");
        let moved = Stamp { at: at + TimeDelta::seconds(1), ..read.clone() };
        assert_eq!(stamper.verify(Way::Event, &moved, b"{\"function\":\"5007\"}"), Err(StampError::Signature));
        assert_eq!(read.fresh(at + WINDOW), Ok(()));
        assert_eq!(read.fresh(at + WINDOW + TimeDelta::seconds(1)), Err(StampError::Stale));
        assert_eq!(read.fresh(at - WINDOW - TimeDelta::seconds(1)), Err(StampError::Stale));
    }

    const KNOWN: &str = "6a5e4db995aace335547d3d06bd31654d29e54ee5abed153dc8563838dd2b030";

    #[test]
    fn each_header_that_is_wrong_is_named() {
        let stamp = Stamper::new(&"key".into()).sign(Way::Call, DateTime::default(), "nonce-01", b"");
        for name in [TIMESTAMP, NONCE, SIGNATURE] {
            let mut without = headers(&stamp);
            without.remove(name);
            assert_eq!(Stamp::read(&without), Err(StampError::Header(name)));
        }
        for (name, value) in
            [(TIMESTAMP, "soon"), (TIMESTAMP, "99999999999999999"), (NONCE, "short"), (NONCE, "a b c d e f")]
        {
            let mut wrong = headers(&stamp);
            wrong.insert(name, value.parse().unwrap());
            assert_eq!(Stamp::read(&wrong), Err(StampError::Header(name)), "{value}");
        }
    }
}

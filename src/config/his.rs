//! `[his]`: a real HIS, in one of three languages.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, Network};
use crate::ports::his::{Charset, Protocol};

/// See [`super::Config::his`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct His {
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
    /// The SOAP endpoint, or what all paths of the JSON or FHIR service begin with.
    pub url: String,
    /// `HOS_ID`.
    pub hospital_id: String,
    /// `USER_ID`.
    pub user_id: String,
    /// `KEY` of the MD5 signature (健康通), key of the HMAC (REST, and JSON pushes), bearer token (FHIR).
    pub sign_key: SecretString,
    /// Key of the AES body; 健康通 alone has one.
    #[serde(default)]
    pub aes_key: SecretString,
    /// In what its SOAP is written.
    #[serde(default)]
    pub charset: Charset,
    /// `CHANNEL_ID`.
    pub channel_id: String,
    /// Where it pushes from (R15); empty: from anywhere.
    #[serde(default)]
    pub push_from: Vec<Network>,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
    /// Whether it offers 2014 `RenewLock` and 2016 `QueryLock` (R10).
    #[serde(default)]
    pub cares_for_locks: bool,
}

impl His {
    /// What cannot be right, by its key.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, what: &str| Err(ConfigError::Invalid { key, what: what.to_owned() });
        let key_bytes = self.aes_key.expose_secret().len();
        match self.protocol {
            Protocol::Jiankangtong if !matches!(key_bytes, 16 | 24 | 32) => {
                wrong("his.aes_key", "protocol jiankangtong needs a key of 16, 24 or 32 bytes")
            }
            Protocol::Rest | Protocol::Fhir if self.charset == Charset::Gbk => {
                wrong("his.charset", "JSON is UTF-8: gbk goes with protocol jiankangtong alone")
            }
            _ if self.sign_key.expose_secret().is_empty() => wrong("his.sign_key", "an empty key signs nothing"),
            _ => Ok(()),
        }
    }
}

//! `[his]`: a real HIS, in one of three languages.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{ConfigError, Network};
use crate::ports::his::{Charset, Functions, LockedBy, OAuth, PaidBy, Proof, Protocol};

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
    /// How a FHIR server's access token is got; without it `sign_key` is the bearer token.
    #[serde(default)]
    pub oauth: Option<HisOAuth>,
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
    /// By which function a place is locked.
    #[serde(default)]
    pub lock: LockFunction,
    /// For how long 2005 holds it, min.
    #[serde(default = "lock_minutes")]
    pub lock_minutes: u32,
    /// By which function HIS is told that a booking is paid.
    #[serde(default)]
    pub pay: PayFunction,
}

/// As v3.3 has it.
const fn lock_minutes() -> u32 {
    10
}

/// See [`His::lock`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum LockFunction {
    /// Ours.
    #[default]
    #[serde(rename = "2013")]
    WaitLockReg,
    /// Of v3.3.
    #[serde(rename = "2005")]
    LockReg,
}

/// See [`His::pay`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum PayFunction {
    /// With the booking (ours).
    #[default]
    #[serde(rename = "2007")]
    OrderReg,
    /// Of v3.3, after it.
    #[serde(rename = "2008")]
    PayReg,
}

/// `[his.oauth]`: client credentials, with a secret or a key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HisOAuth {
    /// The token endpoint.
    pub token_url: String,
    /// By which we are known there.
    pub client_id: String,
    /// The client's secret; or
    #[serde(default)]
    pub client_secret: SecretString,
    /// its private key, RSA or P-384, in PKCS#8 PEM (SMART Backend Services).
    #[serde(default)]
    pub private_key_pem: SecretString,
    /// `kid` of that key.
    #[serde(default)]
    pub key_id: String,
    /// What is asked for.
    #[serde(default)]
    pub scope: String,
}

impl HisOAuth {
    /// As the port has it.
    pub fn oauth(&self) -> OAuth {
        let proof = if self.private_key_pem.expose_secret().is_empty() {
            Proof::Secret(self.client_secret.clone())
        } else {
            Proof::Key { pem: self.private_key_pem.clone(), key_id: self.key_id.clone() }
        };
        let (token_url, client_id, scope) = (self.token_url.clone(), self.client_id.clone(), self.scope.clone());
        OAuth { token_url, client_id, proof, scope }
    }
}

impl His {
    /// As the port has it.
    pub fn functions(&self) -> Functions {
        let lock = match self.lock {
            LockFunction::WaitLockReg => LockedBy::WaitLockReg,
            LockFunction::LockReg => LockedBy::LockReg { minutes: self.lock_minutes },
        };
        let pay = match self.pay {
            PayFunction::OrderReg => PaidBy::OrderReg,
            PayFunction::PayReg => PaidBy::PayReg,
        };
        Functions { lock, pay }
    }

    /// What cannot be right, by its key.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, what: &str| Err(ConfigError::Invalid { key, what: what.to_owned() });
        let key_bytes = self.aes_key.expose_secret().len();
        if let Some(oauth) = &self.oauth {
            if self.protocol != Protocol::Fhir {
                return wrong("his.oauth", "access tokens go with protocol fhir alone");
            }
            let proofs = [&oauth.client_secret, &oauth.private_key_pem];
            if proofs.into_iter().filter(|it| !it.expose_secret().is_empty()).count() != 1 {
                return wrong("his.oauth", "one of client_secret and private_key_pem proves who we are");
            }
        }
        let functions = self.functions();
        if self.protocol == Protocol::Fhir && functions != Functions::default() {
            return wrong("his.lock", "FHIR locks and pays in a way of its own: take lock and pay out");
        }
        if !(10..=1440).contains(&self.lock_minutes) {
            return wrong(
                "his.lock_minutes",
                "from 10 to 1440: half of a shorter lock would be no grace for a late payment",
            );
        }
        if self.cares_for_locks && self.lock == LockFunction::LockReg {
            return wrong(
                "his.cares_for_locks",
                "what 2005 has locked is not renewed or asked about: it goes with lock = \"2013\"",
            );
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;

    #[test]
    fn r10_functions_of_v3_3_are_for_the_protocols_that_have_them() {
        let checked = |protocol: &str, set: &str| {
            let told = format!(
                "protocol = \"{protocol}\"\nurl = \"http://h/\"\nhospital_id = \"1\"\nuser_id = \"H\"\nsign_key = \"k\"\n\
                 aes_key = \"0123456789abcdef\"\nchannel_id = \"4\"\ntimeout_ms = 1\n{set}"
            );
            let his: His = Figment::from(Toml::string(&told)).extract().unwrap();
            (his.functions(), his.check().err().map(|error| error.to_string()).unwrap_or_default())
        };
        let (functions, wrong) = checked("jiankangtong", "lock = \"2005\"\npay = \"2008\"");
        assert_eq!((functions.lock, functions.pay), (LockedBy::LockReg { minutes: 10 }, PaidBy::PayReg));
        assert_eq!(wrong, "");
        assert_eq!(checked("fhir", "").0, Functions::default());
        for (protocol, set, key) in [
            ("fhir", "pay = \"2008\"", "his.lock"),
            ("rest", "lock = \"2005\"\nlock_minutes = 9", "his.lock_minutes"),
            ("rest", "lock = \"2005\"\ncares_for_locks = true", "his.cares_for_locks"),
        ] {
            let (_, wrong) = checked(protocol, set);
            assert!(wrong.contains(key), "{protocol} {set}: {wrong}");
        }
    }

    #[test]
    fn an_access_token_needs_one_proof_and_goes_with_fhir_alone() {
        let checked = |protocol: &str, proof: &str| {
            let told = format!(
                "protocol = \"{protocol}\"\nurl = \"http://h/\"\nhospital_id = \"1\"\nuser_id = \"H\"\nsign_key = \"k\"\n\
                 channel_id = \"4\"\ntimeout_ms = 1\n[oauth]\ntoken_url = \"http://h/token\"\nclient_id = \"H\"\n{proof}"
            );
            Figment::from(Toml::string(&told)).extract::<His>().unwrap().check().err().map(|error| error.to_string())
        };
        let (secret, key) = ("client_secret = \"s\"\n", "private_key_pem = \"p\"\nkey_id = \"k1\"\n");
        assert_eq!((checked("fhir", secret), checked("fhir", key)), (None, None));
        for (protocol, proof) in [("fhir", ""), ("fhir", &format!("{secret}{key}")), ("rest", secret)] {
            let error = checked(protocol, proof).unwrap_or_default();
            assert!(error.contains("his.oauth"), "{protocol} {proof}: {error}");
        }
    }
}

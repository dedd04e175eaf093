//! How a hospital's HIS is reached: which of three languages it speaks, where it is, and how we are known there.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::charset::Charset;
use super::envelope::{Credentials, KeyError};
use super::fhir::FhirHis;
use super::fhir::oauth::OAuth;
use super::{His, JiankangtongHis};
use crate::ports::calling::{address, client};

/// The language that a HIS speaks. Nothing above the port knows which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// 健康通 v3.3: XML in SOAP, MD5 and AES.
    #[default]
    Jiankangtong,
    /// The same functions as JSON, HMAC-SHA256.
    Rest,
    /// HL7 FHIR R4: Schedule, Slot, Appointment.
    Fhir,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jiankangtong, Self::Rest, Self::Fhir];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jiankangtong => "jiankangtong",
            Self::Rest => "rest",
            Self::Fhir => "fhir",
        }
    }

    /// Where its pushes come in.
    pub const fn callback(self) -> &'static str {
        match self {
            Self::Jiankangtong => "/callbacks/his",
            Self::Rest | Self::Fhir => "/callbacks/his/events",
        }
    }
}

/// By which of its functions a HIS does what v3.3 and our proposals do differently. FHIR has a way of its own for both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Functions {
    /// How a place is locked.
    pub lock: LockedBy,
    /// How it is told of money.
    pub pay: PaidBy,
}

/// The function by which a place is locked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LockedBy {
    /// 2013 (ours): for as long as is asked for, and HIS says until when.
    #[default]
    WaitLockReg,
    /// 2005: for a time of its own, of which HIS says nothing.
    LockReg {
        /// That time, as the hospital has it.
        minutes: u32,
    },
}

/// The function by which HIS is told that a booking is paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PaidBy {
    /// 2007, with `PAY_FLAG`, `OUT_TRADE_NO` and `PAY_AMT` (ours).
    #[default]
    OrderReg,
    /// 2008, after the booking.
    PayReg,
}

/// Where the HIS is and how we are known there.
#[derive(Debug, Clone)]
pub struct Config {
    /// What it speaks.
    pub protocol: Protocol,
    /// The address of its SOAP service, or what all paths of the other two begin with.
    pub url: String,
    /// `HOS_ID`.
    pub hospital_id: String,
    /// `USER_ID`.
    pub user_id: String,
    /// 健康通: the signature's `KEY`. REST: the HMAC key. FHIR: the bearer token. The pushes' HMAC key in all three.
    pub sign_key: SecretString,
    /// 健康通 alone: the body's AES key of 16, 24 or 32 bytes.
    pub aes_key: SecretString,
    /// 健康通 alone: in what its texts are written.
    pub charset: Charset,
    /// FHIR alone: how an access token is got; without it `sign_key` is the bearer token.
    pub oauth: Option<OAuth>,
    /// `CHANNEL_ID` of what we lock and book.
    pub channel_id: String,
    /// How long one call may take altogether; connecting may take a third of it.
    pub timeout: Duration,
    /// The hospital's clock.
    pub time_zone: Tz,
    /// Whether it offers 2014 `RenewLock` and 2016 `QueryLock`.
    pub cares_for_locks: bool,
    /// Which of its functions are used where there are two.
    pub functions: Functions,
}

impl Config {
    /// The part that both sides of 健康通 share.
    pub fn credentials(&self) -> Credentials {
        Credentials { user_id: self.user_id.clone(), sign_key: self.sign_key.clone(), aes_key: self.aes_key.clone() }
    }

    /// A connection pool of its own: nothing is followed elsewhere.
    pub(super) fn http(&self) -> Result<reqwest::Client, SetupError> {
        let url = address(&self.url).ok_or(SetupError::Address)?;
        Ok(client(&url, self.timeout).connect_timeout(self.timeout / 3).build()?)
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The body's key has a wrong length.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The address is none.
    #[error("the address of the HIS is no http or https URL")]
    Address,
    /// The address of the token endpoint is none.
    #[error("the address of the token endpoint is no http or https URL")]
    TokenAddress,
    /// The client's key is none.
    #[error("the client's private key is no PKCS#8 PEM of an RSA key of 2048 bits or more, or of a P-384 key")]
    TokenKey,
    /// The HTTP client cannot start (no TLS roots).
    #[error("the HTTP client for the HIS cannot start: {0}")]
    Http(#[from] reqwest::Error),
}

/// The client for what this HIS speaks.
pub fn connect(config: Config) -> Result<Arc<dyn His>, SetupError> {
    Ok(match config.protocol {
        Protocol::Jiankangtong | Protocol::Rest => Arc::new(JiankangtongHis::new(config)?),
        Protocol::Fhir => Arc::new(FhirHis::new(config)?),
    })
}

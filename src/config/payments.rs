//! `[wechat_pay]` and `[payment_platform]`: who takes the money, one of the two.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::ConfigError;

/// See [`super::Config::wechat_pay`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WechatPay {
    /// The API's base address.
    pub base_url: String,
    /// `appid`.
    pub app_id: String,
    /// `mchid`.
    pub mch_id: String,
    /// Serial number of the merchant key.
    pub serial_no: String,
    /// The merchant's private key, PEM.
    pub private_key_pem: SecretString,
    /// The platform's public keys by serial number or key id, PEM.
    #[serde(default)]
    pub platform_keys: BTreeMap<String, String>,
    /// Whether certificates are taken from the platform too (`GET /v3/certificates`).
    #[serde(default)]
    pub platform_certificates: bool,
    /// The `APIv3` key, 32 bytes.
    pub api_v3_key: SecretString,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}

/// See [`super::Config::payment_platform`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentPlatform {
    /// What every path of it begins with.
    pub url: String,
    /// Who we are there.
    pub merchant_id: String,
    /// The key of the HMAC, at least 16 bytes.
    pub sign_key: SecretString,
    /// How long a call may take, ms.
    pub timeout_ms: u64,
}

/// A shorter key can be found by trying.
const KEY_BYTES_MIN: usize = 16;

impl PaymentPlatform {
    /// What cannot be right, by its key.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bytes = self.sign_key.expose_secret().len();
        if bytes < KEY_BYTES_MIN {
            let what = format!("it has {bytes} bytes; take at least {KEY_BYTES_MIN} (openssl rand -hex 32)");
            return Err(ConfigError::Invalid { key: "payment_platform.sign_key", what });
        }
        Ok(())
    }
}

/// How far a notice's timestamp may be from our clock, s: a longer one lets what was recorded be played again.
const SKEW_S: std::ops::RangeInclusive<u16> = 30..=900;

/// What cannot be right of `notice_skew_s`.
pub(super) fn check_skew(skew_s: u16) -> Result<(), ConfigError> {
    if SKEW_S.contains(&skew_s) {
        return Ok(());
    }
    let what = format!("it is {skew_s} s; make it {} to {}", SKEW_S.start(), SKEW_S.end());
    Err(ConfigError::Invalid { key: "notice_skew_s", what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_and_a_wide_window_are_refused() {
        let platform = |key: &str| PaymentPlatform {
            url: "https://pay.example.org".to_owned(),
            merchant_id: "1".to_owned(),
            sign_key: key.into(),
            timeout_ms: 1,
        };
        assert!(platform("0123456789abcdef").check().is_ok());
        assert!(platform("0123456789abcde").check().is_err());
        assert!(check_skew(300).is_ok() && check_skew(29).is_err() && check_skew(901).is_err());
    }
}

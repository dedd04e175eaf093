//! The sealed resource of a notice: `AEAD_AES_256_GCM` under the merchant's API v3 key.
//!
//! Opening proves that the sealer knew the key; it says nothing about when it was sealed or for whom.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// The algorithm's name in a notice.
pub const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// The API v3 key: 32 bytes, shared with the platform.
pub struct SealingKey(LessSafeKey);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// The key of these 32 bytes; `None` at any other length.
    pub fn new(api_v3_key: &SecretString) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, api_v3_key.expose_secret().as_bytes()).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// Opens base64 `ciphertext` (with its tag); `None` if nonce, key, associated data or bytes do not fit.
    pub fn open(&self, nonce: &str, associated_data: &str, ciphertext: &str) -> Option<Vec<u8>> {
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        let mut bytes = STANDARD.decode(ciphertext).ok()?;
        let plain = self.0.open_in_place(nonce, Aad::from(associated_data.as_bytes()), &mut bytes).ok()?;
        Some(plain.to_vec())
    }

    /// Seals `plain` for base64 transport. A nonce (12 bytes) must never serve twice under one key.
    pub fn seal(&self, nonce: &str, associated_data: &str, plain: &[u8]) -> Option<String> {
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        let mut bytes = plain.to_vec();
        self.0.seal_in_place_append_tag(nonce, Aad::from(associated_data.as_bytes()), &mut bytes).ok()?;
        Some(STANDARD.encode(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_s_own_example_opens() {
        // wechatpay-apiv3/wechatpay-java, the test of its AEAD_AES_256_GCM with the API v3 key of its TestConfig.
        let key = SealingKey::new(&"a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb".into()).unwrap();
        let sealed = "ulwSiIajGClcvcOYvOQ7+l+0PAbzzwI=";
        assert_eq!(key.open("uluk4a9R25RW", "associatedData", sealed).as_deref(), Some(&b"message"[..]));
        assert_eq!(key.seal("uluk4a9R25RW", "associatedData", b"message").as_deref(), Some(sealed));
    }

    #[test]
    fn what_was_sealed_opens_only_with_all_its_parts() {
        let key = SealingKey::new(&"0123456789abcdef0123456789abcdef".into()).unwrap();
        let sealed = key.seal("abcdefghijkl", "transaction", b"money").unwrap();
        assert_eq!(key.open("abcdefghijkl", "transaction", &sealed).unwrap(), b"money");
        assert!(key.open("abcdefghijkX", "transaction", &sealed).is_none());
        assert!(key.open("abcdefghijkl", "refund", &sealed).is_none());
        assert!(key.open("short", "transaction", &sealed).is_none());
        assert!(key.open("abcdefghijkl", "transaction", "AAAA").is_none());
        let other = SealingKey::new(&"X123456789abcdef0123456789abcdef".into()).unwrap();
        assert!(other.open("abcdefghijkl", "transaction", &sealed).is_none());
        assert!(SealingKey::new(&"too short".into()).is_none());
    }
}

//! The keys of the simulated WeChat Pay and of the one merchant it knows, made once and kept in its store.
//!
//! They are worth nothing outside the sandbox.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ports::payments::sealed::SealingKey;
use crate::ports::payments::signature::{SigningKey, VerifyingKeys};
use crate::ports::stamp::Stamper;
use crate::sandbox::books::{Record, Store};
use crate::sandbox::faults::hash;

/// The merchant's `mchid`.
pub(super) const MCH_ID: &str = "1900000109";
/// The merchant's `appid`.
pub(super) const APP_ID: &str = "wx0000000000000109";

/// Who the merchant is at the platform that is played beside.
pub(super) const MERCHANT_ID: &str = "1001";
/// What that platform and the merchant share. It guards nothing.
pub(super) const SIGN_KEY: &str = "sandbox-pay-platform-key";

const BOOK: &str = "wechat_pay.keys";

/// The keys in use.
pub(super) struct Keys {
    saved: Saved,
    platform: SigningKey,
    /// The platform's next key, from the moment that it is handed out; a restart forgets it.
    next: OnceLock<(Pair, SigningKey)>,
    signs_with_next: AtomicBool,
    /// Verifies requests.
    pub merchant: VerifyingKeys,
    /// Seals notices.
    pub sealing: SealingKey,
    /// Stamps what the platform that is played beside says.
    pub stamper: Stamper,
}

/// As kept in the store.
#[derive(Clone, Serialize, Deserialize)]
struct Saved {
    merchant: Pair,
    platform: Pair,
    api_v3_key: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) serial: String,
    pub(super) private_pem: String,
    pub(super) public_pem: String,
}

impl Keys {
    /// The keys of this store, made if it has none.
    pub(super) async fn load_or_make(store: &Store) -> anyhow::Result<Self> {
        if let Some((_, saved)) = store.load::<Saved>(BOOK).await?.pop() {
            return Self::of(saved);
        }
        let made = tokio::task::spawn_blocking(Saved::make).await??;
        store.save(vec![Record::new(BOOK, "keys", &made)?]).await?;
        Self::of(made)
    }

    fn of(saved: Saved) -> anyhow::Result<Self> {
        let merchant = (saved.merchant.serial.as_str(), saved.merchant.public_pem.as_str());
        Ok(Self {
            platform: SigningKey::from_pem(&saved.platform.private_pem)?,
            next: OnceLock::new(),
            signs_with_next: AtomicBool::default(),
            merchant: VerifyingKeys::from_pems([merchant]).map_err(|(_, error)| error)?,
            sealing: SealingKey::new(&saved.api_v3_key.as_str().into())
                .ok_or_else(|| anyhow::anyhow!("the sandbox's API v3 key is not 32 bytes long"))?,
            stamper: Stamper::new(&SIGN_KEY.into()),
            saved,
        })
    }

    fn next(&self) -> Option<&(Pair, SigningKey)> {
        self.next.get().filter(|_| self.signs_with_next.load(Ordering::SeqCst))
    }

    /// Signs answers and notices.
    pub(super) fn platform(&self) -> &SigningKey {
        self.next().map_or(&self.platform, |(_, key)| key)
    }

    /// The serial of the key that signs answers and notices.
    pub(super) fn platform_serial(&self) -> &str {
        &self.next().map_or(&self.saved.platform, |(pair, _)| pair).serial
    }

    /// The pairs whose certificates are handed out: two while the platform rotates.
    pub(super) fn handed_out(&self) -> Vec<&Pair> {
        let next = self.next.get().map(|(pair, _)| pair);
        [Some(&self.saved.platform), next].into_iter().flatten().collect()
    }

    /// The next key is handed out from now on.
    pub(super) fn hand_out_next(&self) -> anyhow::Result<()> {
        let pair = Pair::make()?;
        let key = SigningKey::from_pem(&pair.private_pem)?;
        // Whoever was first has made it already.
        let _ = self.next.set((pair, key));
        Ok(())
    }

    /// The next key signs from now on.
    pub(super) fn sign_with_next(&self) {
        self.signs_with_next.store(true, Ordering::SeqCst);
    }

    /// What the merchant knows: its serial, its private key, the platform's keys, the API v3 key.
    pub(super) fn for_merchant(&self) -> (String, SecretString, Vec<(String, String)>, SecretString) {
        let Saved { merchant, platform, api_v3_key } = self.saved.clone();
        let platform_keys = vec![(platform.serial, platform.public_pem)];
        (merchant.serial, merchant.private_pem.into(), platform_keys, api_v3_key.into())
    }
}

impl Saved {
    fn make() -> anyhow::Result<Self> {
        let api_v3_key = format!("{:032x}", rand::random::<u128>());
        Ok(Self { merchant: Pair::make()?, platform: Pair::make()?, api_v3_key })
    }
}

impl Pair {
    fn make() -> anyhow::Result<Self> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?;
        let private: Pkcs8V1Der<'_> = pair.as_der()?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        Ok(Self {
            serial: format!("{:016X}{:024X}", hash(&[public.as_ref()]), hash(&[b"serial", public.as_ref()])),
            private_pem: pem("PRIVATE KEY", private.as_ref()),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
        })
    }
}

/// A PEM block with lines of 64 characters.
fn pem(kind: &str, der: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut text = format!("-----BEGIN {kind}-----\n");
    // 48 bytes are 64 characters of base64, without padding in between.
    for line in der.chunks(48) {
        let _ = writeln!(text, "{}", STANDARD.encode(line));
    }
    let _ = writeln!(text, "-----END {kind}-----");
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn saved_keys_come_back_as_the_same_keys() {
        let made = Saved::make().unwrap();
        let first = Keys::of(made.clone()).unwrap();
        let again = Keys::of(serde_json::from_value(serde_json::to_value(&made).unwrap()).unwrap()).unwrap();
        let signature = first.platform().sign(b"x").unwrap();
        let (.., platform_keys, _) = again.for_merchant();
        let keys = VerifyingKeys::from_pems(platform_keys.iter().map(|(s, p)| (s.as_str(), p.as_str()))).unwrap();
        assert_eq!(keys.verify(first.platform_serial(), b"x", &signature), Ok(()));
        assert_eq!(first.platform_serial().len(), 40);
    }
}

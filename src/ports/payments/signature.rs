//! RSA-SHA256 signatures of WeChat Pay v3: what we sign, and how what the platform signed is verified.
//!
//! Bytes are signed and verified exactly as they travel: nothing here parses or rewrites a body.

use std::collections::HashMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use thiserror::Error;

/// The scheme's name, in `Authorization` and in the algorithm of notices' signatures.
pub const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No `-----BEGIN …-----` block of the right kind, or its base64 is broken.
    #[error("not a PEM block of the kind {0}")]
    Pem(&'static str),
    /// The block holds no RSA key of at least 2048 bits.
    #[error("not an RSA key of 2048 bits or more")]
    Rsa,
}

/// Why a signature was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Untrusted {
    /// The serial names no key that we know.
    #[error("no key of that serial")]
    Serial,
    /// The signature does not fit.
    #[error("the signature does not fit")]
    Signature,
}

/// A private RSA key that signs.
pub struct SigningKey(rsa::KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// The key in a PKCS#8 PEM (`BEGIN PRIVATE KEY`), as the platform's certificate tool writes it.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let pair = rsa::KeyPair::from_pkcs8(&der(pem, "PRIVATE KEY")?).map_err(|_| KeyError::Rsa)?;
        if pair.public_modulus_len() < 256 { Err(KeyError::Rsa) } else { Ok(Self(pair)) }
    }

    /// The base64 signature of these bytes; `None` only where the cryptographic library itself fails.
    pub fn sign(&self, message: &[u8]) -> Option<String> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(STANDARD.encode(signature))
    }
}

/// Public keys by serial: the platform's several keys while it rotates them.
#[derive(Debug, Clone, Default)]
pub struct VerifyingKeys(HashMap<String, ParsedPublicKey>);

impl VerifyingKeys {
    /// The keys in these public key PEMs (`BEGIN PUBLIC KEY`); an error names the serial of the bad one.
    pub fn from_pems<'a>(keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, (String, KeyError)> {
        let mut known = HashMap::new();
        for (serial, pem) in keys {
            let named = |error| (serial.to_owned(), error);
            let der = der(pem, "PUBLIC KEY").map_err(named)?;
            let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| named(KeyError::Rsa))?;
            known.insert(serial.to_owned(), key);
        }
        Ok(Self(known))
    }

    /// These keys and more, each the DER of a public key as a certificate holds it.
    pub(super) fn and(&self, more: Vec<(String, Vec<u8>)>) -> Result<Self, (String, KeyError)> {
        let mut known = self.0.clone();
        for (serial, der) in more {
            match ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der) {
                Ok(key) => drop(known.insert(serial, key)),
                Err(_) => return Err((serial, KeyError::Rsa)),
            }
        }
        Ok(Self(known))
    }

    /// Verifies a base64 signature over these bytes with the key of `serial`.
    pub fn verify(&self, serial: &str, message: &[u8], signature: &str) -> Result<(), Untrusted> {
        let key = self.0.get(serial).ok_or(Untrusted::Serial)?;
        let signature = STANDARD.decode(signature).map_err(|_| Untrusted::Signature)?;
        key.verify_sig(message, &signature).map_err(|_| Untrusted::Signature)
    }
}

/// What is signed of a request; `target` is path and query.
pub fn request_message(method: &str, target: &str, timestamp: i64, nonce: &str, body: &str) -> String {
    format!("{method}\n{target}\n{timestamp}\n{nonce}\n{body}\n")
}

/// What the platform signs of a response or a notice.
pub fn platform_message(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    message
}

/// What is signed for the payer's client; `package` is `prepay_id=…`.
pub fn client_message(app_id: &str, timestamp: i64, nonce: &str, package: &str) -> String {
    format!("{app_id}\n{timestamp}\n{nonce}\n{package}\n")
}

/// The `Authorization` header of a signed request.
pub fn authorization(mch_id: &str, serial_no: &str, timestamp: i64, nonce: &str, signature: &str) -> String {
    format!(
        "{SCHEME} mchid=\"{mch_id}\",nonce_str=\"{nonce}\",signature=\"{signature}\",timestamp=\"{timestamp}\",\
         serial_no=\"{serial_no}\""
    )
}

/// A fresh random nonce of 32 characters.
pub fn nonce() -> String {
    format!("{:032X}", rand::random::<u128>())
}

/// The DER inside the first PEM block of this kind.
fn der(pem: &str, kind: &'static str) -> Result<Vec<u8>, KeyError> {
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let inside = pem.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).ok_or(KeyError::Pem(kind))?.0;
    let base64: String = inside.split_ascii_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| KeyError::Pem(kind))
}

/// True for an answer that says who signed it.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.contains_key("wechatpay-signature")
}

/// Whether one of these keys signed this answer.
pub(super) fn verified(keys: &VerifyingKeys, headers: &HeaderMap, body: &[u8]) -> Result<(), Untrusted> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let message = platform_message(text("wechatpay-timestamp"), text("wechatpay-nonce"), body);
    keys.verify(text("wechatpay-serial"), &message, text("wechatpay-signature"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair;

    use super::*;

    /// A fresh pair as PEMs: private, public.
    pub(in crate::ports::payments) fn pair() -> (String, String) {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let block =
            |kind, der: &[u8]| format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der));
        (block("PRIVATE KEY", private.as_ref()), block("PUBLIC KEY", public.as_ref()))
    }

    #[test]
    fn a_signature_fits_its_key_and_its_bytes_only() {
        let ((private, public), (_, stranger)) = (pair(), pair());
        let keys = VerifyingKeys::from_pems([("OURS", public.as_str()), ("OTHER", stranger.as_str())]).unwrap();
        let message = platform_message("1", "n", b"{}");
        let signature = SigningKey::from_pem(&private).unwrap().sign(&message).unwrap();
        assert_eq!(keys.verify("OURS", &message, &signature), Ok(()));
        assert_eq!(keys.verify("OURS", &platform_message("1", "n", b"{ }"), &signature), Err(Untrusted::Signature));
        assert_eq!(keys.verify("OTHER", &message, &signature), Err(Untrusted::Signature));
        assert_eq!(keys.verify("NONE", &message, &signature), Err(Untrusted::Serial));
        assert_eq!(keys.verify("OURS", &message, "not base64"), Err(Untrusted::Signature));
    }

    #[test]
    fn keys_of_the_wrong_kind_are_named() {
        let (private, public) = pair();
        assert_eq!(SigningKey::from_pem(&public).unwrap_err(), KeyError::Pem("PRIVATE KEY"));
        assert_eq!(
            VerifyingKeys::from_pems([("A", private.as_str())]).unwrap_err(),
            ("A".to_owned(), KeyError::Pem("PUBLIC KEY"))
        );
        let hollow = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
        assert_eq!(VerifyingKeys::from_pems([("A", hollow)]).unwrap_err().1, KeyError::Rsa);
    }

    #[test]
    fn messages_are_laid_out_as_the_platform_documents_them() {
        assert_eq!(request_message("GET", "/v3/x?mchid=1", 7, "N", ""), "GET\n/v3/x?mchid=1\n7\nN\n\n");
        // The example of its documentation (签名生成), whose key it does not give.
        assert_eq!(
            request_message("GET", "/v3/certificates", 1_554_208_460, "593BEC0C930BF1AFEB40B4A08C8FB242", ""),
            "GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
        );
        assert_eq!(platform_message("7", "N", b"b"), b"7\nN\nb\n");
        assert_eq!(client_message("wx1", 7, "N", "prepay_id=p"), "wx1\n7\nN\nprepay_id=p\n");
        assert_eq!(
            authorization("m", "s", 7, "N", "sig"),
            "WECHATPAY2-SHA256-RSA2048 mchid=\"m\",nonce_str=\"N\",signature=\"sig\",timestamp=\"7\",serial_no=\"s\""
        );
    }
}

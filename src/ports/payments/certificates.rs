//! The platform's certificates, as it hands them out (`GET /v3/certificates`): while it rotates, two are good at a time.
//!
//! A certificate is believed because it was sealed with our API v3 key, which only the platform and we have; its own
//! signature is not looked at. Of the certificate only the public key is used.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use webpki::EndEntityCert;

use super::sealed::{ALGORITHM, SealingKey};

#[derive(Deserialize)]
struct Answer {
    data: Vec<HandedOut>,
}

#[derive(Deserialize)]
struct HandedOut {
    serial_no: String,
    expire_time: DateTime<Utc>,
    encrypt_certificate: Sealed,
}

#[derive(Deserialize)]
struct Sealed {
    algorithm: String,
    nonce: String,
    #[serde(default)]
    associated_data: String,
    ciphertext: String,
}

/// The public keys (`SubjectPublicKeyInfo`, DER) of the certificates that are not over at `now`, by serial. One that cannot be
/// opened spoils them all: it is our API v3 key that is wrong then.
pub(super) fn keys(body: &[u8], key: &SealingKey, now: DateTime<Utc>) -> Result<Vec<(String, Vec<u8>)>, &'static str> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| "the answer cannot be read")?;
    let good = answer.data.into_iter().filter(|certificate| certificate.expire_time > now);
    good.map(|certificate| {
        let sealed = certificate.encrypt_certificate;
        if sealed.algorithm != ALGORITHM {
            return Err("a certificate is sealed in a way that is not known");
        }
        let plain = key
            .open(&sealed.nonce, &sealed.associated_data, &sealed.ciphertext)
            .ok_or("a certificate does not decrypt: is api_v3_key right?")?;
        Ok((certificate.serial_no, public_key(&plain).ok_or("a certificate is not one")?))
    })
    .collect()
}

/// The public key in a certificate's PEM.
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let certificate = EndEntityCert::try_from(&der).ok()?;
    Some(certificate.subject_public_key_info().as_ref().to_vec())
}

/// A certificate's PEM as the platform seals it, for whoever plays the platform.
pub fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::signature::{Untrusted, VerifyingKeys};
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn handed_out(ciphertext: &str, expires: &str) -> String {
        format!(
            "{{\"data\":[{{\"serial_no\":\"S1\",\"effective_time\":\"2020-01-01T00:00:00+08:00\",\
             \"expire_time\":\"{expires}\",\"encrypt_certificate\":{{\"algorithm\":\"AEAD_AES_256_GCM\",\
             \"nonce\":\"abcdefghijkl\",\"associated_data\":\"certificate\",\"ciphertext\":\"{ciphertext}\"}}}}]}}"
        )
    }

    /// The certificate and the signature of `source` that wechatpay-apiv3/wechatpay-go tests its verifier with.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIDVzCCAj+gAwIBAgIJAPV2V1YAL913MA0GCSqGSIb3DQEBCwUAMEIxCzAJBgNV
BAYTAlhYMRUwEwYDVQQHDAxEZWZhdWx0IENpdHkxHDAaBgNVBAoME0RlZmF1bHQg
Q29tcGFueSBMdGQwHhcNMjEwNDI3MDg0MDMyWhcNMzEwNDI1MDg0MDMyWjBCMQsw
CQYDVQQGEwJYWDEVMBMGA1UEBwwMRGVmYXVsdCBDaXR5MRwwGgYDVQQKDBNEZWZh
dWx0IENvbXBhbnkgTHRkMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
2VCTd91fnUn73Xy9DLvt/V62TVxRTEEstVdeRaZ3B3leO0pldE806mXO4RwdHXag
HQ4vGeZN0yqm++rDsGK+U3AH7kejyD2pXshNP9Cq5YwbptiLGtjcquw4HNxJQUOm
DeJf2vg6byms9RUipiq4SzbJKqJFlUpbuIPDpSpWz10PYmyCNeDGUUK65E5h2B83
4uxl1zNLYQCrkdBzb8oUxwYeP5a2DNxmjL5lsJML7DGr5znsevnoqGRwTm9fxCGf
y8wus7hwKz6clt3Whmmda7UAdb1c08hEQFVRbF14AR73xbnd8N0obCWJPCbzMCtk
aSef4FdEEgEXJiw0VAJT8wIDAQABo1AwTjAdBgNVHQ4EFgQUT1c7nd/SUO76HSoZ
umNUJv1R5PwwHwYDVR0jBBgwFoAUT1c7nd/SUO76HSoZumNUJv1R5PwwDAYDVR0T
BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAM+tslqBxYwqL9fdvGG6hfy69sjfX
UhBtBLWYugKKQCOWWLeq5dDWm3i5Cx2Rgiy9uc7RfmJNxQfIKlcoCNP85BjDoG1B
YnVc6znlcrT9uHgseha3987WwZsFAQbcy8TLUYHzVB8gmDgq8O08xdIe0eczatI8
t3Rg8WXO6Gs66JJ4JR+rD01o3FiSOQCRWhn19NSyDydsgPlOR2t9B9L+MkJwlsMG
Krn85TnwL3qcInzRnU8X86faXXJrI0IJi44tECKw8ftngCl6vyNwNNKPDwdkcuuV
8y3iBixO5IuKxEKEp2wGPV/4W1AXO73Z3Gb7z/1oxdgeO0hVqz1hBasTCQ==
-----END CERTIFICATE-----
";
    const SIGNATURE: &str = "BKyAfU4iMCuvXMXS0Wzam3V/cnxZ+JaqigPM5OhljS2iOT95OO6Fsuml2JkFANJU9K6q9bLlDhPXuoVz+pp4hAm6pHU4ld815U4j\
        sKu1RkyaII+1CYBUYC8TK0XtJ8FwUXXz8vZHh58rrAVN1XwNyvD1vfpxrMT4SL536GLwvpUHlCqIMzoZUguLli/K8V29QiOhuH6IEqLNJn8e9b3n\
        wNcQ7be3CzYGpDAKBfDGPCqCv8Rw5zndhlffk2FEA70G4hvMwe51qMN/RAJbknXG23bSlObuTCN7Ndj1aJGH6/L+hdwfLpUtJm4QYVazzW7DFD27\
        EpSQEqA8bX9+8m1rLg==";

    #[test]
    fn the_platform_s_own_example_of_a_signature_is_believed() {
        let der = public_key(CERTIFICATE.as_bytes()).unwrap();
        let keys = VerifyingKeys::default().and(vec![("F5765756002FDD77".to_owned(), der)]).unwrap();
        assert_eq!(keys.verify("F5765756002FDD77", b"source", SIGNATURE), Ok(()));
        assert_eq!(keys.verify("F5765756002FDD77", b"wrong source", SIGNATURE), Err(Untrusted::Signature));
    }

    #[test]
    fn what_is_no_certificate_is_never_a_key() {
        let (key, now) = (SealingKey::new(&KEY.into()).unwrap(), "2026-03-02T00:00:00Z".parse().unwrap());
        let sealed = |plain: &str| key.seal("abcdefghijkl", "certificate", plain.as_bytes()).unwrap();
        let year = "2030-01-01T00:00:00+08:00";
        assert!(keys(b"{}", &key, now).is_err());
        assert!(keys(handed_out("AAAA", year).as_bytes(), &key, now).is_err());
        assert!(keys(handed_out(&sealed("no PEM"), year).as_bytes(), &key, now).is_err());
        assert!(keys(handed_out(&sealed(&pem(b"no DER")), year).as_bytes(), &key, now).is_err());
        let over = handed_out(&sealed("no PEM"), "2026-03-01T00:00:00+08:00");
        assert_eq!(keys(over.as_bytes(), &key, now), Ok(Vec::new()), "one that is over is not looked at");
    }
}

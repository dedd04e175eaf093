//! The certificates that the simulated platform hands out: real X.509, self-signed, good for nothing but their public key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::keys::{Keys, Pair};
use crate::ports::payments::certificates::pem;
use crate::ports::payments::sealed::ALGORITHM;
use crate::ports::payments::signature::SigningKey;

const SEQUENCE: u8 = 0x30;
/// sha256WithRSAEncryption, with its empty parameters.
const SIGNED_WITH: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];
/// commonName.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

/// `GET /v3/certificates`: every certificate that is good now, sealed.
pub(super) fn handed_out(keys: &Keys) -> Option<Value> {
    let certificates: Option<Vec<Value>> = keys.handed_out().iter().map(|pair| one(keys, pair)).collect();
    Some(json!({ "data": certificates? }))
}

fn one(keys: &Keys, pair: &Pair) -> Option<Value> {
    let nonce = format!("{:012x}", rand::random::<u64>() & 0xffff_ffff_ffff);
    let plain = pem(&certificate(pair)?);
    let ciphertext = keys.sealing.seal(&nonce, "certificate", plain.as_bytes())?;
    Some(json!({
        "serial_no": pair.serial,
        "effective_time": "2020-01-01T00:00:00+08:00",
        "expire_time": "2049-01-01T00:00:00+08:00",
        "encrypt_certificate": {
            "algorithm": ALGORITHM, "nonce": nonce, "associated_data": "certificate", "ciphertext": ciphertext,
        },
    }))
}

/// The certificate of a pair, DER.
fn certificate(pair: &Pair) -> Option<Vec<u8>> {
    let base64: String = pair.public_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let public_key = STANDARD.decode(base64).ok()?;
    let mut serial = hex::decode(&pair.serial).ok()?;
    // Positive, whatever its first bit.
    serial.insert(0, 0);
    while serial.len() > 1 && serial[0] == 0 && serial[1] < 0x80 {
        serial.remove(0);
    }
    let name =
        tlv(SEQUENCE, &tlv(0x31, &tlv(SEQUENCE, &[COMMON_NAME, &tlv(0x0c, b"Tenpay.com sign (sandbox)")].concat())));
    let validity = tlv(SEQUENCE, &[tlv(0x17, b"200101000000Z"), tlv(0x17, b"490101000000Z")].concat());
    let signed_with = tlv(SEQUENCE, SIGNED_WITH);
    // Version 3, and no extensions.
    let version = tlv(0xa0, &[0x02, 0x01, 0x02]);
    let what = tlv(
        SEQUENCE,
        &[version, tlv(0x02, &serial), signed_with.clone(), name.clone(), validity, name, public_key].concat(),
    );
    let signature = STANDARD.decode(SigningKey::from_pem(&pair.private_pem).ok()?.sign(&what)?).ok()?;
    let signature = tlv(0x03, &[&[0], signature.as_slice()].concat());
    Some(tlv(SEQUENCE, &[what, signed_with, signature].concat()))
}

/// A DER value.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut bytes = vec![tag];
    match significant.as_slice() {
        [] => bytes.push(0),
        [short] if *short < 0x80 => bytes.push(*short),
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            bytes.extend_from_slice(long);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::{Options, PayServer};
    use crate::ports::CallError;
    use crate::ports::payments::{Config, Opened, OrderRequest, Payments as _, WechatPay};
    use crate::sandbox::books::Store;
    use crate::sandbox::faults::{Faults, Level};

    async fn server() -> PayServer {
        PayServer::start(Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            seed: 1,
            now: Arc::new(chrono::Utc::now),
            faults: Arc::new(Faults::new(Level::None, 1)),
            store: Store::in_memory(),
            slow: Duration::from_secs(1),
            refunds_close: false,
        })
        .await
        .unwrap()
    }

    /// A client that takes certificates from the platform, unless `change` says otherwise.
    fn client(server: &PayServer, change: impl FnOnce(&mut Config)) -> WechatPay {
        let mut config = server.client_config("http://127.0.0.1:9", Duration::from_secs(20));
        config.platform_certificates = true;
        change(&mut config);
        WechatPay::new(config).unwrap()
    }

    /// The same whoever asks, so that all of them get a signed answer.
    fn order() -> OrderRequest {
        OrderRequest {
            out_trade_no: "no000001".to_owned(),
            description: "候补挂号".to_owned(),
            amount_fen: 2500,
            openid: "o1".to_owned(),
            expires_at: chrono::DateTime::from_timestamp(chrono::Utc::now().timestamp() + 3600, 0).unwrap(),
            pay_type: crate::ports::payments::PayType::SelfPay,
        }
    }

    fn is_ready(opened: Opened) -> bool {
        matches!(opened, Opened::Ready { .. })
    }

    #[tokio::test]
    async fn r06_a_rotation_of_the_platforms_certificates_needs_nobody() {
        let server = server().await;
        let order = order();
        let asked = async |pay: WechatPay| {
            let opened = pay.open(&order).await;
            (opened.map(is_ready), pay)
        };
        // No key is configured: the first answer brings the certificate.
        let (first, _) = asked(client(&server, |config| config.platform_keys.clear())).await;
        assert_eq!(first, Ok(true));
        // One knows the old key alone; another both, since it came when both were handed out.
        let (answer, knows_the_old) = asked(client(&server, |_| {})).await;
        assert_eq!(answer, Ok(true));
        server.hand_out_next_key().unwrap();
        let (answer, knows_both) = asked(client(&server, |config| config.platform_keys.clear())).await;
        assert_eq!(answer, Ok(true));
        let (_, never_asks) = asked(client(&server, |config| config.platform_certificates = false)).await;
        server.sign_with_next_key();
        for pay in [knows_the_old, knows_both] {
            let (answer, _) = asked(pay).await;
            assert_eq!(answer, Ok(true));
        }
        // Who believes configured keys alone does not know what came of it, and says so.
        let (answer, _) = asked(never_asks).await;
        assert!(matches!(answer, Err(CallError::Unknown { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn r06_certificates_that_another_sealed_are_not_believed() {
        let server = server().await;
        let pay = client(&server, |config| {
            config.platform_keys.clear();
            config.api_v3_key = "another-key-another-key-another-".into();
        });
        assert!(matches!(pay.learn_keys().await, Err(CallError::Broken { .. })));
        assert!(matches!(pay.open(&order()).await, Err(CallError::Unknown { .. })));
    }
}

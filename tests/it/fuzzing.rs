//! What comes from outside, spoiled by seed and read: XML, notices, signatures, certificates. Nothing panics, and what was
//! changed behind a signature is never believed. `PROPTEST_CASES` says how many cases each reader gets; CI gives them a budget.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use houbu::ports::his::envelope::Envelope;
use houbu::ports::his::{Charset, Credentials, PushReader, soap};
use houbu::ports::payments::platform::{PayPlatform, PlatformConfig};
use houbu::ports::payments::sealed::SealingKey;
use houbu::ports::payments::signature::{SigningKey, VerifyingKeys, platform_message};
use houbu::ports::payments::{Config, NoticeError, NoticeHeaders, Payments, WechatPay};
use houbu::ports::stamp::{Stamper, Way};
use proptest::prelude::*;

use crate::hammering::bodies::spoiled;
use crate::simulation::chance::Dice;

const API_V3_KEY: &str = "fuzzed-api-v3-key-of-32-bytes!!!";
const SERIAL: &str = "FUZZ1";
const NOW: i64 = 1_790_000_000;

const CANCEL: &str = "<REQ><EVENT_ID>e1</EVENT_ID><HOSP_ORDER_ID>H1</HOSP_ORDER_ID><CHANNEL_ID>9</CHANNEL_ID>\
    <REG_ID>R1</REG_ID><DEPT_ID>D1</DEPT_ID><DOCTOR_ID>7</DOCTOR_ID><REG_DATE>2026-10-12</REG_DATE>\
    <TIME_FLAG>1</TIME_FLAG><BEGIN_TIME>08:00</BEGIN_TIME><END_TIME>8:30</END_TIME>\
    <CANCEL_TIME>2026-10-10 09:15:30</CANCEL_TIME></REQ>";

const TRANSACTION: &str = "{\"appid\":\"wx1\",\"mchid\":\"m1\",\"out_trade_no\":\"T1\",\"transaction_id\":\"4200\",\
    \"trade_state\":\"SUCCESS\",\"success_time\":\"2026-09-01T10:00:00+08:00\",\"payer\":{\"openid\":\"o1\"},\
    \"amount\":{\"total\":2500,\"payer_total\":2500,\"currency\":\"CNY\"}}";

/// Everybody's keys.
struct World {
    pushes: PushReader,
    envelope: Envelope,
    platform: SigningKey,
    platform_keys: VerifyingKeys,
    public_pem: String,
    private_pem: String,
    sealing: SealingKey,
    pay: WechatPay,
    pay_platform: PayPlatform,
}

const PLATFORM_KEY: &str = "fuzzed-platform-key";
const PLATFORM_NOTICE: &str = r#"{"id":"N1","event":"ORDER_PAID","merchantId":"m1","data":{"orderNo":"T1","state":"PAID",
    "amountFen":2500,"paymentId":"P1","paidAt":"2026-03-05T09:00:00+08:00"}}"#;

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem = |kind, der: &[u8]| format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der));
    let (private_pem, public_pem) = (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()));
    let his = Credentials { user_id: "HIS".to_owned(), sign_key: "sign".into(), aes_key: "0123456789abcdef".into() };
    let pay = WechatPay::new(Config {
        base_url: "http://127.0.0.1:9".to_owned(),
        app_id: "wx1".to_owned(),
        mch_id: "m1".to_owned(),
        serial_no: "OURS".to_owned(),
        private_key_pem: private_pem.clone().into(),
        platform_keys: vec![(SERIAL.to_owned(), public_pem.clone())],
        platform_certificates: false,
        api_v3_key: API_V3_KEY.into(),
        notify_url_payments: "http://127.0.0.1:9/p".to_owned(),
        notify_url_refunds: "http://127.0.0.1:9/r".to_owned(),
        notice_skew: chrono::TimeDelta::minutes(5),
        timeout: Duration::from_secs(1),
    });
    World {
        pushes: PushReader::new(&his, "1001", chrono_tz::Asia::Shanghai).unwrap(),
        envelope: Envelope::new(&his).unwrap(),
        platform: SigningKey::from_pem(&private_pem).unwrap(),
        platform_keys: VerifyingKeys::from_pems([(SERIAL, public_pem.as_str())]).unwrap(),
        sealing: SealingKey::new(&API_V3_KEY.into()).unwrap(),
        pay: pay.unwrap(),
        pay_platform: PayPlatform::new(PlatformConfig {
            url: "http://127.0.0.1:9".to_owned(),
            merchant_id: "m1".to_owned(),
            sign_key: PLATFORM_KEY.into(),
            notify_url: "http://127.0.0.1:9/n".to_owned(),
            notice_skew: chrono::TimeDelta::minutes(5),
            timeout: Duration::from_secs(1),
        })
        .unwrap(),
        private_pem,
        public_pem,
    }
});

fn notice(plain: &[u8], nonce: &str) -> Vec<u8> {
    let ciphertext = WORLD.sealing.seal(nonce, "transaction", plain).unwrap();
    format!(
        "{{\"id\":\"N1\",\"event_type\":\"TRANSACTION.SUCCESS\",\"resource_type\":\"encrypt-resource\",\"resource\":\
         {{\"algorithm\":\"AEAD_AES_256_GCM\",\"ciphertext\":\"{ciphertext}\",\"associated_data\":\"transaction\",\
         \"nonce\":\"{nonce}\"}}}}"
    )
    .into_bytes()
}

fn signed(body: &[u8]) -> NoticeHeaders {
    NoticeHeaders {
        timestamp: NOW.to_string(),
        nonce: "N".to_owned(),
        signature: WORLD.platform.sign(&platform_message(&NOW.to_string(), "N", body)).unwrap(),
        serial: SERIAL.to_owned(),
    }
}

fn nonce(seed: u64) -> String {
    format!("{:012x}", seed & 0xffff_ffff_ffff)
}

proptest! {
    #[test]
    fn fuzz_xml(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let sealed = WORLD.envelope.seal_request("5007", CANCEL).unwrap();
        let good = if dice.once_in(2) { sealed } else { soap::request("Push", &sealed) };
        let bad = spoiled(&mut dice, good.as_bytes());
        let _ = soap::root(&bad, if dice.once_in(2) { Charset::Utf8 } else { Charset::Gbk });
        let _ = soap::check(&String::from_utf8_lossy(&bad));
        let _ = WORLD.envelope.open_reply(&bad);
        // Its bytes may differ where nothing is signed; what is believed is what was sent.
        if let Ok(push) = WORLD.pushes.read(&bad) {
            prop_assert_eq!(push, WORLD.pushes.read(good.as_bytes()).unwrap(), "seed {}", seed);
        }
    }

    #[test]
    fn fuzz_xml_behind_the_signature(seed in any::<u64>(), function in "500[1-9]") {
        let bad = spoiled(&mut Dice::new(seed), CANCEL.as_bytes());
        let sealed = WORLD.envelope.seal_request(&function, &String::from_utf8_lossy(&bad)).unwrap();
        let _ = WORLD.pushes.read(sealed.as_bytes());
    }

    #[test]
    fn fuzz_notices(seed in any::<u64>()) {
        let good = notice(TRANSACTION.as_bytes(), &nonce(seed));
        let (headers, now) = (signed(&good), DateTime::from_timestamp(NOW, 0).unwrap());
        prop_assert!(WORLD.pay.notice(&headers, &good, now).is_ok());
        let bad = spoiled(&mut Dice::new(seed), &good);
        if bad != good {
            prop_assert_eq!(WORLD.pay.notice(&headers, &bad, now), Err(NoticeError::Signature), "seed {}", seed);
        }
        // Signed by the platform itself, it is read all the same: without panic, and never as other than what was sealed.
        if let Ok(read) = WORLD.pay.notice(&signed(&bad), &bad, now) {
            let other_id = WORLD.pay.notice(&headers, &good, now).unwrap();
            let same = |notice| match notice {
                houbu::ports::payments::Notice::Paid { out_trade_no, paid, .. } => (out_trade_no, paid.amount_fen),
                houbu::ports::payments::Notice::Refund { money, .. } => (money.out_trade_no, money.amount_fen),
            };
            prop_assert_eq!(same(read), same(other_id), "seed {}", seed);
        }
    }

    #[test]
    fn fuzz_notices_behind_the_seal(seed in any::<u64>()) {
        let body = notice(&spoiled(&mut Dice::new(seed), TRANSACTION.as_bytes()), &nonce(seed));
        let _ = WORLD.pay.notice(&signed(&body), &body, DateTime::from_timestamp(NOW, 0).unwrap());
    }

    #[test]
    fn fuzz_platform_notices(seed in any::<u64>()) {
        let (dice, now) = (&mut Dice::new(seed), DateTime::from_timestamp(NOW, 0).unwrap());
        let sign = |body: &[u8]| {
            let stamp = Stamper::new(&PLATFORM_KEY.into()).sign(Way::Event, now, "nonce-0001", body);
            NoticeHeaders {
                timestamp: NOW.to_string(),
                nonce: stamp.nonce,
                signature: stamp.signature,
                serial: String::new(),
            }
        };
        let good = PLATFORM_NOTICE.as_bytes();
        prop_assert!(WORLD.pay_platform.notice(&sign(good), good, now).is_ok());
        let bad = spoiled(dice, good);
        if bad != good {
            let read = WORLD.pay_platform.notice(&sign(good), &bad, now);
            prop_assert_eq!(read, Err(NoticeError::Signature), "seed {}", seed);
        }
        let _ = WORLD.pay_platform.notice(&sign(&bad), &bad, now);
    }

    #[test]
    fn fuzz_signatures(seed in any::<u64>(), message in proptest::collection::vec(any::<u8>(), 0..200)) {
        let dice = &mut Dice::new(seed);
        let good = WORLD.platform.sign(&message).unwrap();
        prop_assert!(WORLD.platform_keys.verify(SERIAL, &message, &good).is_ok());
        let bad = String::from_utf8_lossy(&spoiled(dice, good.as_bytes())).into_owned();
        if bad != good {
            prop_assert!(WORLD.platform_keys.verify(SERIAL, &message, &bad).is_err(), "seed {}", seed);
        }
        let other = spoiled(dice, &message);
        if other != message {
            prop_assert!(WORLD.platform_keys.verify(SERIAL, &other, &good).is_err(), "seed {}", seed);
        }
    }

    #[test]
    fn fuzz_keys(seed in any::<u64>()) {
        let dice = &mut Dice::new(seed);
        let public = String::from_utf8_lossy(&spoiled(dice, WORLD.public_pem.as_bytes())).into_owned();
        let _ = VerifyingKeys::from_pems([(SERIAL, public.as_str())]);
        let private = String::from_utf8_lossy(&spoiled(dice, WORLD.private_pem.as_bytes())).into_owned();
        let _ = SigningKey::from_pem(&private);
        let _ = WORLD.sealing.open(&nonce(seed), "transaction", &private);
    }
}

//! A notice of WeChat Pay, from raw bytes to something that may be believed: freshness, signature over the raw body,
//! decryption, and that it is about our merchant, our application and yuan.
//!
//! It decides nothing about money: a believed notice is only a hint to act on, and may come twice, late or never.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::answers::{RefundShown, Transaction, YUAN, refund_named};
use super::sealed::{ALGORITHM, SealingKey};
use super::signature::{Untrusted, VerifyingKeys, platform_message};
use super::{Notice, NoticeError, NoticeHeaders, Refund};

/// What a notice is checked against.
pub(super) struct Ours<'a> {
    pub app_id: &'a str,
    pub mch_id: &'a str,
    pub platform_keys: &'a VerifyingKeys,
    pub api_v3_key: &'a SealingKey,
    /// How far a timestamp may be from now, either way.
    pub skew: TimeDelta,
}

#[derive(Deserialize)]
struct Envelope {
    id: String,
    event_type: String,
    resource: Sealed,
}

#[derive(Deserialize)]
struct Sealed {
    algorithm: String,
    ciphertext: String,
    #[serde(default)]
    associated_data: String,
    nonce: String,
}

#[derive(Deserialize)]
struct RefundTold {
    mchid: String,
    refund_status: String,
    #[serde(flatten)]
    shown: RefundShown,
}

/// Verifies, decrypts and reads a notice.
pub(super) fn read(
    ours: &Ours<'_>,
    headers: &NoticeHeaders,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Notice, NoticeError> {
    believe(ours, headers, body, now)?;
    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| NoticeError::Body("not a notice"))?;
    let sealed = &envelope.resource;
    if sealed.algorithm != ALGORITHM {
        return Err(NoticeError::Body("an algorithm that is not known"));
    }
    let plain = ours
        .api_v3_key
        .open(&sealed.nonce, &sealed.associated_data, &sealed.ciphertext)
        .ok_or(NoticeError::Body("the resource does not decrypt"))?;
    match envelope.event_type.as_str() {
        "TRANSACTION.SUCCESS" => paid(ours, envelope.id, &plain),
        "REFUND.SUCCESS" => refund(ours, envelope.id, &plain, Refund::Success),
        "REFUND.ABNORMAL" => refund(ours, envelope.id, &plain, Refund::Abnormal),
        "REFUND.CLOSED" => refund(ours, envelope.id, &plain, Refund::Closed),
        _ => Err(NoticeError::Body("an event type that is not known")),
    }
}

/// Freshness and signature, before a byte of the body is read.
fn believe(ours: &Ours<'_>, headers: &NoticeHeaders, body: &[u8], now: DateTime<Utc>) -> Result<(), NoticeError> {
    let timestamp: i64 = headers.timestamp.parse().map_err(|_| NoticeError::Header("Wechatpay-Timestamp"))?;
    for (name, value) in [
        ("Wechatpay-Nonce", &headers.nonce),
        ("Wechatpay-Signature", &headers.signature),
        ("Wechatpay-Serial", &headers.serial),
    ] {
        if value.is_empty() || value.len() > 2048 {
            return Err(NoticeError::Header(name));
        }
    }
    if now.timestamp().abs_diff(timestamp) > ours.skew.num_seconds().unsigned_abs() {
        return Err(NoticeError::Stale);
    }
    let message = platform_message(&headers.timestamp, &headers.nonce, body);
    ours.platform_keys.verify(&headers.serial, &message, &headers.signature).map_err(|error| match error {
        Untrusted::Serial => NoticeError::UnknownKey,
        Untrusted::Signature => NoticeError::Signature,
    })
}

fn paid(ours: &Ours<'_>, notice_id: String, plain: &[u8]) -> Result<Notice, NoticeError> {
    let told: Transaction = serde_json::from_slice(plain).map_err(|_| NoticeError::Body("not a transaction"))?;
    if told.mchid != ours.mch_id {
        return Err(NoticeError::NotOurs("merchant"));
    }
    if told.appid.as_deref() != Some(ours.app_id) {
        return Err(NoticeError::NotOurs("application"));
    }
    if told.amount.currency.as_deref() != Some(YUAN) {
        return Err(NoticeError::NotOurs("currency"));
    }
    if told.trade_state != "SUCCESS" {
        return Err(NoticeError::Body("a transaction that is not a success"));
    }
    let out_trade_no = told.out_trade_no.clone();
    let paid = told.paid().ok_or(NoticeError::Body("paid, but without amount, time or id"))?;
    Ok(Notice::Paid { notice_id, out_trade_no, paid })
}

fn refund(ours: &Ours<'_>, notice_id: String, plain: &[u8], event: Refund) -> Result<Notice, NoticeError> {
    let told: RefundTold = serde_json::from_slice(plain).map_err(|_| NoticeError::Body("not a refund"))?;
    if told.mchid != ours.mch_id {
        return Err(NoticeError::NotOurs("merchant"));
    }
    if refund_named(&told.refund_status) != Some(event) {
        return Err(NoticeError::Body("a refund state that contradicts its event"));
    }
    if !told.shown.is_in_yuan() {
        return Err(NoticeError::NotOurs("currency"));
    }
    let out_refund_no = told.shown.out_refund_no.clone();
    Ok(Notice::Refund { notice_id, out_refund_no, refund: event, money: told.shown.money() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::RefundMoney;
    use super::super::signature::{SigningKey, tests::pair};
    use super::*;

    struct World {
        signing: SigningKey,
        platform_keys: VerifyingKeys,
        api_v3_key: SealingKey,
    }

    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let (private, public) = pair();
        World {
            signing: SigningKey::from_pem(&private).unwrap(),
            platform_keys: VerifyingKeys::from_pems([("S1", public.as_str())]).unwrap(),
            api_v3_key: SealingKey::new(&"0123456789abcdef0123456789abcdef".into()).unwrap(),
        }
    });

    const NOW: i64 = 1_790_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn read_at(headers: &NoticeHeaders, body: &[u8], seconds: i64) -> Result<Notice, NoticeError> {
        read_within(300, headers, body, seconds)
    }

    fn read_within(skew_s: i64, headers: &NoticeHeaders, body: &[u8], seconds: i64) -> Result<Notice, NoticeError> {
        let ours = Ours {
            app_id: "wx1",
            mch_id: "m1",
            platform_keys: &WORLD.platform_keys,
            api_v3_key: &WORLD.api_v3_key,
            skew: TimeDelta::seconds(skew_s),
        };
        read(&ours, headers, body, at(seconds))
    }

    fn signed(body: &[u8]) -> NoticeHeaders {
        let message = platform_message(&NOW.to_string(), "N", body);
        NoticeHeaders {
            timestamp: NOW.to_string(),
            nonce: "N".into(),
            signature: WORLD.signing.sign(&message).unwrap(),
            serial: "S1".into(),
        }
    }

    fn sealed(event: &str, plain: &str) -> Vec<u8> {
        let ciphertext = WORLD.api_v3_key.seal("abcdefghijkl", "x", plain.as_bytes()).unwrap();
        serde_json::json!({
            "id": "EV-1", "event_type": event, "resource_type": "encrypt-resource",
            "resource": {"algorithm": ALGORITHM, "ciphertext": ciphertext, "associated_data": "x", "nonce": "abcdefghijkl"},
        })
        .to_string()
        .into_bytes()
    }

    const PAID: &str = r#"{"appid":"wx1","mchid":"m1","out_trade_no":"no1","transaction_id":"t1","trade_state":"SUCCESS",
        "success_time":"2026-09-01T10:00:00+08:00","amount":{"total":2500,"currency":"CNY"}}"#;
    const REFUNDED: &str = r#"{"mchid":"m1","out_trade_no":"no1","out_refund_no":"r1","refund_status":"SUCCESS",
        "amount":{"total":2500,"refund":2400,"payer_total":2500,"payer_refund":2400}}"#;

    #[test]
    fn true_notices_are_read() {
        let body = sealed("TRANSACTION.SUCCESS", PAID);
        let Ok(Notice::Paid { notice_id, out_trade_no, paid }) = read_at(&signed(&body), &body, NOW) else {
            panic!("not believed");
        };
        assert_eq!((notice_id.as_str(), out_trade_no.as_str(), paid.amount_fen), ("EV-1", "no1", 2500));
        let body = sealed("REFUND.SUCCESS", REFUNDED);
        let Ok(Notice::Refund { refund, out_refund_no, money, .. }) = read_at(&signed(&body), &body, NOW) else {
            panic!("not believed");
        };
        assert_eq!((refund, out_refund_no.as_str()), (Refund::Success, "r1"));
        let told = RefundMoney { out_trade_no: "no1".into(), amount_fen: 2400, total_fen: Some(2500) };
        assert_eq!(money, told);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_reason() {
        let body = sealed("TRANSACTION.SUCCESS", PAID);
        let good = signed(&body);
        let mut tampered = body.clone();
        tampered.push(b' ');
        assert_eq!(read_at(&good, &tampered, NOW), Err(NoticeError::Signature));
        assert_eq!(read_at(&good, &body, NOW + 301), Err(NoticeError::Stale));
        assert_eq!(read_at(&good, &body, NOW - 301), Err(NoticeError::Stale));
        assert!(read_at(&good, &body, NOW + 300).is_ok());
        assert_eq!(read_within(60, &good, &body, NOW + 61), Err(NoticeError::Stale));
        assert!(read_within(600, &good, &body, NOW - 600).is_ok());
        let stranger = NoticeHeaders { serial: "S2".into(), ..good.clone() };
        assert_eq!(read_at(&stranger, &body, NOW), Err(NoticeError::UnknownKey));
        let probe = NoticeHeaders { signature: format!("WECHATPAY/SIGNTEST/{}", good.signature), ..good.clone() };
        assert_eq!(read_at(&probe, &body, NOW), Err(NoticeError::Signature));
        let bare = NoticeHeaders { nonce: String::new(), ..good.clone() };
        assert_eq!(read_at(&bare, &body, NOW), Err(NoticeError::Header("Wechatpay-Nonce")));
        let timeless = NoticeHeaders { timestamp: "soon".into(), ..good };
        assert_eq!(read_at(&timeless, &body, NOW), Err(NoticeError::Header("Wechatpay-Timestamp")));
    }

    #[test]
    fn well_signed_notices_of_others_are_refused() {
        let cases = [
            ("TRANSACTION.SUCCESS", PAID.replace("\"m1\"", "\"m2\""), NoticeError::NotOurs("merchant")),
            ("TRANSACTION.SUCCESS", PAID.replace("wx1", "wx2"), NoticeError::NotOurs("application")),
            ("TRANSACTION.SUCCESS", PAID.replace("CNY", "USD"), NoticeError::NotOurs("currency")),
            ("REFUND.SUCCESS", REFUNDED.replace("\"m1\"", "\"m2\""), NoticeError::NotOurs("merchant")),
            (
                "REFUND.SUCCESS",
                REFUNDED.replace("\"refund\":2400", "\"refund\":2400,\"currency\":\"USD\""),
                NoticeError::NotOurs("currency"),
            ),
        ];
        for (event, plain, expected) in cases {
            let body = sealed(event, &plain);
            assert_eq!(read_at(&signed(&body), &body, NOW), Err(expected));
        }
        for (event, plain) in [
            ("TRANSACTION.SUCCESS", PAID.replace("2500", "0")),
            ("TRANSACTION.SUCCESS", PAID.replace("\"SUCCESS\"", "\"NOTPAY\"")),
            ("TRANSACTION.SUCCESS", "[]".into()),
            ("REFUND.CLOSED", REFUNDED.into()),
            ("REFUND.SUCCESS", REFUNDED.replace("\"refund\":2400,", "")),
            ("ELSE", PAID.into()),
        ] {
            let body = sealed(event, &plain);
            assert!(matches!(read_at(&signed(&body), &body, NOW), Err(NoticeError::Body(_))), "{event} {plain}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_headers_and_bytes_never_panic(
            timestamp in prop_oneof![".{0,24}", Just(NOW.to_string()), Just(i64::MIN.to_string())],
            nonce in ".{0,40}", signature in ".{0,400}", serial in prop_oneof![".{0,20}", Just("S1".to_owned())],
            body in prop::collection::vec(any::<u8>(), 0..512),
        ) {
            let headers = NoticeHeaders { timestamp, nonce, signature, serial };
            prop_assert!(read_at(&headers, &body, NOW).is_err());
        }

        #[test]
        fn arbitrary_bodies_under_a_good_signature_never_panic(
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..256),
                (".{0,20}", ".{0,20}", ".{0,40}", ".{0,16}").prop_map(|(event, aad, ciphertext, nonce)| {
                    serde_json::json!({"id": "x", "event_type": event, "resource":
                        {"algorithm": ALGORITHM, "ciphertext": ciphertext, "associated_data": aad, "nonce": nonce}})
                    .to_string().into_bytes()
                }),
                any::<String>().prop_map(|plain| sealed("TRANSACTION.SUCCESS", &plain)),
            ],
        ) {
            let read = read_at(&signed(&body), &body, NOW);
            prop_assert!(matches!(read, Err(NoticeError::Body(_))));
        }
    }
}

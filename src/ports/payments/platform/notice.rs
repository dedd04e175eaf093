//! A notice of the payment platform, from raw bytes to something that may be believed: freshness, HMAC over the raw body, and
//! that it is about our merchant.
//!
//! It decides nothing about money: a believed notice is only a hint to act on, and may come twice, late or never.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::{Notice, NoticeError, NoticeHeaders, Refund};
use super::answers::{money as money_back, paid, refund_named};
use super::wire::{OrderShown, RefundShown, Telling};
use crate::ports::stamp::{Stamp, Stamper, Way};

/// What a notice is checked against.
pub(super) struct Ours<'a> {
    pub merchant_id: &'a str,
    pub stamper: &'a Stamper,
    pub skew: TimeDelta,
}

/// Verifies and reads a notice.
pub(super) fn read(
    ours: &Ours<'_>,
    headers: &NoticeHeaders,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<Notice, NoticeError> {
    believe(ours, headers, body, now)?;
    let telling: Telling = serde_json::from_slice(body).map_err(|_| NoticeError::Body("not a notice"))?;
    if telling.id.is_empty() || telling.id.len() > 64 {
        return Err(NoticeError::Body("an id that is none"));
    }
    if telling.merchant_id != ours.merchant_id {
        return Err(NoticeError::NotOurs("merchant"));
    }
    match telling.event.as_str() {
        "ORDER_PAID" => money(telling),
        "REFUND_DONE" => refund(telling, Refund::Success),
        "REFUND_GIVEN_UP" => refund(telling, Refund::Closed),
        "REFUND_ABNORMAL" => refund(telling, Refund::Abnormal),
        _ => Err(NoticeError::Body("an event that is not known")),
    }
}

/// Freshness and signature, before a byte of the body is read.
fn believe(ours: &Ours<'_>, headers: &NoticeHeaders, body: &[u8], now: DateTime<Utc>) -> Result<(), NoticeError> {
    let at = headers.timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.ok_or(NoticeError::Header("X-Houbu-Timestamp"))?;
    let spoken = headers.nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !(8..=64).contains(&headers.nonce.len()) || !spoken {
        return Err(NoticeError::Header("X-Houbu-Nonce"));
    }
    if (at - now).abs() > ours.skew {
        return Err(NoticeError::Stale);
    }
    let stamp = Stamp { at, nonce: headers.nonce.clone(), signature: headers.signature.clone() };
    ours.stamper.verify(Way::Event, &stamp, body).map_err(|_| NoticeError::Signature)
}

fn money(telling: Telling) -> Result<Notice, NoticeError> {
    let shown: OrderShown = data(telling.data)?;
    if shown.state != "PAID" {
        return Err(NoticeError::Body("an order state that contradicts its event"));
    }
    let paid = paid(&shown).ok_or(NoticeError::Body("paid, but without amount, time or id"))?;
    Ok(Notice::Paid { notice_id: telling.id, out_trade_no: shown.order_no, paid })
}

fn refund(telling: Telling, event: Refund) -> Result<Notice, NoticeError> {
    let shown: RefundShown = data(telling.data)?;
    if refund_named(&shown.state) != Some(event) {
        return Err(NoticeError::Body("a refund state that contradicts its event"));
    }
    let out_refund_no = shown.refund_no.clone();
    Ok(Notice::Refund { notice_id: telling.id, out_refund_no, refund: event, money: money_back(shown) })
}

fn data<T: DeserializeOwned>(data: Value) -> Result<T, NoticeError> {
    serde_json::from_value(data).map_err(|_| NoticeError::Body("what it tells cannot be read"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn read_at(headers: &NoticeHeaders, body: &[u8], seconds: i64) -> Result<Notice, NoticeError> {
        let stamper = Stamper::new(&"key".into());
        let ours = Ours { merchant_id: "m1", stamper: &stamper, skew: TimeDelta::minutes(5) };
        read(&ours, headers, body, DateTime::from_timestamp(seconds, 0).unwrap())
    }

    fn signed(body: &[u8]) -> NoticeHeaders {
        let at = DateTime::from_timestamp(NOW, 0).unwrap();
        let stamp = Stamper::new(&"key".into()).sign(Way::Event, at, "nonce-01", body);
        NoticeHeaders {
            timestamp: NOW.to_string(),
            nonce: stamp.nonce,
            signature: stamp.signature,
            serial: String::new(),
        }
    }

    fn told(event: &str, data: &Value) -> Vec<u8> {
        json!({ "id": "N1", "event": event, "merchantId": "m1", "data": data }).to_string().into_bytes()
    }

    fn money() -> Value {
        json!({ "orderNo": "no1", "state": "PAID", "amountFen": 2500, "paymentId": "t1", "paidAt": "2026-09-01T10:00:00+08:00" })
    }

    fn back(state: &str) -> Value {
        json!({ "orderNo": "no1", "refundNo": "r1", "state": state, "amountFen": 2500 })
    }

    #[test]
    fn true_notices_are_read() {
        let body = told("ORDER_PAID", &money());
        let read = read_at(&signed(&body), &body, NOW);
        assert!(
            matches!(&read, Ok(Notice::Paid { notice_id, out_trade_no, paid })
                if notice_id == "N1" && out_trade_no == "no1" && paid.amount_fen == 2500),
            "{read:?}"
        );
        for (event, state, refund) in [
            ("REFUND_DONE", "DONE", Refund::Success),
            ("REFUND_GIVEN_UP", "GIVEN_UP", Refund::Closed),
            ("REFUND_ABNORMAL", "ABNORMAL", Refund::Abnormal),
        ] {
            let body = told(event, &back(state));
            let read = read_at(&signed(&body), &body, NOW);
            assert!(
                matches!(&read, Ok(Notice::Refund { refund: it, money, .. }) if *it == refund && money.amount_fen == 2500),
                "{read:?}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_reason() {
        let body = told("ORDER_PAID", &money());
        let good = signed(&body);
        let tampered = [&body[..], b" "].concat();
        assert_eq!(read_at(&good, &tampered, NOW), Err(NoticeError::Signature));
        assert_eq!(read_at(&good, &body, NOW + 301), Err(NoticeError::Stale));
        assert_eq!(read_at(&good, &body, NOW - 301), Err(NoticeError::Stale));
        assert!(read_at(&good, &body, NOW + 300).is_ok() && read_at(&good, &body, NOW - 300).is_ok());
        let moved = NoticeHeaders { timestamp: (NOW + 1).to_string(), ..good.clone() };
        assert_eq!(read_at(&moved, &body, NOW), Err(NoticeError::Signature));
        let bare = NoticeHeaders { nonce: String::new(), ..good.clone() };
        assert_eq!(read_at(&bare, &body, NOW), Err(NoticeError::Header("X-Houbu-Nonce")));
        for timestamp in ["soon", "", "9223372036854775807"] {
            let timeless = NoticeHeaders { timestamp: timestamp.into(), ..good.clone() };
            assert_eq!(read_at(&timeless, &body, NOW), Err(NoticeError::Header("X-Houbu-Timestamp")));
        }
        let foreign = String::from_utf8(body).unwrap().replace("\"m1\"", "\"m2\"").into_bytes();
        assert_eq!(read_at(&signed(&foreign), &foreign, NOW), Err(NoticeError::NotOurs("merchant")));
        for (event, data) in [
            ("REFUND_DONE", back("ABNORMAL")),
            ("ORDER_PAID", back("DONE")),
            ("ELSE", money()),
            ("ORDER_PAID", json!({ "orderNo": "no1", "state": "PAID", "amountFen": 2500 })),
        ] {
            let body = told(event, &data);
            assert!(matches!(read_at(&signed(&body), &body, NOW), Err(NoticeError::Body(_))), "{event} {data}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_headers_and_bytes_never_panic(
            timestamp in prop_oneof![".{0,24}", Just(NOW.to_string()), Just(i64::MIN.to_string())],
            nonce in ".{0,40}", signature in ".{0,400}", body in prop::collection::vec(any::<u8>(), 0..512),
        ) {
            let headers = NoticeHeaders { timestamp, nonce, signature, serial: String::new() };
            prop_assert!(read_at(&headers, &body, NOW).is_err());
        }

        #[test]
        fn arbitrary_bodies_under_a_good_signature_never_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(matches!(read_at(&signed(&body), &body, NOW), Err(NoticeError::Body(_))));
        }
    }
}

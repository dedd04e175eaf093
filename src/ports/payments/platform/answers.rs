//! What an answer of the payment platform means: one pure function a call, from the signed code to the trade's words. The table
//! in `docs/integration/payments.md` says the same.
//!
//! An answer that is not understood is never taken for a refusal: it leaves the outcome unknown.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::super::CallError;
use super::super::{BillLine, Opened, Paid, Payment, Refund, RefundMoney, RefundSaid};
use super::wire::{self, Call};

/// How the platform is called in errors.
pub(super) const SYSTEM: &str = "pay-platform";

/// What is handed on to the payer's client is no larger.
const PAY_BYTES_MAX: usize = 4096;

/// A signed answer: what was asked for, or the code that refuses this very request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Yes(Value),
    No(String),
}

/// What a code says of any call; `None`: it is about this very request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfAnyCall {
    Done,
    NotTaken,
    Unknown,
    ForAPerson,
}

fn of_any_call(code: &str) -> Option<OfAnyCall> {
    Some(match code {
        "OK" => OfAnyCall::Done,
        "BUSY" | "STALE" => OfAnyCall::NotTaken,
        "FAILED" => OfAnyCall::Unknown,
        "BAD_SIGNATURE" | "BAD_REQUEST" | "MERCHANT_UNKNOWN" | "NOT_PERMITTED" => OfAnyCall::ForAPerson,
        _ => return None,
    })
}

/// Reads the code of a signed answer.
pub(super) fn said(call: Call, code: &str, data: Value) -> Result<Said, CallError> {
    // The code reaches logs and answers; anything but a plain word is not one of theirs.
    let plain = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    match of_any_call(code) {
        Some(OfAnyCall::Done) => Ok(Said::Yes(data)),
        Some(OfAnyCall::NotTaken) => Err(CallError::not_taken(SYSTEM, code)),
        Some(OfAnyCall::Unknown) => Err(unknown(call, code)),
        Some(OfAnyCall::ForAPerson) => Err(broken(call, code)),
        None if plain => Ok(Said::No(code.to_owned())),
        None => Err(unknown(call, "a code that is none")),
    }
}

/// [`Call::Open`].
pub(super) fn opened(said: Said) -> Result<Opened, CallError> {
    let data = match said {
        Said::Yes(data) => data,
        Said::No(code) => {
            return Ok(match code.as_str() {
                "ORDER_EXISTS" | "ORDER_PAID" | "ORDER_CLOSED" => Opened::Exists,
                _ => Opened::Refused { code },
            });
        }
    };
    let wire::Opened { pay } = read(Call::Open, data)?;
    let prepay_id = Value::Object(pay).to_string();
    if prepay_id.len() > PAY_BYTES_MAX || prepay_id == "{}" {
        return Err(unknown(Call::Open, "opened, but what the payer needs is missing or too large"));
    }
    Ok(Opened::Ready { prepay_id })
}

/// [`Call::Query`].
pub(super) fn order(said: Said, order_no: &str) -> Result<Payment, CallError> {
    const CALL: Call = Call::Query;
    let shown: wire::OrderShown = match said {
        Said::Yes(data) => read(CALL, data)?,
        Said::No(code) if code == "ORDER_UNKNOWN" => return Ok(Payment::Unknown),
        Said::No(code) => return Err(broken(CALL, &code)),
    };
    if shown.order_no != order_no {
        return Err(unknown(CALL, "the answer is about another order"));
    }
    match shown.state.as_str() {
        "OPEN" | "PAYING" => Ok(Payment::Open),
        "CLOSED" => Ok(Payment::Closed),
        "PAID" => paid(&shown).map(Payment::Paid).ok_or_else(|| unknown(CALL, "paid, but without amount, time or id")),
        _ => Err(unknown(CALL, "an order state that is not known")),
    }
}

/// The money of an order that is paid.
pub(super) fn paid(shown: &wire::OrderShown) -> Option<Paid> {
    let paid_at: DateTime<Utc> = shown.paid_at?;
    let transaction_id = shown.payment_id.clone().filter(|id| !id.is_empty())?;
    (shown.amount_fen > 0).then_some(Paid { transaction_id, amount_fen: shown.amount_fen, paid_at })
}

/// [`Call::Close`].
pub(super) fn closed(said: Said) -> Result<(), CallError> {
    match said {
        Said::Yes(_) => Ok(()),
        // Nothing is left to close. Whether there is money is the query's matter (E4).
        Said::No(code) if matches!(code.as_str(), "ORDER_PAID" | "ORDER_CLOSED" | "ORDER_UNKNOWN") => Ok(()),
        Said::No(code) if code == "PAYING" => Err(CallError::NotNow { system: SYSTEM, detail: code }),
        Said::No(code) => Err(broken(Call::Close, &code)),
    }
}

/// [`Call::Refund`].
pub(super) fn refunded(said: Said, refund_no: &str) -> Result<RefundSaid, CallError> {
    match said {
        Said::Yes(data) => refund_shown(Call::Refund, data, refund_no),
        // The merchant's account is empty for now; the same refund may be asked again.
        Said::No(detail) if detail == "FUNDS_SHORT" => Err(CallError::NotNow { system: SYSTEM, detail }),
        Said::No(code) if code == "ACCOUNT_CLOSED" => Ok(RefundSaid::of_nothing(Refund::Abnormal)),
        Said::No(code) => Err(broken(Call::Refund, &code)),
    }
}

/// [`Call::QueryRefund`].
pub(super) fn refund_status(said: Said, refund_no: &str) -> Result<RefundSaid, CallError> {
    match said {
        Said::Yes(data) => refund_shown(Call::QueryRefund, data, refund_no),
        Said::No(code) if code == "REFUND_UNKNOWN" => Ok(RefundSaid::of_nothing(Refund::Unknown)),
        Said::No(code) => Err(broken(Call::QueryRefund, &code)),
    }
}

fn refund_shown(call: Call, data: Value, refund_no: &str) -> Result<RefundSaid, CallError> {
    let shown: wire::RefundShown = read(call, data)?;
    if shown.refund_no != refund_no {
        return Err(unknown(call, "the answer is about another refund"));
    }
    let refund = refund_named(&shown.state).ok_or_else(|| unknown(call, "a refund state that is not known"))?;
    Ok(RefundSaid { refund, money: Some(money(shown)) })
}

/// Of what money a refund is; a platform does not repeat what its order is over.
pub(super) fn money(shown: wire::RefundShown) -> RefundMoney {
    RefundMoney { out_trade_no: shown.order_no, amount_fen: shown.amount_fen, total_fen: None }
}

/// The state of a refund by its name.
pub(super) fn refund_named(name: &str) -> Option<Refund> {
    Some(match name {
        "PROCESSING" => Refund::Processing,
        "DONE" => Refund::Success,
        "GIVEN_UP" => Refund::Closed,
        "ABNORMAL" => Refund::Abnormal,
        _ => return None,
    })
}

/// [`Call::Bill`]: a page; none where the bill is still being made.
pub(super) fn page(said: Said) -> Result<Option<wire::BillPage>, CallError> {
    match said {
        Said::Yes(data) => read(Call::Bill, data).map(Some),
        Said::No(code) if code == "BILL_NOT_READY" => Ok(None),
        Said::No(code) => Err(broken(Call::Bill, &code)),
    }
}

/// The lines of all pages together. One that cannot be read, or is missing, spoils the bill: a gap would look like a difference.
pub(super) fn lines(count: usize, lines: Vec<wire::Line>) -> Result<Vec<BillLine>, CallError> {
    if lines.len() != count {
        return Err(unknown(Call::Bill, "the bill has not as many lines as it says"));
    }
    let line = |line| match line {
        wire::Line::Payment { order_no, payment_id, amount_fen } => {
            Ok(BillLine::Paid { out_trade_no: order_no, transaction_id: payment_id, amount_fen })
        }
        wire::Line::Refund { order_no, refund_no, amount_fen, state } => match refund_named(&state) {
            Some(refund) => {
                Ok(BillLine::Refund { out_trade_no: order_no, out_refund_no: refund_no, amount_fen, refund })
            }
            None => Err(unknown(Call::Bill, "a refund's state in the bill is not known")),
        },
    };
    lines.into_iter().map(line).collect()
}

/// What is known after an answer that nobody signed for us: a proxy's, or one of another key.
pub(super) fn unsaid(call: Call, status: u16, raw: &[u8]) -> CallError {
    let complains =
        || serde_json::from_slice::<wire::Answering>(raw).is_ok_and(|answer| answer.code == "BAD_SIGNATURE");
    match status {
        429 => CallError::not_taken(SYSTEM, "HTTP 429"),
        401 if complains() => broken(call, "BAD_SIGNATURE, itself signed with another key: the two sides' keys differ"),
        200..=299 => unknown(call, "the answer's signature is wrong or missing"),
        // Where money may have moved, no proxy's word is a refusal.
        _ => unknown(call, &format!("HTTP {status}")),
    }
}

fn read<T: DeserializeOwned>(call: Call, data: Value) -> Result<T, CallError> {
    serde_json::from_value(data).map_err(|_| unknown(call, "the answer cannot be read"))
}

pub(super) fn unknown(call: Call, detail: &str) -> CallError {
    CallError::unknown(SYSTEM, call.label(), detail)
}

pub(super) fn broken(call: Call, detail: &str) -> CallError {
    CallError::Broken { system: SYSTEM, call: call.label(), detail: detail.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind<T>(result: Result<T, CallError>) -> &'static str {
        match result {
            Ok(_) => "done",
            Err(CallError::NotTaken { .. }) => "not taken",
            Err(CallError::NotNow { .. }) => "not now",
            Err(CallError::Unknown { .. }) => "unknown",
            Err(CallError::Broken { .. }) => "for a person",
        }
    }

    fn no(call: Call, code: &str) -> Result<Said, CallError> {
        said(call, code, Value::Null)
    }

    /// What is made of a code of this call.
    fn made(call: Call, code: &str) -> String {
        let said = match no(call, code) {
            Ok(said) => said,
            Err(error) => return kind(Err::<(), _>(error)).to_owned(),
        };
        match call {
            Call::Open => {
                opened(said).map_or_else(|error| kind(Err::<(), _>(error)).to_owned(), |it| format!("{it:?}"))
            }
            Call::Query => {
                order(said, "n").map_or_else(|error| kind(Err::<(), _>(error)).to_owned(), |it| format!("{it:?}"))
            }
            Call::Close => kind(closed(said)).to_owned(),
            Call::Refund => refunded(said, "r")
                .map_or_else(|error| kind(Err::<(), _>(error)).to_owned(), |it| format!("{:?}", it.refund)),
            Call::QueryRefund => refund_status(said, "r")
                .map_or_else(|error| kind(Err::<(), _>(error)).to_owned(), |it| format!("{:?}", it.refund)),
            Call::Bill => kind(page(said)).to_owned(),
        }
    }

    #[test]
    fn every_code_means_what_the_document_says() {
        let document = include_str!("../../../../docs/integration/payments.md");
        for (code, means) in [
            ("BUSY", "not taken"),
            ("STALE", "not taken"),
            ("FAILED", "unknown"),
            ("BAD_SIGNATURE", "for a person"),
            ("BAD_REQUEST", "for a person"),
            ("MERCHANT_UNKNOWN", "for a person"),
            ("NOT_PERMITTED", "for a person"),
        ] {
            for call in Call::ALL {
                assert_eq!(made(call, code), means, "{call:?} {code}");
            }
            let row = document.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{code}`")));
            assert!(row.is_some_and(|row| row.contains(means)), "{code} in {row:?}");
        }
        for (call, code, means) in [
            (Call::Open, "ORDER_EXISTS", "Exists"),
            (Call::Open, "ORDER_PAID", "Exists"),
            (Call::Open, "ORDER_CLOSED", "Exists"),
            (Call::Open, "INSURANCE_REFUSED", "Refused { code: \"INSURANCE_REFUSED\" }"),
            (Call::Query, "ORDER_UNKNOWN", "Unknown"),
            (Call::Query, "ELSE", "for a person"),
            (Call::Close, "ORDER_PAID", "done"),
            (Call::Close, "ORDER_CLOSED", "done"),
            (Call::Close, "ORDER_UNKNOWN", "done"),
            (Call::Close, "PAYING", "not now"),
            (Call::Close, "ELSE", "for a person"),
            (Call::Refund, "FUNDS_SHORT", "not now"),
            (Call::Refund, "ACCOUNT_CLOSED", "Abnormal"),
            (Call::Refund, "REFUND_REFUSED", "for a person"),
            (Call::QueryRefund, "REFUND_UNKNOWN", "Unknown"),
            (Call::QueryRefund, "ELSE", "for a person"),
            (Call::Bill, "BILL_NOT_READY", "done"),
            (Call::Bill, "ELSE", "for a person"),
        ] {
            assert_eq!(made(call, code), means, "{call:?} {code}");
            assert!(code == "ELSE" || document.contains(&format!("`{code}`")), "{code}");
        }
        for odd in ["", "ok", "<html>", "ORDER PAID"] {
            assert_eq!(kind(no(Call::Open, odd)), "unknown", "{odd}");
        }
    }

    #[test]
    fn an_order_is_paid_only_with_all_of_the_money_s_marks() {
        let shown = |state: &str, rest: Value| {
            let mut data = json!({ "orderNo": "n", "state": state, "amountFen": 2500 });
            data.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap_or_default());
            order(Said::Yes(data), "n")
        };
        let money = json!({ "paymentId": "t", "paidAt": "2026-09-01T10:00:00+08:00" });
        let paid =
            Paid { transaction_id: "t".into(), amount_fen: 2500, paid_at: "2026-09-01T02:00:00Z".parse().unwrap() };
        assert_eq!(shown("PAID", money.clone()), Ok(Payment::Paid(paid)));
        assert_eq!((shown("OPEN", json!({})), shown("PAYING", json!({}))), (Ok(Payment::Open), Ok(Payment::Open)));
        assert_eq!(shown("CLOSED", json!({})), Ok(Payment::Closed));
        for (state, rest) in [
            ("PAID", json!({})),
            ("PAID", json!({ "paymentId": "", "paidAt": "2026-09-01T10:00:00+08:00" })),
            ("PAID", json!({ "paymentId": "t", "paidAt": "2026-09-01T10:00:00+08:00", "amountFen": 0 })),
            ("PAID", json!({ "paymentId": "t", "paidAt": "2026-09-01T10:00:00+08:00", "orderNo": "m" })),
            ("paid", money),
        ] {
            assert_eq!(kind(shown(state, rest)), "unknown", "{state}");
        }
    }

    #[test]
    fn r08_a_refund_is_told_with_its_money() {
        let shown = json!({ "orderNo": "n", "refundNo": "r", "state": "DONE", "amountFen": 2400 });
        let money = RefundMoney { out_trade_no: "n".into(), amount_fen: 2400, total_fen: None };
        let done = RefundSaid { refund: Refund::Success, money: Some(money) };
        assert_eq!(refunded(Said::Yes(shown.clone()), "r"), Ok(done.clone()));
        assert_eq!(refund_status(Said::Yes(shown), "r"), Ok(done));
        let bare = json!({ "orderNo": "n", "refundNo": "r", "state": "DONE" });
        assert_eq!(kind(refunded(Said::Yes(bare), "r")), "unknown");
    }

    #[test]
    fn a_bill_with_a_gap_says_nothing() {
        let line = |state: &str| wire::Line::Refund {
            order_no: "n".into(),
            refund_no: "r".into(),
            amount_fen: 1,
            state: state.into(),
        };
        assert_eq!(lines(1, vec![line("DONE")]).map(|lines| lines.len()), Ok(1));
        assert_eq!(kind(lines(2, vec![line("DONE")])), "unknown");
        assert_eq!(kind(lines(1, vec![line("ELSE")])), "unknown");
    }

    #[test]
    fn what_nobody_signed_is_never_a_refusal() {
        let complaint = br#"{"code":"BAD_SIGNATURE"}"#;
        for (status, raw, means) in [
            (429, &b""[..], "not taken"),
            (401, complaint, "for a person"),
            (200, complaint, "unknown"),
            (401, b"<html>", "unknown"),
            (302, b"", "unknown"),
            (404, b"", "unknown"),
            (502, b"", "unknown"),
        ] {
            assert_eq!(kind(Err::<(), _>(unsaid(Call::Open, status, raw))), means, "{status}");
        }
    }
}

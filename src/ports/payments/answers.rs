//! What an answer of WeChat Pay means: one pure function a call, from status and code to the trade's words.
//!
//! An answer that is not understood is never taken for a refusal: it leaves the outcome unknown.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::CallError;
use super::{Opened, Paid, Payment, Refund, RefundMoney, RefundSaid};

/// How the provider is called in errors.
pub(super) const SYSTEM: &str = "wechat-pay";

/// An answer whose signature was verified where it is a 2xx.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The raw body.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
}

#[derive(Deserialize)]
struct Prepaid {
    prepay_id: String,
}

/// The only currency there is here.
pub(super) const YUAN: &str = "CNY";

/// `amount` of an order; the provider leaves fields out where nothing was paid.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Amount {
    pub total: Option<i64>,
    pub currency: Option<String>,
}

/// An order as the provider shows it, in an answer or in a notice. The payer is not read.
#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names)] // The wire's names.
pub(super) struct Transaction {
    pub appid: Option<String>,
    pub mchid: String,
    pub out_trade_no: String,
    pub transaction_id: Option<String>,
    pub trade_state: String,
    pub success_time: Option<DateTime<Utc>>,
    #[serde(default)]
    pub amount: Amount,
}

impl Transaction {
    /// The money, where the order says that it was paid.
    pub(super) fn paid(self) -> Option<Paid> {
        Some(Paid {
            transaction_id: self.transaction_id.filter(|id| !id.is_empty())?,
            amount_fen: self.amount.total.filter(|total| *total > 0)?,
            paid_at: self.success_time?,
        })
    }
}

/// A refund as the provider shows it, in an answer or in a notice, but for its state, which has two names.
#[derive(Debug, Deserialize)]
pub(super) struct RefundShown {
    pub out_trade_no: String,
    pub out_refund_no: String,
    pub amount: RefundAmount,
}

/// `amount` of a refund; a notice names no currency.
#[derive(Debug, Deserialize)]
pub(super) struct RefundAmount {
    pub refund: i64,
    pub total: Option<i64>,
    pub currency: Option<String>,
}

impl RefundShown {
    /// True for yuan, or where nothing else is said.
    pub(super) fn is_in_yuan(&self) -> bool {
        self.amount.currency.as_deref().is_none_or(|currency| currency == YUAN)
    }

    pub(super) fn money(self) -> RefundMoney {
        let RefundAmount { refund, total, .. } = self.amount;
        RefundMoney { out_trade_no: self.out_trade_no, amount_fen: refund, total_fen: total }
    }
}

#[derive(Deserialize)]
struct RefundAnswered {
    status: String,
    #[serde(flatten)]
    shown: RefundShown,
}

/// The state of a refund by its name.
pub(super) fn refund_named(name: &str) -> Option<Refund> {
    Some(match name {
        "SUCCESS" => Refund::Success,
        "PROCESSING" => Refund::Processing,
        "CLOSED" => Refund::Closed,
        "ABNORMAL" => Refund::Abnormal,
        _ => return None,
    })
}

/// `POST /v3/pay/transactions/jsapi`.
pub(super) fn opened(answer: &Answer) -> Result<Opened, CallError> {
    const CALL: &str = "open order";
    if ok(answer) {
        let prepaid: Prepaid = read(CALL, answer)?;
        return Ok(Opened::Ready { prepay_id: prepaid.prepay_id });
    }
    let code = refusal(CALL, answer)?;
    match code.as_str() {
        "ORDERPAID" | "ORDER_PAID" | "OUT_TRADE_NO_USED" | "ORDER_CLOSED" | "ORDERCLOSED" => Ok(Opened::Exists),
        _ => Ok(Opened::Refused { code }),
    }
}

/// `GET /v3/pay/transactions/out-trade-no/{out_trade_no}`.
pub(super) fn order(answer: &Answer, out_trade_no: &str, mch_id: &str) -> Result<Payment, CallError> {
    const CALL: &str = "query order";
    if !ok(answer) {
        let code = refusal(CALL, answer)?;
        return match code.as_str() {
            "ORDER_NOT_EXIST" | "ORDERNOTEXIST" => Ok(Payment::Unknown),
            _ => Err(broken(CALL, &code)),
        };
    }
    let shown: Transaction = read(CALL, answer)?;
    if shown.out_trade_no != out_trade_no || shown.mchid != mch_id {
        return Err(unknown(CALL, "the answer is about another order"));
    }
    match shown.trade_state.as_str() {
        "SUCCESS" | "REFUND" => {
            shown.paid().map(Payment::Paid).ok_or_else(|| unknown(CALL, "paid, but without amount, time or id"))
        }
        "NOTPAY" | "USERPAYING" | "PAYERROR" | "ACCEPT" => Ok(Payment::Open),
        "CLOSED" | "REVOKED" => Ok(Payment::Closed),
        _ => Err(unknown(CALL, "an order state that is not known")),
    }
}

/// `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close`.
pub(super) fn closed(answer: &Answer) -> Result<(), CallError> {
    const CALL: &str = "close order";
    if ok(answer) {
        return Ok(());
    }
    let code = refusal(CALL, answer)?;
    match code.as_str() {
        // Nothing is left to close. Whether there is money is the query's matter (E4).
        "ORDERPAID" | "ORDER_PAID" | "ORDER_CLOSED" | "ORDERCLOSED" | "ORDER_NOT_EXIST" | "ORDERNOTEXIST" => Ok(()),
        "USERPAYING" | "USER_PAYING" => Err(not_now(&code)),
        _ => Err(broken(CALL, &code)),
    }
}

/// `POST /v3/refund/domestic/refunds`.
pub(super) fn refunded(answer: &Answer, out_refund_no: &str) -> Result<RefundSaid, CallError> {
    const CALL: &str = "refund";
    if ok(answer) {
        return refund_shown(CALL, answer, out_refund_no);
    }
    let code = refusal(CALL, answer)?;
    match code.as_str() {
        // Our account is empty for now; the same refund may be asked again.
        "NOT_ENOUGH" => Err(not_now(&code)),
        "USER_ACCOUNT_ABNORMAL" => Ok(RefundSaid::of_nothing(Refund::Abnormal)),
        _ => Err(broken(CALL, &code)),
    }
}

/// `GET /v3/refund/domestic/refunds/{out_refund_no}`.
pub(super) fn refund_status(answer: &Answer, out_refund_no: &str) -> Result<RefundSaid, CallError> {
    const CALL: &str = "query refund";
    if ok(answer) {
        return refund_shown(CALL, answer, out_refund_no);
    }
    let code = refusal(CALL, answer)?;
    match code.as_str() {
        "RESOURCE_NOT_EXISTS" => Ok(RefundSaid::of_nothing(Refund::Unknown)),
        _ => Err(broken(CALL, &code)),
    }
}

fn refund_shown(call: &'static str, answer: &Answer, out_refund_no: &str) -> Result<RefundSaid, CallError> {
    let RefundAnswered { status, shown } = read(call, answer)?;
    if shown.out_refund_no != out_refund_no {
        return Err(unknown(call, "the answer is about another refund"));
    }
    if !shown.is_in_yuan() {
        return Err(broken(call, "the refund is in another currency than yuan"));
    }
    let refund = refund_named(&status).ok_or_else(|| unknown(call, "a refund state that is not known"))?;
    Ok(RefundSaid { refund, money: Some(shown.money()) })
}

/// The code of an answer that is not 2xx, where it is a refusal of this very request; what is true of every call
/// (limits, system errors, our keys and parameters) is an error already.
pub(super) fn refusal(call: &'static str, answer: &Answer) -> Result<String, CallError> {
    let code = serde_json::from_slice::<Refusal>(&answer.body).map(|refusal| refusal.code).unwrap_or_default();
    // The code reaches logs and answers; anything but a plain word was not written by the provider.
    let plain = !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match (answer.status, code.as_str()) {
        (429, _) | (_, "FREQUENCY_LIMITED" | "FREQUENCY_LIMIT_EXCEED" | "RATELIMIT_EXCEEDED") => {
            Err(not_taken("frequency limited"))
        }
        (500.., _) | (_, "SYSTEM_ERROR" | "SYSTEMERROR" | "BANK_ERROR") => {
            Err(unknown(call, &format!("status {}", answer.status)))
        }
        (
            _,
            "SIGN_ERROR" | "PARAM_ERROR" | "NO_AUTH" | "MCH_NOT_EXISTS" | "APPID_MCHID_NOT_MATCH" | "HTTP_METHOD_ERROR",
        ) => Err(broken(call, &code)),
        (400..500, _) if plain => Ok(code),
        (status, _) => Err(unknown(call, &format!("status {status} without a readable code"))),
    }
}

pub(super) fn ok(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

pub(super) fn read<'a, T: Deserialize<'a>>(call: &'static str, answer: &'a Answer) -> Result<T, CallError> {
    serde_json::from_slice(&answer.body).map_err(|_| unknown(call, "the answer cannot be read"))
}

fn not_now(code: &str) -> CallError {
    CallError::NotNow { system: SYSTEM, detail: code.to_owned() }
}

fn not_taken(detail: &str) -> CallError {
    CallError::NotTaken { system: SYSTEM, detail: detail.to_owned() }
}

pub(super) fn unknown(call: &'static str, detail: &str) -> CallError {
    CallError::Unknown { system: SYSTEM, call, detail: detail.to_owned() }
}

pub(super) fn broken(call: &'static str, detail: &str) -> CallError {
    CallError::Broken { system: SYSTEM, call, detail: detail.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn says(status: u16, body: &str) -> Answer {
        Answer { status, body: body.as_bytes().to_vec() }
    }

    fn code(status: u16, code: &str) -> Answer {
        says(status, &format!(r#"{{"code":"{code}","message":"…"}}"#))
    }

    fn kind<T: std::fmt::Debug>(result: Result<T, CallError>) -> &'static str {
        match result {
            Ok(_) => "ok",
            Err(CallError::NotTaken { .. }) => "not taken",
            Err(CallError::NotNow { .. }) => "not now",
            Err(CallError::Unknown { .. }) => "unknown",
            Err(CallError::Broken { .. }) => "broken",
        }
    }

    #[test]
    fn what_is_true_of_every_call() {
        let cases = [
            (code(429, "FREQUENCY_LIMITED"), "not taken"),
            (code(403, "FREQUENCY_LIMITED"), "not taken"),
            (says(429, "<html>"), "not taken"),
            (code(500, "SYSTEM_ERROR"), "unknown"),
            (code(400, "SYSTEM_ERROR"), "unknown"),
            (says(502, ""), "unknown"),
            (says(403, "<html>a wall in between</html>"), "unknown"),
            (says(302, ""), "unknown"),
            (code(401, "SIGN_ERROR"), "broken"),
            (code(400, "PARAM_ERROR"), "broken"),
            (code(403, "NO_AUTH"), "broken"),
        ];
        for (answer, expected) in cases {
            assert_eq!(kind(opened(&answer)), expected, "open {answer:?}");
            assert_eq!(kind(order(&answer, "no", "m")), expected, "order {answer:?}");
            assert_eq!(kind(closed(&answer)), expected, "close {answer:?}");
            assert_eq!(kind(refunded(&answer, "no")), expected, "refund {answer:?}");
            assert_eq!(kind(refund_status(&answer, "no")), expected, "refund status {answer:?}");
        }
    }

    #[test]
    fn opening() {
        assert_eq!(opened(&says(200, r#"{"prepay_id":"p"}"#)), Ok(Opened::Ready { prepay_id: "p".into() }));
        assert_eq!(kind(opened(&says(200, "{}"))), "unknown");
        for known in ["ORDERPAID", "OUT_TRADE_NO_USED", "ORDER_CLOSED"] {
            assert_eq!(opened(&code(403, known)), Ok(Opened::Exists));
        }
        let refused = Opened::Refused { code: "ACCOUNT_ERROR".into() };
        assert_eq!(opened(&code(403, "ACCOUNT_ERROR")), Ok(refused));
    }

    #[test]
    fn an_order_is_paid_only_with_all_of_the_money_s_marks() {
        let shown = |state: &str, rest: &str| {
            says(200, &format!(r#"{{"appid":"a","mchid":"m","out_trade_no":"no","trade_state":"{state}"{rest}}}"#))
        };
        let money = r#","transaction_id":"t","success_time":"2026-09-01T10:00:00+08:00","amount":{"total":2500}"#;
        let paid = Payment::Paid(Paid {
            transaction_id: "t".into(),
            amount_fen: 2500,
            paid_at: "2026-09-01T02:00:00Z".parse().unwrap(),
        });
        assert_eq!(order(&shown("SUCCESS", money), "no", "m"), Ok(paid.clone()));
        assert_eq!(order(&shown("REFUND", money), "no", "m"), Ok(paid));
        for state in ["NOTPAY", "USERPAYING", "PAYERROR"] {
            assert_eq!(order(&shown(state, ""), "no", "m"), Ok(Payment::Open));
        }
        for state in ["CLOSED", "REVOKED"] {
            assert_eq!(order(&shown(state, ""), "no", "m"), Ok(Payment::Closed));
        }
        assert_eq!(order(&code(404, "ORDER_NOT_EXIST"), "no", "m"), Ok(Payment::Unknown));
        assert_eq!(kind(order(&shown("SUCCESS", ""), "no", "m")), "unknown");
        assert_eq!(kind(order(&shown("SOMETHING", ""), "no", "m")), "unknown");
        assert_eq!(kind(order(&shown("SUCCESS", money), "other", "m")), "unknown");
        assert_eq!(kind(order(&shown("SUCCESS", money), "no", "other")), "unknown");
        assert_eq!(kind(order(&code(404, "ELSE"), "no", "m")), "broken");
    }

    #[test]
    fn closing() {
        assert_eq!(closed(&says(204, "")), Ok(()));
        for known in ["ORDERPAID", "ORDER_CLOSED", "ORDER_NOT_EXIST"] {
            assert_eq!(closed(&code(400, known)), Ok(()));
        }
        assert_eq!(kind(closed(&code(400, "USER_PAYING"))), "not now");
        assert_eq!(kind(closed(&code(400, "INVALID_REQUEST"))), "broken");
    }

    #[test]
    fn refunding() {
        let with = |state: &str, amount: &str| {
            says(200, &format!(r#"{{"out_trade_no":"no","out_refund_no":"r","status":"{state}","amount":{amount}}}"#))
        };
        let shown = |state: &str| with(state, r#"{"refund":2400,"total":2500,"payer_refund":2000,"currency":"CNY"}"#);
        let money = RefundMoney { out_trade_no: "no".into(), amount_fen: 2400, total_fen: Some(2500) };
        let states = [
            ("PROCESSING", Refund::Processing),
            ("SUCCESS", Refund::Success),
            ("CLOSED", Refund::Closed),
            ("ABNORMAL", Refund::Abnormal),
        ];
        for (name, refund) in states {
            let said = RefundSaid { refund, money: Some(money.clone()) };
            assert_eq!(refunded(&shown(name), "r"), Ok(said.clone()));
            assert_eq!(refund_status(&shown(name), "r"), Ok(said));
        }
        for (amount, expected) in [
            (r#"{"refund":2400,"total":2500,"currency":"USD"}"#, "broken"),
            (r#"{"total":2500,"currency":"CNY"}"#, "unknown"),
            (r#"{"refund":"2400"}"#, "unknown"),
            ("null", "unknown"),
            (r#"{"refund":2400}"#, "ok"),
        ] {
            assert_eq!(kind(refunded(&with("SUCCESS", amount), "r")), expected, "{amount}");
            assert_eq!(kind(refund_status(&with("SUCCESS", amount), "r")), expected, "{amount}");
        }
        assert_eq!(kind(refunded(&shown("ODD"), "r")), "unknown");
        assert_eq!(kind(refunded(&shown("SUCCESS"), "other")), "unknown");
        assert_eq!(kind(refunded(&code(403, "NOT_ENOUGH"), "r")), "not now");
        let nothing = |refund| Ok(RefundSaid::of_nothing(refund));
        assert_eq!(refunded(&code(403, "USER_ACCOUNT_ABNORMAL"), "r"), nothing(Refund::Abnormal));
        assert_eq!(kind(refunded(&code(400, "INVALID_REQUEST"), "r")), "broken");
        assert_eq!(refund_status(&code(404, "RESOURCE_NOT_EXISTS"), "r"), nothing(Refund::Unknown));
        assert_eq!(kind(refund_status(&code(404, "ELSE"), "r")), "broken");
    }
}

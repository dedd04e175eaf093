//! The trade bill of a day (`GET /v3/bill/tradebill`): what was paid and what was asked back, as the provider keeps it.
//!
//! The provider makes it at about 10:00 of the next day. Amounts stand there in yuan and are read as whole 分; the payer
//! is not read.

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::super::CallError;
use super::answers::{Answer, broken, refund_named, unknown};
use super::{Refund, answers};

const CALL: &str = "trade bill";

/// What stands in a bill, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum BillLine {
    /// An order was paid on the day.
    Paid {
        /// Ours.
        out_trade_no: String,
        /// The provider's.
        transaction_id: String,
        /// The order's amount, 分.
        amount_fen: i64,
    },
    /// A refund was asked for on the day.
    Refund {
        /// The order.
        out_trade_no: String,
        /// Ours.
        out_refund_no: String,
        /// What was asked back, 分.
        amount_fen: i64,
        /// Where it stood when the bill was made.
        refund: Refund,
    },
}

/// What asking for a bill came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bill {
    /// It is being made.
    NotYet,
    /// Every line; none where nothing happened that day.
    Lines(Vec<BillLine>),
}

/// Where the bill lies, and what it must hash to.
#[derive(Debug, Deserialize)]
pub(super) struct Lies {
    pub hash_type: String,
    pub hash_value: String,
    pub download_url: String,
}

/// What asking for the bill's address came to.
pub(super) enum Found {
    NotYet,
    /// There is none: nothing happened that day.
    Nothing,
    At(Lies),
}

pub(super) fn found(answer: &Answer) -> Result<Found, CallError> {
    if answers::ok(answer) {
        return answers::read(CALL, answer).map(Found::At);
    }
    match answers::refusal(CALL, answer)?.as_str() {
        "STATEMENT_CREATING" => Ok(Found::NotYet),
        "NO_STATEMENT_EXIST" => Ok(Found::Nothing),
        code => Err(broken(CALL, code)),
    }
}

/// The lines of a downloaded bill. A bill whose hash differs, or of which a line cannot be read, says nothing: a bill with
/// a gap would look like a difference.
pub(super) fn read(lies: &Lies, raw: &[u8]) -> Result<Vec<BillLine>, CallError> {
    let hash = hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, raw));
    if !lies.hash_type.eq_ignore_ascii_case("SHA1") || !lies.hash_value.eq_ignore_ascii_case(&hash) {
        return Err(unknown(CALL, "the bill is not what its hash says"));
    }
    lines(std::str::from_utf8(raw).map_err(|_| unknown(CALL, "the bill is no text"))?)
}

fn lines(text: &str) -> Result<Vec<BillLine>, CallError> {
    let unreadable = |what: &str| unknown(CALL, &format!("{what} of the bill cannot be read"));
    let mut rows = text.trim_start_matches('\u{feff}').lines();
    let head: Vec<&str> = rows.next().unwrap_or_default().split(',').map(str::trim).collect();
    let column = |name: &str| head.iter().position(|it| *it == name).ok_or_else(|| unreadable("the head"));
    let [trade_no, transaction, state, order, refund_no, refund_fen, refund_state] = [
        column("商户订单号")?,
        column("微信订单号")?,
        column("交易状态")?,
        column("订单金额")?,
        column("商户退款单号")?,
        column("申请退款金额")?,
        column("退款状态")?,
    ];
    // Every value begins with a back tick; the sums at the end have a head of their own, which does not.
    let mut lines = Vec::new();
    for row in rows.take_while(|row| row.starts_with('`')) {
        let values: Vec<&str> = row.trim_end().trim_start_matches('`').split(",`").collect();
        let value = |at: usize| values.get(at).copied().ok_or_else(|| unreadable("a line"));
        let fen = |at: usize| fen_of(value(at)?).ok_or_else(|| unreadable("an amount"));
        let out_trade_no = value(trade_no)?.to_owned();
        match value(state)? {
            "SUCCESS" => {
                let (transaction_id, amount_fen) = (value(transaction)?.to_owned(), fen(order)?);
                lines.push(BillLine::Paid { out_trade_no, transaction_id, amount_fen });
            }
            "REFUND" => {
                let refund = refund_named(value(refund_state)?).ok_or_else(|| unreadable("a refund's state"))?;
                let (out_refund_no, amount_fen) = (value(refund_no)?.to_owned(), fen(refund_fen)?);
                lines.push(BillLine::Refund { out_trade_no, out_refund_no, amount_fen, refund });
            }
            // Taken back by the merchant within the same minute: no money.
            "REVOKED" => {}
            _ => return Err(unreadable("a line's state")),
        }
    }
    Ok(lines)
}

/// 分 of an amount in yuan with two decimals at most, without a float on the way.
fn fen_of(yuan: &str) -> Option<i64> {
    let (whole, part) = yuan.split_once('.').unwrap_or((yuan, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let cents: i64 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The head of the real bill of all trades.
    const HEAD: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,\
付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,\
商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
    const SUMS: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n\
`2,`50.00,`50.00,`0.00,`0.30,`50.00,`50.00\n";

    fn row(state: &str, refund_state: &str, name: &str) -> String {
        let back = if state == "REFUND" { "50.00" } else { "0.00" };
        format!(
            "`2026-09-01 10:00:00,`wx1,`19,`0,`,`4200,`T1,`openid,`JSAPI,`{state},`OTHERS,`CNY,`50.00,`0.00,`,`T1U01,\
             `{back},`0.00,`ORIGINAL,`{refund_state},`{name},`,`0.30,`0.60%,`50.00,`{back},`\n"
        )
        .replace("             ", "")
    }

    #[test]
    fn payments_and_refunds_are_read_and_the_sums_are_not() {
        let text =
            format!("\u{feff}{HEAD}\n{}{}{SUMS}", row("SUCCESS", "", "候补,挂号费"), row("REFUND", "PROCESSING", ""));
        let out_trade_no = "T1".to_owned();
        let paid =
            BillLine::Paid { out_trade_no: out_trade_no.clone(), transaction_id: "4200".to_owned(), amount_fen: 5000 };
        let (out_refund_no, refund) = ("T1U01".to_owned(), Refund::Processing);
        let back = BillLine::Refund { out_trade_no, out_refund_no, amount_fen: 5000, refund };
        assert_eq!(lines(&text), Ok(vec![paid, back]));
    }

    #[test]
    fn a_bill_that_cannot_be_read_whole_is_no_bill() {
        assert!(lines("商户订单号,金额\n`T1,`5\n").is_err());
        assert!(lines(&format!("{HEAD}\n`T1,`x\n")).is_err());
        assert!(lines(&format!("{HEAD}\n{}", row("SOMETHING", "", ""))).is_err());
        assert_eq!(lines(&format!("{HEAD}\n{SUMS}")), Ok(Vec::new()));
        let lies = Lies { hash_type: "SHA1".into(), hash_value: "00".into(), download_url: String::new() };
        assert!(matches!(read(&lies, HEAD.as_bytes()), Err(CallError::Unknown { .. })));
    }

    #[test]
    fn the_provider_says_that_there_is_no_bill_or_not_yet() {
        let says = |status, code: &str| Answer { status, body: format!(r#"{{"code":"{code}"}}"#).into_bytes() };
        assert!(matches!(found(&says(400, "NO_STATEMENT_EXIST")), Ok(Found::Nothing)));
        assert!(matches!(found(&says(400, "STATEMENT_CREATING")), Ok(Found::NotYet)));
        assert!(found(&says(400, "INVALID_REQUEST")).is_err());
    }

    proptest! {
        #[test]
        fn yuan_become_fen_and_never_lose_one(fen in 0_i64..1_000_000_000) {
            prop_assert_eq!(fen_of(&format!("{}.{:02}", fen / 100, fen % 100)), Some(fen));
        }

        #[test]
        fn what_is_no_amount_is_none(text in "[-+0-9.e ]{0,8}") {
            if let Some(fen) = fen_of(&text) {
                prop_assert!(fen >= 0);
                prop_assert!(!text.contains(['-', '+', 'e', ' ']));
            }
        }
    }
}

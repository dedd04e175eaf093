//! The trade bill of a day, as the real one looks: yuan with back ticks, made at 10:00 of the next day, Beijing time.

use aws_lc_rs::digest;
use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, Utc};
use serde_json::{Value, json};

use super::entries::{OrderLine, PayBooks, RefundLine, name_of, platform_name_of};
use super::keys::{APP_ID, MCH_ID};
use super::ledger::{Refusal, refuse};
use crate::ports::payments::platform::wire::{BillPage, Line};

const HEAD: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,\
付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,\
商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const SUMS: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// The platform's own calendar.
fn beijing(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.with_timezone(&FixedOffset::east_opt(8 * 3600).unwrap_or_else(|| chrono::Offset::fix(&Utc)))
}

/// Where the bill of `day` lies; refused before it is made, and where nothing happened.
pub(super) fn address(books: &PayBooks, day: NaiveDate, now: DateTime<Utc>, download: &str) -> Result<Value, Refusal> {
    made(day, now)?;
    if paid_on(books, day).next().is_none() && back_on(books, day).next().is_none() {
        return Err(refuse(400, "NO_STATEMENT_EXIST", "账单文件不存在"));
    }
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text(books, day).as_bytes());
    Ok(json!({"hash_type": "SHA1", "hash_value": hex::encode(hash), "download_url": download}))
}

/// A platform shows so many lines of its bill at once.
const LINES_A_PAGE: usize = 500;

/// A page of the bill as a platform tells it; refused before it is made.
pub(super) fn page(books: &PayBooks, day: NaiveDate, page: u32, now: DateTime<Utc>) -> Result<Value, Refusal> {
    made(day, now)?;
    let paid = paid_on(books, day).map(|(order, _)| Line::Payment {
        order_no: order.out_trade_no.clone(),
        payment_id: order.transaction_id.clone().unwrap_or_default(),
        amount_fen: order.amount_fen,
    });
    let back = back_on(books, day).map(|refund| Line::Refund {
        order_no: refund.out_trade_no.clone(),
        refund_no: refund.out_refund_no.clone(),
        amount_fen: refund.amount_fen,
        state: platform_name_of(refund.state).to_owned(),
    });
    let lines: Vec<Line> = paid.chain(back).collect();
    let (count, before) = (lines.len(), (page.max(1) as usize - 1).saturating_mul(LINES_A_PAGE));
    let pages = u32::try_from(count.div_ceil(LINES_A_PAGE).max(1)).unwrap_or(u32::MAX);
    let lines = lines.into_iter().skip(before).take(LINES_A_PAGE).collect();
    Ok(serde_json::to_value(BillPage { pages, count, lines }).unwrap_or_default())
}

/// Refused before the bill is made.
fn made(day: NaiveDate, now: DateTime<Utc>) -> Result<(), Refusal> {
    let made =
        day.checked_add_days(Days::new(1)).map(|next| next.and_time(NaiveTime::MIN) + chrono::TimeDelta::hours(10));
    if made.is_none_or(|made| beijing(now).naive_local() < made) {
        return Err(refuse(400, "STATEMENT_CREATING", "账单生成中"));
    }
    Ok(())
}

/// The bill itself.
pub(super) fn text(books: &PayBooks, day: NaiveDate) -> String {
    let mut text = format!("\u{feff}{HEAD}\r\n");
    let (mut paid_fen, mut back_fen, mut count) = (0, 0, 0);
    for (order, at) in paid_on(books, day) {
        let transaction = order.transaction_id.as_deref().unwrap_or_default();
        let of = Row { at, transaction, out_trade_no: &order.out_trade_no, order_fen: order.amount_fen, refund: None };
        text.push_str(&of.written());
        paid_fen += order.amount_fen;
        count += 1;
    }
    for refund in back_on(books, day) {
        let of = Row {
            at: refund.asked_at,
            transaction: "",
            out_trade_no: &refund.out_trade_no,
            order_fen: refund.amount_fen,
            refund: Some(refund),
        };
        text.push_str(&of.written());
        back_fen += refund.amount_fen;
        count += 1;
    }
    let (paid, back) = (yuan(paid_fen), yuan(back_fen));
    text + &format!("{SUMS}\r\n`{count},`{paid},`{back},`0.00,`0.00,`{paid},`{back}\r\n")
}

fn paid_on(books: &PayBooks, day: NaiveDate) -> impl Iterator<Item = (&OrderLine, DateTime<Utc>)> {
    let paid = books.orders.iter().filter_map(|order| Some((order, order.paid_at?)));
    paid.filter(move |(_, at)| beijing(*at).date_naive() == day)
}

/// Refunds stand in the bill of the day on which they were asked for.
fn back_on(books: &PayBooks, day: NaiveDate) -> impl Iterator<Item = &RefundLine> {
    books.refunds.iter().filter(move |refund| beijing(refund.asked_at).date_naive() == day)
}

struct Row<'a> {
    at: DateTime<Utc>,
    transaction: &'a str,
    out_trade_no: &'a str,
    order_fen: i64,
    refund: Option<&'a RefundLine>,
}

impl Row<'_> {
    fn written(&self) -> String {
        let at = beijing(self.at).format("%Y-%m-%d %H:%M:%S");
        let Self { transaction, out_trade_no, .. } = self;
        let order = yuan(self.order_fen);
        let (state, refund_no, refund_state, back) = match self.refund {
            None => ("SUCCESS", "0", "", yuan(0)),
            Some(refund) => ("REFUND", refund.out_refund_no.as_str(), name_of(refund.state), yuan(refund.amount_fen)),
        };
        format!(
            "`{at},`{APP_ID},`{MCH_ID},`0,`,`{transaction},`{out_trade_no},`,`JSAPI,`{state},`OTHERS,`CNY,`{order},`0.00,\
             `0,`{refund_no},`{back},`0.00,`,`{refund_state},`候补挂号费,`,`0.00,`0.00%,`{order},`{back},`\r\n"
        )
    }
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

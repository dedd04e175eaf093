//! What stands in the books of the simulated WeChat Pay, and how it is shown on the wire.
//!
//! Every entry knows by itself when something is next due for it, so that the agenda can be rebuilt from the books.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::{APP_ID, MCH_ID};
use super::standing::Unpaid;
use crate::ports::payments::platform::wire;
use crate::ports::payments::{PayType, Provider, Refund};

/// What a merchant asks when it opens an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub out_trade_no: String,
    pub description: String,
    pub amount_fen: i64,
    pub openid: String,
    pub notify_url: String,
    pub expires_at: DateTime<Utc>,
    /// At which door it was asked.
    #[serde(default)]
    pub door: Provider,
    /// As a platform was told; WeChat Pay is not.
    #[serde(default)]
    pub pay_type: PayType,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Order {
    pub asked: Asked,
    pub prepay_id: String,
    pub state: OrderState,
    /// What it shows instead of that, while it is not paid.
    #[serde(default)]
    pub shows: Option<Unpaid>,
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OrderState {
    Open(Plan),
    Paid { transaction_id: String, at: DateTime<Utc> },
    Closed,
}

/// What the payer will do with an open order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Plan {
    /// No answer with the `prepay_id` has reached the merchant yet: nobody can pay.
    NotHandedOut,
    /// Will not pay by itself.
    Never,
    /// Pays then, if the order is still open.
    At(DateTime<Utc>),
}

impl Order {
    /// When the payer acts.
    pub(super) fn due_at(&self) -> Option<DateTime<Utc>> {
        match self.state {
            OrderState::Open(Plan::At(at)) => Some(at),
            _ => None,
        }
    }

    /// The order as a platform shows it.
    pub(super) fn shown_by_platform(&self) -> wire::OrderShown {
        let (state, payment_id, paid_at) = match &self.state {
            OrderState::Open(_) => (self.shows.map_or("OPEN", Unpaid::platform_state), None, None),
            OrderState::Closed => ("CLOSED", None, None),
            OrderState::Paid { transaction_id, at } => ("PAID", Some(transaction_id.clone()), Some(*at)),
        };
        let Asked { out_trade_no: order_no, amount_fen, .. } = self.asked.clone();
        wire::OrderShown { order_no, state: state.to_owned(), amount_fen, payment_id, paid_at }
    }

    /// The order as a query shows it and a notice tells it.
    pub(super) fn shown(&self, has_refunds: bool) -> Value {
        let asked = &self.asked;
        let mut shown = json!({
            "appid": APP_ID, "mchid": MCH_ID, "out_trade_no": asked.out_trade_no, "attach": "",
            "trade_state": "NOTPAY", "trade_state_desc": "订单未支付",
            "amount": {"total": asked.amount_fen, "currency": "CNY"},
            "payer": {"openid": asked.openid},
        });
        match &self.state {
            OrderState::Open(_) => {}
            OrderState::Closed => {
                shown["trade_state"] = json!("CLOSED");
                shown["trade_state_desc"] = json!("订单已关闭");
            }
            OrderState::Paid { transaction_id, at } => {
                shown["trade_state"] = json!(if has_refunds { "REFUND" } else { "SUCCESS" });
                shown["trade_state_desc"] = json!(if has_refunds { "转入退款" } else { "支付成功" });
                shown["transaction_id"] = json!(transaction_id);
                shown["trade_type"] = json!("JSAPI");
                shown["bank_type"] = json!("OTHERS");
                shown["success_time"] = json!(at);
                shown["amount"]["payer_total"] = json!(asked.amount_fen);
                shown["amount"]["payer_currency"] = json!("CNY");
            }
        }
        if let Some((state, words)) = self.shows.map(Unpaid::trade_state) {
            shown["trade_state"] = json!(state);
            shown["trade_state_desc"] = json!(words);
        }
        shown
    }
}

/// What a merchant asks when it wants money to go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RefundAsked {
    pub out_trade_no: String,
    pub out_refund_no: String,
    pub amount_fen: i64,
    pub total_fen: i64,
    pub notify_url: Option<String>,
    /// At which door it was asked.
    #[serde(default)]
    pub door: Provider,
}

/// A refund.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RefundEntry {
    pub asked: RefundAsked,
    pub refund_id: String,
    pub transaction_id: String,
    pub asked_at: DateTime<Utc>,
    pub state: RefundState,
    /// What goes back instead of what was asked for.
    #[serde(default)]
    pub instead_fen: Option<i64>,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RefundState {
    /// On its way; `ends` says how it will be settled.
    Processing { settles_at: DateTime<Utc>, ends: Refund },
    /// Settled: success, closed or abnormal.
    Settled { at: DateTime<Utc>, as_: Refund },
}

impl RefundEntry {
    /// When the refund is settled.
    pub(super) fn due_at(&self) -> Option<DateTime<Utc>> {
        match self.state {
            RefundState::Processing { settles_at, .. } => Some(settles_at),
            RefundState::Settled { .. } => None,
        }
    }

    /// Where it stands, in the port's words.
    pub(super) fn standing(&self) -> Refund {
        match self.state {
            RefundState::Processing { .. } => Refund::Processing,
            RefundState::Settled { as_, .. } => as_,
        }
    }

    /// What goes back.
    pub(super) fn amount_fen(&self) -> i64 {
        self.instead_fen.unwrap_or(self.asked.amount_fen)
    }

    /// Its amount, unless it was given up: what no other refund may take.
    pub(super) fn held_fen(&self) -> i64 {
        if self.standing() == Refund::Closed { 0 } else { self.amount_fen() }
    }

    /// The refund as a platform shows it.
    pub(super) fn shown_by_platform(&self) -> wire::RefundShown {
        wire::RefundShown {
            order_no: self.asked.out_trade_no.clone(),
            refund_no: self.asked.out_refund_no.clone(),
            state: platform_name_of(self.standing()).to_owned(),
            amount_fen: self.amount_fen(),
        }
    }

    /// The refund as an answer shows it.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.told();
        shown["status"] = shown["refund_status"].take();
        if let Value::Object(fields) = &mut shown {
            fields.remove("refund_status");
            fields.remove("mchid");
        }
        shown["channel"] = json!("ORIGINAL");
        shown["create_time"] = json!(self.asked_at);
        shown["amount"]["currency"] = json!("CNY");
        shown
    }

    /// The refund as a notice tells it.
    pub(super) fn told(&self) -> Value {
        let asked = &self.asked;
        let mut told = json!({
            "mchid": MCH_ID, "out_trade_no": asked.out_trade_no, "transaction_id": self.transaction_id,
            "out_refund_no": asked.out_refund_no, "refund_id": self.refund_id,
            "refund_status": name_of(self.standing()), "user_received_account": "支付用户零钱",
            "amount": {"total": asked.total_fen, "refund": self.amount_fen(),
                       "payer_total": asked.total_fen, "payer_refund": self.amount_fen()},
        });
        if let RefundState::Settled { at, as_: Refund::Success } = self.state {
            told["success_time"] = json!(at);
        }
        told
    }
}

/// Says another amount of what is shown or told of a payment or a refund: an 分 more.
pub(super) fn misstate(shown: &mut Value, door: Provider) {
    let is_refund = shown.get("out_refund_no").is_some();
    let amount = match door {
        Provider::Wechat if is_refund => "/amount/refund",
        Provider::Wechat => "/amount/total",
        Provider::Platform => "/amountFen",
    };
    if let Some(amount) = shown.pointer_mut(amount) {
        *amount = json!(amount.as_i64().unwrap_or_default() + 1);
    }
}

/// A refund state as the wire names it.
pub(super) fn name_of(refund: Refund) -> &'static str {
    match refund {
        Refund::Unknown => "UNKNOWN",
        Refund::Processing => "PROCESSING",
        Refund::Success => "SUCCESS",
        Refund::Closed => "CLOSED",
        Refund::Abnormal => "ABNORMAL",
    }
}

/// A refund state as a platform names it.
pub(super) fn platform_name_of(refund: Refund) -> &'static str {
    match refund {
        Refund::Unknown => "UNKNOWN",
        Refund::Processing => "PROCESSING",
        Refund::Success => "DONE",
        Refund::Closed => "GIVEN_UP",
        Refund::Abnormal => "ABNORMAL",
    }
}

/// A notice and how far its delivery is.
// Each is something that goes wrong with a notice, and more than one may.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NoticeEntry {
    /// `EV-…`, the same on every repetition.
    pub id: String,
    /// The order or refund it is about.
    pub about: String,
    /// `TRANSACTION.SUCCESS`, `REFUND.…`.
    pub event: String,
    /// What will be sealed; or, of a platform, told openly.
    pub resource: Value,
    /// In whose form.
    #[serde(default)]
    pub door: Provider,
    /// The first sent try is preceded by another notice, well signed, with another amount.
    #[serde(default)]
    pub misstated: bool,
    /// The first sent try is preceded by another notice, well signed, to another merchant.
    #[serde(default)]
    pub misdirected: bool,
    /// The first sent try is preceded by a copy that was stamped long ago.
    #[serde(default)]
    pub old: bool,
    pub url: String,
    pub created_at: DateTime<Utc>,
    /// The next try; none once answered or given up.
    pub next_at: Option<DateTime<Utc>>,
    /// Tries so far, those that were lost included.
    pub tries: u32,
    /// So many of the first tries are never sent.
    pub lost: u32,
    /// Every try is sent twice.
    pub doubled: bool,
    /// The first sent try is preceded by a copy with a wrong signature.
    pub probe: bool,
    pub answered_at: Option<DateTime<Utc>>,
    /// The merchant answered 2xx to the copy with the wrong signature.
    pub probe_believed: bool,
}

/// Where an order stands in [`PayBooks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderStanding {
    /// No money.
    Open,
    /// Money came in.
    Paid,
    /// No money will come.
    Closed,
}

/// One order in [`PayBooks`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The merchant's number.
    pub out_trade_no: String,
    /// 分.
    pub amount_fen: i64,
    /// Where it stands.
    pub state: OrderStanding,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// `transaction_id`.
    pub transaction_id: Option<String>,
    /// As a platform was told (R7).
    pub pay_type: PayType,
}

/// One refund in [`PayBooks`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundLine {
    /// The order.
    pub out_trade_no: String,
    /// The merchant's refund number.
    pub out_refund_no: String,
    /// 分.
    pub amount_fen: i64,
    /// Where it stands.
    pub state: Refund,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// When it was asked, or settled where it is.
    pub at: DateTime<Utc>,
}

/// One notice in [`PayBooks`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeLine {
    /// The notice's `id`.
    pub id: String,
    /// The order or refund.
    pub about: String,
    /// Tries so far.
    pub tries: u32,
    /// When it was answered 200 or 204.
    pub answered_at: Option<DateTime<Utc>>,
    /// Still to be tried.
    pub pending: bool,
    /// A copy with a wrong signature was answered 2xx: the receiver does not verify.
    pub probe_believed: bool,
}

/// Everything the simulated WeChat Pay knows, without the payers' names for it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PayBooks {
    /// By number.
    pub orders: Vec<OrderLine>,
    /// By number.
    pub refunds: Vec<RefundLine>,
    /// By id.
    pub notices: Vec<NoticeLine>,
}

impl From<&Order> for OrderLine {
    fn from(order: &Order) -> Self {
        let (state, paid_at, transaction_id) = match &order.state {
            OrderState::Open(_) => (OrderStanding::Open, None, None),
            OrderState::Closed => (OrderStanding::Closed, None, None),
            OrderState::Paid { transaction_id, at } => (OrderStanding::Paid, Some(*at), Some(transaction_id.clone())),
        };
        let Asked { out_trade_no, amount_fen, pay_type, .. } = order.asked.clone();
        Self { out_trade_no, amount_fen, state, paid_at, transaction_id, pay_type }
    }
}

impl From<&RefundEntry> for RefundLine {
    fn from(refund: &RefundEntry) -> Self {
        let at = match refund.state {
            RefundState::Processing { .. } => refund.asked_at,
            RefundState::Settled { at, .. } => at,
        };
        let (RefundAsked { out_trade_no, out_refund_no, .. }, amount_fen) = (refund.asked.clone(), refund.amount_fen());
        Self { out_trade_no, out_refund_no, amount_fen, state: refund.standing(), asked_at: refund.asked_at, at }
    }
}

impl From<&NoticeEntry> for NoticeLine {
    fn from(notice: &NoticeEntry) -> Self {
        Self {
            id: notice.id.clone(),
            about: notice.about.clone(),
            tries: notice.tries,
            answered_at: notice.answered_at,
            pending: notice.next_at.is_some(),
            probe_believed: notice.probe_believed,
        }
    }
}

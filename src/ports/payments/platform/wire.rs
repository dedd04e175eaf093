//! What goes over the wire between us and a hospital's payment platform, as both sides write it. Every body is JSON in UTF-8 with
//! names in camelCase; money is integer 分, an instant RFC 3339. How it is signed: [`crate::ports::stamp`].

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::waitlist::policy::PayType;

/// What can be asked: `POST <url>/<path>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opens an order.
    Open,
    /// How an order stands.
    Query,
    /// Closes an order.
    Close,
    /// Asks for a refund.
    Refund,
    /// How a refund stands.
    QueryRefund,
    /// A page of a day's bill.
    Bill,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Open, Self::Query, Self::Close, Self::Refund, Self::QueryRefund, Self::Bill];

    /// The end of its address, and its name in the body.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Open => "order",
            Self::Query => "order-query",
            Self::Close => "order-close",
            Self::Refund => "refund",
            Self::QueryRefund => "refund-query",
            Self::Bill => "bill",
        }
    }

    /// The call of this path.
    pub fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.path() == path)
    }

    /// As errors and traces call it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Open => "open order",
            Self::Query => "query order",
            Self::Close => "close order",
            Self::Refund => "refund",
            Self::QueryRefund => "query refund",
            Self::Bill => "bill",
        }
    }
}

/// A request. It may name a payer: no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Asking<T> {
    /// [`Call::path`]: what is signed cannot be sent to another address.
    pub call: String,
    pub merchant_id: String,
    pub data: T,
}

/// An answer.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Answering {
    /// `OK`, or why not.
    pub code: String,
    /// Never repeated.
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub data: Value,
}

/// [`Call::Open`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct OrderAsked {
    pub order_no: String,
    /// How the patient means to pay (R7).
    pub pay_type: PayType,
    pub amount_fen: i64,
    pub description: String,
    pub payer: String,
    pub expires_at: DateTime<Utc>,
    pub notify_url: String,
}

/// [`Call::Query`] and [`Call::Close`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct OrderNamed {
    pub order_no: String,
}

/// [`Call::Refund`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RefundAsked {
    pub order_no: String,
    pub refund_no: String,
    pub amount_fen: i64,
    pub total_fen: i64,
    pub reason: String,
    pub notify_url: String,
}

/// [`Call::QueryRefund`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RefundNamed {
    pub refund_no: String,
}

/// [`Call::Bill`]; pages count from 1.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BillAsked {
    pub day: NaiveDate,
    pub page: u32,
}

/// The answer to [`Call::Open`]: what the payer's client needs, which we hand on as it is.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Opened {
    pub pay: serde_json::Map<String, Value>,
}

/// An order, in the answer to [`Call::Query`] and in a notice.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct OrderShown {
    pub order_no: String,
    /// `OPEN`, `PAYING`, `PAID`, `CLOSED`.
    pub state: String,
    pub amount_fen: i64,
    #[serde(default)]
    pub payment_id: Option<String>,
    #[serde(default)]
    pub paid_at: Option<DateTime<Utc>>,
}

/// A refund, in the answers to [`Call::Refund`] and [`Call::QueryRefund`], and in a notice.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RefundShown {
    pub order_no: String,
    pub refund_no: String,
    /// `PROCESSING`, `DONE`, `GIVEN_UP`, `ABNORMAL`.
    pub state: String,
    pub amount_fen: i64,
}

/// A page of a bill.
#[derive(Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct BillPage {
    /// How many pages there are, at least one.
    pub pages: u32,
    /// How many lines all pages have together.
    pub count: usize,
    pub lines: Vec<Line>,
}

/// A line of a bill.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(missing_docs)]
pub enum Line {
    Payment { order_no: String, payment_id: String, amount_fen: i64 },
    Refund { order_no: String, refund_no: String, amount_fen: i64, state: String },
}

/// A notice.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Telling {
    /// The same on every repetition.
    pub id: String,
    /// `ORDER_PAID`, `REFUND_DONE`, `REFUND_GIVEN_UP`, `REFUND_ABNORMAL`.
    pub event: String,
    pub merchant_id: String,
    /// [`OrderShown`] or [`RefundShown`].
    pub data: Value,
}

//! What is compared about one application: each side's words, and none where nobody has told.

use serde::{Deserialize, Serialize};

use super::Kind;

/// Everything known about one application. An application that is in no book of ours has no `entry`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Ours.
    pub entry: Option<Entry>,
    /// Orders at the provider, by ours, theirs or both.
    pub payments: Vec<Payment>,
    /// Orders at HIS.
    pub visits: Vec<Visit>,
    /// Locks at HIS, as it listed them.
    pub locks: Vec<Lock>,
    /// Booked visits of the same patient in the same schedule that are not of this application.
    pub twins: Vec<String>,
    /// True where a case about it stands open: it is asked about again.
    pub reopened: bool,
}

/// Where the application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whether its run moves.
    pub pace: Pace,
    /// It has ended, or waits for a person while it is settled, without a visit.
    pub over: bool,
    /// A visit came of it.
    pub booked: bool,
    /// What is to be paid for its visit, 分; nothing where none is due.
    pub due_fen: i64,
    /// When its run ended, µs since 1970; only compared.
    pub ended_micros: Option<i64>,
}

/// Whether a run moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// By itself, sooner or later: nothing is concluded yet.
    Moving,
    /// It waits for a person.
    Stuck,
    /// It rests in the queue or at its visit, or has ended: it needs no lock.
    Rests,
}

/// Where a payment of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No money.
    Open,
    /// Money.
    Paid,
    /// None, and none can come.
    Closed,
    /// On its way back.
    Refunding,
    /// Back.
    Refunded,
}

impl Standing {
    /// The standing of this name in our table.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "open" => Self::Open,
            "paid" => Self::Paid,
            "closed" => Self::Closed,
            "refunding" => Self::Refunding,
            "refunded" => Self::Refunded,
            _ => return None,
        })
    }

    /// The name in our table.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Closed => "closed",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }
}

/// A payment in our books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OurPayment {
    /// Where it stands.
    pub standing: Standing,
    /// 分.
    pub amount_fen: i64,
    /// What went back, 分.
    pub refunded_fen: i64,
    /// What a booked visit stands on, 分; none where that was never said: then all of it.
    pub kept_fen: Option<i64>,
    /// The day's bill should tell of it.
    pub paid_that_day: bool,
    /// It was closed or refunded on the day.
    pub settled_that_day: bool,
}

/// What the provider says of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TheirPayment {
    /// It knows none.
    Unknown,
    /// Nobody has paid.
    Open,
    /// Nobody can pay.
    Closed,
    /// Paid.
    Paid {
        /// 分.
        amount_fen: i64,
    },
}

/// What the provider says of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TheirRefund {
    /// 分.
    pub amount_fen: i64,
    /// Arrived; else on its way.
    pub done: bool,
}

/// One order at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// `out_trade_no`.
    pub out_trade_no: String,
    /// Ours.
    pub ours: Option<OurPayment>,
    /// Theirs; none where nobody has told.
    pub theirs: Option<TheirPayment>,
    /// Refunds that they have told, those that were given up left out.
    pub refunds: Vec<TheirRefund>,
    /// They have told of a refund under another number than our last ones.
    pub strange: bool,
}

/// Where a visit of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OurVisit {
    /// Booked or fulfilled; else cancelled.
    pub stands: bool,
    /// HIS's list of the day should tell of it.
    pub moved_that_day: bool,
}

/// What HIS says of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TheirVisit {
    /// It knows none.
    Unknown,
    /// Booked.
    Booked,
    /// Cancelled.
    Cancelled,
}

/// Money as HIS was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// `out_trade_no`; none where HIS was told of none.
    pub out_trade_no: Option<String>,
    /// 分.
    pub paid_fen: i64,
    /// What HIS was told goes back, 分.
    pub refunded_fen: i64,
}

/// One order at HIS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// `ORDER_ID`.
    pub order_id: String,
    /// Ours.
    pub ours: Option<OurVisit>,
    /// Theirs; none where nobody has told.
    pub his: Option<TheirVisit>,
    /// Its money, where the list told of it.
    pub told: Option<Told>,
}

/// A lock at HIS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// `LOCK_ID`.
    pub lock_id: String,
    /// It holds a place.
    pub held: bool,
    /// It ran out by itself.
    pub expired: bool,
    /// When, µs since 1970.
    pub expires_micros: i64,
}

/// One difference, with both sides' words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The order, refund or lock that it is about.
    pub subject: String,
    /// In our books.
    pub ours: String,
    /// In theirs.
    pub theirs: String,
    /// 分, where money is concerned.
    pub ours_fen: Option<i64>,
    /// 分.
    pub theirs_fen: Option<i64>,
}

/// What is to be asked before anything is concluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// An order, of the provider.
    Order(String),
    /// A visit, of HIS.
    Visit(String),
}

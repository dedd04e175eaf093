//! A payment order of an application and its refunds, as the run knows them.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::RunId;
use crate::ports::payments::{OrderRequest, Paid};
use crate::waitlist::policy::{PayType, Policy};
use crate::waitlist::{calendar, ids};

/// A payment order. It is written down with the move before the one that opens it, so that every attempt to open it is
/// the same request (E6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Our `out_trade_no`.
    pub out_trade_no: String,
    /// 分.
    pub amount_fen: i64,
    /// No payment starts after this.
    pub expires_at: DateTime<Utc>,
    /// The provider's id for the payer's client.
    pub prepay_id: Option<String>,
    /// When the provider is asked next, should no notice come.
    pub ask_at: DateTime<Utc>,
    /// How often it was asked.
    pub asked: u32,
    /// The money, once it is there.
    pub paid: Option<Paid>,
    /// True once the provider holds nothing and nothing can come.
    pub closed: bool,
    /// True where the money came after that: it buys nothing, and goes back at once (E2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// What the visit stands on, 分, said when it was booked. None before, and where an older release booked it: then all of
    /// the present order, and nothing of an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_fen: Option<i64>,
    /// The refund of what was paid above that, while the visit stands (R6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Refunding>,
    /// The refund of the rest, if one was ever asked for.
    #[serde(default)]
    pub refund: Option<Refunding>,
}

/// A refund on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunding {
    /// Our `out_refund_no`.
    pub out_refund_no: String,
    /// Its count; a new number only after the provider gave the old one up.
    pub nth: u16,
    /// 分; none where an older release asked for it: then the whole order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_fen: Option<i64>,
    /// When the provider is asked next.
    pub ask_at: DateTime<Utc>,
    /// How often it was asked.
    pub asked: u32,
    /// True once the money is back.
    pub done: bool,
    /// True where the patient was told so while the visit stands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// True where the provider cannot give it back by itself: others go first, and a person settles it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
}

/// After a notice is overdue by so much, the provider is asked; after the last, at the order's end.
const ASK_AFTER_MINUTES: [i64; 4] = [1, 3, 5, 10];
/// A success can be reported shortly after the order's end (E4: 12 s were seen).
const LATE_SUCCESS: TimeDelta = TimeDelta::seconds(30);

impl Order {
    /// The prepayment of an application that begins now (R6).
    pub fn prepayment(run: RunId, fee_fen: i64, policy: &Policy, cutoff: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self::new(run, 1, fee_fen, calendar::later(now, policy.prepay_minutes).min(cutoff), now)
    }

    /// An order that is about to be opened.
    pub fn new(run: RunId, nth: u16, amount_fen: i64, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut order = Self {
            out_trade_no: ids::trade_no(run, nth),
            amount_fen,
            expires_at,
            prepay_id: None,
            ask_at: now,
            asked: 0,
            paid: None,
            closed: false,
            late: false,
            kept_fen: None,
            part: None,
            refund: None,
        };
        order.ask_at = order.next_ask(now);
        order
    }

    /// When to ask the provider after `now`: soon at first, then rarely, and at the very end.
    pub fn next_ask(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let minutes = ASK_AFTER_MINUTES.get(self.asked as usize).copied().unwrap_or(20);
        (now + TimeDelta::minutes(minutes)).min(self.over_at())
    }

    /// From when on no success can appear any more once the order is closed.
    pub fn over_at(&self) -> DateTime<Utc> {
        self.expires_at + LATE_SUCCESS
    }

    /// The request that opens it.
    pub fn request(&self, openid: String, pay_type: PayType) -> OrderRequest {
        OrderRequest {
            out_trade_no: self.out_trade_no.clone(),
            description: "候补挂号费".to_owned(),
            amount_fen: self.amount_fen,
            openid,
            expires_at: self.expires_at,
            pay_type,
        }
    }
}

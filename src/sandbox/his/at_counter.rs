//! What the simulated HIS does to an order at its own counter, and the push of v3.3 that tells of it: 5002 to 5006. People do it, by
//! the number of the order.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::HisServer;
use super::ledger::Ledger;
use super::records::{Freed, OrderRecord, PaidRecord};
use crate::ports::his::{messages, wire};

/// Something that is done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// 5002 `CancelRegByHis`: the booking is cancelled.
    Cancels,
    /// 5003 `RefundByHis`: what was paid is handed back.
    Refunds,
    /// 5004 `PrintRegByHis`: a paper is printed.
    Prints,
    /// 5005 `PayRegByHis`: the fee is taken.
    TakesMoney,
    /// 5006 `QueryRegRefund`: whether the money went back is asked.
    AsksOfRefund,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Cancels, Self::Refunds, Self::Prints, Self::TakesMoney, Self::AsksOfRefund];

    /// `FUN_CODE` of its push.
    pub fn function(self) -> &'static str {
        match self {
            Self::Cancels => "5002",
            Self::Refunds => "5003",
            Self::Prints => "5004",
            Self::TakesMoney => "5005",
            Self::AsksOfRefund => "5006",
        }
    }
}

/// The body of 5002 to 5006: the order, and what is beside it where it is.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct AtCounter {
    order_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_remark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_amt: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    print_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_amt: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_date: Option<String>,
}

impl AtCounter {
    /// `fen`: how much money it is about.
    fn of(act: Act, order_id: &str, fen: i64, now: DateTime<Utc>, zone: Tz) -> Self {
        let at = Some(wire::local(now, zone).format("%Y-%m-%d %H:%M:%S").to_string());
        let told = Self { order_id: order_id.to_owned(), ..Self::default() };
        match act {
            Act::Cancels => Self { cancel_date: at, cancel_remark: Some("窗口退号".to_owned()), ..told },
            Act::Refunds => Self { refund_date: at, refund_amt: Some(fen), ..told },
            Act::Prints => Self { print_date: at, ..told },
            Act::TakesMoney => Self { pay_date: at, pay_amt: Some(fen), ..told },
            Act::AsksOfRefund => Self { query_date: at, ..told },
        }
    }
}

impl HisServer {
    /// Does it to this order, and queues the push that tells of it. False where there is no such order.
    pub async fn at_counter(&self, act: Act, order_id: &str) -> anyhow::Result<bool> {
        let pusher = &self.shared.pusher;
        self.change(|ledger, now| {
            let Some(fen) = ledger.at_counter(act, order_id, now) else { return false };
            let body = AtCounter::of(act, order_id, fen, now, pusher.time_zone);
            let event_id = format!("{}-{order_id}-{}", act.function(), ledger.next_push_id());
            if let Ok(body) = messages::write_request(&body) {
                pusher.queue(ledger, act.function(), &event_id, (body, &[order_id]), now);
            }
            true
        })
        .await
    }
}

impl Ledger {
    /// What becomes of the books, and how much money it is about, 分; none where there is no such order.
    fn at_counter(&mut self, act: Act, order_id: &str, now: DateTime<Utc>) -> Option<i64> {
        let order = self.order(order_id)?.clone();
        match act {
            Act::Cancels => self.cancel(order_id, Freed::OtherChannelCancel, now).map(|_| 0),
            Act::Refunds => {
                let fen = order.paid.as_ref().map(|paid| paid.amount_fen);
                self.overwrite_order(OrderRecord { refunded_fen: fen, ..order });
                Some(fen.unwrap_or(0))
            }
            Act::TakesMoney => {
                let fee = self.schedule(&order.reg_id).map(|record| record.schedule.fee_fen);
                let out_trade_no = format!("counter-{}", order.his_order_id);
                if let (None, Some(amount_fen)) = (&order.paid, fee) {
                    self.overwrite_order(OrderRecord { paid: Some(PaidRecord { out_trade_no, amount_fen }), ..order });
                }
                Some(fee.unwrap_or(0))
            }
            Act::Prints | Act::AsksOfRefund => Some(0),
        }
    }
}

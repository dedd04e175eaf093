//! What stands wrong in the books of the simulated WeChat Pay although nobody asked for it over the interface: for whoever
//! wants to know that it is found (R36). Only tests and people plant.

use chrono::{DateTime, Utc};

use super::PayServer;
use super::entries::{Order, OrderState, Plan, RefundEntry};
use super::ledger::Ledger;

/// Something wrong about an order of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// A paid order is open: the money never came.
    LostPayment,
    /// Another amount was paid than was ordered.
    WrongAmount,
    /// A closed order is paid all the same.
    PaidClosed,
    /// A closed order can be paid again.
    Reopened,
    /// An order under the number that is given beside it, which nobody opened, is paid.
    UnknownOrder,
    /// Its refund is not known any more: the money never went back.
    LostRefund,
    /// Its money went back once more, under the number that is given beside it.
    SecondRefund,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LostPayment,
        Self::WrongAmount,
        Self::PaidClosed,
        Self::Reopened,
        Self::UnknownOrder,
        Self::LostRefund,
        Self::SecondRefund,
    ];
}

impl PayServer {
    /// Plants it about this order; `new_no` is the number of what is added. Nobody is told. False where there is no such
    /// order, or no refund of it.
    pub async fn plant(&self, planted: Planted, out_trade_no: &str, new_no: &str) -> anyhow::Result<bool> {
        let now = (self.house.now)();
        self.house.change(|ledger| ledger.plant(planted, out_trade_no, new_no, now)).await
    }
}

impl Ledger {
    fn plant(&mut self, planted: Planted, out_trade_no: &str, new_no: &str, at: DateTime<Utc>) -> bool {
        let Some(order) = self.kept_order(out_trade_no).cloned() else { return false };
        let order = Order { shows: None, ..order };
        let paid = || OrderState::Paid { transaction_id: format!("planted-{out_trade_no}"), at };
        let open = OrderState::Open(Plan::Never);
        match planted {
            Planted::LostPayment | Planted::Reopened => self.put_order(Order { state: open, ..order }),
            Planted::WrongAmount => {
                let mut order = order;
                order.asked.amount_fen += 1;
                self.put_order(order);
            }
            Planted::PaidClosed => self.put_order(Order { state: paid(), ..order }),
            Planted::UnknownOrder => {
                let mut order = Order { state: paid(), ..order };
                new_no.clone_into(&mut order.asked.out_trade_no);
                self.put_order(order);
            }
            Planted::LostRefund => return self.forget_refunds(out_trade_no),
            Planted::SecondRefund => {
                let Some(refund) = self.kept_refund(out_trade_no).cloned() else { return false };
                let mut again = RefundEntry { asked_at: at, ..refund };
                new_no.clone_into(&mut again.asked.out_refund_no);
                self.put_refund(again);
            }
        }
        true
    }
}

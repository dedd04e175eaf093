//! What an order that is not paid may be besides open and closed: its payer types the password, the payment failed, or it was revoked.
//! By hand, one order at a time.

use serde::{Deserialize, Serialize};

use super::PayServer;
use super::entries::{Order, OrderState, Plan};
use super::ledger::Ledger;

/// What an order that is not paid shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unpaid {
    /// `USERPAYING`: the payer is at it, and the order cannot be closed.
    Paying,
    /// `PAYERROR`: the payment failed. Another one may follow.
    Failed,
    /// `REVOKED`: no money will come.
    Revoked,
}

impl Unpaid {
    /// As WeChat Pay names it, with its words.
    pub(super) fn trade_state(self) -> (&'static str, &'static str) {
        match self {
            Self::Paying => ("USERPAYING", "用户支付中"),
            Self::Failed => ("PAYERROR", "支付失败"),
            Self::Revoked => ("REVOKED", "已撤销"),
        }
    }

    /// As a platform names it.
    pub(super) fn platform_state(self) -> &'static str {
        match self {
            Self::Paying => "PAYING",
            Self::Failed => "OPEN",
            Self::Revoked => "CLOSED",
        }
    }
}

impl PayServer {
    /// An order that is open is shown so from now on, until it is paid or closed. False where it is not open.
    pub async fn shows(&self, out_trade_no: &str, unpaid: Unpaid) -> anyhow::Result<bool> {
        self.house.change(|ledger| ledger.show(out_trade_no, unpaid)).await
    }
}

impl Ledger {
    fn show(&mut self, out_trade_no: &str, unpaid: Unpaid) -> bool {
        let open = |order: &&Order| matches!(order.state, OrderState::Open(_));
        let Some(order) = self.kept_order(out_trade_no).filter(open).cloned() else { return false };
        let state = match unpaid {
            Unpaid::Paying => order.state,
            Unpaid::Failed => OrderState::Open(Plan::Never),
            Unpaid::Revoked => OrderState::Closed,
        };
        self.put_order(Order { state, shows: Some(unpaid), ..order });
        true
    }
}

//! What stands wrong in the books of the simulated HIS although nobody asked for it over the interface: for whoever wants
//! to know that it is found (R36). Tests, people and the demo plant.

use chrono::{DateTime, TimeDelta, Utc};

use super::HisServer;
use super::ledger::Ledger;
use super::records::{LockRecord, LockState, OrderRecord, OrderState, PaidRecord};

/// Something wrong about an order of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The order is not in the books any more, as after a restored backup.
    LostOrder,
    /// The order is cancelled, and nobody was told.
    SilentCancel,
    /// A cancelled order is booked again.
    Revived,
    /// A second live order under the id that is given beside it.
    SecondOrder,
    /// What was paid for the order is not known.
    LostPayment,
    /// Another amount than was paid.
    WrongPayment,
    /// That the money of a cancelled order went back is not known.
    LostRefund,
    /// A lock under the id that is given beside it holds a place for ever.
    LeakedLock,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::LostOrder,
        Self::SilentCancel,
        Self::Revived,
        Self::SecondOrder,
        Self::LostPayment,
        Self::WrongPayment,
        Self::LostRefund,
        Self::LeakedLock,
    ];
}

impl HisServer {
    /// Plants it about this order; `new_id` is the id of what is added. False where there is no such order.
    pub async fn plant(&self, planted: Planted, order_id: &str, new_id: &str) -> anyhow::Result<bool> {
        self.change(|ledger, now| ledger.plant(planted, order_id, new_id, now)).await
    }

    /// 补录: the counter enters what was paid for an order. False where there is no such order.
    pub async fn enter_payment(&self, order_id: &str, paid: PaidRecord) -> anyhow::Result<bool> {
        self.change(|ledger, _| {
            let Some(order) = ledger.order(order_id).cloned() else { return false };
            ledger.overwrite_order(OrderRecord { paid: Some(paid), ..order });
            true
        })
        .await
    }
}

impl Ledger {
    fn plant(&mut self, planted: Planted, order_id: &str, new_id: &str, now: DateTime<Utc>) -> bool {
        let Some(order) = self.order(order_id).cloned() else { return false };
        match planted {
            Planted::LostOrder => self.forget_order(order_id),
            Planted::SilentCancel => {
                let cancelled_at = Some(now);
                self.overwrite_order(OrderRecord { state: OrderState::Cancelled, cancelled_at, ..order });
            }
            Planted::Revived => {
                self.overwrite_order(OrderRecord { state: OrderState::Booked, cancelled_at: None, ..order });
            }
            Planted::SecondOrder => {
                let (order_id, his_order_id) = (new_id.to_owned(), format!("H-{new_id}"));
                self.overwrite_order(OrderRecord { order_id, his_order_id, booked_at: now, ..order });
            }
            Planted::LostPayment => self.overwrite_order(OrderRecord { paid: None, ..order }),
            Planted::WrongPayment => {
                let mut order = order;
                if let Some(paid) = order.paid.as_mut() {
                    paid.amount_fen += 1;
                }
                self.overwrite_order(order);
            }
            Planted::LostRefund => {
                self.overwrite_order(OrderRecord { state: OrderState::Cancelled, refunded_fen: None, ..order });
            }
            Planted::LeakedLock => self.put_lock(LockRecord {
                lock_id: new_id.to_owned(),
                channel: order.channel,
                reg_id: order.reg_id,
                slot: order.slot,
                locked_at: now,
                expires_at: now + TimeDelta::days(30),
                state: LockState::Held,
            }),
        }
        true
    }
}

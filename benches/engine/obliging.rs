//! An outside world that answers at once whatever it is asked. It stands for everything that a figure is not about.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use houbu::ports::CallError;
use houbu::ports::his::{
    BookRequest, Booking, Cancelling, His, HisSchedule, Lock, OpenSlot, Order, PaidWith, Place, Visit,
};
use houbu::ports::messages::{Message, Messages, Sent};
use houbu::ports::payments::{
    Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, Paid, Payment, Payments, Refund, RefundRequest,
    RefundSaid,
};
use serde_json::{Value, json};

use crate::hospital::{FEE_FEN, Outside};

/// Everybody obliges.
pub fn outside() -> Outside {
    Outside { his: Arc::new(Nobody), payments: Arc::new(Provider::default()), messages: Arc::new(Post::default()) }
}

/// A HIS without a free place.
pub struct Nobody;

#[async_trait]
impl His for Nobody {
    async fn schedules(
        &self,
        _: &str,
        _: Option<&str>,
        _: NaiveDate,
        _: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError> {
        Ok(Vec::new())
    }
    async fn open_slots(&self, _: &str, _: NaiveDate) -> Result<Vec<OpenSlot>, CallError> {
        Ok(Vec::new())
    }
    async fn lock(&self, _: &str, _: &Place, _: u32) -> Result<Lock, CallError> {
        Ok(Lock::Taken)
    }
    async fn unlock(&self, _: &str) -> Result<(), CallError> {
        Ok(())
    }
    async fn book(&self, request: &BookRequest) -> Result<Booking, CallError> {
        let his_order_id = format!("H{}", request.order_id);
        Ok(Booking::Booked(Visit { his_order_id, serial: "1".to_owned(), place: "3F".to_owned() }))
    }
    async fn cancel(&self, _: &str, _: &str) -> Result<Cancelling, CallError> {
        Ok(Cancelling::Done)
    }
    async fn refund(&self, _: &str, _: &PaidWith) -> Result<(), CallError> {
        Ok(())
    }
    async fn order(&self, _: &str) -> Result<Order, CallError> {
        Ok(Order::Unknown)
    }
}

/// A platform that accepts every message, and knows which.
#[derive(Default)]
pub struct Post {
    sent: Mutex<HashSet<String>>,
}

impl Post {
    /// How many different messages were accepted.
    pub fn accepted(&self) -> usize {
        self.sent.lock().unwrap().len()
    }
}

#[async_trait]
impl Messages for Post {
    async fn send(&self, message: &Message) -> Result<Sent, CallError> {
        self.sent.lock().unwrap().insert(message.client_msg_id.clone());
        Ok(Sent::Accepted { msg_id: message.client_msg_id.clone() })
    }
}

/// A provider whose payers have paid before the order is opened, and whose refunds are done when they are asked for.
/// It writes down when each refund was asked for.
#[derive(Default)]
pub struct Provider {
    takes: Duration,
    refunds: Mutex<Vec<(Instant, String)>>,
}

impl Provider {
    /// A refund takes so long.
    pub fn taking(takes: Duration) -> Self {
        Self { takes, ..Self::default() }
    }

    /// When refunds were asked for, in order, and for which orders.
    pub fn refunds(&self) -> Vec<(Instant, String)> {
        self.refunds.lock().unwrap().clone()
    }
}

#[async_trait]
impl Payments for Provider {
    async fn open(&self, _: &OrderRequest) -> Result<Opened, CallError> {
        Ok(Opened::Exists)
    }
    async fn order(&self, out_trade_no: &str) -> Result<Payment, CallError> {
        let transaction_id = format!("T{out_trade_no}");
        Ok(Payment::Paid(Paid { transaction_id, amount_fen: FEE_FEN, paid_at: Utc::now() }))
    }
    async fn close(&self, _: &str) -> Result<(), CallError> {
        Ok(())
    }
    async fn refund(&self, request: &RefundRequest) -> Result<RefundSaid, CallError> {
        self.refunds.lock().unwrap().push((Instant::now(), request.out_trade_no.clone()));
        tokio::time::sleep(self.takes).await;
        Ok(RefundSaid::of_nothing(Refund::Success))
    }
    async fn refund_status(&self, _: &str) -> Result<RefundSaid, CallError> {
        Ok(RefundSaid::of_nothing(Refund::Success))
    }
    fn notice(&self, _: &NoticeHeaders, _: &[u8], _: DateTime<Utc>) -> Result<Notice, NoticeError> {
        Err(NoticeError::Signature)
    }
    fn client_parameters(&self, prepay_id: &str, _: DateTime<Utc>) -> Value {
        json!({ "package": format!("prepay_id={prepay_id}") })
    }
}

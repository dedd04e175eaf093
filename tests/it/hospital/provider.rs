//! The real payment client with wishes granted: the provider gives a refund up, as it does when a merchant has no funds
//! for a week, takes money for an order that it called closed, or counts wrong. The simulated one does that too rarely
//! for a story, or never.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use houbu::ports::CallError;
use houbu::ports::payments::{
    Bill, Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, Paid, Payment, Payments, Provider as Of, Refund,
    RefundRequest, RefundSaid,
};

/// When a refund is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivesUp {
    /// The request itself is answered CLOSED.
    AtOnce,
    /// It is accepted, and found CLOSED when it is asked about.
    Later,
}

/// The provider as the steps see it.
pub struct Provider {
    client: Arc<dyn Payments>,
    gives_up: Mutex<Option<GivesUp>>,
    given_up: Mutex<HashSet<String>>,
    takes_long: AtomicBool,
    closes_in_words_only: AtomicBool,
    miscounts: AtomicBool,
    opened: Mutex<Vec<OrderRequest>>,
    refuses: AtomicUsize,
    refunds_rest: AtomicBool,
    refuses_refunds_of: Mutex<Option<String>>,
    is_away: AtomicBool,
}

impl Provider {
    pub fn new(client: Arc<dyn Payments>) -> Self {
        Self {
            client,
            gives_up: Mutex::default(),
            given_up: Mutex::default(),
            takes_long: AtomicBool::default(),
            closes_in_words_only: AtomicBool::default(),
            miscounts: AtomicBool::default(),
            opened: Mutex::default(),
            refuses: AtomicUsize::default(),
            refunds_rest: AtomicBool::default(),
            refuses_refunds_of: Mutex::default(),
            is_away: AtomicBool::default(),
        }
    }

    /// The next refund is given up; nothing of it reaches the simulated provider.
    pub fn give_up(&self, when: GivesUp) {
        *self.gives_up.lock().unwrap() = Some(when);
    }

    /// Orders are called closed from now on, and can be paid all the same.
    pub fn closes_in_words_only(&self) {
        self.closes_in_words_only.store(true, Ordering::SeqCst);
    }

    /// What it calls closed is closed again from now on.
    pub fn closes_indeed(&self) {
        self.closes_in_words_only.store(false, Ordering::SeqCst);
    }

    /// While it miscounts, it claims to hold more than was ordered.
    pub fn miscounts(&self, so: bool) {
        self.miscounts.store(so, Ordering::SeqCst);
    }

    /// So many orders are refused from now on.
    pub fn refuses(&self, orders: usize) {
        self.refuses.store(orders, Ordering::SeqCst);
    }

    /// Every order that it was asked to open, repetitions included.
    pub fn asked_to_open(&self) -> Vec<OrderRequest> {
        self.opened.lock().unwrap().clone()
    }

    /// While it does, every question about a refund finds it still on its way.
    pub fn refunds_rest(&self, so: bool) {
        self.refunds_rest.store(so, Ordering::SeqCst);
    }

    /// No refund of this order is taken from now on.
    pub fn refuses_refunds_of(&self, out_trade_no: &str) {
        *self.refuses_refunds_of.lock().unwrap() = Some(out_trade_no.to_owned());
    }

    /// While it is, no refund reaches it.
    pub fn is_away(&self, so: bool) {
        self.is_away.store(so, Ordering::SeqCst);
    }

    fn there(&self) -> Result<(), CallError> {
        let away = self.is_away.load(Ordering::SeqCst);
        if away { Err(CallError::NotTaken { system: "pay", detail: "no connection".to_owned() }) } else { Ok(()) }
    }

    /// The next question about a refund finds it still on its way.
    pub fn takes_long(&self) {
        self.takes_long.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Payments for Provider {
    fn provider(&self) -> Of {
        self.client.provider()
    }

    async fn open(&self, order: &OrderRequest) -> Result<Opened, CallError> {
        self.opened.lock().unwrap().push(order.clone());
        let one_less = |left: usize| left.checked_sub(1);
        if self.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Ok(Opened::Refused { code: "NO_AUTH".to_owned() });
        }
        self.client.open(order).await
    }

    async fn order(&self, out_trade_no: &str) -> Result<Payment, CallError> {
        Ok(match self.client.order(out_trade_no).await? {
            Payment::Open if self.closes_in_words_only.load(Ordering::SeqCst) => Payment::Closed,
            Payment::Paid(paid) if self.miscounts.load(Ordering::SeqCst) => {
                Payment::Paid(Paid { amount_fen: paid.amount_fen + 1, ..paid })
            }
            other => other,
        })
    }

    async fn close(&self, out_trade_no: &str) -> Result<(), CallError> {
        if self.closes_in_words_only.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.client.close(out_trade_no).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundSaid, CallError> {
        self.there()?;
        if self.refuses_refunds_of.lock().unwrap().as_ref() == Some(&request.out_trade_no) {
            let detail = "INVALID_REQUEST".to_owned();
            return Err(CallError::Broken { system: "pay", call: "refund", detail });
        }
        let when = self.gives_up.lock().unwrap().take();
        match when {
            None => self.client.refund(request).await,
            Some(when) => {
                self.given_up.lock().unwrap().insert(request.out_refund_no.clone());
                Ok(RefundSaid::of_nothing(if when == GivesUp::AtOnce { Refund::Closed } else { Refund::Processing }))
            }
        }
    }

    async fn refund_status(&self, out_refund_no: &str) -> Result<RefundSaid, CallError> {
        self.there()?;
        if self.takes_long.swap(false, Ordering::SeqCst) || self.refunds_rest.load(Ordering::SeqCst) {
            return Ok(RefundSaid::of_nothing(Refund::Processing));
        }
        if self.given_up.lock().unwrap().contains(out_refund_no) {
            return Ok(RefundSaid::of_nothing(Refund::Closed));
        }
        self.client.refund_status(out_refund_no).await
    }

    async fn bill(&self, day: NaiveDate) -> Result<Bill, CallError> {
        self.client.bill(day).await
    }

    async fn learn_keys(&self) -> Result<(), CallError> {
        self.client.learn_keys().await
    }

    fn notice(&self, headers: &NoticeHeaders, body: &[u8], now: DateTime<Utc>) -> Result<Notice, NoticeError> {
        self.client.notice(headers, body, now)
    }

    fn client_parameters(&self, prepay_id: &str, now: DateTime<Utc>) -> serde_json::Value {
        self.client.client_parameters(prepay_id, now)
    }
}

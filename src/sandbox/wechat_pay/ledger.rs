//! The books of the simulated WeChat Pay in memory: orders, refunds and notices, their rules, and the agenda.
//!
//! Nothing here waits, sends or asks for the time: a rule is a function of the books, a request and an instant. What
//! it changed is remembered until it has been saved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::entries::{
    Asked, NoticeEntry, NoticeLine, Order, OrderLine, OrderState, PayBooks, Plan, RefundAsked, RefundEntry, RefundLine,
    RefundState, name_of, platform_name_of,
};
use super::notices;
use super::payers::LATE_SECONDS;
use super::standing::Unpaid;
use crate::ports::payments::{Paid, Provider, Refund};
use crate::sandbox::books::{Record, Store};
use crate::sandbox::faults::{Faults, Level, hash};

const ORDERS: &str = "wechat_pay.order";
const REFUNDS: &str = "wechat_pay.refund";
const NOTICES: &str = "wechat_pay.notice";

/// At most so many refunds of one order (4.3).
const REFUNDS_MAX: usize = 50;

/// A request that the platform refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: &'static str,
}

pub(super) const fn refuse(status: u16, code: &'static str, message: &'static str) -> Refusal {
    Refusal { status, code, message }
}

/// Why a payer cannot pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotPay {
    /// No order of this number.
    #[error("no such order")]
    NotFound,
    /// It is paid already.
    #[error("the order is paid already")]
    Paid,
    /// It is closed.
    #[error("the order is closed")]
    Closed,
    /// `time_expire` is long past.
    #[error("the order has expired")]
    Expired,
}

/// What happens by itself at an instant; notices stand in a list of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Pay(String),
    Settle(String),
}

/// The books.
pub(super) struct Ledger {
    seed: u64,
    faults: Arc<Faults>,
    refunds_close: bool,
    orders: BTreeMap<String, Order>,
    refunds: BTreeMap<String, RefundEntry>,
    notices: BTreeMap<String, NoticeEntry>,
    refunds_of: BTreeMap<String, Vec<String>>,
    events: BTreeSet<(DateTime<Utc>, Event)>,
    posts: BTreeSet<(DateTime<Utc>, String)>,
    unsaved: BTreeSet<(&'static str, String)>,
}

/// The books as they are stored.
pub(super) async fn stored(store: &Store) -> anyhow::Result<PayBooks> {
    let mut ledger = Ledger::new(0, Arc::new(Faults::new(Level::None, 0)), false);
    ledger.load(store).await?;
    Ok(ledger.books())
}

impl Ledger {
    /// Empty books.
    pub(super) fn new(seed: u64, faults: Arc<Faults>, refunds_close: bool) -> Self {
        Self {
            seed,
            faults,
            refunds_close,
            orders: BTreeMap::new(),
            refunds: BTreeMap::new(),
            notices: BTreeMap::new(),
            refunds_of: BTreeMap::new(),
            events: BTreeSet::new(),
            posts: BTreeSet::new(),
            unsaved: BTreeSet::new(),
        }
    }

    /// Reads the books, and with them the agenda.
    pub(super) async fn load(&mut self, store: &Store) -> anyhow::Result<()> {
        let (orders, refunds, notices) =
            (store.load(ORDERS).await?, store.load(REFUNDS).await?, store.load(NOTICES).await?);
        for (_, order) in orders {
            self.put_order(order);
        }
        for (_, refund) in refunds {
            self.put_refund(refund);
        }
        for (_, notice) in notices {
            self.put_notice(notice);
        }
        self.unsaved.clear();
        Ok(())
    }

    /// The records of all that changed since [`Ledger::saved`].
    pub(super) fn unsaved(&self) -> Result<Vec<Record>, serde_json::Error> {
        let mut records = Vec::with_capacity(self.unsaved.len());
        for (book, id) in &self.unsaved {
            let record = match *book {
                ORDERS => self.orders.get(id).map(|order| Record::new(ORDERS, id, order)),
                REFUNDS => self.refunds.get(id).map(|refund| Record::new(REFUNDS, id, refund)),
                _ => self.notices.get(id).map(|notice| Record::new(NOTICES, id, notice)),
            };
            records.extend(record.transpose()?);
        }
        Ok(records)
    }

    /// All that [`Ledger::unsaved`] gave out has been saved.
    pub(super) fn saved(&mut self) {
        self.unsaved.clear();
    }

    /// The next instant at which something happens by itself.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        let event = self.events.first().map(|(at, _)| *at);
        let post = self.posts.first().map(|(at, _)| *at);
        event.into_iter().chain(post).min()
    }

    /// Opens an order, or answers the one that is there. `plan` is the payer's, where the answer will arrive.
    pub(super) fn open(&mut self, asked: Asked, plan: Option<Plan>, now: DateTime<Utc>) -> Result<String, Refusal> {
        let Some(known) = self.orders.get(&asked.out_trade_no) else {
            if asked.expires_at <= now {
                return Err(refuse(400, "INVALID_REQUEST", "time_expire 已过"));
            }
            let prepay_id = format!("wx{:032x}", u128::from(self.roll("prepay", &asked.out_trade_no)));
            let state = OrderState::Open(plan.unwrap_or(Plan::NotHandedOut));
            self.put_order(Order { asked, prepay_id: prepay_id.clone(), state, shows: None });
            return Ok(prepay_id);
        };
        if known.asked != asked {
            return Err(refuse(403, "OUT_TRADE_NO_USED", "商户订单号重复"));
        }
        let mut order = known.clone();
        match order.state {
            OrderState::Paid { .. } => Err(refuse(400, "ORDERPAID", "订单已支付")),
            OrderState::Closed => Err(refuse(400, "ORDER_CLOSED", "订单已关闭")),
            OrderState::Open(standing) => {
                let prepay_id = order.prepay_id.clone();
                if let (Plan::NotHandedOut, Some(plan)) = (standing, plan) {
                    order.state = OrderState::Open(plan);
                    self.put_order(order);
                }
                Ok(prepay_id)
            }
        }
    }

    /// Closes an order. A number that is not known or closed already is no error (4.3).
    pub(super) fn close(&mut self, out_trade_no: &str) -> Result<(), Refusal> {
        let Some(mut order) = self.orders.get(out_trade_no).cloned() else { return Ok(()) };
        match order.state {
            OrderState::Closed => Ok(()),
            OrderState::Paid { .. } => Err(refuse(400, "ORDERPAID", "订单已支付")),
            OrderState::Open(_) if order.shows == Some(Unpaid::Paying) => Err(refuse(400, "USER_PAYING", "用户支付中")),
            OrderState::Open(_) => {
                (order.state, order.shows) = (OrderState::Closed, None);
                self.put_order(order);
                Ok(())
            }
        }
    }

    /// An order as a query at this door shows it.
    pub(super) fn order(&self, out_trade_no: &str, door: Provider) -> Result<serde_json::Value, Refusal> {
        let order = self.orders.get(out_trade_no).ok_or(refuse(404, "ORDER_NOT_EXIST", "订单不存在"))?;
        Ok(match door {
            Provider::Wechat => order.shown(self.refunds_held(out_trade_no).next().is_some()),
            Provider::Platform => serde_json::to_value(order.shown_by_platform()).unwrap_or_default(),
        })
    }

    /// The payer pays, at `at`.
    pub(super) fn pay(&mut self, out_trade_no: &str, at: DateTime<Utc>) -> Result<Paid, CannotPay> {
        let mut order = self.orders.get(out_trade_no).cloned().ok_or(CannotPay::NotFound)?;
        match order.state {
            OrderState::Paid { .. } => return Err(CannotPay::Paid),
            OrderState::Closed => return Err(CannotPay::Closed),
            OrderState::Open(_) if at > order.asked.expires_at + TimeDelta::seconds(LATE_SECONDS) => {
                return Err(CannotPay::Expired);
            }
            OrderState::Open(_) => {}
        }
        let transaction_id = format!("42000{:023}", self.roll("transaction", out_trade_no));
        (order.state, order.shows) = (OrderState::Paid { transaction_id: transaction_id.clone(), at }, None);
        let (url, amount_fen, door) = (order.asked.notify_url.clone(), order.asked.amount_fen, order.asked.door);
        let (event, resource) = match door {
            Provider::Wechat => ("TRANSACTION.SUCCESS", order.shown(false)),
            Provider::Platform => ("ORDER_PAID", serde_json::to_value(order.shown_by_platform()).unwrap_or_default()),
        };
        self.put_order(order);
        self.tell((door, event), out_trade_no, resource, url, at);
        Ok(Paid { transaction_id, amount_fen, paid_at: at })
    }

    /// Accepts a refund, or answers the one that is there; where it is new, `instead_fen` goes back instead of what is asked for.
    pub(super) fn refund(
        &mut self,
        asked: RefundAsked,
        instead_fen: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<serde_json::Value, Refusal> {
        if let Some(known) = self.refunds.get(&asked.out_refund_no) {
            return if known.asked == asked {
                Ok(shown(known, asked.door))
            } else {
                Err(refuse(400, "INVALID_REQUEST", "退款单号已用于其他退款"))
            };
        }
        let order = self.orders.get(&asked.out_trade_no).ok_or(refuse(404, "RESOURCE_NOT_EXISTS", "订单不存在"))?;
        let OrderState::Paid { transaction_id, at: paid_at } = order.state.clone() else {
            return Err(refuse(400, "INVALID_REQUEST", "订单未支付"));
        };
        let held: i64 = self.refunds_held(&asked.out_trade_no).map(RefundEntry::held_fen).sum();
        let left = order.asked.amount_fen - held;
        if asked.total_fen != order.asked.amount_fen || asked.amount_fen < 1 || asked.amount_fen > left {
            return Err(refuse(400, "PARAM_ERROR", "退款金额大于可退金额或与订单金额不一致"));
        }
        self.may_refund(&asked.out_trade_no, paid_at, now)?;
        let ((settles_at, ends), door) = (self.fate(&asked, now), asked.door);
        let refund_id = format!("50000{:023}", self.roll("refund", &asked.out_refund_no));
        let state = RefundState::Processing { settles_at, ends };
        let entry = RefundEntry { asked, refund_id, transaction_id, asked_at: now, state, instead_fen };
        let shown = shown(&entry, door);
        self.put_refund(entry);
        Ok(shown)
    }

    /// The limits of one order: a year, fifty refunds, a minute apart (4.3).
    fn may_refund(&self, out_trade_no: &str, paid_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Refusal> {
        if now > paid_at + TimeDelta::days(365) {
            return Err(refuse(400, "INVALID_REQUEST", "订单已超过可退款的最大期限"));
        }
        let earlier = self.refunds_of.get(out_trade_no).map(Vec::as_slice).unwrap_or_default();
        if earlier.len() >= REFUNDS_MAX {
            return Err(refuse(400, "INVALID_REQUEST", "部分退款次数超限"));
        }
        let last = earlier.iter().filter_map(|no| self.refunds.get(no)).map(|refund| refund.asked_at).max();
        if last.is_some_and(|last| now < last + TimeDelta::minutes(1)) {
            return Err(refuse(429, "FREQUENCY_LIMITED", "同一订单的退款间隔过短"));
        }
        Ok(())
    }

    /// When a refund is settled (a wallet takes up to five minutes), and how.
    fn fate(&self, asked: &RefundAsked, now: DateTime<Utc>) -> (DateTime<Utc>, Refund) {
        let roll = self.roll("settle", &asked.out_refund_no);
        let settles_at = now + TimeDelta::seconds(20 + i64::try_from(roll % 281).unwrap_or(0));
        // Once for an order: the merchant's second number goes through.
        let first = !self.refunds_of.contains_key(&asked.out_trade_no);
        let closes = self.refunds_close && first && (roll >> 32).is_multiple_of(50);
        (settles_at, if closes { Refund::Closed } else { Refund::Success })
    }

    /// A refund as a query at this door shows it.
    pub(super) fn refund_shown(&self, out_refund_no: &str, door: Provider) -> Result<serde_json::Value, Refusal> {
        let refund = self.refunds.get(out_refund_no).ok_or(refuse(404, "RESOURCE_NOT_EXISTS", "退款单不存在"))?;
        Ok(shown(refund, door))
    }

    /// Settles a refund that is on its way; false if there is none.
    pub(super) fn settle(&mut self, out_refund_no: &str, at: DateTime<Utc>, as_: Refund) -> bool {
        let Some(mut refund) = self.refunds.get(out_refund_no).cloned() else { return false };
        if !matches!(refund.state, RefundState::Processing { .. }) {
            return false;
        }
        refund.state = RefundState::Settled { at, as_ };
        let (door, url) = (refund.asked.door, refund.asked.notify_url.clone());
        let (event, told) = match door {
            Provider::Wechat => (format!("REFUND.{}", name_of(as_)), refund.told()),
            Provider::Platform => (
                format!("REFUND_{}", platform_name_of(as_)),
                serde_json::to_value(refund.shown_by_platform()).unwrap_or_default(),
            ),
        };
        self.put_refund(refund);
        if let Some(url) = url {
            self.tell((door, event.as_str()), out_refund_no, told, url, at);
        }
        true
    }

    /// Lets payers pay and refunds settle up to `now`, each at its own instant; how many did.
    pub(super) fn run_until(&mut self, now: DateTime<Utc>) -> usize {
        let mut ran = 0;
        while self.events.first().is_some_and(|(at, _)| *at <= now) {
            let Some((at, event)) = self.events.pop_first() else { break };
            ran += 1;
            match event {
                // An order closed meanwhile has left the agenda. Whoever is too late all the same does not come again.
                Event::Pay(number) => {
                    if self.pay(&number, at).is_err()
                        && let Some(mut order) = self.orders.get(&number).cloned()
                    {
                        order.state = OrderState::Open(Plan::Never);
                        self.put_order(order);
                    }
                }
                Event::Settle(number) => {
                    if let Some(RefundState::Processing { ends, .. }) = self.refunds.get(&number).map(|r| r.state) {
                        self.settle(&number, at, ends);
                    }
                }
            }
        }
        ran
    }

    /// The notices to be tried by `now`, earliest first.
    pub(super) fn posts_due(&self, now: DateTime<Utc>) -> Vec<NoticeEntry> {
        let due = self.posts.iter().take_while(|(at, _)| *at <= now);
        due.filter_map(|(_, id)| self.notices.get(id)).cloned().collect()
    }

    /// A notice was tried.
    pub(super) fn tried(&mut self, id: &str, outcome: notices::Outcome, now: DateTime<Utc>) {
        if let Some(mut notice) = self.notices.get(id).cloned() {
            notices::note(&mut notice, outcome, now);
            self.put_notice(notice);
        }
    }

    /// Everything, for comparison.
    pub(super) fn books(&self) -> PayBooks {
        PayBooks {
            orders: self.orders.values().map(OrderLine::from).collect(),
            refunds: self.refunds.values().map(RefundLine::from).collect(),
            notices: self.notices.values().map(NoticeLine::from).collect(),
        }
    }

    fn tell(
        &mut self,
        (door, event): (Provider, &str),
        about: &str,
        resource: serde_json::Value,
        url: String,
        at: DateTime<Utc>,
    ) {
        let id = format!("EV-{:032x}", u128::from(self.roll(event, about)));
        let fault = self.faults.push(&format!("{} notice", door.source()), about);
        let notice = notices::planned(id, event, about, resource, url, at, fault, self.roll("delivery", about));
        self.put_notice(NoticeEntry { door, ..notice });
    }

    /// The refunds of an order that were not given up.
    fn refunds_held(&self, out_trade_no: &str) -> impl Iterator<Item = &RefundEntry> {
        let numbers = self.refunds_of.get(out_trade_no).into_iter().flatten();
        numbers.filter_map(|no| self.refunds.get(no)).filter(|refund| refund.standing() != Refund::Closed)
    }

    fn roll(&self, what: &str, key: &str) -> u64 {
        hash(&[&self.seed.to_le_bytes(), what.as_bytes(), key.as_bytes()])
    }

    /// The order as it is kept.
    pub(super) fn kept_order(&self, out_trade_no: &str) -> Option<&Order> {
        self.orders.get(out_trade_no)
    }

    /// The first refund of an order as it is kept.
    pub(super) fn kept_refund(&self, out_trade_no: &str) -> Option<&RefundEntry> {
        self.refunds.get(self.refunds_of.get(out_trade_no)?.first()?)
    }

    /// Loses every refund of an order from memory; a server that begins anew has them again.
    pub(super) fn forget_refunds(&mut self, out_trade_no: &str) -> bool {
        let numbers = self.refunds_of.remove(out_trade_no).unwrap_or_default();
        numbers.iter().filter(|no| self.refunds.remove(*no).is_some()).count() > 0
    }

    pub(super) fn put_order(&mut self, order: Order) {
        let number = order.asked.out_trade_no.clone();
        if let Some(at) = self.orders.get(&number).and_then(Order::due_at) {
            self.events.remove(&(at, Event::Pay(number.clone())));
        }
        self.events.extend(order.due_at().map(|at| (at, Event::Pay(number.clone()))));
        self.unsaved.insert((ORDERS, number.clone()));
        self.orders.insert(number, order);
    }

    pub(super) fn put_refund(&mut self, refund: RefundEntry) {
        let number = refund.asked.out_refund_no.clone();
        match self.refunds.get(&number).map(RefundEntry::due_at) {
            Some(Some(at)) => drop(self.events.remove(&(at, Event::Settle(number.clone())))),
            Some(None) => {}
            None => self.refunds_of.entry(refund.asked.out_trade_no.clone()).or_default().push(number.clone()),
        }
        self.events.extend(refund.due_at().map(|at| (at, Event::Settle(number.clone()))));
        self.unsaved.insert((REFUNDS, number.clone()));
        self.refunds.insert(number, refund);
    }

    fn put_notice(&mut self, notice: NoticeEntry) {
        let id = notice.id.clone();
        if let Some(at) = self.notices.get(&id).and_then(|old| old.next_at) {
            self.posts.remove(&(at, id.clone()));
        }
        self.posts.extend(notice.next_at.map(|at| (at, id.clone())));
        self.unsaved.insert((NOTICES, id.clone()));
        self.notices.insert(id, notice);
    }
}

/// A refund as an answer at this door shows it.
fn shown(refund: &RefundEntry, door: Provider) -> serde_json::Value {
    match door {
        Provider::Wechat => refund.shown(),
        Provider::Platform => serde_json::to_value(refund.shown_by_platform()).unwrap_or_default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

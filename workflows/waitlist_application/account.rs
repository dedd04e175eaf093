//! The application's money over all its orders (R6, R8): what is due, what a visit stands on, what goes back and under which
//! number. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::signals::Payment;
use super::state::{Application, Order, Refunding};
use crate::ports::his::PaidWith;
use crate::waitlist::policy::PaymentMode;
use crate::waitlist::{calendar, fees, ids};

/// The refunds of a part are counted from here on, so that each refund of an order has a number of its own.
const PARTS_FROM: u16 = 32;
/// So many numbers are tried for one refund.
const NUMBERS_MAX: u16 = 5;

/// What a patient was told of money that went back while the visit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartTold {
    /// The how manieth time.
    pub nth: u16,
    /// What went back then, 分.
    pub amount_fen: i64,
}

/// Of which money something goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Of all that does not stay.
    All,
    /// Of what came late alone: the rest may still buy a place (E2).
    Late,
}

/// What goes back next.
pub(super) struct Next<'a> {
    pub(super) out_trade_no: &'a str,
    /// What was paid for the order.
    pub(super) total_fen: i64,
    /// True where the visit never stood on the order.
    pub(super) twice: bool,
    pub(super) refund: &'a mut Refunding,
}

impl Next<'_> {
    /// True where a part of what was paid stays with the visit.
    pub(super) fn is_part(&self) -> bool {
        self.refund.nth > PARTS_FROM
    }

    /// What the payer reads: the same whichever step asks for the refund (E6).
    pub(super) fn reason(&self) -> &'static str {
        match (self.is_part(), self.twice) {
            (true, _) => "挂号费调整退差额",
            (false, true) => "重复支付退费",
            (false, false) => "候补未成功退费",
        }
    }
}

impl Application {
    /// Costs this by now; what it is booked at where it is paid already is the policy's (R6, R20).
    pub(super) fn costs(&mut self, today_fen: Option<i64>) {
        let Some(today_fen) = today_fen else { return };
        let fee_fen = fees::of_offer(self.policy.fee_change, self.paid_fen(), today_fen);
        if fee_fen != self.fee_fen {
            self.fee_fen = fee_fen;
            self.renewed = true;
        }
    }

    /// All its orders, the earliest first.
    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.earlier.iter().chain(&self.order)
    }

    /// What was paid in time, as far as we know, 分: what came late buys nothing.
    pub(super) fn paid_fen(&self) -> i64 {
        self.orders().map(Order::in_time_fen).sum()
    }

    /// What is still to be paid before it is booked, 分.
    pub(super) fn due_fen(&self) -> i64 {
        match self.policy.payment_mode {
            PaymentMode::None => 0,
            PaymentMode::Prepay | PaymentMode::LockThenPay => fees::due(self.fee_fen, self.paid_fen()),
        }
    }

    /// True where booking needs no payment first: none is due, or it is there already (R19).
    pub(super) fn covered(&self) -> bool {
        self.due_fen() == 0
    }

    /// Puts another prepayment order in the place of one that nobody could pay.
    pub(super) fn prepays_anew(&mut self, run: crate::engine::RunId, now: DateTime<Utc>) {
        self.more_prepayments = self.more_prepayments.saturating_add(1);
        let ends = calendar::later(now, self.policy.prepay_minutes).min(self.cutoff);
        self.reorder(Order::new(run, self.more_prepayments.saturating_add(1), self.fee_fen, ends, now));
    }

    /// The order over what is due for the present offer. The first numbers of whoever prepays are the prepayment's.
    pub(super) fn order_for_offer(&self, run: crate::engine::RunId, ends: DateTime<Utc>, now: DateTime<Utc>) -> Order {
        let prepays = self.policy.payment_mode == PaymentMode::Prepay;
        let before = u16::from(prepays).saturating_add(self.more_prepayments);
        Order::new(run, self.offers.saturating_add(before), self.due_fen(), ends, now)
    }

    /// Puts an order in the place of the present one.
    pub(super) fn reorder(&mut self, order: Order) {
        self.earlier.extend(self.order.replace(order));
    }

    /// Writes down money that has come for an order which was closed by then. False where it is known, or the order is not ours.
    pub(super) fn receives_late(&mut self, payment: &Payment) -> bool {
        let mut orders = self.earlier.iter_mut().chain(&mut self.order);
        let unpaid = orders.find(|order| order.out_trade_no == payment.out_trade_no && order.paid.is_none());
        let Some(order) = unpaid else { return false };
        (order.paid, order.late) = (Some(payment.paid.clone()), true);
        true
    }

    fn kept_by_fee(&self) -> Vec<i64> {
        let paid: Vec<i64> = self.orders().map(Order::in_time_fen).collect();
        fees::kept(&paid, self.fee_fen)
    }

    /// What of each order a visit stands on: as it was said when it was booked, else by the fee of now.
    fn kept(&self) -> Vec<i64> {
        if self.visit.is_none() {
            return self.kept_by_fee();
        }
        let earlier = self.earlier.iter().map(|order| order.stays_fen(true, false));
        earlier.chain(self.order.iter().map(|order| order.stays_fen(true, true))).collect()
    }

    /// The payment that HIS is told of: the first of those that the visit stands on, over all that it stands on.
    pub(super) fn paid_with(&self) -> Option<PaidWith> {
        let kept = self.kept();
        let (order, _) = self.orders().zip(&kept).find(|(_, kept)| **kept > 0)?;
        Some(PaidWith { out_trade_no: order.out_trade_no.clone(), amount_fen: kept.iter().sum() })
    }

    /// Says what of each order the visit stands on that was booked just now.
    pub(super) fn stands_on(&mut self) {
        let kept = self.kept_by_fee();
        for (order, kept) in self.earlier.iter_mut().chain(&mut self.order).zip(kept) {
            order.kept_fen = Some(kept);
        }
    }

    /// True where a visit is booked and was not cancelled: its own money stays.
    pub(super) fn stands(&self) -> bool {
        self.visit.as_ref().is_some_and(|visit| !visit.cancelled)
    }

    /// The orders of which money goes back or may have to, the earliest first, and what stays of each.
    fn to_settle(&self) -> impl Iterator<Item = (&Order, i64)> {
        let stands = self.stands();
        let earlier = self.earlier.iter().map(move |order| (order, order.stays_fen(stands, false)));
        let present = self.order.iter().map(move |order| (order, order.stays_fen(stands, true)));
        earlier.chain(present).filter(|(order, stays_fen)| order.goes_back(*stays_fen))
    }

    /// Those orders, to be changed.
    pub(super) fn to_settle_mut(&mut self) -> impl Iterator<Item = (&mut Order, i64)> {
        let stands = self.stands();
        let earlier = self.earlier.iter_mut().map(move |order| (order.stays_fen(stands, false), order));
        let present = self.order.iter_mut().map(move |order| (order.stays_fen(stands, true), order));
        let all = earlier.chain(present).map(|(stays_fen, order)| (order, stays_fen));
        all.filter(|(order, stays_fen)| order.goes_back(*stays_fen))
    }

    /// True where the provider need not be asked: nothing is to go back, or all of it is.
    pub(super) fn is_settled(&self) -> bool {
        self.to_settle().all(|(order, stays_fen)| order.returned(stays_fen))
    }

    /// True where all the money is known that the provider may hold, and some of it is to go back.
    pub(super) fn all_is_known(&self) -> bool {
        self.holds_too_much() && self.to_settle().all(|(order, _)| order.paid.is_some())
    }

    /// True where money is here that is to go back.
    pub(super) fn holds_too_much(&self) -> bool {
        self.to_settle().any(|(order, stays_fen)| order.held(stays_fen))
    }

    /// What goes back next. A refund that was not asked for before begins, and its number is committed with the move, before a
    /// call uses it (E6).
    pub(super) fn refund_next(&mut self, of: Of, now: DateTime<Utc>) -> Option<Next<'_>> {
        let held = self.to_settle_mut().filter(|(order, stays_fen)| order.held(*stays_fen) && order.is(of));
        let (order, stays_fen) = held.min_by_key(|(order, _)| order.is_stuck())?;
        Some(order.refund_now(stays_fen, now))
    }

    /// When the provider is asked about what goes back next.
    pub(super) fn refund_asked_at(&self) -> Option<DateTime<Utc>> {
        let held = self.to_settle().filter(|(order, stays_fen)| order.held(*stays_fen));
        let (order, _) = held.min_by_key(|(order, _)| order.is_stuck())?;
        order.on_its_way().map(|refund| refund.ask_at)
    }

    /// When the provider is asked about money that came late; none where there is none, or it is for a person.
    pub(super) fn late_refund_asked_at(&self) -> Option<DateTime<Utc>> {
        let order = self.orders().find(|order| order.late && order.held(0) && !order.is_stuck())?;
        order.on_its_way().map(|refund| refund.ask_at)
    }

    /// True while money that came late is here.
    pub(super) fn holds_late_money(&self) -> bool {
        self.orders().any(|order| order.late && order.held(0))
    }

    /// What went back, 分: of which the patient was told while the visit stands, or all the rest.
    pub(super) fn returned_fen(&self, told: bool) -> i64 {
        let refunds = self.orders().flat_map(|order| order.refunds().map(move |refund| (order, refund)));
        let done = refunds.filter(|(_, refund)| refund.done && refund.told == told);
        done.map(|(order, refund)| order.asked_fen(refund)).sum()
    }

    /// What is back by now while the visit stands is told now, beside what was told before.
    pub(super) fn tells_of_refunds(&mut self) {
        let before_fen = self.returned_fen(true);
        let orders = self.earlier.iter_mut().chain(&mut self.order);
        for refund in orders.flat_map(|order| [&mut order.part, &mut order.refund]).flatten() {
            refund.told |= refund.done;
        }
        // An older release told without counting: its number was the first.
        let nth = self.part_told.map_or(1 + u16::from(before_fen > 0), |told| told.nth.saturating_add(1));
        self.part_told = Some(PartTold { nth, amount_fen: self.returned_fen(true) - before_fen });
    }
}

impl Order {
    /// What was paid for it, 分.
    pub(super) fn paid_fen(&self) -> i64 {
        self.paid.as_ref().map_or(0, |paid| paid.amount_fen)
    }

    /// What was paid for it while that could buy a place, 分.
    pub(super) fn in_time_fen(&self) -> i64 {
        if self.late { 0 } else { self.paid_fen() }
    }

    fn is(&self, of: Of) -> bool {
        of == Of::All || self.late
    }

    fn is_stuck(&self) -> bool {
        self.on_its_way().is_some_and(|refund| refund.stuck)
    }

    fn stays_fen(&self, stands: bool, present: bool) -> i64 {
        match self.kept_fen {
            _ if !stands => 0,
            Some(kept_fen) => kept_fen,
            None if present => self.in_time_fen(),
            None => 0,
        }
    }

    /// True where something of it is to go back, or somebody may still have paid it.
    fn goes_back(&self, stays_fen: i64) -> bool {
        self.paid.is_none() || self.paid_fen() > stays_fen
    }

    fn refunds(&self) -> impl Iterator<Item = &Refunding> {
        self.part.iter().chain(&self.refund)
    }

    /// The refund that is under way.
    fn on_its_way(&self) -> Option<&Refunding> {
        self.refunds().find(|refund| !refund.done)
    }

    /// What is back, 分.
    pub(super) fn back_fen(&self) -> i64 {
        let done = self.refunds().filter(|refund| refund.done);
        done.map(|refund| self.asked_fen(refund)).sum()
    }

    /// What one of its refunds asked for, 分.
    pub(super) fn asked_fen(&self, refund: &Refunding) -> i64 {
        refund.amount_fen.unwrap_or_else(|| self.paid_fen())
    }

    /// True once all is back that does not stay, and nothing is on its way.
    pub(super) fn returned(&self, stays_fen: i64) -> bool {
        self.paid.is_some() && self.back_fen() >= self.paid_fen() - stays_fen && self.on_its_way().is_none()
    }

    /// True while money is here that is to go back.
    pub(super) fn held(&self, stays_fen: i64) -> bool {
        self.paid.is_some() && !self.returned(stays_fen)
    }

    /// Its next refund: one that was asked for before goes on under its number. What is above a visit's fee is a part with numbers
    /// of its own; what is left goes back with the visit.
    fn refund_now(&mut self, stays_fen: i64, now: DateTime<Utc>) -> Next<'_> {
        let total_fen = self.paid_fen();
        let begin = |nth: u16, amount_fen: i64, out_trade_no: &str| Refunding {
            out_refund_no: ids::refund_no(out_trade_no, nth),
            nth,
            amount_fen: Some(amount_fen),
            ask_at: now,
            asked: 0,
            done: false,
            told: false,
            stuck: false,
        };
        let twice = self.late || self.kept_fen == Some(0);
        let Self { out_trade_no, part, refund, .. } = self;
        let parted_fen = part.as_ref().and_then(|part| part.amount_fen).unwrap_or(0);
        let of_the_part = part.as_ref().map_or(stays_fen > 0, |part| !part.done);
        let refund = if of_the_part {
            part.get_or_insert_with(|| begin(PARTS_FROM + 1, total_fen - stays_fen, out_trade_no))
        } else {
            refund.get_or_insert_with(|| begin(1, total_fen - parted_fen, out_trade_no))
        };
        Next { out_trade_no, total_fen, twice, refund }
    }
}

impl Refunding {
    /// Goes on under another number: the provider has given this one up. False where that was the last.
    pub(super) fn renumber(&mut self, out_trade_no: &str, now: DateTime<Utc>) -> bool {
        if self.nth % PARTS_FROM >= NUMBERS_MAX {
            return false;
        }
        self.nth += 1;
        (self.asked, self.ask_at) = (0, now);
        self.out_refund_no = ids::refund_no(out_trade_no, self.nth);
        true
    }
}

/// Whether a number is one of those that a refund of this order can be asked for under (R8): of the whole or of a part, the first
/// or one after the provider has given up those before.
pub fn is_refund_no(out_trade_no: &str, out_refund_no: &str) -> bool {
    let mut nths = [0, PARTS_FROM].into_iter().flat_map(|from| (1..=NUMBERS_MAX).map(move |nth| from + nth));
    nths.any(|nth| ids::refund_no(out_trade_no, nth) == out_refund_no)
}

#[cfg(test)]
mod tests;

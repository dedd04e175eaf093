//! Payments: what the payer's books hold for each application, against where the application stands.

use std::collections::HashMap;

use super::ours::Entry;
use super::{Compared, Difference};
use crate::ports::payments::Refund;
use crate::sandbox::wechat_pay::{OrderLine, OrderStanding};
use crate::waitlist::ids;

/// What went back, and what is on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Back {
    done_fen: i64,
    asked_fen: i64,
}

pub(super) fn check(all: &Compared<'_>, found: &mut Vec<Difference>) {
    let back = back(all);
    let mut held: HashMap<uuid::Uuid, i64> = HashMap::new();
    for order in &all.theirs.pay.orders {
        let back = back.get(order.out_trade_no.as_str()).copied().unwrap_or_default();
        let paid_fen = if order.state == OrderStanding::Paid { order.amount_fen } else { 0 };
        if back.asked_fen > paid_fen {
            let out_trade_no = order.out_trade_no.clone();
            found.push(Difference::RefundedTwice { out_trade_no, paid_fen, refunded_fen: back.asked_fen });
        }
        let Some(entry) = ids::run_of(&order.out_trade_no).and_then(|id| all.entries.get(&id)) else {
            found.push(Difference::UnknownOrder { out_trade_no: order.out_trade_no.clone() });
            continue;
        };
        *held.entry(entry.id).or_default() += paid_fen - back.done_fen;
        if !all.moving.contains(&entry.id) {
            settled(order, entry, paid_fen - back.done_fen, found);
        }
    }
    for entry in all.ours.entries.iter().filter(|entry| entry.booked() && entry.payment_mode != "none") {
        let held_fen = held.get(&entry.id).copied().unwrap_or(0);
        if held_fen != entry.fee_fen && !all.moving.contains(&entry.id) {
            found.push(Difference::VisitWithoutPayment { entry: entry.id, fee_fen: entry.fee_fen, held_fen });
        }
    }
    rows(all, &back, found);
    for notice in all.theirs.pay.notices.iter().filter(|notice| notice.probe_believed) {
        found.push(Difference::ForgeryBelieved { id: notice.id.clone() });
    }
}

fn back<'a>(all: &Compared<'a>) -> HashMap<&'a str, Back> {
    let mut back: HashMap<&str, Back> = HashMap::new();
    for refund in &all.theirs.pay.refunds {
        let of = back.entry(refund.out_trade_no.as_str()).or_default();
        match refund.state {
            Refund::Success => {
                of.done_fen += refund.amount_fen;
                of.asked_fen += refund.amount_fen;
            }
            Refund::Processing | Refund::Abnormal => of.asked_fen += refund.amount_fen,
            Refund::Closed | Refund::Unknown => {}
        }
    }
    back
}

/// An application that is over owes nothing and can take nothing.
fn settled(order: &OrderLine, entry: &Entry, held_fen: i64, found: &mut Vec<Difference>) {
    if !entry.over() {
        return;
    }
    let out_trade_no = order.out_trade_no.clone();
    if held_fen > 0 {
        found.push(Difference::MoneyWithoutVisit { entry: entry.id, out_trade_no, held_fen });
    } else if order.state == OrderStanding::Open {
        found.push(Difference::OrderLeftOpen { out_trade_no });
    }
}

/// Our payment rows say what the payer's books say.
fn rows(all: &Compared<'_>, back: &HashMap<&str, Back>, found: &mut Vec<Difference>) {
    let orders: HashMap<&str, &OrderLine> =
        all.theirs.pay.orders.iter().map(|order| (order.out_trade_no.as_str(), order)).collect();
    for payment in all.ours.payments.iter().filter(|payment| !all.moving.contains(&payment.entry_id)) {
        let order = orders.get(payment.out_trade_no.as_str());
        let back = back.get(payment.out_trade_no.as_str()).copied().unwrap_or_default();
        let paid_fen = order.map_or(0, |order| order.amount_fen);
        let theirs = match order.map(|order| order.state) {
            None => "unknown",
            Some(OrderStanding::Open) => "open",
            Some(OrderStanding::Closed) => "closed",
            Some(OrderStanding::Paid) if back.done_fen >= paid_fen => "refunded",
            Some(OrderStanding::Paid) if back.asked_fen >= paid_fen => "refunding",
            Some(OrderStanding::Paid) => "paid",
        };
        // An order that never reached the payer can be closed in our books only.
        let agree = payment.status == theirs || (payment.status == "closed" && theirs == "unknown");
        if !agree || payment.refunded_fen != back.done_fen {
            found.push(Difference::PaymentDiffers {
                out_trade_no: payment.out_trade_no.clone(),
                ours: format!("{} ({} 分 back)", payment.status, payment.refunded_fen),
                theirs: format!("{theirs} ({} 分 back)", back.done_fen),
            });
        }
    }
}

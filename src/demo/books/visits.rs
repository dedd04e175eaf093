//! Visits and locks: our appointments against HIS's orders, HIS's locks against where the applications stand.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::ours::Payment;
use super::{Compared, Difference};
use crate::ports::his::ScheduleState;
use crate::sandbox::his::{LockRecord, LockState, OrderRecord, OrderState};
use crate::sandbox::wechat_pay::OrderStanding;
use crate::waitlist::ids;

/// In this time every department is pulled at least once by day.
const SYNC_ROUND: TimeDelta = TimeDelta::minutes(45);

pub(super) fn check(all: &Compared<'_>, found: &mut Vec<Difference>) {
    let live = |order: &&OrderRecord| order.state == OrderState::Booked;
    let orders: HashMap<&str, &OrderRecord> =
        all.theirs.his.orders.iter().map(|order| (order.order_id.as_str(), order)).collect();
    let mut visits: HashMap<&str, &str> = HashMap::new();
    for visit in &all.ours.visits {
        visits.insert(&visit.id, &visit.status);
        let booked = matches!(visit.status.as_str(), "booked" | "fulfilled");
        let at_his = orders.get(visit.id.as_str()).copied().as_ref().is_some_and(live);
        // 停诊 cancels at HIS first and is told to us afterwards: until then the sync or the push is on its way.
        let stopped = orders.get(visit.id.as_str()).is_some_and(|order| stopped_lately(all, order));
        if booked && !at_his && !stopped && !all.moving.contains(&visit.entry_id) {
            found.push(Difference::VisitNotAtHis { entry: visit.entry_id, order_id: visit.id.clone() });
        }
    }
    let mut by_entry: HashMap<uuid::Uuid, &OrderRecord> = HashMap::new();
    let ours = |order: &&OrderRecord| !order.ordinary && live(order);
    for order in all.theirs.his.orders.iter().filter(ours) {
        let entry = ids::run_of(&order.order_id);
        let moving = entry.is_some_and(|id| all.moving.contains(&id));
        let booked = visits.get(order.order_id.as_str()).is_some_and(|status| *status != "cancelled");
        if !booked && !moving {
            found.push(Difference::OrderWithoutVisit { order_id: order.order_id.clone() });
        }
        if let Some(first) = entry.and_then(|id| by_entry.insert(id, order)) {
            found.push(double(&first.order_id, order, "one application"));
        }
        if !moving {
            payment_told(all, order, found);
        }
    }
    twice(all, found);
    locks(all, found);
    overbooked(all, found);
    let forged = |answer: &Option<String>| answer.as_deref() == Some("0");
    for push in all.theirs.his.pushes.iter().filter(|push| forged(&push.forged_answer)) {
        found.push(Difference::ForgeryBelieved { id: push.event_id.clone() });
    }
}

/// HIS has stopped the schedule a short while ago.
fn stopped_lately(all: &Compared<'_>, order: &OrderRecord) -> bool {
    let stopped = all
        .theirs
        .his
        .schedules
        .iter()
        .any(|it| it.schedule.reg_id == order.reg_id && it.schedule.state == ScheduleState::Stopped);
    stopped && order.cancelled_at.is_some_and(|at| all.now - at < SYNC_ROUND)
}

fn double(first: &str, order: &OrderRecord, whose: &str) -> Difference {
    let what = format!("{whose} in {}", order.reg_id);
    Difference::DoubleBooking { first: first.to_owned(), second: order.order_id.clone(), what }
}

/// Two live bookings of one patient in one schedule, in HIS's books and in ours.
fn twice(all: &Compared<'_>, found: &mut Vec<Difference>) {
    let mut seen: HashMap<(&str, &str), &str> = HashMap::new();
    for order in all.theirs.his.orders.iter().filter(|order| order.state == OrderState::Booked) {
        if let Some(first) = seen.insert((&order.reg_id, &order.patient), &order.order_id) {
            found.push(double(first, order, "one patient"));
        }
    }
    let mut seen: HashMap<(&str, &str), &str> = HashMap::new();
    for visit in all.ours.visits.iter().filter(|visit| visit.status != "cancelled") {
        if let Some(first) = seen.insert((&visit.schedule_id, &visit.patient_id), &visit.id) {
            found.push(Difference::DoubleBooking {
                first: first.to_owned(),
                second: visit.id.clone(),
                what: format!("one patient in {}, in our books", visit.schedule_id),
            });
        }
    }
}

/// HIS was told of the payment that the payer's books have: of all that the visit stands on, where a part went back or the
/// fee was topped up.
fn payment_told(all: &Compared<'_>, order: &OrderRecord, found: &mut Vec<Difference>) {
    let Some(paid) = &order.paid else { return };
    let line = |number: &str| all.theirs.pay.orders.iter().find(|line| line.out_trade_no == number);
    let paid_fen =
        |number: &str| line(number).filter(|line| line.state == OrderStanding::Paid).map_or(0, |line| line.amount_fen);
    let kept_fen = |payment: &Payment| {
        let above_fen = payment.amount_fen - payment.kept_fen.filter(|kept_fen| *kept_fen > 0)?;
        Some(paid_fen(&payment.out_trade_no) - above_fen)
    };
    let entry = ids::run_of(&order.order_id);
    let of_entry = || all.ours.payments.iter().filter(|payment| Some(payment.entry_id) == entry);
    let named = of_entry().find(|payment| payment.out_trade_no == paid.out_trade_no);
    let expected_fen = match named.and_then(kept_fen) {
        Some(_) => of_entry().filter_map(kept_fen).sum(),
        None => paid_fen(&paid.out_trade_no),
    };
    let line = line(&paid.out_trade_no);
    let right = expected_fen > 0 && expected_fen == paid.amount_fen;
    if !right {
        found.push(Difference::PaymentToldWrong {
            order_id: order.order_id.clone(),
            told: format!("{} over {} 分", paid.out_trade_no, paid.amount_fen),
            paid: line.map_or("nothing".to_owned(), |line| format!("{:?} over {} 分", line.state, line.amount_fen)),
        });
    }
}

/// A lock lives no longer than the part of an application that needs it.
fn locks(all: &Compared<'_>, found: &mut Vec<Difference>) {
    for lock in &all.theirs.his.locks {
        let Some(entry) = ids::run_of(&lock.lock_id).and_then(|id| all.entries.get(&id)) else { continue };
        if all.moving.contains(&entry.id) {
            continue;
        }
        let leaked = match lock.state {
            LockState::Held => entry.parked() || entry.ended_at.is_some(),
            LockState::Expired => entry.ended_at.is_some_and(|at| at < lock.expires_at),
            LockState::Used | LockState::Unlocked => false,
        };
        if leaked {
            found.push(Difference::LeakedLock { entry: entry.id, lock_id: lock.lock_id.clone() });
        }
    }
}

/// HIS never gave more places than a time has.
fn overbooked(all: &Compared<'_>, found: &mut Vec<Difference>) {
    let his = &all.theirs.his;
    let mut taken: HashMap<(&str, &crate::ports::his::TimeSlot), u32> = HashMap::new();
    for order in his.orders.iter().filter(|order| order.state == OrderState::Booked) {
        *taken.entry((&order.reg_id, &order.slot)).or_default() += 1;
    }
    let held = |lock: &&LockRecord| lock.state == LockState::Held;
    for lock in his.locks.iter().filter(held) {
        *taken.entry((&lock.reg_id, &lock.slot)).or_default() += 1;
    }
    for schedule in &his.schedules {
        let reg_id = schedule.schedule.reg_id.as_str();
        for slot in &schedule.slots {
            let taken = taken.get(&(reg_id, &slot.slot)).copied().unwrap_or(0);
            if taken > slot.capacity {
                found.push(Difference::SlotOverbooked {
                    reg_id: reg_id.to_owned(),
                    slot: slot.slot.begins.to_string(),
                    places: slot.capacity,
                    taken,
                });
            }
        }
    }
}

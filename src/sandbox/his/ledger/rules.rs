//! Who may lock, book, cancel and stop: the rules of the simulated HIS.
//!
//! Pure but for the clock that is handed in. Every freed place is remembered with how it came free and who took it.

use std::collections::VecDeque;

use chrono::{DateTime, Days, Duration, NaiveDate, Utc};

use super::{Ledger, Mark, Schedule, lower, raise};
use crate::ports::his::{DayPart, ScheduleState, TimeSlot};
use crate::sandbox::faults::hash;
use crate::sandbox::his::records::{
    Becomes, Freed, FreedPlace, LockRecord, LockState, OrderRecord, OrderState, PaidRecord, ScheduleRecord, TakenBy,
};

/// A business failure: its six-digit code and its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure(pub &'static str, pub &'static str);

const INVALID: Failure = Failure("200501", "排班无效");

/// What a lock request came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Locking {
    /// Locked now.
    Locked(DateTime<Utc>),
    /// This `LOCK_ID` holds (or became a booking) already.
    Exists(DateTime<Utc>),
    /// Refused.
    Refused(Failure),
}

/// Who asks for which place.
pub struct Asked<'a> {
    /// `LOCK_ID` or `ORDER_ID`.
    pub id: &'a str,
    /// `CHANNEL_ID`.
    pub channel: &'a str,
    /// `REG_ID`.
    pub reg_id: &'a str,
    /// The time.
    pub slot: TimeSlot,
}

/// The rest of a booking.
pub struct Visitor {
    /// Keyed hash of the patient's document.
    pub patient: String,
    /// Money.
    pub paid: Option<PaidRecord>,
    /// True where the simulated world books.
    pub ordinary: bool,
}

/// When a half-day begins here.
const fn begins(part: DayPart) -> Duration {
    Duration::hours(match part {
        DayPart::Morning | DayPart::WholeDay => 8,
        DayPart::Afternoon => 13,
        DayPart::Evening => 18,
    })
}

impl Ledger {
    /// Ends the locks whose time ran out. Called before every other rule.
    pub fn expire(&mut self, now: DateTime<Utc>) -> usize {
        let mut ended = 0;
        while self.expiries.first().is_some_and(|(at, _)| *at <= now) {
            let Some((at, lock_id)) = self.expiries.pop_first() else { break };
            self.end_lock(&lock_id, LockState::Expired, Some((Freed::LockExpired, at)));
            ended += 1;
        }
        ended
    }

    /// 2005 and 2013.
    pub fn lock(&mut self, asked: &Asked<'_>, minutes: u32, now: DateTime<Utc>) -> Locking {
        if let Some(lock) = self.locks.get(asked.id)
            && (self.remembers || matches!(lock.state, LockState::Held | LockState::Used))
        {
            return Locking::Exists(lock.expires_at);
        }
        let Some((schedule, at)) = self.open_slot(asked) else { return Locking::Refused(INVALID) };
        if schedule.free() == 0 {
            return Locking::Refused(Failure("200505", "号源已满"));
        }
        if schedule.free_at(at) == 0 {
            return Locking::Refused(Failure("200506", "号源已被占用"));
        }
        let expires_at = now + Duration::minutes(i64::from(minutes.min(self.grants.unwrap_or(u32::MAX))));
        self.with_slot(asked.reg_id, &asked.slot, |schedule, at| raise(&mut schedule.held, at));
        self.expiries.insert((expires_at, asked.id.to_owned()));
        self.locks.insert(
            asked.id.to_owned(),
            LockRecord {
                lock_id: asked.id.to_owned(),
                channel: asked.channel.to_owned(),
                reg_id: asked.reg_id.to_owned(),
                slot: asked.slot.clone(),
                locked_at: now,
                expires_at,
                state: LockState::Held,
            },
        );
        self.marks.insert(Mark::Lock(asked.id.to_owned()));
        self.take(asked, now);
        Locking::Locked(expires_at)
    }

    /// HIS grants no more than so many minutes from now on, whatever is asked for.
    pub fn grant_at_most(&mut self, minutes: u32) {
        self.grants = Some(minutes);
    }

    /// From now on 2013 answers for ever with the lock that was taken under an id first.
    pub fn remember_locks(&mut self) {
        self.remembers = true;
    }

    /// From now on nothing is offered beyond v3.3, and 2005 holds a place for so many minutes.
    pub fn keep_to_v33(&mut self, minutes: u32) {
        self.plain = Some(minutes);
    }

    /// For how long 2005 holds a place, where nothing is offered beyond v3.3.
    pub fn plain(&self) -> Option<u32> {
        self.plain
    }

    /// 2008: until thirty minutes after a booking.
    pub fn pay(&mut self, order_id: &str, paid: PaidRecord, now: DateTime<Utc>) -> Result<(), Failure> {
        let order = self.orders.get_mut(order_id).ok_or(Failure("200801", "挂号订单不存在"))?;
        match (order.state, &order.paid) {
            (OrderState::Cancelled, _) => Err(Failure("200805", "挂号订单已取消")),
            (OrderState::Refunded, _) => Err(Failure("200806", "挂号订单已退款")),
            (OrderState::Booked, Some(_)) => Err(Failure("200802", "挂号订单已支付")),
            (OrderState::Booked, None) if now - order.booked_at > Duration::minutes(30) => {
                Err(Failure("200803", "挂号订单已关闭"))
            }
            (OrderState::Booked, None) => {
                order.paid = Some(paid);
                self.marks.insert(Mark::Order(order_id.to_owned()));
                Ok(())
            }
        }
    }

    /// 2014: until when the lock holds from now on; none where nothing is held.
    pub fn renew(&mut self, lock_id: &str, minutes: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let granted = minutes.min(self.grants.unwrap_or(u32::MAX));
        let lock = self.locks.get_mut(lock_id).filter(|lock| lock.state == LockState::Held)?;
        let expires_at = now + Duration::minutes(i64::from(granted));
        self.expiries.remove(&(lock.expires_at, lock_id.to_owned()));
        lock.expires_at = expires_at;
        self.expiries.insert((expires_at, lock_id.to_owned()));
        self.marks.insert(Mark::Lock(lock_id.to_owned()));
        Some(expires_at)
    }

    /// 2016: until when the lock holds; none where nothing is held.
    pub fn held_until(&self, lock_id: &str) -> Option<DateTime<Utc>> {
        self.locks.get(lock_id).filter(|lock| lock.state == LockState::Held).map(|lock| lock.expires_at)
    }

    /// Loses every lock that is held, and tells nobody; says how many.
    pub fn lose_locks(&mut self, now: DateTime<Utc>) -> usize {
        let held = self.locks.values().filter(|lock| lock.state == LockState::Held);
        let held: Vec<String> = held.map(|lock| lock.lock_id.clone()).collect();
        for lock_id in &held {
            self.end_lock(lock_id, LockState::Expired, Some((Freed::LockExpired, now)));
            if let Some(lock) = self.locks.get_mut(lock_id) {
                lock.expires_at = now;
            }
        }
        held.len()
    }

    /// Another fee.
    pub fn costs(&mut self, reg_id: &str, fee_fen: i64) {
        if let Some(schedule) = self.schedules.get_mut(reg_id) {
            schedule.record.schedule.fee_fen = fee_fen;
            self.marks.insert(Mark::Schedule(reg_id.to_owned()));
        }
    }

    /// 替诊, 改诊: the schedule as it is from now on, or none where there is no such one. What is booked and locked moves with it: by
    /// as much as its half-day begins later.
    pub fn become_another(&mut self, reg_id: &str, becomes: &Becomes) -> Option<ScheduleRecord> {
        let schedule = self.schedules.get_mut(reg_id)?;
        let record = &mut schedule.record.schedule;
        let later = begins(becomes.part) - begins(record.part);
        (record.doctor_id, record.doctor_name) = (becomes.doctor_id.clone(), becomes.doctor_name.clone());
        (record.visit_date, record.part) = (becomes.visit_date, becomes.part);
        let moved = |slot: &mut TimeSlot| {
            slot.begins = slot.begins.overflowing_add_signed(later).0;
            slot.ends = slot.ends.overflowing_add_signed(later).0;
        };
        schedule.record.slots.iter_mut().for_each(|slot| moved(&mut slot.slot));
        self.marks.insert(Mark::Schedule(reg_id.to_owned()));
        for order in self.orders.values_mut().filter(|order| order.reg_id == reg_id) {
            moved(&mut order.slot);
            self.marks.insert(Mark::Order(order.order_id.clone()));
        }
        for lock in self.locks.values_mut().filter(|lock| lock.reg_id == reg_id) {
            moved(&mut lock.slot);
            self.marks.insert(Mark::Lock(lock.lock_id.clone()));
        }
        for place in self.freed.values_mut().filter(|place| place.reg_id == reg_id) {
            moved(&mut place.slot);
            self.marks.insert(Mark::Freed(place.id));
        }
        let untaken: Vec<_> = self.untaken.extract_if(|(id, _), _| id == reg_id).collect();
        for ((id, mut slot), places) in untaken {
            moved(&mut slot);
            self.untaken.insert((id, slot), places);
        }
        self.schedule(reg_id)
    }

    /// 2006.
    pub fn unlock(&mut self, lock_id: &str, now: DateTime<Utc>) -> Result<(), Failure> {
        match self.locks.get(lock_id) {
            Some(lock) if lock.state == LockState::Held => {
                self.end_lock(lock_id, LockState::Unlocked, Some((Freed::Unlocked, now)));
                Ok(())
            }
            _ => Err(Failure("200601", "锁号记录不存在")),
        }
    }

    /// 2007. A live lock under the same id gives its place to the booking.
    pub fn book(&mut self, asked: &Asked<'_>, visitor: Visitor, now: DateTime<Utc>) -> Result<&OrderRecord, Failure> {
        if self.orders.contains_key(asked.id) {
            return Err(Failure("200708", "订单号已存在"));
        }
        let (schedule, at) = self.open_slot(asked).ok_or(INVALID)?;
        if schedule.patients.contains_key(&visitor.patient) {
            return Err(Failure("200701", "该患者已预约此排班"));
        }
        let ours = |lock: &&LockRecord| {
            lock.state == LockState::Held && lock.reg_id == asked.reg_id && lock.slot == asked.slot
        };
        if self.locks.get(asked.id).as_ref().is_some_and(ours) {
            self.end_lock(asked.id, LockState::Used, None);
        } else if schedule.free_at(at) == 0 {
            let full = schedule.free() == 0 && !self.locks.contains_key(asked.id);
            return Err(if full { Failure("200709", "号源已满") } else { Failure("200710", "号源已被占用") });
        } else {
            self.take(asked, now);
        }
        let patient = visitor.patient.clone();
        let serial = self.with_slot(asked.reg_id, &asked.slot, |schedule, at| {
            raise(&mut schedule.booked, at);
            schedule.patients.insert(patient, asked.id.to_owned());
            schedule.record.serials += 1;
            schedule.record.serials
        });
        let order = OrderRecord {
            order_id: asked.id.to_owned(),
            his_order_id: format!("H{:016x}", hash(&[asked.id.as_bytes()])),
            serial: serial.unwrap_or_default(),
            channel: asked.channel.to_owned(),
            ordinary: visitor.ordinary,
            reg_id: asked.reg_id.to_owned(),
            slot: asked.slot.clone(),
            patient: visitor.patient,
            paid: visitor.paid,
            refunded_fen: None,
            state: OrderState::Booked,
            booked_at: now,
            cancelled_at: None,
            event_id: None,
        };
        self.marks.insert(Mark::Schedule(asked.reg_id.to_owned()));
        self.marks.insert(Mark::Order(asked.id.to_owned()));
        Ok(self.orders.entry(asked.id.to_owned()).or_insert(order))
    }

    /// 2009 is refused from so many days before a visit on.
    pub fn cancels_no_later_than(&mut self, days_before: u64) {
        self.cancels_until = Some(days_before);
    }

    /// Why 2009 does not cancel this order on `today`, if it does not.
    pub fn not_cancelled(&self, order_id: &str, today: NaiveDate) -> Option<Failure> {
        let order = self.orders.get(order_id).filter(|order| order.state == OrderState::Booked)?;
        let visit_date = self.schedules.get(&order.reg_id)?.record.schedule.visit_date;
        let last = visit_date.checked_sub_days(Days::new(self.cancels_until?))?;
        (today > last).then_some(Failure("200902", "已过退号时间"))
    }

    /// 2009, or a patient of any channel: the order as it stands now, and whether this call cancelled it.
    pub fn cancel(&mut self, order_id: &str, how: Freed, now: DateTime<Utc>) -> Option<(OrderRecord, bool)> {
        let live = self.orders.get(order_id)?.state == OrderState::Booked;
        if live {
            let order = self.end_order(order_id, now)?;
            self.release(&order.reg_id, &order.slot, how, now);
        }
        Some((self.orders.get(order_id)?.clone(), live))
    }

    /// 2010 after [`Ledger::cancel`].
    pub fn refund(&mut self, order_id: &str, amount_fen: i64) {
        if let Some(order) = self.orders.get_mut(order_id)
            && order.state == OrderState::Cancelled
        {
            order.state = OrderState::Refunded;
            order.refunded_fen = Some(amount_fen);
            self.marks.insert(Mark::Order(order_id.to_owned()));
        }
    }

    /// 加号: `places` more, all at one time of the schedule.
    pub fn add_places(&mut self, reg_id: &str, places: u32, now: DateTime<Utc>) -> bool {
        let Some(schedule) = self.schedules.get_mut(reg_id) else { return false };
        let times = u64::try_from(schedule.record.slots.len()).unwrap_or(1).max(1);
        let total: u32 = schedule.record.slots.iter().map(|slot| slot.capacity).sum();
        let at = usize::try_from(hash(&[reg_id.as_bytes(), &total.to_le_bytes()]) % times).unwrap_or(0);
        let Some(record) = schedule.record.slots.get_mut(at) else { return false };
        record.capacity += places;
        let slot = record.slot.clone();
        self.marks.insert(Mark::Schedule(reg_id.to_owned()));
        for _ in 0..places {
            self.release(reg_id, &slot, Freed::Added, now);
        }
        true
    }

    /// 停诊: nothing can be booked any more, what is booked is cancelled, what is locked is given up. The schedule, or
    /// none where it is not known or stopped already.
    pub fn stop(&mut self, reg_id: &str, now: DateTime<Utc>) -> Option<ScheduleRecord> {
        let schedule = self.schedules.get_mut(reg_id)?;
        if schedule.record.schedule.state == ScheduleState::Stopped {
            return None;
        }
        schedule.record.schedule.state = ScheduleState::Stopped;
        let orders: Vec<String> = schedule.patients.values().cloned().collect();
        self.marks.insert(Mark::Schedule(reg_id.to_owned()));
        for order_id in orders {
            self.end_order(&order_id, now);
        }
        let held = |lock: &&LockRecord| lock.reg_id == reg_id && lock.state == LockState::Held;
        let locks: Vec<String> = self.locks.values().filter(held).map(|lock| lock.lock_id.clone()).collect();
        for lock_id in locks {
            self.end_lock(&lock_id, LockState::Unlocked, None);
        }
        self.schedule(reg_id)
    }

    fn open_slot(&self, asked: &Asked<'_>) -> Option<(&Schedule, usize)> {
        let schedule = self.schedules.get(asked.reg_id).filter(|schedule| schedule.open())?;
        Some((schedule, schedule.at(&asked.slot)?))
    }

    fn end_lock(&mut self, lock_id: &str, state: LockState, freed: Option<(Freed, DateTime<Utc>)>) {
        let Some(lock) = self.locks.get_mut(lock_id) else { return };
        lock.state = state;
        let lock = lock.clone();
        self.expiries.remove(&(lock.expires_at, lock.lock_id.clone()));
        self.marks.insert(Mark::Lock(lock.lock_id));
        self.with_slot(&lock.reg_id, &lock.slot, |schedule, at| lower(&mut schedule.held, at));
        if let Some((how, at)) = freed {
            self.release(&lock.reg_id, &lock.slot, how, at);
        }
    }

    fn end_order(&mut self, order_id: &str, now: DateTime<Utc>) -> Option<OrderRecord> {
        let order = self.orders.get_mut(order_id)?;
        order.state = OrderState::Cancelled;
        order.cancelled_at = Some(now);
        order.event_id = Some(format!("cancel-{}", order.his_order_id));
        let order = order.clone();
        self.marks.insert(Mark::Order(order_id.to_owned()));
        self.with_slot(&order.reg_id, &order.slot, |schedule, at| {
            lower(&mut schedule.booked, at);
            schedule.patients.remove(&order.patient);
        });
        Some(order)
    }

    /// A place came free.
    fn release(&mut self, reg_id: &str, slot: &TimeSlot, how: Freed, at: DateTime<Utc>) {
        let id = self.freed.last_key_value().map_or(1, |(id, _)| id + 1);
        let (reg_id, slot) = (reg_id.to_owned(), slot.clone());
        self.untaken.entry((reg_id.clone(), slot.clone())).or_default().push_back(id);
        self.freed.insert(id, FreedPlace { id, reg_id, slot, freed_at: at, how, taken_at: None, taken_by: None });
        self.marks.insert(Mark::Freed(id));
    }

    /// A place is taken: the one that came free longest ago, if any did.
    fn take(&mut self, asked: &Asked<'_>, now: DateTime<Utc>) {
        let key = (asked.reg_id.to_owned(), asked.slot.clone());
        let Some(id) = self.untaken.get_mut(&key).and_then(VecDeque::pop_front) else { return };
        if let Some(place) = self.freed.get_mut(&id) {
            place.taken_at = Some(now);
            place.taken_by = Some(TakenBy { channel: asked.channel.to_owned(), order_id: asked.id.to_owned() });
            self.marks.insert(Mark::Freed(id));
        }
    }
}

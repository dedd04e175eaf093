//! The simulated HIS's books in memory: what there is, what is free, what changed since it was last saved.
//!
//! A place is free = capacity − booked − held by live locks. Who may take and give back places stands in `rules`. Every
//! change marks its record; [`Ledger::changed`] hands the marked ones over to be saved.

mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

pub use self::rules::{Asked, Failure, Locking, Visitor};
use super::records::{
    BreachRecord, FreedPlace, HisBooks, LockRecord, LockState, OrderRecord, OrderState, PushRecord, PushState,
    ScheduleRecord, ScheduleSeed, SlotRecord,
};
use crate::ports::his::{ScheduleState, TimeSlot};
use crate::sandbox::books::{Record, Store};

/// Instants at which a push is due, readable without the ledger's lock.
pub type Agenda = Arc<Mutex<BTreeSet<(DateTime<Utc>, u64)>>>;

struct Schedule {
    record: ScheduleRecord,
    booked: Vec<u32>,
    held: Vec<u32>,
    /// Live orders by patient.
    patients: HashMap<String, String>,
}

impl Schedule {
    fn new(record: ScheduleRecord) -> Self {
        let none = vec![0; record.slots.len()];
        Self { booked: none.clone(), held: none, record, patients: HashMap::new() }
    }

    fn at(&self, slot: &TimeSlot) -> Option<usize> {
        self.record.slots.iter().position(|known| known.slot == *slot)
    }

    fn free_at(&self, at: usize) -> u32 {
        let of = |counts: &[u32]| counts.get(at).copied().unwrap_or(0);
        let capacity = self.record.slots.get(at).map_or(0, |slot| slot.capacity);
        capacity.saturating_sub(of(&self.booked) + of(&self.held))
    }

    fn free(&self) -> u32 {
        (0..self.record.slots.len()).map(|at| self.free_at(at)).sum()
    }

    fn open(&self) -> bool {
        self.record.schedule.state == ScheduleState::Open
    }

    /// As 2003 lists it now.
    fn listed(&self) -> ScheduleRecord {
        let mut record = self.record.clone();
        record.schedule.total = record.slots.iter().map(|slot| slot.capacity).sum();
        record.schedule.remaining = if self.open() { self.free() } else { 0 };
        record
    }
}

fn raise(counts: &mut [u32], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

fn lower(counts: &mut [u32], at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count = count.saturating_sub(1);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Schedule(String),
    Lock(String),
    Order(String),
    Freed(u64),
    Push(u64),
}

/// The books.
#[derive(Default)]
pub struct Ledger {
    schedules: BTreeMap<String, Schedule>,
    locks: BTreeMap<String, LockRecord>,
    orders: BTreeMap<String, OrderRecord>,
    freed: BTreeMap<u64, FreedPlace>,
    /// In memory only: documents' numbers stand in no book of the sandbox.
    breaches: BTreeMap<String, BreachRecord>,
    pushes: BTreeMap<u64, PushRecord>,
    expiries: BTreeSet<(DateTime<Utc>, String)>,
    /// Freed places that nobody took yet, oldest first.
    untaken: HashMap<(String, TimeSlot), VecDeque<u64>>,
    /// The most minutes of a lock, where there is a bound.
    grants: Option<u32>,
    /// It has v3.3 alone, and holds a place for so many minutes (2005).
    plain: Option<u32>,
    /// An id that a lock was taken under is never free again: 2013 answers with that lock, over as it may be.
    remembers: bool,
    /// Until how many days before a visit 2009 cancels it; none: until it takes place.
    cancels_until: Option<u64>,
    agenda: Agenda,
    marks: BTreeSet<Mark>,
}

impl Ledger {
    /// The books as they were saved.
    pub async fn load(store: &Store) -> anyhow::Result<Self> {
        Ok(Self::restore(HisBooks {
            schedules: store.load("his_schedule").await?.into_iter().map(|(_, it)| it).collect(),
            locks: store.load("his_lock").await?.into_iter().map(|(_, it)| it).collect(),
            orders: store.load("his_order").await?.into_iter().map(|(_, it)| it).collect(),
            slot_history: store.load("his_freed").await?.into_iter().map(|(_, it)| it).collect(),
            pushes: store.load("his_push").await?.into_iter().map(|(_, it)| it).collect(),
        }))
    }

    /// The ledger of these books.
    pub fn restore(books: HisBooks) -> Self {
        let mut ledger = Self::default();
        for record in books.schedules {
            ledger.schedules.insert(record.schedule.reg_id.clone(), Schedule::new(record));
        }
        for lock in books.locks {
            if lock.state == LockState::Held {
                ledger.expiries.insert((lock.expires_at, lock.lock_id.clone()));
                ledger.with_slot(&lock.reg_id, &lock.slot, |schedule, at| raise(&mut schedule.held, at));
            }
            ledger.locks.insert(lock.lock_id.clone(), lock);
        }
        for order in books.orders {
            if order.state == OrderState::Booked {
                ledger.with_slot(&order.reg_id, &order.slot, |schedule, at| {
                    raise(&mut schedule.booked, at);
                    schedule.patients.insert(order.patient.clone(), order.order_id.clone());
                });
            }
            ledger.orders.insert(order.order_id.clone(), order);
        }
        ledger.freed = books.slot_history.into_iter().map(|place| (place.id, place)).collect();
        for place in ledger.freed.values().filter(|place| place.taken_at.is_none()) {
            let key = (place.reg_id.clone(), place.slot.clone());
            ledger.untaken.entry(key).or_default().push_back(place.id);
        }
        for push in books.pushes {
            ledger.put_push(push);
        }
        ledger.marks.clear();
        ledger
    }

    /// The records that changed since [`Ledger::saved`].
    pub fn changed(&self) -> Result<Vec<Record>, serde_json::Error> {
        let records = self.marks.iter().filter_map(|mark| match mark {
            Mark::Schedule(id) => self.schedules.get(id).map(|it| Record::new("his_schedule", id, &it.record)),
            Mark::Lock(id) => self.locks.get(id).map(|it| Record::new("his_lock", id, it)),
            Mark::Order(id) => self.orders.get(id).map(|it| Record::new("his_order", id, it)),
            Mark::Freed(id) => self.freed.get(id).map(|it| Record::new("his_freed", format!("{id:012}"), it)),
            Mark::Push(id) => self.pushes.get(id).map(|it| Record::new("his_push", format!("{id:012}"), it)),
        });
        records.collect()
    }

    /// What changed is saved.
    pub fn saved(&mut self) {
        self.marks.clear();
    }

    /// A copy of everything.
    pub fn snapshot(&self) -> HisBooks {
        HisBooks {
            schedules: self.schedules.values().map(Schedule::listed).collect(),
            locks: self.locks.values().cloned().collect(),
            orders: self.orders.values().cloned().collect(),
            slot_history: self.freed.values().cloned().collect(),
            pushes: self.pushes.values().cloned().collect(),
        }
    }

    /// When pushes are due.
    pub fn agenda(&self) -> Agenda {
        self.agenda.clone()
    }

    /// Opens a schedule; one that is known stays as it is.
    pub fn add_schedule(&mut self, seed: ScheduleSeed) {
        let reg_id = seed.schedule.reg_id.clone();
        if self.schedules.contains_key(&reg_id) {
            return;
        }
        let slots =
            seed.slots.into_iter().map(|slot| SlotRecord { slot: slot.slot, capacity: slot.remaining }).collect();
        let record = ScheduleRecord { campus_id: seed.campus_id, schedule: seed.schedule, slots, serials: 0 };
        self.schedules.insert(reg_id.clone(), Schedule::new(record));
        self.marks.insert(Mark::Schedule(reg_id));
    }

    /// One schedule as 2003 lists it.
    pub fn schedule(&self, reg_id: &str) -> Option<ScheduleRecord> {
        self.schedules.get(reg_id).map(Schedule::listed)
    }

    /// The schedules of a department as 2003 lists them.
    pub fn schedules_of<'a>(&'a self, department_id: &'a str) -> impl Iterator<Item = ScheduleRecord> + 'a {
        let ours = move |it: &&Schedule| it.record.schedule.department_id == department_id;
        self.schedules.values().filter(ours).map(Schedule::listed)
    }

    /// The times of an open schedule with their free places, full ones included.
    pub fn slots(&self, reg_id: &str) -> Option<Vec<(SlotRecord, u32)>> {
        let schedule = self.schedules.get(reg_id).filter(|schedule| schedule.open())?;
        Some(schedule.record.slots.iter().enumerate().map(|(at, slot)| (slot.clone(), schedule.free_at(at))).collect())
    }

    /// The order under this `ORDER_ID`.
    pub fn order(&self, order_id: &str) -> Option<&OrderRecord> {
        self.orders.get(order_id)
    }

    /// The first time of the schedule that has a free place.
    pub fn first_free(&self, reg_id: &str) -> Option<TimeSlot> {
        self.slots(reg_id)?.into_iter().find(|(_, free)| *free > 0).map(|(slot, _)| slot.slot)
    }

    /// The live ordinary bookings of a channel in a schedule, in order of their ids.
    pub fn ordinary(&self, reg_id: &str, channel: &str) -> Vec<String> {
        let Some(schedule) = self.schedules.get(reg_id) else { return Vec::new() };
        let theirs = |id: &&String| self.orders.get(*id).is_some_and(|it| it.ordinary && it.channel == channel);
        let mut ids: Vec<String> = schedule.patients.values().filter(theirs).cloned().collect();
        ids.sort();
        ids
    }

    /// How many bookings the schedule ever had.
    pub fn serials(&self, reg_id: &str) -> u32 {
        self.schedules.get(reg_id).map_or(0, |schedule| schedule.record.serials)
    }

    /// The id of the next push.
    pub fn next_push_id(&self) -> u64 {
        self.pushes.last_key_value().map_or(1, |(id, _)| id + 1)
    }

    /// Puts a push into the books, over what stood under its id, and into the agenda if it waits.
    pub fn put_push(&mut self, push: PushRecord) {
        let mut agenda = self.agenda.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = self.pushes.get(&push.id) {
            agenda.remove(&(before.due_at, before.id));
        }
        if push.state == PushState::Waiting {
            agenda.insert((push.due_at, push.id));
        }
        drop(agenda);
        self.marks.insert(Mark::Push(push.id));
        self.pushes.insert(push.id, push);
    }

    /// The earliest push that is due.
    pub fn due_push(&self, now: DateTime<Utc>) -> Option<PushRecord> {
        let agenda = self.agenda.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, id) = agenda.first().filter(|(due, _)| *due <= now)?;
        self.pushes.get(id).cloned()
    }

    /// Who did not come.
    pub fn breaches(&self) -> impl Iterator<Item = &BreachRecord> {
        self.breaches.values()
    }

    /// Writes down that somebody did not come; none takes it back.
    pub fn set_breach(&mut self, his_order_id: &str, breach: Option<BreachRecord>) {
        match breach {
            Some(breach) => drop(self.breaches.insert(his_order_id.to_owned(), breach)),
            None => drop(self.breaches.remove(his_order_id)),
        }
    }

    /// The lock under this `LOCK_ID`.
    pub fn lock_record(&self, lock_id: &str) -> Option<&LockRecord> {
        self.locks.get(lock_id)
    }

    /// All locks.
    pub fn locks(&self) -> impl Iterator<Item = &LockRecord> {
        self.locks.values()
    }

    /// All orders.
    pub fn orders(&self) -> impl Iterator<Item = &OrderRecord> {
        self.orders.values()
    }

    /// Puts an order over what stood under its id; places and patients follow.
    pub fn overwrite_order(&mut self, order: OrderRecord) {
        let live = |order: &OrderRecord| order.state == OrderState::Booked;
        if let Some(before) = self.orders.get(&order.order_id).filter(|before| live(before)).cloned() {
            self.with_slot(&before.reg_id, &before.slot, |schedule, at| {
                lower(&mut schedule.booked, at);
                schedule.patients.remove(&before.patient);
            });
        }
        if live(&order) {
            self.with_slot(&order.reg_id, &order.slot, |schedule, at| {
                raise(&mut schedule.booked, at);
                schedule.patients.insert(order.patient.clone(), order.order_id.clone());
            });
        }
        self.marks.insert(Mark::Order(order.order_id.clone()));
        self.orders.insert(order.order_id.clone(), order);
    }

    /// Loses an order from memory; a server that begins anew has it again.
    pub fn forget_order(&mut self, order_id: &str) {
        let Some(order) = self.orders.get(order_id).cloned() else { return };
        self.overwrite_order(OrderRecord { state: OrderState::Cancelled, ..order });
        self.orders.remove(order_id);
    }

    /// Puts a live lock into the books.
    pub fn put_lock(&mut self, lock: LockRecord) {
        self.expiries.insert((lock.expires_at, lock.lock_id.clone()));
        self.with_slot(&lock.reg_id, &lock.slot, |schedule, at| raise(&mut schedule.held, at));
        self.marks.insert(Mark::Lock(lock.lock_id.clone()));
        self.locks.insert(lock.lock_id.clone(), lock);
    }

    fn with_slot<T>(
        &mut self,
        reg_id: &str,
        slot: &TimeSlot,
        act: impl FnOnce(&mut Schedule, usize) -> T,
    ) -> Option<T> {
        let schedule = self.schedules.get_mut(reg_id)?;
        let at = schedule.at(slot)?;
        Some(act(schedule, at))
    }
}

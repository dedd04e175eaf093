//! The simulated HIS over real HTTP by the real client, each call stretched to exactly so long; counts what it is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta, Utc};
use chrono_tz::Asia::Shanghai;
use houbu::ports::CallError;
use houbu::ports::his::{
    BookRequest, Booking, Cancelling, His, HisSchedule, JiankangtongHis, Lock, OpenSlot, Order, PaidWith, Place,
};
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::Level;
use houbu::sandbox::outside::{Outside, SandboxClock};
use tokio::time::Instant;

/// How long every call takes.
pub const LATENCY: Duration = Duration::from_millis(50);

/// See the module.
pub struct Stretched {
    client: JiankangtongHis,
    told: Mutex<Told>,
}

/// What was asked so far.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Calls by name.
    pub calls: BTreeMap<&'static str, usize>,
    /// The most calls at one time.
    pub most: usize,
    /// How long all calls took together.
    pub took: Duration,
    in_hand: usize,
}

/// A simulated outside world without faults, whose clock runs with ours.
pub async fn sandbox() -> Outside {
    let clock = SandboxClock::at(Utc::now());
    clock.run(TimeDelta::zero());
    Outside::start(7, Level::None, Shanghai, Store::in_memory(), clock).await.unwrap()
}

impl Stretched {
    pub fn new(outside: &Outside) -> Arc<Self> {
        let config = houbu::ports::his::Config { timeout: Duration::from_secs(5), ..outside.his_config() };
        Arc::new(Self { client: JiankangtongHis::new(config).unwrap(), told: Mutex::default() })
    }

    pub fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Counts from here on.
    pub fn forget(&self) {
        *self.told.lock().unwrap() = Told::default();
    }

    async fn stretch<T>(&self, name: &'static str, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        {
            let mut told = self.told.lock().unwrap();
            *told.calls.entry(name).or_default() += 1;
            told.in_hand += 1;
            told.most = told.most.max(told.in_hand);
        }
        let answer = call.await;
        tokio::time::sleep_until(began + LATENCY).await;
        let mut told = self.told.lock().unwrap();
        told.in_hand -= 1;
        told.took += began.elapsed();
        answer
    }
}

#[async_trait]
impl His for Stretched {
    async fn schedules(
        &self,
        department_id: &str,
        doctor_id: Option<&str>,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError> {
        self.stretch("2003", self.client.schedules(department_id, doctor_id, from, to)).await
    }
    async fn open_slots(&self, reg_id: &str, visit_date: NaiveDate) -> Result<Vec<OpenSlot>, CallError> {
        self.stretch("2004", self.client.open_slots(reg_id, visit_date)).await
    }
    async fn lock(&self, lock_id: &str, place: &Place, minutes: u32) -> Result<Lock, CallError> {
        self.stretch("2013", self.client.lock(lock_id, place, minutes)).await
    }
    async fn unlock(&self, lock_id: &str) -> Result<(), CallError> {
        self.stretch("2006", self.client.unlock(lock_id)).await
    }
    async fn book(&self, request: &BookRequest) -> Result<Booking, CallError> {
        self.stretch("2007", self.client.book(request)).await
    }
    async fn cancel(&self, order_id: &str, reason: &str) -> Result<Cancelling, CallError> {
        self.stretch("2009", self.client.cancel(order_id, reason)).await
    }
    async fn refund(&self, order_id: &str, refund: &PaidWith) -> Result<(), CallError> {
        self.stretch("2010", self.client.refund(order_id, refund)).await
    }
    async fn order(&self, order_id: &str) -> Result<Order, CallError> {
        self.stretch("2012", self.client.order(order_id)).await
    }
}

//! The real client of HIS with wishes granted: nobody answers for a while, HIS has not read a booking yet when it is
//! asked about it, says "taken" of a booking that it has, or refuses one, or a lock, with a code of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::NaiveDate;
use futures::future::BoxFuture;
use houbu::ports::CallError;
use houbu::ports::his::{
    BookRequest, Booking, Cancelling, His, HisSchedule, Holding, ListedBreach, ListedLock, ListedOrder, Lock, OpenSlot,
    Order, Page, PaidWith, Place, TimeSlot,
};

/// HIS as the steps see it.
pub struct Line {
    client: Arc<dyn His>,
    cut: AtomicBool,
    in_vain: AtomicUsize,
    asks_too_early: AtomicBool,
    says_taken: AtomicBool,
    refuses: Mutex<Option<&'static str>>,
    refuses_lock: Mutex<Option<&'static str>>,
    refuses_locks: AtomicBool,
    before_second_page: Mutex<Option<Deed>>,
}

type Deed = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

impl Line {
    pub fn new(client: Arc<dyn His>) -> Self {
        let no = AtomicBool::default;
        Self {
            client,
            cut: no(),
            in_vain: AtomicUsize::default(),
            asks_too_early: no(),
            says_taken: no(),
            refuses: Mutex::default(),
            refuses_lock: Mutex::default(),
            refuses_locks: no(),
            before_second_page: Mutex::default(),
        }
    }

    /// While the line is cut, nothing reaches HIS.
    pub fn cut(&self, so: bool) {
        self.cut.store(so, Ordering::SeqCst);
    }

    /// How many calls found the line cut.
    pub fn in_vain(&self) -> usize {
        self.in_vain.load(Ordering::SeqCst)
    }

    /// The next question about a booking comes before the booking itself has been read, and the booking that follows is
    /// answered "taken" because that place has just gone: to its own first attempt.
    pub fn loses_a_race_with_itself(&self) {
        self.asks_too_early.store(true, Ordering::SeqCst);
        self.says_taken.store(true, Ordering::SeqCst);
    }

    /// The next booking is refused with this code.
    pub fn refuses_a_booking(&self, code: &'static str) {
        *self.refuses.lock().unwrap() = Some(code);
    }

    /// The deed, once, when the second page of a list of breaches is about to be read.
    pub fn before_the_second_page(&self, deed: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        *self.before_second_page.lock().unwrap() = Some(Box::new(deed));
    }

    /// The next lock is refused with this code.
    pub fn refuses_a_lock(&self, code: &'static str) {
        *self.refuses_lock.lock().unwrap() = Some(code);
    }

    /// Every lock is refused from now on, of places that HIS says are free.
    pub fn refuses_locks(&self) {
        self.refuses_locks.store(true, Ordering::SeqCst);
    }

    fn client(&self) -> Result<&dyn His, CallError> {
        if self.cut.load(Ordering::SeqCst) {
            self.in_vain.fetch_add(1, Ordering::SeqCst);
            return Err(CallError::NotTaken { system: "his", detail: "the line is cut".to_owned() });
        }
        Ok(self.client.as_ref())
    }
}

#[async_trait]
impl His for Line {
    async fn schedules(
        &self,
        department_id: &str,
        doctor_id: Option<&str>,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError> {
        self.client()?.schedules(department_id, doctor_id, from, to).await
    }

    async fn open_slots(&self, reg_id: &str, visit_date: NaiveDate) -> Result<Vec<OpenSlot>, CallError> {
        self.client()?.open_slots(reg_id, visit_date).await
    }

    async fn lock(&self, lock_id: &str, place: &Place, minutes: u32) -> Result<Lock, CallError> {
        if let Some(code) = self.refuses_lock.lock().unwrap().take() {
            return Ok(Lock::Refused { code: code.to_owned() });
        }
        if self.refuses_locks.load(Ordering::SeqCst) {
            return Ok(Lock::Refused { code: "200501".to_owned() });
        }
        self.client()?.lock(lock_id, place, minutes).await
    }

    async fn unlock(&self, lock_id: &str) -> Result<(), CallError> {
        self.client()?.unlock(lock_id).await
    }

    async fn book(&self, request: &BookRequest) -> Result<Booking, CallError> {
        if let Some(code) = self.refuses.lock().unwrap().take() {
            return Ok(Booking::Refused { code: code.to_owned() });
        }
        let answer = self.client()?.book(request).await?;
        let known = matches!(answer, Booking::Exists);
        Ok(if known && self.says_taken.swap(false, Ordering::SeqCst) { Booking::Taken } else { answer })
    }

    async fn cancel(&self, order_id: &str, reason: &str) -> Result<Cancelling, CallError> {
        self.client()?.cancel(order_id, reason).await
    }

    async fn refund(&self, order_id: &str, refund: &PaidWith) -> Result<(), CallError> {
        self.client()?.refund(order_id, refund).await
    }

    async fn time_of(&self, order_id: &str) -> Result<Option<TimeSlot>, CallError> {
        self.client()?.time_of(order_id).await
    }

    fn holds_for(&self) -> Option<u32> {
        self.client.holds_for()
    }

    fn told_apart(&self) -> bool {
        self.client.told_apart()
    }

    fn cares_for_locks(&self) -> bool {
        self.client.cares_for_locks()
    }

    async fn renew(&self, lock_id: &str, minutes: u32) -> Result<Holding, CallError> {
        self.client()?.renew(lock_id, minutes).await
    }

    async fn lock_standing(&self, lock_id: &str) -> Result<Holding, CallError> {
        self.client()?.lock_standing(lock_id).await
    }

    async fn orders_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedOrder>, CallError> {
        self.client()?.orders_of(day, page).await
    }

    async fn locks_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedLock>, CallError> {
        self.client()?.locks_of(day, page).await
    }

    async fn breaches_of(&self, day: NaiveDate, page: u32) -> Result<Page<ListedBreach>, CallError> {
        let deed = if page == 2 { self.before_second_page.lock().unwrap().take() } else { None };
        if let Some(deed) = deed {
            deed().await;
        }
        self.client()?.breaches_of(day, page).await
    }

    async fn order(&self, order_id: &str) -> Result<Order, CallError> {
        if self.asks_too_early.swap(false, Ordering::SeqCst) {
            return Ok(Order::Unknown);
        }
        self.client()?.order(order_id).await
    }
}

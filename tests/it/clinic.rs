//! A clinic with one doctor, two full schedules and an outside world that obliges.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Asia::Shanghai;
use houbu::desk::apply::{Applied, Apply, Origin, PayType};
use houbu::desk::{Desk, DeskError};
use houbu::engine::Engine;
use houbu::engine::clock;
use houbu::ports::CallError;
use houbu::ports::his::{
    BookRequest, Booking, Cancelling, DayPart, His, HisSchedule, Lock, OpenSlot, Order, PaidWith, Place, ScheduleState,
    TimeSlot, Visit,
};
use houbu::ports::payments::{
    Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, Payment, Payments, Refund, RefundRequest, RefundSaid,
};
use houbu::records::{patients, schedules};
use houbu::waitlist::cipher::{Keyring, LookupKey};
use houbu::waitlist::policy::{Level, LevelPolicy};
use houbu::workflows::{self, Ports};
use sqlx::PgPool;

use crate::cluster::Database;

pub(crate) const HOSPITAL: &str = "h001";

/// An outside world that does whatever it is asked.
#[derive(Default)]
struct Obliging {
    closed: Mutex<HashSet<String>>,
}

#[async_trait::async_trait]
impl His for Obliging {
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
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        Ok(vec![OpenSlot { slot: TimeSlot::new(at(8, 30), at(9, 0)), remaining: 1 }])
    }
    async fn lock(&self, _: &str, place: &Place, _: u32) -> Result<Lock, CallError> {
        Ok(Lock::Held { until: place.visit_date.and_time(NaiveTime::MIN).and_utc() })
    }
    async fn unlock(&self, _: &str) -> Result<(), CallError> {
        Ok(())
    }
    async fn book(&self, _: &BookRequest) -> Result<Booking, CallError> {
        Ok(Booking::Booked(Visit { his_order_id: "H1".to_owned(), serial: "7".to_owned(), place: "3F".to_owned() }))
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

#[async_trait::async_trait]
impl Payments for Obliging {
    async fn open(&self, order: &OrderRequest) -> Result<Opened, CallError> {
        Ok(Opened::Ready { prepay_id: format!("prepay-{}", order.out_trade_no) })
    }
    async fn order(&self, out_trade_no: &str) -> Result<Payment, CallError> {
        let closed = self.closed.lock().unwrap().contains(out_trade_no);
        Ok(if closed { Payment::Closed } else { Payment::Open })
    }
    async fn close(&self, out_trade_no: &str) -> Result<(), CallError> {
        self.closed.lock().unwrap().insert(out_trade_no.to_owned());
        Ok(())
    }
    async fn refund(&self, _: &RefundRequest) -> Result<RefundSaid, CallError> {
        Ok(RefundSaid::of_nothing(Refund::Success))
    }
    async fn refund_status(&self, _: &str) -> Result<RefundSaid, CallError> {
        Ok(RefundSaid::of_nothing(Refund::Success))
    }
    /// The body is the notice, the signature a word.
    fn notice(&self, headers: &NoticeHeaders, body: &[u8], _: DateTime<Utc>) -> Result<Notice, NoticeError> {
        if headers.signature != "good" {
            return Err(NoticeError::Signature);
        }
        serde_json::from_slice(body).map_err(|_| NoticeError::Body("not a notice"))
    }
    fn client_parameters(&self, prepay_id: &str, _: DateTime<Utc>) -> serde_json::Value {
        serde_json::json!({ "package": format!("prepay_id={prepay_id}") })
    }
}

/// A hospital with one full schedule tomorrow, and so many patients.
pub(crate) struct Clinic {
    pub(crate) desk: Arc<Desk>,
    pub(crate) pool: PgPool,
    db: Database,
}

impl Clinic {
    pub(crate) async fn with(patients: usize, doctor: LevelPolicy) -> Self {
        let db = Database::new().await;
        let pool = db.pool.clone();
        clock::set(&pool, Utc.with_ymd_and_hms(2026, 3, 2, 1, 0, 0).unwrap()).await.unwrap();
        let outside = Arc::new(Obliging::default());
        let secret = |digit: &str| secrecy::SecretString::from(digit.repeat(64));
        let lookup = Arc::new(LookupKey::new(&secret("2")).unwrap());
        let ports = Arc::new(Ports {
            lookup: Arc::clone(&lookup),
            schedule_days_ahead: 8,
            hospital: HOSPITAL.to_owned(),
            tz: Shanghai,
            working_days: houbu::app::calendar::shipped().unwrap(),
            pool: pool.clone(),
            keyring: Keyring::new(&secret("1"), &[]).unwrap(),
            his: Arc::clone(&outside) as _,
            payments: outside,
            template_ids: BTreeMap::new(),
            routes: houbu::waitlist::route::Routes::new(true, false, false),
            sms: None,
        });
        let engine = Engine::new(pool.clone(), HOSPITAL, workflows::registry(&ports));
        let desk = Arc::new(Desk::new(engine, ports, lookup).reserving(["all", "weak"].map(str::to_owned)));
        let hospital = Self { desk, pool, db };
        hospital.furnish(patients, doctor).await;
        hospital
    }

    async fn furnish(&self, how_many: usize, doctor: LevelPolicy) {
        let mut conn = self.pool.acquire().await.unwrap();
        schedules::put_department(&mut conn, HOSPITAL, ("c1", "Main"), ("d1", "Eyes")).await.unwrap();
        let at = clock::now(&self.pool).await.unwrap();
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
        let told = [full("S1", day(4)), full("S2", day(5))];
        schedules::mirror(&mut conn, HOSPITAL, "d1", &told, at).await.unwrap();
        self.desk.put_policy(Level::Doctor, "doc1", &doctor).await.unwrap();
        for nth in 0..how_many {
            let (id, person) = (format!("p{nth}"), format!("person {nth}"));
            let put = patients::Put {
                id: &id,
                id_type: "1",
                id_hash: person.as_bytes(),
                sealed: b"sealed",
                masked: &serde_json::json!({}),
            };
            patients::put(&self.pool, HOSPITAL, &put).await.unwrap();
        }
    }

    /// HIS tells of more schedules of the same department.
    pub(crate) async fn told(&self, schedules: &[HisSchedule]) {
        let mut conn = self.pool.acquire().await.unwrap();
        let at = clock::now(&self.pool).await.unwrap();
        schedules::mirror(&mut conn, HOSPITAL, "d1", schedules, at).await.unwrap();
    }

    pub(crate) async fn apply(&self, key: Option<&str>, patient: &str, schedule: &str) -> Result<Applied, DeskError> {
        let apply = Apply { idempotency_key: key.map(str::to_owned), ..apply_to(patient, schedule) };
        let desk = Arc::clone(&self.desk);
        tokio::spawn(async move { desk.apply(&apply).await }).await.unwrap()
    }

    /// The desk of another program on the same database.
    pub(crate) fn second_desk(&self) -> Arc<Desk> {
        let Desk { engine, ports, lookup, .. } = &*self.desk;
        Arc::new(Desk::new(Arc::clone(engine), Arc::clone(ports), Arc::clone(lookup)))
    }

    pub(crate) fn url(&self) -> String {
        self.db.url()
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    pub(crate) async fn entries(&self) -> Vec<uuid::Uuid> {
        sqlx::query_scalar("select id from entry").fetch_all(&self.pool).await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.db.remove().await;
    }
}

/// A full schedule of the doctor.
pub(crate) fn full(id: &str, visit_date: NaiveDate) -> HisSchedule {
    HisSchedule {
        reg_id: id.to_owned(),
        department_id: "d1".to_owned(),
        doctor_id: "doc1".to_owned(),
        doctor_name: "Li".to_owned(),
        doctor_title: "Chief".to_owned(),
        visit_date,
        part: DayPart::Morning,
        state: ScheduleState::Open,
        total: 20,
        remaining: 0,
        fee_fen: 5000,
        timed: true,
    }
}

/// An application without a key.
pub(crate) fn apply_to(patient: &str, schedule: &str) -> Apply {
    Apply {
        idempotency_key: None,
        schedule_id: schedule.to_owned(),
        patient_id: patient.to_owned(),
        pay_type: PayType::SelfPay,
        latest_at: None,
        origin: Origin::default(),
        trace: None,
    }
}

//! Admission is exact: a cap of 200 admits 200 of 400 who apply at the same moment; the same key twice is one entry.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::Asia::Shanghai;
use futures::future::join_all;
use houbu::desk::apply::{Applied, Apply, PayType};
use houbu::desk::{Desk, DeskError};
use houbu::engine::clock;
use houbu::engine::worker::Engine;
use houbu::ports::CallError;
use houbu::ports::his::{
    BookRequest, Booking, DayPart, His, HisSchedule, Lock, OpenSlot, Order, PaidWith, Place, ScheduleState,
};
use houbu::ports::payments::{
    Notice, NoticeError, NoticeHeaders, Opened, OrderRequest, Payment, Payments, Refund, RefundRequest,
};
use houbu::postgres::{Options, Server};
use houbu::records::{patients, schedules};
use houbu::waitlist::cipher::{Keyring, LookupKey};
use houbu::waitlist::policy::{Level, LevelPolicy, Switch};
use houbu::waitlist::refusal::Refusal;
use houbu::workflows::{self, Ports};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const HOSPITAL: &str = "h001";

/// An outside world that is away: admission asks nobody.
struct Away;

fn away<T>() -> Result<T, CallError> {
    Err(CallError::NotTaken { system: "outside", detail: "away".to_owned() })
}

#[async_trait::async_trait]
impl His for Away {
    async fn schedules(
        &self,
        _: &str,
        _: Option<&str>,
        _: NaiveDate,
        _: NaiveDate,
    ) -> Result<Vec<HisSchedule>, CallError> {
        away()
    }
    async fn open_slots(&self, _: &str, _: NaiveDate) -> Result<Vec<OpenSlot>, CallError> {
        away()
    }
    async fn lock(&self, _: &str, _: &Place, _: u32) -> Result<Lock, CallError> {
        away()
    }
    async fn unlock(&self, _: &str) -> Result<(), CallError> {
        away()
    }
    async fn book(&self, _: &BookRequest) -> Result<Booking, CallError> {
        away()
    }
    async fn cancel(&self, _: &str, _: &str) -> Result<(), CallError> {
        away()
    }
    async fn refund(&self, _: &str, _: &PaidWith) -> Result<(), CallError> {
        away()
    }
    async fn order(&self, _: &str) -> Result<Order, CallError> {
        away()
    }
}

#[async_trait::async_trait]
impl Payments for Away {
    async fn open(&self, _: &OrderRequest) -> Result<Opened, CallError> {
        away()
    }
    async fn order(&self, _: &str) -> Result<Payment, CallError> {
        away()
    }
    async fn close(&self, _: &str) -> Result<(), CallError> {
        away()
    }
    async fn refund(&self, _: &RefundRequest) -> Result<Refund, CallError> {
        away()
    }
    async fn refund_status(&self, _: &str) -> Result<Refund, CallError> {
        away()
    }
    fn notice(&self, _: &NoticeHeaders, _: &[u8], _: DateTime<Utc>) -> Result<Notice, NoticeError> {
        Err(NoticeError::Signature)
    }
    fn client_parameters(&self, _: &str, _: DateTime<Utc>) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// A hospital with one full schedule tomorrow, and so many patients.
struct Hospital {
    desk: Arc<Desk>,
    pool: PgPool,
    server: Server,
}

impl Hospital {
    async fn open(patients: usize, doctor: LevelPolicy) -> Self {
        let server = tokio::task::spawn_blocking(|| Server::start(&Options::throwaway())).await.unwrap().unwrap();
        server.create_database("houbu").await.unwrap();
        let pool =
            PgPoolOptions::new().max_connections(60).connect_with(server.connect_options("houbu")).await.unwrap();
        sqlx::migrate!().run(&pool).await.unwrap();
        clock::set(&pool, Utc.with_ymd_and_hms(2026, 3, 2, 1, 0, 0).unwrap()).await.unwrap();
        let secret = |digit: &str| secrecy::SecretString::from(digit.repeat(64));
        let ports = Arc::new(Ports {
            hospital: HOSPITAL.to_owned(),
            tz: Shanghai,
            sync_at: "0 0 * * * *".parse().unwrap(),
            pool: pool.clone(),
            keyring: Keyring::new(&secret("1"), &[]).unwrap(),
            his: Arc::new(Away),
            payments: Arc::new(Away),
        });
        let engine = Engine::new(pool.clone(), HOSPITAL, workflows::registry(&ports));
        let desk = Arc::new(Desk { engine, ports, lookup: Arc::new(LookupKey::new(&secret("2")).unwrap()) });
        let hospital = Self { desk, pool, server };
        hospital.furnish(patients, doctor).await;
        hospital
    }

    async fn furnish(&self, how_many: usize, doctor: LevelPolicy) {
        let mut conn = self.pool.acquire().await.unwrap();
        schedules::put_department(&mut conn, HOSPITAL, ("c1", "Main"), ("d1", "Eyes")).await.unwrap();
        let at = clock::now(&self.pool).await.unwrap();
        let told = ["S1", "S2"].map(|id| HisSchedule {
            reg_id: id.to_owned(),
            department_id: "d1".to_owned(),
            doctor_id: "doc1".to_owned(),
            doctor_name: "Li".to_owned(),
            doctor_title: "Chief".to_owned(),
            visit_date: NaiveDate::from_ymd_opt(2026, 3, if id == "S1" { 4 } else { 5 }).unwrap(),
            part: DayPart::Morning,
            state: ScheduleState::Open,
            total: 20,
            remaining: 0,
            fee_fen: 0,
        });
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

    async fn apply(&self, key: Option<&str>, patient: &str, schedule: &str) -> Result<Applied, DeskError> {
        let apply = Apply {
            idempotency_key: key.map(str::to_owned),
            schedule_id: schedule.to_owned(),
            patient_id: patient.to_owned(),
            pay_type: PayType::SelfPay,
            latest_at: None,
        };
        let desk = Arc::clone(&self.desk);
        tokio::spawn(async move { desk.apply(&apply).await }).await.unwrap()
    }

    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    async fn close(mut self) {
        self.pool.close().await;
        tokio::task::spawn_blocking(move || self.server.stop()).await.unwrap();
    }
}

fn open_to(cap: u32) -> LevelPolicy {
    LevelPolicy { switch: Switch::On, cap: Some(cap), ..LevelPolicy::default() }
}

fn refusal(result: Result<Applied, DeskError>) -> Refusal {
    match result {
        Err(DeskError::Refused(refusal)) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_hundred_at_once_fill_a_cap_of_two_hundred_exactly() {
    let hospital = Hospital::open(400, open_to(200)).await;
    let patients: Vec<String> = (0..400).map(|nth| format!("p{nth}")).collect();
    // Every second one wants the other schedule of the same doctor: the cap is the doctor's.
    let applying = patients
        .iter()
        .enumerate()
        .map(|(nth, patient)| hospital.apply(Some(patient), patient, if nth % 2 == 0 { "S1" } else { "S2" }));
    let results = join_all(applying).await;
    let admitted = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(admitted, 200);
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(result), Refusal::QueueFull { level: Level::Doctor });
    }
    let live = "select live::bigint from capacity where level = 'doctor' and id = 'doc1'";
    assert_eq!(hospital.count(live).await, 200);
    assert_eq!(hospital.count("select count(*) from entry where live").await, 200);
    assert_eq!(hospital.count("select count(*) from run where workflow = 'waitlist_application'").await, 200);
    assert_eq!(hospital.count("select count(*) from run where workflow = 'slot_release'").await, 2);
    assert_eq!(hospital.count("select count(*) from outbox").await, 200);
    hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_key_is_the_same_entry_however_often_and_at_once() {
    let hospital = Hospital::open(3, open_to(200)).await;
    let results = join_all((0..24).map(|_| hospital.apply(Some("key"), "p0", "S1"))).await;
    let applied: Vec<Applied> = results.into_iter().map(Result::unwrap).collect();
    let ids: HashSet<_> = applied.iter().map(|applied| applied.entry.shown.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(applied.iter().filter(|applied| applied.new).count(), 1);
    assert_eq!(hospital.count("select count(*) from entry").await, 1);
    // The key of one request cannot be that of another, even at the same moment.
    let others = join_all([
        hospital.apply(Some("key"), "p0", "S2"),
        hospital.apply(Some("key"), "p1", "S1"),
        hospital.apply(Some("new"), "p1", "S1"),
        hospital.apply(Some("new"), "p2", "S1"),
    ])
    .await;
    let reused = others.iter().filter(|result| matches!(result, Err(DeskError::KeyReused))).count();
    assert_eq!((reused, others.iter().filter(|result| result.is_ok()).count()), (3, 1));
    hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_person_has_one_entry_a_schedule() {
    let hospital = Hospital::open(1, open_to(200)).await;
    let results = join_all((0..8).map(|_| hospital.apply(None, "p0", "S1"))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(result), Refusal::DuplicateApplication);
    }
    assert_eq!(hospital.count("select live::bigint from capacity where level = 'campus'").await, 1);
    // A second account with the same ID card is the same person.
    let put = patients::Put {
        id: "twin",
        id_type: "1",
        id_hash: b"person 0",
        sealed: b"sealed",
        masked: &serde_json::json!({}),
    };
    patients::put(&hospital.pool, HOSPITAL, &put).await.unwrap();
    assert_eq!(refusal(hospital.apply(None, "twin", "S1").await), Refusal::DuplicateApplication);
    assert_eq!(refusal(hospital.apply(None, "nobody", "S1").await), Refusal::UnknownPatient);
    assert_eq!(refusal(hospital.apply(None, "p0", "S9").await), Refusal::UnknownSchedule);
    // At 18:00:00 on the day before, the queue is closed.
    clock::set(&hospital.pool, Utc.with_ymd_and_hms(2026, 3, 4, 9, 59, 59).unwrap()).await.unwrap();
    hospital.apply(None, "p0", "S2").await.unwrap();
    clock::set(&hospital.pool, Utc.with_ymd_and_hms(2026, 3, 4, 10, 0, 0).unwrap()).await.unwrap();
    assert_eq!(refusal(hospital.apply(None, "twin", "S2").await), Refusal::PastCutoff);
    hospital.close().await;
}

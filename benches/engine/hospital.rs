//! A hospital at work for one figure: its database, full schedules, patients, the desk behind its HTTP surface, a worker
//! as `houbu serve` has it. Whoever stands outside is handed in.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Asia::Shanghai;
use houbu::console::access::Settings;
use houbu::desk::Desk;
use houbu::desk::apply::{Apply, Origin, PayType};
use houbu::engine::limits::Limits;
use houbu::engine::outbox::Outlets;
use houbu::engine::worker::{self, Worker};
use houbu::engine::{Engine, clock};
use houbu::http::Surface;
use houbu::http::addresses::Addresses;
use houbu::http::auth::ApiKey;
use houbu::ports::his::{Credentials, DayPart, His, HisSchedule, PushReader, ScheduleState};
use houbu::ports::messages::Messages;
use houbu::ports::payments::Payments;
use houbu::records::{patients::Person, schedules};
use houbu::waitlist::cipher::{Keyring, LookupKey};
use houbu::waitlist::policy::{Level, LevelPolicy};
use houbu::waitlist::working_days::WorkingDays;
use houbu::workflows::{self, Ports, notices};
use secrecy::SecretString;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::ground::{Ground, TENANT};

/// The key of the backend service that asks.
pub const KEY: &str = "the-key-of-the-benchmarks-only";
/// One department; every schedule has a doctor of its own, so that a doctor's cap is a schedule's.
const DEPARTMENT: &str = "D1";
/// What a visit costs, 分.
pub const FEE_FEN: i64 = 5_000;
/// Sealed with it, and good for nothing else.
pub const SEALING: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub const LOOKUP: &str = "2222222222222222222222222222222222222222222222222222222222222222";
/// Patients of one insert.
const PATIENTS_AT_ONCE: usize = 5_000;

/// Who is called.
#[derive(Clone)]
pub struct Outside {
    pub his: Arc<dyn His>,
    pub payments: Arc<dyn Payments>,
    pub messages: Arc<dyn Messages>,
}

/// See the module.
pub struct Hospital {
    pub pool: PgPool,
    pub desk: Arc<Desk>,
    pub engine: Arc<Engine>,
    outside: Outside,
}

/// The HTTP surface on a port of its own.
pub struct Door {
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Hospital {
    /// An empty hospital on a fresh database.
    pub async fn open(ground: &Ground, outside: Outside, limits: BTreeMap<&'static str, Limits>) -> Self {
        Self::on(ground.database().await, outside, limits)
    }

    /// The hospital of this database.
    pub fn on(pool: PgPool, outside: Outside, limits: BTreeMap<&'static str, Limits>) -> Self {
        let lookup = Arc::new(LookupKey::new(&SecretString::from(LOOKUP)).unwrap());
        let ports = Arc::new(Ports {
            lookup: Arc::clone(&lookup),
            schedule_days_ahead: 8,
            hospital: TENANT.to_owned(),
            tz: Shanghai,
            working_days: WorkingDays::default(),
            pool: pool.clone(),
            keyring: keyring(),
            his: Arc::clone(&outside.his),
            payments: Arc::clone(&outside.payments),
            template_ids: BTreeMap::new(),
            routes: houbu::waitlist::route::Routes::new(true, false, false),
            sms: None,
        });
        let engine = Engine::with_limits(pool.clone(), TENANT, workflows::registry(&ports), limits);
        let desk = Arc::new(Desk::new(Arc::clone(&engine), ports, lookup));
        Self { pool, desk, engine, outside }
    }

    /// Full schedules of this day, each of a doctor with this policy.
    pub async fn furnish(&self, ids: &[String], visit_date: NaiveDate, policy: &LevelPolicy) {
        let mut conn = self.pool.acquire().await.unwrap();
        schedules::put_department(&mut conn, TENANT, ("C1", "本部"), (DEPARTMENT, "内科")).await.unwrap();
        let told: Vec<HisSchedule> = ids.iter().map(|id| full_schedule(id, visit_date, 20)).collect();
        let at = clock::now(&self.pool).await.unwrap();
        schedules::mirror(&mut conn, TENANT, DEPARTMENT, &told, at).await.unwrap();
        for schedule in told {
            self.desk.put_policy(Level::Doctor, &schedule.doctor_id, policy).await.unwrap();
        }
    }

    /// Patients `p0`, `p1`, …, as `PUT /v1/patients` stores them.
    pub async fn patients(&self, how_many: usize) {
        let keyring = keyring();
        for from in (0..how_many).step_by(PATIENTS_AT_ONCE) {
            let ids: Vec<String> = (from..how_many.min(from + PATIENTS_AT_ONCE)).map(|nth| format!("p{nth}")).collect();
            let sealed: Vec<Vec<u8>> = ids.iter().map(|id| seal(&keyring, id)).collect();
            let hashes: Vec<&[u8]> = ids.iter().map(String::as_bytes).collect();
            sqlx::query(
                "insert into patient (hospital, id, id_type, id_hash, sealed, masked)
                 select $1, t.id, '5', sha256(t.hash), t.sealed, '{\"name\": \"患*\"}'::jsonb
                 from unnest($2::text[], $3::bytea[], $4::bytea[]) as t (id, hash, sealed)",
            )
            .bind(TENANT)
            .bind(&ids)
            .bind(&hashes)
            .bind(&sealed)
            .execute(&self.pool)
            .await
            .unwrap();
        }
        sqlx::query("analyze patient").execute(&self.pool).await.unwrap();
    }

    /// Plans are made anew for tables as they are now.
    pub async fn analyze(&self) {
        sqlx::query("analyze").execute(&self.pool).await.unwrap();
    }

    /// The patient of this number joins a queue, not over HTTP.
    pub async fn apply(&self, patient: usize, schedule_id: &str) {
        let apply = Apply {
            idempotency_key: None,
            schedule_id: schedule_id.to_owned(),
            patient_id: format!("p{patient}"),
            pay_type: PayType::SelfPay,
            latest_at: None,
            origin: Origin::default(),
            trace: None,
        };
        self.desk.apply(&apply).await.unwrap();
    }

    /// A worker with the defaults of the configuration, letters included.
    pub async fn worker(&self) -> Worker {
        let outlet = notices::NoticeOutlet::new(
            Arc::clone(&self.desk.ports),
            notices::Couriers::wechat(Arc::clone(&self.outside.messages)),
        );
        let options = worker::Options {
            outlets: Outlets::default().with_lane(notices::TOPIC, notices::LANE, Arc::new(outlet)),
            ..worker::Options::default()
        };
        worker::start(Arc::clone(&self.engine), options).await.unwrap()
    }

    /// Opens the surface as `houbu serve` does.
    pub async fn door(&self) -> Door {
        let scopes = ["waitlist", "runs", "admin"].map(str::to_owned);
        let credentials = Credentials {
            user_id: "HOUBU".to_owned(),
            sign_key: SecretString::from("bench-sign-key"),
            aes_key: SecretString::from("bench--aes--key!"),
        };
        let surface = Surface {
            desk: Arc::clone(&self.desk),
            his_pushes: Arc::new(PushReader::new(&credentials, "1001", Shanghai).unwrap()),
            payments: Arc::clone(&self.outside.payments),
            api_keys: vec![ApiKey::new("bench", &SecretString::from(KEY), &scopes).unwrap()],
            wechat_token: None,
            platform_key: None,
            addresses: Addresses::default(),
            rates: houbu::desk::access::rates::Rates::default(),
            console: Settings::default(),
            live: Arc::default(),
        };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = houbu::http::router(Arc::new(surface));
        Door { address, serving: tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }) }
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Returns when `query` answers `wanted`; a figure that takes longer than `most` has failed.
    pub async fn until(&self, query: &'static str, wanted: i64, most: Duration) {
        self.until_every(Duration::from_millis(10), query, wanted, most).await;
    }

    /// The same for a query that costs something: looks so often.
    pub async fn until_every(&self, look: Duration, query: &'static str, wanted: i64, most: Duration) {
        let began = Instant::now();
        loop {
            let count = self.count(query).await;
            if count == wanted {
                return;
            }
            assert!(began.elapsed() < most, "after {most:?} it is {count} and not {wanted}: {query}");
            tokio::time::sleep(look).await;
        }
    }

    pub async fn close(self) {
        self.pool.close().await;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A day that is far enough off for every rule.
pub fn visit_date() -> NaiveDate {
    (Utc::now() + TimeDelta::days(5)).with_timezone(&Shanghai).date_naive()
}

/// An instant of that day by the hospital's clock.
pub fn local(date: NaiveDate, hour: u32) -> DateTime<Utc> {
    date.and_hms_opt(hour, 0, 0).unwrap().and_local_timezone(Shanghai).unwrap().to_utc()
}

/// A morning without a free place.
pub fn full_schedule(id: &str, visit_date: NaiveDate, places: u32) -> HisSchedule {
    HisSchedule {
        reg_id: id.to_owned(),
        department_id: DEPARTMENT.to_owned(),
        doctor_id: format!("doctor-{id}"),
        doctor_name: format!("医生{id}"),
        doctor_title: "主任医师".to_owned(),
        visit_date,
        part: DayPart::Morning,
        state: ScheduleState::Open,
        total: places,
        remaining: 0,
        fee_fen: FEE_FEN,
        timed: true,
    }
}

fn keyring() -> Keyring {
    Keyring::new(&SecretString::from(SEALING), &[]).unwrap()
}

fn seal(keyring: &Keyring, id: &str) -> Vec<u8> {
    let person = Person {
        name: format!("患者{id}"),
        id_type: "5".to_owned(),
        id_number: format!("E{id}"),
        phone: "13800000000".to_owned(),
        openid: Some(format!("wx-{id}")),
        guardian: None,
    };
    keyring.seal(id, &serde_json::to_string(&person).unwrap()).unwrap().as_bytes().to_vec()
}

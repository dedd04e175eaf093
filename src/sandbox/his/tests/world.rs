//! A simulated HIS with one schedule, a client, and a clock that is moved by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::super::{HisServer, Options, ScheduleSeed};
use crate::ports::his::{
    Charset, Config, Credentials, DayPart, Functions, His, HisSchedule, Identity, LockedBy, OpenSlot, PaidBy, Place,
    Protocol, ScheduleState, TimeSlot, connect,
};
use crate::sandbox::Now;
use crate::sandbox::faults::{Faults, Level};

#[derive(Clone)]
pub(super) struct Clock(Arc<Mutex<DateTime<Utc>>>);

impl Clock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(at("2026-10-10T01:00:00Z"))))
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    pub(super) fn advance(&self, by: chrono::Duration) {
        *self.0.lock().unwrap() += by;
    }

    pub(super) fn source(&self) -> Now {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

pub(super) struct World {
    pub(super) his: HisServer,
    pub(super) client: Arc<dyn His>,
    /// One that keeps to v3.3; over FHIR, which is not that, the same as the other.
    pub(super) plain: Arc<dyn His>,
    pub(super) clock: Clock,
}

impl World {
    /// Without a schedule, without faults.
    pub(super) async fn start() -> Self {
        Self::speaking(Protocol::Jiankangtong).await
    }

    pub(super) async fn speaking(protocol: Protocol) -> Self {
        Self::with(protocol, Level::None, 0).await
    }

    /// A HIS of old that writes GBK, with the schedule R1.
    pub(super) async fn in_gbk() -> Self {
        let clock = Clock::new();
        let options = Options { charset: Charset::Gbk, ..Options::quiet(credentials(), clock.source()) };
        let his = HisServer::start(options).await.unwrap();
        his.add_schedule(seed("R1", 2)).await.unwrap();
        let client = connect(Config { charset: Charset::Gbk, ..config(his.url()) }).unwrap();
        Self { his, plain: Arc::clone(&client), client, clock }
    }

    /// With the schedule R1: two times of two places.
    pub(super) async fn open() -> Self {
        Self::open_in(Protocol::Jiankangtong).await
    }

    pub(super) async fn open_in(protocol: Protocol) -> Self {
        let world = Self::speaking(protocol).await;
        world.his.add_schedule(seed("R1", 2)).await.unwrap();
        world
    }

    pub(super) async fn with(protocol: Protocol, level: Level, seed: u64) -> Self {
        let clock = Clock::new();
        let mut options = Options::quiet(credentials(), clock.source());
        options.faults = Arc::new(Faults::new(level, seed));
        options.seed = seed;
        // Far longer than the client waits.
        options.slow = Duration::from_mins(10);
        let his = HisServer::start(options).await.unwrap();
        let client = connect(Config { protocol, ..config(his.url_for(protocol)) }).unwrap();
        let functions = Functions { lock: LockedBy::LockReg { minutes: 10 }, pay: PaidBy::PayReg };
        let plain = connect(Config { protocol, functions, ..config(his.url_for(protocol)) }).unwrap();
        Self { his, client, plain, clock }
    }
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn credentials() -> Credentials {
    config(String::new()).credentials()
}

pub(super) fn config(url: String) -> Config {
    Config {
        protocol: Protocol::Jiankangtong,
        charset: Charset::Utf8,
        url,
        hospital_id: "1001".into(),
        user_id: "HOUBU".into(),
        sign_key: "2098D32C4D1399EC".into(),
        aes_key: "0123456789abcdef".into(),
        channel_id: "1".into(),
        timeout: Duration::from_millis(900),
        time_zone: chrono_tz::Asia::Shanghai,
        oauth: None,
        cares_for_locks: true,
        functions: Functions::default(),
    }
}

fn slots(times: u32, places: u32) -> Vec<OpenSlot> {
    let time = |half_hours: u32| NaiveTime::from_hms_opt(8 + half_hours / 2, half_hours % 2 * 30, 0).unwrap();
    (0..times).map(|n| OpenSlot { slot: TimeSlot::new(time(n), time(n + 1)), remaining: places }).collect()
}

/// Two times with two places each.
pub(super) fn seed(reg_id: &str, places: u32) -> ScheduleSeed {
    seed_of_size(reg_id, 2, places.min(2))
}

pub(super) fn seed_of_size(reg_id: &str, times: u32, places: u32) -> ScheduleSeed {
    ScheduleSeed {
        campus_id: "C1".into(),
        schedule: HisSchedule {
            reg_id: reg_id.into(),
            department_id: "DEPT".into(),
            doctor_id: "D-7".into(),
            doctor_name: "李医生".into(),
            doctor_title: "主任医师".into(),
            visit_date: NaiveDate::from_ymd_opt(2026, 10, 12).unwrap(),
            part: DayPart::Morning,
            state: ScheduleState::Open,
            total: 0,
            remaining: 0,
            fee_fen: 5000,
            timed: true,
        },
        slots: slots(times, places),
    }
}

/// The nth time of R1.
pub(super) fn place(nth: usize) -> Place {
    let seed = seed("R1", 2);
    Place {
        reg_id: seed.schedule.reg_id,
        department_id: seed.schedule.department_id,
        doctor_id: seed.schedule.doctor_id,
        visit_date: seed.schedule.visit_date,
        part: seed.schedule.part,
        slot: seed.slots[nth].slot.clone(),
        fee_fen: seed.schedule.fee_fen,
    }
}

pub(super) fn identity(nth: u32) -> Identity {
    Identity {
        id_type: "1".into(),
        id_number: format!("11010119900307{nth:04}"),
        name: "张三 <&>".into(),
        phone: "13800000000".into(),
    }
}

//! The small world of every story: one campus, one department, two doctors, and schedules that are full.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Asia::Shanghai;
use houbu::ports::his::{DayPart, HisSchedule, OpenSlot, ScheduleState, TimeSlot};
use houbu::records::patients::{self, Person};
use houbu::records::{policies, schedules};
use houbu::sandbox::his::{HisServer, ScheduleSeed, channel};
use houbu::sandbox::wechat_messages::MessageServer;
use houbu::waitlist::cipher::Keyring;
use houbu::waitlist::policy::{Level, LevelPolicy};
use sqlx::PgPool;

/// The hospital that all rows belong to.
pub const HOSPITAL: &str = "H1";
pub const CAMPUS: &str = "C1";
pub const DEPARTMENT: &str = "D1";
/// The schedules: doctor W1's morning and afternoon, doctor W2's morning.
pub const SCHEDULES: [&str; 3] = ["w1-am", "w1-pm", "w2-am"];
/// What a visit costs, 分.
pub const FEE_FEN: i64 = 5_000;

/// When every story begins: 10:00 in Shanghai, three days before the visits.
pub fn opening() -> DateTime<Utc> {
    "2026-09-01T02:00:00Z".parse().unwrap()
}

/// The day of all visits.
pub fn visit_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 9, 4).unwrap()
}

/// An instant of a day by the hospital's clock.
pub fn local(day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
    let date = NaiveDate::from_ymd_opt(2026, 9, day).unwrap();
    date.and_hms_opt(hour, minute, 0).unwrap().and_local_timezone(Shanghai).unwrap().to_utc()
}

/// 18:00 on the day before the visits (R25).
pub fn cutoff() -> DateTime<Utc> {
    local(3, 18, 0)
}

fn slots(part: DayPart, places: u32) -> Vec<OpenSlot> {
    let hour = if part == DayPart::Morning { 8 } else { 14 };
    let at = |minutes: u32| NaiveTime::from_hms_opt(hour + minutes / 60, minutes % 60, 0).unwrap();
    [(0, 30), (30, 60)]
        .map(|(begins, ends)| OpenSlot { slot: TimeSlot::new(at(begins), at(ends)), remaining: places })
        .to_vec()
}

/// A schedule of another day.
pub fn schedule_on(id: &str, places: u32, visit_date: NaiveDate) -> ScheduleSeed {
    let mut seed = schedule(id, places);
    seed.schedule.visit_date = visit_date;
    seed
}

fn schedule(id: &str, places: u32) -> ScheduleSeed {
    let (doctor, part) = id.split_once('-').unwrap();
    let part = if part == "am" { DayPart::Morning } else { DayPart::Afternoon };
    ScheduleSeed {
        campus_id: CAMPUS.to_owned(),
        schedule: HisSchedule {
            reg_id: id.to_owned(),
            department_id: DEPARTMENT.to_owned(),
            doctor_id: doctor.to_uppercase(),
            doctor_name: format!("医生{doctor}"),
            doctor_title: "主任医师".to_owned(),
            visit_date: visit_date(),
            part,
            state: ScheduleState::Open,
            total: 2 * places,
            remaining: 0,
            fee_fen: FEE_FEN,
            timed: true,
        },
        slots: slots(part, places),
    }
}

/// Opens the schedules at HIS, lets the counter's patients book them full, and writes down what HIS says of them.
pub async fn furnish(pool: &PgPool, his: &HisServer, places: u32, policy: &LevelPolicy) {
    let seeds: Vec<ScheduleSeed> = SCHEDULES.iter().map(|id| schedule(id, places)).collect();
    let told: Vec<HisSchedule> = seeds.iter().map(|seed| seed.schedule.clone()).collect();
    his.add_schedules(seeds).await.unwrap();
    let fillings = SCHEDULES.iter().map(|id| ((*id).to_owned(), 2 * places, channel::WINDOW.to_owned())).collect();
    assert_eq!(his.fill_all(fillings).await.unwrap(), 3 * 2 * places);
    let mut conn = pool.acquire().await.unwrap();
    schedules::put_department(&mut conn, HOSPITAL, (CAMPUS, "本部"), (DEPARTMENT, "内科")).await.unwrap();
    schedules::mirror(&mut conn, HOSPITAL, DEPARTMENT, &told, opening()).await.unwrap();
    policies::put(&mut *conn, HOSPITAL, Level::Campus, CAMPUS, policy).await.unwrap();
}

/// What the sandbox calls the only time of a schedule that has none: whoever names hours there names others.
fn kept_by_nobody() -> TimeSlot {
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    TimeSlot::new(at(0), at(23))
}

/// One more full schedule, of one place, whose HIS keeps no times of day.
pub async fn furnish_half_day(pool: &PgPool, his: &HisServer, id: &str) {
    let mut seed = schedule(id, 1);
    seed.schedule.timed = false;
    seed.slots = vec![OpenSlot { slot: kept_by_nobody(), remaining: 1 }];
    let told = [seed.schedule.clone()];
    his.add_schedules(vec![seed]).await.unwrap();
    assert_eq!(his.fill_all(vec![(id.to_owned(), 1, channel::WINDOW.to_owned())]).await.unwrap(), 1);
    let mut conn = pool.acquire().await.unwrap();
    schedules::mirror(&mut conn, HOSPITAL, DEPARTMENT, &told, opening()).await.unwrap();
}

/// The id of the patient of this number.
pub fn patient_id(number: u32) -> String {
    format!("p{number}")
}

/// A receiver at WeChat for this number who follows the hospital.
pub fn openid(messages: &MessageServer, number: u32) -> String {
    (0..1000).map(|n| format!("wx-{number}-{n}")).find(|openid| messages.follows(openid)).unwrap()
}

/// Stores a patient whose document has this number. Two patients with one document are one person to HIS, though not
/// to us: we know persons by a hash that is not made of it here.
pub async fn put_patient(pool: &PgPool, keyring: &Arc<Keyring>, number: u32, document: u32, openid: String) {
    let id = patient_id(number);
    let person = Person {
        name: format!("患者{number}"),
        id_type: "5".to_owned(),
        id_number: format!("E{document:07}"),
        phone: format!("1380000{:04}", number % 10_000),
        openid: Some(openid),
        guardian: None,
    };
    let sealed = keyring.seal(&id, &serde_json::to_string(&person).unwrap()).unwrap();
    let put = patients::Put {
        id: &id,
        id_type: "5",
        id_hash: &number.to_be_bytes(),
        sealed: sealed.as_bytes(),
        masked: &serde_json::json!({}),
    };
    patients::put(pool, HOSPITAL, &put).await.unwrap();
}

/// HIS has told of another fee of the morning.
pub async fn costs(hospital: &super::Hospital, fee_fen: i64) {
    let told = "update schedule set fee_fen = $1 where id = 'w1-am'";
    sqlx::query(told).bind(fee_fen).execute(&hospital.db.pool).await.unwrap();
}

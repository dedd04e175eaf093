//! The hospital of the demo as the seed makes it: two campuses, departments, doctors, a week of schedules ahead of every
//! played day, patients, and the waitlist's settings. Pure; nothing is set up here.

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};

use super::chance::Chance;
use super::people::{self, Patient};
use super::scenes::{CAST, DELAYED, NOT_TOO_SOON, PATIENT_WITH_NO, Place};
use crate::ports::his::{DayPart, TimeSlot};
use crate::sandbox::his::channel;
use crate::waitlist::calendar::Cutoff;
use crate::waitlist::policy::{InsurancePrepay, LevelPolicy, PaymentMode, QueueOrder, Switch};

const CAMPUSES: [(&str, &str); 2] = [("C1", "本部院区"), ("C2", "东院区")];
const DEPARTMENTS: [&str; 12] = [
    "心内科",
    "消化内科",
    "神经内科",
    "呼吸内科",
    "骨科",
    "眼科",
    "皮肤科",
    "儿科",
    "妇科",
    "口腔科",
    "内分泌科",
    "耳鼻喉科",
];
/// A department that readers of README and of the demo's last lines may ask for.
pub const A_DEPARTMENT: &str = "K01";
const DOCTORS_A_DEPARTMENT: usize = 5;
/// Doctors whom everybody wants: their queues are short by policy.
const HOT_DOCTORS: [usize; 5] = [0, 12, 21, 34, 47];
/// How long a hot doctor's queue may be.
pub(super) const HOT_CAP: u32 = 30;
/// A doctor who does not take part in the waitlist.
const SWITCHED_OFF: usize = 9;
/// A doctor whose queues are drawn by lot (R17).
pub(super) const DRAWN: usize = 11;
/// A doctor whose queues close on a working day (R25).
pub(super) const ON_WORKING_DAYS: usize = 14;
/// A department that takes no 医保 in advance (R7).
const SELF_PAYERS_ONLY: usize = 3;
/// Days of schedules, the played day included.
pub(super) const DAYS: u64 = 7;

/// How large the hospital is, and how much happens a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// 4 departments, 20 doctors, 400 patients, about 500 requests to apply a day.
    Small,
    /// 12 departments, 60 doctors, 1,500 patients, about 2,100 requests to apply a day.
    Full,
}

impl Size {
    fn departments(self) -> usize {
        match self {
            Self::Small => 4,
            Self::Full => DEPARTMENTS.len(),
        }
    }

    /// Patients of everyday traffic.
    pub(super) fn patients(self) -> usize {
        match self {
            Self::Small => 400,
            Self::Full => 1_500,
        }
    }

    /// So many of what a full day has `n` of.
    pub(super) fn of(self, n: usize) -> usize {
        match self {
            Self::Small => n.div_ceil(5),
            Self::Full => n,
        }
    }
}

/// 科室.
pub(super) struct Department {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) campus: (&'static str, &'static str),
    pub(super) mode: PaymentMode,
    /// Takes no 医保 in advance.
    pub(super) self_payers_only: bool,
}

/// 医生.
pub(super) struct Doctor {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) title: &'static str,
    pub(super) department: usize,
    pub(super) fee_fen: i64,
    pub(super) hot: bool,
    pub(super) off: bool,
}

/// A half-day of a doctor.
pub(super) struct Schedule {
    pub(super) reg_id: String,
    pub(super) doctor: usize,
    pub(super) date: NaiveDate,
    pub(super) part: DayPart,
    pub(super) slots: Vec<(TimeSlot, u32)>,
    /// Places that stay free in the morning of the played day.
    pub(super) left: u32,
}

/// Everything.
pub(super) struct World {
    pub(super) departments: Vec<Department>,
    pub(super) doctors: Vec<Doctor>,
    /// By date.
    pub(super) schedules: Vec<Schedule>,
    /// Those of everyday traffic first, then the cast of each day's scenes.
    pub(super) patients: Vec<Patient>,
    pub(super) size: Size,
}

impl World {
    /// The hospital of this seed from `day` on, for so many days of play.
    pub(super) fn new(seed: u64, day: NaiveDate, days: u32, size: Size) -> Self {
        let all = size.departments();
        let departments: Vec<Department> =
            DEPARTMENTS.iter().take(all).enumerate().map(|(n, name)| department(n, all, name)).collect();
        let doctors: Vec<Doctor> = (0..departments.len() * DOCTORS_A_DEPARTMENT).map(|n| doctor(seed, n)).collect();
        let mut schedules = Vec::new();
        let until = day + Days::new(u64::from(days.saturating_sub(1)) + DAYS);
        for date in day.iter_days().take_while(|date| *date < until) {
            for (n, doctor) in doctors.iter().enumerate() {
                for part in [DayPart::Morning, DayPart::Afternoon] {
                    schedules.push(schedule(seed, n, doctor, date, part));
                }
            }
        }
        let cast = usize::try_from(days).unwrap_or(0) * CAST;
        let patients = (0..size.patients() + cast).map(|n| people::patient(seed, n)).collect();
        Self { departments, doctors, schedules, patients, size }
    }

    /// The number of somebody of the cast of the `nth` played day.
    pub(super) fn cast(&self, nth: u32, who: usize) -> usize {
        self.size.patients() + usize::try_from(nth).unwrap_or(0) * CAST + who
    }

    /// Whose schedule it is.
    pub(super) fn doctor(&self, schedule: &Schedule) -> Option<&Doctor> {
        self.doctors.get(schedule.doctor)
    }

    /// The department of a schedule.
    pub(super) fn department(&self, schedule: &Schedule) -> Option<&Department> {
        self.departments.get(self.doctor(schedule)?.department)
    }

    /// The waitlist's settings: (level, id, settings).
    pub(super) fn policies(&self) -> Vec<(&'static str, String, LevelPolicy)> {
        let campuses = CAMPUSES.iter().map(|(id, _)| {
            let policy = LevelPolicy { switch: Switch::On, cap: Some(1_200), ..LevelPolicy::default() };
            ("campus", (*id).to_owned(), policy)
        });
        let departments = self.departments.iter().map(|department| {
            let policy = LevelPolicy {
                cap: Some(300),
                payment_mode: Some(department.mode),
                insurance_prepay: department.self_payers_only.then_some(InsurancePrepay::NotAccepted),
                ..LevelPolicy::default()
            };
            ("department", department.id.clone(), policy)
        });
        let doctors = self.doctors.iter().enumerate().filter_map(|(n, doctor)| {
            let policy = doctor_policy(n, doctor);
            (policy != LevelPolicy::default()).then(|| ("doctor", doctor.id.clone(), policy))
        });
        campuses.chain(departments).chain(doctors).collect()
    }

    /// The schedules that `place` takes, of those that are open on `today`.
    pub(super) fn at(&self, today: NaiveDate, place: &Place) -> Vec<usize> {
        let open = |it: &Schedule| (0..i64::try_from(DAYS).unwrap_or(0)).contains(&(it.date - today).num_days());
        let all = self.schedules.iter().enumerate();
        all.filter(|(_, it)| open(it) && place.takes(self, it, (it.date - today).num_days())).map(|(n, _)| n).collect()
    }
}

fn doctor_policy(n: usize, doctor: &Doctor) -> LevelPolicy {
    let at = NaiveTime::from_hms_opt(18, 0, 0).unwrap_or_default();
    let none = LevelPolicy::default();
    match n {
        _ if doctor.off => LevelPolicy { switch: Switch::Off, ..none },
        _ if doctor.hot => LevelPolicy { switch: Switch::On, cap: Some(HOT_CAP), ..none },
        DRAWN => LevelPolicy { order: Some(QueueOrder::Random), draw_window_minutes: Some(30), ..none },
        ON_WORKING_DAYS => LevelPolicy { cutoff: Some(Cutoff { days_before: 1, at, on_working_day: true }), ..none },
        PATIENT_WITH_NO => LevelPolicy { declines_max: Some(2), missed_offers_max: Some(2), ..none },
        DELAYED => LevelPolicy { release_delay_minutes_max: Some(20), ..none },
        NOT_TOO_SOON => LevelPolicy { minimum_notice_minutes: Some(24 * 60), ..none },
        _ => none,
    }
}

fn department(n: usize, of: usize, name: &str) -> Department {
    let mode = match n % 3 {
        0 => PaymentMode::Prepay,
        1 => PaymentMode::LockThenPay,
        _ => PaymentMode::None,
    };
    let campus = if n <= of / 2 { CAMPUSES[0] } else { CAMPUSES[1] };
    let self_payers_only = n == SELF_PAYERS_ONLY;
    Department { id: format!("K{:02}", n + 1), name: name.to_owned(), campus, mode, self_payers_only }
}

fn doctor(seed: u64, n: usize) -> Doctor {
    let mut chance = Chance::of(seed, "doctor", n);
    let (title, fees) = match chance.between(0, 9) {
        0..=2 => ("主任医师", (10_000, 30_000)),
        3..=6 => ("副主任医师", (5_000, 10_000)),
        _ => ("主治医师", (1_500, 5_000)),
    };
    Doctor {
        id: format!("D{:03}", n + 1),
        name: people::name(&mut chance),
        title,
        department: n / DOCTORS_A_DEPARTMENT,
        fee_fen: chance.between(fees.0 / 500, fees.1 / 500) * 500,
        hot: HOT_DOCTORS.contains(&n),
        off: n == SWITCHED_OFF,
    }
}

fn schedule(seed: u64, n: usize, doctor: &Doctor, date: NaiveDate, part: DayPart) -> Schedule {
    let half = if part == DayPart::Morning { 1 } else { 2 };
    let reg_id = format!("{}{}{half}", date.format("%Y%m%d"), doctor.id);
    let mut chance = Chance::of(seed, &reg_id, n);
    let begins = NaiveTime::from_hms_opt(if half == 1 { 8 } else { 13 }, 30, 0).unwrap_or_default();
    let slots = (0..chance.count(4, 7))
        .map(|nth| {
            let begins = begins + TimeDelta::minutes(30 * i64::from(nth));
            (TimeSlot::new(begins, begins + TimeDelta::minutes(30)), chance.count(2, 3))
        })
        .collect();
    let left = if !doctor.hot && chance.percent(10) { chance.count(1, 4) } else { 0 };
    Schedule { reg_id, doctor: n, date, part, slots, left }
}

impl Schedule {
    /// All places.
    pub(super) fn places(&self) -> u32 {
        self.slots.iter().map(|(_, places)| places).sum()
    }

    /// Who has booked already, by channel.
    pub(super) fn bookings(&self) -> Vec<(&'static str, u32)> {
        let taken = self.places().saturating_sub(self.left);
        let (website, platform, window) = (taken * 2 / 5, taken * 3 / 10, taken / 7);
        vec![
            (channel::WEBSITE, website),
            (channel::PLATFORM_114, platform),
            (channel::WINDOW, window),
            (channel::OFFICIAL_ACCOUNT, taken - website - platform - window),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_readers_are_told_to_ask_for_is_there() {
        let world = World::new(7, "2026-03-02".parse().unwrap(), 1, Size::Full);
        let is_there = |id: &str| world.departments.iter().any(|department| department.id == id);
        assert!(is_there(A_DEPARTMENT));
        for page in [include_str!("../../README.md"), include_str!("../../README.zh-CN.md")] {
            let asked = page
                .split("departmentId=")
                .skip(1)
                .map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>());
            let asked: Vec<String> = asked.collect();
            assert!(asked.iter().all(|id| is_there(id)), "{asked:?}");
        }
    }

    #[test]
    fn the_hospital_has_the_promised_size() {
        let world = World::new(7, "2026-03-02".parse().unwrap(), 1, Size::Full);
        assert_eq!((world.departments.len(), world.doctors.len(), world.schedules.len()), (12, 60, 840));
        let campuses: HashSet<_> = world.departments.iter().map(|department| department.campus.0).collect();
        assert_eq!(campuses.len(), 2);
        for schedule in &world.schedules {
            assert!((8..=24).contains(&schedule.places()) && (4..=8).contains(&schedule.slots.len()));
            let booked: u32 = schedule.bookings().iter().map(|(_, places)| places).sum();
            assert_eq!(booked + schedule.left, schedule.places());
        }
        assert!(world.doctors.iter().all(|doctor| (1_500..=30_000).contains(&doctor.fee_fen)));
        let full = world.schedules.iter().filter(|schedule| schedule.left == 0).count();
        assert!(full > 700, "{full} are full");
        assert!(world.policies().iter().all(|(_, _, policy)| policy.validate().is_ok()));
        let ids: HashSet<_> = world.schedules.iter().map(|schedule| &schedule.reg_id).collect();
        assert_eq!(ids.len(), 840);
    }

    #[test]
    fn a_small_one_has_every_way_of_paying_and_a_long_play_has_days_to_come() {
        let world = World::new(7, "2026-03-02".parse().unwrap(), 30, Size::Small);
        assert_eq!((world.departments.len(), world.doctors.len()), (4, 20));
        assert_eq!(world.schedules.len(), 20 * 2 * (30 + 6));
        let modes: HashSet<_> = world.departments.iter().map(|department| department.mode).collect();
        assert_eq!(modes.len(), 3);
        assert!(world.cast(29, CAST - 1) < world.patients.len());
        let numbers: HashSet<_> = world.patients.iter().map(|patient| &patient.id_number).collect();
        assert_eq!(numbers.len(), world.patients.len());
    }
}

//! The waitlist's settings at doctor, department and campus, and what they come to together (R2, R24, R29). Whether
//! their switches and caps let one more join is [`super::admission`]'s question.

mod choices;
mod half_days;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calendar::{Cutoff, QuietHours};
use super::refusal::Refusal;
pub use choices::{
    CapCounts, CapReading, FeeChange, InsurancePrepay, OtherQueues, PayType, PaymentMode, QueueOrder, QueuePer,
};
pub use half_days::{HalfDays, Hours};

/// Where a setting is made, in the order in which the hospital checks (R2: A doctor, B department, C campus).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// A, 医生.
    Doctor,
    /// B, 科室.
    Department,
    /// C, 院区 / 全局.
    Campus,
}

impl Level {
    /// In the order of checking.
    pub const ALL: [Self; 3] = [Self::Doctor, Self::Department, Self::Campus];

    /// The name in paths, on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Department => "department",
            Self::Campus => "campus",
        }
    }

    /// The level of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a level has the waitlist enabled (是否开启候补).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Switch {
    /// Enabled.
    On,
    /// Disabled.
    Off,
    /// This level says nothing.
    #[default]
    Inherit,
}

/// The settings of one doctor, department or campus. What is absent is taken from the level above; `switch` and `cap`
/// are the level's own ([`super::admission::admit`]).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({ "switch": "on", "cap": 200, "paymentMode": "lockThenPay", "offerWindowMinutes": 30 }))]
pub struct LevelPolicy {
    /// 是否开启候补.
    pub switch: Switch,
    /// 候补总数: how many entries the level may have, counted as [`Policy::cap_counts`] says; none: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
    /// See [`Policy::payment_mode`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_mode: Option<PaymentMode>,
    /// See [`Policy::insurance_prepay`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insurance_prepay: Option<InsurancePrepay>,
    /// See [`Policy::fee_change`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_change: Option<FeeChange>,
    /// See [`Policy::order`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<QueueOrder>,
    /// See [`Policy::queue_per`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_per: Option<QueuePer>,
    /// See [`Policy::draw_window_minutes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw_window_minutes: Option<u32>,
    /// See [`Policy::cap_reading`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_reading: Option<CapReading>,
    /// See [`Policy::cap_counts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_counts: Option<CapCounts>,
    /// See [`Policy::cutoff`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutoff: Option<Cutoff>,
    /// See [`Policy::hard_stop_minutes_before_visit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_stop_minutes_before_visit: Option<u32>,
    /// See [`Policy::offer_window_minutes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_window_minutes: Option<u32>,
    /// See [`Policy::prepay_minutes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepay_minutes: Option<u32>,
    /// See [`Policy::lock_grace_minutes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_grace_minutes: Option<u32>,
    /// See [`Policy::quiet_hours`]. Equal ends switch quiet hours off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// See [`Policy::live_entries_per_patient`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_entries_per_patient: Option<u32>,
    /// See [`Policy::live_entries_per_department_and_day`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_entries_per_department_and_day: Option<u32>,
    /// See [`Policy::persons_per_account`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons_per_account: Option<u32>,
    /// See [`Policy::declines_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declines_max: Option<u32>,
    /// See [`Policy::missed_offers_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_offers_max: Option<u32>,
    /// See [`Policy::other_queues`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_queues: Option<OtherQueues>,
    /// See [`Policy::minimum_notice_minutes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_notice_minutes: Option<u32>,
    /// See [`Policy::release_delay_minutes_max`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_delay_minutes_max: Option<u32>,
    /// See [`Policy::reminder_hours_before`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder_hours_before: Option<u32>,
    /// See [`Policy::half_days`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_days: Option<HalfDays>,
    /// See [`Policy::question_minutes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question_minutes: Option<u32>,
}

/// A bound of a setting: the field's name on the wire, its value here, the least and the most it may be.
type Bound = (&'static str, Option<u32>, u32, u32);

impl LevelPolicy {
    /// Refuses values that no hospital can mean (a window of no minutes, a grace of a year).
    pub fn validate(&self) -> Result<(), Refusal> {
        /// Two weeks.
        const LONG_MINUTES: u32 = 14 * 24 * 60;
        let bounds: [Bound; 16] = [
            ("cap", self.cap, 0, i32::MAX.unsigned_abs()),
            ("drawWindowMinutes", self.draw_window_minutes, 1, LONG_MINUTES),
            ("cutoff.daysBefore", self.cutoff.map(|cutoff| cutoff.days_before), 0, 60),
            ("hardStopMinutesBeforeVisit", self.hard_stop_minutes_before_visit, 0, LONG_MINUTES),
            ("offerWindowMinutes", self.offer_window_minutes, 1, LONG_MINUTES),
            ("prepayMinutes", self.prepay_minutes, 1, LONG_MINUTES),
            // Late successes are reported seconds after `time_expire`; five minutes are the least that is safe (E4).
            ("lockGraceMinutes", self.lock_grace_minutes, 5, 24 * 60),
            ("liveEntriesPerPatient", self.live_entries_per_patient, 1, 1000),
            ("liveEntriesPerDepartmentAndDay", self.live_entries_per_department_and_day, 1, 1000),
            ("personsPerAccount", self.persons_per_account, 1, 1000),
            ("declinesMax", self.declines_max, 1, 100),
            ("missedOffersMax", self.missed_offers_max, 1, 100),
            ("minimumNoticeMinutes", self.minimum_notice_minutes, 0, LONG_MINUTES),
            ("releaseDelayMinutesMax", self.release_delay_minutes_max, 0, 24 * 60),
            ("reminderHoursBefore", self.reminder_hours_before, 0, 14 * 24),
            ("questionMinutes", self.question_minutes, 5, LONG_MINUTES),
        ];
        for (field, value, least, most) in bounds {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err(Refusal::InvalidPolicy { field: field.to_owned() });
            }
        }
        match self.half_days.as_ref().and_then(HalfDays::wrong) {
            Some(field) => Err(Refusal::InvalidPolicy { field: field.to_owned() }),
            None => Ok(()),
        }
    }

    /// True where the level has a say in who may join (Q1).
    pub(super) fn configured(&self) -> bool {
        self.switch != Switch::Inherit || self.cap.is_some()
    }
}

/// What the three levels come to for one schedule: every value concrete. An application keeps the one it began with
/// (R24, R29).
///
/// A setting that a stored policy does not have is one that came later: it has its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// Default: none (R5).
    pub payment_mode: PaymentMode,
    /// Default: self-pay first (R7).
    pub insurance_prepay: InsurancePrepay,
    /// What becomes of a fee that changes after it was paid (R6). Default: too much goes back, what is missing the hospital
    /// bears.
    pub fee_change: FeeChange,
    /// Default: first come, first served (R16).
    pub order: QueueOrder,
    /// What has a queue. Default: each half-day (Q2).
    pub queue_per: QueuePer,
    /// How long after its opening a queue in random order takes part in the draw (R17). Default: 30 minutes; half the time
    /// to the cutoff where that is less.
    pub draw_window_minutes: u32,
    /// Default: all levels must pass (Q1).
    pub cap_reading: CapReading,
    /// What the caps count (Q1). Default: live entries, in all schedules of the level together.
    pub cap_counts: CapCounts,
    /// No new entries and no new offers from here on. Default: 18:00 on the day before the visit, a working day or not
    /// (R25).
    pub cutoff: Cutoff,
    /// No payment is taken from here on (E3). Default: 60 minutes before the visit begins.
    pub hard_stop_minutes_before_visit: u32,
    /// How long the patient has to confirm and pay (R9, R20). Default: 30 minutes.
    pub offer_window_minutes: u32,
    /// How long an unpaid place in the queue is held (R6). Default: 15 minutes.
    pub prepay_minutes: u32,
    /// How long the HIS lock outlasts the offer (E4). Default: 10 minutes.
    pub lock_grace_minutes: u32,
    /// When an offer's window does not run (R10, E3, Q5). Default: 23:00 to 06:00.
    pub quiet_hours: QuietHours,
    /// How many live entries one person may have (R35). Default: 3.
    pub live_entries_per_patient: u32,
    /// How many of them for one department and day (R33). Default: 3, no narrower than the above.
    pub live_entries_per_department_and_day: u32,
    /// For how many persons one account may join queues within 30 days (R33). Default: 5.
    pub persons_per_account: u32,
    /// The how manieth declined offer ends the application; those before cost the place that was offered, and not the place
    /// in the queue (Q6). Default: 1, the first.
    pub declines_max: u32,
    /// The same of offers that were not answered or not paid in time (Q6). Default: 1.
    pub missed_offers_max: u32,
    /// What becomes of a person's other applications for the day of a visit that is booked (R35). Default: those of the same
    /// department are withdrawn.
    pub other_queues: OtherQueues,
    /// Nobody is offered a visit that begins sooner than this (R18). Default: 0.
    pub minimum_notice_minutes: u32,
    /// A freed place is handed out after a time by chance, of so many minutes at most (R33); towards the cutoff less and less.
    /// Default: 0, at once.
    pub release_delay_minutes_max: u32,
    /// Whoever is booked is reminded so many hours before the visit, and not in quiet hours (R5); 0: not at all. Default: 24,
    /// the day before.
    pub reminder_hours_before: u32,
    /// When a visit is for which HIS keeps no time of day (R18). Default: 08:00 to 12:00, 13:00 to 17:00, 18:00 to 21:00.
    #[serde(skip_serializing_if = "HalfDays::are_usual")]
    pub half_days: HalfDays,
    /// How long the patient has to say whether an application or a visit is kept whose doctor, day or half-day is another one by
    /// now (R34), or that another visit may have made needless (R35); quiet hours do not count. Default: 720, half a day.
    pub question_minutes: u32,
}

impl Default for Policy {
    fn default() -> Self {
        let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or(NaiveTime::MIN);
        Self {
            payment_mode: PaymentMode::None,
            insurance_prepay: InsurancePrepay::SelfPayFirst,
            fee_change: FeeChange::RefundOnly,
            order: QueueOrder::Fifo,
            queue_per: QueuePer::HalfDay,
            draw_window_minutes: 30,
            cap_reading: CapReading::AllMustPass,
            cap_counts: CapCounts::LiveInAll,
            cutoff: Cutoff { days_before: 1, at: hour(18), on_working_day: false },
            hard_stop_minutes_before_visit: 60,
            offer_window_minutes: 30,
            prepay_minutes: 15,
            lock_grace_minutes: 10,
            quiet_hours: QuietHours { from: hour(23), to: hour(6) },
            live_entries_per_patient: 3,
            live_entries_per_department_and_day: 3,
            persons_per_account: 5,
            declines_max: 1,
            missed_offers_max: 1,
            other_queues: OtherQueues::WithdrawDepartment,
            minimum_notice_minutes: 0,
            release_delay_minutes_max: 0,
            reminder_hours_before: 24,
            half_days: HalfDays::default(),
            question_minutes: 720,
        }
    }
}

impl Policy {
    /// The doctor overrides the department, the department the campus, the campus the defaults.
    pub fn resolve(doctor: &LevelPolicy, department: &LevelPolicy, campus: &LevelPolicy) -> Self {
        let mut policy = Self::default();
        for level in [campus, department, doctor] {
            policy.override_with(level);
        }
        policy
    }

    fn override_with(&mut self, level: &LevelPolicy) {
        fn set<T: Copy>(value: &mut T, over: Option<T>) {
            *value = over.unwrap_or(*value);
        }
        set(&mut self.payment_mode, level.payment_mode);
        set(&mut self.insurance_prepay, level.insurance_prepay);
        set(&mut self.fee_change, level.fee_change);
        set(&mut self.order, level.order);
        set(&mut self.queue_per, level.queue_per);
        set(&mut self.draw_window_minutes, level.draw_window_minutes);
        set(&mut self.cap_reading, level.cap_reading);
        set(&mut self.cap_counts, level.cap_counts);
        set(&mut self.cutoff, level.cutoff);
        set(&mut self.hard_stop_minutes_before_visit, level.hard_stop_minutes_before_visit);
        set(&mut self.offer_window_minutes, level.offer_window_minutes);
        set(&mut self.prepay_minutes, level.prepay_minutes);
        set(&mut self.lock_grace_minutes, level.lock_grace_minutes);
        set(&mut self.quiet_hours, level.quiet_hours);
        set(&mut self.live_entries_per_patient, level.live_entries_per_patient);
        set(&mut self.live_entries_per_department_and_day, level.live_entries_per_department_and_day);
        set(&mut self.persons_per_account, level.persons_per_account);
        set(&mut self.declines_max, level.declines_max);
        set(&mut self.missed_offers_max, level.missed_offers_max);
        set(&mut self.other_queues, level.other_queues);
        set(&mut self.minimum_notice_minutes, level.minimum_notice_minutes);
        set(&mut self.release_delay_minutes_max, level.release_delay_minutes_max);
        set(&mut self.reminder_hours_before, level.reminder_hours_before);
        set(&mut self.half_days, level.half_days);
        set(&mut self.question_minutes, level.question_minutes);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn r29_the_nearest_level_wins() {
        let doctor = LevelPolicy { offer_window_minutes: Some(5), ..LevelPolicy::default() };
        let department = LevelPolicy {
            offer_window_minutes: Some(7),
            payment_mode: Some(PaymentMode::LockThenPay),
            ..LevelPolicy::default()
        };
        let campus = LevelPolicy {
            payment_mode: Some(PaymentMode::Prepay),
            live_entries_per_patient: Some(2),
            ..LevelPolicy::default()
        };
        let expected = Policy {
            offer_window_minutes: 5,
            payment_mode: PaymentMode::LockThenPay,
            live_entries_per_patient: 2,
            ..Policy::default()
        };
        assert_eq!(Policy::resolve(&doctor, &department, &campus), expected);
        let silent = LevelPolicy::default();
        assert_eq!(Policy::resolve(&silent, &silent, &silent), Policy::default());
    }

    #[test]
    fn every_setting_can_be_set_and_is_taken_over() {
        let json = serde_json::json!({
            "switch": "on", "cap": 200, "paymentMode": "prepay", "insurancePrepay": "notAccepted",
            "feeChange": "refundAndTopUp", "order": "random", "queuePer": "day",
            "drawWindowMinutes": 20, "capReading": "firstConfiguredDecides", "capCounts": "everInEach",
            "cutoff": {"daysBefore": 2, "at": "17:00:00", "onWorkingDay": true},
            "hardStopMinutesBeforeVisit": 1, "offerWindowMinutes": 2, "prepayMinutes": 3, "lockGraceMinutes": 6,
            "quietHours": {"from": "22:00:00", "to": "07:00:00"}, "liveEntriesPerPatient": 5,
            "liveEntriesPerDepartmentAndDay": 1, "personsPerAccount": 4,
            "declinesMax": 3, "missedOffersMax": 2, "otherQueues": "withdrawDay",
            "minimumNoticeMinutes": 120, "releaseDelayMinutesMax": 30, "questionMinutes": 60, "reminderHoursBefore": 0,
            "halfDays": {
                "morning": {"from": "08:30:00", "to": "11:30:00"}, "afternoon": {"from": "14:00:00", "to": "16:30:00"},
                "evening": {"from": "18:00:00", "to": "20:00:00"},
            },
        });
        let level: LevelPolicy = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(level.validate(), Ok(()));
        assert_eq!(serde_json::to_value(&level).unwrap(), json);
        let silent = LevelPolicy::default();
        let mut resolved =
            serde_json::to_value(Policy::resolve(&silent, &silent, &level)).unwrap().as_object().unwrap().clone();
        resolved.extend([("switch".to_owned(), "on".into()), ("cap".to_owned(), 200.into())]);
        assert_eq!(serde_json::Value::Object(resolved), json);
    }

    #[test]
    fn an_empty_policy_says_nothing_and_a_misspelt_one_is_refused() {
        assert_eq!(serde_json::from_str::<LevelPolicy>("{}").unwrap(), LevelPolicy::default());
        assert!(serde_json::from_str::<LevelPolicy>(r#"{"offerWindow": 5}"#).is_err());
        assert!(
            serde_json::from_str::<LevelPolicy>(r#"{"cutoff": {"daysBefore": 1, "at": "18:00", "tz": ""}}"#).is_err()
        );
    }

    #[test]
    fn r29_a_policy_that_was_stored_before_a_setting_was_there_is_read_with_its_default() {
        let mut stored = serde_json::to_value(Policy { offer_window_minutes: 7, ..Policy::default() }).unwrap();
        stored.as_object_mut().unwrap().remove("drawWindowMinutes");
        let read: Policy = serde_json::from_value(stored).unwrap();
        assert_eq!(read, Policy { offer_window_minutes: 7, ..Policy::default() });
    }

    #[test]
    fn values_that_nobody_can_mean_are_refused_by_name() {
        let table = [
            (r#"{"offerWindowMinutes": 0}"#, "offerWindowMinutes"),
            (r#"{"prepayMinutes": 4294967295}"#, "prepayMinutes"),
            (r#"{"lockGraceMinutes": 4}"#, "lockGraceMinutes"),
            (r#"{"liveEntriesPerPatient": 0}"#, "liveEntriesPerPatient"),
            (r#"{"cutoff": {"daysBefore": 61, "at": "18:00:00"}}"#, "cutoff.daysBefore"),
            (r#"{"hardStopMinutesBeforeVisit": 99999999}"#, "hardStopMinutesBeforeVisit"),
            (r#"{"drawWindowMinutes": 0}"#, "drawWindowMinutes"),
            (r#"{"declinesMax": 0}"#, "declinesMax"),
            (r#"{"missedOffersMax": 0}"#, "missedOffersMax"),
            (r#"{"minimumNoticeMinutes": 20161}"#, "minimumNoticeMinutes"),
            (r#"{"releaseDelayMinutesMax": 1441}"#, "releaseDelayMinutesMax"),
            (r#"{"reminderHoursBefore": 337}"#, "reminderHoursBefore"),
            (
                r#"{"halfDays": {"morning": {"from": "08:00:00", "to": "12:00:00"},
                    "afternoon": {"from": "11:00:00", "to": "17:00:00"}, "evening": {"from": "18:00:00", "to": "21:00:00"}}}"#,
                "halfDays.afternoon",
            ),
        ];
        for (json, field) in table {
            let policy: LevelPolicy = serde_json::from_str(json).unwrap();
            assert_eq!(policy.validate(), Err(Refusal::InvalidPolicy { field: field.to_owned() }), "{json}");
        }
    }

    #[test]
    fn level_names_are_the_wires() {
        for level in Level::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
    }
}

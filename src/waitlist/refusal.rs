//! Every reason to say no: a stable code for programs, an HTTP status, and a sentence for the patient in both
//! languages. Nothing here names a person.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::language::Language;
use super::policy::Level;

/// Why an application or another request is refused. The serialised form is `{"code": …}` and the fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// There is a place: book it directly (R1).
    BookableNow,
    /// This level has the waitlist off, or (campus) no level has it on (R2).
    WaitlistNotEnabled {
        /// Which rule refused.
        level: Level,
    },
    /// This level's cap is reached: choose another doctor (R3).
    QueueFull {
        /// Which rule refused.
        level: Level,
    },
    /// The person already has a live entry for this schedule (R4).
    DuplicateApplication,
    /// The person is on the blacklist (R32).
    Blacklisted {
        /// The last day of it; none: until it is lifted.
        until: Option<NaiveDate>,
    },
    /// The cutoff has passed (R25).
    PastCutoff,
    /// 停诊 (R1, R34).
    ScheduleStopped,
    /// 未开放 (R1).
    ScheduleNotOpen,
    /// The person has as many live entries as are allowed (R35).
    PatientLimit {
        /// How many are allowed.
        limit: u32,
    },
    /// The person has as many live entries for this department and day as are allowed (R33).
    DepartmentDayLimit {
        /// How many are allowed.
        limit: u32,
    },
    /// The account has joined queues for as many persons as it may (R33).
    AccountLimit {
        /// How many are allowed.
        limit: u32,
    },
    /// The person has an appointment that day in that department (R4).
    AlreadyBooked,
    /// No such schedule.
    UnknownSchedule,
    /// No such patient.
    UnknownPatient,
    /// No such thing, or not the caller's (R12).
    NotFound,
    /// The offer has ended or went to somebody else (R9).
    OfferGone,
    /// There is no offer to accept.
    NotConfirmable,
    /// There is no offer to decline.
    NotDeclinable,
    /// Nothing is asked of the patient, or something else than is answered (R34, R35).
    NoQuestion,
    /// The patient is asked first whether the offer is kept as it is by now (R34).
    QuestionOpen,
    /// Too late to withdraw, or over already (E5).
    NotWithdrawable,
    /// The appointment cannot be cancelled any more (R22).
    NotCancellable,
    /// 医保 cannot be used where the fee is taken in advance (R7).
    InsuranceNotAccepted,
    /// Money will be due, and the person has no account at the payment provider (`openid`) to pay with.
    NoPaymentAccount,
    /// `latestAt` is in the past.
    InvalidLatestAt,
    /// No ID type of this code.
    InvalidIdType,
    /// The ID number fails its check (GB 11643) or its form.
    InvalidIdNumber,
    /// Not a mainland mobile number.
    InvalidPhone,
    /// Not a name.
    InvalidName,
    /// A child's applicant needs a guardian (R4).
    GuardianRequired,
    /// A setting is out of its bounds.
    InvalidPolicy {
        /// The field's name on the wire.
        field: String,
    },
}

impl Refusal {
    /// The stable code: the same in the API, in logs and in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BookableNow => "bookable_now",
            Self::WaitlistNotEnabled { .. } => "waitlist_not_enabled",
            Self::QueueFull { .. } => "queue_full",
            Self::DuplicateApplication => "duplicate_application",
            Self::Blacklisted { .. } => "blacklisted",
            Self::PastCutoff => "past_cutoff",
            Self::ScheduleStopped => "schedule_stopped",
            Self::ScheduleNotOpen => "schedule_not_open",
            Self::PatientLimit { .. } => "patient_limit",
            Self::DepartmentDayLimit { .. } => "department_day_limit",
            Self::AccountLimit { .. } => "account_limit",
            Self::AlreadyBooked => "already_booked",
            Self::UnknownSchedule => "unknown_schedule",
            Self::UnknownPatient => "unknown_patient",
            Self::NotFound => "not_found",
            Self::OfferGone => "offer_gone",
            Self::NotConfirmable => "not_confirmable",
            Self::NotDeclinable => "not_declinable",
            Self::NoQuestion => "no_question",
            Self::QuestionOpen => "question_open",
            Self::NotWithdrawable => "not_withdrawable",
            Self::NotCancellable => "not_cancellable",
            Self::InsuranceNotAccepted => "insurance_not_accepted",
            Self::NoPaymentAccount => "no_payment_account",
            Self::InvalidLatestAt => "invalid_latest_at",
            Self::InvalidIdType => "invalid_id_type",
            Self::InvalidIdNumber => "invalid_id_number",
            Self::InvalidPhone => "invalid_phone",
            Self::InvalidName => "invalid_name",
            Self::GuardianRequired => "guardian_required",
            Self::InvalidPolicy { .. } => "invalid_policy",
        }
    }

    /// The level that refused, where a level did (R2).
    pub fn level(&self) -> Option<Level> {
        match self {
            Self::WaitlistNotEnabled { level } | Self::QueueFull { level } => Some(*level),
            _ => None,
        }
    }

    /// 404 what is not there, 403 who may not, 422 what can never be right as it was sent, 409 what does not fit the
    /// present state.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::UnknownSchedule | Self::UnknownPatient | Self::NotFound => 404,
            Self::Blacklisted { .. } => 403,
            Self::InsuranceNotAccepted
            | Self::NoPaymentAccount
            | Self::InvalidLatestAt
            | Self::InvalidIdType
            | Self::InvalidIdNumber
            | Self::InvalidPhone
            | Self::InvalidName
            | Self::GuardianRequired
            | Self::InvalidPolicy { .. } => 422,
            Self::BookableNow
            | Self::WaitlistNotEnabled { .. }
            | Self::QueueFull { .. }
            | Self::DuplicateApplication
            | Self::PastCutoff
            | Self::ScheduleStopped
            | Self::ScheduleNotOpen
            | Self::PatientLimit { .. }
            | Self::DepartmentDayLimit { .. }
            | Self::AccountLimit { .. }
            | Self::AlreadyBooked
            | Self::OfferGone
            | Self::NotConfirmable
            | Self::NotDeclinable
            | Self::NoQuestion
            | Self::QuestionOpen
            | Self::NotWithdrawable
            | Self::NotCancellable => 409,
        }
    }

    /// A sentence that a patient can read.
    pub fn message(&self, language: Language) -> String {
        match language {
            Language::ZhCn => self.zh(),
            Language::En => self.en(),
        }
    }

    fn zh(&self) -> String {
        let fixed = match self {
            Self::BookableNow => "该医生目前有号，请直接预约挂号。",
            Self::WaitlistNotEnabled { level: Level::Doctor } => "该医生未开启候补，请选择其他医生。",
            Self::WaitlistNotEnabled { level: Level::Department } => "该科室未开启候补。",
            Self::WaitlistNotEnabled { level: Level::Campus } => "本院区未开启候补。",
            Self::QueueFull { level: Level::Doctor } => "该医生的候补人数已满，请选择其他医生。",
            Self::QueueFull { level: Level::Department } => "该科室的候补人数已满，请选择其他科室的医生。",
            Self::QueueFull { level: Level::Campus } => "本院区的候补人数已满，请稍后再试。",
            Self::DuplicateApplication => "该就诊人已在候补此号源，请勿重复提交。",
            Self::Blacklisted { until: None } => "该就诊人因多次爽约，暂时不能候补。如有疑问，请联系医院。",
            Self::Blacklisted { until: Some(until) } => {
                return format!(
                    "该就诊人因多次爽约，{}前（含当日）不能候补。如有疑问，请联系医院。",
                    until.format("%Y年%-m月%-d日")
                );
            }
            Self::PastCutoff => "该号源的候补时间已截止。",
            Self::ScheduleStopped => "该医生此时段已停诊，请选择其他时间或医生。",
            Self::ScheduleNotOpen => "该号源尚未开放。",
            Self::PatientLimit { limit } => return format!("每位就诊人最多同时候补{limit}个号源，请先取消其他候补。"),
            Self::DepartmentDayLimit { limit } => {
                return format!("每位就诊人同一科室同一天最多候补{limit}个号源，请先取消其他候补。");
            }
            Self::AccountLimit { limit } => return format!("同一账号30天内最多可为{limit}位就诊人候补。"),
            Self::AlreadyBooked => "该就诊人当天在该科室已有预约。",
            Self::UnknownSchedule => "未找到该号源。",
            Self::UnknownPatient => "未找到该就诊人。",
            Self::NotFound => "未找到相关记录。",
            Self::OfferGone => "为您保留的号源已失效。",
            Self::NotConfirmable => "目前没有可确认的号源。",
            Self::NotDeclinable => "目前没有可放弃的号源。",
            Self::NoQuestion => "目前没有需要您答复的事项，请刷新后查看最新状态。",
            Self::QuestionOpen => "出诊医生或时间有变更，请先确认是否保留。",
            Self::NotWithdrawable => "该候补目前不能取消，请刷新后查看最新状态。",
            Self::NotCancellable => "该预约目前不能取消，请联系医院。",
            Self::InsuranceNotAccepted => "该号源的候补不支持医保支付，请选择自费。",
            Self::NoPaymentAccount => "该号源需要在线支付，请先绑定微信。",
            Self::InvalidLatestAt => "候补截止时间必须晚于当前时间。",
            Self::InvalidIdType => "证件类型不正确。",
            Self::InvalidIdNumber => "证件号码不正确，请核对后重新填写。",
            Self::InvalidPhone => "手机号码不正确，请核对后重新填写。",
            Self::InvalidName => "姓名不正确，请核对后重新填写。",
            Self::GuardianRequired => "未成年就诊人需填写监护人信息。",
            Self::InvalidPolicy { field } => return format!("设置项 {field} 的值超出允许范围。"),
        };
        fixed.to_owned()
    }

    fn en(&self) -> String {
        let fixed = match self {
            Self::BookableNow => "This doctor has free places: please book directly.",
            Self::WaitlistNotEnabled { level: Level::Doctor } => {
                "This doctor has no waitlist. Please choose another doctor."
            }
            Self::WaitlistNotEnabled { level: Level::Department } => "This department has no waitlist.",
            Self::WaitlistNotEnabled { level: Level::Campus } => "This campus has no waitlist.",
            Self::QueueFull { level: Level::Doctor } => "This doctor's waitlist is full. Please choose another doctor.",
            Self::QueueFull { level: Level::Department } => {
                "This department's waitlist is full. Please choose a doctor of another department."
            }
            Self::QueueFull { level: Level::Campus } => "The waitlist of this campus is full. Please try again later.",
            Self::DuplicateApplication => "This patient is already on the waitlist for this clinic.",
            Self::Blacklisted { until: None } => {
                "This patient has missed too many visits and cannot join a waitlist now. Please ask the hospital."
            }
            Self::Blacklisted { until: Some(until) } => {
                return format!(
                    "This patient has missed too many visits and cannot join a waitlist up to and including {until}. \
                     Please ask the hospital."
                );
            }
            Self::PastCutoff => "The waitlist for this clinic has closed.",
            Self::ScheduleStopped => "This clinic is cancelled. Please choose another time or doctor.",
            Self::ScheduleNotOpen => "This clinic is not open for booking yet.",
            Self::PatientLimit { limit } => {
                return format!(
                    "A patient can be on at most {limit} waitlists at a time. Please withdraw from another one first."
                );
            }
            Self::DepartmentDayLimit { limit } => {
                return format!(
                    "A patient can be on at most {limit} waitlists of a department on one day. Please withdraw from \
                     another one first."
                );
            }
            Self::AccountLimit { limit } => {
                return format!("An account can join waitlists for at most {limit} patients within 30 days.");
            }
            Self::AlreadyBooked => "This patient already has an appointment in this department on that day.",
            Self::UnknownSchedule => "This clinic was not found.",
            Self::UnknownPatient => "This patient was not found.",
            Self::NotFound => "Nothing was found.",
            Self::OfferGone => "The place that was kept for you is no longer available.",
            Self::NotConfirmable => "There is no place to confirm at the moment.",
            Self::NotDeclinable => "There is no place to decline at the moment.",
            Self::NoQuestion => "There is no question to answer now. Please look at the latest status.",
            Self::QuestionOpen => "The doctor or the time has changed. Please say first whether you keep it.",
            Self::NotWithdrawable => "This application cannot be withdrawn now. Please look at its latest status.",
            Self::NotCancellable => "This appointment cannot be cancelled now. Please ask the hospital.",
            Self::InsuranceNotAccepted => "Medical insurance cannot be used for this waitlist. Please choose self-pay.",
            Self::NoPaymentAccount => "This visit is paid online. Please link your WeChat account first.",
            Self::InvalidLatestAt => "The latest time must be in the future.",
            Self::InvalidIdType => "The type of ID document is not valid.",
            Self::InvalidIdNumber => "The ID number is not valid. Please check it.",
            Self::InvalidPhone => "The mobile number is not valid. Please check it.",
            Self::InvalidName => "The name is not valid. Please check it.",
            Self::GuardianRequired => "A patient under age needs a guardian.",
            Self::InvalidPolicy { field } => return format!("The value of {field} is out of bounds."),
        };
        fixed.to_owned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level() {
            Some(level) => write!(f, "{} ({})", self.code(), level.as_str()),
            None => f.write_str(self.code()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// One of every code, and of every sentence.
    fn every() -> Vec<Refusal> {
        let mut every = vec![
            Refusal::BookableNow,
            Refusal::DuplicateApplication,
            Refusal::Blacklisted { until: None },
            Refusal::Blacklisted { until: NaiveDate::from_ymd_opt(2025, 8, 5) },
            Refusal::PastCutoff,
            Refusal::ScheduleStopped,
            Refusal::ScheduleNotOpen,
            Refusal::PatientLimit { limit: 3 },
            Refusal::DepartmentDayLimit { limit: 1 },
            Refusal::AccountLimit { limit: 5 },
            Refusal::AlreadyBooked,
            Refusal::UnknownSchedule,
            Refusal::UnknownPatient,
            Refusal::NotFound,
            Refusal::OfferGone,
            Refusal::NotConfirmable,
            Refusal::NotDeclinable,
            Refusal::NoQuestion,
            Refusal::QuestionOpen,
            Refusal::NotWithdrawable,
            Refusal::NotCancellable,
            Refusal::InsuranceNotAccepted,
            Refusal::NoPaymentAccount,
            Refusal::InvalidLatestAt,
            Refusal::InvalidIdType,
            Refusal::InvalidIdNumber,
            Refusal::InvalidPhone,
            Refusal::InvalidName,
            Refusal::GuardianRequired,
            Refusal::InvalidPolicy { field: "cap".to_owned() },
        ];
        for level in Level::ALL {
            every.extend([Refusal::WaitlistNotEnabled { level }, Refusal::QueueFull { level }]);
        }
        every
    }

    #[test]
    fn a_code_is_one_reason_and_the_same_on_the_wire() {
        let kinds: HashSet<_> = every().iter().map(std::mem::discriminant).collect();
        let codes: HashSet<_> = every().iter().map(Refusal::code).collect();
        assert_eq!(codes.len(), kinds.len());
        assert_eq!(codes.len(), 31, "a new refusal belongs into `every`");
        for refusal in every() {
            let json = serde_json::to_value(&refusal).unwrap();
            assert_eq!(json.get("code").unwrap(), refusal.code());
            assert_eq!(serde_json::from_value::<Refusal>(json).unwrap(), refusal);
        }
    }

    #[test]
    fn every_refusal_has_a_sentence_of_its_own_in_both_languages() {
        for language in Language::ALL {
            let sentences: HashSet<_> = every().iter().map(|refusal| refusal.message(language)).collect();
            assert_eq!(sentences.len(), every().len());
        }
        for refusal in every() {
            let (zh, en) = (refusal.message(Language::ZhCn), refusal.message(Language::En));
            assert!(zh.ends_with('。') && zh.chars().any(|letter| ('一'..='龥').contains(&letter)), "{zh}");
            assert!(en.ends_with('.') && en.is_ascii(), "{en}");
        }
    }

    #[test]
    fn statuses_are_those_that_clients_are_told_of() {
        for refusal in every() {
            let status = refusal.http_status();
            assert!([403, 404, 409, 422].contains(&status));
            assert!(status == 422 || !refusal.code().starts_with("invalid"), "{refusal}");
        }
        assert_eq!(Refusal::QueueFull { level: Level::Doctor }.http_status(), 409);
        assert_eq!(Refusal::InvalidIdNumber.http_status(), 422);
        assert_eq!(Refusal::NotFound.http_status(), 404);
        assert_eq!(Refusal::Blacklisted { until: None }.http_status(), 403);
    }

    #[test]
    fn r02_the_rule_that_refused_is_named() {
        let full = Refusal::QueueFull { level: Level::Department };
        assert_eq!(full.to_string(), "queue_full (department)");
        assert_eq!(full.level(), Some(Level::Department));
        assert_eq!(Refusal::PastCutoff.to_string(), "past_cutoff");
        let until = Refusal::Blacklisted { until: NaiveDate::from_ymd_opt(2025, 8, 5) };
        assert!(until.message(Language::ZhCn).contains("2025年8月5日"));
        assert!(until.message(Language::En).contains("2025-08-05"));
    }
}

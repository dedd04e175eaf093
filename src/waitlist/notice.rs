//! What a patient is told, and whether it is still true (R11, R21, R23): from facts of the schedule only. There is no place
//! here for a diagnosis, a department or the patient's name. How it is said is [`super::template`]'s; sending is the ports'.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::calendar::QuietHours;
use super::money::Fen;
use super::status::EntryStatus;
use super::template::{AtNight, TemplateName};

/// Why an application came to nothing, as the patient is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailReason {
    /// The cutoff passed without a place (R26).
    Expired,
    /// 停诊 has its own text (R26, R34).
    Stopped,
    /// The prepayment did not come in time (R6).
    Unpaid,
    /// The offer was not answered, or not paid, in time (R9).
    Lapsed,
    /// The patient declined the offer.
    Declined,
    /// HIS refused (R19).
    Refused,
    /// The patient withdrew (R12).
    Withdrawn,
    /// Another application of the patient came to a visit on that day (R35).
    Elsewhere,
    /// The doctor, day or half-day became another one, and the patient did not agree (R34).
    Changed,
}

impl FailReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Expired,
        Self::Stopped,
        Self::Unpaid,
        Self::Lapsed,
        Self::Declined,
        Self::Refused,
        Self::Withdrawn,
        Self::Elsewhere,
        Self::Changed,
    ];

    fn remark(self) -> &'static str {
        match self {
            Self::Expired => "候补已截止，未等到号源",
            Self::Stopped => "医生停诊，候补已取消",
            Self::Unpaid => "未在规定时间内支付",
            Self::Lapsed => "未在规定时间内确认",
            Self::Declined => "您已放弃本次号源",
            Self::Refused => "医院未能完成挂号",
            Self::Withdrawn => "您已取消候补",
            Self::Elsewhere => "您当日已挂号成功，本候补已取消",
            Self::Changed => "出诊有变更且您未同意，已取消",
        }
    }
}

/// An occasion to tell the patient something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoticeKind {
    /// 候补申请提交成功 (R11).
    Submitted,
    /// 候补锁号成功: confirm and pay until the deadline (R9, R20).
    PleaseConfirm,
    /// 挂号成功 (R21).
    Booked,
    /// 候补失败 (R26).
    Failed(FailReason),
    /// The money is on its way back (R8, R27).
    Refunded,
    /// A booked visit was cancelled (R22, R34).
    VisitCancelled,
    /// A booked visit that the patient wanted to cancel and HIS does not cancel any more: it stands (R22).
    NotCancelled,
    /// A booked visit is near (R5).
    Reminder,
    /// The doctor, day or half-day is another one by now: does the patient keep it? (R34)
    Changed,
    /// The patient is booked on that day: is this application kept? (R35)
    OthersAsked,
    /// The time on offer does not take place, and the application waits on at its place in the queue (R34).
    OfferWithdrawn,
}

impl NoticeKind {
    /// The letters that [`NoticeKind::letter`] gives.
    pub(super) const LETTERS: [char; 11] = ['S', 'P', 'B', 'F', 'R', 'V', 'K', 'D', 'C', 'Q', 'W'];

    /// The template that it is written with.
    pub fn template(self) -> TemplateName {
        match self {
            Self::Submitted => TemplateName::WaitlistSubmitted,
            Self::PleaseConfirm => TemplateName::WaitlistPleaseConfirm,
            // Both say that the visit stands; the rest says the remark.
            Self::Booked | Self::NotCancelled => TemplateName::WaitlistBooked,
            Self::Failed(_) => TemplateName::WaitlistFailed,
            Self::Refunded => TemplateName::WaitlistRefunded,
            Self::VisitCancelled => TemplateName::VisitCancelled,
            Self::Reminder => TemplateName::VisitReminder,
            Self::Changed => TemplateName::VisitChanged,
            Self::OthersAsked => TemplateName::WaitlistOthersAsked,
            Self::OfferWithdrawn => TemplateName::WaitlistOfferWithdrawn,
        }
    }

    /// The kind's letter in a `client_msg_id`.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Submitted => 'S',
            Self::PleaseConfirm => 'P',
            Self::Booked => 'B',
            Self::Failed(_) => 'F',
            Self::Refunded => 'R',
            Self::VisitCancelled => 'V',
            Self::NotCancelled => 'K',
            Self::Reminder => 'D',
            Self::Changed => 'C',
            Self::OthersAsked => 'Q',
            Self::OfferWithdrawn => 'W',
        }
    }

    /// Whether it is still true of an application with this status: what was overtaken is not sent (R21). A submission stays
    /// true of whoever has moved on to an offer or a booking.
    pub fn still_true(self, status: EntryStatus) -> bool {
        match self {
            Self::Submitted | Self::Changed => status.live() || status == EntryStatus::Booked,
            Self::PleaseConfirm => status.declinable(),
            Self::Booked | Self::NotCancelled | Self::Reminder => status == EntryStatus::Booked,
            Self::Failed(_) => !status.live() && status != EntryStatus::Booked,
            // A part goes back while the visit stands (R6); what is back stays back.
            Self::Refunded => true,
            Self::VisitCancelled => status == EntryStatus::VisitCancelled,
            Self::OthersAsked | Self::OfferWithdrawn => status.live(),
        }
    }

    /// Whether an offer that it tells of can still be answered: one has a deadline of its own, and a later offer has another.
    /// A visit of which it reminds has not begun. That an offer was withdrawn, and is not to be paid, is not said any more once there is
    /// a later one. `stands`: the deadline of the offer that the application has now.
    pub fn in_time(self, told: Option<DateTime<Utc>>, stands: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        match (self, told) {
            (Self::PleaseConfirm, Some(told)) => {
                now < told && stands.is_some_and(|stands| (stands - told).abs() < TimeDelta::seconds(1))
            }
            (Self::Reminder | Self::Changed | Self::OthersAsked, Some(until)) => now < until,
            (Self::OfferWithdrawn, _) => stands.is_none(),
            _ => true,
        }
    }

    /// Until when quiet hours put it off, if they do. Whoever must answer is told at once, and so is whoever has just applied;
    /// the rest can wait. A text may say otherwise, but nobody loses by waiting: what is about a visit is told before its
    /// day begins, and an offer while there is time to answer.
    pub fn waits_until(self, night: &Night) -> Option<DateTime<Utc>> {
        /// What is left of an offer in the morning at the least, minutes.
        const TO_ANSWER_MINUTES: i64 = 15;
        let ends = night.hours.quiet_end(night.now, night.tz)?;
        let by_itself = match self {
            Self::Submitted | Self::PleaseConfirm | Self::Changed => AtNight::Send,
            Self::Booked
            | Self::Failed(_)
            | Self::Refunded
            | Self::VisitCancelled
            | Self::NotCancelled
            | Self::Reminder
            | Self::OthersAsked
            | Self::OfferWithdrawn => AtNight::Wait,
        };
        let before_its_day = ends.with_timezone(&night.tz).date_naive() < night.visit_date;
        let harmless = match self {
            Self::Submitted | Self::Refunded | Self::OfferWithdrawn => true,
            Self::PleaseConfirm | Self::Changed | Self::OthersAsked => {
                night.deadline.is_some_and(|deadline| deadline >= ends + TimeDelta::minutes(TO_ANSWER_MINUTES))
            }
            Self::Failed(reason) => reason != FailReason::Stopped || before_its_day,
            Self::Booked | Self::VisitCancelled | Self::NotCancelled => before_its_day,
            Self::Reminder => night.deadline.is_some_and(|begins| ends < begins),
        };
        (night.asked.unwrap_or(by_itself) == AtNight::Wait && harmless).then_some(ends)
    }

    /// True where the visit's time of day is known whenever this is said; else it may be the half-day alone.
    pub(super) fn knows_the_time(self) -> bool {
        matches!(
            self,
            Self::PleaseConfirm
                | Self::Booked
                | Self::VisitCancelled
                | Self::NotCancelled
                | Self::Reminder
                | Self::OfferWithdrawn
        )
    }

    /// At most five letters, as a `phrase` field takes them.
    pub(super) fn status_phrase(self) -> &'static str {
        match self {
            Self::Submitted | Self::OfferWithdrawn => "候补中",
            Self::PleaseConfirm | Self::OthersAsked => "待确认",
            Self::Booked => "挂号成功",
            Self::Failed(_) => "候补失败",
            Self::Refunded => "退款成功",
            Self::VisitCancelled => "预约取消",
            Self::NotCancelled => "未能退号",
            Self::Reminder => "就诊提醒",
            Self::Changed => "出诊变更",
        }
    }

    pub(super) fn remark(self) -> &'static str {
        match self {
            Self::Submitted => "候补成功后将通知您",
            Self::PleaseConfirm => "请在截止时间前确认",
            Self::Booked | Self::Reminder => "请按时就诊，不能就诊请提前退号",
            Self::Failed(reason) => reason.remark(),
            Self::Refunded => "已按原支付方式退回，请查收",
            Self::VisitCancelled => "您的预约已取消",
            Self::NotCancelled => "未能退号，请就诊或到窗口办理",
            Self::Changed => "请确认是否保留，逾期将取消",
            Self::OthersAsked => "您当日已挂号，是否保留本候补",
            Self::OfferWithdrawn => "该时段停诊，您的候补排位不变",
        }
    }
}

#[cfg(test)]
impl NoticeKind {
    /// One of each, and each failure.
    pub(super) fn samples() -> impl Iterator<Item = Self> {
        [
            Self::Submitted,
            Self::PleaseConfirm,
            Self::Booked,
            Self::Refunded,
            Self::VisitCancelled,
            Self::NotCancelled,
            Self::Reminder,
            Self::Changed,
            Self::OthersAsked,
            Self::OfferWithdrawn,
        ]
        .into_iter()
        .chain(FailReason::ALL.map(Self::Failed))
    }
}

/// What decides whether a notice waits for the morning.
#[derive(Debug, Clone, Copy)]
pub struct Night {
    /// The quiet hours of the application's policy.
    pub hours: QuietHours,
    /// What its text says about them.
    pub asked: Option<AtNight>,
    /// The time.
    pub now: DateTime<Utc>,
    /// The day of the visit, hospital time.
    pub visit_date: NaiveDate,
    /// By when an offer must be answered; when a visit begins of which it reminds.
    pub deadline: Option<DateTime<Utc>>,
    /// The hospital's zone.
    pub tz: Tz,
}

/// What a notice may know. Nothing of it is about the patient.
#[derive(Debug, Clone, Copy)]
pub struct NoticeFacts<'a> {
    /// The doctor.
    pub doctor_name: &'a str,
    /// The day of the visit, hospital time.
    pub visit_date: NaiveDate,
    /// The half-day in words (上午).
    pub part_of_day: &'a str,
    /// When the visit begins, once that is known.
    pub begins: Option<NaiveTime>,
    /// Where to go (`HOSP_SEE_DOCT_ADDR`), once that is known.
    pub place: Option<&'a str>,
    /// Until when the queue runs, or the patient may confirm.
    pub deadline: Option<DateTime<Utc>>,
    /// The fee, or what goes back.
    pub amount: Option<Fen>,
    /// The hospital's zone.
    pub tz: Tz,
}

impl NoticeFacts<'_> {
    pub(super) fn visit_time(&self) -> String {
        match self.begins {
            Some(begins) => format!("{} {}", self.visit_day(), begins.format("%H:%M")),
            None => format!("{} {}", self.visit_day(), self.part_of_day),
        }
    }

    pub(super) fn visit_day(&self) -> String {
        self.visit_date.format("%Y年%-m月%-d日").to_string()
    }

    pub(super) fn deadline_in_words(&self) -> Option<String> {
        self.deadline.map(|at| at.with_timezone(&self.tz).format("%Y年%-m月%-d日 %H:%M").to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn templates_and_letters_are_complete() {
        let templates: HashSet<_> = NoticeKind::samples().map(NoticeKind::template).collect();
        assert_eq!(templates, HashSet::from(TemplateName::ALL));
        let letters: HashSet<_> = NoticeKind::samples().map(NoticeKind::letter).collect();
        assert_eq!(letters, HashSet::from(NoticeKind::LETTERS));
    }

    #[test]
    fn r21_news_that_was_overtaken_is_not_sent() {
        assert!(NoticeKind::Booked.still_true(EntryStatus::Booked));
        assert!(!NoticeKind::Booked.still_true(EntryStatus::VisitCancelled));
        assert!(!NoticeKind::PleaseConfirm.still_true(EntryStatus::Lapsed));
        assert!(!NoticeKind::Failed(FailReason::Expired).still_true(EntryStatus::Booked));
        for kind in NoticeKind::samples() {
            assert!(EntryStatus::ALL.into_iter().any(|status| kind.still_true(status)), "{kind:?}");
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn r23_an_offer_that_has_ended_or_was_followed_by_another_is_not_told() {
        let (told, later) = (at("2025-08-13T10:00:00+08:00"), at("2025-08-13T10:30:00+08:00"));
        let now = at("2025-08-13T09:45:00+08:00");
        let asks = NoticeKind::PleaseConfirm;
        assert!(asks.in_time(Some(told), Some(told), now));
        assert!(!asks.in_time(Some(told), Some(told), told), "its time is up");
        assert!(!asks.in_time(Some(told), Some(later), now), "there is another offer");
        assert!(!asks.in_time(Some(told), None, now), "the other one is not locked yet");
        assert!(NoticeKind::Booked.in_time(Some(told), None, later));
        assert!(NoticeKind::Reminder.in_time(Some(told), None, now));
        assert!(!NoticeKind::Reminder.in_time(Some(told), None, told), "the visit has begun");
        assert!(NoticeKind::OfferWithdrawn.in_time(Some(told), None, later), "there is no other offer");
        assert!(!NoticeKind::OfferWithdrawn.in_time(Some(told), Some(later), now), "there is, and it is to be paid");
    }

    #[test]
    fn r23_what_can_wait_waits_for_the_end_of_the_quiet_hours() {
        let hm = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        let night = |now: &str, visit: &str| Night {
            hours: QuietHours { from: hm(23), to: hm(6) },
            asked: None,
            now: at(now),
            visit_date: visit.parse().unwrap(),
            deadline: Some(at("2025-08-13T06:30:00+08:00")),
            tz: chrono_tz::Asia::Shanghai,
        };
        let (morning, late) = (Some(at("2025-08-13T06:00:00+08:00")), "2025-08-12T23:30:00+08:00");
        let stopped = NoticeKind::Failed(FailReason::Stopped);
        for kind in NoticeKind::samples() {
            assert_eq!(kind.waits_until(&night("2025-08-12T22:59:00+08:00", "2025-08-14")), None, "{kind:?}");
            let waits = !matches!(kind, NoticeKind::Submitted | NoticeKind::PleaseConfirm | NoticeKind::Changed);
            assert_eq!(kind.waits_until(&night(late, "2025-08-14")), morning.filter(|_| waits), "{kind:?}");
            // The visit is in the morning.
            let about_it = matches!(kind, NoticeKind::Booked | NoticeKind::VisitCancelled | NoticeKind::NotCancelled);
            let waits = waits && !about_it && kind != stopped;
            assert_eq!(kind.waits_until(&night(late, "2025-08-13")), morning.filter(|_| waits), "{kind:?}");
            let sends = Night { asked: Some(AtNight::Send), ..night(late, "2025-08-14") };
            assert_eq!(kind.waits_until(&sends), None, "{kind:?}");
        }
        let asked = Night { asked: Some(AtNight::Wait), ..night(late, "2025-08-13") };
        assert_eq!(NoticeKind::PleaseConfirm.waits_until(&asked), morning);
        let short = Night { deadline: Some(at("2025-08-13T06:10:00+08:00")), ..asked };
        assert_eq!(NoticeKind::PleaseConfirm.waits_until(&short), None, "ten minutes are too few to answer");
    }
}

//! What a patient is told, as the fields of a message template (R11, R21, R23): from facts of the schedule only. There
//! is no place here for a diagnosis, a department or the patient's name. Sending is the ports' work; which template of
//! the platform stands for a name, and which of its keys for a field, is the staff's to set.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::money::Fen;
use super::status::EntryStatus;

/// The most letters that the platform takes in a `thing` field.
pub const THING_LETTERS: usize = 20;

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
}

impl FailReason {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Expired, Self::Stopped, Self::Unpaid, Self::Lapsed, Self::Declined, Self::Refused, Self::Withdrawn];

    fn remark(self) -> &'static str {
        match self {
            Self::Expired => "候补已截止，未等到号源",
            Self::Stopped => "医生停诊，候补已取消",
            Self::Unpaid => "未在规定时间内支付",
            Self::Lapsed => "未在规定时间内确认",
            Self::Declined => "您已放弃本次号源",
            Self::Refused => "医院未能完成挂号",
            Self::Withdrawn => "您已取消候补",
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
}

impl NoticeKind {
    /// The letters that [`NoticeKind::letter`] gives.
    pub(super) const LETTERS: [char; 6] = ['S', 'P', 'B', 'F', 'R', 'V'];

    /// The template's name, as staff see it.
    pub fn template(self) -> &'static str {
        match self {
            Self::Submitted => "waitlist_submitted",
            Self::PleaseConfirm => "waitlist_please_confirm",
            Self::Booked => "waitlist_booked",
            Self::Failed(_) => "waitlist_failed",
            Self::Refunded => "waitlist_refunded",
            Self::VisitCancelled => "visit_cancelled",
        }
    }

    /// All template names.
    pub const TEMPLATES: [&'static str; 6] = [
        "waitlist_submitted",
        "waitlist_please_confirm",
        "waitlist_booked",
        "waitlist_failed",
        "waitlist_refunded",
        "visit_cancelled",
    ];

    /// The kind's letter in a `client_msg_id`.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Submitted => 'S',
            Self::PleaseConfirm => 'P',
            Self::Booked => 'B',
            Self::Failed(_) => 'F',
            Self::Refunded => 'R',
            Self::VisitCancelled => 'V',
        }
    }

    /// Whether it is still true of an application with this status: what was overtaken is not sent (R21).
    pub fn still_true(self, status: EntryStatus) -> bool {
        match self {
            Self::Submitted => status.live(),
            Self::PleaseConfirm => status.declinable(),
            Self::Booked => status == EntryStatus::Booked,
            Self::Failed(_) | Self::Refunded => !status.live() && status != EntryStatus::Booked,
            Self::VisitCancelled => status == EntryStatus::VisitCancelled,
        }
    }

    /// The fields and their values: 就诊时间, 候补医师 and 候补状态 always; 候补地点, 截止时间, 金额 where the
    /// kind has them and the facts know them; 温馨提示. Every value is one line of at most [`THING_LETTERS`] letters.
    pub fn fields(self, facts: &NoticeFacts<'_>) -> BTreeMap<&'static str, String> {
        let mut fields = BTreeMap::from([
            ("就诊时间", facts.visit_time()),
            ("候补医师", facts.doctor_name.to_owned()),
            ("候补状态", self.status_phrase().to_owned()),
            ("温馨提示", self.remark().to_owned()),
        ]);
        let deadline = facts.deadline.map(|at| local_minute(at, facts.tz));
        let amount = facts.amount.filter(|amount| amount.is_positive()).map(|amount| amount.to_string());
        let place = facts.place.map(str::to_owned);
        let more = match self {
            Self::Submitted => vec![("截止时间", deadline), ("金额", amount)],
            Self::PleaseConfirm => vec![("截止时间", deadline), ("金额", amount), ("候补地点", place)],
            Self::Booked => vec![("候补地点", place), ("金额", amount)],
            Self::Refunded => vec![("金额", amount)],
            Self::Failed(_) | Self::VisitCancelled => vec![],
        };
        fields.extend(more.into_iter().filter_map(|(field, value)| Some((field, value?))));
        fields.into_iter().map(|(field, value)| (field, thing(&value))).collect()
    }

    /// At most five letters, as a `phrase` field takes them.
    fn status_phrase(self) -> &'static str {
        match self {
            Self::Submitted => "候补中",
            Self::PleaseConfirm => "待确认",
            Self::Booked => "挂号成功",
            Self::Failed(_) => "候补失败",
            Self::Refunded => "退款成功",
            Self::VisitCancelled => "预约取消",
        }
    }

    fn remark(self) -> &'static str {
        match self {
            Self::Submitted => "候补成功后将通知您",
            Self::PleaseConfirm => "请在截止时间前确认",
            Self::Booked => "请按时就诊，不能就诊请提前退号",
            Self::Failed(reason) => reason.remark(),
            Self::Refunded => "费用将按原支付方式退回",
            Self::VisitCancelled => "您的预约已取消",
        }
    }
}

#[cfg(test)]
impl NoticeKind {
    /// One of each, and each failure.
    pub(super) fn samples() -> impl Iterator<Item = Self> {
        [Self::Submitted, Self::PleaseConfirm, Self::Booked, Self::Refunded, Self::VisitCancelled]
            .into_iter()
            .chain(FailReason::ALL.map(Self::Failed))
    }
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
    fn visit_time(&self) -> String {
        let date = self.visit_date.format("%Y年%-m月%-d日");
        match self.begins {
            Some(begins) => format!("{date} {}", begins.format("%H:%M")),
            None => format!("{date} {}", self.part_of_day),
        }
    }
}

fn local_minute(at: DateTime<Utc>, tz: Tz) -> String {
    at.with_timezone(&tz).format("%Y年%-m月%-d日 %H:%M").to_string()
}

/// One line that a `thing` field takes; what is too long ends with `…`. Empty values are refused by the platform.
fn thing(value: &str) -> String {
    let line: Vec<char> = value.split_whitespace().collect::<Vec<_>>().join(" ").chars().collect();
    let line: Vec<char> = line.into_iter().filter(|letter| !letter.is_control()).collect();
    match line.get(..THING_LETTERS) {
        Some(kept) if line.len() > THING_LETTERS => kept.iter().take(THING_LETTERS - 1).chain(&['…']).collect(),
        _ if line.is_empty() => "—".to_owned(),
        _ => line.into_iter().collect(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use chrono_tz::Asia::Shanghai;
    use proptest::prelude::*;

    use super::*;

    fn facts() -> NoticeFacts<'static> {
        NoticeFacts {
            doctor_name: "李时珍",
            visit_date: NaiveDate::from_ymd_opt(2025, 8, 14).unwrap(),
            part_of_day: "上午",
            begins: NaiveTime::from_hms_opt(9, 30, 0),
            place: Some("门诊楼三层"),
            deadline: DateTime::from_timestamp(1_755_079_200, 0),
            amount: Some(Fen(5000)),
            tz: Shanghai,
        }
    }

    #[test]
    fn an_offer_says_when_who_until_when_and_how_much() {
        let expected = [
            ("候补医师", "李时珍"),
            ("候补地点", "门诊楼三层"),
            ("候补状态", "待确认"),
            ("就诊时间", "2025年8月14日 09:30"),
            ("截止时间", "2025年8月13日 18:00"),
            ("温馨提示", "请在截止时间前确认"),
            ("金额", "50.00 元"),
        ];
        let expected = expected.map(|(field, value)| (field, value.to_owned()));
        assert_eq!(NoticeKind::PleaseConfirm.fields(&facts()), BTreeMap::from(expected));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let bare = NoticeFacts { begins: None, place: None, deadline: None, amount: Some(Fen::ZERO), ..facts() };
        let fields = NoticeKind::Submitted.fields(&bare);
        assert_eq!(fields.get("就诊时间").unwrap(), "2025年8月14日 上午");
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn every_failure_has_words_of_its_own() {
        let remarks: HashSet<_> = FailReason::ALL
            .iter()
            .map(|reason| NoticeKind::Failed(*reason).fields(&facts())["温馨提示"].clone())
            .collect();
        assert_eq!(remarks.len(), FailReason::ALL.len());
    }

    #[test]
    fn nothing_of_our_own_is_cut_and_phrases_are_short() {
        for kind in NoticeKind::samples() {
            let fields = kind.fields(&facts());
            assert!(fields.values().all(|value| !value.contains('…')), "{fields:?}");
            assert!(fields["候补状态"].chars().count() <= 5);
        }
    }

    #[test]
    fn templates_and_letters_are_complete() {
        let templates: HashSet<_> = NoticeKind::samples().map(NoticeKind::template).collect();
        assert_eq!(templates, HashSet::from(NoticeKind::TEMPLATES));
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

    proptest! {
        #[test]
        fn r23_every_value_is_one_short_line(doctor in "\\PC{0,60}", place in "(?s).{0,60}", fen in 0..i64::MAX) {
            let facts = NoticeFacts { doctor_name: &doctor, place: Some(&place), amount: Some(Fen(fen)), ..facts() };
            for kind in NoticeKind::samples() {
                for value in kind.fields(&facts).values() {
                    prop_assert!((1..=THING_LETTERS).contains(&value.chars().count()), "{}", value);
                    prop_assert!(!value.chars().any(char::is_control));
                }
            }
        }
    }
}

//! The texts of notices as data (R23): under which template of the message platform a notice is sent, what each of its keys
//! says, and the SMS in its place. A text has placeholders (`{doctor}`); there is none for who the patient is, nor for a
//! department or an illness, and none can be made up. Where staff stored nothing, the built-in text counts.

mod flaw;
mod form;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::notice::{FailReason, NoticeFacts, NoticeKind};
use super::route::Channel;
pub use flaw::{Flaw, Wrong};
use form::{Form, cut, one_line};

/// The most letters of an SMS, with everything filled in: three parts.
pub const SMS_LETTERS: usize = 200;

/// Which notices a template is for, by the name that staff know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateName {
    /// 候补申请提交成功 (R11).
    WaitlistSubmitted,
    /// 候补锁号成功 (R9, R20).
    WaitlistPleaseConfirm,
    /// 挂号成功 (R21); also that the visit stands because HIS does not cancel it any more (R22).
    WaitlistBooked,
    /// 候补失败 (R26).
    WaitlistFailed,
    /// The money is on its way back (R8, R27).
    WaitlistRefunded,
    /// A booked visit was cancelled (R22, R34).
    VisitCancelled,
    /// A booked visit is near (R5).
    VisitReminder,
    /// The doctor, day or half-day is another one by now (R34).
    VisitChanged,
    /// Whether an application is kept beside a visit of that day (R35).
    WaitlistOthersAsked,
    /// The time on offer does not take place, and the application waits on (R34).
    WaitlistOfferWithdrawn,
}

impl std::fmt::Display for TemplateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TemplateName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::WaitlistSubmitted,
        Self::WaitlistPleaseConfirm,
        Self::WaitlistBooked,
        Self::WaitlistFailed,
        Self::WaitlistRefunded,
        Self::VisitCancelled,
        Self::VisitReminder,
        Self::VisitChanged,
        Self::WaitlistOthersAsked,
        Self::WaitlistOfferWithdrawn,
    ];

    /// The name in paths, on the wire, in the database and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WaitlistSubmitted => "waitlist_submitted",
            Self::WaitlistPleaseConfirm => "waitlist_please_confirm",
            Self::WaitlistBooked => "waitlist_booked",
            Self::WaitlistFailed => "waitlist_failed",
            Self::WaitlistRefunded => "waitlist_refunded",
            Self::VisitCancelled => "visit_cancelled",
            Self::VisitReminder => "visit_reminder",
            Self::VisitChanged => "visit_changed",
            Self::WaitlistOthersAsked => "waitlist_others_asked",
            Self::WaitlistOfferWithdrawn => "waitlist_offer_withdrawn",
        }
    }

    /// The template of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.as_str() == name)
    }

    /// The notices that are written with it.
    pub fn kinds(self) -> Vec<NoticeKind> {
        match self {
            Self::WaitlistSubmitted => vec![NoticeKind::Submitted],
            Self::WaitlistPleaseConfirm => vec![NoticeKind::PleaseConfirm],
            Self::WaitlistBooked => vec![NoticeKind::Booked, NoticeKind::NotCancelled],
            Self::WaitlistFailed => FailReason::ALL.map(NoticeKind::Failed).to_vec(),
            Self::WaitlistRefunded => vec![NoticeKind::Refunded],
            Self::VisitCancelled => vec![NoticeKind::VisitCancelled],
            Self::VisitReminder => vec![NoticeKind::Reminder],
            Self::VisitChanged => vec![NoticeKind::Changed],
            Self::WaitlistOthersAsked => vec![NoticeKind::OthersAsked],
            Self::WaitlistOfferWithdrawn => vec![NoticeKind::OfferWithdrawn],
        }
    }
}

/// One text, as staff store it. What a later release adds to it, an earlier one passes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "templateId": "TM00002", "fields": {
        "thing1": "{doctor}", "time2": "{visitTime}", "phrase3": "{status}", "time4": "{deadline}", "thing5": "{remark}"
    }, "sms": "您候补的{doctor}{visitTime}号源已为您保留，请于{deadline}前确认。"
}))]
pub struct Template {
    /// The platform's id of the template.
    pub template_id: String,
    /// The platform's key → what it says. Placeholders: `{doctor}`, `{visitTime}`, `{visitDate}`, `{place}`, `{deadline}`,
    /// `{amount}`, `{status}`, `{remark}`.
    pub fields: BTreeMap<String, String>,
    /// What is sent to the phone of a patient whom the platform does not reach; none: nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<String>,
    /// What it does in quiet hours; none: what its kind does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<AtNight>,
    /// The channels that it goes by, in this order; none: as is configured for its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// The id of the template on a channel that knows it by another one than `templateId`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub template_ids: BTreeMap<Channel, String>,
}

/// What a notice does in the quiet hours of the application's policy (R10, Q5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AtNight {
    /// It is sent.
    Send,
    /// It waits for their end, where nothing is lost by that.
    Wait,
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blank {
    Doctor,
    VisitTime,
    VisitDate,
    Place,
    Deadline,
    Amount,
    Status,
    Remark,
}

impl Blank {
    const ALL: [(&'static str, Self); 8] = [
        ("doctor", Self::Doctor),
        ("visitTime", Self::VisitTime),
        ("visitDate", Self::VisitDate),
        ("place", Self::Place),
        ("deadline", Self::Deadline),
        ("amount", Self::Amount),
        ("status", Self::Status),
        ("remark", Self::Remark),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, blank)| *blank)
    }

    fn listed() -> String {
        Self::ALL.map(|(name, _)| format!("{{{name}}}")).join(" ")
    }

    fn value(self, kind: NoticeKind, facts: &NoticeFacts<'_>) -> Option<String> {
        match self {
            Self::Doctor => Some(facts.doctor_name.to_owned()),
            Self::VisitTime => Some(facts.visit_time()),
            Self::VisitDate => Some(facts.visit_day()),
            Self::Place => facts.place.map(str::to_owned),
            Self::Deadline => facts.deadline_in_words(),
            Self::Amount => facts.amount.filter(|amount| amount.is_positive()).map(|amount| amount.to_string()),
            Self::Status => Some(kind.status_phrase().to_owned()),
            Self::Remark => Some(kind.remark().to_owned()),
        }
    }
}

/// A part of a text.
enum Piece<'a> {
    Text(&'a str),
    Blank(&'a str),
}

/// The parts of a text; none where a brace has no other one.
fn pieces(pattern: &str) -> Option<Vec<Piece<'_>>> {
    let (mut pieces, mut rest) = (Vec::new(), pattern);
    while let Some((before, opened)) = rest.split_once('{') {
        let (name, after) = opened.split_once('}')?;
        if before.contains('}') || name.contains('{') {
            return None;
        }
        pieces.extend((!before.is_empty()).then_some(Piece::Text(before)));
        pieces.push(Piece::Blank(name));
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    pieces.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    Some(pieces)
}

/// A text with everything filled in.
struct Filled {
    text: String,
    /// True where it has placeholders and nothing is known of any.
    nothing: bool,
}

fn fill(pattern: &str, kind: NoticeKind, facts: &NoticeFacts<'_>) -> Filled {
    let (mut text, mut known, mut missing) = (String::new(), 0, 0);
    for piece in pieces(pattern).unwrap_or_else(|| vec![Piece::Text(pattern)]) {
        match piece {
            Piece::Text(fixed) => text.push_str(fixed),
            Piece::Blank(name) => {
                let value = Blank::parse(name).and_then(|blank| blank.value(kind, facts));
                *(if value.is_some() { &mut known } else { &mut missing }) += 1;
                text.push_str(&value.map_or_else(|| "—".to_owned(), |value| one_line(&value)));
            }
        }
    }
    Filled { text, nothing: missing > 0 && known == 0 }
}

impl Template {
    /// What is said where staff stored nothing, under this id of the platform.
    pub fn built_in(name: TemplateName, template_id: String) -> Self {
        let more: &[(&str, &str)] = match name {
            TemplateName::WaitlistSubmitted | TemplateName::WaitlistPleaseConfirm => {
                &[("截止时间", "{deadline}"), ("金额", "{amount}")]
            }
            TemplateName::WaitlistBooked => &[("候补地点", "{place}"), ("金额", "{amount}")],
            TemplateName::WaitlistRefunded => &[("金额", "{amount}")],
            TemplateName::VisitReminder => &[("候补地点", "{place}")],
            TemplateName::VisitChanged | TemplateName::WaitlistOthersAsked => &[("截止时间", "{deadline}")],
            TemplateName::WaitlistFailed | TemplateName::VisitCancelled | TemplateName::WaitlistOfferWithdrawn => &[],
        };
        let always =
            [("就诊时间", "{visitTime}"), ("候补医师", "{doctor}"), ("候补状态", "{status}"), ("温馨提示", "{remark}")];
        let sms = match name {
            TemplateName::WaitlistSubmitted => "您已提交{doctor}医生{visitTime}的候补申请，候补成功后将通知您。",
            TemplateName::WaitlistPleaseConfirm => {
                "您候补的{doctor}医生{visitTime}号源已为您保留，请于{deadline}前确认，逾期将释放。"
            }
            TemplateName::WaitlistBooked => "您候补的{doctor}医生{visitTime}已挂号成功。{remark}。",
            TemplateName::WaitlistFailed => "您候补的{doctor}医生{visitTime}未能成功：{remark}。",
            TemplateName::WaitlistRefunded => "您候补{doctor}医生的费用{amount}已退回。{remark}。",
            TemplateName::VisitCancelled => "您预约的{doctor}医生{visitTime}已取消。",
            TemplateName::VisitReminder => "就诊提醒：您已预约{doctor}医生{visitTime}。{remark}。",
            TemplateName::VisitChanged => {
                "您的候补或预约已变更为{doctor}医生{visitTime}，请于{deadline}前确认是否保留，逾期将取消并退费。"
            }
            TemplateName::WaitlistOthersAsked => {
                "您当日已挂号成功，{doctor}医生{visitTime}的候补是否保留？请于{deadline}前答复，逾期将继续候补。"
            }
            TemplateName::WaitlistOfferWithdrawn => {
                "您候补的{doctor}医生{visitTime}号源因停诊取消，请勿支付。您的候补排位不变，有号将再通知您。"
            }
        };
        let fields = always.iter().chain(more).map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        let (sms, fields) = (Some(sms.to_owned()), fields.collect());
        Self { template_id, fields, sms, quiet_hours: None, channels: Vec::new(), template_ids: BTreeMap::new() }
    }

    /// The keys and their values for one notice: each of the form and length that its key takes, and none empty.
    pub fn render(&self, kind: NoticeKind, facts: &NoticeFacts<'_>) -> BTreeMap<String, String> {
        let value = |key: &str, pattern: &str| {
            let form = Form::of(key).unwrap_or(Form::Free);
            let filled = fill(pattern, kind, facts);
            let value = form.shape(&filled.text);
            if filled.nothing { form.of_nothing(value) } else { Some(value) }
        };
        self.fields.iter().filter_map(|(key, pattern)| Some((key.clone(), value(key, pattern)?))).collect()
    }

    /// What a channel calls the template.
    pub fn id_on(&self, channel: Channel) -> &str {
        self.template_ids.get(&channel).unwrap_or(&self.template_id)
    }

    /// The SMS for one notice, if there is to be one.
    pub fn render_sms(&self, kind: NoticeKind, facts: &NoticeFacts<'_>) -> Option<String> {
        let sms = self.sms.as_deref()?;
        Some(cut(&one_line(&fill(sms, kind, facts).text), SMS_LETTERS))
    }
}

/// The most letters that the platform takes under a key; none where it has no such key.
pub fn letters_max(key: &str) -> Option<usize> {
    Form::of(key).map(Form::letters_max)
}

/// Facts for show, where there is no application to take them from.
pub fn sample_facts(kind: NoticeKind) -> NoticeFacts<'static> {
    flaw::sample(kind)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

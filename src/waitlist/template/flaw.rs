//! What is wrong with a template, found before the platform finds it: every notice that it is for is written with it, from
//! facts as long as they come, and each value is held against the form of its key.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveTime};
use chrono_tz::Asia::Shanghai;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::form::Form;
use super::{Blank, Piece, SMS_LETTERS, Template, TemplateName, fill, pieces};
use crate::waitlist::identity::{IdNumber, IdType};
use crate::waitlist::language::Language;
use crate::waitlist::money::Fen;
use crate::waitlist::notice::{NoticeFacts, NoticeKind};
use crate::waitlist::route::{Channel, Routes};

/// The most keys of a template of the platform, by far.
const KEYS_MAX: usize = 20;
/// The most letters of a template id.
const ID_LETTERS: usize = 64;

/// What says who somebody is, or what they suffer from: never in a message.
const FORBIDDEN_BLANKS: [&str; 36] = [
    "name",
    "patient",
    "patientname",
    "patientid",
    "guardian",
    "idnumber",
    "idcard",
    "idno",
    "idtype",
    "phone",
    "mobile",
    "openid",
    "age",
    "sex",
    "gender",
    "birthday",
    "address",
    "cardno",
    "diagnosis",
    "disease",
    "illness",
    "symptom",
    "complaint",
    "prescription",
    "department",
    "departmentname",
    "姓名",
    "患者",
    "就诊人",
    "身份证号",
    "证件号",
    "手机号",
    "诊断",
    "病情",
    "症状",
    "科室",
];

/// Words that say what somebody suffers from.
const FORBIDDEN_WORDS: [&str; 18] = [
    "诊断",
    "确诊",
    "病情",
    "病历",
    "病史",
    "症状",
    "主诉",
    "疾病",
    "患有",
    "处方",
    "用药",
    "检查结果",
    "检验结果",
    "化验",
    "手术",
    "肿瘤",
    "癌",
    "艾滋",
];

/// One thing that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({ "field": "fields.thing1", "code": "too_long", "letters": 26, "most": 20 }))]
pub struct Flaw {
    /// Where: `templateId`, `templateIds.<channel>`, `fields`, `fields.<key>`, `sms` or `channels`.
    pub field: String,
    /// What.
    #[serde(flatten)]
    pub what: Wrong,
}

/// See [`Flaw`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Wrong {
    /// It is empty, or too much of it.
    Size {
        /// How many letters, or keys, it may have.
        most: usize,
    },
    /// The platform has no such key.
    UnknownKey,
    /// A brace without its other one.
    Unclosed,
    /// Nothing is known by this name.
    UnknownPlaceholder {
        /// The name.
        name: String,
    },
    /// It would say who the patient is, or what for.
    ForbiddenPlaceholder {
        /// The name.
        name: String,
    },
    /// A word of an illness, or an ID number.
    ForbiddenText {
        /// The word; an ID number is not repeated.
        text: String,
    },
    /// Longer than the key takes.
    TooLong {
        /// How long it comes to be.
        letters: usize,
        /// How long it may be.
        most: usize,
    },
    /// Not of the form that the key takes.
    WrongForm {
        /// What it comes to be.
        value: String,
        /// The key's word.
        #[serde(skip)]
        wants: [&'static str; 2],
    },
    /// A channel that stands there twice, or an SMS of a text that has none.
    UselessChannel {
        /// Which.
        channel: Channel,
    },
    /// A channel that is not configured.
    ClosedChannel {
        /// Which.
        channel: Channel,
    },
}

impl Flaw {
    /// A sentence.
    pub fn message(&self, language: Language) -> String {
        let field = &self.field;
        match language {
            Language::ZhCn => format!("{field}：{}", self.what.zh()),
            Language::En => format!("{field}: {}", self.what.en()),
        }
    }
}

impl Wrong {
    fn zh(&self) -> String {
        match self {
            Self::Size { most } => format!("不能为空，最多 {most}"),
            Self::UnknownKey => "微信没有此类字段，应为 thing1、time2、phrase3、amount4 等".to_owned(),
            Self::Unclosed => "花括号不成对".to_owned(),
            Self::UnknownPlaceholder { name } => format!("没有占位符 {{{name}}}，可用：{}", Blank::listed()),
            Self::ForbiddenPlaceholder { name } => format!("不得使用 {{{name}}}：消息中不能出现身份信息或病情"),
            Self::ForbiddenText { text } => format!("不得出现“{text}”：消息中不能出现身份信息或病情"),
            Self::TooLong { letters, most } => format!("填入内容后为 {letters} 个字，最多 {most} 个字"),
            Self::WrongForm { value, wants: [zh, _] } => format!("填入内容后为“{value}”，此字段只接受{zh}"),
            Self::UselessChannel { channel } => format!("渠道 {} 重复，或本文本没有短信内容", channel.as_str()),
            Self::ClosedChannel { channel } => {
                format!("渠道 {} 未配置，请先填写配置中的 [{}]", channel.as_str(), channel.section())
            }
        }
    }

    fn en(&self) -> String {
        match self {
            Self::Size { most } => format!("it is empty, or more than {most}"),
            Self::UnknownKey => {
                "the platform has no such key; it has thing1, time2, phrase3, amount4 and the like".to_owned()
            }
            Self::Unclosed => "a brace has no other one".to_owned(),
            Self::UnknownPlaceholder { name } => format!("there is no {{{name}}}; there are {}", Blank::listed()),
            Self::ForbiddenPlaceholder { name } => {
                format!("{{{name}}} is not for messages: it would say who the patient is, or what for")
            }
            Self::ForbiddenText { text } => {
                format!("“{text}” is not for messages: it says who the patient is, or what for")
            }
            Self::TooLong { letters, most } => format!("it comes to {letters} letters, and {most} are taken at most"),
            Self::WrongForm { value, wants: [_, en] } => format!("it comes to “{value}”, and the key takes {en}"),
            Self::UselessChannel { channel } => {
                format!("{} stands there twice, or the text has no SMS", channel.as_str())
            }
            Self::ClosedChannel { channel } => {
                format!("{} is not configured; fill in [{}] first", channel.as_str(), channel.section())
            }
        }
    }
}

impl Template {
    /// Everything that is wrong with it for notices of this name; empty where nothing is.
    pub fn flaws(&self, name: TemplateName) -> Vec<Flaw> {
        let mut found = BTreeSet::new();
        let mut wrong = |field: &str, what: Wrong| {
            found.insert(Flaw { field: field.to_owned(), what });
        };
        if !is_id(&self.template_id) {
            wrong("templateId", Wrong::Size { most: ID_LETTERS });
        }
        for (channel, _) in self.template_ids.iter().filter(|(_, id)| !is_id(id)) {
            wrong(&format!("templateIds.{}", channel.as_str()), Wrong::Size { most: ID_LETTERS });
        }
        for (nth, channel) in self.channels.iter().enumerate() {
            let twice = self.channels.iter().take(nth).any(|before| before == channel);
            if twice || (*channel == Channel::Sms && self.sms.is_none()) {
                wrong("channels", Wrong::UselessChannel { channel: *channel });
            }
        }
        if !(1..=KEYS_MAX).contains(&self.fields.len()) {
            wrong("fields", Wrong::Size { most: KEYS_MAX });
        }
        for (key, pattern) in &self.fields {
            let field = format!("fields.{key}");
            let Some(form) = Form::of(key) else {
                wrong(&field, Wrong::UnknownKey);
                continue;
            };
            match unreadable(pattern) {
                Some(what) => wrong(&field, what),
                None => misfits(pattern, form, name).into_iter().for_each(|what| wrong(&field, what)),
            }
        }
        if let Some(what) = self.sms.as_deref().and_then(|sms| unreadable(sms).or_else(|| too_long(sms, name))) {
            wrong("sms", what);
        }
        found.into_iter().collect()
    }
}

impl Template {
    /// The channels that it names and that are not configured.
    pub fn closed_channels(&self, routes: &Routes) -> Vec<Flaw> {
        let closed = self.channels.iter().filter(|channel| !routes.is_open(**channel));
        let flaw =
            |channel: &Channel| Flaw { field: "channels".to_owned(), what: Wrong::ClosedChannel { channel: *channel } };
        closed.map(flaw).collect()
    }
}

/// Whether the platform could have given out this id.
fn is_id(id: &str) -> bool {
    let letters = id.chars().count();
    (1..=ID_LETTERS).contains(&letters) && !id.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// What is wrong with a text, whatever is filled in.
fn unreadable(pattern: &str) -> Option<Wrong> {
    if pattern.trim().is_empty() {
        return Some(Wrong::Size { most: SMS_LETTERS });
    }
    let Some(pieces) = pieces(pattern) else { return Some(Wrong::Unclosed) };
    pieces.into_iter().find_map(|piece| match piece {
        Piece::Text(text) => forbidden(text).map(|text| Wrong::ForbiddenText { text }),
        Piece::Blank(name) if Blank::parse(name).is_some() => None,
        Piece::Blank(name) if FORBIDDEN_BLANKS.contains(&name.to_lowercase().as_str()) => {
            Some(Wrong::ForbiddenPlaceholder { name: name.to_owned() })
        }
        Piece::Blank(name) => Some(Wrong::UnknownPlaceholder { name: name.to_owned() }),
    })
}

/// An SMS that has more letters than it may.
fn too_long(sms: &str, name: TemplateName) -> Option<Wrong> {
    let letters = samples(name).map(|(kind, facts)| fill(sms, kind, &facts).text.chars().count()).max()?;
    (letters > SMS_LETTERS).then_some(Wrong::TooLong { letters, most: SMS_LETTERS })
}

/// A word of an illness, or an ID number, which is not repeated.
fn forbidden(text: &str) -> Option<String> {
    if let Some(word) = FORBIDDEN_WORDS.into_iter().find(|word| text.contains(word)) {
        return Some(word.to_owned());
    }
    let is_number = |text: &str| IdNumber::parse(IdType::ResidentCard, text, NaiveDate::MAX).is_ok();
    let runs = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut windows =
        runs.flat_map(|run| (0..run.len().saturating_sub(17)).filter_map(move |from| run.get(from..from + 18)));
    windows.any(is_number).then(|| "18***".to_owned())
}

/// What the values of a key come to be that it does not take.
fn misfits(pattern: &str, form: Form, name: TemplateName) -> Option<Wrong> {
    let mut longest = None;
    for (kind, facts) in samples(name) {
        let filled = fill(pattern, kind, &facts);
        if filled.nothing && matches!(form, Form::Free | Form::Amount) {
            // The key is left out, or what stands there has the form.
            continue;
        }
        let value = if form == Form::Amount { form.shape(&filled.text) } else { filled.text };
        if !form.takes(&value) {
            let wants = [form.in_words(Language::ZhCn), form.in_words(Language::En)];
            return Some(Wrong::WrongForm { value, wants });
        }
        longest = longest.max(Some(value.chars().count()));
    }
    let most = form.letters_max();
    longest.filter(|letters| *letters > most).map(|letters| Wrong::TooLong { letters, most })
}

/// One of each notice of a name, with facts as long as they come, and with all that may be missing missing.
fn samples(name: TemplateName) -> impl Iterator<Item = (NoticeKind, NoticeFacts<'static>)> {
    name.kinds().into_iter().flat_map(|kind| {
        let all = sample(kind);
        let known = kind.knows_the_time();
        let bare = NoticeFacts {
            begins: all.begins.filter(|_| known),
            place: None,
            amount: all.amount.filter(|_| kind == NoticeKind::Refunded),
            ..all
        };
        [(kind, all), (kind, bare)]
    })
}

/// A notice's facts for show and for length: a date of two digits everywhere, a name of four letters, a long place.
pub(super) fn sample(kind: NoticeKind) -> NoticeFacts<'static> {
    let day = NaiveDate::from_ymd_opt(2026, 10, 28).unwrap_or_default();
    let placed = matches!(
        kind,
        NoticeKind::Booked | NoticeKind::VisitCancelled | NoticeKind::NotCancelled | NoticeKind::Reminder
    );
    NoticeFacts {
        doctor_name: "欧阳明日",
        visit_date: day,
        part_of_day: "上午",
        begins: NaiveTime::from_hms_opt(10, 30, 0),
        place: placed.then_some("门诊楼三层东区12诊室"),
        deadline: day.and_hms_opt(9, 30, 0).map(|local| local.and_utc()).or(Some(DateTime::UNIX_EPOCH)),
        amount: Some(Fen(12_350)),
        tz: Shanghai,
    }
}

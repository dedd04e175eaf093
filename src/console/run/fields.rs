//! The fields of a verb's form, for what a run must know and for what goes with a signal: what each takes, and what is typed there as
//! the value that is kept. Nothing is filled in that somebody must have seen. Pure.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::row::Pick;
use super::super::when::Clock;
use super::super::words::names;
use crate::http::problem::Problem;
use crate::waitlist::ids;
use crate::waitlist::language::Language;
use crate::workflows::waitlist_application::Question;

/// What was typed, by the names of the form's fields.
pub(super) type Typed = BTreeMap<String, String>;

/// Where something stands in what is kept, and what its field takes.
pub(super) type Of = (&'static str, Kind);

/// The longest text of a field, in characters.
const TEXT_MAX: usize = 100;

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Money, kept as 分.
    Yuan,
    /// An instant in the hospital's zone.
    Instant,
    Day,
    /// A time of day.
    Hour,
    /// Another run.
    Run,
    /// True once it is ticked.
    Tick,
    /// The same where nobody must tick it.
    MayTick,
    /// Takes away what stands there, once it is ticked.
    Away,
    YesNo,
    /// A reason to end.
    Why,
    /// A part of the day.
    Part,
    /// What became of an offer.
    Reply,
    /// The question that is meant: the open one, unless another is typed.
    Question,
    /// Not asked for: the present, our own number of the visit, that staff say so, zero, false.
    Now,
    OurVisit,
    Staff,
    Zero,
    False,
}

/// Choices, as they are kept and as pages know them, and how those are called.
type Choices = (&'static [(&'static str, &'static str)], fn(&str, Language) -> String);

/// Why an application may end: as it is kept, and as pages call it.
pub(super) const WHYS: [(&str, &str); 10] = [
    ("expired", "expired"),
    ("withdrawn", "withdrawn"),
    ("elsewhere", "bookedElsewhere"),
    ("stopped", "stopped"),
    ("refused", "refused"),
    ("lapsed", "lapsed"),
    ("declined", "declined"),
    ("unpaid", "unpaid"),
    ("visitCancelled", "visitCancelled"),
    ("changed", "changed"),
];
const YES_NO: [(&str, &str); 2] = [("true", "true"), ("false", "false")];
const PARTS: [(&str, &str); 4] =
    [("morning", "morning"), ("afternoon", "afternoon"), ("evening", "evening"), ("wholeDay", "wholeDay")];
const REPLIES: [(&str, &str); 3] = [("took", "took"), ("conflict", "conflict"), ("passed", "passed")];

impl Kind {
    /// The type of its input; none where nobody is asked.
    pub(super) fn input(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Yuan | Self::Run | Self::Question => Some("text"),
            Self::Instant => Some("datetime-local"),
            Self::Day => Some("date"),
            Self::Hour => Some("time"),
            Self::Tick | Self::MayTick | Self::Away => Some("checkbox"),
            Self::YesNo | Self::Why | Self::Part | Self::Reply => Some("select"),
            Self::Now | Self::OurVisit | Self::Staff | Self::Zero | Self::False => None,
        }
    }

    /// What can be chosen, and how pages name it.
    fn choices(self) -> Choices {
        match self {
            Self::Why => (&WHYS, names::state),
            Self::YesNo => (&YES_NO, names::choice),
            Self::Part => (&PARTS, names::thing),
            Self::Reply => (&REPLIES, names::told),
            _ => (&[], names::thing),
        }
    }

    fn kept(self, text: &str) -> Option<&'static str> {
        self.choices().0.iter().find(|(kept, _)| *kept == text).map(|(kept, _)| *kept)
    }
}

/// Fields that belong together, ready for the page.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// A field, ready for the page.
pub(super) struct Field {
    /// Its name in the form.
    pub(super) id: String,
    pub(super) label: String,
    /// `text`, `date`, `datetime-local`, `time`, `checkbox`, `select`.
    pub(super) input: &'static str,
    /// True for what goes by digits.
    pub(super) money: bool,
    pub(super) value: String,
    pub(super) picks: Vec<Pick>,
}

/// The run that a form is about.
pub(super) struct Known<'a> {
    pub(super) run: Uuid,
    pub(super) workflow: &'a str,
    pub(super) state: &'a Value,
    pub(super) clock: &'a Clock,
}

/// What was typed under one choice of a form.
pub(super) struct Sheet<'a> {
    /// What the names of its fields begin with.
    pub(super) at: String,
    pub(super) typed: &'a Typed,
    /// What its fields are called.
    pub(super) words: fn(&str, Language) -> String,
}

impl Sheet<'_> {
    fn id(&self, path: &str) -> String {
        format!("{}/{path}", self.at)
    }

    /// What was typed for it, where anything was.
    fn said(&self, path: &str) -> Option<&str> {
        self.typed.get(&self.id(path)).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// True where something was typed for one of these.
    pub(super) fn begins(&self, fields: &[Of]) -> bool {
        fields.iter().any(|(path, kind)| kind.input().is_some() && self.said(path).is_some())
    }

    fn unreadable(&self, path: &str, kind: Kind) -> Problem {
        let (zh, en) = match kind {
            Kind::Yuan => ("须为金额，例如 285.00", "is an amount such as 285.00"),
            Kind::Instant | Kind::Hour => ("须为时间", "is a time"),
            Kind::Day => ("须为日期", "is a day"),
            Kind::Run => ("须为流程实例编号", "is the id of a run"),
            Kind::Text | Kind::Question => ("最多 100 个字符", "has 100 characters at most"),
            _ => ("无法读取", "cannot be read"),
        };
        let (name_zh, name_en) = ((self.words)(path, Language::ZhCn), (self.words)(path, Language::En));
        Problem::form(format!("“{name_zh}”{zh}。"), format!("{name_en} {en}."))
    }
}

impl Known<'_> {
    /// Those fields, with what was typed before.
    pub(super) fn group<'a>(
        &self,
        sheet: &Sheet<'_>,
        name: String,
        fields: impl IntoIterator<Item = &'a (&'a str, Kind)>,
    ) -> Group {
        let language = self.clock.language;
        let field = |(path, kind): &(&str, Kind)| {
            let id = sheet.id(path);
            let value = sheet.typed.get(&id).cloned().unwrap_or_else(|| self.beforehand(*kind));
            let (choices, called) = kind.choices();
            let pick = |(kept, said): &(&str, &str)| Pick {
                value: (*kept).to_owned(),
                name: called(said, language),
                is: *kept == value,
            };
            Some(Field {
                label: (sheet.words)(path, language),
                input: kind.input()?,
                money: *kind == Kind::Yuan,
                picks: choices.iter().map(pick).collect(),
                id,
                value,
            })
        };
        Group { name, fields: fields.into_iter().filter_map(field).collect() }
    }

    /// What stands in a field before anybody types: a number of our own, never what somebody must have seen.
    fn beforehand(&self, kind: Kind) -> String {
        let open = || serde_json::from_value::<Question>(self.state.get("question")?.clone()).ok();
        if kind == Kind::Question { open().map(|question| question.id()).unwrap_or_default() } else { String::new() }
    }

    /// Puts what was typed for these fields there. What is lacking is asked for: it is said in full.
    pub(super) fn read(&self, sheet: &Sheet<'_>, fields: &[Of], into: &mut Value) -> Result<(), Problem> {
        let must = |kind: Kind| kind.input().is_some() && kind != Kind::MayTick;
        let missing: Vec<&str> = fields
            .iter()
            .filter(|(path, kind)| must(*kind) && sheet.said(path).is_none())
            .map(|(path, _)| *path)
            .collect();
        if !missing.is_empty() {
            let list = |language, comma| {
                missing.iter().map(|path| (sheet.words)(path, language)).collect::<Vec<_>>().join(comma)
            };
            let (zh, en) = (list(Language::ZhCn, "、"), list(Language::En, ", "));
            return Err(Problem::form(format!("请填写：{zh}。"), format!("Fill in: {en}.")));
        }
        for (path, kind) in fields {
            let value = self.value(*kind, sheet.said(path)).ok_or_else(|| sheet.unreadable(path, *kind))?;
            put(into, path.strip_suffix(".null").unwrap_or(path), value);
        }
        Ok(())
    }

    fn value(&self, kind: Kind, said: Option<&str>) -> Option<Value> {
        let text = said.unwrap_or_default();
        Some(match kind {
            Kind::Text | Kind::Question => json!((text.chars().count() <= TEXT_MAX).then_some(text)?),
            Kind::Yuan => json!(fen(text)?),
            Kind::Instant => {
                let form = if text.len() > 16 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M" };
                let there = NaiveDateTime::parse_from_str(text, form).ok()?.and_local_timezone(self.clock.tz);
                json!(there.earliest()?.to_utc())
            }
            Kind::Day => json!(text.parse::<NaiveDate>().ok()?),
            Kind::Hour => {
                let form = if text.len() > 5 { "%H:%M:%S" } else { "%H:%M" };
                json!(NaiveTime::parse_from_str(text, form).ok()?)
            }
            Kind::Run => json!(text.parse::<Uuid>().ok()?),
            Kind::Tick | Kind::MayTick => json!(said.is_some()),
            Kind::Away => Value::Null,
            Kind::YesNo => json!(text.parse::<bool>().ok()?),
            Kind::Why | Kind::Part | Kind::Reply => json!(kind.kept(text)?),
            Kind::Now => json!(self.clock.now),
            Kind::OurVisit => {
                let nth = self.state.get("offers").and_then(Value::as_u64).and_then(|nth| u16::try_from(nth).ok());
                json!(ids::order_id(self.run, nth?))
            }
            Kind::Staff => json!("staff"),
            Kind::Zero => json!(0),
            Kind::False => json!(false),
        })
    }
}

/// Yuan with at most two decimals as 分.
fn fen(text: &str) -> Option<i64> {
    let (yuan, cents) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(yuan) || !digits(cents) || cents.len() > 2 {
        return None;
    }
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents)
}

/// Puts a value where a path says.
pub(super) fn put(into: &mut Value, path: &str, value: Value) {
    let mut at = into;
    for part in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(fields) = at.as_object_mut() else { return };
        at = fields.entry(part).or_insert(Value::Null);
    }
    *at = value;
}

/// A form of `state`, for tests.
#[cfg(test)]
pub(super) fn known<T>(state: &Value, then: impl FnOnce(Known<'_>) -> T) -> T {
    let now = chrono::DateTime::UNIX_EPOCH;
    let clock = Clock { now, tz: chrono_tz::Asia::Shanghai, language: Language::ZhCn };
    then(Known { run: Uuid::nil(), workflow: "waitlist_application", state, clock: &clock })
}

#[cfg(test)]
mod tests {
    use super::fen;

    #[test]
    fn money_is_typed_as_it_is_read() {
        assert_eq!(["5", "5.5", "5.05", "0.01"].map(fen), [Some(500), Some(550), Some(505), Some(1)]);
        assert_eq!(["", "-5", "5.", "5.001", "5,00", "¥5"].map(fen), [None; 6]);
    }
}

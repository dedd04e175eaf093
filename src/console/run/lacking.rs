//! What a run must know to stand at a step, as fields of a form: support staff write no JSON. Each name that a step lacks has its
//! fields, and what is typed there becomes the patch. Nothing is filled in that somebody must have seen. Pure.

use std::collections::BTreeMap;

use chrono::{NaiveDateTime, NaiveTime};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::row::Pick;
use super::super::when::Clock;
use super::super::words::names;
use crate::http::problem::Problem;
use crate::waitlist::ids;
use crate::waitlist::language::Language;

/// What was typed, by the names of the form's fields.
pub(super) type Typed = BTreeMap<String, String>;

/// The longest text of a field, in characters.
const TEXT_MAX: usize = 100;

/// What a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Money, kept as 分.
    Yuan,
    /// An instant in the hospital's zone.
    Instant,
    /// A time of day.
    Hour,
    /// True once it is ticked.
    Tick,
    /// The same where nobody must tick it.
    MayTick,
    /// Takes away what stands there, once it is ticked.
    Away,
    /// A reason to end.
    Why,
    /// Not asked for: the present, our own number of the visit, zero, false.
    Now,
    OurVisit,
    Zero,
    False,
}

/// A name that a step may lack, with its fields: where each stands in the state, and what it takes.
const LACKS: &[(&str, &[(&str, Kind)])] = &[
    ("why", &[("why", Kind::Why)]),
    ("why: null", &[("why.null", Kind::Away)]),
    (
        "order",
        &[
            ("order.out_trade_no", Kind::Text),
            ("order.amount_fen", Kind::Yuan),
            ("order.expires_at", Kind::Instant),
            ("order.ask_at", Kind::Now),
            ("order.asked", Kind::Zero),
            ("order.closed", Kind::False),
        ],
    ),
    (
        "order.paid",
        &[
            ("order.paid.transaction_id", Kind::Text),
            ("order.paid.amount_fen", Kind::Yuan),
            ("order.paid.paid_at", Kind::Instant),
        ],
    ),
    ("order.closed", &[("order.closed", Kind::Tick)]),
    ("offer", &[("offer.slot.begins", Kind::Hour), ("offer.slot.ends", Kind::Hour), ("offer.locked", Kind::MayTick)]),
    ("offer.deadline", &[("offer.deadline", Kind::Instant)]),
    (
        "visit",
        &[
            ("visit.his.his_order_id", Kind::Text),
            ("visit.his.serial", Kind::Text),
            ("visit.his.place", Kind::Text),
            ("visit.at", Kind::Instant),
            ("visit.over_at", Kind::Instant),
            ("visit.order_id", Kind::OurVisit),
            ("visit.cancelled", Kind::False),
        ],
    ),
];

/// Why an application may end: as it is kept, and as pages call it.
const WHYS: [(&str, &str); 10] = [
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

impl Kind {
    /// The type of its input; none where nobody is asked.
    fn input(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Yuan => Some("text"),
            Self::Instant => Some("datetime-local"),
            Self::Hour => Some("time"),
            Self::Tick | Self::MayTick | Self::Away => Some("checkbox"),
            Self::Why => Some("select"),
            Self::Now | Self::OurVisit | Self::Zero | Self::False => None,
        }
    }
}

/// Something that a choice lacks, ready for the page.
pub(super) struct Lack {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
}

/// A field of it.
pub(super) struct Field {
    /// Its name in the form.
    pub(super) id: String,
    pub(super) label: String,
    /// `text`, `datetime-local`, `time`, `checkbox`, `select`.
    pub(super) input: &'static str,
    /// True for what goes by digits.
    pub(super) money: bool,
    pub(super) value: String,
    pub(super) picks: Vec<Pick>,
}

/// A run whose state is filled up.
pub(super) struct Known<'a> {
    pub(super) run: Uuid,
    pub(super) state: &'a Value,
    pub(super) clock: &'a Clock,
}

impl Known<'_> {
    /// What `choice` lacks, as fields, with what was typed before.
    pub(super) fn fields(&self, choice: &str, lacks: &[String], typed: &Typed) -> Vec<Lack> {
        self.with_wholes(lacks).into_iter().map(|lack| self.lack(choice, lack, typed)).collect()
    }

    /// A part of what is not there at all cannot be said without the rest of it.
    fn with_wholes<'a>(&self, lacks: &'a [String]) -> Vec<&'a str> {
        let mut all: Vec<&str> = Vec::new();
        for lack in lacks {
            let whole = lack.split_once('.').map(|(whole, _)| whole);
            let missing = whole.filter(|whole| self.state.get(whole).is_none_or(Value::is_null));
            for name in missing.into_iter().chain([lack.as_str()]) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        all
    }

    fn lack(&self, choice: &str, lack: &str, typed: &Typed) -> Lack {
        let language = self.clock.language;
        let own = [(lack, Kind::Text)];
        let fields = fields_of(lack).unwrap_or(&own);
        let field = |(path, kind): &(&str, Kind)| {
            let id = id(choice, path);
            let value = typed.get(&id).cloned().unwrap_or_default();
            let reasons = if *kind == Kind::Why { &WHYS[..] } else { &[] };
            let pick = |(kept, said): &(&str, &str)| Pick {
                value: (*kept).to_owned(),
                name: names::state(said, language),
                is: *kept == value,
            };
            Some(Field {
                label: names::lack(path, language),
                input: kind.input()?,
                money: *kind == Kind::Yuan,
                picks: reasons.iter().map(pick).collect(),
                id,
                value,
            })
        };
        Lack { name: names::lack(lack, language), fields: fields.iter().filter_map(field).collect() }
    }

    /// The patch that was typed for `choice`; none where nothing was. What is begun is said in full.
    pub(super) fn patch(&self, choice: &str, typed: &Typed) -> Result<Option<Value>, Problem> {
        let said = |path: &str| typed.get(&id(choice, path)).map(|text| text.trim()).filter(|text| !text.is_empty());
        let mut patch = Value::Object(Map::new());
        for (_, fields) in LACKS {
            let asked = || fields.iter().filter(|(_, kind)| kind.input().is_some());
            if asked().all(|(path, _)| said(path).is_none()) {
                continue;
            }
            let missing: Vec<&str> = asked()
                .filter(|(path, kind)| *kind != Kind::MayTick && said(path).is_none())
                .map(|(path, _)| *path)
                .collect();
            if !missing.is_empty() {
                let list = |language, comma| {
                    missing.iter().map(|path| names::lack(path, language)).collect::<Vec<_>>().join(comma)
                };
                let (zh, en) = (list(Language::ZhCn, "、"), list(Language::En, ", "));
                return Err(Problem::form(format!("请填写：{zh}。"), format!("Fill in: {en}.")));
            }
            for (path, kind) in *fields {
                let value = self.value(*kind, said(path)).ok_or_else(|| unreadable(path, *kind))?;
                put(&mut patch, path.strip_suffix(".null").unwrap_or(path), value);
            }
        }
        // What no list knows is a text.
        let unknown = typed.iter().filter_map(|(name, text)| {
            let at = name.strip_prefix("lack/")?.strip_prefix(choice)?.strip_prefix('/')?;
            let own = LACKS.iter().all(|(_, fields)| fields.iter().all(|(known, _)| *known != at));
            (own && !text.trim().is_empty()).then_some((at, text.trim()))
        });
        for (at, text) in unknown {
            put(&mut patch, at, json!(text));
        }
        let nothing = patch.as_object().is_some_and(Map::is_empty);
        Ok((!nothing).then_some(patch))
    }

    fn value(&self, kind: Kind, said: Option<&str>) -> Option<Value> {
        let text = said.unwrap_or_default();
        Some(match kind {
            Kind::Text => json!((text.chars().count() <= TEXT_MAX).then_some(text)?),
            Kind::Yuan => json!(fen(text)?),
            Kind::Instant => {
                let form = if text.len() > 16 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M" };
                let there = NaiveDateTime::parse_from_str(text, form).ok()?.and_local_timezone(self.clock.tz);
                json!(there.earliest()?.to_utc())
            }
            Kind::Hour => {
                let form = if text.len() > 5 { "%H:%M:%S" } else { "%H:%M" };
                json!(NaiveTime::parse_from_str(text, form).ok()?)
            }
            Kind::Tick | Kind::MayTick => json!(said.is_some()),
            Kind::Away => Value::Null,
            Kind::Why => json!(WHYS.iter().find(|(kept, _)| *kept == text)?.0),
            Kind::Now => json!(self.clock.now),
            Kind::OurVisit => {
                let nth = self.state.get("offers").and_then(Value::as_u64).and_then(|nth| u16::try_from(nth).ok());
                json!(ids::order_id(self.run, nth?))
            }
            Kind::Zero => json!(0),
            Kind::False => json!(false),
        })
    }
}

fn fields_of(lack: &str) -> Option<&'static [(&'static str, Kind)]> {
    LACKS.iter().find(|(name, _)| *name == lack).map(|(_, fields)| *fields)
}

fn id(choice: &str, path: &str) -> String {
    format!("lack/{choice}/{path}")
}

fn unreadable(path: &str, kind: Kind) -> Problem {
    let (zh, en) = match kind {
        Kind::Yuan => ("须为金额，例如 285.00", "is an amount such as 285.00"),
        Kind::Instant | Kind::Hour => ("须为时间", "is a time"),
        _ => ("无法读取", "cannot be read"),
    };
    let name = |language| names::lack(path, language);
    Problem::form(format!("“{}”{zh}。", name(Language::ZhCn)), format!("{} {en}.", name(Language::En)))
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

fn put(into: &mut Value, path: &str, value: Value) {
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

/// One patch of two; where both say something of the same, the second counts.
pub(super) fn both(first: Option<Value>, second: Option<Value>) -> Option<Value> {
    fn over(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (name, value) in from {
                    over(into.entry(name).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }
    match (first, second) {
        (Some(mut first), Some(second)) => {
            over(&mut first, second);
            Some(first)
        }
        (first, second) => first.or(second),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        pairs.iter().map(|(path, text)| (id("Paid", path), (*text).to_owned())).collect()
    }

    fn asked<T>(state: &Value, then: impl FnOnce(Known<'_>) -> T) -> T {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language: Language::ZhCn };
        then(Known { run: Uuid::nil(), state, clock: &clock })
    }

    #[test]
    fn what_is_typed_is_the_patch() {
        let state = json!({ "order": {}, "offers": 1 });
        let money = [
            ("order.paid.transaction_id", "42"),
            ("order.paid.amount_fen", "285.5"),
            ("order.paid.paid_at", "2026-03-07T08:00"),
        ];
        let patch = asked(&state, |known| known.patch("Paid", &typed(&money)).unwrap());
        let paid = json!({ "transaction_id": "42", "amount_fen": 28_550, "paid_at": "2026-03-07T00:00:00Z" });
        assert_eq!(patch, Some(json!({ "order": { "paid": paid } })));
        assert_eq!(asked(&state, |known| known.patch("Opened", &typed(&money)).unwrap()), None, "of another choice");
        let ended = asked(&state, |known| known.patch("Paid", &typed(&[("why.null", "1")])).unwrap());
        assert_eq!(ended, Some(json!({ "why": null })));
        let half = asked(&state, |known| known.patch("Paid", &typed(&money[..1])).unwrap_err());
        assert_eq!(half.in_words(Language::ZhCn).1, "请填写：已收金额（元）、付款时间。");
        let wrong = [money[0], ("order.paid.amount_fen", "2,85"), money[2]];
        let wrong = asked(&state, |known| known.patch("Paid", &typed(&wrong)).unwrap_err());
        assert_eq!(wrong.in_words(Language::ZhCn).1, "“已收金额（元）”须为金额，例如 285.00。");
    }

    /// The state that a patch makes is one that the workflow can read.
    #[test]
    fn whatever_can_be_typed_can_be_read() {
        use crate::workflows::waitlist_application::{Application, Why};
        let mut state = serde_json::to_value(Application::sample()).unwrap();
        let all = [
            ("why", "visitCancelled"),
            ("order.out_trade_no", "T1"),
            ("order.amount_fen", "5"),
            ("order.expires_at", "2026-03-07T08:00:30"),
            ("order.paid.transaction_id", "42"),
            ("order.paid.amount_fen", "5.00"),
            ("order.paid.paid_at", "2026-03-07T08:00"),
            ("order.closed", "1"),
            ("offer.slot.begins", "08:00"),
            ("offer.slot.ends", "08:30"),
            ("offer.deadline", "2026-03-07T08:00"),
            ("visit.his.his_order_id", "H1"),
            ("visit.his.serial", "7"),
            ("visit.his.place", "2F"),
            ("visit.at", "2026-03-07T08:00"),
            ("visit.over_at", "2026-03-07T12:00"),
        ];
        let patch = asked(&state.clone(), |known| known.patch("Paid", &typed(&all)).unwrap().unwrap());
        state = both(Some(state), Some(patch)).unwrap();
        for (kept, said) in WHYS {
            state["why"] = json!(kept);
            let app: Application = serde_json::from_value(state.clone()).unwrap();
            assert_eq!(app.why.map(Why::code), Some(said));
            assert!(app.order.as_ref().is_some_and(|order| order.closed && order.amount_fen == 500));
            assert_eq!(app.visit.unwrap().order_id, ids::order_id(Uuid::nil(), 0));
        }
    }

    #[test]
    fn what_is_not_there_at_all_is_asked_for_as_a_whole() {
        let lacks = ["order.paid".to_owned(), "offer.deadline".to_owned()];
        let named = |state: &Value| {
            asked(state, |known| known.fields("Paid", &lacks, &Typed::new()))
                .into_iter()
                .map(|lack| (lack.name, lack.fields.len()))
                .collect::<Vec<_>>()
        };
        let own = |name: &str, n| (name.to_owned(), n);
        let parts = [own("已收到的款项", 3), own("付款截止时间", 1)];
        assert_eq!(named(&json!({ "order": {}, "offer": {} })), parts);
        let [money, deadline] = parts;
        let wholes = [own("支付订单", 3), money, own("号源时段", 3), deadline];
        assert_eq!(named(&json!({ "order": null })), wholes);
    }

    #[test]
    fn money_is_typed_as_it_is_read() {
        assert_eq!(["5", "5.5", "5.05", "0.01"].map(fen), [Some(500), Some(550), Some(505), Some(1)]);
        assert_eq!(["", "-5", "5.", "5.001", "5,00", "¥5"].map(fen), [None; 6]);
    }

    /// Whatever the program can say is lacking has fields and words.
    #[test]
    fn no_lack_is_without_its_fields() {
        let source = include_str!("../../../workflows/waitlist_application/lacks.rs");
        let code = source.split("#[cfg(test)]").next().unwrap();
        let lacks: Vec<&str> = code.split("some(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(lacks.len() >= 9, "{lacks:?}");
        for lack in lacks {
            let fields = fields_of(lack).unwrap_or_else(|| panic!("{lack} has no fields"));
            let asked = fields.iter().filter(|(_, kind)| kind.input().is_some()).map(|(path, _)| *path);
            for name in asked.chain([lack]) {
                assert_ne!(names::lack(name, Language::ZhCn), name, "no words");
            }
        }
    }
}

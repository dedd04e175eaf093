//! What a run must know to stand at a step, as fields of a form: support staff write no JSON. Each name that a step lacks has its
//! fields, and what is typed there becomes the patch. Pure.

use serde_json::{Map, Value, json};

use super::super::words::names;
use super::fields::{Group, Kind, Known, Of, Sheet, Typed, put};
use crate::http::problem::Problem;

/// A name that a step may lack, with its fields: where each stands in the state, and what it takes.
const LACKS: &[(&str, &[Of])] = &[
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

impl Known<'_> {
    /// What `choice` lacks, as fields, with what was typed before.
    pub(super) fn fields(&self, choice: &str, lacks: &[String], typed: &Typed) -> Vec<Group> {
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

    fn lack(&self, choice: &str, lack: &str, typed: &Typed) -> Group {
        let own = [(lack, Kind::Text)];
        let name = names::lack(lack, self.clock.language);
        self.group(&sheet(choice, typed), name, fields_of(lack).unwrap_or(&own))
    }

    /// The patch that was typed for `choice`; none where nothing was. What is begun is said in full.
    pub(super) fn patch(&self, choice: &str, typed: &Typed) -> Result<Option<Value>, Problem> {
        let sheet = sheet(choice, typed);
        let mut patch = Value::Object(Map::new());
        for (_, fields) in LACKS.iter().filter(|(_, fields)| sheet.begins(fields)) {
            self.read(&sheet, fields, &mut patch)?;
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
}

fn fields_of(lack: &str) -> Option<&'static [Of]> {
    LACKS.iter().find(|(name, _)| *name == lack).map(|(_, fields)| *fields)
}

fn sheet<'a>(choice: &str, typed: &'a Typed) -> Sheet<'a> {
    Sheet { at: format!("lack/{choice}"), typed, words: names::lack }
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
    use uuid::Uuid;

    use super::super::fields::{WHYS, known as asked};
    use super::*;
    use crate::waitlist::ids;
    use crate::waitlist::language::Language;

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        pairs.iter().map(|(path, text)| (format!("lack/Paid/{path}"), (*text).to_owned())).collect()
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

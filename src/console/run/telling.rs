//! What goes with a signal, as fields of a form: support staff write no JSON. Each signal of the hospital's workflows has its fields
//! here; only of what another program's workflow hears, or what is no form at all, is nothing known but that it is JSON. Pure.

use serde_json::{Map, Value};

use super::super::words::names;
use super::super::words::run::RunWords;
use super::fields::{Group, Kind, Known, Of, Sheet, Typed};
use crate::http::problem::Problem;
use crate::workflows;

/// What goes with a signal.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// What must be said.
    must: &'static [Of],
    /// What may be left out; each of these is said in full or not at all.
    may: &'static [&'static [Of]],
}

/// Nothing goes with it.
const NOTHING: Shape = Shape { must: &[], may: &[] };

const MONEY: Shape = Shape {
    must: &[
        ("out_trade_no", Kind::Text),
        ("paid.transaction_id", Kind::Text),
        ("paid.amount_fen", Kind::Yuan),
        ("paid.paid_at", Kind::Instant),
    ],
    may: &[],
};

/// Of the offer that is meant, where another may have followed it.
const TO_AN_OFFER: Shape = Shape { must: &[], may: &[&[("until", Kind::Instant)]] };

/// The signals with their fields.
const SIGNALS: &[(&str, Shape)] = &[
    ("Payment", MONEY),
    ("LateMoney", MONEY),
    ("Confirm", TO_AN_OFFER),
    ("Decline", TO_AN_OFFER),
    ("Withdrawal", Shape { must: &[], may: &[&[("booked_by", Kind::Run)], &[("answer_by", Kind::Instant)]] }),
    (
        "Stoppage",
        Shape {
            must: &[],
            may: &[
                &[("times.begins", Kind::Hour), ("times.ends", Kind::Hour)],
                &[("schedule_id", Kind::Text)],
                &[("waits_at.schedule_id", Kind::Text), ("waits_at.part", Kind::Part)],
            ],
        },
    ),
    (
        "Offer",
        Shape {
            must: &[
                ("id", Kind::Text),
                ("slot.begins", Kind::Hour),
                ("slot.ends", Kind::Hour),
                ("slot.ofHalfDay", Kind::MayTick),
            ],
            may: &[
                &[("fee_fen", Kind::Yuan)],
                &[("freed_at", Kind::Instant)],
                &[("half.schedule_id", Kind::Text), ("half.part", Kind::Part)],
            ],
        },
    ),
    (
        "Change",
        Shape {
            must: &[
                ("at", Kind::Now),
                ("sitting.doctorId", Kind::Text),
                ("sitting.visitDate", Kind::Day),
                ("sitting.part", Kind::Part),
                ("closes", Kind::Instant),
                ("ends", Kind::Instant),
                ("answer_by", Kind::Instant),
            ],
            may: &[&[("schedule_id", Kind::Text)]],
        },
    ),
    ("Consent", Shape { must: &[("question", Kind::Question), ("keep", Kind::YesNo)], may: &[] }),
    ("Cancellation", Shape { must: &[], may: &[&[("orderId", Kind::Text)]] }),
    ("RefundNotice", Shape { must: &[("out_refund_no", Kind::Text)], may: &[] }),
    ("Freed", Shape { must: &[("source", Kind::Staff)], may: &[] }),
    (
        "Answer",
        Shape { must: &[("id", Kind::Text), ("reply", Kind::Reply)], may: &[&[("this_time_only", Kind::MayTick)]] },
    ),
    ("PullNow", Shape { must: &[], may: &[&[("retire", Kind::MayTick)]] }),
    ("AskNow", NOTHING),
];

/// None: it is not known here. The whole of a schedule's settings (`Terms`) is no form; its page carries them over.
fn shape(workflow: &str, signal: &str) -> Option<Shape> {
    let ours = workflows::tables().into_iter().any(|table| table.name == workflow);
    let (_, shape) = SIGNALS.iter().find(|(name, _)| ours && *name == signal)?;
    Some(*shape)
}

impl Known<'_> {
    /// What goes with a signal, as fields with what was typed before; none where that is not known.
    pub(super) fn telling(&self, signal: &str, typed: &Typed) -> Option<Vec<Group>> {
        let Shape { must, may } = shape(self.workflow, signal)?;
        let (sheet, w) = (sheet(signal, typed), RunWords::of(self.clock.language));
        let must = self.group(&sheet, w.told_must.to_owned(), must);
        let may = self.group(&sheet, w.told_may.to_owned(), may.iter().copied().flatten());
        Some([must, may].into_iter().filter(|group| !group.fields.is_empty()).collect())
    }

    /// What was typed for a signal; none where its fields are not known.
    pub(super) fn told(&self, signal: &str, typed: &Typed) -> Result<Option<Value>, Problem> {
        let Some(Shape { must, may }) = shape(self.workflow, signal) else { return Ok(None) };
        let sheet = sheet(signal, typed);
        let mut payload = Value::Object(Map::new());
        self.read(&sheet, must, &mut payload)?;
        for fields in may.iter().filter(|fields| sheet.begins(fields)) {
            self.read(&sheet, fields, &mut payload)?;
        }
        Ok(Some(payload))
    }
}

fn sheet<'a>(signal: &str, typed: &'a Typed) -> Sheet<'a> {
    Sheet { at: format!("told/{signal}"), typed, words: names::told }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::super::fields::known;
    use super::*;
    use crate::waitlist::language::Language;
    use crate::workflows::{reconciliation, schedule_sync, slot_release, waitlist_application as application};

    fn typed(signal: &str, pairs: &[(&str, &str)]) -> Typed {
        pairs.iter().map(|(path, text)| (format!("told/{signal}/{path}"), (*text).to_owned())).collect()
    }

    fn told(signal: &str, pairs: &[(&str, &str)]) -> Result<Option<Value>, Problem> {
        known(&json!({}), |known| known.told(signal, &typed(signal, pairs)))
    }

    /// What somebody could type for it.
    fn example(kind: Kind) -> &'static str {
        match kind {
            Kind::Yuan => "285.00",
            Kind::Instant => "2026-03-07T08:00",
            Kind::Day => "2026-03-07",
            Kind::Hour => "08:30",
            Kind::Run => "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11",
            Kind::YesNo => "false",
            Kind::Part => "morning",
            Kind::Reply => "passed",
            _ => "1",
        }
    }

    fn reads<T: DeserializeOwned>(value: &Value) {
        serde_json::from_value::<T>(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"));
    }

    /// A payload that a run could not read would be refused, whatever its form had asked for.
    fn is_read(signal: &str, value: &Value) {
        match signal {
            "Payment" => reads::<application::Payment>(value),
            "LateMoney" => reads::<application::LateMoney>(value),
            "Confirm" => reads::<application::Confirm>(value),
            "Decline" => reads::<application::Decline>(value),
            "Withdrawal" => reads::<application::Withdrawal>(value),
            "Stoppage" => reads::<application::Stoppage>(value),
            "Offer" => reads::<application::Offer>(value),
            "Change" => reads::<application::Change>(value),
            "Consent" => reads::<application::Consent>(value),
            "Cancellation" => reads::<application::Cancellation>(value),
            "RefundNotice" => reads::<application::RefundNotice>(value),
            "Answer" => reads::<application::Answer>(value),
            "Freed" => reads::<slot_release::Freed>(value),
            "PullNow" => reads::<schedule_sync::PullNow>(value),
            "AskNow" => reads::<reconciliation::AskNow>(value),
            _ => panic!("{signal} is read nowhere here"),
        }
    }

    /// Each signal that our workflows hear has its fields, and what they make can be read: with all that may be said, and with
    /// nothing but what must be.
    #[test]
    fn whatever_can_be_told_can_be_read() {
        let heard: BTreeSet<&str> = workflows::tables()
            .iter()
            .flat_map(|table| table.steps.iter().flat_map(|row| row.hears.iter().copied()))
            .collect();
        let known: BTreeSet<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
        assert_eq!(heard.difference(&known).copied().collect::<Vec<_>>(), ["Terms"], "no fields");
        assert_eq!(known.difference(&heard).copied().collect::<Vec<_>>(), [] as [&str; 0], "nobody hears it");
        for (signal, Shape { must, may }) in SIGNALS {
            let all: Vec<Of> = must.iter().chain(may.iter().copied().flatten()).copied().collect();
            for fields in [*must, &all] {
                let pairs: Vec<(&str, &str)> = fields
                    .iter()
                    .filter(|(_, kind)| kind.input().is_some())
                    .map(|(path, kind)| (*path, example(*kind)))
                    .collect();
                let value = told(signal, &pairs).unwrap_or_else(|no| panic!("{signal}: {no:?}")).unwrap();
                is_read(signal, &value);
                // And what was read is what was typed: no field goes by a name that nobody knows.
                for (path, _) in fields {
                    let at = format!("/{}", path.replace('.', "/"));
                    assert!(value.pointer(&at).is_some(), "{signal} without {path}: {value}");
                }
            }
            for (path, kind) in all.iter().filter(|(_, kind)| kind.input().is_some()) {
                assert_ne!(names::told(path, Language::ZhCn), *path, "no words: {kind:?}");
            }
        }
    }

    #[test]
    fn what_must_be_said_is_asked_for_and_what_is_begun_is_said_in_full() {
        let zh = |said: Result<Option<Value>, Problem>| said.unwrap_err().in_words(Language::ZhCn).1;
        assert_eq!(zh(told("RefundNotice", &[])), "请填写：退款单号。");
        assert_eq!(zh(told("Stoppage", &[("times.begins", "08:00")])), "请填写：时段结束。");
        assert_eq!(zh(told("Withdrawal", &[("booked_by", "x")])), "“同日另一申请的流程实例编号”须为流程实例编号。");
        assert_eq!(told("Stoppage", &[]).unwrap(), Some(json!({})));
        assert_eq!(told("Freed", &[]).unwrap(), Some(json!({ "source": "staff" })));
        assert_eq!(told("Terms", &[]).unwrap(), None, "no form has the whole of the settings");
        let other = Value::Null;
        let of_another = known(&other, |known| Known { workflow: "another", ..known }.told("Payment", &Typed::new()));
        assert_eq!(of_another.unwrap(), None, "what goes by the same name elsewhere may be something else");
    }

    /// Somebody who answers for a patient need not look for the question's number.
    #[test]
    fn the_open_question_is_the_one_that_is_meant() {
        let beside = "0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11";
        let about = json!({ "Others": { "booked_by": beside } });
        let state = json!({ "question": { "nth": 1, "until": "2026-03-07T08:00:00Z", "about": about } });
        let value = |state: &Value| {
            known(state, |known| known.telling("Consent", &Typed::new()).unwrap()[0].fields[0].value.clone())
        };
        assert_eq!(value(&state), format!("beside:{beside}"));
        assert_eq!(value(&json!({})), "");
    }
}

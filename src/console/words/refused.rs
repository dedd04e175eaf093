//! Why a verb is not done, with workflows, steps, outcomes and signals by the names that pages have for them.

use super::names;
use crate::desk::verbs;
use crate::engine::staff::Refused;
use crate::waitlist::language::Language;

/// The refusal as a sentence of the console.
pub(in crate::console) fn refusal(refused: &Refused, language: Language) -> String {
    match (refused, language) {
        // The sentence for programs speaks of a patch.
        (Refused::Lacks { step, lacks }, _) => {
            let step = names::step(step, language);
            let lacks: Vec<String> = lacks.iter().map(|lack| names::lack(lack, language)).collect();
            match language {
                Language::ZhCn => format!("转到 {step} 时须写明：{}。", lacks.join("、")),
                Language::En => format!("To go to {step} it must be said: {}.", lacks.join(", ")),
            }
        }
        (Refused::InTree { run, refused }, Language::ZhCn) => {
            format!("下级流程实例 {run} 不允许：{}", refusal(refused, language))
        }
        (Refused::InTree { run, refused }, Language::En) => {
            format!("The run {run} below it refuses: {}", refusal(refused, language))
        }
        (refused, _) => verbs::refusal(&named(refused.clone(), language), language),
    }
}

/// The same beside choices that are not refused: what could be done instead is seen.
pub(in crate::console) fn refusal_among(refused: &Refused, language: Language) -> String {
    let Refused::WouldStrand { owed, .. } = refused else { return refusal(refused, language) };
    let owed: Vec<String> = owed.iter().map(|owed| names::thing(owed, language)).collect();
    match language {
        Language::ZhCn => format!("会遗留未了结的 {}。", owed.join("、")),
        Language::En => format!("{} would be stranded.", owed.join(", ")),
    }
}

fn named(refused: Refused, language: Language) -> Refused {
    let step = |name: String| names::step(&name, language);
    let each = |all: Vec<String>, name: fn(&str, Language) -> String| -> Vec<String> {
        all.iter().map(|one| name(one, language)).collect()
    };
    match refused {
        Refused::UnknownWorkflow { workflow } => {
            Refused::UnknownWorkflow { workflow: names::workflow(&workflow, language) }
        }
        Refused::AlreadyThere { step: at } => Refused::AlreadyThere { step: step(at) },
        Refused::UnknownStep { step: at, steps } => {
            Refused::UnknownStep { step: step(at), steps: each(steps, names::step) }
        }
        Refused::NotAnOutcome { step: at, outcome, outcomes } => Refused::NotAnOutcome {
            step: step(at),
            outcome: names::outcome(&outcome, language),
            outcomes: each(outcomes, names::outcome),
        },
        Refused::UnknownSignal { signal, signals } => {
            Refused::UnknownSignal { signal: names::signal(&signal, language), signals: each(signals, names::signal) }
        }
        Refused::WouldStrand { owed, instead } => {
            Refused::WouldStrand { owed: each(owed, names::thing), instead: each(instead, names::step) }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_speaks_the_words_of_the_pages() {
        let (step, outcome) = ("Waiting".to_owned(), "Paid".to_owned());
        let refused = Refused::NotAnOutcome { step: step.clone(), outcome, outcomes: vec!["Left".to_owned()] };
        let inner = Box::new(Refused::Lacks { step, lacks: vec!["order.paid".to_owned()] });
        assert_eq!(refusal(&refused, Language::ZhCn), "步骤 排队候补 没有结果 已支付，可选：放弃。");
        let below = refusal(&Refused::InTree { run: uuid::Uuid::nil(), refused: inner }, Language::ZhCn);
        assert!(below.ends_with("不允许：转到 排队候补 时须写明：已收到的款项。"), "{below}");
    }
}

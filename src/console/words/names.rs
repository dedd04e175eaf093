//! What the program calls by names of its own, in words: in English a name is its own word where nothing better is known.

use super::coming_in::COMING_IN;
use super::deeds::{FATES, VERBS};
use super::tables::{
    CHOICES, DIFFERENCES, FIELDS, NOTICES, OUTCOMES, RULES, SIGNALS, STATES, STEPS, TEXTS, THINGS, WORKFLOWS,
};
use crate::waitlist::language::Language;

/// A name with its Chinese.
pub(super) type Names = &'static [(&'static str, &'static str)];

fn find(names: Names, name: &str, language: Language) -> &str {
    match language {
        Language::En => name,
        Language::ZhCn => names.iter().find(|(one, _)| *one == name).map_or(name, |(_, zh)| zh),
    }
}

/// A name in words of its own: `lockThenPay` and `schedule_sync` become `Lock then pay` and `Schedule sync`.
pub(in crate::console) fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        match letter {
            '_' | '.' | '-' => words.push(' '),
            letter if letter.is_uppercase() && !words.is_empty() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            letter if words.is_empty() => words.extend(letter.to_uppercase()),
            letter => words.push(letter),
        }
    }
    words
}

fn in_words(names: Names, name: &str, language: Language) -> String {
    match language {
        Language::En => spaced(name),
        Language::ZhCn => find(names, name, language).to_owned(),
    }
}

/// What is stored of a run, by its parts.
const PARTS: Names =
    &[("state", "流程数据"), ("signals", "信号内容"), ("letters", "消息内容"), ("everything", "全部内容")];

/// A workflow.
pub(in crate::console) fn workflow(name: &str, language: Language) -> String {
    in_words(WORKFLOWS, name, language)
}

/// A step or an ending.
pub(in crate::console) fn step(name: &str, language: Language) -> String {
    in_words(STEPS, name, language)
}

/// What a step came to.
pub(in crate::console) fn outcome(name: &str, language: Language) -> String {
    in_words(OUTCOMES, name, language)
}

/// A signal, or what else woke a run.
pub(in crate::console) fn signal(name: &str, language: Language) -> String {
    in_words(SIGNALS, name, language)
}

/// A run's status, an application's, an offer's outcome, a payment's, a message's, a case's, a bulk's, a job's: closed lists
/// that share no name with two meanings.
pub(in crate::console) fn state(name: &str, language: Language) -> String {
    in_words(STATES, name, language)
}

/// What a person did.
pub(in crate::console) fn verb(name: &str, language: Language) -> String {
    let known = [VERBS, COMING_IN, FATES].into_iter().find(|names| names.iter().any(|(one, _)| *one == name));
    in_words(known.unwrap_or(VERBS), name, language)
}

/// Every deed that the audit may have, by its name.
pub(in crate::console) fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().chain(COMING_IN).map(|(name, _)| *name)
}

/// What a message is about.
pub(in crate::console) fn notice(name: &str, language: Language) -> String {
    in_words(NOTICES, name, language)
}

/// Word of what was done, as an address names it; nothing where nobody does such a thing, whatever the address says.
pub(in crate::console) fn deed(name: &str, language: Language) -> Option<String> {
    VERBS.iter().any(|(one, _)| *one == name).then(|| verb(name, language))
}

/// A kind of difference between the books.
pub(in crate::console) fn difference(name: &str, language: Language) -> String {
    in_words(DIFFERENCES, name, language)
}

/// The text of a message by its name.
pub(in crate::console) fn text(name: &str, language: Language) -> String {
    in_words(TEXTS, name, language)
}

/// A field of what the audit keeps.
pub(in crate::console) fn field(name: &str, language: Language) -> String {
    in_words(FIELDS, name, language)
}

/// A part of what is stored of a run.
pub(in crate::console) fn part(name: &str, language: Language) -> String {
    in_words(PARTS, name, language)
}

/// A field of a rule of the blacklist.
pub(in crate::console) fn rule(name: &str, language: Language) -> String {
    in_words(RULES, name, language)
}

/// A choice of a setting.
pub(in crate::console) fn choice(name: &str, language: Language) -> String {
    in_words(CHOICES, name, language)
}

/// Anything else with a name: systems outside, obligations, settings, kinds of difference.
pub(in crate::console) fn thing(name: &str, language: Language) -> String {
    match (name, language) {
        ("his", Language::En) => "HIS".to_owned(),
        ("sms", Language::En) => "SMS".to_owned(),
        _ => in_words(THINGS, name, language),
    }
}

/// How a state is coloured: good, warn, bad, calm, or nothing.
pub(in crate::console) fn tone(state: &str) -> &'static str {
    match state {
        "completed" | "booked" | "fulfilled" | "paid" | "sent" | "delivered" | "done" | "closed" | "taken"
        | "resolved" | "open" | "granted" | "settled" => "good",
        "suspended" | "unrunnable" | "faulted" | "failed" | "putAside" | "down" | "failing" | "overdue" | "refused"
        | "critical" | "lost" | "received" => "bad",
        "pending" | "running" | "offered" | "awaitingPayment" | "awaitingPrepayment" | "booking" | "paused"
        | "warning" | "settling" | "refunding" | "suspect" | "out" | "held" | "queued" | "half-open"
        | "unreachable" | "kept" | "for-staff" | "no-run" => "warn",
        "waiting" | "notice" => "calm",
        _ => "",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A step, outcome or signal that no list knows would be English among Chinese.
    #[test]
    fn whatever_a_workflow_says_has_chinese() {
        let mut missing = BTreeSet::new();
        let mut look = |names: Names, name: &'static str| {
            if !names.iter().any(|(one, _)| *one == name) {
                missing.insert(name);
            }
        };
        for table in crate::workflows::tables() {
            look(WORKFLOWS, table.name);
            table.ends.iter().for_each(|end| look(STEPS, end));
            for row in table.steps {
                look(STEPS, row.name);
                row.hears.iter().for_each(|signal| look(SIGNALS, signal));
                row.outcomes.iter().for_each(|outcome| {
                    look(OUTCOMES, outcome.name);
                    outcome.opens.iter().for_each(|owed| look(THINGS, owed));
                });
                row.lane.iter().for_each(|lane| look(THINGS, lane));
            }
        }
        for status in crate::waitlist::status::EntryStatus::ALL {
            look(STATES, status.as_str());
        }
        for kind in crate::waitlist::reconciliation::Kind::ALL {
            look(DIFFERENCES, kind.as_str());
        }
        for name in crate::waitlist::template::TemplateName::ALL {
            look(TEXTS, name.as_str());
        }
        assert_eq!(missing, BTreeSet::new());
    }

    /// A deed that is written down and stands in no list could not be asked for in the audit.
    #[test]
    fn whatever_is_audited_can_be_asked_for() {
        let kinds = [
            "bulk",
            "job",
            "letter",
            "notice",
            "case",
            "blacklist",
            "appeal",
            "patient",
            "template",
            "policy",
            "view",
            "destination",
            "user",
            "key",
            "login",
            "logout",
        ];
        let is_deed = |text: &&str| {
            let named = text.split_once('.').is_some_and(|(kind, _)| kinds.contains(&kind));
            named && text.bytes().all(|letter| letter.is_ascii_alphabetic() || letter == b'.') && !text.ends_with('.')
        };
        let mut folders =
            vec![std::path::PathBuf::from("src/desk"), "src/engine/staff".into(), "src/engine/jobs".into()];
        folders.push("src/engine/store".into());
        let mut written = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let source = std::fs::read_to_string(path).unwrap();
                let code = source.split("#[cfg(test)]").next().unwrap();
                written.extend(code.split('"').filter(is_deed).map(str::to_owned));
            }
        }
        assert!(written.len() > 25, "{written:?}");
        let missing: Vec<&String> = written.iter().filter(|one| !verbs().any(|known| known == **one)).collect();
        assert_eq!(missing, [] as [&String; 0]);
    }

    #[test]
    fn a_name_reads_as_words() {
        assert_eq!(spaced("lockThenPay"), "Lock then pay");
        assert_eq!(spaced("schedule_sync"), "Schedule sync");
        assert_eq!(spaced("PrepayOrder"), "Prepay order");
        assert_eq!(step("Waiting", Language::ZhCn), "排队候补");
        assert_eq!(step("Unheard", Language::ZhCn), "Unheard");
    }
}

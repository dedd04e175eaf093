//! What the program calls by names of its own, in words: in English a name is its own word where nothing better is known.

use super::coming_in::COMING_IN;
use super::deeds::{DONE, FATES, VERBS};
use super::kept::{CHOICES, FAULTS, FIELDS, ROLES};
use super::lacks::{LACKS, TELLS, TOLD};
use super::pushes::PUSHES;
use super::tables::{DIFFERENCES, NOTICES, OUTCOMES, SIGNALS, STATES, STEPS, TEXTS, THINGS, WORKFLOWS};
use crate::waitlist::language::Language;

/// A name with its Chinese and its English.
pub(super) type Names = &'static [(&'static str, &'static str, &'static str)];

/// The name in that language, where the list has it.
fn known(names: Names, name: &str, language: Language) -> Option<&'static str> {
    let (_, zh, en) = names.iter().find(|(one, ..)| *one == name)?;
    Some(if language == Language::En { en } else { zh })
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
    match (known(names, name, language), language) {
        (Some(word), _) => word.to_owned(),
        (None, Language::En) => spaced(name),
        (None, Language::ZhCn) => name.to_owned(),
    }
}

/// What is stored of a run, by its parts.
const PARTS: Names = &[
    ("state", "流程数据", "What it knows"),
    ("signals", "信号内容", "What came with signals"),
    ("letters", "消息内容", "What letters say"),
    ("everything", "全部内容", "Everything"),
];

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
    // What a person did stands in a history where outcomes do.
    known(DONE, name, language).map_or_else(|| in_words(OUTCOMES, name, language), str::to_owned)
}

/// A signal, or what else woke a run.
pub(in crate::console) fn signal(name: &str, language: Language) -> String {
    in_words(SIGNALS, name, language)
}

/// What a signal tells a run; nothing where no list has it.
pub(in crate::console) fn tells(signal: &str, language: Language) -> &'static str {
    known(TELLS, signal, language).unwrap_or_default()
}

/// What a push of the outside is about; nothing where no list has it.
pub(in crate::console) fn push(kind: &str, language: Language) -> &'static str {
    known(PUSHES, kind, language).unwrap_or_default()
}

/// What a run must know to stand at a step, or a field of it.
pub(in crate::console) fn lack(name: &str, language: Language) -> String {
    known(LACKS, name, language).unwrap_or(name).to_owned()
}

/// What goes with a signal, or a choice of it.
pub(in crate::console) fn told(name: &str, language: Language) -> String {
    known(TOLD, name, language).unwrap_or(name).to_owned()
}

/// A run's status, an application's, an offer's outcome, a payment's, a message's, a case's, a bulk's, a job's: closed lists
/// that share no name with two meanings.
pub(in crate::console) fn state(name: &str, language: Language) -> String {
    in_words(STATES, name, language)
}

/// What a person did.
pub(in crate::console) fn verb(name: &str, language: Language) -> String {
    let found = [COMING_IN, FATES].into_iter().find_map(|names| known(names, name, language));
    found.map_or_else(|| in_words(VERBS, name, language), str::to_owned)
}

/// Every deed that the audit may have, by its name.
pub(in crate::console) fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().chain(COMING_IN).map(|(name, ..)| *name)
}

/// What a message is about.
pub(in crate::console) fn notice(name: &str, language: Language) -> String {
    in_words(NOTICES, name, language)
}

/// Word of what was done, as an address names it; nothing where nobody does such a thing, whatever the address says.
pub(in crate::console) fn deed(name: &str, language: Language) -> Option<String> {
    VERBS.iter().any(|(one, ..)| *one == name).then(|| verb(name, language))
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
    in_words(FIELDS, name, language)
}

/// A choice of a setting.
pub(in crate::console) fn choice(name: &str, language: Language) -> String {
    in_words(CHOICES, name, language)
}

/// A person's role.
pub(in crate::console) fn role(name: &str, language: Language) -> String {
    in_words(ROLES, name, language)
}

/// A kind of fault.
pub(in crate::console) fn fault(name: &str, language: Language) -> String {
    in_words(FAULTS, name, language)
}

/// Anything else with a name: systems outside, obligations, settings, kinds of difference.
pub(in crate::console) fn thing(name: &str, language: Language) -> String {
    in_words(THINGS, name, language)
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
            if !names.iter().any(|(one, ..)| *one == name) {
                missing.insert(name);
            }
        };
        for table in crate::workflows::tables() {
            look(WORKFLOWS, table.name);
            table.ends.iter().for_each(|end| look(STEPS, end));
            for row in table.steps {
                look(STEPS, row.name);
                row.hears.iter().for_each(|signal| look(SIGNALS, signal));
                row.hears.iter().for_each(|signal| look(TELLS, signal));
                row.outcomes.iter().for_each(|outcome| {
                    look(OUTCOMES, outcome.name);
                    outcome.opens.iter().for_each(|owed| look(THINGS, owed));
                });
                row.lane.iter().for_each(|lane| look(THINGS, lane));
            }
        }
        for name in crate::console::runs::STATUSES {
            look(STATES, name);
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

    /// Every name has both of its words, and they differ.
    #[test]
    fn a_name_has_chinese_and_english() {
        let all = [
            WORKFLOWS,
            STEPS,
            OUTCOMES,
            SIGNALS,
            STATES,
            VERBS,
            COMING_IN,
            FATES,
            DONE,
            NOTICES,
            DIFFERENCES,
            TEXTS,
            THINGS,
            CHOICES,
            FAULTS,
            FIELDS,
            ROLES,
            LACKS,
            TELLS,
            TOLD,
            PARTS,
            PUSHES,
        ];
        for (name, zh, en) in all.into_iter().flatten() {
            crate::console::words::assert_both(name, zh, en);
        }
    }

    /// What is written down of a push is called by a kind; each that the program knows has words.
    #[test]
    fn whatever_is_pushed_has_words() {
        let files =
            ["desk/his_push", "desk/payment_notice", "desk/message_event", "ports/his/push", "ports/payments/notice"];
        let code = files.map(|file| std::fs::read_to_string(format!("src/{file}.rs")).unwrap()).concat();
        let is_kind = |text: &&str| {
            let function = text.len() == 4 && text.starts_with("500") && !text.ends_with('0');
            function || text.starts_with("REFUND.") || text.starts_with("TRANSACTION.")
        };
        let mut kinds: BTreeSet<&str> = code.split('"').filter(is_kind).collect();
        kinds.extend(code.split("kind: \"").skip(1).filter_map(|rest| rest.split('"').next()));
        assert!(kinds.len() > 8, "{kinds:?}");
        kinds.retain(|kind| push(kind, Language::En).is_empty());
        assert_eq!(kinds, BTreeSet::new());
    }

    fn code_of(folder: &str) -> Vec<String> {
        let mut folders = vec![std::path::PathBuf::from(folder)];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let source = std::fs::read_to_string(path).unwrap();
                    found.push(source.split("#[cfg(test)]").next().unwrap().to_owned());
                }
            }
        }
        found
    }

    /// What a history says that a person did stands there where outcomes do.
    #[test]
    fn whatever_a_person_did_has_words_in_a_history() {
        let code = code_of("src/engine/staff").concat();
        let after = |mark: &str| -> Vec<String> {
            code.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
        };
        let did = [after("did: \""), after("outcome: \""), after("tell(conn, tenant, run, \"")].concat();
        assert!(did.len() >= 5, "{did:?}");
        let missing: Vec<&String> = did.iter().filter(|name| known(DONE, name, Language::En).is_none()).collect();
        assert_eq!(missing, [] as [&String; 0]);
    }

    /// A field that the audit keeps and no list has would be shown by the program's own name for it.
    #[test]
    fn whatever_the_audit_keeps_has_words() {
        let all = ["src/desk", "src/engine/staff", "src/engine/jobs", "src/engine/store"].map(code_of).concat();
        let writes = |code: &&String| [".deed(", "Deed {", "audit_access("].iter().any(|way| code.contains(way));
        let is_key = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_alphabetic());
        let mut missing = BTreeSet::new();
        for code in all.iter().filter(writes) {
            let parts: Vec<&str> = code.split('"').collect();
            for pair in parts.windows(2).skip(1).filter(|pair| pair[1].starts_with(':') && is_key(pair[0])) {
                if known(FIELDS, pair[0], Language::En).is_none() {
                    missing.insert(pair[0].to_owned());
                }
            }
        }
        let settings = serde_json::to_value(crate::waitlist::policy::Policy::default()).unwrap();
        let settings = settings.as_object().unwrap().keys();
        missing.extend(settings.filter(|name| known(FIELDS, name, Language::En).is_none()).cloned());
        assert_eq!(missing, BTreeSet::new());
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

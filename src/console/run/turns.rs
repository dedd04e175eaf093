//! A run's history as people read it: a line a turn, failed attempts at one step drawn together.

use crate::desk::faults;
use crate::engine::inspect::Told;

use super::super::when::{Clock, Stamp};
use super::super::words::names;

/// One line.
pub(super) struct Line {
    /// `failed`, `staff` or nothing.
    pub(super) class: &'static str,
    pub(super) step: String,
    pub(super) outcome: String,
    pub(super) next: String,
    pub(super) woke: String,
    pub(super) took: String,
    /// How many attempts failed.
    pub(super) failures: usize,
    pub(super) said: String,
    pub(super) at: Stamp,
}

/// The lines, the latest first.
pub(super) fn lines(history: &[Told], clock: &Clock) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut before: Option<&Told> = None;
    for told in history {
        let failed = told.outcome.is_none() && told.woke.as_deref() != Some("staff");
        let again = before.is_some_and(|before| failed && before.outcome.is_none() && before.step == told.step);
        before = Some(told);
        if again && let Some(last) = lines.last_mut().filter(|last| last.class == "failed") {
            last.failures += 1;
            last.said = faults::said(told.error.as_deref().unwrap_or_default(), clock.language);
            last.at = clock.exact(told.at);
            continue;
        }
        lines.push(line(told, failed, clock));
    }
    lines.reverse();
    lines
}

fn line(told: &Told, failed: bool, clock: &Clock) -> Line {
    let staff = told.woke.as_deref() == Some("staff");
    Line {
        class: if failed {
            "failed"
        } else if staff {
            "staff"
        } else {
            ""
        },
        step: names::step(&told.step, clock.language),
        outcome: told.outcome.as_deref().map(|outcome| names::outcome(outcome, clock.language)).unwrap_or_default(),
        next: if told.next == told.step { String::new() } else { names::step(&told.next, clock.language) },
        woke: told.woke.as_deref().map(|woke| names::signal(woke, clock.language)).unwrap_or_default(),
        took: clock.took(told.took_ms.into()),
        failures: usize::from(failed),
        // Who did it and why are a person's own words.
        said: match told.error.as_deref().unwrap_or_default() {
            reason if staff => reason.to_owned(),
            fault => faults::said(fault, clock.language),
        },
        at: clock.exact(told.at),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::waitlist::language::Language;

    fn told(nth: i64, step: &str, outcome: Option<&str>, error: Option<&str>) -> Told {
        Told {
            seq: nth,
            turn: 1,
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(nth),
            step: step.to_owned(),
            woke: None,
            outcome: outcome.map(str::to_owned),
            next: "Confirmation".to_owned(),
            error: error.map(str::to_owned),
            attempt: 0,
            took_ms: 12,
        }
    }

    #[test]
    fn what_a_person_did_is_in_words_and_the_reason_as_it_was_given() {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language: Language::ZhCn };
        for (did, said) in
            [("retried", "人工重试"), ("suspended", "人工暂停"), ("resumed", "人工恢复"), ("jumped", "人工转到")]
        {
            let deed = Told { woke: Some("staff".to_owned()), ..told(1, "Locking", Some(did), Some("operator: x")) };
            let lines = lines(&[deed], &clock);
            let line = lines.first().map(|line| (line.outcome.as_str(), line.said.as_str()));
            assert_eq!(line, Some((said, "operator: x")));
        }
    }

    #[test]
    fn attempts_at_one_step_are_one_line() {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language: Language::ZhCn };
        let history = [
            told(1, "Locking", None, Some("no connection")),
            told(2, "Locking", None, Some("no answer in time")),
            told(3, "Locking", Some("Locked"), None),
        ];
        let lines = lines(&history, &clock);
        assert_eq!(lines.iter().map(|line| line.failures).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(lines.iter().map(|line| line.said.as_str()).collect::<Vec<_>>(), ["", "超时未应答"]);
        assert_eq!(lines.first().map(|line| line.outcome.as_str()), Some("已锁号"));
    }
}

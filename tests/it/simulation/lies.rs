//! What the judge must see: after each simulation in which everything is right, one thing after the other is made wrong,
//! and each must be found. A judge that sees nothing proves nothing.

use chrono::TimeDelta;

use super::facts::{Audited, Facts, Received, RunFacts, Turn};
use super::judge::{self, Witnesses};
use super::office::{Answered, Deed};

/// Makes one thing wrong; false where there is nothing to make it with.
type Lie = fn(&mut Facts, &mut Witnesses) -> bool;

const LIES: [(&str, Lie); 18] = [
    ("a signal is lost", |facts, _| {
        change(facts, |run| {
            let Some(at) = run.inbox.iter().position(|one| one.read_turn == Some(0)) else { return false };
            run.inbox.remove(at);
            run.row.signal_count -= 1;
            true
        })
    }),
    ("a kept signal is lost", |facts, _| facts.kept.pop().is_some()),
    ("a signal is unread", |facts, _| change_signal(facts, |one| one.read_turn = None)),
    ("a signal is heard twice", |facts, _| {
        change(facts, |run| {
            let Some(heard) = run.inbox.iter().position(|one| one.read_turn.is_some_and(|turn| turn > 0)) else {
                return false;
            };
            run.inbox.push(Received { signal_id: "again".to_owned(), ..run.inbox[heard].clone() });
            run.row.signal_count += 1;
            true
        })
    }),
    ("two signals are heard in the wrong order", |facts, _| {
        change(facts, |run| {
            let heard = |one: &Received, name: &str| one.name == name && one.read_turn.is_some_and(|turn| turn > 0);
            let Some(first) = run.inbox.iter().position(|one| heard(one, "Tick")) else { return false };
            let Some(second) = run.inbox.iter().skip(first + 1).position(|one| heard(one, "Tick")) else {
                return false;
            };
            run.inbox.swap(first, first + 1 + second);
            true
        })
    }),
    ("a deadline wins too early", |facts, _| {
        change(facts, |run| {
            let handled = |turn: &&mut Turn| turn.woke.as_deref() != Some("staff") && turn.outcome.is_some();
            let mut handled = run.turns.iter_mut().filter(handled).zip(&run.book.entries);
            let lapsed = handled.find(|(turn, _)| turn.woke.as_deref() == Some("deadline"));
            let Some((turn, until)) = lapsed.and_then(|(turn, entry)| Some((turn, entry.until?))) else { return false };
            turn.at = until - TimeDelta::seconds(1);
            true
        })
    }),
    ("a deadline wins over a signal that was there", |facts, _| {
        change(facts, |run| {
            if run.row.workflow != "bell" || !run.turns.iter().any(|turn| turn.woke.as_deref() == Some("deadline")) {
                return false;
            }
            let came_at = run.turns[0].at - TimeDelta::days(1);
            for name in ["Tick", "Tock"] {
                let (signal_id, name) = (format!("early {name}"), name.to_owned());
                let run_id = run.row.id;
                run.inbox.push(Received { run_id, signal_id, name, came_at, read_turn: Some(0), matched_at: None });
                run.row.signal_count += 1;
            }
            true
        })
    }),
    ("a turn is lost", |facts, _| change(facts, |run| run.turns.pop().is_some())),
    ("a turn counts twice", |facts, _| {
        change(facts, |run| {
            let Some(last) = run.turns.last().cloned() else { return false };
            run.turns.push(last);
            true
        })
    }),
    ("a state was not written", |facts, _| change(facts, |run| run.book.entries.pop().is_some())),
    ("something is owed at the end", |facts, _| {
        change(facts, |run| {
            run.row.owes.push("Deposit".to_owned());
            true
        })
    }),
    ("a letter was not written", |facts, _| change(facts, |run| run.letters.pop().is_some())),
    ("a child's ending was not told", |facts, _| {
        change(facts, |run| {
            let Some(at) = run.inbox.iter().position(|one| one.name == "ChildEnded" && one.read_turn == Some(0)) else {
                return false;
            };
            run.inbox.remove(at);
            run.row.signal_count -= 1;
            true
        })
    }),
    ("a deed of staff is not in the audit", |facts, _| {
        let Some(at) = facts.audit.iter().position(|row| row.verb == "suspend") else { return false };
        facts.audit.remove(at);
        true
    }),
    ("a refused deed was done", |facts, witnesses| {
        let refused = |deed: &&Deed| matches!(deed.answered, Answered::Refused(_));
        let Some(deed) = witnesses.deeds.iter().find(refused) else { return false };
        let Some(row) = facts.audit.first().cloned() else { return false };
        facts.audit.push(Audited { verb: deed.verb.to_owned(), reason: deed.id.clone(), ..row });
        true
    }),
    ("a run knows nothing of an answer", |facts, _| change(facts, |run| run.book.led.pop_first().is_some())),
    ("a second call believed itself the first", |_, witnesses| {
        let Some(first) = witnesses.calls.iter().find(|call| !call.again).cloned() else { return false };
        witnesses.calls.push(first);
        true
    }),
    ("something was done outside for a turn that is not there", |_, witnesses| {
        let Some(done) = witnesses.done.first().cloned() else { return false };
        witnesses.done.insert(format!("{done}0"))
    }),
];

fn change(facts: &mut Facts, with: impl Fn(&mut RunFacts) -> bool) -> bool {
    facts.runs.values_mut().any(with)
}

fn change_signal(facts: &mut Facts, with: impl Fn(&mut Received)) -> bool {
    change(facts, |run| run.inbox.last_mut().map(&with).is_some())
}

/// The lies that a judge who found everything right does not see.
pub fn unseen(facts: &Facts, witnesses: &Witnesses) -> Vec<&'static str> {
    LIES.iter()
        .filter(|(_, lie)| {
            let (mut facts, mut witnesses) = (facts.clone(), witnesses.clone());
            !lie(&mut facts, &mut witnesses) || judge::offences(&facts, &witnesses).is_empty()
        })
        .map(|(name, _)| *name)
        .collect()
}

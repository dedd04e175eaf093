//! What is allowed to have happened to one run. Pure: the engine's tables on one side, the workflow's declaration and
//! the run's own logbook on the other.
//!
//! - Turns are numbered without a gap, each goes on where the one before ended, and the last one alone is an ending.
//! - The logbook has one entry a turn, and both tell the same.
//! - Each signal is heard by one turn, or was too late for any; what is heard is the first in order of arrival of what
//!   the step hears and what came by its deadline.
//! - A deadline wins only where nothing had come in time.
//! - What the outcomes opened is closed, and every move has its one letter.

use std::collections::BTreeMap;

use houbu::engine::{StepRow, Table};

use super::facts::{Received, RunFacts, Turn};
use super::harbour::Entry;

/// What is wrong with a run that has ended, if anything.
pub fn offences(table: &Table, run: &RunFacts) -> Vec<String> {
    let mut wrong = Vec::new();
    let done = walk(table, run, &mut wrong);
    logbook(table, run, &done, &mut wrong);
    signals(table, run, &done, &mut wrong);
    ending(table, run, &done, &mut wrong);
    letters(run, done.len(), &mut wrong);
    wrong
}

/// Follows the history from its beginning and answers the turns that moved the run.
fn walk<'a>(table: &Table, run: &'a RunFacts, wrong: &mut Vec<String>) -> Vec<&'a Turn> {
    let mut done: Vec<&Turn> = Vec::new();
    for turn in &run.turns {
        let at = done.last().map(|last| last.next.as_str());
        let begins = at.is_none() && table.starts.contains(&turn.step.as_str());
        if !begins && at != Some(turn.step.as_str()) {
            wrong.push(format!("a turn at {} where the run stood at {at:?}", turn.step));
        }
        let Some(outcome) = &turn.outcome else {
            if turn.next != turn.step {
                wrong.push(format!("a failed attempt at {} led to {}", turn.step, turn.next));
            }
            continue;
        };
        if turn.woke.as_deref() == Some("staff") {
            continue;
        }
        if usize::try_from(turn.number) != Ok(done.len() + 1) {
            wrong.push(format!("the turn after {} has the number {}", done.len(), turn.number));
        }
        let row = table.step(&turn.step).and_then(|row| row.outcomes.iter().find(|row| row.name == outcome));
        if row.map(|row| row.next) != Some(turn.next.as_str()) {
            wrong.push(format!("{}: {outcome} led to {}", turn.step, turn.next));
        }
        done.push(turn);
    }
    if usize::try_from(run.row.turn) != Ok(done.len()) {
        wrong.push(format!("{} turns are counted and {} are in the history", run.row.turn, done.len()));
    }
    done
}

/// What the run believes is what the history says.
fn logbook(table: &Table, run: &RunFacts, done: &[&Turn], wrong: &mut Vec<String>) {
    if run.book.entries.len() != done.len() {
        wrong.push(format!("{} entries in the logbook for {} turns", run.book.entries.len(), done.len()));
    }
    for (entry, turn) in run.book.entries.iter().zip(done) {
        let waits = table.step(&turn.step).is_some_and(StepRow::waits);
        let woken = match (waits, turn.woke.as_deref()) {
            (false, None) | (true, Some("deadline")) => entry.heard.is_none(),
            (true, Some(name)) => entry.heard.as_ref().is_some_and(|id| {
                run.inbox
                    .iter()
                    .any(|one| one.signal_id == *id && one.name == name && one.read_turn == Some(turn.number))
            }),
            _ => false,
        };
        if entry.step != turn.step || !woken {
            wrong.push(format!(
                "turn {} at {} woken by {:?} is {entry:?} in the logbook",
                turn.number, turn.step, turn.woke
            ));
        }
    }
    let place = (run.row.step.clone(), run.row.turn);
    // Whoever has not moved yet has no place.
    if run.place.as_ref().is_some_and(|at| *at != place) || (run.place.is_none() && !done.is_empty()) {
        wrong.push(format!("the workflow's own table says {:?} and the engine {place:?}", run.place));
    }
}

/// Each signal is heard once or late, in order; each deadline was due.
fn signals(table: &Table, run: &RunFacts, done: &[&Turn], wrong: &mut Vec<String>) {
    if usize::try_from(run.row.signal_count) != Ok(run.inbox.len()) {
        wrong.push(format!("{} signals are counted and {} are in the inbox", run.row.signal_count, run.inbox.len()));
    }
    let mut heard_by = BTreeMap::<i32, &str>::new();
    for one in &run.inbox {
        match one.read_turn {
            None => wrong.push(format!("the signal {} is unread", one.signal_id)),
            Some(0) => {}
            Some(turn) => {
                if heard_by.insert(turn, &one.signal_id).is_some() {
                    wrong.push(format!("turn {turn} has heard two signals"));
                }
                let woke = usize::try_from(turn - 1).ok().and_then(|at| done.get(at)?.woke.as_deref());
                if woke != Some(one.name.as_str()) {
                    wrong.push(format!("the signal {} was read by turn {turn}, woken by {woke:?}", one.signal_id));
                }
            }
        }
    }
    for (entry, turn) in run.book.entries.iter().zip(done) {
        let Some(row) = table.step(&turn.step).filter(|row| row.waits()) else { continue };
        choice(row, run, entry, turn, wrong);
    }
}

/// What a step that waited did hear is what it had to hear.
fn choice(row: &StepRow, run: &RunFacts, entry: &Entry, turn: &Turn, wrong: &mut Vec<String>) {
    let Some(until) = entry.until else {
        wrong.push(format!("turn {} waited without a deadline", turn.number));
        return;
    };
    let unread = |one: &&Received| one.read_turn.is_none_or(|by| by == 0 || by >= turn.number);
    let mut in_time =
        run.inbox.iter().filter(unread).filter(|one| row.hears.contains(&&*one.name) && one.came_at <= until);
    // In order of arrival: what came earlier was there.
    if let Some(heard) = &entry.heard {
        let first = in_time.next().map(|one| &one.signal_id);
        if first != Some(heard) {
            wrong.push(format!("turn {} heard {heard} and not {first:?}", turn.number));
        }
        return;
    }
    if turn.at < until {
        wrong.push(format!("turn {} gave up at {}, before {until}", turn.number, turn.at));
    }
    // At the deadline's own instant the first that is written wins.
    let came = |one: &Received| one.matched_at.unwrap_or(one.came_at).max(one.came_at);
    if let Some(one) = in_time.find(|one| came(one) < turn.at) {
        wrong.push(format!("turn {} gave up although {} had come in time", turn.number, one.signal_id));
    }
}

/// One ending, nothing owed.
fn ending(table: &Table, run: &RunFacts, done: &[&Turn], wrong: &mut Vec<String>) {
    let endings = done.iter().filter(|turn| table.is_ending(&turn.next)).count();
    let last = done.last().map(|turn| turn.next.as_str());
    if endings != 1 || last != Some(run.row.step.as_str()) || run.row.status != "completed" {
        wrong.push(format!("{endings} endings; {} at {}, last {last:?}", run.row.status, run.row.step));
    }
    let owes = done.iter().fold(Vec::new(), |owes, turn| {
        let outcome = turn.outcome.as_deref().unwrap_or_default();
        table.step(&turn.step).map_or(owes.clone(), |row| row.owed_after(&owes, outcome))
    });
    if !owes.is_empty() || !run.row.owes.is_empty() {
        wrong.push(format!("owes {owes:?} by its history and {:?} by its row", run.row.owes));
    }
}

/// One letter for the start and one for each turn, all sent.
fn letters(run: &RunFacts, turns: usize, wrong: &mut Vec<String>) {
    let mut letters: Vec<&str> = run.letters.iter().map(|(id, _)| id.as_str()).collect();
    let mut expected: Vec<String> = (0..=turns).map(|nth| format!("{}:{nth}", run.row.id)).collect();
    letters.sort_unstable();
    expected.sort_unstable();
    if letters != expected {
        wrong.push(format!("the letters {letters:?} for {turns} turns"));
    }
    for (id, status) in run.letters.iter().filter(|(_, status)| status != "sent") {
        wrong.push(format!("the letter {id} is {status}"));
    }
}

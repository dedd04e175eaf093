//! What is allowed to have happened to one run. Pure: the engine's tables on one side, the workflow's declaration and
//! the run's own logbook on the other.
//!
//! - Turns are numbered without a gap, each goes on where the one before ended, and the last one alone is an ending,
//!   unless a person has cancelled the run where it stood.
//! - The logbook has one entry a turn that a handler decided, one for each answer and jump of a person, and both tell
//!   the same.
//! - Each signal is heard by one turn, or was too late for any; what is heard is the first in order of arrival of what
//!   the step hears and what came by its deadline.
//! - A deadline wins only where nothing had come in time.
//! - What the outcomes opened is closed, and every move has its one letter.

use std::collections::BTreeMap;

use houbu::engine::{StepRow, Table};

use super::facts::{Received, RunFacts, Turn};
use super::harbour::{Entry, letter_id};

/// Who or what a move was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mover {
    /// The step's own handler.
    Handler,
    /// A person who said what the step came to.
    Answer,
    /// A person who led the run elsewhere.
    Jump,
    /// A person who cancelled it. The run's logbook knows nothing of that.
    Cancel,
}

/// One move of a run.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    pub turn: &'a Turn,
    pub by: Mover,
    /// How many moves its logbook knew of before.
    pub count: usize,
}

/// The way that a run went.
#[derive(Debug, Default)]
pub struct Way<'a> {
    pub moves: Vec<Move<'a>>,
    /// Where it was cancelled and ended there.
    pub cancelled: Option<&'a Turn>,
    /// How many moves its logbook knows of in the end.
    pub count: usize,
}

impl<'a> Way<'a> {
    /// The turns that a handler decided, each of which has an entry in the logbook.
    fn handled(&self) -> impl Iterator<Item = &'a Turn> {
        self.moves.iter().filter(|one| one.by == Mover::Handler).map(|one| one.turn)
    }

    fn woke(&self, turn: i32) -> Option<&'a str> {
        let at = usize::try_from(turn - 1).ok()?;
        self.moves.get(at)?.turn.woke.as_deref()
    }
}

/// What is wrong with a run that has ended, if anything.
pub fn offences(table: &Table, run: &RunFacts) -> Vec<String> {
    let mut wrong = Vec::new();
    let way = walk(table, run, &mut wrong);
    logbook(table, run, &way, &mut wrong);
    signals(table, run, &way, &mut wrong);
    ending(table, run, &way, &mut wrong);
    letters(run, &way, &mut wrong);
    wrong
}

/// Follows the history from its beginning.
pub fn walk<'a>(table: &Table, run: &'a RunFacts, wrong: &mut Vec<String>) -> Way<'a> {
    let mut way = Way::default();
    for turn in &run.turns {
        let at = way.moves.last().map(|last| last.turn.next.as_str());
        let begins = at.is_none() && table.starts.contains(&turn.step.as_str());
        if !begins && at != Some(turn.step.as_str()) {
            wrong.push(format!("a turn at {} where the run stood at {at:?}", turn.step));
        }
        if way.cancelled.is_some() {
            wrong.push(format!("a turn at {} after it was cancelled", turn.step));
        }
        let by_staff = turn.woke.as_deref() == Some("staff");
        let by = match turn.outcome.as_deref() {
            Some("jumped") if by_staff => Mover::Jump,
            Some("cancelled") if by_staff && table.cancels.is_some() => Mover::Cancel,
            // What leaves the run where it stands.
            did @ (None | Some("suspended" | "resumed" | "retried" | "cancelled")) if by_staff == did.is_some() => {
                if turn.next != turn.step {
                    wrong.push(format!("{did:?} at {} led to {}", turn.step, turn.next));
                }
                way.cancelled = way.cancelled.or((did == Some("cancelled")).then_some(turn));
                continue;
            }
            _ if by_staff => Mover::Answer,
            _ => Mover::Handler,
        };
        if usize::try_from(turn.number) != Ok(way.moves.len() + 1) {
            wrong.push(format!("the turn after {} has the number {}", way.moves.len(), turn.number));
        }
        if !leads(table, by, turn) {
            wrong.push(format!("{by:?} at {}: {:?} led to {}", turn.step, turn.outcome, turn.next));
        }
        way.moves.push(Move { turn, by, count: way.count });
        way.count += usize::from(by != Mover::Cancel);
    }
    if usize::try_from(run.row.turn) != Ok(way.moves.len()) {
        wrong.push(format!("{} turns are counted and {} are in the history", run.row.turn, way.moves.len()));
    }
    way
}

/// Whether a move leads where it may.
fn leads(table: &Table, by: Mover, turn: &Turn) -> bool {
    let next = turn.next.as_str();
    match by {
        Mover::Handler | Mover::Answer => {
            let mut outcomes = table.step(&turn.step).map_or(&[][..], |row| row.outcomes).iter();
            outcomes.any(|row| Some(row.name) == turn.outcome.as_deref() && row.next == next)
        }
        Mover::Jump => next != turn.step && (table.step(next).is_some() || table.is_ending(next)),
        Mover::Cancel => table.cancels == Some(next) && next != turn.step,
    }
}

/// What the run believes is what the history says.
fn logbook(table: &Table, run: &RunFacts, way: &Way, wrong: &mut Vec<String>) {
    let handled = way.handled().count();
    if run.book.entries.len() != handled {
        wrong.push(format!("{} entries in the logbook for {handled} turns", run.book.entries.len()));
    }
    let led = way.moves.iter().filter(|one| matches!(one.by, Mover::Answer | Mover::Jump)).count();
    if run.book.led.len() != led {
        wrong.push(format!("{:?} in the logbook for {led} answers and jumps", run.book.led));
    }
    for (entry, turn) in run.book.entries.iter().zip(way.handled()) {
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
    let place = (run.row.step.clone(), i32::try_from(way.count).unwrap());
    // Whoever has not moved yet has no place.
    if run.place.as_ref().is_some_and(|at| *at != place) || (run.place.is_none() && !way.moves.is_empty()) {
        wrong.push(format!("the workflow's own table says {:?} and the engine {place:?}", run.place));
    }
}

/// Each signal is heard once or late, in order; each deadline was due.
fn signals(table: &Table, run: &RunFacts, way: &Way, wrong: &mut Vec<String>) {
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
                let woke = way.woke(turn);
                if woke != Some(one.name.as_str()) {
                    wrong.push(format!("the signal {} was read by turn {turn}, woken by {woke:?}", one.signal_id));
                }
            }
        }
    }
    for (entry, turn) in run.book.entries.iter().zip(way.handled()) {
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
fn ending(table: &Table, run: &RunFacts, way: &Way, wrong: &mut Vec<String>) {
    let endings = way.moves.iter().filter(|one| table.is_ending(&one.turn.next)).count();
    let last = way.moves.last().map(|one| one.turn.next.as_str());
    let ended = match way.cancelled {
        Some(turn) => endings == 0 && run.row.step == turn.step && run.row.status == "cancelled",
        None => endings == 1 && last == Some(run.row.step.as_str()) && run.row.status == "completed",
    };
    if !ended {
        wrong.push(format!("{endings} endings; {} at {}, last {last:?}", run.row.status, run.row.step));
    }
    // What is certainly owed: a person who leads a run away opens nothing and closes nothing.
    let owes = way.moves.iter().fold(Vec::new(), |owes, Move { turn, by, .. }| match by {
        Mover::Jump | Mover::Cancel => owes,
        Mover::Handler | Mover::Answer => {
            let outcome = turn.outcome.as_deref().unwrap_or_default();
            table.step(&turn.step).map_or(owes.clone(), |row| row.owed_after(&owes, outcome))
        }
    });
    if !owes.is_empty() || !run.row.owes.is_empty() {
        wrong.push(format!("owes {owes:?} by its history and {:?} by its row", run.row.owes));
    }
}

/// One letter for the start and one for each move, all sent.
fn letters(run: &RunFacts, way: &Way, wrong: &mut Vec<String>) {
    let mut letters: Vec<&str> = run.letters.iter().map(|(id, _)| id.as_str()).collect();
    let began = run.turns.first().map_or(run.row.step.as_str(), |turn| turn.step.as_str());
    let mut expected = vec![letter_id(run.row.id, 0, began)];
    expected.extend(way.moves.iter().map(|one| {
        let count = one.count + usize::from(one.by != Mover::Cancel);
        letter_id(run.row.id, count, &one.turn.next)
    }));
    letters.sort_unstable();
    expected.sort_unstable();
    if letters != expected {
        wrong.push(format!("the letters {letters:?} and not {expected:?}"));
    }
    for (id, status) in run.letters.iter().filter(|(_, status)| status != "sent") {
        wrong.push(format!("the letter {id} is {status}"));
    }
}

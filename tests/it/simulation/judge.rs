//! The judge: holds what the database says against what was sent, what the outside saw and what the model allows, and
//! tells the story of a run where they differ.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use houbu::engine::flow::Flow;
use houbu::engine::{RunId, Table};

use super::facts::{Facts, RunFacts};
use super::harbour::bell::Bell;
use super::harbour::leg::Leg;
use super::harbour::voyage::{Voyage, bell_of};
use super::mischief::Mishap;
use super::model::{self, Move, Mover};
use super::office::{Answered, Deed};
use super::plot::Target;
use super::stage::{Sent, Stage};
use super::world::{Call, World};

/// Something that must not be.
#[derive(Debug, Clone)]
pub struct Offence {
    /// The run that it is about, if it is about one.
    pub run: Option<RunId>,
    pub what: String,
}

/// What others than the engine know of a simulation.
#[derive(Clone)]
pub struct Witnesses {
    pub sent: Vec<Sent>,
    pub calls: Vec<Call>,
    /// What was done outside, by business id.
    pub done: BTreeSet<String>,
    /// The letters that were accepted.
    pub accepted: BTreeSet<String>,
    pub mishaps: Vec<Mishap>,
    /// What staff asked for and were answered.
    pub deeds: Vec<Deed>,
}

impl Witnesses {
    pub fn of(stage: &Stage) -> Self {
        Self {
            sent: stage.sent.lock().unwrap().clone(),
            calls: stage.world.calls(),
            done: stage.world.done().into_keys().collect(),
            accepted: stage.world.accepted().into_keys().collect(),
            mishaps: stage.mischief.done(),
            deeds: stage.office.deeds(),
        }
    }
}

/// A workflow's declaration.
pub fn table(workflow: &str) -> Table {
    match workflow {
        "voyage" => Voyage::TABLE,
        "leg" => Leg::TABLE,
        "bell" => Bell::TABLE,
        other => panic!("no workflow {other}"),
    }
}

/// Everything that must not be.
pub fn offences(facts: &Facts, witnesses: &Witnesses) -> Vec<Offence> {
    let mut found = Vec::new();
    let mut against = |run: Option<RunId>, what: String| found.push(Offence { run, what });
    for (id, run) in &facts.runs {
        for what in model::offences(&table(&run.row.workflow), run) {
            against(Some(*id), what);
        }
    }
    one_run_a_key(facts, &mut against);
    no_signal_is_lost(facts, witnesses, &mut against);
    children_are_heard_of(facts, &mut against);
    calls_say_what_came_before(witnesses, &mut against);
    what_was_done_counts_once(facts, witnesses, &mut against);
    deeds_are_written_down(facts, witnesses, &mut against);
    if facts.leases != 0 {
        against(None, format!("{} leases are left", facts.leases));
    }
    found
}

fn one_run_a_key(facts: &Facts, against: &mut impl FnMut(Option<RunId>, String)) {
    let mut keys = HashMap::new();
    for run in facts.runs.values() {
        if let Some(other) = keys.insert((&run.row.workflow, &run.row.key), run.row.id) {
            against(Some(run.row.id), format!("{other} has the same key"));
        }
    }
}

/// What the door has accepted, and what runs send each other, is in the inbox of its run, or is kept where there is none.
fn no_signal_is_lost(facts: &Facts, witnesses: &Witnesses, against: &mut impl FnMut(Option<RunId>, String)) {
    let mut by_key = HashMap::new();
    for run in facts.runs.values() {
        by_key.insert((run.row.workflow.as_str(), run.row.key.as_str()), run);
    }
    for Sent { to, id } in witnesses.sent.iter().cloned().chain(facts.runs.values().filter_map(rings)) {
        let (to, id) = (&to, &id);
        let run = match to {
            Target::Key { workflow, name } => by_key.get(&(*workflow, name.as_str())).copied(),
            Target::Run { .. } => facts.runs.get(&to.id()),
        };
        let received = run.is_some_and(|run| run.inbox.iter().any(|one| one.signal_id == *id));
        let kept = facts.kept.iter().any(|kept| {
            kept.signal_id == *id
                && match to {
                    Target::Key { workflow, name } => {
                        kept.workflow.as_deref() == Some(workflow) && kept.key.as_ref() == Some(name)
                    }
                    Target::Run { .. } => kept.run_id == Some(to.id()),
                }
        });
        if received == kept || received != run.is_some() {
            let run = run.map(|run| run.row.id);
            against(run, format!("the signal {id} for {to:?}: in the inbox {received}, kept {kept}"));
        }
    }
}

/// What a voyage sends when it comes home: written by its turn and not by the door.
fn rings(run: &RunFacts) -> Option<Sent> {
    let home =
        run.row.workflow == Voyage::NAME && run.turns.iter().any(|turn| turn.outcome.as_deref() == Some("Returned"));
    let to = Target::Key { workflow: Bell::NAME, name: bell_of(&run.row.key) };
    home.then(|| Sent { to, id: format!("{}:home", run.row.id) })
}

/// A parent hears of each child's ending.
fn children_are_heard_of(facts: &Facts, against: &mut impl FnMut(Option<RunId>, String)) {
    for child in facts.runs.values() {
        let Some(parent) = child.row.parent else { continue };
        let id = format!("ended:{}", child.row.id);
        if !facts.runs.get(&parent).is_some_and(|parent| parent.inbox.iter().any(|one| one.signal_id == id)) {
            against(Some(parent), format!("has not heard of the ending of its child {}", child.row.key));
        }
    }
}

/// Whoever calls for the second time is told so: of all calls for one visit of a step, one at most believes itself the
/// first (E1).
fn calls_say_what_came_before(witnesses: &Witnesses, against: &mut impl FnMut(Option<RunId>, String)) {
    let mut first = BTreeSet::new();
    for call in witnesses.calls.iter().filter(|call| !call.again) {
        if !first.insert((call.run, call.step, call.visit)) {
            against(Some(call.run), format!("two calls believed to be the first of {} at {}", call.step, call.visit));
        }
    }
}

/// What was done outside is what committed turns say, and no letter left that no committed turn wrote. Of a step that a
/// person led away from nobody knows.
fn what_was_done_counts_once(facts: &Facts, witnesses: &Witnesses, against: &mut impl FnMut(Option<RunId>, String)) {
    let (mut committed, mut either) = (BTreeSet::new(), BTreeSet::new());
    let mut letters = BTreeSet::new();
    for run in facts.runs.values() {
        let table = table(&run.row.workflow);
        let way = model::walk(&table, run, &mut Vec::new());
        for Move { turn, by, count } in way.moves {
            if table.step(&turn.step).is_some_and(|row| !row.waits()) {
                let id = World::id(run.row.id, &turn.step, count);
                if by == Mover::Handler {
                    committed.insert(id)
                } else {
                    either.insert(id)
                };
            }
        }
        either.extend(way.cancelled.map(|turn| World::id(run.row.id, &turn.step, way.count)));
        letters.extend(run.letters.iter().map(|(id, _)| id.clone()));
    }
    let of = |id: &String| id.split(':').next().and_then(|run| run.parse().ok());
    for id in committed.symmetric_difference(&witnesses.done).filter(|id| !either.contains(*id)) {
        against(of(id), format!("{id} was done and not committed, or committed and not done"));
    }
    for id in letters.symmetric_difference(&witnesses.accepted) {
        against(of(id), format!("the letter {id} was written and not accepted, or accepted and not written"));
    }
}

/// Each verb that was accepted is in the audit and in the history of the runs that it changed; one that was refused is in
/// neither.
fn deeds_are_written_down(facts: &Facts, witnesses: &Witnesses, against: &mut impl FnMut(Option<RunId>, String)) {
    let mut ids = BTreeSet::new();
    for deed in &witnesses.deeds {
        ids.insert(deed.id.as_str());
        let rows = facts.audit.iter().filter(|row| row.reason == deed.id && row.verb == deed.verb).count();
        let as_answered = match deed.answered {
            Answered::Done(runs) => rows == runs,
            Answered::Refused(_) => rows == 0,
            Answered::Nothing => true,
        };
        if !as_answered {
            against(None, format!("{deed:?} has {rows} rows in the audit"));
        }
    }
    for run in facts.runs.values() {
        let of_run = facts.audit.iter().filter(|row| row.run_id == run.row.id && row.verb != "signal");
        let mut audited: Vec<String> = of_run.map(|row| format!("{}: {}", row.who, row.reason)).collect();
        let by_staff = run.turns.iter().filter(|turn| turn.woke.as_deref() == Some("staff"));
        let mut told: Vec<&str> = by_staff.filter_map(|turn| turn.error.as_deref()).collect();
        audited.sort_unstable();
        told.sort_unstable();
        if audited != told {
            against(Some(run.row.id), format!("staff did {told:?} by its history and {audited:?} by the audit"));
        }
        for led in run.book.led.keys().filter(|led| !ids.contains(led.as_str())) {
            against(Some(run.row.id), format!("nobody has done {led}"));
        }
    }
}

/// What happened to a run, as a person reads it.
pub fn story(run: &RunFacts, witnesses: &Witnesses) -> String {
    const LAST: usize = 30;
    let mut told = String::new();
    let row = &run.row;
    let _ = writeln!(told, "  {} {} ({}): {} at {}", row.workflow, row.key, row.id, row.status, row.step);
    let _ = writeln!(told, "  error {:?}, owes {:?}, parent {:?}", row.last_error, row.owes, row.parent);
    for turn in run.turns.iter().rev().take(LAST).rev() {
        let (woke, outcome) = (turn.woke.as_deref().unwrap_or("-"), turn.outcome.as_deref().unwrap_or("failed"));
        let error = turn.error.as_deref().unwrap_or_default();
        let _ = writeln!(told, "    {} turn {} {} on {woke}: {outcome} {error}", turn.at, turn.number, turn.step);
    }
    for entry in run.book.entries.iter().rev().take(LAST).rev() {
        let _ = writeln!(told, "    logbook {} heard {:?} until {:?}", entry.step, entry.heard, entry.until);
    }
    for one in run.inbox.iter().rev().take(LAST).rev() {
        let (name, id, at) = (&one.name, &one.signal_id, one.came_at);
        let _ =
            writeln!(told, "    inbox {name} {id} at {at}, matched {:?}, read by {:?}", one.matched_at, one.read_turn);
    }
    for call in
        witnesses.calls.iter().filter(|call| call.run == row.id).rev().take(LAST).collect::<Vec<_>>().iter().rev()
    {
        let _ = writeln!(told, "    call {} visit {} again {}", call.step, call.visit, call.again);
    }
    for one in witnesses.mishaps.iter().filter(|one| one.run == row.id) {
        let _ = writeln!(told, "    {} {} at {} {:?}", one.worker, one.what, one.step, one.point);
    }
    told
}

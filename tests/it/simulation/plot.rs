//! What happens in a simulation, round by round: written down before it begins, by the seed alone.

use chrono::{DateTime, TimeDelta, Utc};

use super::chance::Dice;
use super::harbour::voyage::{bell_of, leg_of};
use super::harbour::{GRID_S, id_of, mark_after};
use houbu::engine::RunId;

/// How many bells there are.
pub const BELLS: u64 = 12;
/// How many voyages.
const VOYAGES: u64 = 150;
/// In how many rounds all of it happens.
const ROUNDS: u64 = 40;

/// Which run a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Key { workflow: &'static str, name: String },
    Run { workflow: &'static str, name: String },
}

impl Target {
    /// The workflow and the name of the run.
    pub fn whose(&self) -> (&'static str, &str) {
        match self {
            Self::Key { workflow, name } | Self::Run { workflow, name } => (workflow, name),
        }
    }

    /// The id of the run, if it is ever started by us.
    pub fn id(&self) -> RunId {
        let (workflow, name) = self.whose();
        id_of(workflow, name)
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// A run is started, perhaps once more, by somebody who thinks of another id for it.
    Start { workflow: &'static str, name: String, id: RunId, until: DateTime<Utc> },
    /// A signal is sent, perhaps once more.
    Signal { to: Target, name: &'static str, id: String },
    /// A person does one of the verbs to a run.
    Asks { whose: Whose, asked: Asked, id: String },
    /// A worker begins.
    Hire,
    /// A worker is asked to stop; it finishes what it has in hand.
    Dismiss { which: u64 },
    /// A worker's process ends as by `kill -9`.
    Kill { which: u64 },
    /// A worker is thought dead, and what it has in hand is taken over; it lives.
    EndLease { which: u64 },
    /// Connections break.
    CutLines { which: u64, how_many: i64 },
    /// A process claims runs and is gone before it does anything.
    ClaimAndDie { how_many: i64 },
}

/// Which run a person has in mind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Named {
        workflow: &'static str,
        name: String,
    },
    /// One of those whose step failed.
    Failing {
        which: u64,
    },
    /// One of those that a person lets stand still.
    Held {
        which: u64,
    },
}

/// What a person asks for. What there is to choose from depends on where the run stands: `which` of it is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Retry,
    Answer { which: u64 },
    Jump { which: u64 },
    Signal { name: &'static str },
    Suspend,
    Resume,
    Cancel,
}

/// What happens at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What the clock shows from now on.
    pub clock: DateTime<Utc>,
    pub deeds: Vec<Deed>,
}

/// When every simulation begins: on the grid.
pub fn morning() -> DateTime<Utc> {
    "2026-09-01T06:00:00Z".parse().unwrap()
}

/// The plot of a seed.
pub fn plot(seed: u64) -> Vec<Round> {
    let mut dice = Dice::about(seed, &[&"plot"]);
    let mut rounds = clocks(&mut dice);
    for nth in 0..BELLS {
        bell(&mut dice, &mut rounds, nth);
    }
    for nth in 0..VOYAGES {
        voyage(&mut dice, &mut rounds, nth);
    }
    for (nth, round) in rounds.iter_mut().enumerate() {
        troubles(&mut dice, &mut round.deeds);
        help(&mut dice, &mut round.deeds, nth);
        // What happens at one time happens in any order.
        for at in (1..round.deeds.len()).rev() {
            let other = usize::try_from(dice.below(u64::try_from(at + 1).unwrap())).unwrap();
            round.deeds.swap(at, other);
        }
    }
    rounds
}

/// The clock stands on a deadline, a moment before or after it, or somewhere between.
fn clocks(dice: &mut Dice) -> Vec<Round> {
    let mut clock = morning();
    (0..ROUNDS)
        .map(|_| {
            let to = mark_after(clock, i64::try_from(dice.between(1, 3)).unwrap());
            let to = match dice.below(6) {
                0 => clock,
                1 => to - TimeDelta::microseconds(1),
                2 => to + TimeDelta::microseconds(1),
                3 => to - TimeDelta::milliseconds(i64::try_from(dice.between(1, 9_000)).unwrap()),
                _ => to,
            };
            clock = clock.max(to);
            Round { clock, deeds: Vec::new() }
        })
        .collect()
}

fn at(rounds: &mut [Round], nth: u64) -> &mut Round {
    let last = rounds.len() - 1;
    &mut rounds[usize::try_from(nth).unwrap().min(last)]
}

fn bell(dice: &mut Dice, rounds: &mut [Round], nth: u64) {
    let (name, begins) = (format!("b{nth}"), dice.below(ROUNDS / 2));
    let until = mark_after(at(rounds, begins).clock, i64::try_from(dice.between(5, 90)).unwrap());
    start(dice, rounds, begins, "bell", &name, until);
    for stroke in 0..dice.between(2, 24) {
        let when = dice.between(begins.saturating_sub(3), begins + 25);
        signal(dice, rounds, when, "bell", &name, &["Tick", "Tock"], &format!("s{stroke}"));
    }
    people(dice, rounds, begins, "bell", &name, &["Tick", "Tock"]);
}

fn voyage(dice: &mut Dice, rounds: &mut [Round], nth: u64) {
    let (name, begins) = (format!("v{nth}"), dice.below(ROUNDS * 3 / 4));
    // One in so many is never started: what is sent to it waits for nobody.
    if !dice.once_in(20) {
        start(dice, rounds, begins, "voyage", &name, DateTime::UNIX_EPOCH);
    }
    for word in 0..dice.between(0, 5) {
        let when = dice.between(begins.saturating_sub(2), begins + 14);
        signal(dice, rounds, when, "voyage", &name, &["Go", "Go", "Nudge", "Nudge", "Stop"], &format!("w{word}"));
    }
    for leg in 1..=3 {
        let leg = leg_of(&name, leg);
        if dice.once_in(12) {
            start(dice, rounds, begins + dice.clone().below(10), "leg", &leg, DateTime::UNIX_EPOCH);
        }
        for word in 0..dice.below(3) {
            let when = dice.between(begins.saturating_sub(1), begins + 18);
            signal(dice, rounds, when, "leg", &leg, &["Nudge", "Nudge", "Stop"], &format!("w{word}"));
        }
        people(dice, rounds, begins + 2, "leg", &leg, &["Nudge", "Stop"]);
    }
    people(dice, rounds, begins, "voyage", &name, &["Go", "Nudge", "Stop"]);
    assert!(bell_of(&name).starts_with('b'));
}

/// A start; now and then twice at one time, and once more later.
fn start(dice: &mut Dice, rounds: &mut [Round], when: u64, workflow: &'static str, name: &str, until: DateTime<Utc>) {
    let with = |id| Deed::Start { workflow, name: name.to_owned(), id, until };
    // A leg is its voyage's to start; who starts it here comes first or second.
    let own = if workflow == "leg" { id_of("early leg", name) } else { id_of(workflow, name) };
    at(rounds, when).deeds.push(with(own));
    if dice.once_in(6) {
        at(rounds, when).deeds.push(with(id_of(workflow, &format!("{name} at one time"))));
    }
    if dice.once_in(6) {
        at(rounds, when + dice.below(20)).deeds.push(with(id_of(workflow, &format!("{name} once more"))));
    }
}

/// A signal by key or by id; now and then twice at one time, and once more later.
fn signal(
    dice: &mut Dice,
    rounds: &mut [Round],
    when: u64,
    workflow: &'static str,
    whose: &str,
    names: &[&'static str],
    id: &str,
) {
    let whose = whose.to_owned();
    let to =
        if dice.once_in(3) { Target::Run { workflow, name: whose } } else { Target::Key { workflow, name: whose } };
    let deed = Deed::Signal { to, name: dice.one_of(names), id: id.to_owned() };
    at(rounds, when).deeds.push(deed.clone());
    if dice.once_in(6) {
        at(rounds, when).deeds.push(deed.clone());
    }
    if dice.once_in(6) {
        at(rounds, when + dice.below(12)).deeds.push(deed);
    }
}

/// Staff have one run in two in mind, and often let it stand still before they do more.
fn people(
    dice: &mut Dice,
    rounds: &mut [Round],
    begins: u64,
    workflow: &'static str,
    name: &str,
    signals: &[&'static str],
) {
    if dice.once_in(2) {
        return;
    }
    let mut when = begins + dice.below(8);
    for deed in 0..dice.between(1, 3) {
        let asked = match dice.below(4) {
            0 => Asked::Signal { name: dice.one_of(signals) },
            1 => asked(dice),
            _ => Asked::Suspend,
        };
        let whose = Whose::Named { workflow, name: name.to_owned() };
        at(rounds, when).deeds.push(Deed::Asks { whose, asked, id: format!("{workflow} {name}, deed {deed}") });
        when += dice.below(4);
    }
}

/// Staff look at what stands still, and do something about it.
fn help(dice: &mut Dice, deeds: &mut Vec<Deed>, round: usize) {
    for nth in 0..dice.between(2, 6) {
        let which = dice.throw();
        let (whose, usual) = if dice.once_in(2) {
            (Whose::Failing { which }, Asked::Retry)
        } else {
            (Whose::Held { which }, Asked::Resume)
        };
        let asked = if dice.once_in(3) { usual } else { asked(dice) };
        deeds.push(Deed::Asks { whose, asked, id: format!("help {nth} of round {round}") });
    }
}

fn asked(dice: &mut Dice) -> Asked {
    let which = dice.throw();
    match dice.below(10) {
        0..2 => Asked::Retry,
        2..4 => Asked::Resume,
        4..6 => Asked::Cancel,
        6..8 => Asked::Answer { which },
        _ => Asked::Jump { which },
    }
}

/// What goes wrong with workers and their connections.
fn troubles(dice: &mut Dice, deeds: &mut Vec<Deed>) {
    let which = dice.throw();
    match dice.below(12) {
        0 | 1 => deeds.push(Deed::Hire),
        2 => deeds.push(Deed::Dismiss { which }),
        3 => deeds.push(Deed::Kill { which }),
        4 => deeds.push(Deed::EndLease { which }),
        5 | 6 => deeds.push(Deed::CutLines { which, how_many: 1 }),
        7 => deeds.push(Deed::CutLines { which, how_many: 4 }),
        8 => deeds.push(Deed::ClaimAndDie { how_many: i64::try_from(dice.between(1, 6)).unwrap() }),
        _ => {}
    }
}

#[test]
fn a_seed_is_a_plot() {
    assert_eq!(plot(5), plot(5));
    assert_ne!(plot(5), plot(6));
    let rounds = plot(5);
    assert!(rounds.windows(2).all(|pair| pair[0].clock <= pair[1].clock), "the clock never goes back");
    let on_the_grid = |round: &&Round| round.clock.timestamp_micros() % (GRID_S * 1_000_000) == 0;
    assert!(rounds.iter().filter(on_the_grid).count() > 10, "deadlines are met exactly");
}

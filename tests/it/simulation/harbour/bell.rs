//! A bell: hears ticks and tocks in turn, each in the order of arrival, and falls silent at its hour.

use chrono::{DateTime, Utc};
use houbu::engine::{Edge, Effect, RunId, Turn};
use houbu::flow;

use super::{Logbook, Word, letter, project};
use crate::simulation::world::World;

/// One half of a stroke.
pub type Tick = Word;
/// The other.
pub type Tock = Word;

flow! {
    /// A bell, which never acts.
    Bell = "bell";
    state Logbook;
    ports World;
    obligations ;
    emits effects;
    projects project;
    starts Odd;
    ends Silent;
    sample Logbook::sample;

    /// For a tick.
    Odd = odd on Tick until until
        { Ticked -> Even, Over -> Silent }
    /// For a tock.
    Even = even on Tock until until
        { Tocked -> Odd, Over -> Silent }
}

fn until(book: &Logbook) -> DateTime<Utc> {
    book.until
}

fn odd(book: &mut Logbook, _: &Turn, woke: woke::Odd) -> outcome::Odd {
    let (heard, outcome) = match woke {
        woke::Odd::Tick(Word { id }) => (Some(id), outcome::Odd::Ticked),
        woke::Odd::Deadline => (None, outcome::Odd::Over),
    };
    book.wakes("Odd", heard);
    outcome
}

fn even(book: &mut Logbook, _: &Turn, woke: woke::Even) -> outcome::Even {
    let (heard, outcome) = match woke {
        woke::Even::Tock(Word { id }) => (Some(id), outcome::Even::Tocked),
        woke::Even::Deadline => (None, outcome::Even::Over),
    };
    book.wakes("Even", heard);
    outcome
}

fn effects(run: RunId, edge: &Edge, book: &Logbook) -> Vec<Effect> {
    vec![letter(run, edge, book)]
}

//! A leg of a voyage: rides at sea, with rests between them.

use chrono::{DateTime, Utc};
use houbu::engine::{Edge, Effect, Fault, RunId, Turn};
use houbu::flow;

use super::{Logbook, Word, letter, project};
use crate::simulation::chance::Dice;
use crate::simulation::world::World;

/// The most rides of one leg.
const RIDES_MAX: usize = 3;

/// Somebody asks for another ride.
pub type Nudge = Word;
/// Somebody has had enough.
pub type Stop = Word;

flow! {
    /// A leg, which calls a destination with limits.
    Leg = "leg";
    state Logbook;
    ports World;
    obligations ;
    emits effects;
    projects project;
    starts Riding;
    ends Arrived, Sunk;
    sample Logbook::sample;

    /// At sea.
    Riding = riding at sea
        { Rode -> Resting, Sank -> Sunk, Landed -> Arrived }
    /// For another ride or the end.
    Resting = resting on Nudge, Stop until until
        { Nudged -> Riding, Stopped -> Arrived, Rested -> Arrived }
}

fn until(book: &Logbook) -> DateTime<Utc> {
    book.until
}

async fn riding(book: &mut Logbook, turn: &Turn, world: &World) -> Result<outcome::Riding, Fault> {
    world.call(turn, "Riding", book.count()).await?;
    book.acts("Riding");
    book.will_wait(turn, world);
    if book.visits("Riding") >= RIDES_MAX {
        return Ok(outcome::Riding::Landed);
    }
    let sinks = Dice::about(world.seed, &[&book.name, &book.count(), &"sinks"]).once_in(10);
    Ok(if sinks { outcome::Riding::Sank } else { outcome::Riding::Rode })
}

fn resting(book: &mut Logbook, _: &Turn, woke: woke::Resting) -> outcome::Resting {
    let (heard, outcome) = match woke {
        woke::Resting::Nudge(Word { id }) => (Some(id), outcome::Resting::Nudged),
        woke::Resting::Stop(Word { id }) => (Some(id), outcome::Resting::Stopped),
        woke::Resting::Deadline => (None, outcome::Resting::Rested),
    };
    book.wakes("Resting", heard);
    outcome
}

fn effects(run: RunId, edge: &Edge, book: &Logbook) -> Vec<Effect> {
    vec![letter(run, edge, book)]
}

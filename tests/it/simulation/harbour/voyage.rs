//! A voyage: a deposit is pledged, the wind is waited for, legs are sailed, the deposit comes back.

use chrono::{DateTime, Utc};
use houbu::engine::{ChildEnded, Edge, Effect, Fault, Registry, RunId, To, Turn};
use houbu::flow;
use serde_json::json;

use super::{Logbook, Word, bell, id_of, leg, letter, project};
use crate::simulation::chance::Dice;
use crate::simulation::world::World;

/// The most legs of one voyage.
const LEGS_MAX: usize = 3;
/// The most nudges that one voyage hears.
const NUDGES_MAX: usize = 4;

/// The wind is good.
pub type Go = Word;
/// Somebody asks.
pub type Nudge = Word;
/// Somebody has had enough.
pub type Stop = Word;

flow! {
    /// A voyage that owes a deposit from its beginning to its end.
    Voyage = "voyage";
    state Logbook;
    ports World;
    obligations Deposit;
    emits effects;
    projects project;
    starts Pledging;
    ends Home, Refused;
    sample Logbook::sample;
    cancels Returning;

    /// Takes a deposit.
    Pledging = pledging
        { Taken + Deposit -> Waiting, Refused -> Refused }
    /// For the wind.
    Waiting = waiting on Go, Nudge, Stop until until
        { Went -> Sending, Nudged -> Waiting, Stopped -> Returning, Late -> Returning }
    /// Sends a leg out.
    Sending = sending priority Urgent
        { Sent -> Away }
    /// For the leg's ending.
    Away = away on ChildEnded, Stop until until
        { Back -> Returning, Again -> Sending, Stopped -> Returning, Missing -> Returning }
    /// Gives the deposit back.
    Returning = returning priority Bulk
        { Returned - Deposit -> Home }
}

fn until(book: &Logbook) -> DateTime<Utc> {
    book.until
}

async fn pledging(book: &mut Logbook, turn: &Turn, world: &World) -> Result<outcome::Pledging, Fault> {
    world.call(turn, "Pledging", book.count()).await?;
    book.acts("Pledging");
    book.will_wait(turn, world);
    let refused = Dice::about(world.seed, &[&book.name, &"refused"]).once_in(12);
    Ok(if refused { outcome::Pledging::Refused } else { outcome::Pledging::Taken })
}

fn waiting(book: &mut Logbook, _: &Turn, woke: woke::Waiting) -> outcome::Waiting {
    let asks_on = book.visits("Waiting") < NUDGES_MAX;
    let (heard, outcome) = match woke {
        woke::Waiting::Nudge(Word { id }) if asks_on => (Some(id), outcome::Waiting::Nudged),
        woke::Waiting::Go(Word { id }) | woke::Waiting::Nudge(Word { id }) => (Some(id), outcome::Waiting::Went),
        woke::Waiting::Stop(Word { id }) => (Some(id), outcome::Waiting::Stopped),
        woke::Waiting::Deadline => (None, outcome::Waiting::Late),
    };
    book.wakes("Waiting", heard);
    outcome
}

async fn sending(book: &mut Logbook, turn: &Turn, world: &World) -> Result<outcome::Sending, Fault> {
    world.call(turn, "Sending", book.count()).await?;
    book.acts("Sending");
    book.will_wait(turn, world);
    Ok(outcome::Sending::Sent)
}

fn away(book: &mut Logbook, _: &Turn, woke: woke::Away) -> outcome::Away {
    let more = book.visits("Sending") < LEGS_MAX && book.name.len().is_multiple_of(2);
    let (heard, outcome) = match woke {
        woke::Away::ChildEnded(child) if more => (Some(format!("ended:{}", child.run)), outcome::Away::Again),
        woke::Away::ChildEnded(child) => (Some(format!("ended:{}", child.run)), outcome::Away::Back),
        woke::Away::Stop(Word { id }) => (Some(id), outcome::Away::Stopped),
        woke::Away::Deadline => (None, outcome::Away::Missing),
    };
    book.wakes("Away", heard);
    outcome
}

async fn returning(book: &mut Logbook, turn: &Turn, world: &World) -> Result<outcome::Returning, Fault> {
    world.call(turn, "Returning", book.count()).await?;
    book.acts("Returning");
    Ok(outcome::Returning::Returned)
}

fn effects(run: RunId, edge: &Edge, book: &Logbook) -> Vec<Effect> {
    let mut effects = vec![letter(run, edge, book)];
    match edge.outcome {
        Some("Sent") => {
            let name = leg_of(&book.name, book.visits("Sending"));
            let state = Logbook::new(&name, book.until);
            let new = Registry::new_run::<leg::Leg>(id_of("leg", &name), name, "Riding", &state).unwrap();
            effects.push(Effect::Start(new.child_of(run, "ChildEnded")));
        }
        // Whoever comes home rings a bell, which may be there, not yet, or not any more.
        Some("Returned") => effects.push(Effect::Signal {
            to: To::Key { workflow: bell::Bell::NAME, key: bell_of(&book.name) },
            name: "Tick",
            id: format!("{run}:home"),
            payload: json!({ "id": format!("{run}:home") }),
        }),
        _ => {}
    }
    effects
}

/// The name of a voyage's nth leg.
pub fn leg_of(voyage: &str, nth: usize) -> String {
    format!("{voyage}/{nth}")
}

/// The bell that a voyage rings.
pub fn bell_of(voyage: &str) -> String {
    format!("b{}", Dice::about(0, &[&voyage]).below(super::super::plot::BELLS))
}

//! The systems outside as staff see them: how they stand, what waits for them, and the switch that pauses one.

use super::{Answer, Desk, DeskError};
use crate::engine::store::switch::{self, Event, Standing, Switched};
use crate::waitlist::refusal::Refusal;

/// Events that are shown of one destination.
const EVENTS_MAX: i64 = 100;

/// A destination with what waits for it.
#[derive(Debug, Clone)]
pub struct Destination {
    /// How it stands.
    pub stands: Standing,
    /// Due runs that nobody has in hand.
    pub runs_waiting: i64,
    /// Due letters that nobody has in hand.
    pub letters_waiting: i64,
}

/// What a person does with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Nothing is sent there.
    Pause,
    /// Things are sent there again.
    Resume,
}

impl Desk {
    /// Every destination that a worker has ever had.
    pub async fn destinations(&self) -> Answer<Vec<Destination>> {
        let standings = switch::standings(&self.engine.pool, self.hospital()).await?;
        let waiting = switch::waiting(&self.engine.pool, self.hospital()).await?;
        let found = standings.into_iter().map(|stands| {
            let waits = waiting.iter().find(|(name, ..)| *name == stands.name);
            let (runs_waiting, letters_waiting) = waits.map_or((0, 0), |(_, runs, letters)| (*runs, *letters));
            Destination { stands, runs_waiting, letters_waiting }
        });
        Ok(found.collect())
    }

    /// One destination and what became of it, newest first.
    pub async fn destination(&self, name: &str) -> Answer<(Destination, Vec<Event>)> {
        let found = self.destinations().await?.into_iter().find(|one| one.stands.name == name);
        let found = found.ok_or(Refusal::NotFound)?;
        let events = switch::events(&self.engine.pool, self.hospital(), name, EVENTS_MAX).await?;
        Ok((found, events))
    }

    /// Pauses or resumes a destination. `who` and `reason` stand in its events.
    pub async fn switch_destination(&self, name: &str, to: Switch, who: &str, reason: &str) -> Answer<()> {
        let (pool, hospital) = (&self.engine.pool, self.hospital());
        let switched = match to {
            Switch::Pause => switch::pause(pool, hospital, name, who, reason).await?,
            Switch::Resume => switch::resume(pool, hospital, name, who, reason).await?,
        };
        match (switched, to) {
            (Switched::Done, _) => {
                tracing::warn!(destination = name, who, switch = ?to, "a person used a destination's switch");
                self.engine.hint_switch();
                self.engine.hint();
                Ok(())
            }
            (Switched::Already, Switch::Pause) => Err(DeskError::AlreadyPaused),
            (Switched::Already, Switch::Resume) => Err(DeskError::NotPaused),
            (Switched::NoDestination, _) => Err(Refusal::NotFound.into()),
        }
    }
}

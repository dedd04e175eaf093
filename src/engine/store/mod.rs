//! Every statement on runs: `start` and `signal` for whoever is at the door, `claim` for workers, `turns` for commits,
//! `letters` for the outbox, `destinations` for limits, `switch` for staff who look at them, `staff`, `audit` and `bulk` for
//! people, `bulk_sets` for what a bulk holds; `unmatched` keeps signals whose run there is not; `archive` and `months` keep the past readable
//! and small; `lists` finds runs, `jobs` starts them by the clock, `survey` looks at the whole, `moved` at what is not as before; `crew` is between workers of
//! different releases; `trouble`
//! reads errors.
//!
//! Lock order, so that no two transactions wait for each other: rows of `run` first, in the order of their ids, then
//! whatever a workflow's projection locks.

pub mod archive;
pub mod audit;
pub mod bulk;
pub mod bulk_sets;
pub mod claim;
pub mod crew;
pub mod destinations;
pub mod jobs;
pub mod letters;
pub mod lists;
pub mod months;
pub mod moved;
pub mod reopen;
pub mod signal;
pub mod staff;
pub mod start;
pub mod survey;
pub mod switch;
pub mod trouble;
pub mod turns;
pub mod unmatched;

use sqlx::PgConnection;

use super::RunId;
use super::flow::{Effect, NewRun};
pub use signal::{Outgoing, Signalled, hold, signal};
pub use start::{Started, start, start_all, start_decided, start_held};

/// Writes what moves caused outside their runs: signals, letters, new runs, and what those cause in turn.
pub async fn write_effects(conn: &mut PgConnection, tenant: &str, effects: Vec<(RunId, Effect)>) -> sqlx::Result<()> {
    let mut effects = effects;
    while !effects.is_empty() {
        let (mut signals, mut letters, mut starts) = (Vec::new(), Vec::new(), Vec::<NewRun>::new());
        for (run, effect) in effects.drain(..) {
            match effect {
                Effect::Signal { to, name, id, payload } => {
                    signals.push(Outgoing { to, name: name.into(), id, payload });
                }
                Effect::Tell(letter) => letters.push((run, letter)),
                Effect::Start(new) => starts.push(new),
            }
        }
        letters::write(conn, tenant, &letters).await?;
        let caused: Vec<Vec<Effect>> = starts.iter_mut().map(|new| std::mem::take(&mut new.effects)).collect();
        for (started, caused) in start::insert(conn, tenant, &starts).await?.into_iter().zip(caused) {
            if started.new {
                effects.extend(caused.into_iter().map(|effect| (started.id, effect)));
            }
        }
        let _ = signal::deliver(conn, tenant, &signals).await?;
    }
    Ok(())
}

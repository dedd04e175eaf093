//! The roof's stage: one realistic hospital day against the whole program, by moving the engine's clock.
//!
//! Everything goes through the front doors: the JSON API as the hospital's backend services call it, HIS, payer and
//! message platform as the sandbox's servers. Our own tables are read afterwards, for the books check and the summary.
//! No simulated time is slept.
//!
//! | file | job |
//! |---|---|
//! | `world` | the hospital: campuses, departments, doctors, schedules, settings |
//! | `people` | who works there and who comes |
//! | `chance` | every decision, from the seed |
//! | `plan` | what happens when, made in advance |
//! | `agenda` | what is still to happen |
//! | `setting` | puts the hospital into HIS and Houbu |
//! | `api` | Houbu's API as its callers see it |
//! | `traffic` | does what the agenda says |
//! | `patients` | what people do about the messages they get |
//! | `clock` | from one instant to the next, once everything has come to rest |
//! | `books` | our books, HIS's and the payer's, record by record |
//! | `figures`, `summary` | what the day came to |

mod agenda;
mod api;
pub mod books;
mod chance;
mod clock;
mod figures;
mod patients;
mod people;
mod plan;
mod setting;
mod summary;
mod traffic;
mod world;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use sqlx::PgPool;

use crate::engine::Engine;
use crate::sandbox::faults::Level;
use crate::sandbox::his::HisServer;
use crate::sandbox::wechat_messages::MessageServer;
use crate::sandbox::wechat_pay::PayServer;

pub use books::{Difference, check_books, check_stored_books};
pub use summary::Summary;
pub use world::A_DEPARTMENT;

/// Moves the sandbox's clock.
pub type SetClock = Arc<dyn Fn(DateTime<Utc>) + Send + Sync>;

/// The running program and the world around it.
pub struct Stage {
    /// Whose clock is moved; a worker runs on it.
    pub engine: Arc<Engine>,
    /// The database of both.
    pub pool: PgPool,
    /// The hospital, which is the engine's tenant.
    pub hospital: String,
    /// Its time zone.
    pub tz: Tz,
    /// The API's base address, for example `http://127.0.0.1:8080`.
    pub api: String,
    /// A key that may do everything.
    pub api_key: String,
    /// The simulated HIS; it knows where to push.
    pub his: HisServer,
    /// The simulated payer.
    pub pay: PayServer,
    /// The simulated message platform.
    pub messages: MessageServer,
    /// Moves the clock that the three share.
    pub set_clock: SetClock,
}

/// What is to be played.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// The seed of all traffic.
    pub seed: u64,
    /// How much goes wrong, for the summary: the sandbox was started with it.
    pub faults: Level,
    /// The day; the play goes on until 08:00 two days later.
    pub day: NaiveDate,
    /// Show a progress bar on standard error, if that is a terminal.
    pub progress: bool,
}

/// Sets the hospital up and plays the day. The database has no day of this seed and date yet; the engine's clock stands
/// at the end of the play afterwards.
pub async fn play(stage: &Stage, script: &Script) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let world = world::World::new(script.seed, script.day);
    let plan = plan::Plan::new(script.seed, script.day, stage.tz, &world);
    let api = api::Api::new(&stage.api, &stage.api_key)?;
    let mut day = traffic::Play::new(stage, script, &world, &api, plan);
    clock::move_to(stage, day.begins).await?;
    setting::set_up(stage, script.seed, &world, &api).await?;
    let set_up = began.elapsed();
    let steps = clock::run(&mut day).await?;
    let troubles = api.troubles();
    let figures = figures::Figures::read(stage).await?;
    tracing::debug!(set_up_ms = set_up.as_millis(), all_ms = began.elapsed().as_millis(), steps, "played");
    Ok(Summary::new(script, day.tally(), figures, troubles, steps, began.elapsed()))
}

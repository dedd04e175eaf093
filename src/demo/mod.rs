//! The roof's stage: realistic hospital days, one or several, against the whole program, by moving the engine's clock.
//!
//! Everything goes through the front doors: the JSON API as the hospital's backend services call it, HIS, payer,
//! message platform and SMS gateway as the sandbox's servers. Our own tables are read afterwards, for the books check and the
//! summary.
//! No simulated time is slept.
//!
//! | file | job |
//! |---|---|
//! | `world` | the hospital: campuses, departments, doctors, schedules, settings |
//! | `people` | who works there and who comes |
//! | `chance` | every decision, from the seed |
//! | `plan` | what happens when, made in advance |
//! | `scenes` | what a day shows on purpose, beside its traffic |
//! | `agenda` | what is still to happen |
//! | `setting` | puts the hospital into HIS and Houbu |
//! | `api` | Houbu's API as its callers see it |
//! | `traffic` | does what the agenda says |
//! | `deeds` | does what the scenes say |
//! | `patients` | what people do about the messages they get |
//! | `clock` | from one instant to the next, once everything has come to rest |
//! | `books` | our books, HIS's and the payer's, record by record |
//! | `kpis` | the API's figures against what the script counted |
//! | `held` | what a day has to hold, and how often it did |
//! | `figures`, `offers`, `summary` | what it came to |

mod agenda;
mod api;
pub mod books;
mod chance;
mod clock;
mod deeds;
mod figures;
mod held;
mod kpis;
mod offers;
mod patients;
mod people;
mod plan;
mod scenes;
mod setting;
mod summary;
mod traffic;
mod world;

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use sqlx::PgPool;

use crate::engine::Engine;
use crate::sandbox::faults::Level;
use crate::sandbox::his::HisServer;
use crate::sandbox::wechat_messages::MessageServer;
use crate::sandbox::wechat_pay::PayServer;

pub use books::{Difference, check_books, check_stored_books};
pub use held::Line;
pub use summary::{PlayedDay, Summary};
pub use world::{A_DEPARTMENT, Size};

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
    /// The first day.
    pub day: NaiveDate,
    /// How many days, one after the other; the play goes on until 08:00 two days after the last one.
    pub days: u32,
    /// How much happens on each.
    pub size: Size,
    /// Show a progress bar on standard error, if that is a terminal, and a line there after each of several days.
    pub progress: bool,
}

/// Before a day begins, the one before it is looked at.
const BEFORE_A_DAY: TimeDelta = TimeDelta::minutes(2);

/// Sets the hospital up and plays the days, comparing all books after each. The database has no day of this seed and date yet;
/// the engine's clock stands at the end of the play afterwards.
pub async fn play(stage: &Stage, script: &Script) -> anyhow::Result<Summary> {
    let began = Instant::now();
    let world = world::World::new(script.seed, script.day, script.days, script.size);
    let api = api::Api::new(&stage.api, &stage.api_key)?;
    let days: Vec<plan::Day> = (0..script.days)
        .map(|nth| {
            let date = script.day + Days::new(nth.into());
            plan::Day { seed: script.seed, nth, date, tz: stage.tz }
        })
        .collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { anyhow::bail!("there is no day to play") };
    let (mut now, ends) = (first.begins(), last.ends());
    let mut play = traffic::Play::new(stage, script, &world, &api, (now, ends));
    let bar = clock::bar(&play);
    clock::move_to(stage, now).await?;
    setting::set_up(stage, script.seed, &world, &api).await?;
    let set_up = began.elapsed();
    let (mut steps, mut played) = (1, Vec::new());
    for day in &days {
        let (tally, began) = (play.tally(), Instant::now());
        setting::begin_day(stage, &world, &api, day.nth, day.date).await?;
        play.plan(plan::Plan::new(*day, &world, play.applications.len()));
        let until = days.get(played.len() + 1).map_or(ends, |next| next.begins() - BEFORE_A_DAY);
        let (at, instants) = clock::run(&mut play, now, until, &bar).await?;
        (now, steps) = (at, steps + instants);
        let differences = check_books(&stage.pool, &stage.hospital, &stage.his, &stage.pay, &stage.messages).await?;
        let one = PlayedDay::new(day.date, &tally, &play.tally(), differences, began.elapsed());
        if script.progress && script.days > 1 {
            bar.suspend(|| eprintln!("{one}"));
        }
        played.push(one);
    }
    bar.finish_and_clear();
    let figures = figures::Figures::read(stage).await?;
    kpis::compare(&play, &figures).await;
    play.looks_for_open_cases().await;
    let troubles = api.troubles();
    tracing::debug!(set_up_ms = set_up.as_millis(), all_ms = began.elapsed().as_millis(), steps, "played");
    Ok(Summary::new(script, play.tally(), figures, troubles, played, steps, began.elapsed()))
}

/// Every name, document number, phone and receiver of the people in a play, for whoever looks where they went.
pub fn people_of(script: &Script) -> Vec<[String; 4]> {
    let world = world::World::new(script.seed, script.day, script.days, script.size);
    let of = |it: &people::Patient| [it.name.clone(), it.id_number.clone(), it.phone.clone(), it.openid.clone()];
    let child = |it: &people::Patient| {
        let id_number = people::childs_number(&it.id_number, script.day);
        of(&people::Patient { id_number, ..it.clone() })
    };
    world.patients.iter().map(of).chain(world.patients.get(world.cast(0, 0)).map(child)).collect()
}

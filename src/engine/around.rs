//! What holds a run up besides itself: who works, what can be called, what time it is. Read once, for as many runs as are
//! looked at.

use chrono::{DateTime, Utc};

use super::clock;
use super::core::Engine;
use super::held_up::held_up;
use super::inspect::{self, Seen, UNRUNNABLE, Why};
use super::preflight::{self, Crew, Knows, Runnable};
use super::store::switch::{self, Standing};

/// See the module.
#[derive(Debug, Clone)]
pub struct Around {
    ours: Knows,
    crew: Crew,
    destinations: Vec<Standing>,
    now: DateTime<Utc>,
}

impl Around {
    /// As it is now.
    pub async fn look(engine: &Engine) -> sqlx::Result<Self> {
        let (pool, tenant) = (&engine.pool, engine.tenant.as_str());
        Ok(Self {
            ours: engine.registry.knows(),
            crew: preflight::crew(pool, tenant).await?,
            destinations: switch::standings(pool, tenant).await?,
            now: clock::now(pool).await?,
        })
    }

    /// Every `workflow/step` that can be run.
    pub fn runnable(&self) -> Vec<String> {
        self.crew.steps(&self.ours)
    }

    /// Why a run is not moving.
    pub fn why(&self, run: &Seen) -> Why {
        let runnable = self.crew.runs(&self.ours, &run.workflow, &run.step);
        let held_up = if runnable == Runnable::Yes { held_up(run, &self.destinations, self.now) } else { None };
        held_up.unwrap_or_else(|| inspect::why(run, runnable, self.now))
    }

    /// The status in which people see a run.
    pub fn status<'a>(&self, run: &'a Seen) -> &'a str {
        if matches!(self.why(run), Why::Unrunnable { .. }) { UNRUNNABLE } else { &run.status }
    }
}

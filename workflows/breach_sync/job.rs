//! When breaches are pulled: once a day, for the days before.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Days;
use chrono_tz::Tz;
use sqlx::PgConnection;

use super::{BreachSync, Pull, Step};
use crate::engine::cron::Cron;
use crate::engine::jobs::{Job, Missed, Overlap, Plan, Starter, Tick};
use crate::engine::{Fault, NewRun, Registry, RetryPolicy, RunId};

/// So many days before a tick are pulled: the last one for the first time, the others for corrections.
const DAYS_BACK: u64 = 7;

/// Pulls at each tick the seven days before it. A tick that was missed is made up.
pub fn job(cron: Cron, tz: Tz) -> Job {
    Job {
        name: BreachSync::NAME,
        workflow: BreachSync::NAME,
        plan: Plan { cron, missed: Missed::All, jitter: Duration::ZERO },
        overlap: Overlap::Skip,
        retry: RetryPolicy::PATIENT,
        starter: Arc::new(DaysBefore(tz)),
    }
}

struct DaysBefore(Tz);

#[async_trait]
impl Starter for DaysBefore {
    async fn runs(&self, _: &mut PgConnection, _: &str, tick: &Tick) -> Result<Vec<NewRun>, Fault> {
        let today = tick.at.with_timezone(&self.0).date_naive();
        let days = (1..=DAYS_BACK).filter_map(|back| today.checked_sub_days(Days::new(back)));
        days.map(|day| {
            Registry::new_run::<BreachSync>(RunId::now_v7(), day.to_string(), Step::Pulling.name(), &Pull::of(day))
        })
        .collect()
    }
}

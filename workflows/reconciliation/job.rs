//! When a day is reconciled: once a day, the day before; a day that was missed is made up.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use sqlx::PgConnection;

use super::{Reconciliation, new_run};
use crate::engine::cron::Cron;
use crate::engine::jobs::{Job, Missed, Overlap, Plan, Starter, Tick};
use crate::engine::{Fault, NewRun, RetryPolicy};

/// Reconciles at each tick the day before it, and every day whose tick was missed.
pub fn job(cron: Cron, tz: Tz) -> Job {
    Job {
        name: Reconciliation::NAME,
        workflow: Reconciliation::NAME,
        plan: Plan { cron, missed: Missed::All, jitter: Duration::ZERO },
        overlap: Overlap::Skip,
        retry: RetryPolicy::PATIENT,
        starter: Arc::new(Yesterday(tz)),
    }
}

struct Yesterday(Tz);

#[async_trait]
impl Starter for Yesterday {
    async fn runs(&self, _: &mut PgConnection, _: &str, tick: &Tick) -> Result<Vec<NewRun>, Fault> {
        let today = tick.at.with_timezone(&self.0).date_naive();
        let yesterday = today.pred_opt().unwrap_or(today);
        Ok(vec![new_run(yesterday.to_string(), yesterday)?])
    }
}

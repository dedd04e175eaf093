//! When departments are pulled.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::{ScheduleSync, new_run};
use crate::engine::cron::Cron;
use crate::engine::jobs::{Job, Missed, Overlap, Plan, Starter, Tick};
use crate::engine::{Fault, NewRun, RetryPolicy};
use crate::records::schedules;
use crate::workflows::unread;

/// Pulls every department at each tick of `cron`. Ticks that were missed are made up by one pull, which sees all that has
/// come free meanwhile; a department whose earlier pull still waits for HIS is left to that.
pub fn job(cron: Cron) -> Job {
    Job {
        name: ScheduleSync::NAME,
        workflow: ScheduleSync::NAME,
        plan: Plan { cron, missed: Missed::One, jitter: Duration::ZERO },
        overlap: Overlap::Skip,
        retry: RetryPolicy::PATIENT,
        starter: Arc::new(EachDepartment),
    }
}

struct EachDepartment;

#[async_trait]
impl Starter for EachDepartment {
    async fn runs(&self, conn: &mut PgConnection, hospital: &str, tick: &Tick) -> Result<Vec<NewRun>, Fault> {
        let departments = schedules::departments(conn, hospital).await.map_err(unread)?;
        departments.iter().map(|department| new_run(department, tick.at)).collect()
    }
}

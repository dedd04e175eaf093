//! One run a tick and department: pulls its schedules from HIS, so that a place which nobody pushed is found (R14: 约满 →
//! 可约, 加号), and a 停诊, 替诊 or 改诊 whose push was lost. The job of the same name starts it.

mod job;
mod pulling;
mod state;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Ports;
use crate::engine::{Edge, Effect, Fault, NewRun, Projected, Registry, RunId, To, store};
use crate::flow;
use crate::workflows::slot_release::SlotRelease;
pub use job::job;
use pulling::{ask_again, pulling, resting};
pub use state::{Department, PullNow};

flow! {
    /// Keeps one department's schedules in step with HIS. What it finds is a hint: `slot_release` asks again.
    ScheduleSync = "schedule_sync";
    state Department;
    ports Ports;
    obligations ;
    emits effects;
    projects project;
    starts Pulling;
    ends Synced, Retired;
    quiet Synced, Retired;

    /// HIS was away: waits a little before it is asked again.
    Resting = resting on PullNow until ask_again
        { Due -> Pulling, Retired -> Retired }
    /// Asks HIS for every schedule of the next days (2003).
    Pulling = pulling at his priority Bulk
        { Pulled -> Synced, Away -> Resting }
}

fn effects(_: RunId, edge: &Edge, department: &Department) -> Vec<Effect> {
    if edge.outcome != Some("Pulled") {
        return Vec::new();
    }
    let at = department.pulled_at.map_or(0, |at| at.timestamp());
    let freed = department.freed.iter().map(|schedule_id| Effect::Signal {
        to: To::Key { workflow: SlotRelease::NAME, key: schedule_id.clone() },
        name: "Freed",
        id: format!("sync:{schedule_id}:{at}"),
        payload: serde_json::json!({ "source": "sync" }),
    });
    let stopped = department.stopped.iter().map(|schedule_id| Effect::Signal {
        to: To::Key { workflow: SlotRelease::NAME, key: schedule_id.clone() },
        name: "Stoppage",
        id: format!("stop:{schedule_id}"),
        payload: serde_json::json!({}),
    });
    let changed = department.changed.iter().flat_map(|untold| {
        untold.signals().map(|(to, id, payload)| Effect::Signal { to, name: "Change", id, payload })
    });
    freed.chain(stopped).chain(changed).collect()
}

/// The schedules themselves are HIS's truth and are written where they are read, in `pulling`.
async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Department>]) -> sqlx::Result<()> {
    Ok(())
}

/// A department that is new is pulled at once; one that was pulled before is left to the job.
pub async fn start(conn: &mut PgConnection, hospital: &str, department: &str) -> sqlx::Result<()> {
    let now = crate::engine::clock::now(&mut *conn).await?;
    let new = new_run(department, now).map_err(|fault| sqlx::Error::Protocol(fault.to_string()))?;
    store::start(conn, hospital, new).await.map(drop)
}

/// A run that pulls a department at once. Its key is the department's id.
fn new_run(department: &str, now: DateTime<Utc>) -> Result<NewRun, Fault> {
    let state = Department {
        id: department.to_owned(),
        pulled_at: None,
        next_at: now,
        freed: Vec::new(),
        stopped: Vec::new(),
        changed: Vec::new(),
    };
    Registry::new_run::<ScheduleSync>(RunId::now_v7(), department.to_owned(), Step::Pulling.name(), &state)
}

//! One run a department: pulls its schedules from HIS at every tick, so that a place which nobody pushed is found
//! (R14: 约满 → 可约, 加号), and a 停诊 whose push was lost.

mod pulling;
mod state;

use sqlx::PgConnection;

use super::Ports;
use crate::engine::{Edge, Effect, Projected, Registry, RunId, To, store};
use crate::flow;
use crate::workflows::slot_release::SlotRelease;
use pulling::{next_tick, pulling, resting};
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
    ends Retired;
    quiet Retired;

    /// Waits for the next tick.
    Resting = resting on PullNow until next_tick
        { Due -> Pulling, Retired -> Retired }
    /// Asks HIS for every schedule of the next days (2003).
    Pulling = pulling at his priority Bulk
        { Pulled -> Resting, Away -> Resting }
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
    freed.chain(stopped).collect()
}

/// The schedules themselves are HIS's truth and are written where they are read, in `pulling`.
async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Department>]) -> sqlx::Result<()> {
    Ok(())
}

/// Starts one run a department that has none yet; its first pull is due at once.
pub async fn start(pool: &sqlx::PgPool, hospital: &str, departments: &[String]) -> sqlx::Result<()> {
    let now = crate::engine::clock::now(pool).await?;
    for id in departments {
        let state =
            Department { id: id.clone(), pulled_at: None, next_at: now, freed: Vec::new(), stopped: Vec::new() };
        let new = Registry::new_run::<ScheduleSync>(RunId::now_v7(), id.clone(), Step::Pulling.name(), &state)
            .map_err(|fault| sqlx::Error::Protocol(fault.to_string()))?;
        let mut tx = pool.begin().await?;
        store::start(&mut tx, hospital, new).await?;
        tx.commit().await?;
    }
    Ok(())
}

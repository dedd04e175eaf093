//! What a verb changes, and how that is written: as a worker's turn is, with its effects and the workflow's own tables.

use serde_json::Value;
use sqlx::PgConnection;
use std::time::Duration;

use super::super::commit;
use super::super::core::Engine;
use super::super::flow::{ChildEnded, Edge, Fault};
use super::super::registry::Mounted;
use super::super::store::staff::{self, Standing, Stands};
use super::super::store::turns::{Came, Done, Move, Rest};
use super::super::store::{Outgoing, signal};
use super::super::table::{Chosen, Priority, StepRow};
use super::{By, Refused};

/// What a verb changes.
#[derive(Debug)]
pub(super) enum Change {
    /// The run stays at its step and stands there differently.
    Stands {
        /// How.
        so: Stands,
        /// What its history says.
        did: &'static str,
    },
    /// It goes to another step, or to an ending.
    Moves {
        /// The turn.
        done: Box<Done>,
        /// True where the next step asks before it calls, since somebody may have called already.
        looks_first: bool,
    },
    /// It ends where it stands.
    Ends,
    /// A signal comes into its inbox.
    Signals(Box<Outgoing>),
    /// The same, while nothing is sent yet: the answer to "could it?".
    Hears,
}

/// A move that a person makes.
pub(super) struct Moving {
    /// The step that is left, for the history.
    pub(super) step: &'static str,
    /// What the workflow's effects are asked about.
    pub(super) edge: Edge,
    /// What the history says of it.
    pub(super) chosen: Chosen,
    /// What the run knows from here on.
    pub(super) state: Value,
    /// What it owes from here on.
    pub(super) owes: Vec<String>,
    /// True where the next step asks before it calls, since somebody may have called already.
    pub(super) looks_first: bool,
    /// Who, and why.
    pub(super) said: String,
}

/// The move as a turn. Its fence is closed only when it is written.
pub(super) fn move_to(mounted: &dyn Mounted, run: &Standing, moving: Moving) -> Result<Change, Refused> {
    let table = mounted.table();
    let to = moving.chosen.next;
    let next = table.step(to);
    let lacks = mounted.lacks(to, &moving.state).map_err(unreadable)?;
    if !lacks.is_empty() {
        let lacks = lacks.into_iter().map(str::to_owned).collect();
        return Err(Refused::Lacks { step: to.to_owned(), lacks });
    }
    let until = mounted.until(to, &moving.state).map_err(unreadable)?;
    let effects = mounted.effects(run.id, &moving.edge, &moving.state).map_err(unreadable)?;
    let rest = match (next, until) {
        (None, _) => Rest::Ended,
        // Signals that it has received already are looked at at once.
        (Some(row), Some(until)) if !hears_any(row, &run.unread) => Rest::Waits { until, hears: row.hears },
        (Some(_), _) => Rest::Queues,
    };
    let done = Done {
        run: run.id,
        workflow: table.name,
        generation: run.generation,
        turn: run.turn,
        attempt: run.attempt,
        seen: run.signal_count,
        step: moving.step,
        took: Duration::ZERO,
        result: Came::Moved(Box::new(Move {
            chosen: moving.chosen,
            state: moving.state,
            woke: Some("staff".to_owned()),
            // The run is locked: nothing arrives unseen but what this very transaction sends.
            by_signals: false,
            heard: None,
            absorbed: Vec::new(),
            rest,
            effects,
            lane: next.map_or("", StepRow::lane_stored),
            priority: next.map_or(Priority::Normal, |row| row.priority),
            owes: moving.owes,
            parent: if next.is_none() { run.parent } else { None },
            said: Some(moving.said),
        })),
    };
    Ok(Change::Moves { done: Box::new(done), looks_first: moving.looks_first })
}

fn hears_any(row: &StepRow, unread: &[String]) -> bool {
    unread.iter().any(|name| row.hears.contains(&name.as_str()))
}

/// How a parent hears that this run was cancelled where it stood.
fn report(run: &Standing) -> Option<Outgoing> {
    let (parent, signal) = (run.parent?, run.reports.clone()?);
    let (workflow, key, ending) = (run.workflow.clone(), run.key.clone(), run.step.clone());
    Some(ChildEnded { run: run.id, workflow, key, ending, cancelled: true }.signal(parent, signal))
}

/// What the run knows with `patch` merged into it (RFC 7396). What results must be readable, or the run would stop.
pub(super) fn patched(mounted: &dyn Mounted, run: &Standing, patch: Option<&Value>) -> Result<Value, Refused> {
    let mut state = run.state.clone();
    if let Some(patch) = patch {
        merge(&mut state, patch);
    }
    // Any step's deadline is computed from a state that was read.
    let step = mounted.table().steps.first().map_or("", |row| row.name);
    mounted.until(step, &state).map_err(unreadable)?;
    Ok(state)
}

fn unreadable(fault: Fault) -> Refused {
    Refused::StateUnreadable { why: fault.to_string() }
}

/// RFC 7396: objects are merged, null removes, anything else replaces.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        patch.clone_into(into);
        return;
    };
    if !into.is_object() {
        *into = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = into.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Writes a change to a run that is locked.
pub(super) async fn write(
    engine: &Engine,
    conn: &mut PgConnection,
    run: &Standing,
    by: &By,
    change: Change,
) -> sqlx::Result<()> {
    let tenant = &engine.tenant;
    match change {
        Change::Stands { so, did } => {
            staff::tell(conn, tenant, run, did, &by.said()).await?;
            staff::stand(conn, tenant, run.id, &so).await
        }
        Change::Moves { mut done, looks_first } => {
            done.generation = staff::take(conn, tenant, run.id).await?;
            let held = commit::write(engine, conn, std::slice::from_ref(&*done)).await?;
            if !held.contains_key(&done.fence()) {
                return Err(sqlx::Error::Protocol(format!("the run {} was locked and moved all the same", run.id)));
            }
            if looks_first {
                staff::look_first(conn, tenant, run.id).await?;
            }
            Ok(())
        }
        Change::Ends => {
            staff::tell(conn, tenant, run, "cancelled", &by.said()).await?;
            staff::end(conn, tenant, run.id).await?;
            signal::deliver(conn, tenant, report(run).as_slice()).await.map(drop)
        }
        Change::Signals(sent) => signal::deliver(conn, tenant, &[*sent]).await.map(drop),
        Change::Hears => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_merges_replaces_and_removes() {
        let mut state = json!({ "a": { "b": 1, "c": 2 }, "d": [1] });
        merge(&mut state, &json!({ "a": { "b": null, "e": { "f": 3, "g": null } }, "d": "x" }));
        assert_eq!(state, json!({ "a": { "c": 2, "e": { "f": 3 } }, "d": "x" }));
        merge(&mut state, &json!("whole"));
        assert_eq!(state, json!("whole"));
    }
}

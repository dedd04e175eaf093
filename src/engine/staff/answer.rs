//! Answer: a person says what the present step came to. The table then says, as for the step's own handler, what is
//! owed and where the run goes; what it knows can be changed in the same deed.

use serde_json::Value;

use super::super::flow::Edge;
use super::super::obligations::{Owed, safe_from, safe_places};
use super::super::registry::Mounted;
use super::super::store::staff::Standing;
use super::super::table::Chosen;
use super::change::{Change, Moving, move_to, patched};
use super::{By, Refused, at_rest};

pub(super) fn decide(
    mounted: &dyn Mounted,
    run: &Standing,
    by: &By,
    outcome: &str,
    patch: Option<&Value>,
) -> Result<Change, Refused> {
    at_rest(run)?;
    let table = mounted.table();
    let row = table.step(&run.step).ok_or_else(|| Refused::UnknownStep {
        step: run.step.clone(),
        steps: table.steps.iter().map(|row| row.name.to_owned()).collect(),
    })?;
    let outcome = row.outcomes.iter().find(|one| one.name == outcome).ok_or_else(|| Refused::NotAnOutcome {
        step: run.step.clone(),
        outcome: outcome.to_owned(),
        outcomes: row.outcomes.iter().map(|one| one.name.to_owned()).collect(),
    })?;
    // Whoever answers says what happened, so what the step may have opened besides is not thought open.
    let open = row.owed_after(&run.owes, outcome.name);
    let owed: Owed = open.iter().cloned().collect();
    if !safe_from(table, outcome.next, &owed) {
        let instead = safe_places(table, &owed).into_iter().map(str::to_owned).collect();
        return Err(Refused::WouldStrand { owed: open, instead });
    }
    let state = patched(mounted, run, patch)?;
    let moving = Moving {
        step: row.name,
        edge: Edge { from: Some(row.name), outcome: Some(outcome.name), to: outcome.next },
        chosen: Chosen { outcome: outcome.name, next: outcome.next },
        state,
        owes: open,
        looks_first: false,
        said: by.said(),
    };
    move_to(mounted, run, moving)
}

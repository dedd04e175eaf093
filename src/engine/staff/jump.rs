//! Jump: the run goes on at another step or ending, wherever the table would have led it.
//!
//! Whatever is owed, or may be because the step that is left has called out, stays owed. A jump after which a path of
//! the table reaches an ending owing is refused, with the places that are safe.

use serde_json::Value;

use super::super::flow::Edge;
use super::super::obligations::{Owed, may_owe, safe_from, safe_places};
use super::super::registry::Mounted;
use super::super::store::staff::Standing;
use super::super::table::Chosen;
use super::change::{Change, Moving, move_to, patched};
use super::{By, Refused, at_rest};

pub(super) fn decide(
    mounted: &dyn Mounted,
    run: &Standing,
    by: &By,
    to: &str,
    patch: Option<&Value>,
) -> Result<Change, Refused> {
    at_rest(run)?;
    let table = mounted.table();
    let mut places = table.steps.iter().map(|row| row.name).chain(table.ends.iter().copied());
    let Some(to) = places.clone().find(|place| *place == to) else {
        return Err(Refused::UnknownStep { step: to.to_owned(), steps: places.map(str::to_owned).collect() });
    };
    if to == run.step {
        return Err(Refused::AlreadyThere { step: to.to_owned() });
    }
    let owed = may_be_owed(mounted, run);
    if !safe_from(table, to, &owed) {
        return Err(Refused::WouldStrand { instead: elsewhere(mounted, run, &owed), owed: owed.into_iter().collect() });
    }
    let state = patched(mounted, run, patch)?;
    // A step that this program does not have is left all the same: that is what the jump is for.
    let left = places.find(|place| *place == run.step).or_else(|| table.step(&run.step).map(|row| row.name));
    let moving = Moving {
        step: left.unwrap_or(to),
        edge: Edge { from: left, outcome: None, to },
        chosen: Chosen { outcome: "jumped", next: to },
        state,
        owes: owed.into_iter().collect(),
        looks_first: true,
        said: match left {
            Some(_) => by.said(),
            None => format!("{} (it stood at {}, which this program does not have)", by.said(), run.step),
        },
    };
    move_to(mounted, run, moving)
}

/// What must be thought owed by a run that leaves its step in another way than by an outcome.
pub(super) fn may_be_owed(mounted: &dyn Mounted, run: &Standing) -> Owed {
    let may_have_called = run.again || run.attempt > 0 || run.status == "running";
    may_owe(mounted.table(), &run.step, &run.owes, may_have_called)
}

/// Where a jump would strand nothing.
pub(super) fn elsewhere(mounted: &dyn Mounted, run: &Standing, owed: &Owed) -> Vec<String> {
    let safe = safe_places(mounted.table(), owed);
    safe.into_iter().filter(|place| *place != run.step).map(str::to_owned).collect()
}

//! Cancel: an orderly end. Where the workflow declares a step for it, the run is sent there and settles what it owes;
//! where it does not, a run that owes nothing ends where it stands. The same for every live run below it.

use super::super::flow::Edge;
use super::super::obligations::{Owed, safe_from};
use super::super::registry::Mounted;
use super::super::store::staff::Standing;
use super::super::table::Chosen;
use super::change::{Change, Moving, move_to, patched};
use super::jump::{elsewhere, may_be_owed};
use super::{By, Refused, at_rest};

pub(super) fn decide(mounted: &dyn Mounted, run: &Standing, by: &By) -> Result<Change, Refused> {
    at_rest(run)?;
    let table = mounted.table();
    let owed = may_be_owed(mounted, run);
    let strands =
        |owed: Owed| Refused::WouldStrand { instead: elsewhere(mounted, run, &owed), owed: owed.into_iter().collect() };
    let Some(to) = table.cancels else {
        return if owed.is_empty() { Ok(Change::Ends) } else { Err(strands(owed)) };
    };
    if to == run.step {
        return Err(Refused::AlreadyThere { step: to.to_owned() });
    }
    if !safe_from(table, to, &owed) {
        return Err(strands(owed));
    }
    let left = table.step(&run.step).map(|row| row.name);
    let moving = Moving {
        step: left.unwrap_or(to),
        edge: Edge { from: left, outcome: None, to },
        chosen: Chosen { outcome: "cancelled", next: to },
        state: patched(mounted, run, None)?,
        owes: owed.into_iter().collect(),
        looks_first: true,
        said: by.said(),
    };
    move_to(mounted, run, moving)
}

//! Every step of every workflow meets every mishap, and there is a mishap for every point of a turn.
//!
//! The paths say which steps they disturb. Each of them asserts that this is what its history shows and that every mishap
//! has struck there.

use std::collections::BTreeSet;

use houbu::engine::sabotage::{Act, Point};
use houbu::workflows;

use super::{CRASH, MISHAPS, days, paths, releases};
use crate::hospital::sabotage::Harm;

#[test]
fn every_step_of_every_workflow_meets_every_mishap() {
    let applications = paths::PATHS.iter().flat_map(|path| path.steps).map(|step| ("waitlist_application", *step));
    let others = releases::DISTURBED
        .iter()
        .chain(&days::DISTURBED)
        .flat_map(|(workflow, steps)| steps.iter().map(|step| (*workflow, *step)));
    let met: BTreeSet<(&str, &str)> = applications.chain(others).collect();
    let tables: Vec<_> = workflows::registry_of_nobody().tables().collect();
    let all: BTreeSet<(&str, &str)> =
        tables.iter().flat_map(|table| table.steps.iter().map(|row| (table.name, row.name))).collect();
    let missing: Vec<String> = all
        .difference(&met)
        .flat_map(|(workflow, step)| MISHAPS.iter().map(move |(mishap, _)| format!("{workflow}/{step} {mishap}")))
        .collect();
    assert!(missing.is_empty(), "nothing of this is tried: {missing:#?}");
    let invented: Vec<_> = met.difference(&all).collect();
    assert!(invented.is_empty(), "disturbed, but in no table: {invented:?}");
}

/// The point after this one in a turn. A new one does not compile until it has a place, and a mishap, here.
fn after(point: Option<Point>) -> Option<Point> {
    match point {
        None => Some(Point::BeforeCall),
        Some(Point::BeforeCall) => Some(Point::AfterCall),
        Some(Point::AfterCall) => Some(Point::BeforeCommit),
        Some(Point::BeforeCommit) => Some(Point::AfterCommit),
        Some(Point::AfterCommit) => None,
    }
}

#[test]
fn a_worker_dies_at_every_point_of_a_turn() {
    let harms: Vec<(Point, Harm)> = MISHAPS.iter().flat_map(|(_, harms)| harms.iter().copied()).collect();
    for point in std::iter::successors(after(None), |point| after(Some(*point))) {
        assert!(harms.contains(&(point, CRASH)), "nobody dies {point:?}");
    }
    for harm in [Harm::Act(Act::Fail), Harm::Overtaken] {
        assert!(harms.iter().any(|(_, one)| *one == harm), "nothing suffers {harm:?}");
    }
}

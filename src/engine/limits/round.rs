//! One round of claiming: passes are taken first, runs claimed for them, and what is left over given back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::store::claim::Ask;
use super::super::table::Priority;
use super::{Lanes, Pass, Reserved};

/// Every so many rounds begin with what is least urgent, so that nothing waits for ever behind what is more so.
const TURNED_EVERY: u64 = 8;

/// See the module.
pub(in crate::engine) struct Round {
    reserved: BTreeMap<&'static str, Reserved>,
    /// How many runs of which lane may be claimed, in the order in which lanes are looked at.
    pub(in crate::engine) asks: Vec<Ask>,
}

impl Round {
    /// The round of this number of a worker with `free` hands, which knows runs of the lanes `names`.
    pub(in crate::engine) fn begin(lanes: &Arc<Lanes>, names: &BTreeSet<&'static str>, nth: u64, free: usize) -> Self {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (mut reserved, mut asks) = (BTreeMap::new(), vec![Ask { lane: "", most: count(free), first: first(nth) }]);
        for name in names {
            let (passes, ahead) = (lanes.reserve(name, free), lanes.ahead(name));
            let most = (passes.as_ref().map_or(0, Reserved::count) + ahead).min(free);
            if most > 0 {
                asks.push(Ask { lane: name, most: count(most), first: first(lanes.rounds(name)) });
            }
            reserved.extend(passes.map(|passes| (*name, passes)));
        }
        // With fewer hands than passes, another lane comes first each time.
        let lane = usize::try_from(nth % asks.len() as u64).unwrap_or(0);
        asks.rotate_left(lane);
        Self { reserved, asks }
    }

    /// The pass for a run that was claimed in this lane; none where it calls nobody, was claimed ahead, or somebody else was
    /// quicker.
    pub(in crate::engine) fn pass(&mut self, lane: &str) -> Option<Pass> {
        self.reserved.get_mut(lane).and_then(Reserved::pass)
    }
}

/// Which priority comes first in the round of this number, as stored.
fn first(nth: u64) -> i16 {
    match (nth % TURNED_EVERY, (nth / TURNED_EVERY) % 2) {
        (7, 0) => Priority::Bulk.stored(),
        (7, _) => Priority::Normal.stored(),
        _ => Priority::Urgent.stored(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_priority_is_first_now_and_then() {
        let firsts: Vec<i16> = (0..16).map(first).collect();
        assert_eq!(firsts, [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}

//! A pass, and the passes that a claim holds while it runs. Dropped, they go back to their lane.

use std::sync::Arc;

use super::lane::Answer;
use super::lanes::Lanes;

/// Lets one turn or letter call. Given back unused when it is dropped without an [answer](Self::tell).
pub(in crate::engine) struct Pass {
    pub(super) lanes: Arc<Lanes>,
    pub(super) lane: &'static str,
    pub(super) epoch: i32,
    pub(super) probe: bool,
    pub(super) answer: Option<Answer>,
}

impl Pass {
    /// The lane that it is for.
    pub(in crate::engine) fn lane(&self) -> &'static str {
        self.lane
    }

    /// Gives it back with how the call ended.
    pub(in crate::engine) fn tell(mut self, answer: Answer) {
        self.answer = Some(answer);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let lanes = Arc::clone(&self.lanes);
        lanes.give_back(self);
    }
}

/// Passes that a claim may use. Those that it does not use go back when it ends.
pub(in crate::engine) struct Reserved {
    pub(super) lanes: Arc<Lanes>,
    pub(super) lane: &'static str,
    pub(super) left: usize,
    pub(super) probe: Option<Pass>,
}

impl Reserved {
    /// How many there are.
    pub(in crate::engine) fn count(&self) -> usize {
        self.left + usize::from(self.probe.is_some())
    }

    /// One for what was claimed; none where a run that came by took it.
    pub(in crate::engine) fn pass(&mut self) -> Option<Pass> {
        if let Some(probe) = self.probe.take() {
            return Some(probe);
        }
        self.left = self.left.checked_sub(1)?;
        let (lanes, name) = (&self.lanes, self.lane);
        lanes.with(|inner| {
            let lane = inner.lanes.get_mut(name)?;
            lane.reserved = lane.reserved.checked_sub(1)?;
            Some(lanes.pass(name, lane, false))
        })
    }
}

impl Drop for Reserved {
    /// A claim that used all that it had may have left more behind. Whoever found nothing because of it looks again.
    fn drop(&mut self) {
        let (left, all_used) = (u32::try_from(self.left).unwrap_or(u32::MAX), self.count() == 0);
        let wanted = self.lanes.with(|inner| {
            let Some(lane) = inner.lanes.get_mut(self.lane) else { return false };
            lane.short = all_used;
            lane.release(left);
            std::mem::take(&mut lane.wanted) && left > 0
        });
        if wanted {
            self.lanes.freed();
        }
    }
}

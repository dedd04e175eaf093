//! How a turn comes by a pass, and what it says afterwards of the destination that it called.

use std::sync::Arc;

use super::super::store::turns::{Came, Rest};
use super::super::table::{Priority, StepRow};
use super::{Answer, Lanes, Pass};

/// No call can be made there now.
pub(in crate::engine) struct NoPass;

impl Lanes {
    /// The pass for the present step: the one that there is, or another where the run was claimed in a lane that is not
    /// its step's any more.
    pub(in crate::engine) fn pass_for(
        self: &Arc<Self>,
        row: &StepRow,
        pass: Option<Pass>,
    ) -> Result<Option<Pass>, NoPass> {
        let Some(lane) = row.lane else { return Ok(None) };
        let pass = pass.filter(|pass| pass.lane() == lane);
        pass.or_else(|| self.take_in_passing(lane, true)).map(Some).ok_or(NoPass)
    }

    /// A run that goes on to a step that calls somebody needs a pass; without one it waits where others wait.
    pub(in crate::engine) fn pass_on(self: &Arc<Self>, came: &mut Came) -> Option<Pass> {
        let Came::Moved(to) = came else { return None };
        if to.rest != Rest::GoesOn || to.lane.is_empty() {
            return None;
        }
        let pass = self.take_in_passing(to.lane, to.priority == Priority::Urgent);
        if pass.is_none() {
            to.rest = Rest::Queues;
        }
        pass
    }
}

impl Answer {
    /// What a turn says of its destination: one that refuses is there.
    pub(in crate::engine) fn of(came: &Came) -> Self {
        match came {
            Came::Failed { class: "retry", error, .. } => Self::Failed(error.clone()),
            Came::Failed { class: "unknown", error, .. } => Self::Unknown(error.clone()),
            Came::Failed { .. } | Came::Moved(_) | Came::Parked { .. } => Self::Ok,
        }
    }
}

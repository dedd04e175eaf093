//! How a turn comes by a pass, and what it says afterwards of the destination that it called.

use std::sync::Arc;

use super::super::flow::Fault;
use super::super::outbox::Delivery;
use super::super::store::turns::{Came, Rest};
use super::super::table::{Priority, StepRow};
use super::lane::Answer;
use super::{Lanes, Pass, Said};

/// No call can be made there now.
pub(in crate::engine) struct NoPass;

impl Lanes {
    /// The pass for the present step: the one that there is, or another where the run was claimed in a lane that is not
    /// its step's any more, or its destination was found down meanwhile.
    pub(in crate::engine) fn pass_for(
        self: &Arc<Self>,
        row: &StepRow,
        pass: Option<Pass>,
    ) -> Result<Option<Pass>, NoPass> {
        let Some(lane) = row.lane else { return Ok(None) };
        let pass = pass.filter(|pass| pass.lane() == lane && self.stands(pass));
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

impl Pass {
    /// A turn has come to its result, and its handler said something beside it.
    pub(in crate::engine) fn tell_turn(self, came: &Came, said: Said) {
        let failure = match came {
            Came::Failed { class: "retry", error, .. } => Some(Answer::Failed(error.clone())),
            Came::Failed { class: "unknown", error, .. } => Some(Answer::Unknown(error.clone())),
            // One that refuses is there.
            Came::Failed { .. } | Came::Moved(_) | Came::Parked { .. } => None,
        };
        self.tell_said(failure, said);
    }

    /// The same of a letter.
    pub(in crate::engine) fn tell_letter(self, delivered: &Result<Delivery, Fault>, said: Said) {
        let failure = match delivered {
            Err(Fault::Retry(why)) => Some(Answer::Failed(why.clone())),
            Err(Fault::Unknown(why)) => Some(Answer::Unknown(why.clone())),
            Ok(_) | Err(Fault::Stop(_)) => None,
        };
        self.tell_said(failure, said);
    }

    fn tell_said(self, failure: Option<Answer>, said: Said) {
        match (failure, said) {
            // Unused: it goes back by itself.
            (_, Said::NobodyCalled) => {}
            (_, Said::Answered) | (None, Said::Nothing) => self.tell(Answer::Ok),
            (Some(failure), _) => self.tell(failure),
            (None, Said::Unanswered(why)) => self.tell(Answer::Failed(why)),
        }
    }
}

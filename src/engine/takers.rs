//! Runs that begin in the hands of the worker that works in the process that starts them: nobody has to claim them.
//!
//! A seat is taken before the run is started, so that a run in the database has a hand that waits for it. Where the start
//! fails the seat is free again; where nobody knows whether it did, the worker finds a run that is in no hand of its own,
//! as after a claim whose reply was lost.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use uuid::Uuid;

use super::limits::Lanes;
use super::releases::Releases;
use super::store::claim::Claimed;

/// A run, and the hand that it is in.
pub(super) type Taken = (Claimed, OwnedSemaphorePermit);

/// The hands of a worker.
pub(super) struct Takers {
    pub(super) worker: Uuid,
    pub(super) turns: Arc<Semaphore>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) releases: Arc<Releases>,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) door: mpsc::UnboundedSender<Taken>,
}

impl Takers {
    /// A free hand, where this worker would claim such a run.
    pub(super) fn seat(&self, workflow: &str, step: &str) -> Option<Seat> {
        if *self.stopped.borrow() || !self.lanes.is_trusted() || self.releases.leaves(workflow, step) {
            return None;
        }
        let permit = Arc::clone(&self.turns).try_acquire_owned().ok()?;
        let (releases, door) = (Arc::clone(&self.releases), self.door.clone());
        Some(Seat { worker: self.worker, permit, releases, door })
    }
}

/// A free hand that waits for a run.
pub(super) struct Seat {
    pub(super) worker: Uuid,
    permit: OwnedSemaphorePermit,
    releases: Arc<Releases>,
    door: mpsc::UnboundedSender<Taken>,
}

impl Seat {
    /// True where this worker leaves that step to others.
    pub(super) fn leaves(&self, workflow: &str, step: &str) -> bool {
        self.releases.leaves(workflow, step)
    }

    /// The run is there. A worker that has ended meanwhile has left it behind like all that it held.
    pub(super) fn take(self, run: Claimed) {
        let _ = self.door.send((run, self.permit));
    }
}

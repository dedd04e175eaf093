//! The slow lane in front of admission (R33): waits as `waitlist::pace` says. It stands in memory, one a process: what keeps
//! bots slow must not cost the database a write for each of their requests.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::apply::Origin;
use crate::waitlist::cipher::Pseudonym;
use crate::waitlist::pace::{Lanes, Pace};

/// How fast origins may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paces {
    /// One device.
    pub device: Pace,
    /// One network address, which a family, a ward or a mobile network may share.
    pub address: Pace,
}

impl Default for Paces {
    fn default() -> Self {
        let wait_max = Duration::from_secs(20);
        Self {
            device: Pace { at_once: 5, every: Duration::from_secs(6), wait_max },
            address: Pace { at_once: 60, every: Duration::from_secs(1), wait_max },
        }
    }
}

/// Who was how fast lately.
pub(super) struct SlowLane {
    paces: Paces,
    began: Instant,
    lanes: Mutex<Lanes<Pseudonym>>,
}

impl SlowLane {
    pub(super) fn new(paces: Paces) -> Self {
        Self { paces, began: Instant::now(), lanes: Mutex::default() }
    }

    /// Comes back when it is the origin's turn.
    pub(super) async fn wait(&self, origin: &Origin) {
        let wait = self.arrive(origin);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn arrive(&self, origin: &Origin) -> Duration {
        let paced = [(&origin.device, &self.paces.device), (&origin.address, &self.paces.address)];
        if paced.iter().all(|(origin, _)| origin.is_none()) {
            return Duration::ZERO;
        }
        let now = self.began.elapsed();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = paced.into_iter().filter_map(|(origin, pace)| Some(lanes.arrive((*origin)?, pace, now)));
        waits.max().unwrap_or_default()
    }
}

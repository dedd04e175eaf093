//! The clock of the simulated HIS, which may be some minutes off the sandbox's. All that it keeps and says is of its own clock: when
//! locks end, what its pushes and its answers are stamped with.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use super::HisServer;
use crate::sandbox::Now;

/// The clock.
pub(super) struct Clock {
    sandbox: Now,
    ahead_minutes: AtomicI64,
}

impl Clock {
    /// One that is right.
    pub(super) fn new(sandbox: Now) -> Self {
        Self { sandbox, ahead_minutes: AtomicI64::new(0) }
    }

    /// What it shows.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.sandbox)() + self.ahead()
    }

    /// What it shows on a machine whose clock is right: signatures are of machines' clocks.
    pub(super) fn of_the_machine(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead()
    }

    /// How far it is ahead.
    pub(super) fn ahead(&self) -> TimeDelta {
        TimeDelta::minutes(self.ahead_minutes.load(Ordering::SeqCst))
    }
}

impl HisServer {
    /// Its clock is so many minutes ahead from now on, or behind where that is less than none.
    pub fn is_ahead(&self, minutes: i32) {
        self.shared.clock.ahead_minutes.store(minutes.into(), Ordering::SeqCst);
    }
}

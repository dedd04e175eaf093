//! Suspend: a live run stands still, whatever falls due, until a person lets it go on. Signals are kept for it.
//!
//! One that a worker has in hand is fenced off: what that worker is doing outside cannot be called back, so the step
//! looks first when it goes on.

use super::super::store::staff::{Standing, Stands};
use super::change::Change;
use super::{By, Refused, alive};

pub(super) fn decide(run: &Standing, by: &By) -> Result<Change, Refused> {
    alive(run)?;
    if run.status == "suspended" {
        return Err(Refused::AlreadySuspended);
    }
    Ok(Change::Stands {
        so: Stands {
            status: "suspended",
            attempt: run.attempt,
            again: run.again || run.status == "running",
            fault: Some("staff"),
            error: Some(by.said()),
        },
        did: "suspended",
    })
}

//! Resume: what staff or a fault suspended goes on at its step, with the attempts that it has left. A step that waits
//! looks at once whether its signal or its deadline has come meanwhile.

use super::super::store::staff::{Standing, Stands};
use super::change::Change;
use super::{Refused, alive};

pub(super) fn decide(run: &Standing) -> Result<Change, Refused> {
    alive(run)?;
    if run.status != "suspended" {
        return Err(Refused::NotSuspended);
    }
    Ok(Change::Stands {
        so: Stands {
            status: "pending",
            attempt: run.attempt,
            again: run.again || run.attempt > 0,
            fault: None,
            error: None,
        },
        did: "resumed",
    })
}

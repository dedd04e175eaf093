//! Retry: a step that failed is due at once, with all its attempts. It looks before it calls: it may have called out.

use super::super::store::staff::{Standing, Stands};
use super::change::Change;
use super::{Refused, in_no_hand};

pub(super) fn decide(run: &Standing) -> Result<Change, Refused> {
    in_no_hand(run)?;
    let fails = run.status == "suspended" || (run.status == "pending" && run.attempt > 0);
    match run.fault.as_deref() {
        _ if !fails => Err(Refused::NotSuspended),
        Some("staff") => Err(Refused::SuspendedByStaff),
        _ => Ok(Change::Stands {
            so: Stands { status: "pending", attempt: 0, again: true, fault: None, error: None },
            did: "retried",
        }),
    }
}

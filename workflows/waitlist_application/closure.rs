//! The ending after the account is settled. Nothing is owed here; the ending says why.

use super::outcome::Closure;
use super::state::{Application, Why};
use crate::engine::{Fault, Turn};
use crate::workflows::Ports;

// A step that acts is asynchronous by its shape; this one has nobody to call.
#[allow(clippy::unused_async)]
pub(super) async fn closure(app: &mut Application, _: &Turn, _: &Ports) -> Result<Closure, Fault> {
    match app.why {
        Some(why) => Ok(ending(why)),
        None if app.stands() => Ok(Closure::Fulfilled),
        None => Err(Fault::Stop("the application ends without a reason".to_owned())),
    }
}

/// The ending that a reason leads to.
pub(super) fn ending(why: Why) -> Closure {
    match why {
        Why::Expired => Closure::Expired,
        Why::Withdrawn | Why::Elsewhere | Why::Changed => Closure::Withdrawn,
        Why::Stopped => Closure::Stopped,
        Why::Refused => Closure::Refused,
        Why::Lapsed => Closure::Lapsed,
        Why::Declined => Closure::Declined,
        Why::Unpaid => Closure::Unpaid,
        Why::VisitCancelled => Closure::VisitCancelled,
    }
}

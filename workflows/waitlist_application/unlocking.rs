//! Gives back what may be locked at HIS. A lock that HIS does not know is given back already (200601).

use super::outcome;
use super::state::Application;
use crate::engine::{Fault, Turn, limits};
use crate::workflows::Ports;

pub(super) async fn unlocking(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Unlocking, Fault> {
    // Where a person sent it here, an earlier step may have locked without a trace (E1).
    app.gave_back = app.offer.as_ref().is_some_and(|offer| offer.locked || turn.again);
    if app.gave_back {
        ports.his.unlock(&app.order_id(turn.run)).await?;
    } else {
        limits::nobody_called();
    }
    if app.why.is_some() {
        return Ok(outcome::Unlocking::Released);
    }
    // The place was lost to somebody else: back to the same place in the queue, with whatever was paid (R16, R20).
    app.offer = None;
    Ok(outcome::Unlocking::Requeued)
}

//! Gives back what may be locked at HIS. A lock that HIS does not know is given back already (200601). An offer of which nobody was
//! told was not missed (R9): that is seen here, since the step that awaits the answer asks nobody.

use super::outcome;
use super::state::{Application, Why};
use crate::engine::{Fault, Turn, limits};
use crate::records::notices;
use crate::waitlist::ids;
use crate::waitlist::notice::NoticeKind;
use crate::workflows::{Ports, unread};

pub(super) async fn unlocking(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Unlocking, Fault> {
    // Where a person sent it here, an earlier step may have locked without a trace (E1).
    app.gave_back = app.offer.as_ref().is_some_and(|offer| offer.locked || turn.again);
    if app.gave_back {
        ports.his.unlock(&app.order_id(turn.run)).await?;
    } else {
        limits::nobody_called();
    }
    forgive_the_untold(app, turn, ports).await?;
    if app.why.is_some() {
        return Ok(outcome::Unlocking::Released);
    }
    // The place was lost to somebody else: back to the same place in the queue, with whatever was paid (R16, R20).
    app.offer = None;
    Ok(outcome::Unlocking::Requeued)
}

/// Whoever could not know of the offer that has lapsed has missed nothing (R9).
pub(super) async fn forgive_the_untold(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<(), Fault> {
    let lapsed = app.why.or(app.given_up_now()) == Some(Why::Lapsed);
    if app.unanswered.take() == Some(app.offers) && lapsed && untold(app, turn, ports).await? {
        app.was_not_told();
    }
    Ok(())
}

/// True where neither the notice of the offer has left, nor what goes in its place by another channel.
async fn untold(app: &Application, turn: &Turn, ports: &Ports) -> Result<bool, Fault> {
    let notice = ids::client_msg_id(turn.run, NoticeKind::PleaseConfirm, app.offers);
    let letters = ids::by_any_channel(&notice);
    notices::none_has_left(&ports.pool, &ports.hospital, turn.run, &letters).await.map_err(unread)
}

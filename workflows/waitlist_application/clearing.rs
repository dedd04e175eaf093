//! The way out for an application that staff cancel, wherever it stands: whatever HIS holds for it goes back, known to
//! us or not (E1). Money is the settlement's.

use super::outcome;
use super::state::{Application, Why};
use super::visit::give_back;
use crate::engine::{Fault, Turn};
use crate::workflows::Ports;

pub(super) async fn clearing(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Clearing, Fault> {
    // The patient was told of a visit, or of none.
    let why = if app.visit.is_some() { Why::VisitCancelled } else { Why::Withdrawn };
    let visited = give_back(app, turn, ports, "院方取消").await?;
    // A booking uses its lock up. A lock whose answer was lost is not in our books: HIS is asked to open it all the same.
    let may_be_locked = app.visit.is_none() && app.offer.is_some();
    if may_be_locked {
        ports.his.unlock(&app.order_id(turn.run)).await?;
    }
    app.gave_back = visited || may_be_locked;
    // An end that had its reason keeps it.
    app.why.get_or_insert(why);
    Ok(outcome::Clearing::Cleared)
}

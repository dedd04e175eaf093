//! The way out for an application that staff cancel, wherever it stands: whatever HIS holds for it goes back, known to
//! us or not (E1). Money is the settlement's.

use super::outcome;
use super::state::{Application, Why};
use super::unlocking::forgive_the_untold;
use super::visit::{Given, give_back};
use crate::engine::{Fault, Turn};
use crate::workflows::Ports;

pub(super) async fn clearing(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Clearing, Fault> {
    // The patient was told of a visit, or of none.
    let why = if app.visit.is_some() { Why::VisitCancelled } else { Why::Withdrawn };
    let visited = match give_back(app, turn, ports, "院方取消").await? {
        Given::Nothing => false,
        Given::Back => true,
        Given::Refused { code } => {
            return Err(Fault::Stop(format!(
                "HIS refuses to cancel the visit with the code {code}: have it cancelled there, then retry"
            )));
        }
    };
    // A booking uses its lock up. A lock whose answer was lost is not in our books: HIS is asked to open it all the same.
    let may_be_locked = app.visit.is_none() && app.offer.is_some();
    if may_be_locked {
        ports.his.unlock(&app.order_id(turn.run)).await?;
    }
    app.gave_back = visited || may_be_locked;
    forgive_the_untold(app, turn, ports).await?;
    // An end that had its reason keeps it.
    app.why.get_or_insert(why);
    Ok(outcome::Clearing::Cleared)
}

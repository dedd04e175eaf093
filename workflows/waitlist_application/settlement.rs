//! The settlement (E2, R8, R27): what the payment provider says that it holds goes back, whatever we believed. Where
//! nothing was ever ordered nobody is asked, so that a free application ends though the provider is away (R26).

use super::account::Of;
use super::outcome;
use super::paying::close;
use super::state::Application;
use crate::engine::{Fault, Turn, limits};
use crate::workflows::Ports;

// A step that acts is asynchronous by its shape; this one has nobody to call.
#[allow(clippy::unused_async)]
pub(super) async fn settlement(app: &mut Application, _: &Turn, _: &Ports) -> Result<outcome::Settlement, Fault> {
    Ok(if app.is_settled() { outcome::Settlement::Clear } else { outcome::Settlement::Ordered })
}

pub(super) async fn reckoning(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Reckoning, Fault> {
    let mut nobody_called = true;
    for (order, _) in app.to_settle_mut().filter(|(order, _)| order.paid.is_none()) {
        nobody_called = false;
        close(order, ports).await?;
    }
    if nobody_called {
        limits::nobody_called();
    }
    Ok(if app.refund_next(Of::All, turn.now).is_some() { outcome::Reckoning::Held } else { outcome::Reckoning::Clear })
}

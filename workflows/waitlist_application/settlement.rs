//! The settlement (E2, R8, R27): what the payment provider says that it holds goes back, whatever we believed.

use super::outcome;
use super::paying::close;
use super::state::{Application, Refunding};
use crate::engine::{Fault, Turn};
use crate::waitlist::ids;
use crate::workflows::Ports;

pub(super) async fn settlement(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::Settlement, Fault> {
    close(app, ports).await?;
    let Some(order) = app.order.as_ref().filter(|order| order.paid.is_some()) else {
        return Ok(outcome::Settlement::Clear);
    };
    // A refund that was asked for before goes on under its number.
    if app.refund.is_none() {
        let out_refund_no = ids::refund_no(&order.out_trade_no, 1);
        app.refund = Some(Refunding { out_refund_no, nth: 1, ask_at: turn.now, asked: 0, done: false });
    }
    Ok(outcome::Settlement::Held)
}

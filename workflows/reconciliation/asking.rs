//! The questions of a reconciliation, one a turn, so that limits and pauses of the systems outside hold for it too.

use serde_json::json;

use super::facts::AboutRefund;
use super::outcome;
use super::state::Day;
use crate::engine::{Fault, Turn, limits};
use crate::ports::his::Order;
use crate::ports::payments::{Payment, RefundSaid};
use crate::records::reconciliation::lines;
use crate::waitlist::reconciliation::{TheirPayment, TheirVisit};
use crate::workflows::{Ports, unread};

pub(super) async fn asking_his(_: &mut Day, turn: &Turn, ports: &Ports) -> Result<outcome::AskingHis, Fault> {
    let open = lines::open(&ports.pool, &ports.hospital, turn.run, &["visit"]).await.map_err(unread)?;
    let Some((about, reference)) = open else {
        limits::nobody_called();
        return Ok(outcome::AskingHis::Asked);
    };
    let said = match ports.his.order(&reference).await? {
        Order::Unknown => TheirVisit::Unknown,
        Order::Booked(_) | Order::Unpaid(_) => TheirVisit::Booked,
        Order::Cancelled | Order::Closed => TheirVisit::Cancelled,
    };
    lines::answer(&ports.pool, &ports.hospital, turn.run, (&about, &reference), &json!(said)).await.map_err(unread)?;
    Ok(outcome::AskingHis::More)
}

pub(super) async fn asking_payer(_: &mut Day, turn: &Turn, ports: &Ports) -> Result<outcome::AskingPayer, Fault> {
    let open = lines::open(&ports.pool, &ports.hospital, turn.run, &["order", "refund"]).await.map_err(unread)?;
    let Some((about, reference)) = open else {
        limits::nobody_called();
        return Ok(outcome::AskingPayer::Asked);
    };
    let said = if about == "refund" {
        let RefundSaid { refund, money } = ports.payments.refund_status(&reference).await?;
        json!(AboutRefund::of(refund, money.map(|money| money.amount_fen)))
    } else {
        json!(match ports.payments.order(&reference).await? {
            Payment::Unknown => TheirPayment::Unknown,
            Payment::Open => TheirPayment::Open,
            Payment::Closed => TheirPayment::Closed,
            Payment::Paid(paid) => TheirPayment::Paid { amount_fen: paid.amount_fen },
        })
    };
    lines::answer(&ports.pool, &ports.hospital, turn.run, (&about, &reference), &said).await.map_err(unread)?;
    Ok(outcome::AskingPayer::More)
}

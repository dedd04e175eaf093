//! The refund (R8): asked for under one number, followed to its end, under a new number only after the provider gave
//! the old one up. Where more than one order was paid, one after the other.

use chrono::{DateTime, TimeDelta, Utc};

use super::account::{Next, Of};
use super::state::Application;
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::ports::payments::{Refund, RefundMoney, RefundRequest, RefundSaid};
use crate::workflows::Ports;

/// The provider's advice: ask after 1 minute, then 5, 10, 20, 30.
const ASK_AFTER_MINUTES: [i64; 5] = [1, 5, 10, 20, 30];

pub(super) async fn refunding(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Refunding, Fault> {
    let said = ports.payments.refund(&request(next(app, Of::All, turn)?)).await?;
    follow(app, Of::All, turn, &said).map(|followed| match followed {
        Followed::Done => outcome::Refunding::Refunded,
        Followed::OnItsWay => outcome::Refunding::Accepted,
        Followed::Another => outcome::Refunding::Another,
    })
}

/// Until when a refund notice is awaited before the provider is asked.
pub(super) fn refund_is_asked(app: &Application) -> DateTime<Utc> {
    app.refund_asked_at().unwrap_or(app.cutoff)
}

pub(super) fn refund_wait(_: &mut Application, _: &Turn, woke: woke::RefundWait) -> outcome::RefundWait {
    match woke {
        woke::RefundWait::RefundNotice(_) => outcome::RefundWait::Noticed,
        woke::RefundWait::Deadline => outcome::RefundWait::Due,
    }
}

pub(super) async fn refund_check(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::RefundCheck, Fault> {
    let out_refund_no = next(app, Of::All, turn)?.refund.out_refund_no.clone();
    let said = ports.payments.refund_status(&out_refund_no).await?;
    follow(app, Of::All, turn, &said).map(|followed| match followed {
        Followed::Done => outcome::RefundCheck::Refunded,
        Followed::OnItsWay => outcome::RefundCheck::Processing,
        Followed::Another => outcome::RefundCheck::Another,
    })
}

/// How far a refund is.
pub(super) enum Followed {
    /// All of it is back.
    Done,
    /// The provider has it.
    OnItsWay,
    /// Another number is next: the provider gave this one up or cannot pay it out, or another order was paid as well.
    Another,
}

/// What goes back next.
pub(super) fn next<'a>(app: &'a mut Application, of: Of, turn: &Turn) -> Result<Next<'a>, Fault> {
    app.refund_next(of, turn.now).ok_or_else(|| Fault::Stop("there is no money to give back".to_owned()))
}

/// Takes what the provider says of the next refund.
pub(super) fn follow(app: &mut Application, of: Of, turn: &Turn, said: &RefundSaid) -> Result<Followed, Fault> {
    let asked = request(next(app, of, turn)?);
    if let Some(why) = said.money.as_ref().and_then(|money| differs(&asked, money)) {
        return others_first(app, of, turn, why);
    }
    let Next { out_trade_no, refund: ours, .. } = next(app, of, turn)?;
    match said.refund {
        Refund::Success => {
            ours.done = true;
            // The next one's number is committed with this move, before a call uses it (E6).
            Ok(if app.refund_next(of, turn.now).is_some() { Followed::Another } else { Followed::Done })
        }
        Refund::Processing => {
            let minutes = ASK_AFTER_MINUTES.get(ours.asked as usize).copied().unwrap_or(30);
            ours.ask_at = turn.now + TimeDelta::minutes(minutes);
            ours.asked += 1;
            Ok(Followed::OnItsWay)
        }
        // The next number is committed with this move, before a call uses it (E6).
        Refund::Closed if ours.renumber(out_trade_no, turn.now) => Ok(Followed::Another),
        Refund::Closed => {
            let why = format!(
                "the provider has given up all numbers of a refund of the order {out_trade_no}: settle it with the provider"
            );
            others_first(app, of, turn, why)
        }
        Refund::Unknown => {
            Err(Fault::Retry(format!("the provider does not know the refund {} yet", ours.out_refund_no)))
        }
        Refund::Abnormal => {
            let why = format!(
                "the refund {} is abnormal: the payer's account cannot take it; settle it with the patient",
                ours.out_refund_no
            );
            others_first(app, of, turn, why)
        }
    }
}

/// A refund of other money than we asked for is an incident, however far it is: it is never booked as ours.
fn differs(asked: &RefundRequest, said: &RefundMoney) -> Option<String> {
    let RefundRequest { out_trade_no, out_refund_no, amount_fen, total_fen, .. } = asked;
    if said.out_trade_no != *out_trade_no {
        return Some(format!(
            "the refund {out_refund_no} is of the order {out_trade_no} and the provider names another: settle it with the provider"
        ));
    }
    if said.amount_fen != *amount_fen {
        return Some(format!(
            "the refund {out_refund_no} asked for {amount_fen} fen and the provider says {}: settle it with the provider",
            said.amount_fen
        ));
    }
    said.total_fen.filter(|total| total != total_fen).map(|total| {
        format!(
            "the refund {out_refund_no} is of an order of {total_fen} fen and the provider says {total}: settle it with the provider"
        )
    })
}

/// What the provider cannot give back waits for a person, and keeps nothing else back.
fn others_first(app: &mut Application, of: Of, turn: &Turn, why: String) -> Result<Followed, Fault> {
    next(app, of, turn)?.refund.stuck = true;
    if app.refund_next(of, turn.now).is_some_and(|next| !next.refund.stuck) {
        tracing::warn!(run = %turn.run, why, "a refund is for a person; the next one goes back first");
        return Ok(Followed::Another);
    }
    Err(Fault::Stop(why))
}

/// The request of a refund, the same however often it is made, and whichever step makes it.
pub(super) fn request(next: Next<'_>) -> RefundRequest {
    let reason = next.reason();
    let Next { out_trade_no, total_fen, refund, .. } = next;
    RefundRequest {
        out_trade_no: out_trade_no.to_owned(),
        out_refund_no: refund.out_refund_no.clone(),
        amount_fen: refund.amount_fen.unwrap_or(total_fen),
        total_fen,
        reason: reason.to_owned(),
    }
}

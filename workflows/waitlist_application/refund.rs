//! The refund (R8): asked for under one number, followed to its end, under a new number only after the provider gave
//! the old one up. Where more than one order was paid, one after the other.

use chrono::{DateTime, TimeDelta, Utc};

use super::state::{Application, Order};
use super::{outcome, woke};
use crate::engine::{Fault, Turn};
use crate::ports::payments::{Refund, RefundRequest};
use crate::waitlist::ids;
use crate::workflows::Ports;

/// The provider's advice: ask after 1 minute, then 5, 10, 20, 30.
const ASK_AFTER_MINUTES: [i64; 5] = [1, 5, 10, 20, 30];
/// So many numbers are tried for one refund.
const NUMBERS_MAX: u16 = 5;

pub(super) async fn refunding(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Refunding, Fault> {
    let refund = ports.payments.refund(&request(held(app)?, turn)).await?;
    follow(app, turn, refund).map(|followed| match followed {
        Followed::Done => outcome::Refunding::Refunded,
        Followed::OnItsWay => outcome::Refunding::Accepted,
        Followed::Another => outcome::Refunding::Another,
    })
}

impl Application {
    /// Begins the refund where all the money is known that the provider holds; its number is committed with the move, before
    /// a call uses it (E6). False where an order may still be paid.
    pub(super) fn refund_known(&mut self, now: DateTime<Utc>) -> bool {
        let known = self.to_settle().all(|order| order.held() || order.returned());
        match self.held() {
            Some(order) if known => {
                order.refund_now(now);
                true
            }
            _ => false,
        }
    }
}

/// Until when a refund notice is awaited before the provider is asked.
pub(super) fn refund_is_asked(app: &Application) -> DateTime<Utc> {
    let held = app.to_settle().find(|order| order.held());
    held.and_then(|order| order.refund.as_ref()).map_or(app.cutoff, |refund| refund.ask_at)
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
    let out_refund_no = held(app)?.refund_now(turn.now).out_refund_no.clone();
    let refund = ports.payments.refund_status(&out_refund_no).await?;
    follow(app, turn, refund).map(|followed| match followed {
        Followed::Done => outcome::RefundCheck::Refunded,
        Followed::OnItsWay => outcome::RefundCheck::Processing,
        Followed::Another => outcome::RefundCheck::Another,
    })
}

enum Followed {
    /// All of it is back.
    Done,
    OnItsWay,
    /// Another number is next: the provider gave this one up, or another order was paid as well.
    Another,
}

fn held(app: &mut Application) -> Result<&mut Order, Fault> {
    app.held().ok_or_else(|| Fault::Stop("there is no money to give back".to_owned()))
}

fn follow(app: &mut Application, turn: &Turn, refund: Refund) -> Result<Followed, Fault> {
    let order = held(app)?;
    let out_trade_no = order.out_trade_no.clone();
    let ours = order.refund_now(turn.now);
    match refund {
        Refund::Success => {
            ours.done = true;
            Ok(match app.held() {
                None => Followed::Done,
                // Its number is committed with this move, before a call uses it (E6).
                Some(other) => {
                    other.refund_now(turn.now);
                    Followed::Another
                }
            })
        }
        Refund::Processing => {
            let minutes = ASK_AFTER_MINUTES.get(ours.asked as usize).copied().unwrap_or(30);
            ours.ask_at = turn.now + TimeDelta::minutes(minutes);
            ours.asked += 1;
            Ok(Followed::OnItsWay)
        }
        Refund::Closed if ours.nth >= NUMBERS_MAX => Err(Fault::Stop(format!(
            "the provider has given up {NUMBERS_MAX} refunds of the order {out_trade_no}: settle it with the provider"
        ))),
        // The next number is committed with this move, before a call uses it (E6).
        Refund::Closed => {
            ours.nth += 1;
            ours.asked = 0;
            ours.out_refund_no = ids::refund_no(&out_trade_no, ours.nth);
            Ok(Followed::Another)
        }
        Refund::Unknown => {
            Err(Fault::Retry(format!("the provider does not know the refund {} yet", ours.out_refund_no)))
        }
        Refund::Abnormal => Err(Fault::Stop(format!(
            "the refund {} is abnormal: the payer's account cannot take it; settle it with the patient",
            ours.out_refund_no
        ))),
    }
}

fn request(order: &mut Order, turn: &Turn) -> RefundRequest {
    let amount_fen = order.paid.as_ref().map_or(order.amount_fen, |paid| paid.amount_fen);
    RefundRequest {
        out_trade_no: order.out_trade_no.clone(),
        out_refund_no: order.refund_now(turn.now).out_refund_no.clone(),
        amount_fen,
        total_fen: amount_fen,
        reason: "候补未成功退费".to_owned(),
    }
}

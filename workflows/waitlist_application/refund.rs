//! The refund (R8): asked for under one number, followed to its end, under a new number only after the provider gave
//! the old one up.

use chrono::{DateTime, TimeDelta, Utc};

use super::state::Application;
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
    let request = request(app)?;
    let refund = ports.payments.refund(&request).await?;
    follow(app, turn, refund).map(|followed| match followed {
        Followed::Done => outcome::Refunding::Refunded,
        Followed::OnItsWay => outcome::Refunding::Accepted,
        Followed::GivenUp => outcome::Refunding::Reissued,
    })
}

/// Until when a refund notice is awaited before the provider is asked.
pub(super) fn refund_is_asked(app: &Application) -> DateTime<Utc> {
    app.refund.as_ref().map_or(app.cutoff, |refund| refund.ask_at)
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
    let Some(out_refund_no) = app.refund.as_ref().map(|refund| refund.out_refund_no.clone()) else {
        return Err(Fault::Stop("there is no refund to ask about".to_owned()));
    };
    let refund = ports.payments.refund_status(&out_refund_no).await?;
    follow(app, turn, refund).map(|followed| match followed {
        Followed::Done => outcome::RefundCheck::Refunded,
        Followed::OnItsWay => outcome::RefundCheck::Processing,
        Followed::GivenUp => outcome::RefundCheck::Reissued,
    })
}

enum Followed {
    Done,
    OnItsWay,
    GivenUp,
}

fn follow(app: &mut Application, turn: &Turn, refund: Refund) -> Result<Followed, Fault> {
    let Some(order) = &app.order else { return Err(Fault::Stop("there is no order to refund".to_owned())) };
    let Some(ours) = app.refund.as_mut() else { return Err(Fault::Stop("there is no refund to follow".to_owned())) };
    match refund {
        Refund::Success => {
            ours.done = true;
            Ok(Followed::Done)
        }
        Refund::Processing => {
            let minutes = ASK_AFTER_MINUTES.get(ours.asked as usize).copied().unwrap_or(30);
            ours.ask_at = turn.now + TimeDelta::minutes(minutes);
            ours.asked += 1;
            Ok(Followed::OnItsWay)
        }
        // The next number is committed with this move, before a call uses it (E6).
        Refund::Closed if ours.nth >= NUMBERS_MAX => Err(Fault::Stop(format!(
            "the provider has given up {NUMBERS_MAX} refunds of the order {}: settle it with the provider",
            order.out_trade_no
        ))),
        Refund::Closed => {
            ours.nth += 1;
            ours.asked = 0;
            ours.out_refund_no = ids::refund_no(&order.out_trade_no, ours.nth);
            Ok(Followed::GivenUp)
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

fn request(app: &Application) -> Result<RefundRequest, Fault> {
    let (order, refund) = app
        .order
        .as_ref()
        .zip(app.refund.as_ref())
        .ok_or_else(|| Fault::Stop("there is no refund to ask for".to_owned()))?;
    let amount_fen = order.paid.as_ref().map_or(order.amount_fen, |paid| paid.amount_fen);
    Ok(RefundRequest {
        out_trade_no: order.out_trade_no.clone(),
        out_refund_no: refund.out_refund_no.clone(),
        amount_fen,
        total_fen: amount_fen,
        reason: "候补未成功退费".to_owned(),
    })
}

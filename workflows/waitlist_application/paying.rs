//! The payment of an accepted place (R20, E2, E4): open the order, await the notice, ask, close before the lock goes.

use chrono::{DateTime, Utc};

use super::asking::Came;
use super::lock_check::Checking;
use super::signals::{Decline, Stops};
use super::state::{Application, Order, Why, payment_is_asked};
use super::{outcome, woke};
use crate::engine::{Fault, Turn, limits};
use crate::ports::payments::{Opened, Paid, Payment};
use crate::workflows::Ports;

/// What is known of the application's order after a call.
pub(super) enum Asked {
    /// The money is there.
    Paid,
    /// It may still come.
    Open,
    /// It cannot come any more by itself; what is left to do is settle.
    Closed,
}

pub(super) async fn offer_order(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::OfferOrder, Fault> {
    Ok(match open(app, turn, ports).await? {
        Asked::Paid => outcome::OfferOrder::Paid,
        Asked::Open => {
            app.refused_orders = 0;
            outcome::OfferOrder::Opened
        }
        // The patient had accepted in time: nothing was missed, and the place in the queue is kept (R20).
        Asked::Closed => {
            if !app.is_over(turn.now) {
                app.is_refused()?;
            }
            app.withheld = true;
            outcome::OfferOrder::Refused
        }
    })
}

/// After so many orders in a row that the provider refuses the next one is for staff.
const REFUSED_ORDERS_MAX: u16 = 2;

impl Application {
    /// True where no payment starts any more for the present order.
    pub(super) fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.order.as_ref().is_none_or(|order| now >= order.expires_at)
    }

    /// The provider has refused the present order. One more of too many in a row stops the run.
    pub(super) fn is_refused(&mut self) -> Result<(), Fault> {
        let refused = self.refused_orders.saturating_add(1);
        if self.refused_orders >= REFUSED_ORDERS_MAX {
            return Err(Fault::Stop(format!(
                "the payment provider has refused {refused} orders of this application one after the other: ask it why, then \
                 retry"
            )));
        }
        self.refused_orders = refused;
        Ok(())
    }
}

/// Until when a payment notice is awaited: the provider is asked then, or the lock is renewed (R10).
pub(super) fn paying_until(app: &Application) -> DateTime<Utc> {
    let asked = payment_is_asked(app);
    app.renews_at().map_or(asked, |at| at.min(asked))
}

pub(super) fn paying(app: &mut Application, turn: &Turn, woke: woke::Paying) -> outcome::Paying {
    match woke {
        woke::Paying::Deadline if app.renews(turn.now) => {
            app.checking = Some(Checking::Payment);
            outcome::Paying::Renews
        }
        woke::Paying::Payment(payment) if app.receive(&payment) => outcome::Paying::Paid,
        woke::Paying::Payment(_) | woke::Paying::Deadline => outcome::Paying::Due,
        woke::Paying::Decline(Decline { until }) if !app.answered_by(until) => outcome::Paying::Due,
        woke::Paying::Decline(_) => {
            app.why = app.gives_up(Why::Declined);
            outcome::Paying::Declined
        }
        woke::Paying::Change(change) => of(app.hears(change)),
        woke::Paying::Consent(consent) => of(app.answers(&consent)),
        woke::Paying::Withdrawal(withdrawal) => {
            if let Some(asked) = app.is_beside(&withdrawal) {
                return of(asked);
            }
            app.why = Some(withdrawal.why());
            outcome::Paying::Withdrawn
        }
        woke::Paying::Stoppage(stoppage) => match stoppage.stops(&app.schedule_id, app.slot()) {
            Stops::All => {
                app.why = Some(Why::Stopped);
                outcome::Paying::Stopped
            }
            Stops::ItsTime => {
                app.is_revoked();
                outcome::Paying::Revoked
            }
            Stops::Nothing => outcome::Paying::Due,
        },
    }
}

fn of(asked: Came) -> outcome::Paying {
    match asked {
        Came::Asked => outcome::Paying::Asked,
        Came::Kept => outcome::Paying::Kept,
        Came::Left => outcome::Paying::Left,
        Came::Nothing => outcome::Paying::Due,
    }
}

pub(super) async fn payment_check(
    app: &mut Application,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::PaymentCheck, Fault> {
    Ok(match ask(app, turn, ports).await? {
        Asked::Paid => outcome::PaymentCheck::Paid,
        Asked::Open => outcome::PaymentCheck::Open,
        Asked::Closed => {
            app.why = app.lapses();
            outcome::PaymentCheck::Over
        }
    })
}

/// A payment that came at the last moment is honoured while the lock lasts (E2), unless the patient or the hospital
/// has ended the matter: then it is refunded.
pub(super) async fn order_closing(
    app: &mut Application,
    _: &Turn,
    ports: &Ports,
) -> Result<outcome::OrderClosing, Fault> {
    match app.order.as_mut().filter(|order| order.paid.is_none()) {
        Some(order) => close(order, ports).await?,
        None => limits::nobody_called(),
    }
    if app.paid().is_some() {
        match app.why.or(app.given_up_now()) {
            Some(Why::Lapsed) => {
                app.takes_after_all();
                return Ok(outcome::OrderClosing::Paid);
            }
            // Paid for a time that does not take place: the money goes back, and nobody's is kept for a place that they may never
            // be offered (R34).
            None if app.revoked() => app.why = Some(Why::Stopped),
            // An earlier attempt has opened the order after all, though the provider refused it later.
            None => {
                app.withheld = false;
                return Ok(outcome::OrderClosing::Paid);
            }
            // Who pays and declines in one moment gets the money back, and that ends the application: nobody's money is kept
            // for a place that they may never be offered.
            why => app.why = why,
        }
    }
    Ok(outcome::OrderClosing::Closed)
}

/// Opens the application's order, which stands in its state; repeating it is harmless.
pub(super) async fn open(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<Asked, Fault> {
    let openid = ports.person(&app.patient_id).await?.openid;
    let pays_as = app.pays_as();
    let Some(order) = app.order.as_mut() else { return Err(Fault::Stop("there is no order to open".to_owned())) };
    let Some(openid) = openid else {
        return Err(Fault::Stop("the patient has no account at the payment provider".to_owned()));
    };
    if order.paid.is_some() {
        limits::nobody_called();
        return Ok(Asked::Paid);
    }
    if turn.now >= order.expires_at {
        limits::nobody_called();
        return Ok(Asked::Closed);
    }
    match ports.payments.open(&order.request(openid, pays_as)).await? {
        Opened::Ready { prepay_id } => {
            order.prepay_id = Some(prepay_id);
            order.ask_at = order.next_ask(turn.now);
            Ok(Asked::Open)
        }
        Opened::Exists => match ask(app, turn, ports).await? {
            // Open, but under other data than ours: nobody could pay it. It ends by itself.
            Asked::Open => Err(Fault::Retry("the provider has the order's number with other data".to_owned())),
            asked => Ok(asked),
        },
        Opened::Refused { code } => {
            tracing::warn!(run = %turn.run, code, "the payment provider refuses the order");
            Ok(Asked::Closed)
        }
    }
}

/// Asks the provider about the order. After its end an unpaid order counts as closed; whoever settles closes it there.
pub(super) async fn ask(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<Asked, Fault> {
    let Some(order) = app.order.as_mut() else { return Ok(Asked::Closed) };
    match ports.payments.order(&order.out_trade_no).await? {
        Payment::Paid(paid) => {
            order.paid = Some(as_ordered(order, paid)?);
            Ok(Asked::Paid)
        }
        Payment::Open if turn.now < order.over_at() => {
            order.asked += 1;
            order.ask_at = order.next_ask(turn.now);
            Ok(Asked::Open)
        }
        Payment::Open | Payment::Unknown | Payment::Closed => Ok(Asked::Closed),
    }
}

/// Closes an order that is not paid, and asks what the provider holds now: only the second answer says anything about
/// money (E4).
pub(super) async fn close(order: &mut Order, ports: &Ports) -> Result<(), Fault> {
    if !order.closed {
        ports.payments.close(&order.out_trade_no).await?;
    }
    match ports.payments.order(&order.out_trade_no).await? {
        Payment::Paid(paid) => order.paid = Some(as_ordered(order, paid)?),
        Payment::Closed | Payment::Unknown => order.closed = true,
        Payment::Open => {
            return Err(Fault::Retry(format!("the order {} is still open after closing", order.out_trade_no)));
        }
    }
    Ok(())
}

/// Money of another amount than we asked for is an incident, not a payment.
fn as_ordered(order: &Order, paid: Paid) -> Result<Paid, Fault> {
    if paid.amount_fen == order.amount_fen {
        return Ok(paid);
    }
    Err(Fault::Stop(format!(
        "the order {} asked for {} fen and the provider holds {}: settle it with the provider",
        order.out_trade_no, order.amount_fen, paid.amount_fen
    )))
}

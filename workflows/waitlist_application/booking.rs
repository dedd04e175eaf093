//! The booking at HIS (R19, E1): an unknown outcome is asked for by our own id, never repeated under another.

use super::account::Of;
use super::outcome;
use super::state::{Application, Booked, Why};
use crate::engine::{Fault, RunId, Turn, limits};
use crate::ports::his::{BookRequest, Booking, Cancelling, Order, PaidWith, Visit};
use crate::records::entries;
use crate::waitlist::policy::{OtherQueues, Policy};
use crate::waitlist::{calendar, reminder};
use crate::workflows::{Ports, unread};

pub(super) async fn booking(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<outcome::Booking, Fault> {
    let Some(offer) = app.offer.clone() else { return Err(Fault::Stop("there is no place to book".to_owned())) };
    let order_id = app.order_id(turn.run);
    // Two offers at once are answered one after the other (R35); a locked place was asked about before.
    let may_be_booked = offer.locked || turn.again;
    if !may_be_booked && entries::asked_elsewhere(&ports.pool, &ports.hospital, turn.run).await.map_err(unread)? {
        limits::nobody_called();
        app.withheld = true;
        return Ok(outcome::Booking::Withheld);
    }
    let paid = app.paid_with();
    let answer = match known(if turn.again { ports.his.order(&order_id).await? } else { Order::Unknown }, paid.as_ref())
    {
        Order::Booked(visit) => Booking::Booked(visit),
        Order::Cancelled => Booking::Refused { code: CANCELLED.to_owned() },
        Order::Closed => Booking::Closed { code: UNPAID.to_owned() },
        // What HIS was not told of it is told by the same request, which books nothing more.
        Order::Unknown | Order::Unpaid(_) => {
            let request = BookRequest {
                order_id: order_id.clone(),
                locked: offer.locked,
                place: app.place(&offer.slot),
                identity: ports.identity(&app.patient_id).await?,
                paid: paid.clone(),
                at: turn.now,
            };
            ports.his.book(&request).await?
        }
    };
    let answer = match answer {
        Booking::Exists => match known(ports.his.order(&order_id).await?, paid.as_ref()) {
            Order::Booked(visit) => Booking::Booked(visit),
            Order::Cancelled => Booking::Refused { code: CANCELLED.to_owned() },
            Order::Closed => Booking::Closed { code: UNPAID.to_owned() },
            Order::Unpaid(_) => {
                return Err(Fault::Unknown(format!("HIS was told of the money of {order_id}, and does not know it")));
            }
            Order::Unknown => return Err(Fault::Unknown(format!("HIS both knows and does not know {order_id}"))),
        },
        answer => answer,
    };
    // "Taken" and "refused" may speak of our own earlier attempt, which arrived after we had asked (E1).
    let answer = match answer {
        Booking::Taken | Booking::Refused { .. } if turn.again => {
            match known(ports.his.order(&order_id).await?, paid.as_ref()) {
                Order::Booked(visit) => Booking::Booked(visit),
                Order::Unpaid(_) => {
                    return Err(Fault::Unknown(format!("HIS has booked {order_id} after all, without its money")));
                }
                Order::Closed => Booking::Closed { code: UNPAID.to_owned() },
                Order::Unknown | Order::Cancelled => answer,
            }
        }
        answer => answer,
    };
    Ok(match answer {
        Booking::Booked(visit) => {
            app.others = others(app, turn, ports).await?;
            app.visit = Some(booked(app, order_id, visit, &offer.slot, turn, ports));
            app.stands_on();
            if app.holds_too_much() {
                // Its number is committed with this move, before a call uses it (E6).
                app.refund_next(Of::All, turn.now);
                outcome::Booking::Overpaid
            } else {
                outcome::Booking::Booked
            }
        }
        Booking::Taken => outcome::Booking::Taken,
        // Only what HIS surely says of the patient ends the application. Of any other code nobody knows whom it is about:
        // the place may be free for the next, and the turn is kept.
        Booking::Refused { code } if !speaks_of_the_patient(&code) => {
            tracing::warn!(run = %turn.run, code, "HIS does not give the place");
            app.withheld = true;
            outcome::Booking::Withheld
        }
        Booking::Refused { code } => {
            tracing::warn!(run = %turn.run, code, "HIS refuses the booking");
            app.why = Some(Why::Refused);
            outcome::Booking::Refused
        }
        // Whatever stands of it goes back; the next offer has an id of its own.
        Booking::Closed { code } => {
            tracing::warn!(run = %turn.run, code, "HIS takes the money of a booking no more");
            // What HIS does not cancel because it has done so itself is cancelled.
            if let Cancelling::Refused { code } = ports.his.cancel(&order_id, "支付超时").await?
                && let Order::Booked(_) | Order::Unpaid(_) = ports.his.order(&order_id).await?
            {
                return Err(Fault::Stop(format!(
                    "HIS takes no money for {order_id} any more and refuses to cancel it with the code {code}: have it cancelled \
                     there, then retry"
                )));
            }
            app.withheld = true;
            outcome::Booking::Withheld
        }
        Booking::Exists => return Err(Fault::Unknown(format!("HIS did not say what became of {order_id}"))),
    })
}

/// What HIS knows of a booking, of which it need not know money that is not there.
fn known(order: Order, paid: Option<&PaidWith>) -> Order {
    match order {
        Order::Unpaid(visit) if paid.is_none() => Order::Booked(visit),
        Order::Closed if paid.is_none() => Order::Cancelled,
        order => order,
    }
}

/// The person's applications that this visit ends, or that the patient is asked about.
async fn others(app: &mut Application, turn: &Turn, ports: &Ports) -> Result<Vec<RunId>, Fault> {
    let quiet = Some(&app.policy.quiet_hours);
    let answer_by = |starts| calendar::offer_deadline(turn.now, app.policy.question_minutes, quiet, starts, ports.tz);
    let department = match app.policy.other_queues {
        OtherQueues::Keep => return Ok(Vec::new()),
        OtherQueues::WithdrawDepartment => Some(app.department_id.as_str()),
        OtherQueues::WithdrawDay => None,
        OtherQueues::Ask => {
            let begins = app.part.slot(&app.policy.half_days).begins;
            app.others_until = Some(answer_by(calendar::visit_starts_at(app.visit_date, begins, ports.tz)));
            None
        }
    };
    entries::others_of(&ports.pool, &ports.hospital, turn.run, app.visit_date, department).await.map_err(unread)
}

/// 200701 rule limit, 200711 identity mismatch; and a booking of ours that HIS has cancelled.
fn speaks_of_the_patient(code: &str) -> bool {
    matches!(code, "200701" | "200711" | CANCELLED)
}

/// What stands for a code where HIS says that our order was cancelled.
const CANCELLED: &str = "cancelled";
/// And where it was over before HIS was told of its money.
const UNPAID: &str = "cancelled unpaid";

fn booked(
    app: &Application,
    order_id: String,
    his: Visit,
    slot: &crate::ports::his::TimeSlot,
    turn: &Turn,
    ports: &Ports,
) -> Booked {
    let over_at = calendar::visit_starts_at(app.visit_date, slot.ends, ports.tz);
    let begins = calendar::visit_starts_at(app.visit_date, slot.begins, ports.tz);
    let Policy { reminder_hours_before, quiet_hours, .. } = &app.policy;
    let reminder = reminder::of_visit(begins, *reminder_hours_before, quiet_hours, turn.now, ports.tz);
    Booked { order_id, his, at: turn.now, over_at, cancelled: false, reminder }
}

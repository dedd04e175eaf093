//! What an application's run says, as rows of our own tables: entry, appointment, payment. A pure mapping, then arrays.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::asking::Question;
use super::lock_check::Checking;
use super::signals::{Cancellation, LateMoney, Payment as Told};
use super::state::{Application, Order, Why};
use super::{Step, WaitlistApplication};
use crate::engine::flow::Flow;
use crate::engine::store::Outgoing;
use crate::engine::store::signal::{self, deliver};
use crate::engine::{Projected, RunId};
use crate::records::callbacks;
use crate::records::entry_changes::{self, Changed};
use crate::records::hand_outs;
use crate::records::offers::{self, Offer};
use crate::records::schedules;
use crate::records::visits::{self, Appointment, Payment};
use crate::waitlist::policy::QueuePer;
use crate::waitlist::status::EntryStatus;
use crate::workflows::slot_release::{Freed, SlotRelease};

pub(super) async fn project(
    conn: &mut PgConnection,
    hospital: &str,
    moved: &[Projected<Application>],
) -> sqlx::Result<()> {
    // Before all else but the runs: they come to stand in a queue whose hand-outs may find at this moment that nobody does.
    let per_day = moved.iter().any(|one| one.state.policy.queue_per == QueuePer::Day);
    let joining = beside_too(conn, hospital, anew(moved, false), per_day).await?;
    let in_passing = beside_too(conn, hospital, anew(moved, true), per_day).await?;
    if !joining.is_empty() || !in_passing.is_empty() {
        let all: Vec<String> = joining.iter().chain(&in_passing).cloned().collect();
        hand_outs::hold(conn, hospital, SlotRelease::NAME, &all).await?;
    }
    let changed: Vec<Changed> =
        moved.iter().filter_map(|one| Some(entry(one.run, Step::parse(one.step)?, &one.state))).collect();
    let brought = entry_changes::change(conn, hospital, &changed).await?;
    let renewed = moved.iter().filter(|one| one.state.renewed);
    let renewed: Vec<(RunId, DateTime<Utc>, i64)> =
        renewed.map(|one| (one.run, one.state.cutoff, one.state.fee_fen)).collect();
    entry_changes::renew(conn, hospital, &renewed).await?;
    let appointments: Vec<Appointment> = moved.iter().filter_map(appointment).collect();
    let new = visits::put_appointments(conn, hospital, &appointments).await?;
    tell_cancelled(conn, hospital, appointments.iter().filter(|one| new.contains(&one.id))).await?;
    let payments: Vec<Payment> =
        moved.iter().flat_map(|one| one.state.orders().map(|order| payment(one.run, order))).collect();
    visits::put_payments(conn, hospital, &payments).await?;
    came_meanwhile(conn, hospital, moved).await?;
    let offers: Vec<Offer> = moved.iter().filter_map(offer).collect();
    offers::put(conn, hospital, &offers).await?;
    has_his_asked(conn, hospital, &joining, false).await?;
    has_his_asked(conn, hospital, &in_passing, true).await?;
    brought.count(conn, hospital).await
}

/// A cancellation may be pushed (5007) before the visit that it ends is written down: its run hears of it as soon as it is (R30).
async fn tell_cancelled(
    conn: &mut PgConnection,
    hospital: &str,
    booked: impl Iterator<Item = &Appointment> + Clone,
) -> sqlx::Result<()> {
    let orders: Vec<&str> = booked.clone().map(|one| one.his_order_id.as_str()).collect();
    let cancelled = callbacks::cancelled_orders(conn, hospital, &orders).await?;
    let told = cancelled.iter().flat_map(|(event_id, order)| {
        let of = booked.clone().filter(move |one| one.his_order_id == *order);
        of.map(|one| Cancellation::pushed(one.entry_id, one.id.clone(), event_id))
    });
    deliver(conn, hospital, &told.collect::<Vec<_>>()).await.map(drop)
}

/// The schedules of those who come to stand in line with this move: from the prepayment or, for a day, from an offer or a question.
fn anew(moved: &[Projected<Application>], in_passing: bool) -> Vec<String> {
    let stands = moved.iter().filter(|one| one.step == Step::Waiting.name() && !one.state.stood);
    let stands = stands.filter(|one| one.state.in_passing == in_passing);
    stands.map(|one| one.state.schedule_id.clone()).collect()
}

/// With the other half-days of the same days, where somebody waits for a whole one (Q2).
async fn beside_too(
    conn: &mut PgConnection,
    hospital: &str,
    mut joined: Vec<String>,
    per_day: bool,
) -> sqlx::Result<Vec<String>> {
    if per_day && !joined.is_empty() {
        let of: Vec<&str> = joined.iter().map(String::as_str).collect();
        let beside = schedules::beside(&mut *conn, hospital, &of).await?;
        joined.extend(beside.into_values().flatten());
    }
    Ok(joined)
}

/// Whoever comes to stand in line may stand beside a place that came free while nobody waited (R6, R16). Who was away in passing has
/// HIS asked only where it was not: else two half-days of which HIS says places that it does not give would wake each other for ever.
async fn has_his_asked(
    conn: &mut PgConnection,
    hospital: &str,
    joined: &[String],
    in_passing: bool,
) -> sqlx::Result<()> {
    if joined.is_empty() {
        return Ok(());
    }
    let unasked = hand_outs::unasked(&mut *conn, hospital, SlotRelease::NAME, joined, in_passing).await?;
    let hints: Vec<Outgoing> = unasked.iter().map(|schedule| Freed::unasked(schedule, Uuid::now_v7())).collect();
    deliver(conn, hospital, &hints).await.map(drop)
}

/// Money whose notice came while its order was being closed, before anybody could see that: it buys nothing any more, and goes
/// back like what comes after that (E2).
async fn came_meanwhile(conn: &mut PgConnection, hospital: &str, moved: &[Projected<Application>]) -> sqlx::Result<()> {
    let closed = |app: &Application, number: Option<&str>| {
        let mut closed = app.orders().filter(|order| order.closed && order.paid.is_none());
        closed.any(|order| number.is_none_or(|number| order.out_trade_no == number))
    };
    let runs: Vec<RunId> = moved.iter().filter(|one| closed(&one.state, None)).map(|one| one.run).collect();
    if runs.is_empty() {
        return Ok(());
    }
    let mut late = Vec::new();
    for (run, payload) in signal::unheard(&mut *conn, hospital, &runs, Told::SIGNAL).await? {
        let Ok(payment) = serde_json::from_value::<Told>(payload) else { continue };
        let number = Some(payment.out_trade_no.as_str());
        if moved.iter().any(|one| one.run == run && closed(&one.state, number)) {
            late.push(LateMoney { payment }.signal(run));
        }
    }
    deliver(conn, hospital, &late).await.map(drop)
}

/// The status that patients and staff see.
pub(super) fn status(step: Step, app: &Application) -> EntryStatus {
    match step {
        Step::PrepayOrder | Step::Prepayment | Step::PrepayCheck => EntryStatus::AwaitingPrepayment,
        Step::Waiting | Step::LateRefund => EntryStatus::Waiting,
        Step::LockCheck if app.checking == Some(Checking::Payment) => EntryStatus::AwaitingPayment,
        Step::Locking | Step::Confirmation | Step::LockCheck => EntryStatus::Offered,
        Step::OfferOrder | Step::Paying | Step::PaymentCheck => EntryStatus::AwaitingPayment,
        Step::Booking => EntryStatus::Booking,
        // Without a reason to end, the application is on its way back to the queue, or a late payment is looked for.
        Step::Unlocking | Step::OrderClosing if app.why.is_none() => EntryStatus::Booking,
        Step::Visit
        | Step::Asking
        | Step::PartRefund
        | Step::PartRefundWait
        | Step::AskingMeanwhile
        | Step::Fulfilled => EntryStatus::Booked,
        // The visit took place; only its earlier orders are settled.
        Step::Settlement | Step::Reckoning | Step::Refunding | Step::RefundWait | Step::RefundCheck | Step::Closure
            if app.stands() =>
        {
            EntryStatus::Booked
        }
        Step::Unlocking
        | Step::OrderClosing
        | Step::Cancelling
        | Step::Clearing
        | Step::Settlement
        | Step::Reckoning
        | Step::Refunding
        | Step::RefundWait
        | Step::RefundCheck
        | Step::Closure => EntryStatus::Settling,
        Step::Expired => EntryStatus::Expired,
        Step::Withdrawn => EntryStatus::Withdrawn,
        Step::Stopped => EntryStatus::Stopped,
        Step::Refused => EntryStatus::Refused,
        Step::Lapsed => EntryStatus::Lapsed,
        Step::Declined => EntryStatus::Declined,
        Step::Unpaid => EntryStatus::Unpaid,
        Step::VisitCancelled => EntryStatus::VisitCancelled,
    }
}

fn entry(run: RunId, step: Step, app: &Application) -> Changed {
    let status = status(step, app);
    // A place stays counted until it is certain that the application does not come back to the queue: a payment that
    // arrives while its order is being closed may still book (E2), and an offer that nobody was told of was not missed (R9).
    let live = status.live() || step == Step::OrderClosing || (step == Step::Unlocking && app.unanswered.is_some());
    let deadline = match step {
        Step::PrepayOrder | Step::Prepayment | Step::PrepayCheck => app.order.as_ref().map(|order| order.expires_at),
        Step::Confirmation | Step::LockCheck | Step::OfferOrder | Step::Paying | Step::PaymentCheck => {
            app.offer.as_ref().and_then(|offer| offer.deadline)
        }
        _ => None,
    };
    Changed {
        id: run,
        schedule_id: app.schedule_id.clone(),
        status: status.as_str(),
        live,
        slot: slot(app),
        deadline,
        reason: app.why.map(Why::code).or(stands_against_its_will(status, app)),
        payment: shown(app).map(|order| money(order, app)),
        order_id: app.visit.as_ref().map(|visit| visit.order_id.clone()),
        agreed_at: app.agreed_at,
        question: app.question.as_ref().filter(|_| live || status == EntryStatus::Booked).map(Question::shown),
    }
}

/// The time that is offered, locked or booked, as it is stored.
fn slot(app: &Application) -> Option<serde_json::Value> {
    app.slot().and_then(|slot| serde_json::to_value(slot).ok())
}

/// Said of a visit that HIS does not cancel any more (R22).
fn stands_against_its_will(status: EntryStatus, app: &Application) -> Option<&'static str> {
    (status == EntryStatus::Booked && app.not_cancelled > 0).then_some(entry_changes::NOT_CANCELLED)
}

/// The order that patients see: the present one, but where nobody can pay that any more one that was paid, and where the visit
/// does not stand on it one that it stands on.
fn shown(app: &Application) -> Option<&Order> {
    let present = app.order.as_ref()?;
    let paid = || app.earlier.iter().rev().find(|order| order.paid.is_some());
    let over = present.paid.is_none() && present.closed;
    let idle = app.stands() && present.kept_fen == Some(0);
    let kept = || app.orders().find(|order| order.kept_fen.is_some_and(|kept_fen| kept_fen > 0));
    idle.then(kept).or_else(|| over.then(paid)).flatten().or(Some(present))
}

fn money(order: &Order, app: &Application) -> serde_json::Value {
    serde_json::json!({
        "paidFen": app.orders().map(Order::paid_fen).sum::<i64>(),
        "refundedFen": app.orders().map(Order::back_fen).sum::<i64>(),
        "outTradeNo": order.out_trade_no,
        "amountFen": order.amount_fen,
        "expiresAt": order.expires_at,
        "prepayId": order.prepay_id,
        "state": payment_status(order),
    })
}

fn payment_status(order: &Order) -> &'static str {
    match (&order.paid, &order.refund) {
        (Some(_), _) if order.back_fen() >= order.paid_fen() => "refunded",
        (Some(_), Some(_)) => "refunding",
        (Some(_), None) => "paid",
        (None, _) if order.closed => "closed",
        (None, _) => "open",
    }
}

fn payment(run: RunId, order: &Order) -> Payment {
    Payment {
        out_trade_no: order.out_trade_no.clone(),
        entry_id: run,
        amount_fen: order.amount_fen,
        status: payment_status(order),
        transaction_id: order.paid.as_ref().map(|paid| paid.transaction_id.clone()),
        paid_at: order.paid.as_ref().map(|paid| paid.paid_at),
        out_refund_no: order.refund.as_ref().map(|refund| refund.out_refund_no.clone()),
        refunded_fen: order.back_fen(),
        kept_fen: order.kept_fen,
        part_refund_no: order.part.as_ref().map(|part| part.out_refund_no.clone()),
        refund_fen: order.refund.as_ref().map(|refund| order.asked_fen(refund)),
        part_refund_fen: order.part.as_ref().map(|part| order.asked_fen(part)),
    }
}

/// What became of the last offer, where this step says it (R33).
fn offer(one: &Projected<Application>) -> Option<Offer> {
    let app = &one.state;
    let held = app.offer.as_ref().is_some_and(|offer| offer.deadline.is_some());
    let (outcome, taken) = match (Step::parse(one.step)?, app.why) {
        (Step::Locking, _) => ("out", false),
        (Step::Booking, _) if !held => ("out", false),
        (Step::Confirmation, _) => ("held", true),
        (Step::Visit | Step::PartRefund, _) => ("booked", true),
        (Step::Waiting, _) if app.withheld => ("withheld", false),
        (Step::Waiting, None) if app.unusable.is_some() => ("unusable", false),
        // A place that somebody else has leads back to the queue, or one that the patient did not take (Q6).
        (Step::Waiting, None) => match app.given_up_now() {
            Some(why) => came_to(why),
            // A person had it go on before anybody was asked.
            None if app.unanswered == Some(app.offers) => came_to(Why::Lapsed),
            None => ("lost", false),
        },
        // Whether anybody was told of it is asked next (R9).
        (Step::Unlocking | Step::Clearing, Some(Why::Lapsed)) if app.unanswered == Some(app.offers) => return None,
        // While the order is being closed, the money may come (E2).
        (Step::Unlocking | Step::Settlement | Step::Clearing, Some(why)) => came_to(why),
        // A person may have led it past all of these.
        (_, Some(why)) if WaitlistApplication::TABLE.is_ending(one.step) => came_to(why),
        _ => return None,
    };
    (app.offers > 0).then(|| Offer {
        entry_id: one.run,
        nth: i32::from(app.offers),
        schedule_id: app.schedule_id.clone(),
        freed_at: app.freed_at,
        taken,
        slot: slot(app),
        outcome,
    })
}

/// An offer that the patient did not take.
fn came_to(why: Why) -> (&'static str, bool) {
    let outcome = match why {
        Why::Declined => "declined",
        Why::Lapsed => "missed",
        _ => "ended",
    };
    (outcome, false)
}

fn appointment(one: &Projected<Application>) -> Option<Appointment> {
    let visit = one.state.visit.as_ref()?;
    let status = match Step::parse(one.step)? {
        Step::Fulfilled => "fulfilled",
        _ if visit.cancelled => "cancelled",
        _ => "booked",
    };
    Some(Appointment {
        id: visit.order_id.clone(),
        entry_id: one.run,
        patient_id: one.state.patient_id.clone(),
        schedule_id: one.state.schedule_id.clone(),
        slot: serde_json::to_value(&one.state.offer.as_ref()?.slot).ok()?,
        his_order_id: visit.his.his_order_id.clone(),
        serial: visit.his.serial.clone(),
        place: visit.his.place.clone(),
        status,
        booked_at: visit.at,
        sitting: serde_json::to_value(one.state.sitting()).ok()?,
        pay_type: one.state.pay_type.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an application's one offer came to, by its projection at this step.
    fn came(step: &'static str, why: Option<Why>, unanswered: bool) -> Option<&'static str> {
        let mut app = Application::sample();
        (app.offers, app.why, app.unanswered, app.offer, app.unusable) = (1, why, unanswered.then_some(1), None, None);
        (app.withheld, app.given_up) = (false, Vec::new());
        offer(&Projected { run: RunId::nil(), step, state: app }).map(|offer| offer.outcome)
    }

    #[test]
    fn r33_an_offer_comes_to_what_it_came_to_wherever_a_person_leads_it() {
        // Missed only once it was asked whether anybody was told (R9).
        for step in ["Unlocking", "Clearing"] {
            assert_eq!(came(step, Some(Why::Lapsed), true), None, "{step}");
            assert_eq!(came(step, Some(Why::Lapsed), false), Some("missed"), "{step}");
        }
        assert_eq!(came("Settlement", Some(Why::Lapsed), false), Some("missed"));
        assert_eq!(came("Waiting", None, true), Some("missed"), "nobody asked, and nobody else has the place");
        assert_eq!(came("Waiting", None, false), Some("lost"));
        // Past everything that says it.
        assert_eq!(came("Refunding", Some(Why::Withdrawn), false), None);
        for ending in ["Withdrawn", "Stopped", "Refused"] {
            assert_eq!(came(ending, Some(Why::Withdrawn), false), Some("ended"), "{ending}");
        }
    }
}

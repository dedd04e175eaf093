//! What the moves of an application cause outside it: notices to the patient, answers to the schedule's `slot_release`.
//! Pure: written in the transaction of the move, so nothing is told of a move that did not happen.

use serde_json::json;

use super::Step;
use super::asking::About;
use super::signals::{Answer, Reply, Withdrawal};
use super::state::{Application, Why};
use crate::engine::{Edge, Effect, Letter, RunId, To};
use crate::waitlist::ids;
use crate::waitlist::notice::{FailReason, NoticeKind};
use crate::workflows::notices::{self, Written};
use crate::workflows::slot_release::{Freed, SlotRelease};

pub(super) fn effects(run: RunId, edge: &Edge, app: &Application) -> Vec<Effect> {
    let from = edge.from.and_then(Step::parse);
    let Some(to) = Step::parse(edge.to) else { return Vec::new() };
    let stopped = edge.outcome == Some("Stopped");
    let told = notice(from, to, edge.outcome, stopped, app).into_iter();
    let told = told.map(|(kind, nth)| Effect::Tell(letter(run, kind, nth, app)));
    let booked = from == Some(Step::Booking) && matches!(to, Step::Visit | Step::PartRefund);
    let others = booked.then_some(&app.others).into_iter().flatten();
    let others = others.map(|other| booked_elsewhere(run, *other, app));
    told.chain(answer(run, from, to, edge.outcome, app))
        .chain(freed(run, from, to, edge.outcome, app))
        .chain(others)
        .collect()
}

/// What the patient is told on entering a step, and its count (R11, R21, R26).
fn notice(
    from: Option<Step>,
    to: Step,
    outcome: Option<&str>,
    stopped: bool,
    app: &Application,
) -> Vec<(NoticeKind, u16)> {
    let failed = |reason| vec![(NoticeKind::Failed(reason), 1)];
    let mut told = match to {
        // Nobody shall be on the way to a doctor who is not there: told at once, whatever is still to be given back (R34).
        // Whoever was told hears nothing more at the end, which says the same under the same number.
        _ if stopped && app.visit.is_some() => vec![(NoticeKind::Failed(FailReason::Stopped), 2)],
        _ if stopped => failed(FailReason::Stopped),
        // Told as soon as it is sure that nobody has paid for it.
        Step::Unlocking if app.revoked() && app.why.is_none() => vec![(NoticeKind::OfferWithdrawn, app.offers)],
        Step::Unlocking if app.revoked() && app.why == Some(Why::Stopped) => failed(FailReason::Stopped),
        Step::Waiting if from == Some(Step::LateRefund) => back(outcome, app),
        Step::Waiting if !matches!(from, Some(Step::Locking | Step::Unlocking | Step::Waiting)) => {
            vec![(NoticeKind::Submitted, 1)]
        }
        Step::Confirmation if !matches!(from, Some(Step::Confirmation | Step::LockCheck)) => {
            vec![(NoticeKind::PleaseConfirm, app.offers)]
        }
        Step::Visit | Step::PartRefund if from == Some(Step::Cancelling) => {
            vec![(NoticeKind::NotCancelled, app.not_cancelled)]
        }
        Step::PartRefund if from == Some(Step::Booking) => booked(app),
        Step::Visit if from == Some(Step::PartRefund) && outcome == Some("Refunded") => back(outcome, app),
        Step::Visit if !matches!(from, Some(Step::Visit | Step::Asking | Step::PartRefund)) => booked(app),
        Step::Expired => failed(FailReason::Expired),
        Step::Stopped if app.visit.is_some() => vec![(NoticeKind::Failed(FailReason::Stopped), 2)],
        Step::Stopped => failed(FailReason::Stopped),
        Step::Refused => failed(FailReason::Refused),
        Step::Lapsed => failed(FailReason::Lapsed),
        Step::Declined => failed(FailReason::Declined),
        Step::Withdrawn if app.why == Some(Why::Elsewhere) => failed(FailReason::Elsewhere),
        Step::Withdrawn if app.why == Some(Why::Changed) => failed(FailReason::Changed),
        // The visit as the patient has agreed to it (R34).
        Step::Visit | Step::PartRefundWait if outcome == Some("Kept") && app.agreements > 0 => {
            vec![(NoticeKind::Booked, 1 + app.agreements)]
        }
        Step::Withdrawn => failed(FailReason::Withdrawn),
        Step::Unpaid => failed(FailReason::Unpaid),
        Step::VisitCancelled => vec![(NoticeKind::VisitCancelled, 1)],
        _ => Vec::new(),
    };
    told.extend(question(from, to, outcome, app));
    if from == Some(Step::Closure) && app.returned_fen(false) > 0 {
        told.push((NoticeKind::Refunded, 1));
    }
    told
}

/// What went back while the application lives on.
fn back(outcome: Option<&str>, app: &Application) -> Vec<(NoticeKind, u16)> {
    let told = app.part_told.filter(|_| outcome == Some("Refunded"));
    told.map(|told| (NoticeKind::Refunded, 1 + told.nth)).into_iter().collect()
}

/// The visit, and what will remind of it (R5).
fn booked(app: &Application) -> Vec<(NoticeKind, u16)> {
    let reminder = app.reminder().map(|_| (NoticeKind::Reminder, 1));
    [(NoticeKind::Booked, 1)].into_iter().chain(reminder).collect()
}

/// What the patient is asked, once: on the move that asks, or on the way into the queue (R34, R35).
fn question(from: Option<Step>, to: Step, outcome: Option<&str>, app: &Application) -> Option<(NoticeKind, u16)> {
    let question = app.question.as_ref()?;
    let from_payment =
        to == Step::Waiting && matches!(from, Some(Step::PrepayOrder | Step::Prepayment | Step::PrepayCheck));
    let asks = matches!(outcome, Some("Asked" | "GivenUp")) || from_payment;
    let kind = match question.about {
        About::Change { .. } => NoticeKind::Changed,
        About::Others { .. } => NoticeKind::OthersAsked,
    };
    asks.then_some((kind, question.nth))
}

fn letter(run: RunId, kind: NoticeKind, nth: u16, app: &Application) -> Letter {
    let offer = app.offer.as_ref();
    // Written with the booking, and sent when its time has come if it is still true (R5).
    let reminder = app.reminder().filter(|_| kind == NoticeKind::Reminder);
    let asked = app.question.as_ref().filter(|_| matches!(kind, NoticeKind::Changed | NoticeKind::OthersAsked));
    let until = reminder.as_ref().map(|one| one.until).or(asked.map(|question| question.until));
    let deadline = until.or(offer.and_then(|offer| offer.deadline)).or(Some(app.cutoff));
    let new_slot = asked.and_then(|question| match &question.about {
        About::Change { slot, .. } => slot.clone(),
        About::Others { .. } => None,
    });
    notices::letter(
        ids::client_msg_id(run, kind, nth),
        &Written {
            kind,
            entry: run,
            patient_id: app.patient_id.clone(),
            schedule_id: app.schedule_id.clone(),
            slot: match kind {
                NoticeKind::Changed | NoticeKind::OthersAsked => new_slot,
                _ => offer.map(|offer| offer.slot.clone()),
            },
            deadline,
            amount_fen: match kind {
                NoticeKind::Refunded if nth > 1 => app.part_told.map(|told| told.amount_fen),
                NoticeKind::Refunded => Some(app.returned_fen(false)),
                // What is to be paid, for which no order is open yet.
                NoticeKind::PleaseConfirm => Some(app.due_fen()),
                // What the visit stands on, or the order that is open.
                _ if app.stands() => app.paid_with().map(|paid| paid.amount_fen),
                _ => app.order.as_ref().map(|order| order.amount_fen),
            },
            place: app.visit.as_ref().map(|visit| visit.his.place.clone()),
            quiet_hours: Some(app.policy.quiet_hours),
            not_before: reminder.map(|one| one.at),
            tried: Vec::new(),
        },
    )
}

/// Tells `slot_release` what became of its offer, once it is known.
fn answer(run: RunId, from: Option<Step>, to: Step, outcome: Option<&str>, app: &Application) -> Option<Effect> {
    let from = from?;
    let given_up = (from, to, outcome) == (Step::Waiting, Step::Waiting, Some("GivenUp"));
    let reply = match (from, to, outcome) {
        (Step::Locking, Step::Confirmation, _) | (Step::Booking, Step::Visit | Step::PartRefund, _) => Reply::Took,
        // Told on the way back into the queue and no sooner: the next place is then offered to the same patient (R16).
        (Step::Locking | Step::Unlocking, Step::Waiting, _) if app.withheld => Reply::Passed,
        // Told when the place was locked: what is given back now is a place that came free (Q6).
        (Step::Unlocking, Step::Waiting, _) if app.given_up_now().is_some() || app.is_let_go() => return None,
        (Step::Locking | Step::Unlocking, Step::Waiting, _) => Reply::Conflict,
        (Step::Booking, Step::Unlocking, Some("Refused")) => Reply::Passed,
        _ if given_up => Reply::Passed,
        // Cancelled by staff before the offer was answered; an answer that is told twice is stale and no more.
        (Step::Clearing, Step::Settlement, _) if unanswered(app) => Reply::Passed,
        _ => return None,
    };
    let offer_id = app.offer_id.clone()?;
    // Such an offer is not counted; its own id tells it from others.
    let about = if given_up { offer_id.clone() } else { app.offers.to_string() };
    let payload = serde_json::to_value(Answer { id: offer_id, reply, this_time_only: given_up }).ok()?;
    let hand_out = app.offered_by.as_ref().unwrap_or(&app.schedule_id);
    Some(Effect::Signal {
        to: To::Key { workflow: SlotRelease::NAME, key: hand_out.clone() },
        name: "Answer",
        id: format!("answer:{run}:{about}:{}", from.name()),
        payload,
    })
}

/// Tells another application of the person that it is not needed any more, or has the patient asked whether it is (R35).
fn booked_elsewhere(run: RunId, other: RunId, app: &Application) -> Effect {
    Effect::Signal {
        to: To::Run(other),
        name: "Withdrawal",
        id: format!("elsewhere:{run}"),
        payload: json!(Withdrawal { booked_by: Some(run), answer_by: app.others_until }),
    }
}

/// An offer that came to neither a locked place nor a visit.
fn unanswered(app: &Application) -> bool {
    app.visit.is_none() && app.offer.as_ref().is_some_and(|offer| offer.deadline.is_none())
}

/// Tells `slot_release` that a place which we held is free again.
fn freed(run: RunId, from: Option<Step>, to: Step, outcome: Option<&str>, app: &Application) -> Option<Effect> {
    // Who is kept in the queue may be next: nothing was offered meanwhile.
    let kept = (from, to, outcome) == (Some(Step::Waiting), Step::Waiting, Some("Kept"));
    let about = if kept { format!("kept:{run}:{}", app.questions) } else { format!("freed:{run}:{}", app.offers) };
    let (held, source) = match (from?, to) {
        _ if kept => (true, Freed::GIVEN_BACK),
        (Step::Unlocking, Step::Settlement | Step::Waiting) => (app.gave_back, Freed::GIVEN_BACK),
        (Step::Clearing, Step::Settlement) => (app.gave_back, "waitlist"),
        (Step::Cancelling, Step::Settlement) => (true, "waitlist"),
        _ => (false, ""),
    };
    (held && app.why != Some(Why::Stopped)).then(|| Effect::Signal {
        to: To::Key { workflow: SlotRelease::NAME, key: app.schedule_id.clone() },
        name: "Freed",
        id: about,
        payload: json!({ "source": source }),
    })
}

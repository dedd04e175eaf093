//! Messages: every one that the platform accepted tells of something that had happened by then.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::ours::{Entry, Moved};
use super::{Compared, Difference};
use crate::engine::flow::Flow;
use crate::ports::payments::Refund;
use crate::sandbox::his::{LockRecord, OrderRecord};
use crate::sandbox::wechat_messages::SentMessage;
use crate::waitlist::ids;
use crate::workflows::waitlist_application::WaitlistApplication;

/// Where the letter of the kind stands in a `client_msg_id`: after `M` and the run.
const KIND_AT: usize = 27;

pub(super) fn check(all: &Compared<'_>, found: &mut Vec<Difference>) {
    let his = &all.theirs.his;
    let locks: HashMap<&str, &LockRecord> = his.locks.iter().map(|lock| (lock.lock_id.as_str(), lock)).collect();
    let mut orders: HashMap<uuid::Uuid, Vec<&OrderRecord>> = HashMap::new();
    for order in his.orders.iter().filter(|order| !order.ordinary) {
        if let Some(entry) = ids::run_of(&order.order_id) {
            orders.entry(entry).or_default().push(order);
        }
    }
    for message in &all.theirs.sent {
        let entry = ids::run_of(&message.client_msg_id).and_then(|id| all.entries.get(&id));
        let what = match entry {
            None => Some("no such application"),
            Some(entry) if all.moving.contains(&entry.id) => None,
            Some(entry) => untrue(all, message, entry, &locks, orders.get(&entry.id).map_or(&[], Vec::as_slice)),
        };
        if let Some(what) = what {
            found.push(Difference::UntrueMessage {
                client_msg_id: message.client_msg_id.clone(),
                at: message.at,
                what,
            });
        }
    }
}

/// What is wrong with a message, if anything.
fn untrue(
    all: &Compared<'_>,
    message: &SentMessage,
    entry: &Entry,
    locks: &HashMap<&str, &LockRecord>,
    orders: &[&OrderRecord],
) -> Option<&'static str> {
    let by = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= message.at);
    // The first time: an application that money reached after its end is settled once more, to the same end.
    let ended = |at: &str| {
        let mut moves = all.ours.moves_of(entry.id).iter();
        let ends = |one: &&Moved| one.step != "Visit" && WaitlistApplication::TABLE.is_ending(&one.next);
        moves.find(|one| ends(one) && (at.is_empty() || one.next == at)).map(|one| one.at)
    };
    // Told at once, and settled afterwards (R34).
    let came_to = |outcome: &str| {
        all.ours.moves_of(entry.id).iter().find(|one| one.outcome.as_deref() == Some(outcome)).map(|one| one.at)
    };
    let stopped = came_to("Stopped").into_iter().chain(ended("Stopped").and(came_to("Revoked"))).min();
    match message.client_msg_id.as_bytes().get(KIND_AT)? {
        // A question is asked of whoever waits or is booked (C, Q).
        b'S' | b'C' | b'Q' => (message.at < entry.created_at).then_some("the application was not made yet"),
        b'P' => {
            let lock = lock_of(&message.client_msg_id).and_then(|id| locks.get(id.as_str()).copied());
            let held = lock.is_some_and(|lock| lock.locked_at <= message.at && message.at <= lock.expires_at);
            (!held).then_some("no place was locked")
        }
        b'B' | b'K' | b'D' => {
            let booked = orders.iter().any(|order| order.booked_at <= message.at);
            let left = all.ours.moves_of(entry.id).iter().find(|one| one.step == "Visit").map(|one| one.at);
            let gone = left.is_some_and(|left| left < message.at) && !entry.booked();
            (!booked || gone).then_some("nothing was booked")
        }
        b'F' => (!by(ended("")) && !by(stopped)).then_some("the application was not over"),
        b'W' => (!by(came_to("Revoked"))).then_some("no offer was over"),
        b'V' => (!by(ended("VisitCancelled"))).then_some("no visit was cancelled"),
        b'R' => {
            let refunded = all.theirs.pay.refunds.iter().any(|refund| {
                refund.state == Refund::Success
                    && ids::run_of(&refund.out_refund_no) == Some(entry.id)
                    && refund.at <= message.at
            });
            (!refunded).then_some("no money had gone back")
        }
        _ => Some("a message of no kind that we send"),
    }
}

/// The `LOCK_ID` of the offer that a message is about: the same run and the same count.
fn lock_of(client_msg_id: &str) -> Option<String> {
    let id = ids::first_id(client_msg_id);
    Some(format!("L{}{}", id.get(1..KIND_AT)?, id.get(KIND_AT + 1..)?))
}

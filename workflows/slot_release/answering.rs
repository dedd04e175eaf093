//! What became of the offer that is out. The applicant's own run answers; when it is silent we look.

use chrono::{DateTime, Utc};

use super::matching::ask_after;
use super::state::{Release, Unwanted};
use super::{outcome, woke};
use crate::engine::{Fault, RunId, Turn};
use crate::records::entries;
use crate::waitlist::status::EntryStatus;
use crate::workflows::waitlist_application::Reply;
use crate::workflows::{Ports, unread};

pub(super) fn answer_is_asked(release: &Release) -> DateTime<Utc> {
    release.offer.as_ref().map_or(release.cutoff, |offer| offer.ask_at)
}

pub(super) fn answering(release: &mut Release, turn: &Turn, woke: woke::Answering) -> outcome::Answering {
    let answer = match woke {
        woke::Answering::Answer(answer) => answer,
        woke::Answering::Stoppage(_) => return outcome::Answering::Stopped,
        woke::Answering::Deadline => return outcome::Answering::Due,
    };
    let Some(offer) = release.offer.clone().filter(|offer| answer.id == offer_id(turn.run, offer.nth)) else {
        return outcome::Answering::Stale;
    };
    match answer.reply {
        Reply::Took => {
            release.take(&offer.slot);
            outcome::Answering::Took
        }
        // Somebody else has this place; the applicant keeps the turn and gets the next one.
        Reply::Conflict => {
            release.take(&offer.slot);
            outcome::Answering::Conflict
        }
        Reply::Passed => {
            if answer.this_time_only {
                release.unwanted.push(Unwanted { entry: offer.entry, slot: offer.slot });
            } else {
                release.passed.push(offer.entry);
            }
            outcome::Answering::Passed
        }
    }
}

/// The id that an offer and its answer carry.
pub(super) fn offer_id(run: RunId, nth: u32) -> String {
    format!("offer:{run}:{nth}")
}

pub(super) async fn answer_check(
    release: &mut Release,
    turn: &Turn,
    ports: &Ports,
) -> Result<outcome::AnswerCheck, Fault> {
    let Some(mut offer) = release.offer.clone() else { return Ok(outcome::AnswerCheck::Gone) };
    let standing = entries::standing(&ports.pool, &ports.hospital, offer.entry).await.map_err(unread)?;
    let live = |status: &str| EntryStatus::parse(status).is_some_and(EntryStatus::live);
    match standing {
        // Another half-day's hand-out asked at the same moment, and was heard first (Q2): the place is free for the next.
        Some((status, _, at))
            if at != release.schedule_id && EntryStatus::parse(&status) != Some(EntryStatus::Waiting) =>
        {
            release.passed.push(offer.entry);
            Ok(outcome::AnswerCheck::Gone)
        }
        Some((status, moves, _)) if live(&status) && moves => {
            offer.ask_at = turn.now + ask_after(release);
            release.offer = Some(offer);
            Ok(outcome::AnswerCheck::AtIt)
        }
        // Somebody must look at the head of the queue; the queue does not wait for that (R16). Who still waits has called
        // nobody: the place is free for the next. Who went on with the offer may hold it.
        Some((status, ..)) if live(&status) => {
            release.passed.push(offer.entry);
            if EntryStatus::parse(&status) != Some(EntryStatus::Waiting) {
                release.take(&offer.slot);
            }
            Ok(outcome::AnswerCheck::Stuck)
        }
        _ => {
            release.passed.push(offer.entry);
            Ok(outcome::AnswerCheck::Gone)
        }
    }
}

//! One run a schedule: finds freed places at HIS and hands each to the first in line (R13–R18, E8).
//!
//! Whatever says that a place is free (a push, our own cancel, a sync) is only a hint: HIS is asked. Places are handed
//! out one after the other, so that a place and a turn are never given twice. Who waits for a doctor's day stands in the line of
//! each of its half-days (Q2). Where the policy has a queue drawn (R17), no
//! place is handed out before the draw.

mod answering;
mod drawing;
mod matching;
mod refreshing;
mod state;
mod stopping;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Ports;
use super::waitlist_application::{Answer, Change, Stoppage, Terms};
use crate::engine::store::signal::deliver;
use crate::engine::{Edge, Effect, Projected, RunId, To};
use crate::flow;
use crate::records::schedules::{self, Free, Half};
use crate::records::{draws, entries};
use crate::waitlist::draw::Seed;
use crate::workflows::waitlist_application::Offer;
use answering::{answer_check, answer_is_asked, answering, offer_id};
use drawing::{draw_is_held, drawing, gathering};
use matching::matching;
use refreshing::{cutoff, handed_out, idle, keeping, refreshing};
pub use state::{Draw, Freed, Release};
use stopping::{shut, stopping, visits_end};

flow! {
    /// The hand-out of one schedule's freed places, from the first application until the last visit.
    SlotRelease = "slot_release";
    state Release;
    ports Ports;
    obligations ;
    emits effects;
    projects project;
    starts Idle, Gathering;
    ends Closed;
    quiet Closed;
    cancels Shut;

    /// The queue is opening, and its order is not drawn yet (R17). Hints wait until it is.
    Gathering = gathering on Stoppage until draw_is_held
        { Over -> Drawing, Stopped -> Stopping }
    /// Opens the seed: the order is drawn with this move (R17).
    Drawing = drawing priority Urgent
        { Drawn -> Idle }
    /// Nothing to hand out: waits for a hint, until the cutoff (R25). A later one that it was told in time is heard first.
    Idle = idle on Freed, Terms, Change, Stoppage until cutoff
        { Hint -> Refreshing, Kept -> Keeping, Renewed -> Idle, Stopped -> Stopping, CutOff -> Shut }
    /// Keeps what was freed for a time by chance, where the policy says so (R33), or until the quiet hours end, where HIS locks no place
    /// for so long (R10). Hints of more places wait until then.
    Keeping = keeping on Stoppage until handed_out
        { Over -> Refreshing, Stopped -> Stopping }
    /// Asks HIS which time slots have places (R18). HIS being away is not "full". Where nobody waits it is asked when somebody
    /// does.
    Refreshing = refreshing at his priority Urgent absorbs Freed
        { Found -> Matching, Full -> Idle, Nobody -> Idle, Kept -> Keeping, CutOff -> Idle }
    /// Takes the first free place and the first in line (R16).
    Matching = matching priority Urgent
        { Offered -> Answering, Nobody -> Idle, Exhausted -> Idle, CutOff -> Idle }
    /// Waits until the place is locked, booked, lost or passed on.
    Answering = answering priority Urgent on Answer, Stoppage until answer_is_asked
        { Took -> Matching, Conflict -> Matching, Passed -> Matching, Stale -> Answering, Due -> AnswerCheck, Stopped -> Stopping }
    /// Looks whether the applicant is still at it: HIS may be slow, or somebody withdrew at the same moment.
    AnswerCheck = answer_check priority Urgent
        { AtIt -> Answering, Gone -> Matching, Stuck -> Matching }
    /// 停诊: tells everybody whom it concerns (R34).
    Stopping = stopping
        { Told -> Closed }
    /// After the cutoff, or where staff end it sooner, no place is handed out; 停诊 still concerns everybody (R34). A later cutoff
    /// takes up what an earlier one has ended (R24), and nothing what staff have.
    Shut = shut on Stoppage, Change, Terms until visits_end
        { Stopped -> Stopping, Changed -> Shut, Reopened -> Refreshing, Over -> Closed }
}

fn effects(run: RunId, edge: &Edge, release: &Release) -> Vec<Effect> {
    match (edge.from.and_then(Step::parse), edge.outcome) {
        (Some(Step::Matching), Some("Offered")) => {
            release.offer.iter().map(|offer| offered(run, offer, release)).collect()
        }
        (Some(Step::Stopping), Some("Told")) => {
            let id = &release.schedule_id;
            let stoppage = |of: Option<&String>, half: Option<&Half>| Stoppage {
                times: None,
                schedule_id: of.cloned(),
                waits_at: half.cloned(),
            };
            let ended = release.concerned.iter().map(|entry| (entry, stoppage(Some(id), None)));
            let of_day = release.of_day.iter().map(|entry| (entry, stoppage(None, None)));
            let moved = release.moving.iter().map(|(entry, half)| (entry, stoppage(Some(id), Some(half))));
            ended.chain(of_day).chain(moved).map(|(entry, stoppage)| stopped(*entry, id, &stoppage)).collect()
        }
        _ => Vec::new(),
    }
}

fn offered(run: RunId, offer: &state::OnOffer, release: &Release) -> Effect {
    let id = offer_id(run, offer.nth);
    let (freed_at, fee_fen) = (release.heard_at, release.fee_fen);
    let (change, half) = (release.change.clone(), release.day.as_ref().map(|day| day.half.clone()));
    let payload =
        serde_json::json!(Offer { id: id.clone(), slot: offer.slot.clone(), freed_at, fee_fen, change, half });
    Effect::Signal { to: To::Run(offer.entry), name: "Offer", id, payload }
}

fn stopped(entry: RunId, schedule_id: &str, stoppage: &Stoppage) -> Effect {
    Effect::Signal {
        to: To::Run(entry),
        name: "Stoppage",
        id: format!("stop:{schedule_id}"),
        payload: serde_json::json!(stoppage),
    }
}

/// A hand-out has no table of its own; what it has learnt of the free places is written where they are shown (R1): what
/// the queue took is not bookable, what nobody waits for is. A draw is held here, and it is seen whether there is still nobody to
/// ask: the run's row, which every admission shares, is held by this transaction.
async fn project(conn: &mut PgConnection, hospital: &str, moved: &[Projected<Release>]) -> sqlx::Result<()> {
    let free: Vec<Free> = moved
        .iter()
        .filter_map(|one| {
            let remaining = one.state.too_near + one.state.free.iter().map(|open| open.remaining).sum::<u32>();
            Some(Free { id: one.state.schedule_id.clone(), remaining, told_at: one.state.told_at? })
        })
        .collect();
    // First, while this transaction holds nothing but runs: whoever has an entry in hand may be waiting for what others hold.
    for one in moved.iter().filter(|one| one.step == Step::Idle.name()) {
        let seed = one.state.draw.as_ref().and_then(|draw| draw.seed.as_deref()).and_then(Seed::from_hex);
        if let Some(seed) = seed {
            draws::hold(conn, hospital, &one.state.schedule_id, &seed).await?;
        }
    }
    for one in moved.iter().filter(|one| one.step == Step::Idle.name() && one.state.unasked) {
        let (id, asked) = (&one.state.schedule_id, one.state.asked());
        // Whoever has joined since the step looked, and did not know that it had found nobody.
        let beside = schedules::beside(&mut *conn, hospital, &[id]).await?.remove(id).unwrap_or_default();
        if entries::first_in_line(&mut *conn, hospital, id, &beside, &asked).await?.is_some() {
            deliver(conn, hospital, &[Freed::unasked(id, Uuid::now_v7())]).await?;
        }
    }
    schedules::note_free(conn, hospital, &free).await
}

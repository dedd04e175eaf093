//! One handling of one step: what woke it, its handler, and what follows from the outcome. Writes nothing.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt;

use super::flow::{Edge, Effect, Fault, NewRun, Turn, Woke};
use super::registry::Mounted;
use super::store::claim::{Claimed, Unread};
use super::store::turns::{Came, Done, Move, Rest};
use super::table::{Chosen, Priority, StepRow};
use super::traces;

/// A handler that takes longer is given up: its calls have time-outs of their own, far shorter.
pub(super) const HANDLER_MAX: Duration = Duration::from_mins(2);

/// Runs the handler of the present step, with everything that can go wrong in it turned into a result.
pub(super) async fn handle(mounted: &dyn Mounted, row: &'static StepRow, run: &Claimed, unread: &[Unread]) -> Came {
    let turn = Turn {
        run: run.id,
        now: run.now,
        attempt: u32::try_from(run.attempt).unwrap_or(0),
        again: run.again || run.attempt > 0,
    };
    let woken = match wake(mounted, row, run, unread) {
        Ok(woken) => woken,
        Err(fault) => return failed(mounted, run, &fault),
    };
    let (woke, heard) = match &woken {
        Wake::Acts => (None, None),
        Wake::Parks(until) => return Came::Parked { until: *until, hears: row.hears },
        Wake::Deadline => (Some(Woke::Deadline), None),
        Wake::Hears(signal) => {
            traces::follows(&tracing::Span::current(), signal.trace.as_deref());
            (Some(Woke::Signal { name: &signal.name, payload: &signal.payload }), Some(signal.signal_id.clone()))
        }
    };
    let woke_name = woke.as_ref().map(|woke| match woke {
        Woke::Deadline => "deadline".to_owned(),
        Woke::Signal { name, .. } => (*name).to_owned(),
    });
    let handling = mounted.handle(&run.step, &run.state, &turn, woke);
    let answer = match tokio::time::timeout(HANDLER_MAX, handling).await {
        Ok(answer) => answer,
        // What it called may be under way.
        Err(_) => Err(Fault::Unknown(format!("the handler took longer than {} s", HANDLER_MAX.as_secs()))),
    };
    let moved = answer.and_then(|(state, chosen)| {
        let absorbed = absorbed(row, unread);
        let read = |id: &String| Some(id) == heard.as_ref() || absorbed.contains(id);
        let rest = rest_at(mounted, &chosen, &state, unread.iter().filter(|one| !read(&one.signal_id)))?;
        let edge = Edge { from: Some(row.name), outcome: Some(chosen.outcome), to: chosen.next };
        let effects = mounted.effects(run.id, &edge, &state)?;
        let next = mounted.table().step(chosen.next);
        Ok(Move {
            parent: if rest == Rest::Ended { run.parent } else { None },
            by_signals: woke_name.is_some(),
            lane: next.map_or("", StepRow::lane_stored),
            priority: next.map_or(Priority::Normal, |row| row.priority),
            owes: row.owed_after(&run.owes, chosen.outcome),
            absorbed,
            said: None,
            effects: with_trace(effects, run),
            chosen,
            state,
            woke: woke_name,
            heard,
            rest,
        })
    });
    match moved {
        Ok(moved) => Came::Moved(Box::new(moved)),
        Err(fault) => failed(mounted, run, &fault),
    }
}

/// The turn of a first step that is decided by its state alone, where its run rests after it and nothing else moves by it.
/// `None`: the run starts like any other.
pub(super) async fn decided(mounted: &dyn Mounted, new: &NewRun) -> Option<(Done, Move)> {
    if !new.step.by_state || mounted.projects() {
        return None;
    }
    // Such a step sees no clock, and this run is seen by nobody else.
    let (run, began) = (Claimed::begun(new.clone(), DateTime::UNIX_EPOCH), Instant::now());
    let came = AssertUnwindSafe(handle(mounted, new.step, &run, &[])).catch_unwind().await.ok()?;
    let to = match &came {
        Came::Moved(to) if to.effects.is_empty() && matches!(to.rest, Rest::Ended | Rest::Waits { .. }) => {
            Move::clone(to)
        }
        _ => return None,
    };
    let done = Done {
        run: new.id,
        workflow: new.workflow,
        generation: 0,
        turn: 0,
        attempt: 0,
        seen: 0,
        step: new.step.name,
        took: began.elapsed(),
        result: came,
    };
    Some((done, to))
}

/// Runs that a turn starts belong to the trace of its own run.
fn with_trace(mut effects: Vec<Effect>, run: &Claimed) -> Vec<Effect> {
    for effect in &mut effects {
        if let Effect::Start(new) = effect
            && new.trace.is_none()
        {
            new.trace.clone_from(&run.trace);
        }
    }
    effects
}

enum Wake<'a> {
    Acts,
    Hears(&'a Unread),
    Deadline,
    Parks(DateTime<Utc>),
}

/// What woke the present step. A signal that arrived by the deadline wins over it; a later one waits for another step.
fn wake<'a>(mounted: &dyn Mounted, row: &StepRow, run: &Claimed, unread: &'a [Unread]) -> Result<Wake<'a>, Fault> {
    if !row.waits() {
        return Ok(Wake::Acts);
    }
    let until = mounted
        .until(row.name, &run.state)?
        .ok_or_else(|| Fault::Stop(format!("the step {} waits without a deadline", row.name)))?;
    let in_time = |signal: &&Unread| row.hears.contains(&signal.name.as_str()) && signal.received_at <= until;
    Ok(match unread.iter().find(in_time) {
        Some(signal) => Wake::Hears(signal),
        None if run.now >= until => Wake::Deadline,
        None => Wake::Parks(until),
    })
}

/// What had come before this step looked, and said no more than that.
fn absorbed(row: &StepRow, unread: &[Unread]) -> Vec<String> {
    unread.iter().filter(|one| row.absorbs.contains(&one.name.as_str())).map(|one| one.signal_id.clone()).collect()
}

/// Where the run rests after `chosen`. A step that waits for something that is already there does not rest.
fn rest_at<'a>(
    mounted: &dyn Mounted,
    chosen: &Chosen,
    state: &serde_json::Value,
    mut unread: impl Iterator<Item = &'a Unread>,
) -> Result<Rest, Fault> {
    let Some(next) = mounted.table().step(chosen.next) else { return Ok(Rest::Ended) };
    let Some(until) = mounted.until(next.name, state)? else { return Ok(Rest::GoesOn) };
    let waits_already = unread.any(|signal| next.hears.contains(&signal.name.as_str()));
    Ok(if waits_already { Rest::GoesOn } else { Rest::Waits { until, hears: next.hears } })
}

/// What becomes of a turn that came to no outcome: another attempt by the step's policy, or a person.
pub(super) fn failed(mounted: &dyn Mounted, run: &Claimed, fault: &Fault) -> Came {
    let wait = match fault {
        Fault::Retry(_) | Fault::Unknown(_) => {
            let failures = u32::try_from(run.attempt).unwrap_or(0).saturating_add(1);
            let failing = run.failing_since.and_then(|since| (run.now - since).to_std().ok()).unwrap_or_default();
            let own = mounted.table().step(&run.step).and_then(|row| row.retry);
            own.unwrap_or_else(|| mounted.retry()).wait_after(failures, failing, rand::random())
        }
        Fault::Stop(_) => None,
    };
    Came::Failed { wait, class: fault.class(), error: fault.to_string() }
}

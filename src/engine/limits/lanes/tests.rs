//! What one worker may call, by what it sees.

use futures::FutureExt;

use super::super::breaker;
use super::super::lane::Answer;
use super::*;

pub fn seen(me: Uuid, state: &str, held: i64) -> Seen {
    Seen {
        name: "mill".to_owned(),
        concurrency_max: 4,
        rate_per_s: None,
        failures_min: 2,
        failures_share: 0.5,
        open_s: 30.0,
        open_max_s: 60.0,
        state: state.to_owned(),
        epoch: 0,
        open_until: (state == "open").then_some(chrono::DateTime::UNIX_EPOCH),
        prober: (state == "half_open").then_some(me),
        ramp: None,
        paused: false,
        held,
        ok: 0,
        failed: 0,
        unknown: 0,
        probe_wanted: false,
        now: chrono::DateTime::UNIX_EPOCH,
        me,
    }
}

pub fn lanes(me: Uuid, cap: u32, seen: Seen) -> Arc<Lanes> {
    let lanes = Lanes::new(me, ["mill"].into(), ["post"].into(), cap);
    lanes.renewed(Instant::now());
    look(&lanes, seen);
    lanes
}

fn look(lanes: &Lanes, seen: Seen) -> Plan {
    let (crew, seen) = (Crew::default(), [seen]);
    lanes.looks();
    let plan = lanes.seen(&crew, &seen);
    lanes.written(&plan, Some((&crew, &seen)));
    plan
}

pub fn take(lanes: &Arc<Lanes>, name: &'static str, most: usize) -> Vec<Pass> {
    let Some(mut reserved) = lanes.reserve(name, most) else { return Vec::new() };
    std::iter::from_fn(|| reserved.pass()).collect()
}

#[test]
fn what_is_reserved_serves_who_comes_by_and_goes_back_unused() {
    let me = Uuid::nil();
    let lanes = lanes(me, 64, seen(me, "closed", 0));
    let mut claim = lanes.reserve("mill", 9);
    assert_eq!(claim.as_ref().map(Reserved::count), Some(4));
    assert!(lanes.reserve("mill", 1).is_none());
    let passing = lanes.take_in_passing("mill", false);
    assert!(passing.is_some());
    let used: Vec<Pass> = std::iter::from_fn(|| claim.as_mut().and_then(Reserved::pass)).collect();
    assert_eq!(used.len(), 3, "one of the four is used by whom came by");
    assert!(lanes.take_in_passing("mill", true).is_none());
    drop((claim, used, passing));
    assert!(lanes.freed_for_runs.notified().now_or_never().is_some(), "somebody had found nothing");
    drop(lanes.reserve("mill", 9));
    assert!(lanes.freed_for_runs.notified().now_or_never().is_none(), "a claim does not call for another one");
    drop(lanes.reserve("mill", 2));
    assert_eq!(take(&lanes, "mill", 9).len(), 4);
}

#[test]
fn passes_are_as_many_as_are_free_and_come_back() {
    let me = Uuid::nil();
    let lanes = lanes(me, 64, seen(me, "closed", 1));
    let mut passes = take(&lanes, "mill", 9);
    assert_eq!((passes.len(), take(&lanes, "mill", 1).len()), (3, 0));
    passes.pop();
    assert_eq!(take(&lanes, "mill", 9).len(), 1);
    assert!(take(&lanes, "dairy", 1).is_empty(), "nobody knows of it");
}

#[test]
fn one_lane_does_not_fill_all_hands() {
    let me = Uuid::nil();
    assert_eq!(take(&lanes(me, 2, seen(me, "closed", 0)), "mill", 9).len(), 2);
}

#[test]
fn a_worker_that_may_be_thought_dead_calls_nobody_until_it_has_looked_again() {
    let me = Uuid::nil();
    let lanes = lanes(me, 64, seen(me, "closed", 0));
    lanes.renewed(Instant::now().checked_sub(TRUST).unwrap_or_else(Instant::now));
    assert!(take(&lanes, "mill", 1).is_empty());
    lanes.renewed(Instant::now());
    assert!(take(&lanes, "mill", 1).is_empty());
    let before = lanes.seen(&Crew::default(), &[seen(me, "closed", 0)]);
    lanes.with(|inner| inner.lapses += 1);
    lanes.written(&before, Some((&Crew::default(), &[seen(me, "closed", 0)])));
    assert!(take(&lanes, "mill", 1).is_empty(), "what was planned before does not count");
    look(&lanes, seen(me, "closed", 0));
    assert_eq!(take(&lanes, "mill", 9).len(), 4);
}

#[test]
fn failures_open_the_breaker_and_late_ones_of_before_do_not_count() {
    let me = Uuid::nil();
    let lanes = lanes(me, 64, seen(me, "closed", 0));
    let fails = |pass: Pass| pass.tell(Answer::Failed("away".to_owned()));
    let mut passes = take(&lanes, "mill", 4);
    let late = passes.split_off(2);
    passes.into_iter().for_each(fails);
    let opens = Change::Opens { error: "away".to_owned() };
    assert_eq!(look(&lanes, seen(me, "closed", 0)).changes, [("mill", 0, opens)]);
    look(&lanes, Seen { epoch: 1, ..seen(me, "open", 0) });
    assert!(take(&lanes, "mill", 1).is_empty());
    look(&lanes, Seen { epoch: 2, ramp: Some(1), ..seen(me, "closed", 0) });
    late.into_iter().for_each(fails);
    assert!(look(&lanes, Seen { epoch: 2, ramp: Some(1), ..seen(me, "closed", 0) }).changes.is_empty());
}

#[test]
fn a_failure_during_a_look_counts_by_the_clock_of_the_next_one() {
    let me = Uuid::nil();
    let lanes = lanes(me, 64, seen(me, "closed", 0));
    lanes.looks();
    // The clock has been read; it is moved, and the calls of the later instant fail before the look has ended.
    for pass in take(&lanes, "mill", 2) {
        pass.tell(Answer::Unknown("late".to_owned()));
    }
    assert!(take(&lanes, "mill", 1).is_empty(), "it is about to open");
    assert!(lanes.seen(&Crew::default(), &[seen(me, "closed", 0)]).changes.is_empty());
    let later = Seen { now: chrono::DateTime::UNIX_EPOCH + breaker::WINDOW * 6, ..seen(me, "closed", 0) };
    assert_eq!(look(&lanes, later).changes.len(), 1);
}

#[test]
fn answers_of_long_ago_do_not_speak_for_a_destination_that_fails_now() {
    let me = Uuid::nil();
    let lanes = lanes(me, 64, seen(me, "closed", 0));
    for _ in 0..9 {
        for pass in take(&lanes, "mill", 1) {
            pass.tell(Answer::Ok);
        }
    }
    look(&lanes, seen(me, "closed", 0));
    for pass in take(&lanes, "mill", 2) {
        pass.tell(Answer::Failed("away".to_owned()));
    }
    assert!(take(&lanes, "mill", 1).is_empty(), "the keeper looks first");
    look(&lanes, seen(me, "closed", 0));
    assert_eq!(take(&lanes, "mill", 1).len(), 1, "they were a moment ago");
    for pass in take(&lanes, "mill", 2) {
        pass.tell(Answer::Failed("away".to_owned()));
    }
    let later = Seen { now: chrono::DateTime::UNIX_EPOCH + breaker::WINDOW, ..seen(me, "closed", 0) };
    assert_eq!(look(&lanes, later).changes.len(), 1);
}

#[test]
fn half_open_lets_one_call_through_and_goes_by_its_answer() {
    let me = Uuid::nil();
    let half = || Seen { epoch: 1, ..seen(me, "half_open", 0) };
    let lanes = lanes(me, 64, half());
    let probe = take(&lanes, "mill", 9).pop();
    assert!(probe.is_some() && take(&lanes, "mill", 1).is_empty());
    drop(probe);
    let probe = take(&lanes, "mill", 9).pop();
    assert!(look(&lanes, half()).changes.is_empty(), "it is in hand");
    if let Some(probe) = probe {
        probe.tell(Answer::Ok);
    }
    assert_eq!(look(&lanes, half()).changes, [("mill", 1, Change::Closes { ramp: Some(1) })]);
    let ramps = || Seen { epoch: 2, ramp: Some(1), ..seen(me, "closed", 0) };
    look(&lanes, ramps());
    for pass in take(&lanes, "mill", 9) {
        pass.tell(Answer::Ok);
    }
    assert_eq!(look(&lanes, ramps()).changes, [("mill", 2, Change::Ramps { from: 1, to: Some(2) })]);
}

//! The lanes of one worker and their passes. Asks nobody: it goes by what the [keeper](super::Keeper) saw last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use super::super::store::destinations::{Change, Seen, Tally};
use super::lane::{Lane, Probe};
use super::pass::{Pass, Reserved};
use super::share::Crew;

/// A worker whose lease was renewed longer ago makes no new call: others may soon think it dead and take its share.
const TRUST: Duration = Duration::from_secs(3);

/// What the keeper is to write, and to change.
pub(super) struct Plan {
    /// This worker's rows that are not what is written.
    pub tallies: Vec<Tally>,
    /// Who may call how much once that is written: lane, allowance.
    allowances: BTreeMap<&'static str, u32>,
    /// Some of that is more than now: nobody may have come meanwhile.
    pub raises: bool,
    /// How often this worker had been thought dead.
    lapses: u32,
    /// Destinations whose state changes, with the epoch that was seen.
    pub changes: Vec<(&'static str, i32, Change)>,
}

/// See the module.
pub(in crate::engine) struct Lanes {
    worker: Uuid,
    cap: u32,
    inner: Mutex<Inner>,
    /// The keeper should look.
    pub(super) wanted: Notify,
    /// There may be passes for runs again.
    pub(in crate::engine) freed_for_runs: Notify,
    /// There may be passes for letters again.
    pub(in crate::engine) freed_for_letters: Notify,
}

pub(super) struct Inner {
    renewed_at: Option<Instant>,
    lapses: u32,
    agreed: bool,
    pub(super) lanes: BTreeMap<&'static str, Lane>,
}

impl Inner {
    /// True while it is certain that others count this worker in.
    fn is_trusted(&self, now: Instant) -> bool {
        self.renewed_at.is_some_and(|at| now.saturating_duration_since(at) < TRUST)
    }

    /// A lane, while that is so.
    fn trusted(&mut self, name: &str, now: Instant) -> Option<&mut Lane> {
        let trusted = self.is_trusted(now);
        self.lanes.get_mut(name).filter(|_| trusted)
    }
}

impl Lanes {
    /// No call is made until the keeper has looked. One lane never has more than `cap` passes, so that a slow destination
    /// does not fill a worker's hands.
    pub(in crate::engine) fn new(worker: Uuid, names: impl IntoIterator<Item = &'static str>, cap: u32) -> Arc<Self> {
        let lanes = names.into_iter().map(|name| (name, Lane::new())).collect();
        let inner = Inner { renewed_at: None, lapses: 0, agreed: false, lanes };
        let (wanted, freed_for_runs, freed_for_letters) = (Notify::new(), Notify::new(), Notify::new());
        Arc::new(Self { worker, cap: cap.max(1), inner: Mutex::new(inner), wanted, freed_for_runs, freed_for_letters })
    }

    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// False where the worker may be thought dead: its lease was renewed too long ago.
    pub(in crate::engine) fn is_trusted(&self) -> bool {
        let now = Instant::now();
        self.with(|inner| inner.is_trusted(now))
    }

    /// The lanes there are.
    pub(in crate::engine) fn names(&self) -> Vec<&'static str> {
        self.with(|inner| inner.lanes.keys().copied().collect())
    }

    /// The worker's lease was renewed by a statement that was sent at `at`. Where it may have ended in between, others
    /// may have taken this worker's shares: it has none until it has looked again.
    pub(in crate::engine) fn renewed(&self, at: Instant) {
        self.with(|inner| {
            if inner.renewed_at.is_some_and(|before| before.elapsed() >= TRUST) {
                inner.lapses += 1;
                inner.lanes.values_mut().for_each(|lane| lane.allowance = 0);
            }
            inner.renewed_at = Some(at);
        });
    }

    /// Up to `most` passes of a lane for a claim; none where there is none.
    pub(in crate::engine) fn reserve(self: &Arc<Self>, name: &'static str, most: usize) -> Option<Reserved> {
        let now = Instant::now();
        self.with(|inner| {
            let lane = inner.trusted(name, now)?;
            if matches!(lane.probe, Probe::Free(_)) && most > 0 && lane.may_call(self.cap, now) {
                let probe = Some(self.pass(name, lane, true));
                return Some(Reserved { lanes: Arc::clone(self), lane: name, left: 0, probe });
            }
            let (others, mut left) = (lane.reserved > 0, 0);
            while left < most && lane.may_call(self.cap, now) {
                lane.reserved += 1;
                left += 1;
            }
            lane.wanted |= left < most && (others || left == 0);
            (left > 0).then(|| Reserved { lanes: Arc::clone(self), lane: name, left, probe: None })
        })
    }

    pub(super) fn pass(self: &Arc<Self>, name: &'static str, lane: &mut Lane, probe: bool) -> Pass {
        lane.in_hand += 1;
        if probe {
            let since = if let Probe::Free(since) = lane.probe { since } else { Instant::now() };
            lane.probe = Probe::InHand(since);
        }
        Pass { lanes: Arc::clone(self), lane: name, epoch: lane.epoch, probe, answer: None }
    }

    /// True where a pass, which was taken before its run was claimed, still lets call.
    pub(super) fn stands(&self, pass: &Pass) -> bool {
        self.with(|inner| inner.lanes.get(pass.lane).is_some_and(|lane| lane.stands(pass.epoch, pass.probe)))
    }

    /// How many rounds of claiming this lane has been in; this one counts.
    pub(super) fn rounds(&self, name: &str) -> u64 {
        self.with(|inner| {
            let Some(lane) = inner.lanes.get_mut(name) else { return 0 };
            lane.rounds = lane.rounds.wrapping_add(1);
            lane.rounds.wrapping_sub(1)
        })
    }

    /// A pass for a run that comes to a step of this lane by itself: not before others that wait there, unless it cannot
    /// wait. A claim that is under way hardly ever uses all that it reserved, so one of those will do.
    pub(in crate::engine) fn take_in_passing(self: &Arc<Self>, name: &'static str, urgent: bool) -> Option<Pass> {
        let now = Instant::now();
        self.with(|inner| {
            let lane = inner.trusted(name, now)?;
            if lane.short && !urgent {
                return None;
            }
            let probe = matches!(lane.probe, Probe::Free(_));
            if lane.may_call(self.cap, now) {
                return Some(self.pass(name, lane, probe));
            }
            if lane.reserved > 0 && lane.stands(lane.epoch, false) {
                lane.reserved -= 1;
                return Some(self.pass(name, lane, false));
            }
            lane.short = true;
            None
        })
    }

    /// How long until a lane in which more may be due has a pass by its rate; none where rates hold up nothing.
    pub(in crate::engine) fn wait(&self) -> Option<Duration> {
        let now = Instant::now();
        self.with(|inner| {
            let held_up = inner.lanes.values().filter(|lane| lane.short && lane.in_hand < lane.allowance);
            held_up.filter_map(|lane| lane.bucket.as_ref().map(|bucket| bucket.wait(now))).min()
        })
    }

    /// True where a destination is down, recovers or is paused: the engine's clock matters to it.
    pub(super) fn is_uneasy(&self) -> bool {
        self.with(|inner| inner.lanes.values().any(|lane| !lane.is_easy()))
    }

    /// True where this worker has no share yet because others have not seen it.
    pub(super) fn is_new(&self) -> bool {
        self.with(|inner| !inner.agreed && !inner.lanes.is_empty())
    }

    /// The keeper begins to look.
    pub(super) fn looks(&self) {
        self.with(|inner| {
            for lane in inner.lanes.values_mut() {
                lane.taken = lane.taken.plus(std::mem::take(&mut lane.fresh));
            }
        });
    }

    /// What the keeper saw. Less counts at once; more only when it is [written](Self::written).
    pub(super) fn seen(&self, crew: &Crew, seen: &[Seen]) -> Plan {
        let now = Instant::now();
        self.with(|inner| {
            inner.agreed = crew.agrees(self.worker);
            let (tallies, changes, allowances) = (Vec::new(), Vec::new(), BTreeMap::new());
            let mut plan = Plan { tallies, changes, allowances, raises: false, lapses: inner.lapses };
            for (name, lane) in &mut inner.lanes {
                let Some(seen) = seen.iter().find(|seen| seen.name == *name) else { continue };
                let own = lane.adopt(seen);
                let allowance = lane.share(crew, seen);
                if allowance <= lane.allowance {
                    lane.set_allowance(allowance, now);
                }
                plan.raises |= allowance > lane.allowance;
                plan.allowances.insert(name, allowance);
                let tally = lane.tally(name, allowance, own);
                if lane.written != Some(tally) {
                    plan.tallies.push(tally);
                }
                plan.changes.extend(lane.change(seen, self.worker).map(|change| (*name, lane.epoch, change)));
            }
            plan
        })
    }

    /// The plan is written: what others see of this worker is what it does. `again` is what was seen after that, where
    /// the plan raises anything.
    pub(super) fn written(&self, plan: &Plan, again: Option<(&Crew, &[Seen])>) {
        let now = Instant::now();
        let more = self.with(|inner| {
            let mut more = false;
            let valid = inner.lapses == plan.lapses;
            for (name, lane) in &mut inner.lanes {
                if let Some(tally) = plan.tallies.iter().find(|tally| tally.destination == *name) {
                    lane.written = Some(*tally);
                }
                more |= matches!(lane.probe, Probe::Free(_));
                let (Some(planned), Some((crew, seen))) = (plan.allowances.get(name), again) else { continue };
                let Some(seen) = seen.iter().find(|seen| seen.name == *name).filter(|_| valid) else { continue };
                let allowance = lane.share(crew, seen).min(*planned);
                more |= allowance > lane.allowance;
                lane.set_allowance(allowance, now);
            }
            more
        });
        if more {
            self.freed();
        }
    }

    pub(super) fn freed(&self) {
        self.freed_for_runs.notify_one();
        self.freed_for_letters.notify_one();
    }

    pub(super) fn give_back(&self, pass: &mut Pass) {
        let (urgent, short) = self.with(|inner| {
            let Some(lane) = inner.lanes.get_mut(pass.lane) else { return (false, false) };
            lane.take_back(pass.answer.take(), pass.epoch, pass.probe);
            (lane.is_urgent(), lane.short || std::mem::take(&mut lane.wanted))
        });
        if urgent {
            self.wanted.notify_one();
        }
        if short {
            self.freed();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
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
        let lanes = Lanes::new(me, ["mill"], cap);
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
}

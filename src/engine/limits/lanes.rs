//! The lanes of one worker and their passes. Asks nobody: it goes by what the [keeper](super::Keeper) saw last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use super::super::store::destinations::{Change, Seen, Tally};
use super::lane::{Answer, Lane, Probe};
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

struct Inner {
    renewed_at: Option<Instant>,
    lapses: u32,
    agreed: bool,
    lanes: BTreeMap<&'static str, Lane>,
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

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// Up to `most` passes of a lane.
    pub(in crate::engine) fn take(self: &Arc<Self>, name: &'static str, most: usize) -> Vec<Pass> {
        let now = Instant::now();
        self.with(|inner| {
            let trusted = inner.renewed_at.is_some_and(|at| now.saturating_duration_since(at) < TRUST);
            let Some(lane) = inner.lanes.get_mut(name).filter(|_| trusted) else { return Vec::new() };
            let mut passes = Vec::new();
            while passes.len() < most && lane.may_call(self.cap, now) {
                let probe = matches!(lane.probe, Probe::Free(_));
                if probe {
                    lane.probe = Probe::InHand;
                }
                lane.in_hand += 1;
                passes.push(Pass { lanes: Arc::clone(self), lane: name, epoch: lane.epoch, probe, answer: None });
            }
            passes
        })
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
    /// wait.
    pub(in crate::engine) fn take_in_passing(self: &Arc<Self>, name: &'static str, urgent: bool) -> Option<Pass> {
        if !urgent && self.with(|inner| inner.lanes.get(name).is_some_and(|lane| lane.short)) {
            return None;
        }
        let pass = self.take(name, 1).pop();
        if pass.is_none() {
            self.claimed(name, 0, 0);
        }
        pass
    }

    /// A claim had `taken` passes and used `used` of them: where it used all, more may be due.
    pub(in crate::engine) fn claimed(&self, name: &str, taken: usize, used: usize) {
        self.with(|inner| {
            if let Some(lane) = inner.lanes.get_mut(name) {
                lane.short = used >= taken;
            }
        });
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

    fn freed(&self) {
        self.freed_for_runs.notify_one();
        self.freed_for_letters.notify_one();
    }

    fn give_back(&self, pass: &mut Pass) {
        let (urgent, short) = self.with(|inner| {
            let Some(lane) = inner.lanes.get_mut(pass.lane) else { return (false, false) };
            lane.take_back(pass.answer.take(), pass.epoch, pass.probe);
            (lane.is_urgent(), lane.short)
        });
        if urgent {
            self.wanted.notify_one();
        }
        if short {
            self.freed();
        }
    }
}

/// Lets one turn or letter call. Given back unused when it is dropped without an [answer](Self::tell).
pub(in crate::engine) struct Pass {
    lanes: Arc<Lanes>,
    lane: &'static str,
    epoch: i32,
    probe: bool,
    answer: Option<Answer>,
}

impl Pass {
    /// The lane that it is for.
    pub(in crate::engine) fn lane(&self) -> &'static str {
        self.lane
    }

    /// Gives it back with how the call ended.
    pub(in crate::engine) fn tell(mut self, answer: Answer) {
        self.answer = Some(answer);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let lanes = Arc::clone(&self.lanes);
        lanes.give_back(self);
    }
}

#[cfg(test)]
mod tests {
    use super::super::breaker;
    use super::*;

    fn seen(me: Uuid, state: &str, held: i64) -> Seen {
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

    fn lanes(me: Uuid, cap: u32, seen: Seen) -> Arc<Lanes> {
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

    #[test]
    fn passes_are_as_many_as_are_free_and_come_back() {
        let me = Uuid::nil();
        let lanes = lanes(me, 64, seen(me, "closed", 1));
        let mut passes = lanes.take("mill", 9);
        assert_eq!((passes.len(), lanes.take("mill", 1).len()), (3, 0));
        passes.pop();
        assert_eq!(lanes.take("mill", 9).len(), 1);
        assert!(lanes.take("dairy", 1).is_empty(), "nobody knows of it");
    }

    #[test]
    fn one_lane_does_not_fill_all_hands() {
        let me = Uuid::nil();
        assert_eq!(lanes(me, 2, seen(me, "closed", 0)).take("mill", 9).len(), 2);
    }

    #[test]
    fn a_worker_that_may_be_thought_dead_calls_nobody_until_it_has_looked_again() {
        let me = Uuid::nil();
        let lanes = lanes(me, 64, seen(me, "closed", 0));
        lanes.renewed(Instant::now().checked_sub(TRUST).unwrap_or_else(Instant::now));
        assert!(lanes.take("mill", 1).is_empty());
        lanes.renewed(Instant::now());
        assert!(lanes.take("mill", 1).is_empty());
        let before = lanes.seen(&Crew::default(), &[seen(me, "closed", 0)]);
        lanes.with(|inner| inner.lapses += 1);
        lanes.written(&before, Some((&Crew::default(), &[seen(me, "closed", 0)])));
        assert!(lanes.take("mill", 1).is_empty(), "what was planned before does not count");
        look(&lanes, seen(me, "closed", 0));
        assert_eq!(lanes.take("mill", 9).len(), 4);
    }

    #[test]
    fn failures_open_the_breaker_and_late_ones_of_before_do_not_count() {
        let me = Uuid::nil();
        let lanes = lanes(me, 64, seen(me, "closed", 0));
        let fails = |pass: Pass| pass.tell(Answer::Failed("away".to_owned()));
        let mut passes = lanes.take("mill", 4);
        let late = passes.split_off(2);
        passes.into_iter().for_each(fails);
        let opens = Change::Opens { error: "away".to_owned() };
        assert_eq!(look(&lanes, seen(me, "closed", 0)).changes, [("mill", 0, opens)]);
        look(&lanes, Seen { epoch: 1, ..seen(me, "open", 0) });
        assert!(lanes.take("mill", 1).is_empty());
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
        lanes.take("mill", 2).into_iter().for_each(|pass| pass.tell(Answer::Unknown("late".to_owned())));
        assert!(lanes.take("mill", 1).is_empty(), "it is about to open");
        assert!(lanes.seen(&Crew::default(), &[seen(me, "closed", 0)]).changes.is_empty());
        let later = Seen { now: chrono::DateTime::UNIX_EPOCH + breaker::WINDOW * 6, ..seen(me, "closed", 0) };
        assert_eq!(look(&lanes, later).changes.len(), 1);
    }

    #[test]
    fn answers_of_long_ago_do_not_speak_for_a_destination_that_fails_now() {
        let me = Uuid::nil();
        let lanes = lanes(me, 64, seen(me, "closed", 0));
        for _ in 0..9 {
            lanes.take("mill", 1).into_iter().for_each(|pass| pass.tell(Answer::Ok));
        }
        look(&lanes, seen(me, "closed", 0));
        lanes.take("mill", 2).into_iter().for_each(|pass| pass.tell(Answer::Failed("away".to_owned())));
        assert!(lanes.take("mill", 1).is_empty(), "the keeper looks first");
        look(&lanes, seen(me, "closed", 0));
        assert_eq!(lanes.take("mill", 1).len(), 1, "they were a moment ago");
        lanes.take("mill", 2).into_iter().for_each(|pass| pass.tell(Answer::Failed("away".to_owned())));
        let later = Seen { now: chrono::DateTime::UNIX_EPOCH + breaker::WINDOW, ..seen(me, "closed", 0) };
        assert_eq!(look(&lanes, later).changes.len(), 1);
    }

    #[test]
    fn half_open_lets_one_call_through_and_goes_by_its_answer() {
        let me = Uuid::nil();
        let half = || Seen { epoch: 1, ..seen(me, "half_open", 0) };
        let lanes = lanes(me, 64, half());
        let probe = lanes.take("mill", 9).pop();
        assert!(probe.is_some() && lanes.take("mill", 1).is_empty());
        drop(probe);
        let probe = lanes.take("mill", 9).pop();
        assert!(look(&lanes, half()).changes.is_empty(), "it is in hand");
        if let Some(probe) = probe {
            probe.tell(Answer::Ok);
        }
        assert_eq!(look(&lanes, half()).changes, [("mill", 1, Change::Closes { ramp: Some(1) })]);
        let ramps = || Seen { epoch: 2, ramp: Some(1), ..seen(me, "closed", 0) };
        look(&lanes, ramps());
        lanes.take("mill", 9).into_iter().for_each(|pass| pass.tell(Answer::Ok));
        assert_eq!(look(&lanes, ramps()).changes, [("mill", 2, Change::Ramps { from: 1, to: Some(2) })]);
    }
}

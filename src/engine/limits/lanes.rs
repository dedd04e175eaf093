//! The lanes of one worker and their passes. Asks nobody: it goes by what the [keeper](super::Keeper) saw last.

use std::collections::{BTreeMap, BTreeSet};
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
    for_runs: BTreeSet<&'static str>,
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
    /// The lanes of runs, and those of letters. No call is made until the keeper has looked. One lane never has more than `cap` passes, so that a slow destination
    /// does not fill a worker's hands.
    pub(in crate::engine) fn new(
        worker: Uuid,
        for_runs: BTreeSet<&'static str>,
        for_letters: BTreeSet<&'static str>,
        cap: u32,
    ) -> Arc<Self> {
        let lanes = for_runs.union(&for_letters).map(|name| (*name, Lane::new())).collect();
        let inner = Inner { renewed_at: None, lapses: 0, agreed: false, lanes };
        let (wanted, freed_for_runs, freed_for_letters) = (Notify::new(), Notify::new(), Notify::new());
        Arc::new(Self {
            worker,
            cap: cap.max(1),
            for_runs,
            inner: Mutex::new(inner),
            wanted,
            freed_for_runs,
            freed_for_letters,
        })
    }

    pub(super) fn cap(&self) -> u32 {
        self.cap
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
        if short && self.for_runs.contains(pass.lane) {
            self.freed();
        } else if short {
            self.freed_for_letters.notify_one();
        }
    }
}

#[cfg(test)]
pub(super) mod tests;

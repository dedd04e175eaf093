//! The lanes of one worker and their passes. Asks nobody: it goes by what the [keeper](super::Keeper) saw last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::super::store::destinations::{Change, Seen, Tally};
use super::Limits;
use super::breaker::{self, Counts, State, Window};
use super::bucket::Bucket;
use super::share::Crew;

/// A worker whose lease was renewed longer ago makes no new call: others may soon think it dead and take its share.
const TRUST: Duration = Duration::from_secs(3);
/// The one call of a half-open destination is left to another worker after so long.
const PROBE_FREE_MAX: Duration = Duration::from_secs(1);

/// How a turn or letter with a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum Answer {
    /// The destination answered, if only with a refusal.
    Ok,
    /// It certainly did nothing.
    Failed(String),
    /// Who knows.
    Unknown(String),
}

/// The one call of a half-open destination, where it is this worker's.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Probe {
    NotOurs,
    Free(Instant),
    InHand,
    Ended(Answer),
}

struct Lane {
    limits: Limits,
    state: State,
    paused: bool,
    epoch: i32,
    allowance: u32,
    bucket: Option<Bucket>,
    in_hand: u32,
    probe: Probe,
    fresh: Counts,
    window: Window,
    /// What counted when the keeper looked last, everybody's together.
    counted: Counts,
    /// Answers since the ramp was raised.
    answers: u32,
    last_error: String,
    /// The last claim used up all passes: more may be due.
    short: bool,
    written: Option<Tally>,
}

impl Lane {
    fn new() -> Self {
        Self {
            limits: Limits::default(),
            state: State::Closed { ramp: None },
            paused: false,
            epoch: 0,
            allowance: 0,
            bucket: None,
            in_hand: 0,
            probe: Probe::NotOurs,
            fresh: Counts::default(),
            window: Window::default(),
            counted: Counts::default(),
            answers: 0,
            last_error: String::new(),
            short: false,
            written: None,
        }
    }

    fn ramp(&self) -> Option<u32> {
        if let State::Closed { ramp } = self.state { ramp } else { None }
    }

    fn is_easy(&self) -> bool {
        self.state == State::Closed { ramp: None } && !self.paused
    }

    /// What is to become of the destination, by what was seen of it.
    fn change(&self, seen: &Seen, me: Uuid) -> Option<Change> {
        match (self.state, &self.probe) {
            (State::HalfOpen { prober }, Probe::Ended(answer)) if prober == me => Some(match answer {
                Answer::Ok => Change::Closes { ramp: (self.limits.concurrency_max > 1).then_some(1) },
                Answer::Failed(error) | Answer::Unknown(error) => Change::Opens { error: error.clone() },
            }),
            (State::HalfOpen { prober }, Probe::Free(since)) if prober == me => {
                (self.paused || since.elapsed() > PROBE_FREE_MAX).then_some(Change::LeavesProbe)
            }
            (State::HalfOpen { .. } | State::Open { .. }, _) => (seen.probe_wanted && !self.paused).then_some(Change::Probes),
            (State::Closed { ramp }, _) if breaker::opens(&self.limits, ramp, self.counted) => {
                Some(Change::Opens { error: self.last_error.clone() })
            }
            (State::Closed { ramp: Some(ramp) }, _) if self.answers >= self.allowance.max(1) => {
                Some(Change::Ramps { from: ramp, to: breaker::next_ramp(self.limits.concurrency_max, ramp) })
            }
            (State::Closed { .. }, _) => None,
        }
    }

    /// True where the keeper should look at once.
    fn is_urgent(&self) -> bool {
        match (self.state, &self.probe) {
            (_, Probe::Ended(_)) => true,
            (State::Closed { ramp }, _) => {
                breaker::opens(&self.limits, ramp, self.counted.plus(self.fresh))
                    || (ramp.is_some() && self.answers >= self.allowance.max(1))
            }
            (State::Open { .. } | State::HalfOpen { .. }, _) => false,
        }
    }

    fn may_call(&mut self, cap: u32, now: Instant) -> bool {
        if self.paused {
            return false;
        }
        match self.state {
            State::Open { .. } => false,
            State::HalfOpen { .. } => matches!(self.probe, Probe::Free(_)),
            State::Closed { .. } => {
                self.in_hand < self.allowance.min(cap) && self.bucket.as_mut().is_none_or(|bucket| bucket.take(now))
            }
        }
    }

    fn adopt(&mut self, seen: &Seen) {
        let State::HalfOpen { prober } = seen.state() else {
            self.probe = Probe::NotOurs;
            return self.adopt_state(seen);
        };
        if prober != seen.me {
            self.probe = Probe::NotOurs;
        } else if self.probe == Probe::NotOurs {
            self.probe = Probe::Free(Instant::now());
        }
        self.adopt_state(seen);
    }

    fn adopt_state(&mut self, seen: &Seen) {
        if self.epoch != seen.epoch {
            self.epoch = seen.epoch;
            self.window.clear();
            self.fresh = Counts::default();
            self.answers = 0;
        }
        if seen.state() != self.state {
            self.answers = 0;
        }
        self.limits = seen.limits();
        self.state = seen.state();
        self.paused = seen.paused;
        self.counted = self.window.add(seen.now, std::mem::take(&mut self.fresh));
    }

    /// The part of the rate that goes with the part of the calls.
    fn set_rate(&mut self, whole: u32, now: Instant) {
        let part = f64::from(self.allowance) / f64::from(whole.max(1));
        match (self.limits.rate_per_s.map(|rate| rate * part), &mut self.bucket) {
            (None, bucket) => *bucket = None,
            (Some(rate), Some(bucket)) => bucket.set_rate(rate, now),
            (Some(rate), bucket) => *bucket = Some(Bucket::new(rate, now)),
        }
    }
}

/// What the keeper is to write, and to change.
pub(super) struct Plan {
    /// This worker's rows that are not what is written.
    pub tallies: Vec<Tally>,
    /// Who may call how much once that is written: lane, allowance, of how many.
    allowances: Vec<(&'static str, u32, u32)>,
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
    /// Somebody may claim again.
    pub(in crate::engine) freed: Notify,
}

struct Inner {
    renewed_at: Option<Instant>,
    lanes: BTreeMap<&'static str, Lane>,
}

impl Lanes {
    /// No call is made until the keeper has looked. One lane never has more than `cap` passes, so that a slow destination
    /// does not fill a worker's hands.
    pub(in crate::engine) fn new(worker: Uuid, names: impl IntoIterator<Item = &'static str>, cap: u32) -> Arc<Self> {
        let lanes = names.into_iter().map(|name| (name, Lane::new())).collect();
        let inner = Mutex::new(Inner { renewed_at: None, lanes });
        Arc::new(Self { worker, cap: cap.max(1), inner, wanted: Notify::new(), freed: Notify::new() })
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lanes there are.
    pub(in crate::engine) fn names(&self) -> Vec<&'static str> {
        self.with(|inner| inner.lanes.keys().copied().collect())
    }

    /// The worker's lease was renewed by a statement that was sent at `at`.
    pub(in crate::engine) fn renewed(&self, at: Instant) {
        self.with(|inner| inner.renewed_at = Some(at));
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

    /// A pass for a run that comes to a step of this lane by itself: not before others that wait there, unless it cannot
    /// wait.
    pub(in crate::engine) fn take_in_passing(self: &Arc<Self>, name: &'static str, urgent: bool) -> Option<Pass> {
        if !urgent && self.with(|inner| inner.lanes.get(name).is_some_and(|lane| lane.short)) {
            return None;
        }
        self.take(name, 1).pop()
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
        self.with(|inner| inner.lanes.values().all(|lane| lane.allowance == 0) && !inner.lanes.is_empty())
    }

    /// What the keeper saw. Less counts at once; more only when it is [written](Self::written).
    pub(super) fn seen(&self, crew: &Crew, seen: &[Seen]) -> Plan {
        let now = Instant::now();
        self.with(|inner| {
            let mut plan = Plan { tallies: Vec::new(), allowances: Vec::new(), changes: Vec::new() };
            for (name, lane) in &mut inner.lanes {
                let Some(seen) = seen.iter().find(|seen| seen.name == *name) else { continue };
                lane.adopt(seen);
                let own = lane.counted;
                lane.counted = own.plus(seen.others());
                let whole = lane.ramp().unwrap_or(u32::MAX).min(lane.limits.concurrency_max);
                let allowance = crew.allowance(self.worker, whole, seen.held());
                if allowance <= lane.allowance {
                    lane.allowance = allowance;
                    lane.set_rate(lane.limits.concurrency_max, now);
                }
                let tally = Tally {
                    destination: name,
                    holds: allowance.max(lane.in_hand),
                    in_hand: lane.in_hand,
                    short: lane.short,
                    epoch: lane.epoch,
                    counts: own,
                };
                if lane.written != Some(tally) {
                    plan.tallies.push(tally);
                }
                plan.allowances.push((name, allowance, lane.limits.concurrency_max));
                plan.changes.extend(lane.change(seen, self.worker).map(|change| (*name, lane.epoch, change)));
            }
            plan
        })
    }

    /// The plan is written: what others see of this worker is what it does.
    pub(super) fn written(&self, plan: &Plan) {
        let now = Instant::now();
        let more = self.with(|inner| {
            let mut more = false;
            for (name, allowance, whole) in &plan.allowances {
                let Some(lane) = inner.lanes.get_mut(name) else { continue };
                if let Some(tally) = plan.tallies.iter().find(|tally| tally.destination == *name) {
                    lane.written = Some(*tally);
                }
                more |= *allowance > lane.allowance || matches!(lane.probe, Probe::Free(_));
                lane.allowance = *allowance;
                lane.set_rate(*whole, now);
            }
            more
        });
        if more {
            self.freed.notify_waiters();
        }
    }

    fn give_back(&self, pass: &mut Pass) {
        let (urgent, short) = self.with(|inner| {
            let Some(lane) = inner.lanes.get_mut(pass.lane) else { return (false, false) };
            lane.in_hand = lane.in_hand.saturating_sub(1);
            let answer = pass.answer.take();
            if answer.is_none()
                && let Some(bucket) = &mut lane.bucket
            {
                bucket.put_back();
            }
            if pass.probe {
                if lane.probe == Probe::InHand {
                    lane.probe = answer.map_or_else(|| Probe::Free(Instant::now()), Probe::Ended);
                }
                return (true, true);
            }
            // A call that began before the state changed says nothing about what is now.
            if pass.epoch == lane.epoch {
                match answer {
                    None => {}
                    Some(Answer::Ok) => {
                        lane.fresh.ok += 1;
                        lane.answers += 1;
                    }
                    Some(Answer::Failed(error)) => {
                        lane.fresh.failed += 1;
                        lane.last_error = error;
                    }
                    Some(Answer::Unknown(error)) => {
                        lane.fresh.unknown += 1;
                        lane.last_error = error;
                    }
                }
            }
            (lane.is_urgent(), lane.short)
        });
        if urgent {
            self.wanted.notify_one();
        }
        if short {
            self.freed.notify_waiters();
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

impl Seen {
    fn state(&self) -> State {
        match (self.state.as_str(), self.open_until, self.prober) {
            ("open", Some(until), _) => State::Open { until },
            ("half_open", _, Some(prober)) => State::HalfOpen { prober },
            _ => State::Closed { ramp: self.ramp.and_then(|ramp| u32::try_from(ramp).ok()) },
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            concurrency_max: u32::try_from(self.concurrency_max).unwrap_or(1),
            rate_per_s: self.rate_per_s,
            failures_min: u32::try_from(self.failures_min).unwrap_or(1),
            failures_share: self.failures_share,
            open: Duration::from_secs_f64(self.open_s.max(0.0)),
            open_max: Duration::from_secs_f64(self.open_max_s.max(0.0)),
        }
    }

    fn others(&self) -> Counts {
        let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        Counts { ok: count(self.ok), failed: count(self.failed), unknown: count(self.unknown) }
    }

    fn held(&self) -> u32 {
        u32::try_from(self.held).unwrap_or(u32::MAX)
    }
}

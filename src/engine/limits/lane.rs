//! One destination as one worker sees it: what it may call there, and what is to become of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

use super::super::store::destinations::{Change, Seen, Tally};
use super::Limits;
use super::breaker::{self, Counts, State, Window};
use super::bucket::Bucket;
use super::share::Crew;

/// The one call of a half-open destination is left to another worker after so long.
const PROBE_FREE_MAX: Duration = Duration::from_secs(1);

/// A recovering destination that nothing goes wrong with is called more after so long, however few calls there are.
const QUIET_RAMP: Duration = Duration::from_secs(1);

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
pub(super) enum Probe {
    NotOurs,
    Free(Instant),
    /// Free since then before.
    InHand(Instant),
    Ended(Answer),
}

pub(super) struct Lane {
    pub(super) limits: Limits,
    pub(super) state: State,
    pub(super) state_since: Instant,
    pub(super) paused: bool,
    pub(super) epoch: i32,
    pub(super) allowance: u32,
    pub(super) bucket: Option<Bucket>,
    pub(super) in_hand: u32,
    /// What claims that are under way may use.
    pub(super) reserved: u32,
    /// Somebody found nothing because all was reserved or in hand.
    pub(super) wanted: bool,
    pub(super) probe: Probe,
    pub(super) fresh: Counts,
    /// What ended before the keeper began to look: by the clock that it sees, it has ended.
    pub(super) taken: Counts,
    pub(super) window: Window,
    /// What counted when the keeper looked last, everybody's together.
    pub(super) counted: Counts,
    /// Answers since the ramp was raised.
    pub(super) answers: u32,
    pub(super) last_error: String,
    /// The last claim used up all passes: more may be due.
    pub(super) short: bool,
    pub(super) written: Option<Tally>,
    pub(super) rounds: u64,
    /// Runs that wait in this worker's hands for a pass, and how they hear of one.
    pub(super) ahead: u32,
    pub(super) freed: Arc<Notify>,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            limits: Limits::default(),
            state: State::Closed { ramp: None },
            state_since: Instant::now(),
            paused: false,
            epoch: 0,
            allowance: 0,
            bucket: None,
            in_hand: 0,
            reserved: 0,
            wanted: false,
            probe: Probe::NotOurs,
            fresh: Counts::default(),
            taken: Counts::default(),
            window: Window::default(),
            counted: Counts::default(),
            answers: 0,
            last_error: String::new(),
            short: false,
            written: None,
            rounds: 0,
            ahead: 0,
            freed: Arc::new(Notify::new()),
        }
    }

    pub(super) fn ramp(&self) -> Option<u32> {
        if let State::Closed { ramp } = self.state { ramp } else { None }
    }

    pub(super) fn is_easy(&self) -> bool {
        self.state == State::Closed { ramp: None } && !self.paused
    }

    /// What is to become of the destination, by what was seen of it.
    pub(super) fn change(&self, seen: &Seen, me: Uuid) -> Option<Change> {
        match (self.state, &self.probe) {
            (State::HalfOpen { prober }, Probe::Ended(answer)) if prober == me => Some(match answer {
                Answer::Ok => Change::Closes { ramp: (self.limits.concurrency_max > 1).then_some(1) },
                Answer::Failed(error) | Answer::Unknown(error) => Change::Opens { error: error.clone() },
            }),
            (State::HalfOpen { prober }, Probe::Free(since)) if prober == me => {
                (self.paused || since.elapsed() > PROBE_FREE_MAX).then_some(Change::LeavesProbe)
            }
            (State::HalfOpen { .. } | State::Open { .. }, _) => {
                (seen.probe_wanted && !self.paused).then_some(Change::Probes)
            }
            (State::Closed { ramp }, _) if breaker::opens(&self.limits, ramp, self.counted) => {
                Some(Change::Opens { error: self.last_error.clone() })
            }
            (State::Closed { ramp: Some(ramp) }, _) if self.may_ramp() => {
                Some(Change::Ramps { from: ramp, to: breaker::next_ramp(self.limits.concurrency_max, ramp) })
            }
            (State::Closed { .. }, _) => None,
        }
    }

    /// True where the keeper should look at once.
    pub(super) fn is_urgent(&self) -> bool {
        match (self.state, &self.probe) {
            (_, Probe::Ended(_)) => true,
            (State::Closed { ramp }, _) => {
                self.is_opening() || (ramp.is_some() && self.answers >= self.allowance.max(1))
            }
            (State::Open { .. } | State::HalfOpen { .. }, _) => false,
        }
    }

    /// As many answers as calls are let through, or a while without a failure: what comes seldom recovers too.
    fn may_ramp(&self) -> bool {
        self.answers >= self.allowance.max(1)
            || (self.counted.failures() == 0 && self.state_since.elapsed() >= QUIET_RAMP)
    }

    /// It may be open as soon as the keeper has looked: by everything that counted then, or by what came since, since
    /// what counted then may be too old by now.
    fn is_opening(&self) -> bool {
        let since = self.taken.plus(self.fresh);
        let opens = |counts| breaker::opens(&self.limits, self.ramp(), counts);
        opens(since) || opens(self.counted.plus(since))
    }

    /// True where a pass of this epoch, which was taken a moment ago, still lets call.
    pub(super) fn stands(&self, epoch: i32, probe: bool) -> bool {
        if probe {
            return matches!(self.probe, Probe::InHand(_));
        }
        let closed = matches!(self.state, State::Closed { .. });
        closed && !self.paused && epoch == self.epoch && !self.is_opening()
    }

    pub(super) fn may_call(&mut self, cap: u32, now: Instant) -> bool {
        if self.paused {
            return false;
        }
        match self.state {
            State::Open { .. } => false,
            State::HalfOpen { .. } => matches!(self.probe, Probe::Free(_)),
            State::Closed { .. } => {
                !self.is_opening()
                    && self.in_hand + self.reserved < self.allowance.min(cap)
                    && self.bucket.as_mut().is_none_or(|bucket| bucket.take(now))
            }
        }
    }

    /// A claim has ended and did not use so many.
    pub(super) fn release(&mut self, unused: u32) {
        let unused = unused.min(self.reserved);
        self.reserved -= unused;
        if let Some(bucket) = &mut self.bucket {
            (0..unused).for_each(|_| bucket.put_back());
        }
    }

    /// A call has ended, or was not made.
    pub(super) fn take_back(&mut self, answer: Option<Answer>, epoch: i32, probe: bool) {
        self.in_hand = self.in_hand.saturating_sub(1);
        if self.ahead > 0 {
            self.freed.notify_one();
        }
        if answer.is_none()
            && let Some(bucket) = &mut self.bucket
        {
            bucket.put_back();
        }
        if probe {
            if let Probe::InHand(free_since) = self.probe {
                // One that found nothing to call is as old as before: somebody else may have something.
                self.probe = answer.map_or(Probe::Free(free_since), Probe::Ended);
            }
            return;
        }
        // A call that began before the state changed says nothing about what is now.
        if epoch != self.epoch {
            return;
        }
        match answer {
            None => {}
            Some(Answer::Ok) => {
                self.fresh.ok += 1;
                self.answers += 1;
            }
            Some(Answer::Failed(error)) => {
                self.fresh.failed += 1;
                self.last_error = error;
            }
            Some(Answer::Unknown(error)) => {
                self.fresh.unknown += 1;
                self.last_error = error;
            }
        }
    }

    /// Takes over what the keeper saw, and answers what this worker itself has counted lately.
    pub(super) fn adopt(&mut self, seen: &Seen) -> Counts {
        let state = seen.state();
        let ours = matches!(state, State::HalfOpen { prober } if prober == seen.me);
        match (ours, &self.probe) {
            (false, _) => self.probe = Probe::NotOurs,
            (true, Probe::NotOurs) => self.probe = Probe::Free(Instant::now()),
            (true, _) => {}
        }
        if self.epoch != seen.epoch {
            self.window.clear();
            (self.fresh, self.taken) = (Counts::default(), Counts::default());
        }
        if state != self.state {
            self.answers = 0;
            self.state_since = Instant::now();
        }
        (self.epoch, self.state, self.paused, self.limits) = (seen.epoch, state, seen.paused, seen.limits());
        let own = self.window.add(seen.now, std::mem::take(&mut self.taken));
        self.counted = own.plus(seen.others());
        own
    }

    /// This worker's part of the calls that may be made now.
    pub(super) fn share(&self, crew: &Crew, seen: &Seen) -> u32 {
        let whole = self.ramp().unwrap_or(u32::MAX).min(self.limits.concurrency_max);
        crew.allowance(seen.me, whole, seen.held())
    }

    /// The part of the rate goes with the part of the calls.
    pub(super) fn set_allowance(&mut self, allowance: u32, now: Instant) {
        self.allowance = allowance;
        let part = f64::from(allowance) / f64::from(self.limits.concurrency_max.max(1));
        match (self.limits.rate_per_s.map(|rate| rate * part), &mut self.bucket) {
            (None, bucket) => *bucket = None,
            (Some(rate), Some(bucket)) => bucket.set_rate(rate, now),
            (Some(rate), bucket) => *bucket = Some(Bucket::new(rate, now)),
        }
    }

    pub(super) fn tally(&self, destination: &'static str, allowance: u32, counts: Counts) -> Tally {
        let holds = allowance.max(self.in_hand + self.reserved);
        Tally { destination, holds, in_hand: self.in_hand, short: self.short, epoch: self.epoch, counts }
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

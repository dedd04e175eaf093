//! What this process counts and measures of itself, and what it shows of the whole.
//!
//! Counting costs a look-up and an atomic addition a turn and touches no database. What only the database knows is asked
//! of it when somebody looks (see [`survey`](super::store::survey)). No label ever names a person or a run.
//!
//! | file | job |
//! |---|---|
//! | `figures` | every figure there is |
//! | `cells` | counters, gauges and histograms of one figure |
//! | `standing` | the figures that are read from the database |
//! | `page` | the figures as a document |

mod cells;
pub mod figures;
pub mod page;
mod standing;

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

use super::commit::Committed;
use super::core::Connections;
use super::flow::Fault;
use super::outbox::Delivery;
use super::store::claim::Claimed;
use super::store::signal::Fates;
use super::store::survey::Survey;
use super::store::turns::{Came, Rest};
use cells::{Counted, Spread, Stood};

/// How what [`Engine::exposed`](super::Engine::exposed) answers is to be read.
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// Signals are written by whoever has a transaction, which knows no engine: this one figure is the whole process's.
static SIGNALS: LazyLock<(Counted<1>, Registry)> = LazyLock::new(|| {
    let mut registry = Registry::default();
    (Counted::of(&mut registry, &figures::SIGNALS), registry)
});

/// Of `all` signals so many came to this; the others had come before.
pub(super) fn signals(fates: &Fates, all: usize) {
    let duplicate = all.saturating_sub(fates.new + fates.late + fates.kept);
    for (fate, n) in [("new", fates.new), ("late", fates.late), ("kept", fates.kept), ("duplicate", duplicate)] {
        SIGNALS.0.add_many([fate], n);
    }
}

/// The figures of one engine.
pub struct Measures {
    registry: Registry,
    turns: Counted<3>,
    handler: Spread<2>,
    retries: Counted<2>,
    suspensions: Counted<3>,
    commit_turns: Spread<0>,
    commit: Spread<0>,
    claim_runs: Spread<0>,
    claim: Spread<0>,
    lateness: Spread<0>,
    in_hand: Stood<0>,
    in_hand_max: Stood<0>,
    letters: Counted<2>,
    letter: Spread<1>,
    requests: Spread<3>,
    refusals: Counted<2>,
    pool_wait: Spread<0>,
    pulse: Mutex<Pulse>,
}

/// When the worker of this process was last seen at what it does all the time. All `None`: there has been none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pulse {
    /// It renewed its lease.
    pub renewed: Option<Instant>,
    /// It looked for due runs, or had its hands full.
    pub looked: Option<Instant>,
    /// How long its last heartbeat waited for a connection.
    pub waited: Duration,
    /// A task of it that has ended, although nobody asked it to.
    pub lost: Option<&'static str>,
}

impl Default for Measures {
    fn default() -> Self {
        let mut registry = Registry::default();
        let to = &mut registry;
        Self {
            turns: Counted::of(to, &figures::TURNS),
            handler: Spread::of(to, &figures::HANDLER_SECONDS),
            retries: Counted::of(to, &figures::RETRIES),
            suspensions: Counted::of(to, &figures::SUSPENSIONS),
            in_hand: Stood::of(to, &figures::TURNS_IN_HAND),
            in_hand_max: Stood::of(to, &figures::TURNS_MAX),
            commit_turns: Spread::of(to, &figures::COMMIT_TURNS),
            commit: Spread::of(to, &figures::COMMIT_SECONDS),
            claim_runs: Spread::of(to, &figures::CLAIM_RUNS),
            claim: Spread::of(to, &figures::CLAIM_SECONDS),
            lateness: Spread::of(to, &figures::LATENESS_SECONDS),
            letters: Counted::of(to, &figures::LETTERS),
            letter: Spread::of(to, &figures::LETTER_SECONDS),
            requests: Spread::of(to, &figures::HTTP_SECONDS),
            refusals: Counted::of(to, &figures::REFUSALS),
            pool_wait: Spread::of(to, &figures::POOL_WAIT_SECONDS),
            pulse: Mutex::default(),
            registry,
        }
    }
}

impl Measures {
    /// A turn is over: its step, how long handling took, what came of it, and whether that stands.
    pub(super) fn turn(
        &self,
        (workflow, step): (&'static str, &'static str),
        took: Duration,
        came: &Came,
        committed: &Committed,
    ) {
        let result = match (committed, came) {
            (Committed::Lost, _) => "lost",
            (Committed::Unsure(_) | Committed::Crashed, _) => "unsure",
            (Committed::Yes(_), Came::Moved(to)) if to.rest == Rest::Ended => "ended",
            (Committed::Yes(_), Came::Moved(_)) => "moved",
            (Committed::Yes(_), Came::Parked { .. }) => "parked",
            (Committed::Yes(_), Came::Failed { wait: Some(_), class, .. }) => {
                self.retries.add([workflow, class]);
                "retried"
            }
            (Committed::Yes(_), Came::Failed { wait: None, class, .. }) => {
                self.suspensions.add([workflow, step, class]);
                "suspended"
            }
            // What cannot be written is written as a reason to stop.
            (Committed::Refused(_), _) => {
                self.suspensions.add([workflow, step, "stop"]);
                "suspended"
            }
        };
        self.turns.add([workflow, step, result]);
        self.handler.add([workflow, step], took.as_secs_f64());
    }

    /// A batch of turns was committed, or could not be.
    pub(super) fn flush(&self, began: Instant, turns: usize) {
        self.commit_turns.add(NOTHING, count(turns));
        self.commit.add(NOTHING, began.elapsed().as_secs_f64());
    }

    /// The worker has looked for due runs.
    pub(super) fn claim(&self, began: Instant, claimed: &[Claimed]) {
        self.claim.add(NOTHING, began.elapsed().as_secs_f64());
        self.claim_runs.add(NOTHING, count(claimed.len()));
        for run in claimed {
            let late = run.due_at.and_then(|due| (run.now - due).to_std().ok()).unwrap_or_default();
            self.lateness.add(NOTHING, late.as_secs_f64());
        }
    }

    /// The worker goes round once more, with so many of its hands full.
    pub(super) fn goes_round(&self, in_hand: usize, most: usize) {
        self.in_hand.set(NOTHING, count(in_hand));
        self.in_hand_max.set(NOTHING, count(most));
        self.with_pulse(|pulse| pulse.looked = Some(Instant::now()));
    }

    /// The worker's lease is renewed; a connection for that was there after so long.
    pub(super) fn heartbeat(&self, waited: Duration) {
        self.pool_wait.add(NOTHING, waited.as_secs_f64());
        self.with_pulse(|pulse| (pulse.renewed, pulse.waited) = (Some(Instant::now()), waited));
    }

    /// A task of the worker has ended before it was asked to.
    pub(super) fn loses(&self, task: &'static str) {
        self.with_pulse(|pulse| pulse.lost = Some(task));
    }

    /// The worker has ended: nothing is expected of it any more.
    pub(super) fn retires(&self) {
        self.in_hand.set(NOTHING, 0.0);
        self.with_pulse(|pulse| *pulse = Pulse::default());
    }

    /// A delivery is over. `again`: it is tried again.
    pub(super) fn letter(&self, topic: &str, took: Duration, delivered: &Result<Delivery, Fault>, again: bool) {
        let result = match delivered {
            Ok(Delivery::Sent(_)) => "sent",
            Ok(Delivery::Suppressed(_)) => "suppressed",
            Ok(Delivery::Undeliverable(_) | Delivery::Instead { .. }) => "undeliverable",
            Ok(Delivery::NotBefore(_)) => "postponed",
            Err(_) if again => "postponed",
            Err(_) => "suspended",
        };
        self.letters.add([topic.to_owned(), result.to_owned()]);
        self.letter.add([topic.to_owned()], took.as_secs_f64());
    }

    /// A request was answered. `route` is the pattern of its path.
    pub fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.requests.add([method.to_owned(), route.to_owned(), status.to_string()], took.as_secs_f64());
    }

    /// A request was not done, as a problem of this code says.
    pub fn refusal(&self, route: &str, code: &'static str) {
        self.refusals.add([route.to_owned(), code.to_owned()]);
    }

    /// When the worker of this process was last seen at work.
    pub fn pulse(&self) -> Pulse {
        self.with_pulse(|pulse| *pulse)
    }

    fn with_pulse<R>(&self, act: impl FnOnce(&mut Pulse) -> R) -> R {
        act(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything, as Prometheus reads it.
    pub(super) fn exposed(&self, survey: &Survey, connections: Connections) -> String {
        let mut text = String::new();
        for registry in [&self.registry, &SIGNALS.1, &standing::registry(survey, connections)] {
            // Writing to a string cannot fail.
            let _ = prometheus_text::encode(&mut text, registry);
        }
        text
    }
}

/// The labels of a figure that has none.
const NOTHING: [&str; 0] = [];

#[allow(clippy::cast_precision_loss)] // Nobody has 2⁵² of anything in hand.
fn count(n: usize) -> f64 {
    n as f64
}

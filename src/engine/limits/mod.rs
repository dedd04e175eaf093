//! What may be called at one time (rule 10): per destination a concurrency, a rate and a breaker, shared by all workers.
//!
//! A *lane* is a destination as one worker sees it; a *pass* lets one turn or letter call there. A worker takes passes
//! before it claims, so that what must wait waits in the database and in nobody's hands. No call writes a shared row:
//! each worker writes its own tallies, once a heartbeat.
//!
//! | file | job |
//! |---|---|
//! | `share` | a worker's part of a destination |
//! | `bucket` | a rate |
//! | `breaker` | when a destination is down, and how it comes back |
//! | `lane`, `lanes`, `pass` | what one worker may call, and its passes |
//! | `passage` | how a turn comes by a pass, and what it says of the destination |
//! | `ahead` | runs that wait in a worker's hands for the next pass |
//! | `round` | what one claim may take of which lane |
//! | `keeper` | looks at what others write, writes its own, changes a destination's state |

mod ahead;
pub mod breaker;
pub mod bucket;
mod keeper;
mod lane;
mod lanes;
mod pass;
mod passage;
mod round;
pub mod share;

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

pub(super) use keeper::Keeper;
pub(super) use lanes::Lanes;
pub(super) use pass::{Pass, Reserved};
pub(super) use passage::NoPass;
pub(super) use round::Round;

/// What a destination can take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls at one time, all workers together.
    pub concurrency_max: u32,
    /// Calls a second, all workers together; none: any.
    pub rate_per_s: Option<f64>,
    /// Fewer failures within ten seconds never open the breaker.
    pub failures_min: u32,
    /// Nor do failures that are a smaller part of all calls than this.
    pub failures_share: f64,
    /// How long the first pause lasts; each next one in a row is twice as long.
    pub open: Duration,
    /// No pause is longer.
    pub open_max: Duration,
}

impl Default for Limits {
    /// 16 calls at one time, at any rate; down after 10 failures that are 60 % of the calls, for 30 s to 5 min.
    fn default() -> Self {
        Self {
            concurrency_max: 16,
            rate_per_s: None,
            failures_min: 10,
            failures_share: 0.6,
            open: Duration::from_secs(30),
            open_max: Duration::from_mins(5),
        }
    }
}

/// What a handler said beside its outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: its outcome is an answer of the destination, a fault that is tried again is not.
    #[default]
    Nothing,
    /// It called nobody.
    NobodyCalled,
    /// The destination did not answer.
    Unanswered(String),
    /// It answered, whatever the outcome.
    Answered,
}

tokio::task_local! {
    static SAID: RefCell<Said>;
}

fn say(what: Said) {
    // Outside a turn nobody listens.
    let _ = SAID.try_with(|said| said.replace(what));
}

/// Said by a handler at a step with a lane that comes to its outcome without a call: the turn uses up no rate, and says
/// nothing of whether the destination is there.
pub fn nobody_called() {
    say(Said::NobodyCalled);
}

/// Said by a handler at a step with a lane that comes to an outcome although the destination did not answer.
pub fn unanswered(why: impl std::fmt::Display) {
    say(Said::Unanswered(why.to_string()));
}

/// Said by a handler that fails although the destination answered: that is no sign that it is down.
pub fn answered() {
    say(Said::Answered);
}

/// Runs a handler and listens to what it says beside its result.
pub(super) async fn listening<T>(handling: impl Future<Output = T>) -> (T, Said) {
    SAID.scope(RefCell::new(Said::Nothing), async {
        let answer = handling.await;
        (answer, SAID.with(RefCell::take))
    })
    .await
}

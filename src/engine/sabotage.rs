//! Where tests make a worker die: at each of the four points of a turn that matter.
//!
//! A worker without a saboteur (every real one) never looks here twice. A sabotaged turn is left as a killed process
//! leaves it: nothing more is written for it, and the run is taken over as from a dead worker.

/// A point of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// The run is claimed; the handler has not been called.
    BeforeCall,
    /// The handler has answered; nothing is committed.
    AfterCall,
    /// Everything that the turn changes is written; the transaction is not committed. A crash here takes the turns of
    /// the same batch with it.
    BeforeCommit,
    /// The turn is committed; the worker does not learn of it.
    AfterCommit,
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The turn goes on.
    Nothing,
    /// The worker dies here.
    Crash,
    /// The handler's answer is thrown away and the step fails as if a call had failed.
    Fail,
}

/// Decides what happens at each point.
pub trait Saboteur: Send + Sync {
    /// Called at every point of every turn.
    fn at(&self, point: Point, workflow: &str, step: &str, run: super::RunId) -> Act;
}

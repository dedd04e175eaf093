//! Floor 0: durable runs on PostgreSQL. Knows no hospital and no HTTP.
//!
//! A *workflow* is a table of steps ([`flow!`](crate::flow)); a *run* is one row that says where it stands. A worker
//! claims due runs, handles one step of each (a *turn*) and commits what came of it in one transaction, fenced by the
//! run's generation. Everything that must happen later stands in the database: deadlines, retries, signals, messages.
//!
//! | file | job |
//! |---|---|
//! | `table` | what a workflow declares: steps, outcomes, obligations |
//! | `flow_macro` | `flow!`, which writes that declaration and routes handlers |
//! | `flow` | what a handler sees and answers: turn, fault, edge, effect |
//! | `proof` | no ending is reachable with an obligation open |
//! | `chart` | the same table as a picture |
//! | `registry` | the workflows that this program knows |
//! | `door`, `prelude` | what a program does with the engine, and what it names for that |
//! | `schema` | the engine's own tables |
//! | `core` | what every part shares: database, tenant, workflows, hints |
//! | `cron` | when something ticks: an expression in a time zone |
//! | `clock` | the database's clock, or one moved by hand |
//! | `retry` | how long a failed step waits |
//! | `obligations` | what a run may owe, and where that is safe |
//! | `staff` | what people do to runs: verbs with refusals and an audit |
//! | `store` | every statement on runs, signals and history |
//! | `limits` | how much may be called at one time, and what is down |
//! | `commit` | turns that finish together commit together |
//! | `endings` | waiting for a run to end |
//! | `group` | requests that come at the same time are done together |
//! | `jobs` | what starts runs by the clock |
//! | `worker` | claim, handle, hand to commit |
//! | `takers` | runs that begin in the hands of their starter's worker |
//! | `warm` | connections for short calls, the one used last first |
//! | `watched` | the tasks of a worker; one that panics is seen |
//! | `handling` | one handling of one step |
//! | `lease` | what keeps a worker alive; what is left behind goes on |
//! | `releases` | what a worker leaves to those of another release |
//! | `outbox` | delivers what runs tell outside |
//! | `inspect` | find and show runs; why a run is not moving |
//! | `health` | what is wrong with the whole |
//! | `held_up` | whether a destination holds a run up |
//! | `around` | what holds runs up besides themselves, read once for many |
//! | `traces` | how turns join the trace of what started their run |
//! | `measure` | what is counted, and what is shown of it |
//! | `housekeeping` | months of history, the archive, early signals, retention |
//! | `sizes` | how large what is stored may be |
//! | `preflight` | who works, and which live runs none of them could move |
//! | `sabotage` | where tests make a worker die |

pub mod around;
pub mod chart;
pub mod clock;
mod commit;
mod core;
pub mod cron;
mod door;
mod endings;
pub mod flow;
mod flow_macro;
pub mod group;
mod handling;
pub mod health;
pub mod held_up;
pub mod housekeeping;
pub mod inspect;
pub mod jobs;
mod lease;
pub mod limits;
pub mod measure;
pub mod obligations;
pub mod outbox;
pub mod preflight;
pub mod prelude;
pub mod proof;
pub mod registry;
mod releases;
pub mod retry;
pub mod sabotage;
pub mod schema;
pub mod sizes;
pub mod staff;
pub mod store;
pub mod table;
mod takers;
pub mod traces;
mod warm;
mod watched;
pub mod worker;

pub use core::{Connections, Engine};
pub use door::{EngineError, Found};
pub use endings::Ending;
pub use flow::{ChildEnded, Edge, Effect, Fault, Letter, NewRun, Parent, Projected, To, Turn, Woke};
pub use lease::MOVES_ON_WITHIN;
pub use registry::Registry;
pub use retry::RetryPolicy;
pub use table::{Chosen, OutcomeRow, Priority, StepRow, Table};

/// What [`flow!`](crate::flow) writes into other crates, so that they need not have it themselves.
#[doc(hidden)]
pub mod parts {
    pub use chrono::{DateTime, Utc};
    pub use futures::future::BoxFuture;
    pub use serde::Deserialize;
    pub use sqlx::{PgConnection, Result as SqlResult};
}

/// A run's id: time-ordered, says nothing about the patient.
pub type RunId = uuid::Uuid;

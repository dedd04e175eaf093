//! Everything that a workflow and the program around it name: `use houbu::engine::prelude::*;`.

pub use chrono::{DateTime, TimeDelta, Utc};
pub use serde::{Deserialize, Serialize};

pub use super::clock;
pub use super::door::{EngineError, Found};
pub use super::inspect::{Seen, Told};
pub use super::outbox::{Delivery, Outlet, Outlets};
pub use super::store::{Signalled, Started};
pub use super::worker::{Options as WorkerOptions, Worker};
pub use super::{ChildEnded, Edge, Effect, Engine, Fault, Letter, Projected, Registry, RetryPolicy, RunId, To, Turn};
pub use crate::flow;

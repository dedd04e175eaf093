//! The tasks of a worker: one that panics is a fault of ours, and is seen in the process's health.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::task::JoinHandle;

use super::core::Engine;

/// Starts a task.
pub(super) fn watched(
    engine: &Arc<Engine>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            tracing::error!(task = name, "a task of the worker has panicked");
            engine.measures.loses(name);
        }
    })
}

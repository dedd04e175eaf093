//! The clerk of a worker: does the chunks of bulks that are due, one after the other, until the worker stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::super::core::Engine;
use super::bulk;

/// Works until `stopped`; the chunk in hand is finished.
pub(in super::super) async fn work(engine: Arc<Engine>, poll: Duration, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        match bulk::chunk(&engine).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a chunk of a bulk could not be done; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(poll) => {}
            _ = stopped.changed() => {}
        }
    }
}

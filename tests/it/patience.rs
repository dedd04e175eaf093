//! Waiting for what others do: asked for again and again until it is so, and in vain never for long. No test sleeps for
//! any other reason.

use std::future::Future;
use std::time::{Duration, Instant};

/// An event that has not come by then does not come.
pub const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Waits until `holds`, at most [`PATIENCE`].
pub async fn wait_for<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    wait_at_most(PATIENCE, what, holds).await;
}

/// The same with a patience of one's own.
pub async fn wait_at_most<F: Future<Output = bool>>(patience: Duration, what: &str, holds: impl Fn() -> F) {
    assert!(comes(patience, holds).await, "waited in vain for {what}");
}

/// Whether it `holds` within this time; answers as soon as it does.
pub async fn comes<F: Future<Output = bool>>(within: Duration, holds: impl Fn() -> F) -> bool {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() >= within {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
}

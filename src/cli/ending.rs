//! How a process is asked to end: once, and it ends in good order; twice, and it ends where it stands.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C and SIGTERM, from when this is made.
pub(super) struct Ending {
    interrupt: Signal,
    terminate: Signal,
}

impl Ending {
    /// From now on a request to end is heard here.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns at the next request; answers the exit code of a process that dies of it.
    pub(super) async fn asked(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + SignalKind::interrupt().as_raw_value(),
            _ = self.terminate.recv() => 128 + SignalKind::terminate().as_raw_value(),
        }
    }

    /// Does what belongs to a good order. A second request ends the process at once: what it had in hand goes on elsewhere
    /// when its lease ends, and a private PostgreSQL ends with it.
    pub(super) async fn in_order<T>(mut self, order: impl Future<Output = T>) -> T {
        tokio::select! {
            done = order => done,
            code = self.asked() => {
                eprintln!("asked again: Houbu ends at once; what it had in hand goes on when its lease has ended");
                std::process::exit(code)
            }
        }
    }
}

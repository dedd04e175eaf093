//! Standing still: a call or a whole worker waits until the simulation has played some more rounds, so that others
//! overtake it. Time never passes by itself here.

use std::sync::{Condvar, Mutex};

use tokio::sync::watch;

/// Who stands still, and until which round.
pub struct Standstill {
    round: watch::Sender<u64>,
    /// The same for those who block a thread, with the workers that do and whose lease is to end meanwhile.
    blocked: Mutex<Blocked>,
    goes_on: Condvar,
}

#[derive(Default)]
struct Blocked {
    round: u64,
    asleep: Vec<String>,
}

impl Default for Standstill {
    fn default() -> Self {
        Self { round: watch::Sender::new(0), blocked: Mutex::default(), goes_on: Condvar::new() }
    }
}

impl Standstill {
    /// Waits for so many rounds.
    pub async fn rest(&self, rounds: u64) {
        let mut round = self.round.subscribe();
        let until = round.borrow().saturating_add(rounds);
        // An error means that the simulation is gone, and nobody waits for it.
        let _ = round.wait_for(|round| *round >= until).await;
    }

    /// The same for a thread: a worker stands still with whatever it has in hand, longer than its lease.
    pub fn sleep(&self, worker: &str, rounds: u64) {
        let mut blocked = self.blocked.lock().unwrap();
        if blocked.round == u64::MAX {
            return;
        }
        blocked.asleep.push(worker.to_owned());
        let until = blocked.round.saturating_add(rounds);
        drop(self.goes_on.wait_while(blocked, |blocked| blocked.round < until).unwrap());
    }

    /// The next round. Answers the workers that fell asleep since the last one.
    pub fn next_round(&self) -> Vec<String> {
        let now = self.blocked.lock().unwrap().round;
        self.set(now.saturating_add(1))
    }

    /// Nobody stands still any more.
    pub fn ends(&self) -> Vec<String> {
        self.set(u64::MAX)
    }

    fn set(&self, round: u64) -> Vec<String> {
        let mut blocked = self.blocked.lock().unwrap();
        blocked.round = round;
        let asleep = std::mem::take(&mut blocked.asleep);
        drop(blocked);
        self.round.send_replace(round);
        self.goes_on.notify_all();
        asleep
    }
}

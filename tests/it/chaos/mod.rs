//! What happens to real processes: the binary stopped, woken, killed and asked to end in the middle of its work, beside
//! others on the same database; and the database killed under all of them. The books are compared at every end.
//!
//! | file | what it is |
//! |---|---|
//! | `process` | `houbu work` and `houbu serve` as processes of their own |
//! | `gate` | HIS behind a gate: what it answered is held until a test lets it through |
//! | `standing_still` | a worker that is stopped for longer than its lease, and woken |
//! | `dying` | a worker that is killed |
//! | `ending` | a worker that is asked to end: once, twice, and with work that takes too long |
//! | `database` | PostgreSQL killed and started again |
//! | `rolling` | one `houbu serve` takes over from another |
//! | `releases` | a process beside a worker of a release that knows less |

mod database;
mod dying;
mod ending;
mod gate;
pub mod process;
mod releases;
mod rolling;
mod standing_still;

use std::time::Duration;

use houbu::engine::RunId;
use houbu::waitlist::policy::PaymentMode;

use crate::cluster::Database;
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_at_most;
use gate::Gate;
use process::Process;

/// An event that has not come by then does not come: processes start, leases end, and machines are busy.
const PATIENCE: Duration = Duration::from_mins(1);

async fn wait_for<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    wait_at_most(PATIENCE, what, holds).await;
}

/// A hospital whose workers are processes, and the gate before its HIS.
pub struct Ward {
    pub hospital: Hospital,
    pub gate: Gate,
}

impl Ward {
    /// Visits are paid with the application.
    pub async fn open() -> Self {
        let setup = Setup { places: 8, patients: 16, ..Setup::paying(PaymentMode::Prepay) };
        Self::of(Hospital::on(Database::new().await, setup, false).await).await
    }

    async fn of(hospital: Hospital) -> Self {
        let gate = Gate::before(hospital.his.url()).await;
        Self { hospital, gate }
    }

    /// A worker process.
    async fn worker(&self, name: &str) -> Process {
        Process::work(self, name, &[]).await
    }

    /// Applications that are paid and wait; `worker` does what is to be done.
    async fn applications(&self, patients: std::ops::RangeInclusive<u32>) -> Vec<RunId> {
        let mut entries = Vec::new();
        for patient in patients {
            entries.push(self.hospital.apply("w1-am", patient).await);
        }
        self.hospital.pass_seconds(20).await;
        for entry in &entries {
            assert_eq!(self.hospital.status(*entry).await, "waiting");
        }
        entries
    }

    /// A place is freed, and the application that gets it stands at its booking, which HIS has made: the answer is held at
    /// the gate.
    async fn until_booking_is_held(&self, entry: RunId) {
        self.gate.shut();
        self.hospital.free_a_place_and_go_on("w1-am").await;
        loop {
            wait_for("a call to HIS", || async { self.gate.held() > 0 }).await;
            if self.stands_at(entry, "Booking", "running").await {
                return;
            }
            self.gate.lets_one().await;
        }
    }

    async fn stands_at(&self, entry: RunId, step: &str, status: &str) -> bool {
        sqlx::query_scalar("select step = $2 and status = $3 from run where id = $1")
            .bind(entry)
            .bind(step)
            .bind(status)
            .fetch_one(&self.hospital.db.pool)
            .await
            .unwrap()
    }

    /// Whether its booking is written down; false as well while the database does not answer.
    async fn is_booked(&self, entry: RunId) -> bool {
        let booked = "select exists (select 1 from entry where id = $1 and status = 'booked')";
        sqlx::query_scalar(booked).bind(entry).fetch_one(&self.hospital.db.pool).await.unwrap_or(false)
    }

    /// Names of the workers that have a lease, ended ones included.
    async fn leases(&self) -> Vec<String> {
        sqlx::query_scalar("select name from worker order by name").fetch_all(&self.hospital.db.pool).await.unwrap()
    }

    /// How often this application was booked by us, as its history has it.
    async fn bookings(&self, entry: RunId) -> usize {
        self.hospital.steps(entry).await.iter().filter(|line| *line == "Booking: Booked").count()
    }
}

//! One run a day of visits: reads from HIS who had booked and did not come (2015), and counts it by the hospital's rules
//! (R32). Days that are a while ago are read again: what HIS has taken back lifts what it led to.

mod job;
mod pulling;
mod state;
mod weighing;

use sqlx::PgConnection;

use super::Ports;
use crate::engine::Projected;
use crate::flow;
pub use job::job;
use pulling::pulling;
pub use state::Pull;
pub use weighing::weigh_person;
use weighing::weighing;

flow! {
    /// Keeps the breaches of one day of visits in step with HIS.
    BreachSync = "breach_sync";
    state Pull;
    ports Ports;
    obligations ;
    projects project;
    starts Pulling;
    ends Weighed;
    quiet Weighed;

    /// Reads HIS's list of the day (2015), a page a turn.
    Pulling = pulling at his priority Bulk
        { More -> Pulling, Pulled -> Weighing }
    /// Takes back what is listed no more, excuses 停诊, and counts.
    Weighing = weighing priority Bulk
        { Weighed -> Weighed }
}

/// Breaches are HIS's truth and are written where they are read, in the steps.
async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Pull>]) -> sqlx::Result<()> {
    Ok(())
}

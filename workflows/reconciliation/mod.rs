//! One run a day: compares our books with HIS's and the payment provider's, and makes every difference a case for staff
//! (R36). It never corrects anything.
//!
//! Lists tell which applications to look at; where they differ or leave something open both sides are asked one by one,
//! and only what still differs then is a case. A run that still moves may settle it: that is a suspicion until the next
//! day.

mod asking;
mod billing;
mod comparing;
mod facts;
mod job;
mod listing;
mod state;

use sqlx::PgConnection;

use super::Ports;
use crate::engine::{Fault, NewRun, Projected, Registry, RunId};
use crate::flow;
use asking::{asking_his, asking_payer};
use billing::{bill_is_asked, billing, resting};
use comparing::{comparing, judging};
pub use job::job;
use listing::listing;
pub use state::{AskNow, Day, List};

flow! {
    /// Our books = HIS's = the payment provider's, for one day.
    Reconciliation = "reconciliation";
    state Day;
    ports Ports;
    obligations ;
    projects project;
    starts Billing;
    ends Reconciled;
    quiet Reconciled;

    /// Reads the provider's bill, which is made at about 10:00 of the next day.
    Billing = billing at payments priority Bulk
        { Read -> Listing, NotYet -> Resting }
    /// Waits for the bill.
    Resting = resting on AskNow until bill_is_asked
        { Due -> Billing }
    /// Reads what HIS lists: orders (2017), then locks (2018), a page a turn.
    Listing = listing at his priority Bulk
        { More -> Listing, Read -> Comparing }
    /// Compares what was read with our books. What agrees is done.
    Comparing = comparing priority Bulk
        { Agreed -> Reconciled, Doubtful -> AskingHis }
    /// Asks HIS about the rest, one order a turn (2012).
    AskingHis = asking_his at his priority Bulk
        { More -> AskingHis, Asked -> AskingPayer }
    /// Asks the provider about the rest, one order or refund a turn.
    AskingPayer = asking_payer at payments priority Bulk
        { More -> AskingPayer, Asked -> Judging }
    /// Compares once more: what still differs is a case.
    Judging = judging priority Bulk
        { Judged -> Reconciled }
}

/// What was read and found is written where it is, in the steps.
async fn project(_: &mut PgConnection, _: &str, _: &[Projected<Day>]) -> sqlx::Result<()> {
    Ok(())
}

/// A run that reconciles a day.
pub fn new_run(key: String, day: chrono::NaiveDate) -> Result<NewRun, Fault> {
    Registry::new_run::<Reconciliation>(RunId::now_v7(), key, Step::Billing.name(), &Day::of(day))
}

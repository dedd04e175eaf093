//! The stories of the trade: what happens, and the steps that every run takes because of it.
//!
//! Each file declares the steps it tells of (`TOLD`), asserts them against what the runs' history says, and `coverage`
//! adds them up: no row of any workflow's table goes untold.

mod breaching;
mod cancelling;
mod caring_for_locks;
mod changing_doctors;
mod changing_terms;
mod coverage;
mod day_queues;
mod delaying;
mod drawing;
mod early_pushes;
mod fee_changes;
mod figures;
mod giving_up;
mod late_money;
mod leading;
mod offers;
mod outage;
mod paying;
mod plain_his;
mod prepaying;
mod queue;
mod reconciling;
mod refunds;
mod releases;
mod reopening;
mod second_thoughts;
mod several_queues;
mod stopping_times;
mod sureties;
mod switched_on;
mod syncing;
mod visits;

use crate::hospital::Hospital;
pub use second_thoughts::stoppage;

/// A workflow and the steps of one of its runs, as a story asserts them.
type Told = (&'static str, &'static [&'static str]);

const APPLICATION: &str = "waitlist_application";
const RELEASE: &str = "slot_release";
const SYNC: &str = "schedule_sync";
const BREACHES: &str = "breach_sync";
const RECONCILIATION: &str = "reconciliation";

/// A refund takes a while, and is asked about meanwhile, as chance will have it: this line stands for all of it.
const THE_MONEY_COMES_BACK: &str = "Refunding: … Refunded";

/// The steps with what lies between an accepted refund and its arrival folded into [`THE_MONEY_COMES_BACK`].
fn folded(steps: Vec<String>) -> Vec<String> {
    let mut folded: Vec<String> = Vec::new();
    let mut on_its_way = false;
    for step in steps {
        if step == "Refunding: Accepted" {
            on_its_way = true;
        } else if on_its_way && step == "RefundCheck: Refunded" {
            on_its_way = false;
            folded.push(THE_MONEY_COMES_BACK.to_owned());
        } else if !(on_its_way && (step.starts_with("RefundWait ") || step == "RefundCheck: Processing")) {
            folded.push(step);
        }
    }
    folded
}

/// The steps with a pair that is repeated at once told once.
fn once(steps: Vec<String>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for step in steps {
        told.push(step);
        let n = told.len();
        if n >= 4 && told[n - 4..n - 2] == told[n - 2..] {
            told.truncate(n - 2);
        }
    }
    told
}

/// The steps without failed attempts.
fn successful(steps: Vec<String>) -> Vec<String> {
    steps.into_iter().filter(|step| !step.ends_with(": failed")).collect()
}

/// The name of a step as mishaps are planned for it.
fn of_application(step: &str) -> String {
    format!("{APPLICATION}/{step}")
}

fn of_release(step: &str) -> String {
    format!("{RELEASE}/{step}")
}

/// Statuses of several applications.
async fn statuses<const N: usize>(hospital: &Hospital, entries: [houbu::engine::RunId; N]) -> [String; N] {
    let mut all = std::array::from_fn(|_| String::new());
    for (status, entry) in all.iter_mut().zip(entries) {
        *status = hospital.status(entry).await;
    }
    all
}

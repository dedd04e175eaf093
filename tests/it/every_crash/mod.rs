//! Every step of every workflow is failed, repeated and crashed: before its call, after it, before its commit, after it.
//! The ending is the same as without, and nothing is owed.
//!
//! A path is played once undisturbed, which says what steps it has; then once more with a patient for each step and
//! mishap. The steps are the ones that the history shows; each path declares them, and `coverage` adds them up.

mod coverage;
mod days;
mod heavy;
mod paths;
mod releases;

use std::collections::BTreeSet;

use futures::future::LocalBoxFuture;
use houbu::engine::RunId;
use houbu::engine::sabotage::{Act, Point};
use houbu::waitlist::policy::PaymentMode;

use crate::hospital::sabotage::Harm;
use crate::hospital::{Hospital, Setup};

/// What may happen to a step, in words and as the points at which it happens.
type Mishap = (&'static str, &'static [(Point, Harm)]);

/// Everything that may happen to a step.
const MISHAPS: [Mishap; 7] = [
    ("failed once", &[(Point::AfterCall, Harm::Act(Act::Fail))]),
    ("repeated by another worker", &[(Point::AfterCall, Harm::Overtaken)]),
    ("crashed before its call", &[(Point::BeforeCall, CRASH)]),
    ("crashed after its call", &[(Point::AfterCall, CRASH)]),
    ("crashed after its call, twice", &[(Point::AfterCall, CRASH), (Point::AfterCall, CRASH)]),
    ("crashed before its commit", &[(Point::BeforeCommit, CRASH)]),
    ("crashed after its commit", &[(Point::AfterCommit, CRASH)]),
];

const CRASH: Harm = Harm::Act(Act::Crash);

/// A way through the application's table.
struct Path {
    /// The steps that are handled on it; each suffers each mishap.
    steps: &'static [&'static str],
    mode: PaymentMode,
    /// Lets happen what the path consists of, to all of these applications.
    play: for<'a> fn(&'a Hospital, &'a [RunId]) -> LocalBoxFuture<'a, ()>,
    /// Before anybody applies.
    before: fn(&Hospital, u32),
}

/// The steps that a run has handled, in order, without failed attempts and without the loops that only ask again.
async fn essence(hospital: &Hospital, run: RunId) -> Vec<String> {
    const ASKING: [&str; 8] = [
        "Paying on deadline: Due",
        "PaymentCheck: Open",
        "Prepayment on deadline: Due",
        "PrepayCheck: Open",
        "RefundCheck: Processing",
        "RefundWait ",
        "PartRefund: Processing",
        "PartRefundWait ",
    ];
    let steps = hospital.steps(run).await;
    steps
        .into_iter()
        .filter(|step| !step.ends_with(": failed") && !ASKING.iter().any(|asking| step.starts_with(asking)))
        // A refund that was asked for twice is answered with where it stands.
        .map(|step| {
            if step == "Refunding: Refunded" || step == "RefundCheck: Refunded" { "refunded".to_owned() } else { step }
        })
        .filter(|step| step != "Refunding: Accepted")
        .collect()
}

/// The names of the steps that a run has been at.
async fn places(hospital: &Hospital, run: RunId) -> BTreeSet<String> {
    let steps = hospital.steps(run).await;
    // A step that a person leads away from is not handled there, so nothing can happen to it.
    let handled = steps.iter().filter(|line| !line.contains(" on staff: "));
    handled.filter_map(|line| line.split([':', ' ']).next()).map(str::to_owned).collect()
}

async fn open(path: &Path, patients: u32) -> Hospital {
    let cares_for_locks = path.steps.contains(&"LockCheck");
    let setup = Setup { places: patients, patients, cares_for_locks, ..Setup::paying(path.mode) };
    let hospital = Hospital::open(setup).await;
    (path.before)(&hospital, patients);
    hospital
}

/// Plays a path undisturbed, then with every mishap at every step, and each one strikes.
async fn every_mishap_at_every_step(path: Path) {
    let undisturbed = open(&path, 1).await;
    let entry = undisturbed.apply("w1-am", 1).await;
    (path.play)(&undisturbed, &[entry]).await;
    let (ending, status) = (essence(&undisturbed, entry).await, undisturbed.status(entry).await);
    let steps = places(&undisturbed, entry).await;
    assert_eq!(steps, path.steps.iter().map(|step| (*step).to_owned()).collect(), "the steps of the path");
    undisturbed.finish().await;

    let cases: Vec<(&str, &Mishap)> =
        path.steps.iter().flat_map(|step| MISHAPS.iter().map(move |mishap| (*step, mishap))).collect();
    let hospital = open(&path, u32::try_from(cases.len()).unwrap()).await;
    let mut entries = Vec::new();
    for (patient, (step, (_, harms))) in (1..).zip(&cases) {
        for (point, harm) in *harms {
            hospital.mishaps.plan_for_the_next(*point, &format!("waitlist_application/{step}"), *harm);
        }
        entries.push(hospital.apply("w1-am", patient).await);
    }
    (path.play)(&hospital, &entries).await;
    assert_eq!(hospital.mishaps.left(), [""; 0], "mishaps that did not strike");
    for (entry, (step, (mishap, _))) in entries.iter().zip(&cases) {
        assert_eq!(hospital.status(*entry).await, status, "{step} {mishap}");
        assert_eq!(essence(&hospital, *entry).await, ending, "{step} {mishap}");
    }
    hospital.finish().await;
}

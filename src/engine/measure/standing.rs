//! The figures that are read when somebody looks: how the whole stands by the database, and the pool of connections.

use prometheus_client::registry::Registry;

use super::cells::Stood;
use super::{NOTHING, count, figures};
use crate::engine::Connections;
use crate::engine::jobs::look;
use crate::engine::store::survey::{Survey, Ticking};
use crate::engine::store::switch::Standing;

/// The states of a destination, as staff see them.
const STATES: [&str; 4] = ["closed", "open", "half_open", "paused"];

/// A registry of its own for every look: what is no more is not shown.
pub(super) fn registry(survey: &Survey, connections: Connections) -> Registry {
    let mut registry = Registry::default();
    let to = &mut registry;
    pool(to, connections);
    Stood::of(to, &figures::CLOCK_DIFFERENCE_SECONDS).set(NOTHING, survey.clock_ahead_s);
    runs(to, survey);
    letters(to, survey);
    Stood::of(to, &figures::WORKERS).set(NOTHING, count(survey.workers.len()));
    destinations(to, &survey.destinations);
    Stood::of(to, &figures::UNMATCHED_SIGNALS).set(NOTHING, float(survey.unmatched.count));
    Stood::of(to, &figures::UNMATCHED_OLDEST_SECONDS).set(NOTHING, survey.unmatched.oldest_s);
    jobs(to, &survey.jobs);
    Stood::of(to, &figures::MONTHS_MISSING).set(NOTHING, f64::from(survey.months_missing));
    registry
}

fn pool(to: &mut Registry, connections: Connections) {
    let figure = Stood::of(to, &figures::POOL_CONNECTIONS);
    figure.set(["idle"], f64::from(connections.idle));
    figure.set(["busy"], f64::from(connections.busy));
    Stood::of(to, &figures::POOL_MAX).set(NOTHING, f64::from(connections.max));
}

fn runs(to: &mut Registry, survey: &Survey) {
    let runs = Stood::of(to, &figures::RUNS);
    for (workflow, status, n) in &survey.runs {
        runs.set([workflow.clone(), status.clone()], float(*n));
    }
    let (due, oldest) = (Stood::of(to, &figures::DUE_RUNS), Stood::of(to, &figures::DUE_OLDEST_SECONDS));
    for (destination, backlog) in &survey.due {
        due.set([destination.clone()], float(backlog.count));
        oldest.set([destination.clone()], backlog.oldest_s);
    }
    let unrunnable = Stood::of(to, &figures::UNRUNNABLE_RUNS);
    for place in &survey.unrunnable {
        unrunnable.set([place.workflow.clone(), place.step.clone()], float(place.runs));
    }
    Stood::of(to, &figures::LONG_TURNS).set(NOTHING, float(survey.long_turns));
}

fn letters(to: &mut Registry, survey: &Survey) {
    let letters = Stood::of(to, &figures::LETTERS_WAITING);
    for (status, n) in &survey.letters {
        letters.set([status.clone()], float(*n));
    }
    Stood::of(to, &figures::DUE_LETTERS).set(NOTHING, float(survey.letters_due.count));
    Stood::of(to, &figures::DUE_LETTERS_OLDEST_SECONDS).set(NOTHING, survey.letters_due.oldest_s);
}

fn destinations(to: &mut Registry, destinations: &[Standing]) {
    let (calls, most) = (Stood::of(to, &figures::DESTINATION_CALLS), Stood::of(to, &figures::DESTINATION_CALLS_MAX));
    let (rate, failures) =
        (Stood::of(to, &figures::DESTINATION_RATE_MAX), Stood::of(to, &figures::DESTINATION_FAILURES));
    let states = Stood::of(to, &figures::DESTINATION_STATE);
    for one in destinations {
        let name = || [one.name.clone()];
        calls.set(name(), float(one.in_hand));
        most.set(name(), f64::from(one.ramp.unwrap_or(one.concurrency_max)));
        failures.set(name(), float(one.failures));
        if let Some(most) = one.rate_per_s {
            rate.set(name(), most);
        }
        let is = if one.paused_at.is_some() { "paused" } else { one.state.as_str() };
        for state in STATES {
            states.set([one.name.clone(), state.to_owned()], f64::from(u8::from(state == is)));
        }
    }
}

fn jobs(to: &mut Registry, jobs: &[Ticking]) {
    let (states, due) = (Stood::of(to, &figures::JOB_STATE), Stood::of(to, &figures::JOB_DUE_SECONDS));
    for one in jobs {
        due.set([one.row.name.clone()], one.due_s);
        for state in look::Standing::ALL {
            states.set([one.row.name.clone(), state.name().to_owned()], f64::from(u8::from(state == one.standing)));
        }
    }
}

#[allow(clippy::cast_precision_loss)] // Counts of rows are far below 2⁵².
fn float(n: i64) -> f64 {
    n as f64
}

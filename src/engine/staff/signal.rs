//! Signal: any signal that the workflow's table knows, kept until a step hears it. What goes with it is read before it
//! is stored: one that the workflow could not read would suspend the run.

use serde_json::Value;

use super::super::core::Engine;
use super::super::flow::{To, Turn, Woke};
use super::super::store::Outgoing;
use super::super::store::staff::Standing;
use super::super::table::Table;
use super::change::Change;
use super::{Refused, alive, mounted};

/// The first step that hears this signal, and the signal as the table names it.
pub(super) fn known(table: &Table, run: &Standing, signal: &str) -> Result<(&'static str, &'static str), Refused> {
    alive(run)?;
    let heard = table.steps.iter().flat_map(|row| row.hears.iter().map(|heard| (row.name, *heard)));
    heard.clone().find(|(_, heard)| *heard == signal).ok_or_else(|| {
        let mut signals: Vec<String> = heard.map(|(_, heard)| heard.to_owned()).collect();
        signals.sort();
        signals.dedup();
        Refused::UnknownSignal { signal: signal.to_owned(), signals }
    })
}

pub(super) async fn decide(
    engine: &Engine,
    run: &Standing,
    signal: &str,
    id: &str,
    payload: &Value,
) -> Result<Change, Refused> {
    let mounted = mounted(engine, run)?;
    let (step, name) = known(mounted.table(), run, signal)?;
    // A step that waits only decides, so trying it on a copy of the state changes nothing.
    let turn = Turn { run: run.id, now: run.now, attempt: 0, again: false };
    let woke = Woke::Signal { name, payload };
    let tried = mounted.handle(step, &run.state, &turn, Some(woke)).await;
    tried.map_err(|fault| Refused::PayloadUnreadable { why: fault.to_string() })?;
    let signal = Outgoing { to: To::Run(run.id), name: name.into(), id: id.to_owned(), payload: payload.clone() };
    Ok(Change::Signals(Box::new(signal)))
}

//! Signals by the caller's own name of a run, which may not be there yet; and those whose run there is not, for staff.

use serde_json::Value;

use super::{Answer, Desk, DeskError};
use crate::engine::inspect;
use crate::engine::staff::{By, Refused, Verb};
use crate::engine::store::unmatched::{self, Kept, Standing};
use crate::engine::store::{self, Outgoing, Signalled};
use crate::engine::{Registry, To};

impl Desk {
    /// Signals the run of this key, once a `signal_id`. Where there is no such run the signal is kept, and put into its
    /// inbox when it is started. The payload is tried on a run that is there; for one that is not, its workflow and the
    /// signal's name are all that can be known.
    pub async fn signal_key(
        &self,
        by: &By,
        workflow: &str,
        key: &str,
        name: &str,
        signal_id: String,
        payload: Value,
    ) -> Answer<Signalled> {
        let (workflow, name) = heard(&self.engine.registry, workflow, name)?;
        if let Some(seen) = inspect::find_key(&self.engine.pool, self.hospital(), workflow, key).await? {
            let verb = Verb::Signal { signal: name.to_owned(), signal_id, payload };
            let performed = self.perform(seen.id, by, &verb).await?;
            return Ok(if performed.runs == 0 { Signalled::Duplicate } else { Signalled::Delivered });
        }
        let mut tx = self.begin().await?;
        let to = To::Key { workflow, key: key.to_owned() };
        let outgoing = Outgoing { to, name: name.into(), id: signal_id, payload };
        let signalled = store::signal(&mut tx, self.hospital(), &outgoing).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(signalled)
    }

    /// Signals whose run there is not, or was not when they came: newest first, from before the number `before`.
    pub async fn unmatched(&self, standing: Standing, before: Option<i64>, most: i64) -> Answer<Vec<Kept>> {
        Ok(unmatched::list(&self.engine.pool, self.hospital(), standing, before, most).await?)
    }
}

/// The workflow and the signal by the names that its table has for them.
fn heard(registry: &Registry, workflow: &str, name: &str) -> Answer<(&'static str, &'static str)> {
    let table = registry.get(workflow).ok_or(DeskError::UnknownWorkflow)?.table();
    let mut signals: Vec<&'static str> = table.steps.iter().flat_map(|row| row.hears.iter().copied()).collect();
    signals.sort_unstable();
    signals.dedup();
    if let Some(known) = signals.iter().find(|heard| **heard == name) {
        return Ok((table.name, known));
    }
    let signals = signals.into_iter().map(str::to_owned).collect();
    Err(Refused::UnknownSignal { signal: name.to_owned(), signals }.into())
}

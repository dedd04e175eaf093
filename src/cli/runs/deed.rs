//! `houbu runs retry|answer|jump|signal|suspend|resume|cancel`: one verb to one run.

use std::process::ExitCode;

use serde_json::json;

use super::look::Look;
use super::{Deed, REFUSED, find};
use crate::desk::verbs;
use crate::engine::inspect;
use crate::engine::staff::{Verb, perform};
use crate::waitlist::language::Language;

/// Does it, and says how the run stands then; exit code 2 where it is refused.
pub(super) async fn one(look: &Look<'_>, deed: &Deed, verb: Verb) -> anyhow::Result<ExitCode> {
    let run = find(look.engine, &deed.which).await?;
    match perform(look.engine, run, &deed.why.by(), &verb).await? {
        Ok(performed) => {
            let stands = inspect::find(&look.engine.pool, &look.engine.tenant, run).await?;
            let (step, status) = stands.map(|run| (run.step, run.status)).unwrap_or_default();
            if look.json {
                println!("{}", json!({ "runId": run, "runs": performed.runs, "step": step, "status": status }));
            } else if performed.runs == 0 {
                println!("– a signal of this id was there before");
            } else {
                let others = match performed.runs {
                    1 => String::new(),
                    runs => format!("; with the runs below it {runs} changed"),
                };
                println!("✓ {}: the run is {status} at {step}{others}", verb.name());
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            let message = verbs::refusal(&refused, Language::En);
            if look.json {
                let (owed, instead) = refused.alternatives();
                println!("{}", json!({ "code": refused.code(), "message": message, "owed": owed, "instead": instead }));
            } else {
                eprintln!("✗ {}: {message}", verb.name());
            }
            Ok(ExitCode::from(REFUSED))
        }
    }
}

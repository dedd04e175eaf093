//! What each verb would do to a run now, or why it is refused. Changes nothing; the verbs themselves are asked.

use sqlx::PgConnection;

use super::super::RunId;
use super::super::core::Engine;
use super::super::preflight::{self, Crew, Runnable};
use super::super::store::staff::{self, Standing};
use super::super::store::turns::Came;
use super::change::Change;
use super::{By, Refused, Verb, in_tree, mounted, plan};

/// A verb, and what it would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The verb's name.
    pub verb: &'static str,
    /// What it would do. Where the verb takes a choice: as the first that is allowed, else as the first is refused.
    pub would: Result<Would, Refused>,
    /// What can be chosen: outcomes, steps, signals. Empty where there is nothing to choose.
    pub choices: Vec<Choice>,
}

/// What a verb would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Would {
    /// The present step is handled at once.
    TryAgain,
    /// The run stands still.
    StandStill,
    /// The run goes there.
    Go {
        /// The step or ending.
        to: String,
    },
    /// The run goes to this step, or stays there, and no live worker knows it: it waits for a release that does.
    WaitForRelease {
        /// The step.
        step: String,
    },
    /// The run ends where it stands.
    End,
    /// A step hears it: the present one, or a later one.
    BeHeard {
        /// True where the present step hears it.
        now: bool,
    },
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The outcome, step or signal.
    pub name: String,
    /// What it would do.
    pub would: Result<Would, Refused>,
}

/// Every verb for this run; `None` where there is no such run.
pub async fn explain(engine: &Engine, conn: &mut PgConnection, run: RunId) -> sqlx::Result<Option<Vec<Explained>>> {
    let tree = staff::tree(conn, &engine.tenant, run).await?;
    let ids: Vec<RunId> = tree.iter().map(|(id, _)| *id).collect();
    let standing = staff::standing(conn, &engine.tenant, &ids).await?;
    let (own, below): (Vec<Standing>, Vec<Standing>) = standing.into_iter().partition(|one| one.id == run);
    let crew = preflight::crew(conn, &engine.tenant).await?;
    Ok(own.first().map(|own| {
        let mut explained = verbs(engine, own, &below);
        for one in &mut explained {
            for would in std::iter::once(&mut one.would).chain(one.choices.iter_mut().map(|choice| &mut choice.would)) {
                in_truth(engine, own, &crew, would);
            }
        }
        explained
    }))
}

/// What leads to a step that none of the crew knows leads no further.
fn in_truth(engine: &Engine, run: &Standing, crew: &Crew, would: &mut Result<Would, Refused>) {
    let step = match would {
        Ok(Would::TryAgain) => run.step.clone(),
        Ok(Would::Go { to }) => to.clone(),
        _ => return,
    };
    let ends = mounted(engine, run).is_ok_and(|one| one.table().is_ending(&step));
    if !ends && crew.runs(&engine.registry.knows(), &run.workflow, &step) == Runnable::No {
        *would = Ok(Would::WaitForRelease { step });
    }
}

/// Every verb for a run with these live runs below it. Pure.
fn verbs(engine: &Engine, run: &Standing, below: &[Standing]) -> Vec<Explained> {
    let plain = |verb: Verb| Explained { verb: verb.name(), would: would(engine, run, &verb), choices: Vec::new() };
    let cancels = below
        .iter()
        .try_for_each(|one| would(engine, one, &Verb::Cancel).map(drop).map_err(|no| in_tree(run.id, one.id, no)));
    let table = mounted(engine, run).map(super::Mounted::table);
    let row = table.as_ref().ok().and_then(|table| table.step(&run.step));
    let outcomes = row.map_or(&[][..], |row| row.outcomes).iter().map(|one| one.name).collect();
    let places = table.as_ref().map_or_else(
        |_| Vec::new(),
        |table| {
            let steps = table.steps.iter().map(|row| row.name);
            steps.chain(table.ends.iter().copied()).filter(|place| *place != run.step).collect()
        },
    );
    let mut signals: Vec<&str> = table
        .as_ref()
        .map_or_else(|_| Vec::new(), |table| table.steps.iter().flat_map(|row| row.hears.iter().copied()).collect());
    signals.sort_unstable();
    signals.dedup();
    vec![
        plain(Verb::Retry),
        choosing(engine, run, outcomes, |name| Verb::Answer { outcome: name, patch: None }),
        choosing(engine, run, places, |name| Verb::Jump { step: name, patch: None }),
        choosing(engine, run, signals, |name| Verb::Signal {
            signal: name,
            signal_id: String::new(),
            payload: serde_json::Value::Null,
        }),
        plain(Verb::Suspend),
        plain(Verb::Resume),
        Explained {
            verb: Verb::Cancel.name(),
            would: would(engine, run, &Verb::Cancel).and_then(|would| cancels.map(|()| would)),
            choices: Vec::new(),
        },
    ]
}

fn choosing(engine: &Engine, run: &Standing, names: Vec<&str>, verb: impl Fn(String) -> Verb) -> Explained {
    let choices: Vec<Choice> = names
        .into_iter()
        .map(|name| Choice { name: name.to_owned(), would: would(engine, run, &verb(name.to_owned())) })
        .collect();
    let first = choices.iter().find(|one| one.would.is_ok()).or_else(|| choices.first());
    let none = verb(String::new());
    let would = first.map_or_else(|| would(engine, run, &none), |one| one.would.clone());
    Explained { verb: none.name(), would, choices }
}

fn would(engine: &Engine, run: &Standing, verb: &Verb) -> Result<Would, Refused> {
    let nobody = By { who: String::new(), reason: String::new() };
    Ok(match plan(engine, run, &nobody, verb)? {
        Change::Stands { so, .. } if so.status == "pending" => Would::TryAgain,
        Change::Stands { .. } => Would::StandStill,
        Change::Moves { done, .. } => match done.result {
            Came::Moved(to) => Would::Go { to: to.chosen.next.to_owned() },
            Came::Parked { .. } | Came::Failed { .. } => Would::TryAgain,
        },
        Change::Ends => Would::End,
        Change::Signals(_) | Change::Hears => match verb {
            Verb::Signal { signal, .. } => {
                let row = mounted(engine, run)?.table().step(&run.step);
                Would::BeHeard { now: row.is_some_and(|row| row.hears.contains(&signal.as_str())) }
            }
            _ => Would::StandStill,
        },
    })
}

//! `houbu runs`: looks at runs and does what staff may do to them, on the database itself or, with `--api`, over the API of
//! a Houbu elsewhere (decision 041). Starts no server and no worker: what is due is done by whoever works, and what is refused
//! changes nothing.

mod afar;
mod bulk;
mod deed;
mod look;
mod shown;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::why::{REFUSED, Why};
use crate::app::database::Database;
use crate::config::Config;
use crate::engine::inspect::{self, Filter};
use crate::engine::staff::Verb;
use crate::engine::{Engine, RunId};
use crate::workflows;

/// What `houbu runs` may be told.
#[derive(Debug, Args)]
pub struct Runs {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Ask the API there instead of the database, for example <https://houbu.hospital.example>; its key is taken from `HOUBU_API_KEY`.
    #[arg(long, global = true, value_name = "URL", env = "HOUBU_API_URL")]
    api: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List runs, newest first.
    List(look::List),
    /// Show a run: where it stands, why, and what could be done.
    Show(Which),
    /// Say in one sentence why a run is not moving.
    Why(Which),
    /// List what happened to a run, oldest first.
    History(Which),
    /// List what each verb would do to a run now, choices included.
    Verbs(Which),
    /// Let a step that failed try again at once, with all its attempts.
    Retry(Deed),
    /// Supply the outcome of the present step.
    Answer {
        #[command(flatten)]
        deed: Deed,
        /// One of the step's outcomes.
        outcome: String,
        /// Changes of what the run knows, as a JSON merge patch.
        #[arg(long, value_parser = json)]
        patch: Option<Value>,
    },
    /// Let a run go on at another step.
    Jump {
        #[command(flatten)]
        deed: Deed,
        /// A step or an ending.
        step: String,
        /// Changes of what the run knows, as a JSON merge patch.
        #[arg(long, value_parser = json)]
        patch: Option<Value>,
    },
    /// Send a signal to a run.
    Signal {
        #[command(flatten)]
        deed: Deed,
        /// A signal that the workflow hears.
        signal: String,
        /// The same id is heard once; without it, a new one.
        #[arg(long)]
        id: Option<String>,
        /// What goes with it, as JSON.
        #[arg(long, value_parser = json, default_value = "{}")]
        payload: Value,
    },
    /// Let a run stand still until it is resumed.
    Suspend(Deed),
    /// Let a suspended run go on, with the attempts that it has left.
    Resume(Deed),
    /// Bring a run and those below it to an orderly end.
    Cancel(Deed),
    /// Do a verb to many runs; without --yes, only say what it would do.
    Bulk(bulk::Bulk),
}

/// Which run.
#[derive(Debug, Args)]
struct Which {
    /// Its id, or workflow/key.
    run: String,
}

/// A deed to one run.
#[derive(Debug, Args)]
struct Deed {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    why: Why,
}

fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

pub(super) async fn run(config: &Config, runs: Runs) -> anyhow::Result<ExitCode> {
    if let Some(url) = &runs.api {
        return afar::Afar::new(url, config.time_zone, runs.json)?.run(runs.command).await;
    }
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let engine = Engine::new(database.pool.clone(), config.hospital.clone(), workflows::registry_of_nobody());
    let done = do_it(config, &engine, runs).await;
    database.close().await;
    done
}

async fn do_it(config: &Config, engine: &Arc<Engine>, runs: Runs) -> anyhow::Result<ExitCode> {
    let look = look::Look { engine, tz: config.time_zone, json: runs.json };
    match runs.command {
        Command::List(list) => look.list(&list).await,
        Command::Show(which) => look.show(find(engine, &which).await?).await,
        Command::Why(which) => look.why(find(engine, &which).await?).await,
        Command::History(which) => look.history(find(engine, &which).await?).await,
        Command::Verbs(which) => look.verbs(find(engine, &which).await?).await,
        Command::Retry(deed) => deed::one(&look, &deed, Verb::Retry).await,
        Command::Answer { deed, outcome, patch } => deed::one(&look, &deed, Verb::Answer { outcome, patch }).await,
        Command::Jump { deed, step, patch } => deed::one(&look, &deed, Verb::Jump { step, patch }).await,
        Command::Signal { deed, signal, id, payload } => {
            let signal_id = id.unwrap_or_else(|| RunId::now_v7().to_string());
            deed::one(&look, &deed, Verb::Signal { signal, signal_id, payload }).await
        }
        Command::Suspend(deed) => deed::one(&look, &deed, Verb::Suspend).await,
        Command::Resume(deed) => deed::one(&look, &deed, Verb::Resume).await,
        Command::Cancel(deed) => deed::one(&look, &deed, Verb::Cancel).await,
        Command::Bulk(bulk) => bulk::run(&look, bulk).await,
    }
}

/// The run of this id, or of this workflow and key.
async fn find(engine: &Engine, which: &Which) -> anyhow::Result<RunId> {
    if let Ok(id) = which.run.parse() {
        return Ok(id);
    }
    let Some((workflow, key)) = which.run.split_once('/') else {
        anyhow::bail!("{} is neither a run's id nor workflow/key", which.run);
    };
    let filter =
        Filter { workflow: Some(workflow.to_owned()), q: Some(key.to_owned()), most: 1000, ..Filter::default() };
    let found = inspect::list(&engine.pool, &engine.tenant, &filter).await?;
    let found = found.into_iter().find(|run| run.key == key);
    found.map(|run| run.id).ok_or_else(|| anyhow::anyhow!("there is no run {}", which.run))
}

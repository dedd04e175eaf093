//! `houbu runs bulk`: a verb for many runs. Without `--yes` it says what would happen; with it, workers do it, and the
//! bar here only shows how far they are. Whoever goes away from it stops nothing.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use uuid::Uuid;

use super::look::Look;
use super::shown::{print_plan, table};
use super::{REFUSED, Why, json as parse};
use crate::engine::staff::Verb;
use crate::engine::staff::bulk::{self, Asked, Filter, PER_SECOND, Turned};
use crate::engine::store::bulk as bulks;
use crate::http::shapes::BulkDryRun;
use crate::waitlist::language::Language;

/// How often the bar looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What `houbu runs bulk` may be told.
#[derive(Debug, Args)]
pub(super) struct Bulk {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Do a verb to what a filter holds.
    Begin(Box<Begin>),
    /// List bulks, newest first.
    List,
    /// Show how far a bulk is.
    Show {
        /// The bulk.
        id: Uuid,
    },
    /// No further run until it is resumed.
    Pause(Turn),
    /// It goes on where it stood.
    Resume(Turn),
    /// It ends; what was done stays done.
    Cancel(Turn),
}

#[derive(Debug, Args)]
pub(super) struct Turn {
    /// The bulk.
    pub(super) id: Uuid,
    #[command(flatten)]
    pub(super) why: Why,
}

#[derive(Debug, Args)]
pub(super) struct Begin {
    /// retry, answer, jump, signal, suspend, resume, cancel.
    pub(super) verb: String,
    /// What the verb takes, as JSON: {"outcome":…}, {"step":…}, {"signal":…,"payload":…}.
    #[arg(long, value_parser = parse, default_value = "{}")]
    pub(super) arguments: Value,
    /// Runs of this workflow.
    #[arg(long)]
    pub(super) workflow: Option<String>,
    /// Runs with this status.
    #[arg(long)]
    pub(super) status: Option<String>,
    /// Runs at this step.
    #[arg(long)]
    pub(super) step: Option<String>,
    /// Runs with a fault of this class: retry, stop, unknown, staff.
    #[arg(long)]
    pub(super) fault: Option<String>,
    /// Runs whose last error contains this text.
    #[arg(long)]
    pub(super) error: Option<String>,
    /// Runs whose key begins so.
    #[arg(long)]
    pub(super) q: Option<String>,
    /// The most runs a second.
    #[arg(long, default_value_t = PER_SECOND, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub(super) per_second: i32,
    /// Do it; without this it only says what it would do.
    #[arg(long)]
    pub(super) yes: bool,
    /// With --yes: do it to the runs of this preview and to no others. Without it, to those that the filter holds now.
    #[arg(long, requires = "yes", value_name = "ID")]
    pub(super) preview: Option<Uuid>,
    /// Do not wait for the end.
    #[arg(long)]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) why: Why,
}

pub(super) async fn run(look: &Look<'_>, bulk: Bulk) -> anyhow::Result<ExitCode> {
    match bulk.command {
        Command::Begin(begin) => self::begin(look, *begin).await,
        Command::List => list(look).await,
        Command::Show { id } => show(look, id).await,
        Command::Pause(turn) => self::turn(look, turn, Turned::Pause).await,
        Command::Resume(turn) => self::turn(look, turn, Turned::Resume).await,
        Command::Cancel(turn) => self::turn(look, turn, Turned::Cancel).await,
    }
}

async fn begin(look: &Look<'_>, begin: Begin) -> anyhow::Result<ExitCode> {
    let Value::Object(mut verb) = begin.arguments else { anyhow::bail!("--arguments is an object of JSON") };
    verb.insert("verb".to_owned(), Value::String(begin.verb));
    let verb: Verb = serde_json::from_value(Value::Object(verb)).context("the verb or its --arguments")?;
    let filter = Filter {
        workflow: begin.workflow,
        status: begin.status,
        step: begin.step,
        fault: begin.fault,
        error: begin.error,
        q: begin.q,
        ids: None,
    };
    anyhow::ensure!(!filter.is_empty(), "a bulk needs a filter: without one it would be for every run");
    let (by, preview) = (begin.why.by(), begin.preview);
    let asked = Asked { verb, filter, by, per_second: begin.per_second, request: None, preview };
    if !begin.yes {
        let dry = BulkDryRun::of(bulk::dry_run(look.engine, &asked).await?, Language::En);
        if look.json {
            println!("{}", serde_json::to_string(&dry)?);
        } else {
            print_plan(&dry, asked.verb.name(), &asked.by.reason);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let new = match bulk::begin(look.engine, &asked).await? {
        Ok(new) => new,
        Err(refused) => {
            eprintln!("✗ {refused}");
            return Ok(ExitCode::from(REFUSED));
        }
    };
    if begin.no_wait {
        return show(look, new.id).await;
    }
    watch(look, new.id).await?;
    show(look, new.id).await
}

/// How far a bulk is, drawn where nothing else is to be read there.
pub(super) fn bar(json: bool) -> ProgressBar {
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Shows a bulk's way until it ends or is paused.
async fn watch(look: &Look<'_>, id: Uuid) -> anyhow::Result<()> {
    let bar = bar(look.json);
    loop {
        let bulk = found(look, id).await?;
        let refused = refused(&bulk);
        bar.set_length(u64::try_from(bulk.total).unwrap_or(0));
        bar.set_position(u64::try_from(bulk.done + bulk.skipped).unwrap_or(0) + refused);
        bar.set_message(if refused > 0 { format!("{refused} refused") } else { String::new() });
        if bulk.status != "running" {
            bar.finish_and_clear();
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn found(look: &Look<'_>, id: Uuid) -> anyhow::Result<bulk::Bulk> {
    let found = bulks::find(&look.engine.pool, &look.engine.tenant, id).await?;
    found.with_context(|| format!("there is no bulk {id}"))
}

fn refused(bulk: &bulk::Bulk) -> u64 {
    bulk.refused.as_object().map_or(0, |counts| counts.values().filter_map(Value::as_u64).sum())
}

async fn list(look: &Look<'_>) -> anyhow::Result<ExitCode> {
    print_bulks(look, &bulks::list(&look.engine.pool, &look.engine.tenant, None, 50).await?);
    Ok(ExitCode::SUCCESS)
}

async fn show(look: &Look<'_>, id: Uuid) -> anyhow::Result<ExitCode> {
    print_bulks(look, &[found(look, id).await?]);
    Ok(ExitCode::SUCCESS)
}

fn print_bulks(look: &Look<'_>, found: &[bulk::Bulk]) {
    if look.json {
        let items: Vec<Value> = found
            .iter()
            .map(|bulk| {
                json!({
                    "bulkId": bulk.id, "verb": bulk.verb, "filter": bulk.filter.0, "who": bulk.who,
                    "reason": bulk.reason, "status": bulk.status, "total": bulk.total, "done": bulk.done,
                    "refused": bulk.refused, "skipped": bulk.skipped, "perSecond": bulk.per_second, "createdAt": bulk.created_at,
                    "endedAt": bulk.ended_at,
                })
            })
            .collect();
        println!("{}", json!({ "items": items }));
        return;
    }
    let mut table = table(["bulk", "verb", "status", "runs", "done", "refused", "skipped", "who", "reason"]);
    for bulk in found {
        table.add_row([
            bulk.id.to_string(),
            bulk.verb.clone(),
            bulk.status.clone(),
            bulk.total.to_string(),
            bulk.done.to_string(),
            refused(bulk).to_string(),
            bulk.skipped.to_string(),
            bulk.who.clone(),
            bulk.reason.clone(),
        ]);
    }
    println!("{table}");
}

async fn turn(look: &Look<'_>, turn: Turn, turned: Turned) -> anyhow::Result<ExitCode> {
    match bulk::turn(look.engine, turn.id, &turn.why.by(), turned).await? {
        Ok(_) => show(look, turn.id).await,
        Err(refused) => {
            eprintln!("✗ {refused}");
            Ok(ExitCode::from(REFUSED))
        }
    }
}

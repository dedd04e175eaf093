//! `houbu jobs`: looks at what starts runs by the clock, and pauses, resumes or runs it, on the database itself.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::why::{REFUSED, Why};
use crate::app::database::Database;
use crate::app::jobs as jobs_of;
use crate::config::Config;
use crate::desk::jobs::{refusal, sentence};
use crate::engine::jobs::look::{self, Seen};
use crate::engine::jobs::verbs::{JobVerb, perform};
use crate::engine::{Engine, Registry};
use crate::waitlist::language::Language;
use crate::workflows;

/// What `houbu jobs` may be told.
#[derive(Debug, Args)]
pub struct Jobs {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the jobs with their last and next ticks.
    List,
    /// Show one job: its plan, its next ten ticks, the runs that it started last.
    Show {
        /// Its name.
        job: String,
    },
    /// Start the runs of one tick now, paused or not; the plan stays as it is.
    Run(Deed),
    /// Let nothing tick until it is resumed; runs that were started go on.
    Pause(Deed),
    /// Let a paused job tick again from now on.
    Resume(Deed),
}

/// A deed to one job.
#[derive(Debug, Args)]
struct Deed {
    /// Its name.
    job: String,
    #[command(flatten)]
    why: Why,
}

pub(super) async fn run(config: &Config, jobs: Jobs) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let known = jobs_of(config)?;
    let registry = known.into_iter().fold(workflows::registry_of_nobody(), Registry::with_job);
    let engine = Engine::new(database.pool.clone(), config.hospital.clone(), registry);
    let done = do_it(&engine, config.time_zone, jobs).await;
    database.close().await;
    done
}

async fn do_it(engine: &Engine, tz: Tz, jobs: Jobs) -> anyhow::Result<ExitCode> {
    match jobs.command {
        Command::List => list(engine, tz, jobs.json).await,
        Command::Show { job } => show(engine, tz, &job, jobs.json).await,
        Command::Run(deed) => turn(engine, &deed, JobVerb::Run, jobs.json).await,
        Command::Pause(deed) => turn(engine, &deed, JobVerb::Pause, jobs.json).await,
        Command::Resume(deed) => turn(engine, &deed, JobVerb::Resume, jobs.json).await,
    }
}

async fn list(engine: &Engine, tz: Tz, as_json: bool) -> anyhow::Result<ExitCode> {
    let found = look::all(engine).await?;
    if as_json {
        println!("{}", json!({ "items": found.iter().map(|job| json_of(job, tz)).collect::<Vec<_>>() }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = table();
    table.set_header(["job", "cron", "status", "last tick", "its runs", "next ticks", "why"]);
    for job in &found {
        let next: Vec<String> = job.next_ticks.iter().take(3).map(|at| local(*at, tz)).collect();
        table.add_row([
            job.row.name.clone(),
            format!("{} ({})", job.row.cron, job.row.zone),
            job.standing.name().to_owned(),
            job.row.last_tick.map(|at| local(at, tz)).unwrap_or_default(),
            statuses(job),
            next.join("\n"),
            sentence(job, Language::En).unwrap_or_default(),
        ]);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

async fn show(engine: &Engine, tz: Tz, name: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some(job) = look::one(engine, name).await? else { anyhow::bail!("there is no job {name}") };
    if as_json {
        println!("{}", json_of(&job, tz));
        return Ok(ExitCode::SUCCESS);
    }
    let row = &job.row;
    let next: Vec<String> = job.next_ticks.iter().map(|at| local(*at, tz)).collect();
    let lines = [
        ("job", row.name.clone()),
        ("starts", row.workflow.clone()),
        ("cron", format!("{} ({})", row.cron, row.zone)),
        ("missed ticks", row.missed.clone()),
        ("jitter", if row.jitter_s > 0.0 { format!("{} s", row.jitter_s) } else { String::new() }),
        ("status", job.standing.name().to_owned()),
        ("why", sentence(&job, Language::En).unwrap_or_default()),
        ("last tick", row.last_tick.map(|at| local(at, tz)).unwrap_or_default()),
        ("its runs", statuses(&job)),
        ("passed over from", row.missed_from.map(|at| local(at, tz)).unwrap_or_default()),
        ("next ticks", next.join("\n")),
    ];
    let mut shown = table();
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        shown.add_row([name.to_owned(), value]);
    }
    println!("{shown}");
    let mut runs = table();
    runs.set_header(["run", "key", "step", "status"]);
    for run in &job.last_runs {
        runs.add_row([run.id.to_string(), run.key.clone(), run.step.clone(), run.status.clone()]);
    }
    if !job.last_runs.is_empty() {
        println!("{runs}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn turn(engine: &Engine, deed: &Deed, verb: JobVerb, as_json: bool) -> anyhow::Result<ExitCode> {
    match perform(engine, &deed.job, &deed.why.by(), verb, None).await? {
        Ok(started) if as_json => println!("{}", json!({ "job": deed.job, "verb": verb.name(), "runIds": started })),
        Ok(started) if verb == JobVerb::Run => println!("{}: {} runs started", deed.job, started.len()),
        Ok(_) => println!("{}: done", deed.job),
        Err(refused) => {
            if as_json {
                println!("{}", json!({ "code": refused.code(), "detail": refusal(&refused, Language::En) }));
            } else {
                eprintln!("{}", refusal(&refused, Language::En));
            }
            return Ok(ExitCode::from(REFUSED));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn json_of(job: &Seen, tz: Tz) -> Value {
    let row = &job.row;
    let local = |at: DateTime<Utc>| at.with_timezone(&tz).to_rfc3339();
    json!({
        "job": row.name, "workflow": row.workflow, "cron": row.cron, "timeZone": row.zone, "missed": row.missed,
        "jitterSeconds": row.jitter_s, "status": job.standing.name(), "why": sentence(job, Language::En),
        "nextTicks": job.next_ticks.iter().map(|at| local(*at)).collect::<Vec<_>>(),
        "lastTick": row.last_tick.map(local), "lastStartedAt": row.last_started_at.map(local),
        "lastRunStatuses": job.last_statuses(), "failures": row.failures, "lastError": row.last_error,
    })
}

/// `12 completed, 1 suspended`.
fn statuses(job: &Seen) -> String {
    let counts = job.last_statuses();
    counts.into_iter().map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn local(at: DateTime<Utc>, tz: Tz) -> String {
    at.with_timezone(&tz).format("%Y-%m-%d %H:%M:%S").to_string()
}

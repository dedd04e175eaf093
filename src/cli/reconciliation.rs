//! `houbu reconciliation`: looks at the days that were compared and at the cases, resolves one, compares a day again.

use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};
use uuid::Uuid;

use super::why::{REFUSED, Why};
use crate::app::database::Database;
use crate::config::Config;
use crate::desk::DeskError;
use crate::desk::reconciliation::{reconcile, resolve};
use crate::engine::{Engine, clock};
use crate::records::reconciliation::cases::{self, Case, Wanted};
use crate::records::reconciliation::list;
use crate::waitlist::language::Language;
use crate::waitlist::reconciliation::Kind;
use crate::workflows;

/// What `houbu reconciliation` may be told.
#[derive(Debug, Args)]
pub struct Reconciliation {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the days that were compared lately.
    Days,
    /// List differences, newest first.
    Cases {
        /// open, suspect (its run may still settle it) or resolved.
        #[arg(long, default_value = "open", value_parser = ["open", "suspect", "resolved"])]
        state: String,
        /// Found first on this day.
        #[arg(long)]
        day: Option<NaiveDate>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        most: i64,
    },
    /// Show one difference, and what is proposed.
    Show {
        /// Its id.
        case: Uuid,
    },
    /// Say that a difference is settled, and how.
    Resolve {
        /// Its id.
        case: Uuid,
        #[command(flatten)]
        why: Why,
    },
    /// Compare a day that is over once more.
    Run {
        /// The day; without it yesterday.
        #[arg(long)]
        day: Option<NaiveDate>,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) async fn run(config: &Config, asked: Reconciliation) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let engine = Engine::new(database.pool.clone(), config.hospital.clone(), workflows::registry_of_nobody());
    let done = do_it(&engine, config.time_zone, asked).await;
    database.close().await;
    done
}

async fn do_it(engine: &Engine, tz: Tz, asked: Reconciliation) -> anyhow::Result<ExitCode> {
    let (pool, hospital, as_json) = (&engine.pool, engine.tenant.as_str(), asked.json);
    match asked.command {
        Command::Days => days(engine, tz, as_json).await?,
        Command::Cases { state, day, most } => {
            let found = cases::list(pool, hospital, &Wanted { state, day, most, ..Wanted::default() }).await?;
            if as_json {
                let items: Vec<Value> = found.iter().map(|case| json_of(case, tz)).collect();
                println!("{}", json!({ "items": items }));
                return Ok(ExitCode::SUCCESS);
            }
            let mut table = table();
            table.set_header(["case", "day", "kind", "subject", "ours", "theirs", "ours 分", "theirs 分"]);
            for one in found {
                let fen = |fen: Option<i64>| fen.map(|fen| fen.to_string()).unwrap_or_default();
                let (ours_fen, theirs_fen) = (fen(one.ours_fen), fen(one.theirs_fen));
                let (id, day) = (one.id.to_string(), one.day.to_string());
                table.add_row([id, day, one.kind, one.subject, one.ours, one.theirs, ours_fen, theirs_fen]);
            }
            println!("{table}");
        }
        Command::Show { case } => match cases::find(pool, hospital, case).await? {
            Some(case) if as_json => println!("{}", json_of(&case, tz)),
            Some(case) => {
                let mut table = table();
                if let Value::Object(fields) = json_of(&case, tz) {
                    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
                        table.add_row([name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)]);
                    }
                }
                println!("{table}");
            }
            None => anyhow::bail!("there is no case {case}"),
        },
        Command::Resolve { case, why } => match resolve(engine, case, &why.by()).await {
            Ok(case) if as_json => println!("{}", json_of(&case, tz)),
            Ok(case) => println!("{}: resolved", case.id),
            Err(error) => return refused(error, as_json),
        },
        Command::Run { day, why } => {
            let today = clock::now(pool).await?.with_timezone(&tz).date_naive();
            let day = day.or_else(|| today.pred_opt()).unwrap_or(today);
            match reconcile(engine, today, day, &why.by(), None).await {
                Ok(started) if as_json => println!("{}", json!({ "day": day, "runId": started.id })),
                Ok(started) => println!("{day}: compared by the run {}", started.id),
                Err(error) => return refused(error, as_json),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a rule refuses is told; anything else is a failure.
fn refused(error: DeskError, as_json: bool) -> anyhow::Result<ExitCode> {
    match &error {
        DeskError::CaseResolved | DeskError::Refused(_) | DeskError::Unfit(..) if as_json => {
            println!("{}", json!({ "detail": error.to_string() }));
        }
        DeskError::CaseResolved | DeskError::Refused(_) | DeskError::Unfit(..) => eprintln!("{error}"),
        _ => return Err(error.into()),
    }
    Ok(ExitCode::from(REFUSED))
}

async fn days(engine: &Engine, tz: Tz, as_json: bool) -> anyhow::Result<()> {
    let found = list(&engine.pool, &engine.tenant, 100).await?;
    if as_json {
        let items = found.iter().map(|one| {
            json!({
                "runId": one.id, "day": one.day, "beganAt": local(one.began_at, tz),
                "endedAt": one.ended_at.map(|at| local(at, tz)), "compared": one.compared, "asked": one.asked,
                "found": one.found, "foreignLines": one.foreign_lines,
            })
        });
        println!("{}", json!({ "items": items.collect::<Vec<_>>() }));
        return Ok(());
    }
    let mut table = table();
    table.set_header(["day", "run", "began", "ended", "compared", "asked", "found", "foreign"]);
    for one in found {
        let ended = one.ended_at.map(|at| local(at, tz)).unwrap_or_default();
        let counts = [one.compared, one.asked, one.found, one.foreign_lines].map(|count| count.to_string());
        let row = [one.day.to_string(), one.id.to_string(), local(one.began_at, tz), ended];
        table.add_row(row.into_iter().chain(counts));
    }
    println!("{table}");
    Ok(())
}

fn json_of(case: &Case, tz: Tz) -> Value {
    let action = Kind::parse(&case.kind).map(|kind| kind.action(Language::En));
    json!({
        "caseId": case.id, "kind": case.kind, "subject": case.subject, "runId": case.entry_id, "day": case.day,
        "ours": case.ours, "theirs": case.theirs, "oursFen": case.ours_fen, "theirsFen": case.theirs_fen,
        "action": action, "state": case.state, "foundAt": local(case.found_at, tz), "seenAt": local(case.seen_at, tz),
        "resolvedAt": case.resolved_at.map(|at| local(at, tz)), "resolvedBy": case.resolved_by,
        "resolution": case.resolution,
    })
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn local(at: DateTime<Utc>, tz: Tz) -> String {
    at.with_timezone(&tz).to_rfc3339()
}

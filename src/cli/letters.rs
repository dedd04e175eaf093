//! `houbu letters`: messages that the platform did not take, and that they are sent again, on the database itself.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;

use super::why::Why;
use crate::app::database::Database;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::staff::letters;
use crate::workflows;

/// What `houbu letters` may be told.
#[derive(Debug, Args)]
pub struct Letters {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the messages that wait for a person: refused for good, or with all retries spent.
    List(Filter),
    /// Send messages again, with all their attempts; those that are named, or all that the filter holds.
    Retry {
        /// Their ids.
        letters: Vec<String>,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        why: Why,
    },
}

/// Which messages.
#[derive(Debug, Args)]
struct Filter {
    /// Of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Whose last error contains this text.
    #[arg(long)]
    error: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 500)]
    most: i64,
}

pub(super) async fn run(config: &Config, letters: Letters) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let engine = Engine::new(database.pool.clone(), config.hospital.clone(), workflows::registry_of_nobody());
    let done = do_it(&engine, letters).await;
    database.close().await;
    done
}

async fn do_it(engine: &Engine, asked: Letters) -> anyhow::Result<ExitCode> {
    match asked.command {
        Command::List(filter) => {
            let found = aside(engine, &filter).await?;
            if asked.json {
                let items = found.iter().map(|one| {
                    json!({
                        "letterId": one.id, "runId": one.run_id, "topic": one.topic, "attempts": one.attempt,
                        "error": one.last_error, "createdAt": one.created_at,
                    })
                });
                println!("{}", json!({ "items": items.collect::<Vec<_>>() }));
                return Ok(ExitCode::SUCCESS);
            }
            let mut table = Table::new();
            table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(["letter", "run", "topic", "attempts", "why"]);
            for one in found {
                let why = one.last_error.unwrap_or_default();
                table.add_row([one.id, one.run_id.to_string(), one.topic, one.attempt.to_string(), why]);
            }
            println!("{table}");
        }
        Command::Retry { letters: named, filter, why } => {
            let filtered = filter.topic.is_some() || filter.error.is_some();
            anyhow::ensure!(named.is_empty() == filtered, "name letters, or a filter: --topic, --error");
            let ids =
                if filtered { aside(engine, &filter).await?.into_iter().map(|one| one.id).collect() } else { named };
            let retried = letters::retry(engine, &ids, &why.by()).await?;
            let retried: Vec<String> = retried.into_iter().map(|one| one.id).collect();
            if asked.json {
                println!("{}", json!({ "letterIds": retried }));
            } else {
                println!("{} messages are sent again", retried.len());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn aside(engine: &Engine, filter: &Filter) -> sqlx::Result<Vec<letters::PutAside>> {
    let (topic, error) = (filter.topic.as_deref(), filter.error.as_deref());
    letters::put_aside(&engine.pool, &engine.tenant, topic, error, None, filter.most).await
}

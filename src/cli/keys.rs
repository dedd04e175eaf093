//! `houbu keys`: looks at keys of the API, makes, changes and revokes them, on the database itself.

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use super::why::{REFUSED, Why};
use crate::app::database::Database;
use crate::config::Config;
use crate::desk::access::{Given, Listed, Lodge};
use crate::desk::{Answer, DeskError};
use crate::waitlist::language::Language;

/// What `houbu keys` may be told.
#[derive(Debug, Args)]
pub struct Keys {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the keys that were made here, with their secrets' last letters and when they were used last.
    List,
    /// Make a key and print its secret, once.
    Add {
        /// Its name: small letters, digits, dots, hyphens, underscores.
        name: String,
        /// What it opens; several are separated by commas.
        #[arg(long, value_delimiter = ',', required = true, value_parser = ["waitlist", "runs", "admin"])]
        scopes: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Print another secret of a key; the one before is good a while longer.
    Rotate {
        /// Its name.
        name: String,
        /// For so many hours, 720 at the most.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(0..=720))]
        overlap_hours: u64,
        #[command(flatten)]
        why: Why,
    },
    /// Let a key open nothing from now on.
    Revoke {
        /// Its name.
        name: String,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) async fn run(config: &Config, asked: Keys) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let lodge = Lodge::new(database.pool.clone(), config.hospital.clone())
        .reserving(config.api_keys.iter().map(|key| key.name.clone()));
    let done = do_it(&lodge, config.time_zone, asked).await;
    database.close().await;
    done
}

async fn do_it(lodge: &Lodge, tz: Tz, asked: Keys) -> anyhow::Result<ExitCode> {
    let id_of = async |name: &str| lodge.api_key_named(name).await.map(|key| key.id);
    match asked.command {
        Command::List => {
            list(&lodge.api_keys().await?, tz, asked.json);
            Ok(ExitCode::SUCCESS)
        }
        Command::Add { name, scopes, why } => told(lodge.make_api_key(&name, &scopes, &why.by()).await, asked.json),
        Command::Rotate { name, overlap_hours, why } => {
            let overlap = Duration::from_hours(overlap_hours);
            let done = match id_of(&name).await {
                Ok(id) => lodge.rotate_api_key(id, overlap, &why.by()).await,
                Err(error) => Err(error),
            };
            told(done, asked.json)
        }
        Command::Revoke { name, why } => {
            let done = match id_of(&name).await {
                Ok(id) => lodge.revoke_api_key(id, &why.by()).await,
                Err(error) => Err(error),
            };
            match refused(done)? {
                Ok(()) => {
                    println!("{name}: it opens nothing any more; processes that run know it within seconds");
                    Ok(ExitCode::SUCCESS)
                }
                Err(code) => Ok(code),
            }
        }
    }
}

/// Says why something is not done; any other error goes on.
pub(super) fn refused<T>(done: Answer<T>) -> anyhow::Result<Result<T, ExitCode>> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(DeskError::Access(refused)) => {
            eprintln!("{}", refused.message(Language::En));
            Ok(Err(ExitCode::from(REFUSED)))
        }
        Err(DeskError::Refused(_)) => {
            eprintln!("there is nothing of this name");
            Ok(Err(ExitCode::from(REFUSED)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints a secret, and that it is the only time.
fn told(done: Answer<Given>, in_json: bool) -> anyhow::Result<ExitCode> {
    let given = match refused(done)? {
        Ok(given) => given,
        Err(code) => return Ok(code),
    };
    if in_json {
        println!("{}", json!({ "name": given.name, "secret": given.secret }));
    } else {
        println!("{}", given.secret);
        eprintln!("This is the secret of {}; it is not shown again.", given.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn list(keys: &[Listed], tz: Tz, in_json: bool) {
    if in_json {
        let items: Vec<Value> = keys.iter().map(|key| json_of(key, tz)).collect();
        println!("{}", json!({ "items": items }));
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["key", "scopes", "secrets", "used last", "made", "state"]);
    for Listed { key, secrets } in keys {
        let column = |of: &dyn Fn(&crate::records::api_keys::Secret) -> String| {
            secrets.iter().map(of).collect::<Vec<_>>().join("\n")
        };
        let until = |at: DateTime<Utc>| format!(" until {}", local(at, tz));
        table.add_row([
            key.name.clone(),
            key.scopes.join(", "),
            column(&|one| format!("…{}{}", one.hint, one.ends_at.map(until).unwrap_or_default())),
            column(&|one| one.used_at.map_or_else(|| "never".to_owned(), |at| local(at, tz))),
            format!("{} by {}", local(key.made_at, tz), key.made_by),
            if key.revoked_at.is_some() { "revoked" } else { "in force" }.to_owned(),
        ]);
    }
    println!("{table}");
}

fn json_of(Listed { key, secrets }: &Listed, tz: Tz) -> Value {
    let at = |at: DateTime<Utc>| at.with_timezone(&tz).to_rfc3339();
    json!({
        "name": key.name, "scopes": key.scopes, "madeBy": key.made_by, "madeAt": at(key.made_at),
        "revokedAt": key.revoked_at.map(at),
        "secrets": secrets.iter().map(|one| json!({
            "hint": one.hint, "madeAt": at(one.made_at), "endsAt": one.ends_at.map(at), "usedAt": one.used_at.map(at),
        })).collect::<Vec<_>>(),
    })
}

/// An instant in the hospital's zone.
pub(super) fn local(at: DateTime<Utc>, tz: Tz) -> String {
    at.with_timezone(&tz).format("%Y-%m-%d %H:%M").to_string()
}

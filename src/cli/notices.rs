//! `houbu notices`: the texts that patients are told with, what would be sent, what became of what was, and that a notice is
//! sent again, on the database itself.

use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::why::{REFUSED, Why};
use crate::app::clients::routes;
use crate::app::database::Database;
use crate::config::Config;
use crate::desk::DeskError;
use crate::desk::notices::{Channel, of_entry, resend};
use crate::desk::templates::{InForce, Look, in_force, preview};
use crate::engine::Engine;
use crate::records::templates::campuses;
use crate::waitlist::notice::NoticeKind;
use crate::waitlist::template::TemplateName;
use crate::workflows;

/// What `houbu notices` may be told.
#[derive(Debug, Args)]
pub struct Notices {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the texts in force: the hospital's, and those of campuses that have their own.
    Templates,
    /// Show what would be sent with a text. Nothing is.
    Preview {
        /// The text.
        #[arg(value_parser = PossibleValuesParser::new(TemplateName::ALL.map(TemplateName::as_str)))]
        name: String,
        /// As at this campus; without it the application's, or the hospital's.
        #[arg(long)]
        campus: Option<String>,
        /// With this application's facts; without it with made-up ones.
        #[arg(long)]
        entry: Option<Uuid>,
    },
    /// List the notices about an application, and what became of each.
    List {
        /// The application.
        entry: Uuid,
    },
    /// Send a notice again. It is a notice of its own; one that is no longer true is not sent.
    Resend {
        /// The application.
        entry: Uuid,
        /// The notice.
        notice: String,
        /// As an SMS.
        #[arg(long)]
        sms: bool,
        #[command(flatten)]
        why: Why,
    },
}

pub(super) async fn run(config: &Config, asked: Notices) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let done = do_it(config, &database.pool, asked).await;
    database.close().await;
    done
}

async fn do_it(config: &Config, pool: &PgPool, asked: Notices) -> anyhow::Result<ExitCode> {
    match asked.command {
        Command::Templates => templates(config, pool, asked.json).await,
        Command::Preview { name, campus, entry } => {
            let name = TemplateName::parse(&name).ok_or_else(|| anyhow::anyhow!("there is no text {name}"))?;
            show(config, pool, name, &Look { campus_id: campus, entry, draft: None }, asked.json).await
        }
        Command::List { entry } => list(config, pool, entry, asked.json).await,
        Command::Resend { entry, notice, sms, why } => {
            let channel = sms.then_some(Channel::Sms);
            match resend(&engine(config, pool), &routes(config)?, (entry, &notice), channel, &why.by()).await {
                Ok(id) => println!("{id}: it is sent"),
                Err(error @ (DeskError::Refused(_) | DeskError::NotResent(_))) => {
                    let no_notice = matches!(error, DeskError::Refused(_));
                    eprintln!("{}", if no_notice { "there is no such notice".to_owned() } else { error.to_string() });
                    return Ok(ExitCode::from(REFUSED));
                }
                Err(error) => return Err(error.into()),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn engine(config: &Config, pool: &PgPool) -> Arc<Engine> {
    Engine::new(pool.clone(), config.hospital.clone(), workflows::registry_of_nobody())
}

async fn list(config: &Config, pool: &PgPool, entry: Uuid, in_json: bool) -> anyhow::Result<ExitCode> {
    let all = match of_entry(&engine(config, pool), &routes(config)?, entry).await {
        Ok(all) => all,
        Err(DeskError::Refused(_)) => {
            eprintln!("there is no such application");
            return Ok(ExitCode::from(REFUSED));
        }
        Err(error) => return Err(error.into()),
    };
    if in_json {
        let items = all.iter().map(|one| {
            json!({
                "noticeId": one.id, "channel": one.channel.as_str(), "kind": one.written.kind, "state": one.state.as_str(),
                "why": one.why, "createdAt": one.created_at, "dueAt": one.due_at, "settledAt": one.settled_at,
            })
        });
        println!("{}", json!({ "items": items.collect::<Vec<_>>() }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["notice", "channel", "text", "state", "why"]);
    for one in all {
        let (text, why) = (one.written.kind.template().as_str().to_owned(), one.why.unwrap_or_default());
        table.add_row([one.id, one.channel.as_str().to_owned(), text, one.state.as_str().to_owned(), why]);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

async fn templates(config: &Config, pool: &PgPool, in_json: bool) -> anyhow::Result<ExitCode> {
    let own = campuses(pool, &config.hospital).await?;
    let mut all = Vec::new();
    for name in TemplateName::ALL {
        all.push(in_force(pool, &config.hospital, &config.templates, name, None).await?);
        for (_, campus) in own.iter().filter(|(of, _)| of == name.as_str()) {
            all.push(in_force(pool, &config.hospital, &config.templates, name, Some(campus)).await?);
        }
    }
    if in_json {
        let items = all.iter().map(|one| {
            let version = one.version.as_ref();
            json!({
                "name": one.name, "campusId": version.map(|it| &it.campus_id).filter(|id| !id.is_empty()),
                "version": version.map(|it| it.version), "text": one.text,
            })
        });
        println!("{}", json!({ "items": items.collect::<Vec<_>>() }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["text", "of", "version", "template", "fields", "SMS"]);
    for one in all {
        let (of, version) = from(&one);
        let fields: Vec<String> = one.text.fields.iter().map(|(key, text)| format!("{key}: {text}")).collect();
        let sms = one.text.sms.unwrap_or_else(|| "none".to_owned());
        table.add_row([one.name.as_str().to_owned(), of, version, one.text.template_id, fields.join("\n"), sms]);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

/// Whose a text is, and which version.
fn from(one: &InForce) -> (String, String) {
    match &one.version {
        None => ("built in".to_owned(), String::new()),
        Some(version) if version.campus_id.is_empty() => ("the hospital".to_owned(), version.version.to_string()),
        Some(version) => (format!("campus {}", version.campus_id), version.version.to_string()),
    }
}

async fn show(
    config: &Config,
    pool: &PgPool,
    name: TemplateName,
    look: &Look,
    in_json: bool,
) -> anyhow::Result<ExitCode> {
    let preview = match preview(pool, &config.hospital, config.time_zone, &config.templates, name, look).await {
        Ok(preview) => preview,
        Err(DeskError::Refused(_)) => {
            eprintln!("there is no such application");
            return Ok(ExitCode::from(REFUSED));
        }
        Err(error) => return Err(error.into()),
    };
    if in_json {
        let notices = preview.shown.iter().map(|one| {
            let fields =
                one.fields.iter().map(|(key, value, most)| json!({ "key": key, "value": value, "most": most }));
            json!({ "kind": one.kind, "fields": fields.collect::<Vec<_>>(), "sms": one.sms })
        });
        let notices: Vec<_> = notices.collect();
        println!("{}", json!({ "templateId": preview.template_id, "notices": notices }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} under {}", name.as_str(), preview.template_id);
    for one in preview.shown {
        if let NoticeKind::Failed(reason) = one.kind {
            println!("\n{reason:?}");
        }
        for (key, value, _) in one.fields {
            println!("  {key}: {value}");
        }
        println!("  SMS: {}", one.sms.as_deref().unwrap_or("none"));
    }
    Ok(ExitCode::SUCCESS)
}

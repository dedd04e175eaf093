//! `houbu health`: how the whole is, from the database alone. Ends with 1 where something is critical, so that a script
//! or a person on call need not read.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Color, ContentArrangement, Table};
use serde_json::json;

use crate::app::database::Database;
use crate::config::Config;
use crate::desk::advice;
use crate::desk::health::{self, Health as Looked};
use crate::engine::Engine;
use crate::engine::health::Severity;
use crate::waitlist::language::Language;
use crate::workflows;

/// What `houbu health` may be told.
#[derive(Debug, Args)]
pub struct Health {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The language of the sentences.
    #[arg(long, value_enum, default_value_t = Words::En)]
    language: Words,
}

/// See [`Language`].
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Words {
    /// English.
    En,
    /// Chinese.
    Zh,
}

pub(super) async fn run(config: &Config, asked: Health) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let engine = Engine::new(database.pool.clone(), config.hospital.clone(), workflows::registry_of_nobody());
    let health = Looked::of(&engine, false).await;
    database.close().await;
    let health = health?;
    let language = match asked.language {
        Words::En => Language::En,
        Words::Zh => Language::ZhCn,
    };
    if asked.json {
        println!("{}", as_json(&health, language, config.time_zone));
    } else {
        print(&health, language, config.time_zone);
    }
    Ok(if health.worst() == Some(Severity::Critical) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_json(health: &Looked, language: Language, tz: chrono_tz::Tz) -> serde_json::Value {
    let survey = &health.survey;
    let findings = health.findings.iter().map(|finding| {
        json!({
            "code": finding.code(), "severity": finding.severity().name(),
            "sentence": health::sentence(finding, language, tz), "advice": advice::advice(finding, language),
        })
    });
    let due = survey.due.iter().map(|(destination, backlog)| {
        json!({ "destination": destination, "runs": backlog.count, "oldestSeconds": backlog.oldest_s })
    });
    json!({
        "status": health.worst().map_or("ok", Severity::name),
        "findings": findings.collect::<Vec<_>>(),
        "due": due.collect::<Vec<_>>(),
        "suspendedRuns": survey.with_status("suspended"),
        "suspendedLetters": survey.letters_with("suspended"),
        "workers": survey.workers.iter().map(|worker| &worker.name).collect::<Vec<_>>(),
    })
}

fn print(health: &Looked, language: Language, tz: chrono_tz::Tz) {
    let survey = &health.survey;
    let due: i64 = survey.due.iter().map(|(_, backlog)| backlog.count).sum();
    let oldest = survey.due.iter().map(|(_, backlog)| backlog.oldest_s).fold(0.0, f64::max);
    println!(
        "{} workers · {due} runs due, the oldest for {oldest:.0} s · {} runs and {} messages wait for a person",
        survey.workers.len(),
        survey.with_status("suspended"),
        survey.letters_with("suspended")
    );
    if health.findings.is_empty() {
        println!("✓ all is well");
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["how bad", "what", "what to do"]);
    for finding in &health.findings {
        let colour = match finding.severity() {
            Severity::Critical => Color::Red,
            Severity::Warning => Color::Yellow,
            Severity::Notice => Color::Blue,
        };
        table.add_row([
            Cell::new(finding.severity().name()).fg(colour),
            Cell::new(health::sentence(finding, language, tz)),
            Cell::new(advice::advice(finding, language)),
        ]);
    }
    println!("{table}");
}

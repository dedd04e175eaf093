//! `houbu draw verify`: whether a queue's order was drawn by chance (R17). Needs no database, no configuration and no trust.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use uuid::Uuid;

use crate::waitlist::draw::Transcript;

/// What `houbu draw` may be told.
#[derive(Debug, Args)]
pub struct Draw {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold a draw again from its transcript; exits with 1 if anything differs.
    Verify {
        /// The answer of GET /v1/schedules/{id}/draw once the draw was held; - reads it from standard input.
        file: PathBuf,
        /// The commitment as it was published when the queue opened; without it the one in the file is believed.
        #[arg(long)]
        commitment: Option<String>,
        /// Also print the place of this application.
        #[arg(long)]
        application: Option<Uuid>,
    },
}

pub(super) fn run(draw: &Draw) -> anyhow::Result<ExitCode> {
    let Command::Verify { file, commitment, application } = &draw.command;
    let transcript = read(file)?;
    if let Err(flaw) = transcript.verify(commitment.as_deref()) {
        println!("✗ schedule {}: {flaw}", transcript.schedule_id);
        return Ok(ExitCode::FAILURE);
    }
    let fixed = match commitment {
        Some(_) => "the seed is the one that was fixed at the opening",
        None => "the seed agrees with the commitment in the file (compare it with what was published: --commitment)",
    };
    println!("✓ schedule {}: {fixed}", transcript.schedule_id);
    println!("✓ the order is the one that the seed gives to these {} applications", transcript.applications.len());
    if let Some(application) = application {
        let Some(place) = transcript.order.iter().position(|one| one == application) else {
            println!("✗ application {application} took no part in it");
            return Ok(ExitCode::FAILURE);
        };
        println!("✓ application {application} has place {} of {}", place + 1, transcript.order.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> anyhow::Result<Transcript> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    }
    let what = "is not the transcript of a draw that was held (GET /v1/schedules/{id}/draw says stage: drawn)";
    serde_json::from_str(&text).with_context(|| format!("{} {what}", file.display()))
}

//! `houbu`: one binary, a command a job.

use std::process::ExitCode;

use clap::Parser;
use houbu::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // One sentence, causes included: what was tried, on what, and what to do.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! The command line: one file a command. Each answers an exit code; an error is one sentence on standard error.

mod chart;
mod check;
mod sandbox;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::app::database::Database;
use crate::config::{Config, REFERENCE};

/// Houbu (候补): the durable-workflow orchestrator of a hospital's appointment waitlist.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    /// The configuration file; without it houbu.toml, if there is one.
    #[arg(long, env = "HOUBU_CONFIG", global = true)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the API, the console and workers.
    Serve,
    /// Run workers only; many may share one database.
    Work,
    /// Run the simulated HIS, WeChat Pay and messages alone, and print how to connect to them.
    Sandbox,
    /// Bring the database schema up to date.
    Migrate,
    /// Check configuration, workflow proofs, connectivity, and whether every parked run could go on here.
    Check,
    /// Print a workflow's table as a page with a Mermaid diagram; without a name, list the workflows.
    Chart {
        /// The workflow.
        workflow: Option<String>,
    },
    /// Print every configuration key with its default.
    Config,
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.config.as_deref();
        match self.command {
            Some(Command::Chart { workflow }) => return chart::run(workflow.as_deref()),
            Some(Command::Config) => {
                print!("{REFERENCE}");
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let config = Config::load(file)?;
        start_logs(&config);
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async move {
            match self.command {
                Some(Command::Serve) | None => serve::serve(config).await,
                Some(Command::Work) => serve::work(config).await,
                Some(Command::Sandbox) => sandbox::run(&config).await,
                Some(Command::Migrate) => migrate(&config).await,
                Some(Command::Check) => check::run(&config).await,
                Some(Command::Chart { .. } | Command::Config) => Ok(ExitCode::SUCCESS),
            }
        })
    }
}

fn start_logs(config: &Config) {
    let filter = EnvFilter::try_new(&config.log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if config.log.json { logs.json().init() } else { logs.init() }
}

async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let database = Database::attach(config).await?;
    database.migrate().await?;
    println!("the schema is up to date");
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

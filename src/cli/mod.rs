//! The command line: one file a command. Each answers an exit code; an error is one sentence on standard error.

mod books;
mod chart;
mod check;
mod demo;
mod draw;
mod ending;
mod health;
mod his_check;
mod jobs;
mod keys;
mod letters;
mod logs;
mod notices;
mod reconciliation;
mod runs;
mod sandbox;
mod serve;
mod spans;
mod users;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Start everything on this machine and play one day of a hospital (the default).
    Demo(demo::Demo),
    /// Run the API, the console and workers.
    Serve,
    /// Run workers only; many may share one database.
    Work,
    /// Compare our books with the sandbox's HIS and payer; exits with 1 if a record differs.
    Books {
        /// Print the differences as one line of JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at runs, and do to them what staff may do; exits with 2 where a verb is refused.
    Runs(Box<runs::Runs>),
    /// Look at the cron jobs, and pause, resume or run one; exits with 2 where a verb is refused.
    Jobs(jobs::Jobs),
    /// Look at differences from HIS and the payment provider, and resolve one; exits with 2 where that is refused.
    Reconciliation(reconciliation::Reconciliation),
    /// Look at keys of the API, make, change and revoke them; exits with 2 where that is refused.
    Keys(keys::Keys),
    /// Look at the users of the console, invite one, shut one out, let one in again; exits with 2 where that is refused.
    Users(users::Users),
    /// List messages that the platform did not take, and send them again.
    Letters(letters::Letters),
    /// Look at the texts of notices, and at what became of notices; send one again. Exits with 2 where that is refused.
    Notices(notices::Notices),
    /// Check that the order of a queue was drawn by chance.
    Draw(draw::Draw),
    /// Say what is wrong with the whole and what to do about it; exits with 1 if something is critical.
    Health(health::Health),
    /// Run the simulated HIS, WeChat Pay and messages alone, and print how to connect to them.
    Sandbox,
    /// Bring the database schema up to date.
    Migrate,
    /// Check configuration, workflow proofs, connectivity, and whether every parked run could go on here.
    Check,
    /// Ask a HIS test system what it supports; exits with 1 if the waitlist could not rely on it.
    HisCheck(his_check::HisCheck),
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
            Some(Command::Draw(draw)) => return draw::run(&draw),
            Some(Command::Config) => {
                print!("{REFERENCE}");
                return Ok(ExitCode::SUCCESS);
            }
            _ => {}
        }
        let file = match &self.command {
            Some(Command::HisCheck(asked)) => asked.file().or(file),
            _ => file,
        };
        let config = Config::load(file)?;
        let plays = matches!(
            self.command,
            None | Some(
                Command::Demo(_)
                    | Command::Books { .. }
                    | Command::Health(_)
                    | Command::Jobs(_)
                    | Command::Keys(_)
                    | Command::Users(_)
                    | Command::Letters(_)
                    | Command::Notices(_)
                    | Command::Reconciliation(_)
                    | Command::Runs(_)
            )
        );
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let spans = logs::start(&config, plays, runtime.handle())?;
        let ended = runtime.block_on(async move {
            match self.command {
                Some(Command::Demo(demo)) => demo::run(config, demo).await,
                None => demo::run(config, demo::Demo::default()).await,
                Some(Command::Serve) => serve::serve(config).await,
                Some(Command::Work) => serve::work(config).await,
                Some(Command::Books { json }) => books::run(&config, json).await,
                Some(Command::Health(health)) => health::run(&config, health).await,
                Some(Command::Jobs(jobs)) => jobs::run(&config, jobs).await,
                Some(Command::Letters(letters)) => letters::run(&config, letters).await,
                Some(Command::Notices(asked)) => notices::run(&config, asked).await,
                Some(Command::Keys(asked)) => keys::run(&config, asked).await,
                Some(Command::Users(asked)) => users::run(&config, asked).await,
                Some(Command::Reconciliation(asked)) => reconciliation::run(&config, asked).await,
                Some(Command::Runs(runs)) => runs::run(&config, *runs).await,
                Some(Command::Sandbox) => sandbox::run(&config).await,
                Some(Command::Migrate) => migrate(&config).await,
                Some(Command::Check) => check::run(&config).await,
                Some(Command::HisCheck(asked)) => his_check::run(&config, asked).await,
                Some(Command::Chart { .. } | Command::Config | Command::Draw(_)) => Ok(ExitCode::SUCCESS),
            }
        });
        if let Some(spans) = spans {
            spans.end();
        }
        ended
    }
}

async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let database = Database::attach(config).await?;
    database.migrate().await?;
    println!("the schema is up to date");
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

//! `houbu users`: who may come in to the console, on the database itself. Where nobody can let anybody in any more, a link from here
//! does.

use std::process::ExitCode;

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;

use super::keys::{local, refused};
use super::why::Why;
use crate::app::database::Database;
use crate::config::Config;
use crate::desk::Answer;
use crate::desk::access::Lodge;
use crate::desk::access::role::Role;
use crate::desk::access::token::Token;
use crate::records::staff_users::User;

/// What `houbu users` may be told.
#[derive(Debug, Args)]
pub struct Users {
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the users of the console.
    List,
    /// Make a user and print the link, good once for 24 hours, by which the person chooses a password.
    Invite {
        /// The name: small letters, digits, dots, hyphens, underscores.
        name: String,
        /// viewer, operator or administrator.
        #[arg(long, value_parser = role)]
        role: Role,
        #[command(flatten)]
        why: Why,
    },
    /// Print a new link for a user who forgot the password.
    Link(Deed),
    /// Let a user in again who is disabled or locked out.
    Enable(Deed),
    /// Shut a user out; every session ends.
    Disable(Deed),
}

/// A deed to one user.
#[derive(Debug, Args)]
struct Deed {
    /// The name.
    name: String,
    #[command(flatten)]
    why: Why,
}

fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| "there are viewer, operator and administrator".to_owned())
}

pub(super) async fn run(config: &Config, asked: Users) -> anyhow::Result<ExitCode> {
    let Some(database) = Database::find(config).await? else {
        anyhow::bail!("the private database is not running: `houbu serve` starts it, or name one in DATABASE_URL");
    };
    let lodge = Lodge::new(database.pool.clone(), config.hospital.clone());
    let done = do_it(&lodge, config, asked).await;
    database.close().await;
    done
}

async fn do_it(lodge: &Lodge, config: &Config, asked: Users) -> anyhow::Result<ExitCode> {
    let done = match &asked.command {
        Command::List => {
            list(&lodge.users().await?, config.time_zone, asked.json);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Invite { name, role, why } => lodge.invite(name, *role, &why.by()).await.map(Some),
        Command::Link(deed) => linked(lodge, deed).await.map(Some),
        Command::Enable(deed) => enabled(lodge, deed).await.map(|()| None),
        Command::Disable(deed) => disabled(lodge, deed).await.map(|()| None),
    };
    match refused(done)? {
        Ok(Some(link)) => {
            let link = format!("{}/welcome/{}", config.base_url(config.listen), link.expose());
            if asked.json {
                println!("{}", json!({ "link": link }));
            } else {
                println!("{link}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Ok(None) => {
            println!("done");
            Ok(ExitCode::SUCCESS)
        }
        Err(code) => Ok(code),
    }
}

async fn linked(lodge: &Lodge, deed: &Deed) -> Answer<Token> {
    lodge.link_for(lodge.user_named(&deed.name).await?.id, &deed.why.by()).await
}

async fn enabled(lodge: &Lodge, deed: &Deed) -> Answer<()> {
    lodge.let_in_again(lodge.user_named(&deed.name).await?.id, &deed.why.by()).await
}

async fn disabled(lodge: &Lodge, deed: &Deed) -> Answer<()> {
    lodge.shut_out(lodge.user_named(&deed.name).await?.id, &deed.why.by()).await
}

fn state(user: &User) -> &'static str {
    match user {
        User { disabled_at: Some(_), .. } => "disabled",
        User { locked_until: Some(_), .. } => "locked out somewhere",
        User { has_password: false, subject: None, .. } => "invited",
        _ => "active",
    }
}

fn list(users: &[User], tz: Tz, in_json: bool) {
    if in_json {
        let items = users.iter().map(|user| {
            let came = user.came_at.map(|at| at.with_timezone(&tz).to_rfc3339());
            json!({ "name": user.name, "role": user.role, "state": state(user), "cameAt": came, "sessions": user.sessions })
        });
        println!("{}", json!({ "items": items.collect::<Vec<_>>() }));
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["user", "role", "state", "logged in last", "sessions"]);
    for user in users {
        table.add_row([
            user.name.clone(),
            user.role.clone(),
            state(user).to_owned(),
            user.came_at.map_or_else(|| "never".to_owned(), |at| local(at, tz)),
            user.sessions.to_string(),
        ]);
    }
    println!("{table}");
}

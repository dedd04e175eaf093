//! `houbu demo`: starts everything, plays realistic days on it, compares all books, and goes on serving.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{Days, NaiveDate, Utc};
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::ending::Ending;
use super::serve::{close, until_asked};
use crate::app::database::Database;
use crate::app::{App, door};
use crate::config::Config;
use crate::demo::{A_DEPARTMENT, Script, Size, Stage, play};
use crate::desk::access::token::Token;
use crate::engine::clock;
use crate::ports::his::Protocol;
use crate::ports::payments::Provider;
use crate::sandbox::faults::Level;
use crate::sandbox::wechat_messages::MessagesAs;

/// What `houbu demo` may be told.
#[derive(Debug, Clone, clap::Args)]
pub struct Demo {
    /// End after the day instead of serving on.
    #[arg(long)]
    once: bool,
    /// Print the summary as one line of JSON, last.
    #[arg(long)]
    json: bool,
    /// The same seed makes the same traffic.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How much goes wrong outside.
    #[arg(long, value_enum, default_value_t = Level::Some)]
    faults: Level,
    /// What HIS is spoken to in; without it, as `sandbox.his` is set.
    #[arg(long, value_enum)]
    his: Option<Protocol>,
    /// HIS offers v3.3 alone: it locks by 2005, for ten minutes, and is told of money by 2008.
    #[arg(long)]
    his_plain: bool,
    /// Who takes the money; without it, as `sandbox.pay` is set.
    #[arg(long, value_enum)]
    pay: Option<Provider>,
    /// By whom patients are told: WeChat, or the hospital's own message platform; without it, as `sandbox.messages` is set.
    #[arg(long, value_enum)]
    messages: Option<MessagesAs>,
    /// The day that is played, the first of several; without it, tomorrow.
    #[arg(long)]
    day: Option<NaiveDate>,
    /// Play so many days, 1 to 60, one after the other on the same database and sandbox. Every morning HIS opens one day more,
    /// a day's applications come beside what the days before have left, queues last over several days, and at night
    /// whatever has its hour then is done: the books are reconciled, breaches are pulled, the house is kept. All books are
    /// compared after each day.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    days: u32,
    /// How large the hospital is, and how much happens a day; without it, full for one day and small for several.
    #[arg(long, value_enum)]
    size: Option<Size>,
}

impl Demo {
    fn script(&self, day: NaiveDate) -> Script {
        let usual = if self.days > 1 { Size::Small } else { Size::Full };
        let size = self.size.unwrap_or(usual);
        Script { seed: self.seed, faults: self.faults, day, days: self.days, size, progress: true }
    }
}

/// The password of the demo's users has so many characters, by chance.
const PASSWORD_LENGTH: usize = 16;
/// A device that is faster than people waits so long in a demo, real time (in a hospital, six times that).
const SLOW_LANE_S: u32 = 1;

impl Default for Demo {
    fn default() -> Self {
        Self {
            once: false,
            json: false,
            seed: 7,
            faults: Level::Some,
            his: None,
            his_plain: false,
            pay: None,
            messages: None,
            day: None,
            days: 1,
            size: None,
        }
    }
}

pub(super) async fn run(mut config: Config, demo: Demo) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        config.his.is_none() && !config.payments_are_real() && !config.messages_are_real() && config.sms.is_none(),
        "the demo plays on the sandbox alone; take [his], [wechat_pay], [payment_platform], [wechat_messages], \
         [message_platform] and [sms] out of its configuration"
    );
    config.sandbox.seed = demo.seed;
    config.sandbox.faults = demo.faults;
    config.sandbox.his = demo.his.unwrap_or(config.sandbox.his);
    config.sandbox.his_plain |= demo.his_plain;
    anyhow::ensure!(
        !(config.sandbox.his_plain && config.sandbox.his == Protocol::Fhir),
        "--his-plain goes with --his jiankangtong and rest: FHIR is not v3.3"
    );
    config.sandbox.pay = demo.pay.unwrap_or(config.sandbox.pay);
    config.sandbox.messages = demo.messages.unwrap_or(config.sandbox.messages);
    config.slow_lane.device_every_s = SLOW_LANE_S;
    let listener = listen(&config).await?;
    let base_url = config.base_url(listener.local_addr()?);
    let (api_keys, made) = door::api_keys(&config)?;
    let api_key = match (made, config.api_keys.first()) {
        (Some(made), _) => made,
        (None, Some(first)) => secrecy::ExposeSecret::expose_secret(&first.key).to_owned(),
        (None, None) => anyhow::bail!("the demo needs an API key"),
    };
    let database = Database::open(&config).await?;
    database.empty_for_demo().await?;
    database.migrate().await?;
    let today = Utc::now().with_timezone(&config.time_zone).date_naive();
    let day = demo.day.unwrap_or(today + Days::new(1));
    let morning = crate::waitlist::calendar::visit_starts_at(day, chrono::NaiveTime::MIN, config.time_zone);
    clock::set(&database.pool, morning).await?;
    let app = App::assemble(&config, database, &base_url).await?;
    let mut ending = Ending::listen()?;
    let door = app.open(&config, listener, api_keys, true)?;
    let password = Token::make()?.expose().chars().take(PASSWORD_LENGTH).collect::<String>();
    door.desk.lodge.make_demo_users(&SecretString::from(password.clone())).await?;
    println!("The console is open at {base_url}/ (one click, no password), while the day is played and after.");
    if let Some(control) = &app.control {
        println!("What goes wrong outside is switched at {control}");
    }
    let worker = app.work(&config).await?;
    let clean = tokio::select! {
        clean = played_on(&app, &config, &demo, day, &base_url, &api_key) => Some(clean?),
        _ = ending.asked() => None,
    };
    match clean {
        Some(_) if !demo.once => {
            invite(&base_url, &api_key, &password);
            until_asked(&app, &mut ending).await?;
        }
        Some(_) => {}
        None => eprintln!("the play is broken off; `houbu serve` goes on with it where it stands"),
    }
    ending.in_order(close(app, Some(door), worker)).await;
    Ok(if clean == Some(true) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays the days and compares the books; true where not a record differs and the API and the money were in order.
async fn played_on(
    app: &App,
    config: &Config,
    demo: &Demo,
    day: NaiveDate,
    base_url: &str,
    api_key: &str,
) -> anyhow::Result<bool> {
    let Some(outside) = app.outside.clone() else { anyhow::bail!("the demo needs the sandbox") };
    let sandbox_clock = outside.clock.clone();
    let stage = Stage {
        engine: Arc::clone(&app.engine),
        pool: app.pool.clone(),
        hospital: config.hospital.clone(),
        tz: config.time_zone,
        api: base_url.to_owned(),
        api_key: api_key.to_owned(),
        his: outside.his,
        pay: outside.pay,
        messages: outside.messages,
        set_clock: Arc::new(move |to| sandbox_clock.set(to)),
    };
    let summary = play(&stage, &demo.script(day)).await?;
    println!("{}", summary.table());
    let before: Vec<String> =
        summary.differed_before().map(|(day, difference)| format!("after {day}: {difference}")).collect();
    let differences = summary.differences();
    for difference in before.iter().cloned().chain(differences.iter().map(ToString::to_string)) {
        println!("✗ {difference}");
    }
    match differences.len() {
        0 => println!("✓ Our books, HIS's and the payer's agree, record by record."),
        n => println!("✗ {n} differences between the books."),
    }
    let faults = summary.faults_of_ours();
    for fault in &faults {
        println!("✗ {fault}");
    }
    if demo.json {
        let mut line = serde_json::to_value(&summary)?;
        line["differences"] = differences.iter().map(ToString::to_string).collect();
        println!("{line}");
    }
    Ok(before.is_empty() && differences.is_empty() && faults.is_empty())
}

/// The configured address; where that is taken, any free port, since nobody has to find the demo again.
async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    if let Ok(listener) = door::listen(config).await {
        return Ok(listener);
    }
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    eprintln!("{} is taken; listening on {} instead", config.listen, listener.local_addr()?);
    Ok(listener)
}

fn invite(base_url: &str, api_key: &str, password: &str) {
    println!("\nHoubu goes on serving {base_url} (console {base_url}/, API {base_url}/docs); Ctrl-C ends. To try:");
    println!("  {base_url}/    one click, or log in as admin, operator or viewer with the password {password}");
    println!("  curl -H 'Authorization: Bearer {api_key}' '{base_url}/v1/schedules?departmentId={A_DEPARTMENT}'");
    println!("  curl -H 'Authorization: Bearer {api_key}' '{base_url}/v1/runs?status=waiting'");
    println!("  curl {base_url}/metrics");
}

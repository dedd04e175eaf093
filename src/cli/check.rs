//! `houbu check`: what must hold before this program may run here. Starts nothing, changes nothing: the database is
//! read, and of the outside only what is configured is asked, with questions that alter nothing there.

mod mending;
mod told;

use std::process::ExitCode;
use std::time::Duration;

use chrono::{Datelike, Days, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::app::database::Database;
use crate::app::{calendar, clients};
use crate::config::{Config, Network};
use crate::engine::preflight::{self, Crew, Knows, Unrunnable};
use crate::engine::proof;
use crate::ports::CallError;
use crate::ports::his::{LockedBy, Protocol};
use crate::ports::payments::Provider;
use crate::records::schedules;
use crate::waitlist::calendar::within_lock;
use crate::workflows;

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    println!("✓ configuration");
    let mut sound = proofs();
    sound &= keys(config);
    sound &= holidays(config);
    sound &= reached(config);
    let department = match Database::find(config).await {
        Err(error) => {
            println!(
                "✗ database: {error:#}; look at database.url (DATABASE_URL), and whether PostgreSQL lets us in from here"
            );
            sound = false;
            None
        }
        Ok(None) => {
            println!("– database: the private one is not running; `houbu serve` makes and starts it");
            None
        }
        Ok(Some(database)) => {
            println!("✓ database");
            let asked = stored(config, &database).await;
            database.close().await;
            let (well, department) = asked?;
            sound &= well;
            department
        }
    };
    sound &= his(config, department.as_deref().unwrap_or("0")).await;
    pushes(config);
    locks(config);
    sound &= payments(config).await;
    sound &= messages(config).await;
    sound &= told::identity(config).await;
    collector(config).await;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn proofs() -> bool {
    let mut sound = true;
    for table in workflows::tables() {
        match proof::prove(&table) {
            Ok(proof) => println!(
                "✓ workflow {}: {} places, {} outcomes; on none of the {} ways through it an ending owes anything",
                table.name, proof.places, proof.outcomes, proof.walked
            ),
            Err(flaws) => {
                sound = false;
                for flaw in flaws {
                    println!("✗ workflow {}: {flaw}", table.name);
                }
            }
        }
    }
    sound
}

fn keys(config: &Config) -> bool {
    match clients::guard_keys(config) {
        Ok(()) => true,
        Err(error) => {
            println!("✗ keys: {error:#}; openssl rand -hex 32 makes one");
            false
        }
    }
}

/// Whether the calendar can be read, and reaches beyond the coming weeks: next year's notice is out in November.
fn holidays(config: &Config) -> bool {
    let days = match calendar::working_days(config) {
        Ok(days) => days,
        Err(error) => {
            println!("✗ {error:#}");
            return false;
        }
    };
    let soon = (Utc::now().with_timezone(&config.time_zone).date_naive() + Days::new(60)).year();
    match days.last_holiday() {
        Some(last) if last.year() >= soon => println!("✓ calendar: holidays are known up to {last}"),
        _ => println!(
            "– calendar: no holiday of {soon} is known, so only Saturdays and Sundays are free there; name a file for it in \
             `calendar`"
        ),
    }
    true
}

/// Schema and parked runs; with them a department that HIS may be asked about.
async fn stored(config: &Config, database: &Database) -> anyhow::Result<(bool, Option<String>)> {
    match database.lacks().await? {
        0 => println!("✓ schema"),
        missing => {
            println!("– schema: {missing} migrations run at the next start, or with `houbu migrate`");
            return Ok((true, None));
        }
    }
    let mut sound = every_run_goes_on(config, &database.pool).await?;
    sound &= told::stored_routes(config, &database.pool).await?;
    let departments = schedules::departments(&database.pool, &config.hospital).await?;
    if departments.is_empty() {
        println!("– departments: none is named yet, so no schedule is pulled; name them: PUT /v1/departments/{{id}}");
    }
    Ok((sound, departments.into_iter().next()))
}

/// The deploy preflight: every live run must stand at a step that this program knows, whoever else works now.
async fn every_run_goes_on(config: &Config, pool: &PgPool) -> anyhow::Result<bool> {
    let ours = Knows::of(workflows::tables());
    let crew = preflight::crew(pool, &config.hospital).await?;
    let unrunnable = preflight::unrunnable(pool, &config.hospital, &ours.steps).await?;
    for place in &unrunnable {
        println!("✗ {}", without(place, &crew));
    }
    let others = crew.members.iter().filter(|member| member.knows != ours).count();
    if others > 0 {
        println!(
            "– workers: {others} of {} are of another release; what only one release knows is left to its workers",
            crew.members.len()
        );
    }
    if unrunnable.is_empty() {
        println!("✓ every live run stands at a step that this program knows");
    }
    Ok(unrunnable.is_empty())
}

/// What becomes of runs at a step that this program does not know.
fn without(place: &Unrunnable, crew: &Crew) -> String {
    let Unrunnable { workflow, step, runs } = place;
    let knowing = crew.who_knows(workflow, step);
    let then = if knowing.is_empty() {
        "no live worker knows it either, so they are unrunnable already".to_owned()
    } else {
        format!("only {} can run them, and once that ends they are unrunnable", knowing.join(", "))
    };
    format!(
        "with this release, {runs} runs at step {step} of workflow {workflow} would be unrunnable: {then}; deploy one that \
         knows the step, or lead them elsewhere first (houbu runs bulk)"
    )
}

/// Where one outside system stands.
enum Standing {
    Real,
    Simulated,
    Missing,
}

impl Standing {
    fn of(configured: bool, config: &Config) -> Self {
        match (configured, config.sandbox.enabled) {
            (true, _) => Self::Real,
            (false, true) => Self::Simulated,
            (false, false) => Self::Missing,
        }
    }

    /// Says what needs no call; `None` where the system is to be asked.
    fn told(&self, name: &str, section: &str) -> Option<bool> {
        match self {
            Self::Real => None,
            Self::Simulated => {
                println!("– {name}: simulated (sandbox)");
                Some(true)
            }
            Self::Missing => {
                println!("✗ {name}: [{section}] is not configured and the sandbox is off: fill in [{section}]");
                Some(false)
            }
        }
    }
}

async fn his(config: &Config, department: &str) -> bool {
    if let Some(told) = Standing::of(config.his.is_some(), config).told("HIS", "his") {
        return told;
    }
    let today = Utc::now().with_timezone(&config.time_zone).date_naive();
    let asked = match clients::real_his(config) {
        Ok(his) => his.schedules(department, None, today, today + Days::new(1)).await.map(drop),
        Err(error) => return wrong("HIS", &error.to_string(), "[his]"),
    };
    let (name, keys) = match config.his.as_ref().map(|his| his.protocol) {
        Some(Protocol::Rest) => ("HIS (rest)", "[his] url, user_id and sign_key"),
        Some(Protocol::Fhir) => ("HIS (fhir)", "[his] url and sign_key, or [his.oauth]"),
        _ => ("HIS", "[his] url, user_id, sign_key, aes_key and charset"),
    };
    answered(name, "schedules", asked, keys)
}

/// How the outside reaches us: HIS and the payment provider send to `public_url`.
fn reached(config: &Config) -> bool {
    let told = reaching(&config.public_url, config.his.is_some() || config.payments_are_real());
    println!("{}", told.1);
    told.0
}

fn reaching(public_url: &str, real: bool) -> (bool, String) {
    if public_url.is_empty() {
        let what = if real { ": notices and pushes find only this machine" } else { "" };
        return (true, format!("– public_url: empty{what}; set it to https://<our name>, as the outside reaches us"));
    }
    match reqwest::Url::parse(public_url) {
        Ok(url) if url.scheme() == "https" => (true, format!("✓ public_url: {public_url}")),
        Ok(url) if url.scheme() == "http" => {
            (true, format!("– public_url: {public_url} is not https; WeChat Pay sends notices to https alone"))
        }
        _ => (false, format!("✗ public_url: {public_url} is no address; set it to https://<our name>")),
    }
}

/// How long patients may answer where HIS alone says how long it holds a place (2005).
fn locks(config: &Config) {
    if let Some(said) = config.his.as_ref().and_then(|his| holding(his.functions().lock)) {
        println!("{said}");
    }
}

fn holding(lock: LockedBy) -> Option<String> {
    let LockedBy::LockReg { minutes } = lock else { return None };
    let (window, _) = within_lock(minutes, u32::MAX, u32::MAX);
    Some(format!(
        "– HIS locks: a place is held for {minutes} minutes, so an offer of payment lasts {window}, or more by a shorter \
         lockGraceMinutes, whatever offerWindowMinutes says; where HIS holds it for longer, say so in his.lock_minutes"
    ))
}

/// The collector of traces: whether somebody listens there. Houbu works without.
async fn collector(config: &Config) {
    let Ok(url) = reqwest::Url::parse(&config.traces.otlp_endpoint) else { return };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return };
    let connecting = tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), port));
    match tokio::time::timeout(Duration::from_secs(5), connecting).await {
        Ok(Ok(_)) => println!("✓ traces: somebody listens at {host}:{port}"),
        _ => println!("– traces: nobody listens at {host}:{port}, so traces are lost; look at traces.otlp_endpoint"),
    }
}

/// Who may push in the name of HIS (R15).
fn pushes(config: &Config) {
    let Some(his) = &config.his else { return };
    println!("{}", pushing(&his.push_from, config.trusted_proxies.len()));
}

fn pushing(push_from: &[Network], proxies: usize) -> String {
    match push_from.len() {
        0 => "– HIS pushes: taken from anywhere, the signature alone tells; name HIS's networks in his.push_from"
            .to_owned(),
        listed => format!(
            "✓ HIS pushes: taken from {listed} networks and from nowhere else; X-Forwarded-For is believed of {proxies} \
             trusted_proxies"
        ),
    }
}

/// A number that was never ordered: that the provider does not know it is the right answer.
async fn payments(config: &Config) -> bool {
    let is_platform =
        config.payment_platform.is_some() || (!config.payments_are_real() && config.sandbox.pay == Provider::Platform);
    let (name, section, keys) = if is_platform {
        ("payment platform", "[payment_platform]", "[payment_platform] url, merchant_id and sign_key")
    } else {
        ("WeChat Pay", "[wechat_pay]", "[wechat_pay] base_url, mch_id, serial_no, private_key_pem and platform_keys")
    };
    if let Some(told) = Standing::of(config.payments_are_real(), config).told(name, "wechat_pay] or [payment_platform")
    {
        return told;
    }
    let made_up = Uuid::now_v7().simple().to_string();
    let asked = match clients::real_payments(config) {
        Ok(payments) => payments.prove(&made_up).await,
        Err(error) => return wrong(name, &error.to_string(), section),
    };
    if matches!(asked, Ok(false)) {
        println!(
            "– {name} answers (order query) without a signature, as it may: that it is the one we mean is not proven; see that no \
             proxy answers in its place at base_url"
        );
        return true;
    }
    let sound = answered(name, "order query", asked.map(drop), keys);
    if sound && config.wechat_pay.as_ref().is_some_and(|pay| !pay.platform_certificates) {
        println!("– WeChat Pay: api_v3_key opens notices alone: see in the callbacks that the first one is believed");
    }
    sound
}

/// Every way to patients that is configured, and what becomes of whom none reaches.
async fn messages(config: &Config) -> bool {
    let mut sound = told::routes(config);
    sound &= told::wechat(config).await;
    sound &= told::platform(config).await;
    sound & told::sms(config).await
}

fn answered(name: &str, call: &str, asked: Result<(), CallError>, look_at: &str) -> bool {
    match asked {
        Ok(()) => {
            println!("✓ {name} answers ({call})");
            true
        }
        Err(error) => {
            println!("✗ {name}: {error}; {}", mending::mend(&error, look_at));
            false
        }
    }
}

fn wrong(name: &str, what: &str, look_at: &str) -> bool {
    println!("✗ {name}: {what}; look at {look_at}");
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r15_whether_anybody_may_push_is_said() {
        assert!(pushing(&[], 0).starts_with("–"));
        let networks: Vec<Network> =
            ["10.0.0.0/8", "10.1.2.3"].into_iter().filter_map(|text| Network::try_from(text.to_owned()).ok()).collect();
        let said = pushing(&networks, 1);
        assert!(said.starts_with('✓') && said.contains("2 networks") && said.contains("1 trusted"), "{said}");
    }

    #[test]
    fn an_address_that_the_outside_cannot_reach_is_said() {
        assert!(reaching("", true).1.contains("only this machine") && !reaching("our name", true).0);
        assert!(reaching("https://houbu.example.org", true).1.starts_with('✓'));
        assert!(reaching("http://houbu.example.org", true).1.contains("not https"));
    }

    #[test]
    fn a_lock_that_cuts_offers_short_is_said() {
        assert_eq!(holding(LockedBy::WaitLockReg), None);
        let said = holding(LockedBy::LockReg { minutes: 14 }).unwrap_or_default();
        assert!(said.contains("held for 14 minutes") && said.contains("lasts 7,"), "{said}");
    }

    #[test]
    fn who_can_still_run_them_is_said() {
        let place = Unrunnable { workflow: "shop".to_owned(), step: "Packing".to_owned(), runs: 3 };
        let member = preflight::Member {
            id: Uuid::nil(),
            name: "old-1".to_owned(),
            knows: Knows { steps: vec!["shop/Packing".to_owned()], signals: Vec::new() },
        };
        let said = without(&place, &Crew { members: vec![member] });
        assert!(said.starts_with("with this release, 3 runs at step Packing of workflow shop would be unrunnable"));
        assert!(said.contains("only old-1 can run them"), "{said}");
        assert!(without(&place, &Crew::default()).contains("unrunnable already"));
    }
}

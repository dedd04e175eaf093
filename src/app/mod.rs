//! The roof: puts database, outside world, workflows, workers and HTTP together, as configuration says.
//!
//! Nothing here decides anything about runs or the waitlist.

pub mod calendar;
pub mod clients;
pub mod database;
pub mod door;
pub mod limits;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use sqlx::PgPool;

use crate::config::{self, Config};
use crate::desk::access::BROWSERS_KNOWN_FOR;
use crate::desk::persons::{self, Resealed};
use crate::engine::housekeeping::Retention;
use crate::engine::jobs::Job;
use crate::engine::outbox::Outlets;
use crate::engine::{Engine, Registry, clock, worker};
use crate::records::tokens::SharedTokens;
use crate::records::{accounts, answers, callbacks, staff_places, staff_sessions};
use crate::sandbox::books::Store;
use crate::sandbox::control;
use crate::sandbox::outside::{Outside, SandboxClock};
use crate::waitlist::cipher::{Keyring, LookupKey};
use crate::workflows::{self, Ports, notices};
use clients::Clients;

/// How long an answer is kept under its `Idempotency-Key`.
const ANSWERS_KEPT_DAYS: i32 = 2;
/// How often older ones are deleted.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// Rounds of that in a day.
const ROUNDS_A_DAY: u32 = 24;

/// Everything that a process of Houbu has in hand.
pub struct App {
    /// The database.
    pub pool: PgPool,
    /// The engine over it.
    pub engine: Arc<Engine>,
    /// What the steps may call.
    pub ports: Arc<Ports>,
    /// The clients, and what callbacks need of them.
    pub clients: Clients,
    /// The simulated outside world, where it is used.
    pub outside: Option<Outside>,
    /// Where its own page is, by which it is made to misbehave.
    pub control: Option<String>,
    /// Finds patients by ID number.
    pub lookup: Arc<LookupKey>,
    /// The private database server, where there is one; it ends with the app.
    pub database: database::Database,
}

impl App {
    /// Connects everything; migrations must have run. `base_url` is where callbacks reach us.
    pub async fn assemble(config: &Config, database: database::Database, base_url: &str) -> anyhow::Result<Self> {
        let pool = database.pool.clone();
        let outside = if clients::simulated(config) { Some(outside(config, &pool, base_url).await?) } else { None };
        let control = match &outside {
            Some(outside) => Some(format!("http://{}/", control::serve(outside.clone()).await?)),
            None => None,
        };
        clients::guard_keys(config)?;
        let keyring = || Keyring::new(&config.keys.sealing, &config.keys.sealing_older);
        let tokens = SharedTokens::new(pool.clone(), config.hospital.clone(), keyring()?);
        let clients = Clients::new(config, outside.as_ref(), base_url, Arc::new(tokens))?;
        let lookup = Arc::new(LookupKey::new(&config.keys.lookup)?);
        let ports = Arc::new(Ports {
            lookup: Arc::clone(&lookup),
            schedule_days_ahead: config.schedule_days_ahead,
            hospital: config.hospital.clone(),
            tz: config.time_zone,
            working_days: calendar::working_days(config)?,
            pool: pool.clone(),
            keyring: keyring()?,
            his: Arc::clone(&clients.his),
            payments: Arc::clone(&clients.payments),
            template_ids: config.templates.clone(),
            routes: clients.routes.clone(),
            sms: clients.sms.clone(),
        });
        let jobs = jobs(config)?;
        let registry = jobs.into_iter().fold(workflows::registry(&ports), Registry::with_job);
        for (workflow, proof) in registry.prove() {
            if let Err(flaws) = proof {
                let flaws: Vec<String> = flaws.iter().map(ToString::to_string).collect();
                anyhow::bail!("the workflow {workflow} could lose something and is not started: {}", flaws.join("; "));
            }
        }
        let limits = limits::limits(config);
        let engine = Engine::with_limits(pool.clone(), config.hospital.clone(), registry, limits);
        Ok(Self { pool, engine, ports, clients, outside, control, lookup, database })
    }

    /// Starts a worker in this process.
    pub async fn work(&self, config: &Config) -> anyhow::Result<worker::Worker> {
        let outlet = notices::NoticeOutlet::new(Arc::clone(&self.ports), self.clients.couriers.clone());
        let mut outlets = Outlets::default().with_lane(notices::TOPIC, notices::LANE, Arc::new(outlet));
        if let Some(gateway) = self.clients.sms.clone() {
            let outlet = notices::SmsOutlet::new(Arc::clone(&self.ports), gateway);
            outlets = outlets.with_lane(notices::SMS, notices::SMS, Arc::new(outlet));
        }
        let options = worker::Options {
            turns_max: config.worker.turns,
            poll: Duration::from_millis(config.worker.poll_ms),
            outlets,
            retention: retention(config),
            drain_max: Duration::from_secs(config.worker.drain_max_s),
            ..worker::Options::default()
        };
        let (hospital, kept) = (config.hospital.clone(), config.retention.clone());
        tokio::spawn(forget_records(self.pool.clone(), hospital, kept, config.console));
        if self.ports.keyring.rotates() {
            tokio::spawn(seal_anew(Arc::clone(&self.ports)));
        }
        Ok(worker::start(Arc::clone(&self.engine), options).await?)
    }
}

/// What starts runs by the clock, as configured.
pub fn jobs(config: &Config) -> anyhow::Result<Vec<Job>> {
    let ticks = workflows::Ticks {
        schedule_sync: &config.schedule_sync,
        reconciliation: &config.reconciliation,
        breach_sync: &config.breach_sync,
    };
    workflows::jobs(&ticks, config.time_zone).context("schedule_sync, reconciliation or breach_sync")
}

/// How long the engine keeps what is past.
fn retention(config: &Config) -> Retention {
    Retention {
        runs_days: config.retention.runs_days.into(),
        history_days: config.retention.history_days.into(),
        letters_days: config.retention.letters_days.into(),
        unmatched_days: config.signals.unmatched_days.into(),
    }
}

/// Deletes what is old of callbacks, idempotency answers, accounts, sessions and tries to log in every hour, and of patients every day, until the pool is
/// closed. Several processes may do it at once. Runs and what belongs to them are the engine's to keep (see
/// [`housekeeping`](crate::engine::housekeeping)).
async fn forget_records(pool: PgPool, hospital: String, kept: config::Retention, console: config::Console) {
    let (idle_s, most_s) = (f64::from(console.idle_min) * 60.0, f64::from(console.most_h) * 3600.0);
    for hour in (0..ROUNDS_A_DAY).cycle() {
        if pool.is_closed() {
            return;
        }
        let of_callbacks = callbacks::delete_older(&pool, &hospital, kept.callbacks_days.into()).await;
        let of_answers = answers::delete_older(&pool, &hospital, ANSWERS_KEPT_DAYS).await;
        let of_accounts = accounts::delete_older(&pool, &hospital).await;
        let of_sessions = staff_sessions::delete_ended(&pool, &hospital, idle_s, most_s).await;
        let of_places = staff_places::delete_old(&pool, &hospital, BROWSERS_KNOWN_FOR.as_secs_f64()).await;
        // Every patient is looked at for it.
        let of_patients = match hour {
            0 => persons::forget_absent(&pool, &hospital, kept.patients_days.into()).await,
            _ => Ok(0),
        };
        let of_patients = of_patients.map_err(|error| error.to_string());
        let told = [
            ("callbacks", of_callbacks),
            ("answers", of_answers),
            ("accounts", of_accounts),
            ("sessions", of_sessions),
            ("places", of_places),
        ];
        let told = told.map(|(what, done)| (what, done.map_err(|error| error.to_string())));
        for (what, done) in told.into_iter().chain([("patients", of_patients)]) {
            match done {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(what, deleted, "what is old is deleted"),
                Err(error) => tracing::warn!(what, %error, "what is old could not be deleted; tried again in an hour"),
            }
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

/// Seals anew, every hour, what an older key sealed: rows that another process, which does not know the new key yet, wrote
/// meanwhile too. Once nothing is left, the older key can be taken out of the configuration.
async fn seal_anew(ports: Arc<Ports>) {
    while !ports.pool.is_closed() {
        match persons::reseal_all(&ports.pool, &ports.hospital, &ports.keyring).await {
            Ok(Resealed { done: 0, lost: 0 }) => {
                tracing::info!("everything is sealed with the current key; the older ones are needed no longer");
            }
            Ok(Resealed { done, lost: 0 }) => {
                tracing::info!(done, "patients and draws are sealed anew with the current key");
            }
            Ok(Resealed { done, lost }) => {
                tracing::error!(
                    done,
                    lost,
                    "patients or draws do not open: damaged, or sealed with a key that is not in keys.sealing_older"
                );
            }
            Err(error) => tracing::warn!(%error, "patients could not be sealed anew; tried again in an hour"),
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

/// The sandbox on the same database, its clock where the engine's is.
async fn outside(config: &Config, pool: &PgPool, base_url: &str) -> anyhow::Result<Outside> {
    let store = Store::open(pool.clone()).await?;
    let now = clock::now(pool).await?;
    let sandbox = &config.sandbox;
    let outside = Outside::start(sandbox.seed, sandbox.faults, config.time_zone, store, SandboxClock::at(now)).await?;
    let outside = outside.plain(sandbox.his_plain).await?.writing(sandbox.charset)?;
    let outside = outside.speaking(sandbox.his).paid_through(sandbox.pay).telling(sandbox.messages);
    outside.tell_houbu(base_url);
    if clients::simulates_wechat(config) {
        outside.messages.tell_wechat_events(base_url);
    }
    Ok(outside)
}

/// Lets a clock that was set by hand run on (a demo that was killed left it standing), keeps the sandbox's with it and
/// lets happen what is due there, until the task is dropped.
pub async fn run_outside(outside: Outside, pool: PgPool) -> anyhow::Result<()> {
    if let Some((at, false)) = clock::by_hand(&pool).await? {
        clock::run_from(&pool, at).await?;
    }
    // Asked before the answer is read: the sandbox's clock is never behind ours, so nothing there precedes its cause.
    let asked_at = Utc::now();
    outside.clock.run(clock::now(&pool).await? - asked_at);
    loop {
        if let Err(error) = outside.run_due().await {
            tracing::warn!(%error, "the sandbox could not do what was due");
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

//! `houbu sandbox`: the simulated outside world alone, for a Houbu that runs elsewhere on this machine.

use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;

use super::ending::Ending;
use crate::config::Config;
use crate::sandbox::books::Store;
use crate::sandbox::control;
use crate::sandbox::outside::{CLIENT_TIMEOUT, Outside, SandboxClock};

/// Runs the servers with books in memory and prints the configuration that connects to them.
pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let clock = SandboxClock::at(Utc::now());
    let sandbox = &config.sandbox;
    let outside =
        Outside::start(sandbox.seed, sandbox.faults, config.time_zone, Store::in_memory(), clock.clone()).await?;
    let outside = outside.plain(sandbox.his_plain).await?.writing(sandbox.charset)?;
    let outside = outside.speaking(sandbox.his).paid_through(sandbox.pay).telling(sandbox.messages);
    let base_url = config.base_url(config.listen);
    outside.tell_houbu(&base_url);
    outside.messages.tell_wechat_events(&base_url);
    outside.furnish(Utc::now().with_timezone(&config.time_zone).date_naive()).await?;
    println!("{}", outside.configuration(&base_url, CLIENT_TIMEOUT)?);
    let control = control::serve(outside.clone()).await?;
    println!("\n# What goes wrong is switched at http://{control}/");
    clock.run(chrono::TimeDelta::zero());
    let busy = async {
        loop {
            if let Err(error) = outside.run_due().await {
                tracing::warn!(%error, "the sandbox could not do what was due");
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let mut ending = Ending::listen()?;
    tokio::select! {
        _ = ending.asked() => {}
        () = busy => {}
    }
    Ok(ExitCode::SUCCESS)
}

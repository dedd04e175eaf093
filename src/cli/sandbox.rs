//! `houbu sandbox`: the simulated outside world alone, for a Houbu that runs elsewhere on this machine.

use std::process::ExitCode;
use std::time::Duration;

use chrono::Utc;
use secrecy::ExposeSecret;

use super::ending::Ending;
use crate::config::Config;
use crate::sandbox::books::Store;
use crate::sandbox::outside::{CLIENT_TIMEOUT, Outside, SandboxClock};

/// Runs the servers with books in memory and prints the configuration that connects to them.
pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let clock = SandboxClock::at(Utc::now());
    let sandbox = &config.sandbox;
    let outside =
        Outside::start(sandbox.seed, sandbox.faults, config.time_zone, Store::in_memory(), clock.clone()).await?;
    let base_url = config.base_url(config.listen);
    outside.his.set_push_to(format!("{base_url}/callbacks/his"));
    println!("{}", connection(&outside, &base_url)?);
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

/// The sections of a houbu.toml that use these servers. Their keys guard nothing.
fn connection(outside: &Outside, base_url: &str) -> anyhow::Result<String> {
    let his = outside.his_config();
    let pay = outside.pay.client_config(base_url, CLIENT_TIMEOUT);
    let messages = outside.messages.client_config(CLIENT_TIMEOUT);
    let text = |value: &str| serde_json::to_string(value);
    let timeout_ms = CLIENT_TIMEOUT.as_millis();
    let platform: Vec<String> = pay
        .platform_keys
        .iter()
        .map(|(serial, pem)| Ok(format!("{} = {}", text(serial)?, text(pem)?)))
        .collect::<Result<_, serde_json::Error>>()?;
    Ok(format!(
        "[his]\nurl = {}\nhospital_id = {}\nuser_id = {}\nsign_key = {}\naes_key = {}\nchannel_id = {}\n\
         timeout_ms = {timeout_ms}\n\n[wechat_pay]\nbase_url = {}\napp_id = {}\nmch_id = {}\nserial_no = {}\n\
         private_key_pem = {}\nplatform_keys = {{ {} }}\napi_v3_key = {}\ntimeout_ms = {timeout_ms}\n\n\
         [wechat_messages]\nbase_url = {}\napp_id = {}\nsecret = {}\ntimeout_ms = {timeout_ms}",
        text(&his.url)?,
        text(&his.hospital_id)?,
        text(&his.user_id)?,
        text(his.sign_key.expose_secret())?,
        text(his.aes_key.expose_secret())?,
        text(&his.channel_id)?,
        text(&pay.base_url)?,
        text(&pay.app_id)?,
        text(&pay.mch_id)?,
        text(&pay.serial_no)?,
        text(pay.private_key_pem.expose_secret())?,
        platform.join(", "),
        text(pay.api_v3_key.expose_secret())?,
        text(&messages.base_url)?,
        text(&messages.app_id)?,
        text(messages.secret.expose_secret())?,
    ))
}

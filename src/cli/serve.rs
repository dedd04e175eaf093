//! `houbu serve` and `houbu work`: until Ctrl-C or SIGTERM, then an orderly end.

use std::process::ExitCode;

use crate::app::clients::simulated;
use crate::app::database::Database;
use crate::app::{App, door, run_outside};
use crate::config::Config;

/// API, callbacks, console and workers.
pub(super) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let listener = door::listen(&config).await?;
    let base_url = config.base_url(listener.local_addr()?);
    let (api_keys, made) = door::api_keys(&config)?;
    let database = Database::open(&config).await?;
    database.migrate().await?;
    let app = App::assemble(&config, database, &base_url).await?;
    let door = app.open(&config, listener, api_keys)?;
    let worker = app.work(&config).await?;
    println!("Houbu serves {base_url} (console {base_url}/, API {base_url}/docs); Ctrl-C ends");
    if let Some(made) = made {
        println!("No API key is configured; until the end this one is good: {made}");
    }
    until_asked(&app).await?;
    door.close().await;
    worker.stop().await;
    app.database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Workers only.
pub(super) async fn work(config: Config) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !simulated(&config),
        "`houbu work` does not simulate anything, since a second simulated HIS would have books of its own: configure \
         [his], [wechat_pay] and [wechat_messages] (`houbu sandbox` runs simulated ones and prints these sections), or use \
         `houbu serve`, which works too"
    );
    let database = Database::attach(&config).await?;
    database.migrate().await?;
    let app = App::assemble(&config, database, &config.base_url(config.listen)).await?;
    let worker = app.work(&config).await?;
    println!("Houbu works as {}; Ctrl-C ends", worker.name());
    asked_to_end().await?;
    worker.stop().await;
    app.database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Lets the sandbox live, if there is one, until the process is asked to end.
pub(super) async fn until_asked(app: &App) -> anyhow::Result<()> {
    let Some(outside) = app.outside.clone() else { return asked_to_end().await };
    tokio::select! {
        asked = asked_to_end() => asked,
        ended = run_outside(outside, app.pool.clone()) => ended,
    }
}

/// Returns on Ctrl-C or SIGTERM.
pub(super) async fn asked_to_end() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

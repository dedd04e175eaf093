//! `houbu serve` and `houbu work`: until Ctrl-C or SIGTERM, then an orderly end.

use std::process::ExitCode;

use crate::app::App;
use crate::app::database::Database;
use crate::config::Config;

pub(super) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    work(config).await
}

pub(super) async fn work(config: Config) -> anyhow::Result<ExitCode> {
    let database = Database::attach(&config).await?;
    database.migrate().await?;
    let app = App::assemble(&config, database, &config.base_url(config.listen)).await?;
    let worker = app.work(&config).await?;
    tracing::info!("working; Ctrl-C ends");
    asked_to_end().await?;
    worker.stop().await;
    app.database.close().await;
    Ok(ExitCode::SUCCESS)
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

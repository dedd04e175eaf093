//! `houbu serve` and `houbu work`: until Ctrl-C or SIGTERM, then an orderly end; a second one ends at once.

use std::process::ExitCode;

use super::ending::Ending;
use crate::app::clients::simulated;
use crate::app::database::Database;
use crate::app::door::Door;
use crate::app::{App, door, run_outside};
use crate::config::Config;
use crate::engine::worker::Worker;

/// API, callbacks, console and workers.
pub(super) async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let listener = door::listen(&config).await?;
    let listens = listener.local_addr()?;
    let base_url = config.base_url(listens);
    let (api_keys, made) = door::api_keys(&config)?;
    let database = Database::open(&config).await?;
    database.migrate().await?;
    let app = App::assemble(&config, database, &base_url).await?;
    let mut ending = Ending::listen()?;
    let door = app.open(&config, listener, api_keys, false)?;
    let worker = app.work(&config).await?;
    println!(
        "Houbu listens on {listens} and serves {base_url} (console {base_url}/, API {base_url}/docs); Ctrl-C ends"
    );
    if let Some(made) = made {
        println!("No API key is configured; until the end this one is good: {made}");
    }
    if let Some(link) = door.desk.lodge.first_link().await? {
        println!(
            "There is no user of the console yet. Whoever opens this link becomes the first administrator; it is good once, \
             for 24 hours: {base_url}/welcome/{}",
            link.expose()
        );
    }
    if let Some(control) = &app.control {
        println!("What is not configured is simulated; what goes wrong there is switched at {control}");
    }
    until_asked(&app, &mut ending).await?;
    ending.in_order(close(app, Some(door), worker)).await;
    Ok(ExitCode::SUCCESS)
}

/// Workers only.
pub(super) async fn work(config: Config) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !simulated(&config),
        "`houbu work` does not simulate anything, since a second simulated HIS would have books of its own: configure \
         [his], [wechat_pay] (or [payment_platform]) and [wechat_messages] (`houbu sandbox` runs simulated ones and prints these sections), or use \
         `houbu serve`, which works too"
    );
    let database = Database::attach(&config).await?;
    database.migrate().await?;
    let app = App::assemble(&config, database, &config.base_url(config.listen)).await?;
    let mut ending = Ending::listen()?;
    let worker = app.work(&config).await?;
    println!("Houbu works as {}; Ctrl-C ends", worker.name());
    until_asked(&app, &mut ending).await?;
    ending.in_order(close(app, None, worker)).await;
    Ok(ExitCode::SUCCESS)
}

/// Lets the sandbox live, if there is one, until the process is asked to end.
pub(super) async fn until_asked(app: &App, ending: &mut Ending) -> anyhow::Result<()> {
    let sandbox = async {
        match app.outside.clone() {
            Some(outside) => run_outside(outside, app.pool.clone()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = ending.asked() => Ok(()),
        ended = sandbox => ended,
    }
}

/// Ends in good order: no new request and no new turn, then what is in hand.
pub(super) async fn close(app: App, door: Option<Door>, worker: Worker) {
    let no_door = async {
        if let Some(door) = door {
            door.close().await;
        }
    };
    tracing::info!("ending: nothing new is taken up, what is in hand is finished");
    let ((), handed_back) = tokio::join!(no_door, worker.stop());
    if handed_back > 0 {
        eprintln!("{handed_back} runs were not finished in time and are handed back; other workers go on with them");
    }
    app.database.close().await;
}

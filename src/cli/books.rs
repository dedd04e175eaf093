//! `houbu books`: compares our books with those of the sandbox's HIS and payer, on a system that may be running.

use std::process::ExitCode;
use std::sync::Arc;

use crate::app::App;
use crate::app::database::Database;
use crate::config::Config;
use crate::demo::{Stage, check_books};

pub(super) async fn run(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let database = Database::attach(config).await?;
    anyhow::ensure!(database.lacks().await? == 0, "the database has no books yet: `houbu serve` or `houbu demo` first");
    let base_url = config.base_url(config.listen);
    let app = App::assemble(config, database, &base_url).await?;
    let Some(outside) = app.outside.clone() else { anyhow::bail!("only the sandbox shows its books") };
    let stage = Stage {
        engine: Arc::clone(&app.engine),
        pool: app.pool.clone(),
        hospital: config.hospital.clone(),
        tz: config.time_zone,
        api: base_url,
        api_key: String::new(),
        his: outside.his,
        pay: outside.pay,
        messages: outside.messages,
        set_clock: Arc::new(|_| ()),
    };
    let differences = check_books(&stage).await?;
    app.database.close().await;
    if json {
        println!("{}", serde_json::to_string(&differences)?);
    } else {
        for difference in &differences {
            println!("✗ {difference}");
        }
        if differences.is_empty() {
            println!("✓ Our books, HIS's and the payer's agree, record by record.");
        }
    }
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

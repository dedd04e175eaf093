//! `houbu books`: compares our books with those of the sandbox's HIS and payer, on a system that may be running.

use std::process::ExitCode;

use crate::app::App;
use crate::app::database::Database;
use crate::config::Config;
use crate::demo::check_books;

pub(super) async fn run(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let database = Database::attach(config).await?;
    anyhow::ensure!(database.lacks().await? == 0, "the database has no books yet: `houbu serve` or `houbu demo` first");
    let base_url = config.base_url(config.listen);
    let app = App::assemble(config, database, &base_url).await?;
    let Some(outside) = app.outside.clone() else { anyhow::bail!("only the sandbox shows its books") };
    let differences = check_books(&app.pool, &config.hospital, &outside.his, &outside.pay, &outside.messages).await?;
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

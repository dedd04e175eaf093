//! `houbu books`: compares our books with those of the sandbox's HIS and payer, on a system that may be running. Only
//! reads: no server is started, nothing is saved.

use std::process::ExitCode;

use crate::app::database::Database;
use crate::config::Config;
use crate::demo::check_stored_books;

pub(super) async fn run(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        config.sandbox.enabled && config.his.is_none() && !config.payments_are_real() && !config.messages_are_real(),
        "only the sandbox shows its books, and here HIS, the payment provider or the message platform is a real system"
    );
    let database = Database::attach(config).await?;
    anyhow::ensure!(database.lacks().await? == 0, "the database has no books yet: `houbu serve` or `houbu demo` first");
    let differences = check_stored_books(&database.pool, &config.hospital).await?;
    database.close().await;
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

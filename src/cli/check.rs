//! `houbu check`: what must hold before this program may run here. Starts nothing, changes nothing.

use std::process::ExitCode;

use chrono::{Days, Utc};

use crate::app::App;
use crate::app::database::Database;
use crate::config::Config;
use crate::engine::{preflight, proof};
use crate::workflows;

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    println!("✓ configuration");
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
    if !sound {
        return Ok(ExitCode::FAILURE);
    }
    let database = Database::attach(config).await?;
    println!("✓ database");
    match database.lacks().await? {
        0 => println!("✓ schema"),
        missing => {
            println!("– schema: {missing} migrations run at the next start; what follows needs them");
            database.close().await;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let app = App::assemble(config, database, &config.base_url(config.listen)).await?;
    let sound = stranded(&app).await? & his(&app).await;
    app.database.close().await;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The deploy preflight: every live run must stand at a step that this program knows.
async fn stranded(app: &App) -> anyhow::Result<bool> {
    let stranded = preflight::stranded(&app.pool, &app.engine.tenant, &app.engine.registry.known_steps()).await?;
    for (workflow, step, runs) in &stranded {
        println!("✗ {runs} runs of {workflow} stand at {step}, which this program does not know");
    }
    if stranded.is_empty() {
        println!("✓ every live run stands at a step that this program knows");
    }
    Ok(stranded.is_empty())
}

async fn his(app: &App) -> bool {
    let today = Utc::now().with_timezone(&app.ports.tz).date_naive();
    match app.ports.his.schedules("0", None, today, today + Days::new(1)).await {
        Ok(_) => {
            println!("✓ HIS answers");
            true
        }
        Err(error) => {
            println!("✗ HIS: {error}");
            false
        }
    }
}

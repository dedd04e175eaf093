//! `houbu chart`: a workflow's table as people read it.

use std::process::ExitCode;

use crate::engine::chart;
use crate::workflows;

pub(super) fn run(workflow: Option<&str>) -> anyhow::Result<ExitCode> {
    let tables = workflows::tables();
    let Some(name) = workflow else {
        for table in tables {
            println!("{:24} {}", table.name, table.doc.lines().next().unwrap_or_default().trim());
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(table) = tables.into_iter().find(|table| table.name == name) else {
        anyhow::bail!("there is no workflow {name}; `houbu chart` lists them");
    };
    print!("{}", chart::page(&table));
    Ok(ExitCode::SUCCESS)
}

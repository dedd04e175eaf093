//! The table as a picture: a Mermaid state diagram, the same that `chart.md` and the console show.

use std::fmt::Write;

use super::table::{OutcomeRow, StepRow, Table};

/// The diagram, ready for a Markdown page or a Mermaid renderer.
pub fn mermaid(table: &Table) -> String {
    let mut chart = String::from("stateDiagram-v2\n");
    for start in table.starts {
        let _ = writeln!(chart, "    [*] --> {start}");
    }
    if let Some(step) = table.cancels {
        let _ = writeln!(chart, "    [*] --> {step}: cancelled by staff, from any step");
    }
    for row in table.steps {
        for outcome in row.outcomes {
            let _ = writeln!(chart, "    {} --> {}: {}", row.name, outcome.next, label(outcome));
        }
    }
    for ending in table.ends {
        let _ = writeln!(chart, "    {ending} --> [*]");
    }
    chart
}

/// The page that stands beside the workflow's code.
pub fn page(table: &Table) -> String {
    let mut page = format!("# {}\n\n{}\n```mermaid\n{}```\n\n", table.name, trim(table.doc), mermaid(table));
    page.push_str("`+x` opens the obligation x, `−x` closes it. Generated from the table: `houbu chart ");
    let _ = writeln!(page, "{}`.\n\n| step | what happens | waits for |\n|---|---|---|", table.name);
    for row in table.steps {
        let _ = writeln!(page, "| {} | {} | {} |", row.name, trim(row.doc).replace('\n', " "), waits_for(row));
    }
    page
}

fn label(outcome: &OutcomeRow) -> String {
    let opens = outcome.opens.iter().map(|obligation| format!(" +{obligation}"));
    let closes = outcome.closes.iter().map(|obligation| format!(" −{obligation}"));
    opens.chain(closes).fold(outcome.name.to_owned(), |label, part| label + &part)
}

fn waits_for(row: &StepRow) -> String {
    row.until.map_or_else(String::new, |until| format!("{}, until {until}", row.hears.join(", ")))
}

/// Doc lines come with the space after `///`.
fn trim(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

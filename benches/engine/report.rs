//! The figures as a table for people and as JSON for programs.

use comfy_table::Table;
use serde_json::{Value, json};

use crate::Ask;
use crate::ground::Ground;

/// What a figure has to reach.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Shown, not judged.
    None,
}

pub struct Report {
    machine: Value,
    rows: Vec<Value>,
    table: Table,
    missed: usize,
}

impl Report {
    pub async fn new(ask: &Ask, ground: &Ground) -> Self {
        let plot = ground.plot().await;
        let (version, fsync, commit): (String, String, String) = sqlx::query_as(
            "select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')",
        )
        .fetch_one(&plot.pool)
        .await
        .unwrap();
        plot.close().await;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!(
            "{cores} cores, PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}, {}",
            ask.size("quick", "full")
        );
        let mut table = Table::new();
        table.set_header(["", "figure", "median", "beside", "ratio", "bar", ""]);
        let machine = json!({ "cores": cores, "postgres": version, "fsync": fsync, "synchronous_commit": commit });
        Self { machine, rows: Vec::new(), table, missed: 0 }
    }

    /// One figure. `beside` names the limit and gives its value; `judged` is what the bar is about.
    pub fn row(
        &mut self,
        id: &str,
        what: &str,
        value: (f64, &str),
        beside: Option<(&str, f64)>,
        judged: f64,
        bar: Bar,
    ) {
        let (passes, bar_text) = match bar {
            Bar::AtLeast(least) => (Some(judged >= least), format!("≥ {}", short(least))),
            Bar::AtMost(most) => (Some(judged <= most), format!("≤ {}", short(most))),
            Bar::None => (None, String::new()),
        };
        let ratio = beside.map(|(_, limit)| value.0 / limit);
        let verdict = passes.map_or("", |passes| if passes { "ok" } else { "MISSED" });
        self.missed += usize::from(passes == Some(false));
        let beside_text = beside.map(|(name, limit)| format!("{} ({name})", short(limit))).unwrap_or_default();
        let cells = [
            id.to_owned(),
            what.to_owned(),
            format!("{} {}", short(value.0), value.1),
            beside_text,
            ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            bar_text,
            verdict.to_owned(),
        ];
        println!("{}", cells.join("  "));
        self.table.add_row(cells);
        self.rows.push(json!({
            "id": id, "figure": what, "value": value.0, "unit": value.1, "limit": beside.map(|(name, _)| name),
            "limitValue": beside.map(|(_, limit)| limit), "ratio": ratio, "passes": passes,
        }));
    }

    /// Prints the table, writes it as Markdown and the figures as JSON.
    pub fn write(mut self) {
        println!("\n{}", self.table);
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("bench");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("engine.json");
        let all = json!({ "machine": self.machine, "figures": self.rows });
        std::fs::write(&file, serde_json::to_string_pretty(&all).unwrap()).unwrap();
        self.table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        std::fs::write(folder.join("engine.md"), format!("{}\n", self.table)).unwrap();
        println!("\n{} bars missed; figures in {}", self.missed, file.display());
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => {
            let whole = format!("{value:.0}");
            let (sign, digits) = whole.strip_prefix('-').map_or(("", whole.as_str()), |digits| ("-", digits));
            let groups: Vec<&str> =
                digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
            format!("{sign}{}", groups.join(","))
        }
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

//! The figures as a document: `docs/operations/metrics.md`. A test holds both together.

use std::fmt::Write as _;

use super::figures::{Described, FIGURES, Kind, LABELS, Of};

const HEAD: &str = "# The figures

Written from the table in `src/engine/measure/figures.rs`; do not edit here. `GET /metrics` shows them in the text format
of Prometheus, without a key: let only your own network reach it.

Figures of a *process* begin at nought when it starts: add them up over processes. Figures of the *whole* are asked of the
database when somebody looks, so every process answers the same: take `max`, never `sum`. No label names a person or a
run.

";

/// The document.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for (of, title) in [(Of::Process, "A process"), (Of::Whole, "The whole")] {
        // Writing to a string cannot fail.
        let _ = write!(page, "## {title}\n\n| figure | kind | unit | labels | says |\n|---|---|---|---|---|\n");
        for figure in FIGURES.iter().filter(|figure| figure.of == of) {
            page.push_str(&line(figure));
        }
        page.push('\n');
    }
    page.push_str("## Labels\n\n| label | values |\n|---|---|\n");
    for (label, values) in LABELS {
        let _ = writeln!(page, "| `{label}` | {values} |");
    }
    page
}

fn line(figure: &Described) -> String {
    let kind = match figure.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let labels: Vec<String> = figure.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {kind} | {} | {} | {} |\n", figure.name, figure.unit, labels.join(", "), figure.help)
}

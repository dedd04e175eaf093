//! What watches over Houbu from outside, held against what there is: the dashboard and the alert rules name figures and
//! labels that exist, and every alert has its section in the runbook.

use std::collections::BTreeSet;
use std::path::Path;

use houbu::engine::measure::figures::{Described, FIGURES, Kind};
use serde_json::Value;

fn document(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The figure whose sample has this name: itself, or a series of a histogram.
fn figure_of(sample: &str) -> Option<&'static Described> {
    let is_of = |figure: &&Described| match figure.kind {
        Kind::Histogram(_) => ["_bucket", "_sum", "_count"].iter().any(|part| sample == [figure.name, part].concat()),
        Kind::Counter | Kind::Gauge => sample == figure.name,
    };
    FIGURES.iter().find(is_of)
}

/// What an expression names of ours: each sample with the labels of the selector behind it.
fn named(expression: &str) -> Vec<(String, Vec<String>)> {
    let is_name = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '_';
    let samples = expression.match_indices("houbu_").map(|(at, _)| {
        let name: String = expression[at..].chars().take_while(is_name).collect();
        let selector = expression[at + name.len()..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = selector.map_or("", |(labels, _)| labels).split("\",").filter(|label| !label.is_empty());
        (name, labels.map(|label| label.chars().take_while(is_name).collect()).collect())
    });
    samples.collect()
}

/// The figures that an expression names. Each exists, with these labels.
fn checked(expression: &str) -> BTreeSet<&'static str> {
    let figures = named(expression).into_iter().map(|(sample, labels)| {
        let figure = figure_of(&sample).unwrap_or_else(|| panic!("there is no {sample}: {expression}"));
        for label in labels {
            // Prometheus itself names the process.
            let there = label == "instance" || figure.labels.contains(&label.as_str());
            assert!(there, "{sample} has no label {label}: {expression}");
        }
        figure.name
    });
    figures.collect()
}

#[test]
fn the_dashboard_shows_every_figure_and_no_other() {
    let dashboard: Value = serde_json::from_str(&document("dashboard.json")).unwrap();
    let mut shown = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "two panels have one id: {panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "the data source is chosen on import: {panel}");
            shown.extend(checked(target["expr"].as_str().unwrap()));
        }
    }
    let all: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(shown, all);
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        checked(variable["definition"].as_str().unwrap_or_default());
    }
}

/// One alert: its name and the lines that follow, until the next.
fn alerts(rules: &str) -> Vec<(&str, Vec<&str>)> {
    let mut alerts: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in rules.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match (line.strip_prefix("- alert: "), alerts.last_mut()) {
            (Some(name), _) => alerts.push((name, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    alerts
}

#[test]
fn every_alert_is_whole_and_stands_in_the_runbook() {
    let (rules, runbook) = (document("alerts.yaml"), document("runbook.md"));
    let alerts = alerts(&rules);
    for (name, lines) in &alerts {
        let of = |key: &str| {
            let found = lines.iter().find_map(|line| line.strip_prefix(key));
            found.unwrap_or_else(|| panic!("{name} has no {key}")).trim()
        };
        assert!(!checked(of("expr:")).is_empty(), "{name} looks at nothing of ours");
        assert!(of("for:").trim_end_matches(['m', 'h']).parse::<u32>().is_ok(), "{name}");
        assert!(["critical", "warning", "notice"].contains(&of("severity:")), "{name}");
        assert!(!of("summary:").is_empty(), "{name}");
        assert_eq!(of("runbook_url:"), format!("runbook.md#{}", name.to_lowercase()));
    }
    let rung: Vec<&str> = alerts.iter().map(|(name, _)| *name).collect();
    let sections: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(rung, sections, "one section an alert, in the order of the rules");
}

#[test]
fn the_runbook_leads_somewhere() {
    let (runbook, readme) = (document("runbook.md"), document("README.md"));
    let anchors = |text: &str| -> BTreeSet<String> {
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        headings.map(|heading| heading.to_lowercase().replace(' ', "-")).collect()
    };
    let (ours, theirs) = (anchors(&runbook), anchors(&readme));
    for (_, rest) in runbook.split("](").filter_map(|part| part.split_once('#')) {
        let anchor: String =
            rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        assert!(anchor.is_empty() || ours.contains(&anchor) || theirs.contains(&anchor), "#{anchor} leads nowhere");
    }
    for word in runbook.split('`').skip(1).step_by(2).filter(|code| code.starts_with("houbu ")) {
        let command = word.split_whitespace().nth(1).unwrap_or_default();
        assert!(
            ["health", "runs", "jobs", "letters", "check", "serve", "work"].contains(&command),
            "`{word}` is no command"
        );
    }
}

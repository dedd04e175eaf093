//! The house's own rules, read from its files: a floor imports only floors below it, files are short, migrations are
//! numbered, and what is generated is what stands there.

mod requirements;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use houbu::engine::flow::Flow;
use houbu::engine::{Table, chart, proof};
use houbu::workflows::{breach_sync, reconciliation, schedule_sync, slot_release, waitlist_application};

/// Longest file, in lines.
const LINES_MAX: usize = 450;

/// What each floor may import beside itself. Everything under `src` stands on one of these lines, a folder or a file.
const FLOORS: [(&str, &[&str]); 15] = [
    ("engine", &[]),
    ("waitlist", &[]),
    ("ports", &["engine", "waitlist"]),
    ("records", &["engine", "waitlist", "ports"]),
    ("workflows", &["engine", "waitlist", "ports", "records"]),
    ("desk", &["engine", "waitlist", "ports", "records", "workflows"]),
    // The two front doors are one surface: `http` mounts the console, which answers with its problems.
    ("http", &["engine", "waitlist", "ports", "records", "workflows", "desk", "console"]),
    ("console", &["engine", "waitlist", "ports", "records", "workflows", "desk", "http"]),
    // From outside: only the shapes of what goes over the wire.
    ("client", &["http"]),
    // The outside world speaks the ports' wire formats and knows nothing of ours.
    ("sandbox", &["ports"]),
    // The roof: the private server stands alone, the stage plays on the program without assembling it.
    ("postgres", &[]),
    // What can be chosen: by name, from those who have it to offer.
    ("config", &["ports", "sandbox"]),
    ("demo", &["engine", "waitlist", "ports", "records", "workflows", "sandbox"]),
    (
        "app",
        &[
            "config",
            "console",
            "desk",
            "engine",
            "http",
            "ports",
            "postgres",
            "records",
            "sandbox",
            "waitlist",
            "workflows",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "client",
            "config",
            "demo",
            "desk",
            "engine",
            "http",
            "ports",
            "records",
            "sandbox",
            "waitlist",
            "workflows",
        ],
    ),
];

/// What stands beside the floors: the list of them, and the program's first line.
const BESIDE: [&str; 2] = ["lib.rs", "main.rs"];

fn house() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files_in(&path, ending) } else { vec![path] })
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    files
}

/// The Rust files of a floor, which is a folder or one file.
fn files_of(floor: &str) -> Vec<PathBuf> {
    if floor == "workflows" {
        return files_in(&house().join("workflows"), ".rs");
    }
    let file = house().join("src").join(format!("{floor}.rs"));
    if file.is_file() { vec![file] } else { files_in(&house().join("src").join(floor), ".rs") }
}

/// The floors that a file names: `crate::x`, `houbu::x`, and `crate::{x, …}` too. Comments name whom they like.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect();
    let mut named = BTreeSet::new();
    for root in ["crate::", "houbu::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => {
                    let (mut depth, mut name) = (0, String::new());
                    for letter in group.chars() {
                        match letter {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            ',' if depth == 0 => drop(named.insert(first_name(&std::mem::take(&mut name)))),
                            _ if depth == 0 => name.push(letter),
                            _ => {}
                        }
                    }
                    named.insert(first_name(&name));
                }
                None => drop(named.insert(first_name(rest))),
            }
        }
    }
    named
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn a_floor_imports_only_floors_below_it() {
    let floors: Vec<&str> = FLOORS.iter().map(|(floor, _)| *floor).collect();
    let mut wrong = Vec::new();
    for (floor, below) in FLOORS {
        for file in files_of(floor) {
            for named in imports(&fs::read_to_string(&file).unwrap()) {
                // `crate::flow!` is the engine's, exported at the top as every macro is.
                if floors.contains(&named.as_str()) && named != floor && !below.contains(&named.as_str()) {
                    wrong.push(format!("{} imports {named}", file.strip_prefix(house()).unwrap().display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_seen_in_every_spelling() {
    let text = "use crate::ports::his;\nuse crate::{engine::{self, flow}, desk};\nlet x = houbu::http::y();\n// crate::console\n";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["desk", "engine", "http", "ports"]);
}

#[test]
fn every_floor_that_the_plan_names_is_there() {
    for (floor, _) in FLOORS {
        assert!(!files_of(floor).is_empty(), "no file on the floor {floor}");
    }
}

#[test]
fn everything_stands_on_a_floor() {
    let floors: Vec<&str> = FLOORS.iter().map(|(floor, _)| *floor).collect();
    for entry in fs::read_dir(house().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_code = !name.contains('.') || Path::new(&name).extension().is_some_and(|ending| ending == "rs");
        let floor = name.trim_end_matches(".rs");
        assert!(!is_code || BESIDE.contains(&name.as_str()) || floors.contains(&floor), "{name} stands on no floor");
    }
}

#[test]
fn no_file_is_long() {
    let long: Vec<String> = ["src", "workflows"]
        .iter()
        .flat_map(|folder| files_in(&house().join(folder), ".rs"))
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, file)| format!("{lines} lines: {}", file.strip_prefix(house()).unwrap().display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "workflows", "tests"] {
        for file in files_in(&house().join(folder), ".rs") {
            let text = fs::read_to_string(&file).unwrap();
            if text.lines().count() < 3 {
                continue;
            }
            let words = text.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or_default();
            assert!(words.len() >= 10, "{} does not say what it is for", file.display());
        }
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    const NOTHING: [&str; 6] = ["util", "utils", "common", "helpers", "manager", "misc"];
    for folder in ["src", "workflows", "tests"] {
        for file in files_in(&house().join(folder), ".rs") {
            let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(!NOTHING.contains(&stem.as_str()), "{}", file.display());
        }
    }
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    let names: Vec<String> = files_in(&house().join("migrations"), "")
        .iter()
        .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(!names.is_empty());
    for (nth, name) in names.iter().enumerate() {
        let number = format!("{:04}_", nth + 1);
        assert!(
            name.starts_with(&number) && Path::new(name).extension().is_some_and(|ending| ending == "sql"),
            "{name} should be {number}….sql"
        );
    }
}

/// The workflows of the shop window.
fn tables() -> [Table; 5] {
    [
        waitlist_application::WaitlistApplication::TABLE,
        slot_release::SlotRelease::TABLE,
        schedule_sync::ScheduleSync::TABLE,
        reconciliation::Reconciliation::TABLE,
        breach_sync::BreachSync::TABLE,
    ]
}

#[test]
fn every_workflow_has_its_folder_its_proof_and_its_chart() {
    let mut folders = 0;
    for table in tables() {
        proof::prove(&table).unwrap();
        let page = house().join("workflows").join(table.name).join("chart.md");
        let drawn = chart::page(&table);
        if std::env::var_os("HOUBU_DRAW").is_some() {
            fs::write(&page, &drawn).unwrap();
        }
        let stands = fs::read_to_string(&page).unwrap_or_default();
        assert!(
            stands == drawn,
            "{} is not what the table says; draw it again: HOUBU_DRAW=1 cargo test --test it floors",
            page.display()
        );
        folders += 1;
    }
    let there =
        fs::read_dir(house().join("workflows")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(there.count(), folders, "a workflow is not in this test's list");
}

#[test]
fn the_readmes_show_the_picture_of_the_table() {
    const BEGINS: &str = "<!-- chart:waitlist_application -->\n";
    const ENDS: &str = "<!-- /chart -->";
    let drawn = format!("```mermaid\n{}```\n", chart::mermaid(&waitlist_application::WaitlistApplication::TABLE));
    for name in ["README.md", "README.zh-CN.md"] {
        let page = house().join(name);
        let text = fs::read_to_string(&page).unwrap();
        let (before, rest) = text.split_once(BEGINS).unwrap();
        let (stands, after) = rest.split_once(ENDS).unwrap();
        if std::env::var_os("HOUBU_DRAW").is_some() {
            fs::write(&page, format!("{before}{BEGINS}{drawn}{ENDS}{after}")).unwrap();
            continue;
        }
        assert!(stands == drawn, "{name} does not show the table; draw it: HOUBU_DRAW=1 cargo test --test it floors");
    }
}

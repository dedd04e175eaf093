//! The table of requirements, held to the code: `docs/requirements.md` has a row for everything that the hospital asks for,
//! and names no file and no test that there is not.

use std::fs;
use std::path::{Path, PathBuf};

use super::{files_in, house};

/// R1–R37, then the races E1–E8, then the questions Q1–Q6: in the order of the table.
fn numbers() -> Vec<String> {
    let all = |letter: char, last: u32| (1..=last).map(move |nth| format!("{letter}{nth}"));
    all('R', 37).chain(all('E', 8)).chain(all('Q', 6)).collect()
}

/// A row: the first word of what is asked for, where it is met, and what shows it.
struct Row {
    number: String,
    places: String,
    shown_by: String,
}

fn page() -> String {
    fs::read_to_string(house().join("docs/requirements.md")).unwrap()
}

fn rows() -> Vec<Row> {
    let page = page();
    let lines = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    lines
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [asked, places, shown_by] = cells[..] else { panic!("a row has three cells: {line}") };
            let number = asked.split_whitespace().next().unwrap_or_default().to_owned();
            Row { number, places: places.to_owned(), shown_by: shown_by.to_owned() }
        })
        .collect()
}

/// What stands between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_path(name: &str) -> bool {
    name.contains('/') && !name.contains(' ')
}

/// `R6` as the name of a test begins with it, or has it among what it begins with: `r06`.
fn in_names(number: &str) -> String {
    let (letter, nth) = number.split_at(1);
    let width = if letter == "R" || letter == "E" { 2 } else { 1 };
    format!("{}{nth:0>width$}", letter.to_lowercase())
}

/// The tests of a row, each with the file or folder that is named before it.
fn tests(row: &Row) -> Vec<(PathBuf, String)> {
    let (mut place, mut all) = (None, Vec::new());
    for name in named(&row.shown_by) {
        if is_path(name) {
            place = Some(house().join(name));
        } else {
            let place = place.clone().unwrap_or_else(|| panic!("{}: {name} is in no file", row.number));
            all.push((place, name.to_owned()));
        }
    }
    all
}

/// The tests that stand in a file or folder: the functions below an attribute that says so.
fn tests_in(place: &Path) -> Vec<String> {
    let files = if place.is_dir() { files_in(place, ".rs") } else { vec![place.to_owned()] };
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is not there", file.display()));
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            match line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ") {
                Some(rest) if is_test => found.extend(rest.split('(').next().map(str::to_owned)),
                _ if line.starts_with("#[") => {
                    is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                    continue;
                }
                _ => {}
            }
            is_test = false;
        }
    }
    found
}

#[test]
fn every_requirement_has_its_row_in_the_order_of_the_numbers() {
    let (numbers, rows) = (numbers(), rows());
    let place = |row: &Row| numbers.iter().position(|number| *number == row.number).unwrap_or(numbers.len());
    for number in &numbers {
        assert!(rows.iter().any(|row| row.number == *number), "{number} has no row");
    }
    for pair in rows.windows(2) {
        let [one, next] = pair else { continue };
        assert!(place(one) <= place(next), "the row of {} stands behind that of {}", next.number, one.number);
    }
}

#[test]
fn what_the_table_names_is_there() {
    for row in rows() {
        for path in named(&row.places).chain(named(&row.shown_by)).filter(|name| is_path(name)) {
            assert!(house().join(path).exists(), "{}: {path} is not there", row.number);
        }
        for (place, test) in tests(&row) {
            let there = tests_in(&place);
            // What begins like this, where there are many.
            let found = match test.strip_suffix('…') {
                Some(begins) => there.iter().any(|name| name.starts_with(begins)),
                None => there.contains(&test),
            };
            assert!(found, "{}: no test {test} in {}", row.number, place.display());
        }
    }
    for link in page().split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(house().join("docs").join(link).exists(), "{link} is not there");
    }
}

#[test]
fn every_requirement_and_race_is_shown_by_a_test_of_its_number() {
    for number in numbers().iter().filter(|number| !number.starts_with('Q')) {
        let wanted = in_names(number);
        let rows = rows();
        let mut named = rows.iter().filter(|row| row.number == *number).flat_map(tests).map(|(_, test)| test);
        // `r20_r21_a_paid_place_is_booked` is of both.
        let carries = |test: &String| {
            let is_number = |part: &&str| part.len() == 3 && part.chars().skip(1).all(|digit| digit.is_ascii_digit());
            test.split('_').take_while(is_number).any(|part| part == wanted)
        };
        assert!(named.any(|test| carries(&test)), "no test {wanted}_… is named in the row of {number}");
    }
}

#[test]
fn a_test_is_found_by_its_attribute() {
    let text = "#[test]\n#[allow(x)]\nfn one() {\n}\n/// Not one.\nfn two() {}\n    #[tokio::test(flavor = \"x\")]\n    async fn three() {";
    let file = std::env::temp_dir().join(format!("houbu-floors-{}.rs", std::process::id()));
    fs::write(&file, text).unwrap();
    let found = tests_in(&file);
    fs::remove_file(&file).unwrap();
    assert_eq!(found, ["one", "three"]);
    assert_eq!(["R6", "R12", "E3", "Q1"].map(in_names), ["r06", "r12", "e03", "q1"]);
}

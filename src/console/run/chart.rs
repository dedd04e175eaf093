//! A workflow's table as a picture: its steps one below the other in the order of the table, ways onward on the right, ways back on
//! the left. Where a run went and could go next stands out. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Table;
use crate::engine::inspect::Told;
use crate::waitlist::language::Language;

use super::super::words::names;

/// Sizes, in units of the picture.
const MIDDLE: i32 = 320;
const HALF: i32 = 96;
const TALL: i32 = 26;
const ROW: i32 = 40;
/// How far a way swings out, at the least and the most.
const SWING: (i32, i32) = (34, 205);

/// The picture.
pub(crate) struct Chart {
    pub(crate) left: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) stops: Vec<Stop>,
    pub(crate) ways: Vec<Way>,
}

/// A step or an ending.
pub(crate) struct Stop {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) tall: i32,
    pub(crate) text_y: i32,
    pub(crate) name: String,
    pub(crate) title: String,
    /// `visited`, `now`, `ending`.
    pub(crate) class: String,
}

/// A way from one to another; several outcomes may take it.
pub(crate) struct Way {
    pub(crate) d: String,
    swing: i32,
    /// `gone`, `could` or nothing.
    pub(crate) class: &'static str,
    pub(crate) title: String,
}

/// Where a run was, and is.
pub(crate) struct Path<'a> {
    counts: BTreeMap<&'a str, usize>,
    gone: BTreeSet<(&'a str, &'a str)>,
    here: &'a str,
    bad: bool,
}

impl<'a> Path<'a> {
    /// From a history; `here` is the present step, `bad` where it stands still for a person.
    pub(crate) fn of(history: &'a [Told], here: &'a str, bad: bool) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut gone = BTreeSet::new();
        for told in history.iter().filter(|told| told.outcome.is_some() || told.step != told.next) {
            *counts.entry(&told.step).or_default() += 1;
            gone.insert((told.step.as_str(), told.next.as_str()));
        }
        Self { counts, gone, here, bad }
    }

    fn knows(&self, table: &Table, name: &str) -> bool {
        let next = table.step(self.here).is_some_and(|row| row.outcomes.iter().any(|outcome| outcome.next == name));
        name == self.here || self.counts.contains_key(name) || next
    }
}

impl Chart {
    /// The picture; `whole`: all steps, else those of the path and those that come next.
    pub(crate) fn draw(table: &Table, path: &Path<'_>, whole: bool, language: Language) -> Self {
        let all = table.steps.iter().map(|row| row.name).chain(table.ends.iter().copied());
        let shown: Vec<&str> = all.filter(|name| whole || path.knows(table, name)).collect();
        let at: BTreeMap<&str, i32> = shown.iter().zip(0..).map(|(name, nth)| (*name, 8 + nth * ROW)).collect();
        let stops = shown.iter().filter_map(|name| at.get(name).map(|y| stop(table, path, name, *y, language)));
        let mut outcomes: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for row in table.steps {
            for outcome in row.outcomes.iter().filter(|outcome| outcome.next != row.name) {
                outcomes.entry((row.name, outcome.next)).or_default().push(names::outcome(outcome.name, language));
            }
        }
        // Staff may have sent it where the table has no way to.
        for (from, to) in path.gone.iter().filter(|(from, to)| from != to) {
            outcomes.entry((from, to)).or_default();
        }
        let mut ways: Vec<Way> = outcomes
            .into_iter()
            .filter_map(|((from, to), said)| {
                let class = match () {
                    () if path.gone.contains(&(from, to)) => "gone",
                    () if from == path.here => "could",
                    () => "",
                };
                let title =
                    format!("{} → {} {}", names::step(from, language), names::step(to, language), said.join(" / "));
                let (d, swing) = curve(*at.get(from)?, *at.get(to)?);
                Some(Way { d, swing, class, title })
            })
            .filter(|way| whole || !way.class.is_empty())
            .collect();
        // What stands out is drawn last.
        ways.sort_by_key(|way| match way.class {
            "" => 0,
            "could" => 1,
            _ => 2,
        });
        let sides = ways.iter().fold((0, 0), |(left, right), way| (left.min(way.swing), right.max(way.swing)));
        // A curve comes three quarters of the way to the points that pull it.
        let (left, right) = (sides.0 * 3 / 4 - 12, sides.1 * 3 / 4 + 12);
        let height = 16 + i32::try_from(shown.len()).unwrap_or(0) * ROW - (ROW - TALL);
        Self { left: MIDDLE - HALF + left, width: 2 * HALF + right - left, height, stops: stops.collect(), ways }
    }
}

fn stop(table: &Table, path: &Path<'_>, name: &str, y: i32, language: Language) -> Stop {
    let count = path.counts.get(name).copied().unwrap_or_default();
    let mut class = String::from(if table.is_ending(name) { "stop ending" } else { "stop" });
    if name == path.here {
        class.push_str(if path.bad { " now bad" } else { " now" });
    } else if count > 0 {
        class.push_str(" visited");
    }
    let mut shown = names::step(name, language);
    if count > 1 {
        shown = format!("{shown} ×{count}");
    }
    let doc = table.step(name).map(|row| row.doc.trim()).unwrap_or_default();
    Stop {
        x: MIDDLE - HALF,
        y,
        width: 2 * HALF,
        tall: TALL,
        text_y: y + TALL / 2 + 4,
        name: shown,
        // What a step does is written in English.
        title: if language == Language::En { format!("{name}: {doc}") } else { name.to_owned() },
        class,
    }
}

/// From the stop at `from` to the one at `to`, and how far it swings out: straight to the next one, else around on the right (onward) or left (back).
fn curve(from: i32, to: i32) -> (String, i32) {
    if to - from == ROW {
        return (format!("M {MIDDLE} {} V {}", from + TALL, to - 2), 0);
    }
    let (side, onward) = if to > from { (MIDDLE + HALF, 1) } else { (MIDDLE - HALF, -1) };
    let (y1, y2) = (from + TALL / 2 + 3 * onward, to + TALL / 2 - 3 * onward);
    let swing = ((to - from).abs() / ROW * 12 + SWING.0 - 12).clamp(SWING.0, SWING.1) * onward;
    (format!("M {side} {y1} C {} {y1}, {} {y2}, {} {y2}", side + swing, side + swing, side + 3 * onward), swing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn told(step: &str, outcome: Option<&str>, next: &str) -> Told {
        Told {
            seq: 1,
            turn: 1,
            at: DateTime::UNIX_EPOCH,
            step: step.to_owned(),
            woke: None,
            outcome: outcome.map(str::to_owned),
            next: next.to_owned(),
            error: None,
            attempt: 0,
            took_ms: 1,
        }
    }

    #[test]
    fn the_way_that_a_run_went_stands_out() {
        let table = crate::workflows::tables().into_iter().find(|table| table.name == "waitlist_application").unwrap();
        let history = [
            told("PrepayOrder", None, "PrepayOrder"),
            told("PrepayOrder", Some("Opened"), "Prepayment"),
            told("Prepayment", Some("Paid"), "Waiting"),
        ];
        let path = Path::of(&history, "Waiting", false);
        let chart = Chart::draw(&table, &path, true, Language::ZhCn);
        assert_eq!(chart.stops.len(), table.steps.len() + table.ends.len());
        let now: Vec<&str> =
            chart.stops.iter().filter(|stop| stop.class.contains("now")).map(|stop| stop.name.as_str()).collect();
        assert_eq!(now, ["排队候补"]);
        assert_eq!(chart.ways.iter().filter(|way| way.class == "gone").count(), 2);
        assert!(chart.ways.iter().any(|way| way.class == "could" && way.title.contains("锁号")));
        let part = Chart::draw(&table, &path, false, Language::En);
        assert!(part.stops.len() < chart.stops.len() && part.stops.iter().any(|stop| stop.name == "Prepayment"));
    }
}

//! The places of one schedule, each with who got it, how, when and why.

use askama::Template;
use askama::filters::HtmlSafe;
use uuid::Uuid;

use super::row::{Chip, slot};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::slots::SlotWords;
use super::words::so_many;
use crate::desk::slots::{At, Slots};
use crate::records::slots::Given;

/// The places of a schedule, ready for the page.
#[derive(Template)]
#[template(path = "slots.html")]
pub(super) struct Places {
    p: &'static SlotWords,
    rows: Vec<Row>,
    told: Option<Stamp>,
    /// What the hand-out is at.
    now: Option<String>,
}

impl HtmlSafe for Places {}

/// A place, or several that are alike.
struct Row {
    time: String,
    /// The row above has the same time.
    again: bool,
    chip: Chip,
    who: Option<Who>,
    /// How many of these there are, where nobody has them.
    many: String,
    way: Vec<(String, Stamp)>,
    /// Why this person.
    turn: Option<Turn>,
    why: String,
}

struct Who {
    entry: Uuid,
    patient: String,
    name: String,
}

/// Whose turn it was.
struct Turn {
    drawn: Option<i32>,
    arrived: Option<i32>,
    applied: Stamp,
}

pub(super) fn places(slots: Slots, clock: &Clock) -> Places {
    let w = SlotWords::of(clock.language);
    let now = slots.at.map(|at| with_nobody(at, w, clock));
    let mut rows: Vec<Row> = slots.given.into_iter().map(|one| given(one, w, clock)).collect();
    let why = now.clone().unwrap_or_default();
    rows.extend(slots.free.iter().map(|open| {
        let time = serde_json::to_value(&open.slot).ok();
        nobodys(slot(time.as_ref()), ("calm", w.free), open.remaining, why.clone(), w)
    }));
    // Stable: of one time the offers stand as they came, and what is free behind them.
    rows.sort_by(|one, other| (one.time.is_empty(), &one.time).cmp(&(other.time.is_empty(), &other.time)));
    if slots.too_near > 0 {
        rows.push(nobodys(String::new(), ("", w.too_near), slots.too_near, w.too_near_why.to_owned(), w));
    }
    let above: Vec<String> = rows.iter().map(|row| row.time.clone()).collect();
    for (row, above) in rows.iter_mut().skip(1).zip(above) {
        row.again = !row.time.is_empty() && row.time == above;
    }
    Places { p: w, rows, told: slots.told_at.map(|at| clock.stamp(at)), now }
}

/// Places that nobody was offered.
fn nobodys(time: String, (tone, name): (&'static str, &str), n: u32, why: String, w: &SlotWords) -> Row {
    Row {
        time,
        again: false,
        chip: Chip { tone, name: name.to_owned() },
        who: None,
        many: so_many(n.into(), w.left),
        way: Vec::new(),
        turn: None,
        why,
    }
}

fn given(one: Given, w: &'static SlotWords, clock: &Clock) -> Row {
    let stood = State::of(&one);
    let (tone, name) = stood.chip(w);
    Row {
        time: slot(one.slot.as_ref()),
        again: false,
        chip: Chip { tone, name: name.to_owned() },
        many: String::new(),
        way: together(way(&one, stood, w, clock)),
        why: why(&one, stood, w, clock),
        turn: Some(Turn { drawn: one.drawn, arrived: one.arrived, applied: clock.stamp(one.applied_at) }),
        who: Some(Who { entry: one.entry_id, patient: one.patient_id, name: one.name.unwrap_or_default() }),
    }
}

/// Where a place that was offered is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Offered,
    Locked,
    Booked,
    Visited,
    Released,
    Lost,
    NotGiven,
}

impl State {
    fn of(one: &Given) -> Self {
        match (one.outcome.as_str(), one.visit.as_deref()) {
            ("out", _) => Self::Offered,
            ("held", _) => Self::Locked,
            ("booked", Some("fulfilled")) => Self::Visited,
            ("booked", Some("cancelled")) => Self::Released,
            ("booked", _) => Self::Booked,
            ("lost", _) => Self::Lost,
            ("unusable" | "withheld", _) => Self::NotGiven,
            _ => Self::Released,
        }
    }

    fn chip(self, w: &'static SlotWords) -> (&'static str, &'static str) {
        match self {
            Self::Offered => ("warn", w.offered),
            Self::Locked => ("warn", w.locked),
            Self::Booked => ("good", w.booked),
            Self::Visited => ("good", w.visited),
            Self::Released => ("", w.released),
            Self::Lost => ("bad", w.lost),
            Self::NotGiven => ("", w.not_given),
        }
    }
}

/// What happened to it, in order.
fn way(one: &Given, stood: State, w: &'static SlotWords, clock: &Clock) -> Vec<(&'static str, Stamp)> {
    let booked = matches!(stood, State::Booked | State::Visited) || one.visit.is_some();
    // What was booked at once was taken by that.
    let taken = one.taken_at.filter(|at| !booked || one.settled_at.is_none_or(|settled| *at < settled));
    let steps = [
        (w.heard, one.freed_at),
        (w.made, Some(one.made_at)),
        (w.taken, taken),
        (if booked { w.booked_at } else { w.settled }, one.settled_at.or(one.taken_at.filter(|_| booked))),
        (w.cancelled_at, one.cancelled_at),
        (w.answer_by, one.deadline),
    ];
    steps.into_iter().filter_map(|(name, at)| Some((name, clock.stamp(at?)))).collect()
}

/// What happened within one minute stands together.
fn together(steps: Vec<(&'static str, Stamp)>) -> Vec<(String, Stamp)> {
    let mut told: Vec<(String, Stamp)> = Vec::new();
    for (name, at) in steps {
        match told.last_mut().filter(|(_, before)| before.text == at.text) {
            Some((names, _)) => *names = format!("{names} · {name}"),
            None => told.push((name.to_owned(), at)),
        }
    }
    told
}

/// Why it is where it is.
fn why(one: &Given, stood: State, w: &SlotWords, clock: &Clock) -> String {
    let said = match (one.outcome.as_str(), stood) {
        ("out" | "held", _) if one.halted => w.why_halted,
        ("out", _) => w.why_out,
        ("held", _) => w.why_held,
        ("booked", State::Released) => w.why_cancelled,
        ("booked", _) => return String::new(),
        ("declined", _) => w.why_declined,
        ("missed", _) => w.why_missed,
        ("lost", _) => w.why_lost,
        ("unusable", _) => w.why_unusable,
        ("withheld", _) => w.why_withheld,
        _ => {
            let reason = one.reason.as_deref().map(|reason| names::state(reason, clock.language));
            return reason.map_or_else(|| w.why_ended.to_owned(), |reason| format!("{reason} · {}", w.why_ended));
        }
    };
    said.to_owned()
}

/// Why a free place is with nobody.
fn with_nobody(at: At, w: &SlotWords, clock: &Clock) -> String {
    let until = |said: &str, at| {
        let gap = if said.is_ascii() { " " } else { "" };
        format!("{said}{gap}{}", clock.stamp(at).text)
    };
    match at {
        At::Draw(at) => until(w.free_draw, at),
        At::Kept(at) => until(w.free_kept, at),
        At::Halted => w.free_halted.to_owned(),
        At::HandingOut => w.free_now.to_owned(),
        At::Unwanted => w.free_unwanted.to_owned(),
        At::Idle => w.free_idle.to_owned(),
        At::Closed => w.free_closed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::waitlist::language::Language;

    fn one(outcome: &str, visit: Option<&str>) -> Given {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        Given {
            entry_id: Uuid::nil(),
            patient_id: "p1".to_owned(),
            name: None,
            slot: None,
            outcome: outcome.to_owned(),
            freed_at: Some(at(1)),
            made_at: at(2),
            halted: false,
            taken_at: Some(at(3)),
            settled_at: (!["out", "held"].contains(&outcome)).then(|| at(9)),
            deadline: (outcome == "held").then(|| at(30)),
            reason: Some("withdrawn".to_owned()),
            visit: visit.map(str::to_owned),
            cancelled_at: (visit == Some("cancelled")).then(|| at(20)),
            applied_at: at(0),
            arrived: None,
            drawn: None,
        }
    }

    #[test]
    fn a_place_says_where_it_is_and_the_way_it_came() {
        let clock = Clock { now: DateTime::UNIX_EPOCH, tz: chrono_tz::Asia::Shanghai, language: Language::En };
        let w = SlotWords::of(Language::En);
        for (outcome, visit, state, steps) in [
            ("out", None, State::Offered, vec![w.heard, w.made, w.taken]),
            ("held", None, State::Locked, vec![w.heard, w.made, w.taken, w.answer_by]),
            ("booked", Some("booked"), State::Booked, vec![w.heard, w.made, w.taken, w.booked_at]),
            ("booked", Some("fulfilled"), State::Visited, vec![w.heard, w.made, w.taken, w.booked_at]),
            ("booked", Some("cancelled"), State::Released, vec![w.heard, w.made, w.taken, w.booked_at, w.cancelled_at]),
            ("declined", None, State::Released, vec![w.heard, w.made, w.taken, w.settled]),
            ("lost", None, State::Lost, vec![w.heard, w.made, w.taken, w.settled]),
            ("withheld", None, State::NotGiven, vec![w.heard, w.made, w.taken, w.settled]),
        ] {
            let one = one(outcome, visit);
            let stood = State::of(&one);
            assert_eq!(stood, state, "{outcome}");
            let told: Vec<&str> = way(&one, stood, w, &clock).into_iter().map(|(name, _)| name).collect();
            assert_eq!(told, steps, "{outcome}");
        }
        assert_eq!(why(&one("ended", None), State::Released, w, &clock), format!("Withdrawn · {}", w.why_ended));
        let halted = Given { halted: true, ..one("held", None) };
        assert_eq!(why(&halted, State::Locked, w, &clock), w.why_halted, "nobody is told that it moves");
        // What happened within one minute is one line, in order.
        let at = |second| clock.stamp(DateTime::UNIX_EPOCH + TimeDelta::seconds(second));
        let told = together(vec![("a", at(1)), ("b", at(2)), ("c", at(61))]);
        let told: Vec<&str> = told.iter().map(|(names, _)| names.as_str()).collect();
        assert_eq!(told, ["a · b", "c"]);
        // What is booked at once is not taken first.
        let at_once = Given { taken_at: one("booked", None).settled_at, ..one("booked", Some("booked")) };
        let told: Vec<&str> = way(&at_once, State::Booked, w, &clock).into_iter().map(|(name, _)| name).collect();
        assert_eq!(told, [w.heard, w.made, w.booked_at]);
    }
}

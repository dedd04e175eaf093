//! `GET /figures`: the figures that managers ask for (R33), by day of visit, as charts and in numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use chrono::{Days, NaiveDate, TimeDelta};
use serde::Deserialize;

use super::access::{Permission, Staff};
use super::page::{Frame, Page, csv, query, show};
use super::plot::{Bars, Shares};
use super::row::{Pick, picks};
use super::when::Clock;
use super::words::books::BookWords;
use super::words::names;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::records::kpis::{By, Sums};

/// Days before and after today where nothing is asked for.
const AROUND: u64 = 7;

/// Which figures.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    from: String,
    to: String,
    by: String,
}

/// A line in numbers.
struct Row {
    name: String,
    sums: Sums,
    conversion: String,
    idle: String,
}

/// A number at a glance.
struct Tile {
    n: String,
    name: &'static str,
    /// What is meant by it, where its name does not say.
    hint: &'static str,
}

#[derive(Template)]
#[template(path = "figures.html")]
struct Figures {
    frame: Frame,
    w: &'static BookWords,
    from: NaiveDate,
    to: NaiveDate,
    groups: Vec<Pick>,
    tiles: Vec<Tile>,
    bars: Bars,
    shares: Shares,
    rows: Vec<Row>,
    /// What is drawn anew: the figures that were asked for.
    live: String,
    csv: String,
}

pub(super) async fn show_figures(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Query(wanted): Query<Wanted>,
) -> Page {
    let w = BookWords::of(staff.language);
    let clock = Clock::of(&surface, staff.language).await?;
    let (from, to) = days(&wanted, &clock);
    let by_day = surface.desk.kpis(from, to, By::Day).await?;
    let all = by_day.iter().fold(nothing(), added);
    let group = group(&wanted.by);
    let groups = surface.desk.kpis(from, to, group).await?;
    let shares = [(all.converted, w.converted, "good"), (all.declined, w.declined, ""), (all.missed, w.missed, "")];
    let more = [(all.lost, w.lost, "bad"), (all.unusable, w.unusable, "bad")];
    let page = Figures {
        frame: Frame::of(&staff, "figures"),
        w,
        groups: picks(["day", "campus", "department", "doctor"], by_name(group), names::thing, staff.language),
        tiles: tiles(w, &all, &clock),
        bars: Bars::draw(by_day.iter().map(|day| (day.day, day.applications, day.converted))),
        shares: Shares::draw(shares.into_iter().chain(more)),
        rows: rows(w, groups, group, &clock),
        live: format!("/figures{}", query(&[("from", &wanted.from), ("to", &wanted.to), ("by", &wanted.by)])),
        csv: format!(
            "/figures.csv{}",
            query(&[("from", &from.to_string()), ("to", &to.to_string()), ("by", by_name(group))])
        ),
        from,
        to,
    };
    show(&page)
}

pub(super) async fn file(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    staff.require_to(Permission::Export)?;
    let w = BookWords::of(staff.language);
    let clock = Clock::of(&surface, staff.language).await?;
    let (from, to) = days(&wanted, &clock);
    let group = group(&wanted.by);
    let c = Frame::of(&staff, "figures").words;
    let head = [
        c.day,
        "id",
        w.group,
        w.applications,
        w.converted,
        w.offers,
        w.declined,
        w.missed,
        w.lost,
        w.unusable,
        w.filled,
        w.visits,
        w.no_shows,
    ];
    let found = surface.desk.kpis(from, to, group).await?;
    let lines = found.into_iter().map(|sums| {
        let numbers = [
            sums.applications,
            sums.converted,
            sums.offers,
            sums.declined,
            sums.missed,
            sums.lost,
            sums.unusable,
            sums.filled,
            sums.visits,
            sums.no_shows,
        ];
        let mut line = vec![sums.day.to_string(), sums.id, sums.name];
        line.extend(numbers.iter().map(i64::to_string));
        line
    });
    Ok(csv("figures", &head, lines))
}

fn days(wanted: &Wanted, clock: &Clock) -> (NaiveDate, NaiveDate) {
    let today = clock.today();
    let from = wanted.from.parse().ok().or_else(|| today.checked_sub_days(Days::new(AROUND))).unwrap_or(today);
    let to = wanted.to.parse().ok().or_else(|| today.checked_add_days(Days::new(AROUND))).unwrap_or(today);
    (from, to)
}

fn group(by: &str) -> By {
    match by {
        "campus" => By::Campus,
        "doctor" => By::Doctor,
        "day" => By::Day,
        _ => By::Department,
    }
}

fn by_name(by: By) -> &'static str {
    match by {
        By::Day => "day",
        By::Campus => "campus",
        By::Department => "department",
        By::Doctor => "doctor",
    }
}

/// Of a group over all days, the largest first; by day, the earliest first.
fn rows(w: &BookWords, all: Vec<Sums>, group: By, clock: &Clock) -> Vec<Row> {
    let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
    for sums in all {
        let key = if group == By::Day { sums.day.to_string() } else { sums.id.clone() };
        let before =
            groups.remove(&key).unwrap_or_else(|| Sums { name: sums.name.clone(), id: sums.id.clone(), ..nothing() });
        let day = sums.day;
        groups.insert(key, Sums { day, ..added(before, &sums) });
    }
    let mut rows: Vec<Row> = groups
        .into_values()
        .map(|sums| Row {
            name: match group {
                By::Day => clock.day(sums.day),
                _ if sums.name.is_empty() => w.hospital.to_owned(),
                _ => sums.name.clone(),
            },
            conversion: percent(sums.converted, sums.applications),
            idle: idle(&sums, clock),
            sums,
        })
        .collect();
    if group != By::Day {
        rows.sort_by_key(|row| std::cmp::Reverse(row.sums.applications));
    }
    rows
}

fn tiles(w: &'static BookWords, all: &Sums, clock: &Clock) -> Vec<Tile> {
    let tile = |n: String, name| Tile { n, name, hint: "" };
    vec![
        tile(all.applications.to_string(), w.applications),
        tile(all.converted.to_string(), w.converted),
        Tile { hint: w.conversion_hint, ..tile(percent(all.converted, all.applications), w.conversion) },
        tile(all.offers.to_string(), w.offers),
        Tile { hint: w.idle_hint, ..tile(idle(all, clock), w.idle) },
        tile(percent(all.no_shows, all.visits), w.no_shows),
    ]
}

fn percent(part: i64, whole: i64) -> String {
    (part * 1000).checked_div(whole).map_or_else(|| "–".to_owned(), |share| format!("{}.{}%", share / 10, share % 10))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn idle(sums: &Sums, clock: &Clock) -> String {
    if sums.filled == 0 {
        return "–".to_owned();
    }
    clock.length(TimeDelta::seconds((sums.idle_s / sums.filled as f64) as i64))
}

fn nothing() -> Sums {
    Sums {
        day: NaiveDate::MIN,
        id: String::new(),
        name: String::new(),
        applications: 0,
        converted: 0,
        offers: 0,
        declined: 0,
        missed: 0,
        lost: 0,
        unusable: 0,
        filled: 0,
        idle_s: 0.0,
        visits: 0,
        no_shows: 0,
    }
}

fn added(all: Sums, one: &Sums) -> Sums {
    Sums {
        applications: all.applications + one.applications,
        converted: all.converted + one.converted,
        offers: all.offers + one.offers,
        declined: all.declined + one.declined,
        missed: all.missed + one.missed,
        lost: all.lost + one.lost,
        unusable: all.unusable + one.unusable,
        filled: all.filled + one.filled,
        idle_s: all.idle_s + one.idle_s,
        visits: all.visits + one.visits,
        no_shows: all.no_shows + one.no_shows,
        ..all
    }
}

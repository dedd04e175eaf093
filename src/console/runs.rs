//! `GET /runs`: runs, newest first, each with why it stands where it stands. Where nothing is asked for, the applications: jobs
//! start far more runs than patients do. What is typed is sent by `POST`, for it may be a person's number. `GET /runs.csv`: the same
//! as a file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::Uri;
use chrono::{NaiveDate, TimeDelta};
use futures::stream;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::bulks::Wish;
use super::page::{Frame, PART, Page, ROWS, long_csv, query, said, show, to};
use super::patient;
use super::row::{self, Pick, RunRow, picks};
use super::when::Clock;
use super::words::names;
use super::words::runs::RunsWords;
use crate::desk::paging;
use crate::desk::search::{CUT, is_name, without_numbers};
use crate::engine::inspect::Filter;
use crate::http::Surface;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::records::search::APPLICATIONS_MAX;
use crate::records::views::View;
use crate::waitlist::language::Language;
use crate::workflows::waitlist_application::WaitlistApplication;

/// The statuses that can be picked.
pub(super) const STATUSES: [&str; 8] =
    ["suspended", "unrunnable", "pending", "running", "waiting", "completed", "cancelled", "faulted"];
/// The verbs that many runs can be asked for.
pub(super) const BULK_VERBS: [&str; 6] = ["retry", "resume", "suspend", "answer", "jump", "cancel"];

/// Which runs, and which columns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) workflow: Option<String>,
    pub(super) status: String,
    pub(super) step: String,
    pub(super) q: String,
    /// Not empty where a name was searched for, by which nobody is found.
    pub(super) named: String,
    pub(super) still: String,
    pub(super) error: String,
    key: String,
    attempts: String,
    due: String,
    created: String,
    last_error: String,
    cursor: Option<Uuid>,
    done: String,
    /// The view that was just removed.
    view: String,
}

impl Wanted {
    /// The same without a person's whole number or name, and whether there was one.
    pub(super) fn without_numbers(mut self, today: NaiveDate) -> (Self, bool) {
        let mut had = is_name(&self.q);
        if had {
            (self.q, self.named) = (String::new(), "1".to_owned());
        }
        for text in [&mut self.q, &mut self.error] {
            let cut = match without_numbers(text, today) {
                Cow::Owned(cut) => cut,
                Cow::Borrowed(_) => continue,
            };
            (*text, had) = (cut, true);
        }
        (self, had)
    }

    /// The search that stands in an address; none where it is none.
    pub(super) fn of(query: &str) -> Option<Self> {
        let address = format!("/runs{query}").parse::<Uri>().ok()?;
        axum::extract::Query::<Self>::try_from_uri(&address).ok().map(|axum::extract::Query(wanted)| wanted)
    }

    /// The workflow that is meant: applications where nothing is asked for.
    fn workflow(&self) -> &str {
        let asks =
            [&self.status, &self.step, &self.q, &self.named, &self.error].iter().any(|one| !one.trim().is_empty());
        self.workflow.as_deref().unwrap_or(if asks { "" } else { WaitlistApplication::NAME })
    }

    /// The same as an address.
    pub(super) fn address(&self, cursor: Option<&str>) -> String {
        let mut pairs =
            vec![("workflow", self.workflow()), ("status", self.status.as_str()), ("step", self.step.as_str())];
        pairs.extend([
            ("q", self.q.trim()),
            ("named", self.named.as_str()),
            ("still", self.still.as_str()),
            ("error", self.error.trim()),
        ]);
        pairs.extend([("key", self.key.as_str()), ("attempts", self.attempts.as_str()), ("due", self.due.as_str())]);
        pairs.extend([("created", self.created.as_str()), ("last_error", self.last_error.as_str())]);
        pairs.extend(cursor.map(|cursor| ("cursor", cursor)));
        let text = query(&pairs);
        // An empty workflow is a choice of its own where nothing else is asked for.
        if self.workflow().is_empty() { text.replacen('?', "?workflow=&", 1) } else { text }
    }

    /// Whether a bulk could go by it.
    fn bulkable(&self) -> bool {
        let filtered = !self.status.is_empty() || !self.step.is_empty() || !self.error.is_empty();
        let asks = !self.q.trim().is_empty() || !self.named.is_empty();
        filtered && !asks && self.still.is_empty() && self.status != "unrunnable"
    }
}

/// A column that can be shown beside those that always are.
struct Column {
    field: &'static str,
    name: &'static str,
    on: bool,
}

/// A search of the team, or one of ours.
struct Tab {
    id: Option<Uuid>,
    name: String,
    by: String,
    href: String,
    here: bool,
}

/// The form of a bulk, with what was typed where it was refused.
struct BulkForm {
    /// Why; empty where it was not.
    error: String,
    verbs: Vec<Pick>,
    outcomes: Vec<Pick>,
    steps: Vec<Pick>,
    reason: String,
    /// The ticked runs.
    ticked: Vec<String>,
}

impl BulkForm {
    /// The ticked runs that this page of the list does not have.
    fn elsewhere<'a>(&'a self, rows: &'a [RunRow]) -> impl Iterator<Item = &'a String> {
        self.ticked.iter().filter(|id| rows.iter().all(|row| row.id != **id))
    }
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Runs<'a> {
    frame: Frame,
    w: &'static RunsWords,
    wanted: &'a Wanted,
    tabs: Vec<Tab>,
    workflows: Vec<Pick>,
    statuses: Vec<Pick>,
    steps: Vec<Pick>,
    stills: Vec<Pick>,
    columns: Vec<Column>,
    bulk: BulkForm,
    rows: Vec<RunRow>,
    /// True where a number fits more applications than are looked through.
    cut: bool,
    bulkable: bool,
    address: String,
    /// What is drawn anew: this very page of the list.
    live: String,
    csv: String,
    older: Option<String>,
}

impl Runs<'_> {
    /// More columns than stand beside each other at their ease.
    fn many(&self) -> bool {
        self.columns.iter().filter(|column| column.on).count() > 2
    }
}

/// The hospital's day.
pub(super) async fn today(surface: &Surface) -> Result<NaiveDate, Problem> {
    Ok(surface.desk.now().await?.with_timezone(&surface.desk.ports.tz).date_naive())
}

/// `POST /runs`: what was typed, which may be a person's number, to an address that has none: whoever is the only one of an ID number
/// is shown, and so is the latest application, or the patient of many, whose
/// number it is although it looks like a phone's.
pub(super) async fn find(State(surface): State<Arc<Surface>>, _: Staff, Form(wanted): Form<Wanted>) -> Page {
    let typed = wanted.q.clone();
    let (wanted, had_number) = wanted.without_numbers(today(&surface).await?);
    if had_number {
        let found = surface.desk.find_patients(typed.trim()).await?;
        match (found.as_slice(), surface.desk.numbered(typed.trim()).await?.as_slice()) {
            ([one], []) if wanted.q.starts_with(CUT) => return to(&patient::address(&one.id)),
            (found, [_, _, ..]) if let Some(one) = found.iter().find(|one| one.id == typed.trim()) => {
                return to(&patient::address(&one.id));
            }
            (_, [newest, ..]) => return to(&format!("/runs/{newest}")),
            _ => {}
        }
    }
    to(&format!("/runs{}", wanted.address(None)))
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    page(&surface, &staff, wanted, &Wish::default(), String::new()).await
}

/// The list from which a bulk was asked for, once more: what was typed, and why it is refused.
pub(super) async fn again(surface: &Surface, staff: &Staff, wish: &Wish, problem: &Problem) -> Page {
    let wanted = wish.list.parse().ok().and_then(|uri: Uri| axum::extract::Query::try_from_uri(&uri).ok());
    let wanted = wanted.map(|axum::extract::Query(wanted)| wanted).unwrap_or_default();
    let mut page = page(surface, staff, wanted, wish, said(problem, staff.language)).await?;
    *page.status_mut() = problem.status();
    Ok(page)
}

async fn page(surface: &Surface, staff: &Staff, wanted: Wanted, wish: &Wish, error: String) -> Page {
    let (w, language) = (RunsWords::of(staff.language), staff.language);
    let clock = Clock { now: surface.desk.now().await?, tz: surface.desk.ports.tz, language };
    let (wanted, had_number) = wanted.without_numbers(clock.today());
    if had_number {
        return to(&format!("/runs{}", wanted.address(None)));
    }
    let (filter, cut) = filter(surface, &wanted, &clock, paging::asked(ROWS)).await?;
    let mut found = surface.desk.runs(filter).await?;
    let older = paging::cut(&mut found, ROWS).map(|last| last.seen.id.to_string());
    let tables: Vec<_> = surface.desk.engine.registry.tables().collect();
    let workflow = wanted.workflow();
    let mut steps: Vec<&str> = tables
        .iter()
        .filter(|table| workflow.is_empty() || table.name == workflow)
        .flat_map(|table| table.steps.iter().map(|row| row.name))
        .collect();
    steps.dedup();
    let rows =
        tables.iter().filter(|table| workflow.is_empty() || table.name == workflow).flat_map(|table| table.steps);
    let rows = rows.filter(|row| wanted.step.is_empty() || row.name == wanted.step);
    let outcomes: BTreeSet<&str> = rows.flat_map(|row| row.outcomes.iter().map(|outcome| outcome.name)).collect();
    let address = wanted.address(None);
    let stills = [("1", w.hour), ("24", w.day), ("168", w.week)];
    let column = |field, name, on: &str| Column { field, name, on: !on.is_empty() };
    let done = match wanted.done.as_str() {
        "view.put" => Some(w.view_saved.to_owned()),
        "view.remove" => Some(w.view_removed.to_owned()),
        _ => None,
    };
    let undo = (wanted.done == "view.remove" && !wanted.view.is_empty()).then(|| "/views".to_owned());
    let put_back = vec![("name", wanted.view.clone()), ("query", address.clone())];
    let page = Runs {
        tabs: tabs(w, surface.desk.views("runs").await?, &address),
        workflows: picks(tables.iter().map(|table| table.name), workflow, names::workflow, language),
        statuses: picks(STATUSES, &wanted.status, names::state, language),
        steps: picks(steps.iter().copied(), &wanted.step, names::step, language),
        stills: stills
            .into_iter()
            .map(|(value, name)| Pick { value: value.to_owned(), name: name.to_owned(), is: wanted.still == value })
            .collect(),
        columns: vec![
            column("key", Frame::of(staff, "runs").words.key, &wanted.key),
            column("attempts", w.attempts, &wanted.attempts),
            column("due", w.due, &wanted.due),
            column("created", w.created, &wanted.created),
            column("last_error", w.last_error, &wanted.last_error),
        ],
        bulk: BulkForm {
            error,
            verbs: picks(BULK_VERBS, &wish.verb, names::verb, language),
            outcomes: picks(outcomes, &wish.outcome, names::outcome, language),
            steps: picks(steps.iter().copied(), &wish.to, names::step, language),
            reason: wish.reason.clone(),
            ticked: wish.ids.iter().map(Uuid::to_string).collect(),
        },
        rows: row::runs(surface, found, &clock).await?,
        cut,
        bulkable: wanted.bulkable() && staff.may(Permission::Bulk),
        live: format!("/runs{}", wanted.address(wanted.cursor.map(|at| at.to_string()).as_deref())),
        csv: format!("/runs.csv{address}"),
        older: older.map(|cursor| format!("/runs{}", wanted.address(Some(&cursor)))),
        frame: Frame::of(staff, "runs").done(done).undo_with(true, undo, put_back),
        address,
        wanted: &wanted,
        w,
    };
    show(&page)
}

pub(super) async fn file(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    staff.require_to(Permission::Export)?;
    let (w, language) = (RunsWords::of(staff.language), staff.language);
    let clock = Clock { now: surface.desk.now().await?, tz: surface.desk.ports.tz, language };
    let (wanted, _) = wanted.without_numbers(clock.today());
    let c = Frame::of(&staff, "runs").words;
    let head = [
        "id",
        c.workflow,
        c.key,
        c.application,
        c.step,
        c.status,
        c.why,
        w.attempts,
        w.created,
        c.updated,
        w.last_error,
    ];
    let (first, cut) = filter(&surface, &wanted, &clock, PART).await?;
    if cut {
        return Err(Problem::form(RunsWords::of(Language::ZhCn).cut, RunsWords::of(Language::En).cut).into());
    }
    let parts = stream::unfold(Some(first), move |next| {
        let surface = Arc::clone(&surface);
        async move {
            let filter = next?;
            let found = part(&surface, filter.clone(), &clock).await;
            let last = found.as_ref().ok().and_then(|(_, last)| *last);
            let next = last.map(|last| Filter { before: Some(last), ..filter });
            Some((found.map(|(lines, _)| lines), next))
        }
    });
    long_csv("runs", &head, parts).await
}

/// Runs as lines of a file, and the last of them.
async fn part(surface: &Surface, filter: Filter, clock: &Clock) -> Result<(Vec<Vec<String>>, Option<Uuid>), Problem> {
    let found = surface.desk.runs(filter).await?;
    let last = found.last().map(|last| last.seen.id);
    let lines = row::runs(surface, found, clock).await?.into_iter().map(|row| {
        let attempts = row.attempt.to_string();
        vec![
            row.id,
            row.workflow,
            row.key,
            row.about.unwrap_or_default(),
            row.step,
            row.status.name,
            row.why,
            attempts,
            row.created.iso,
            row.updated.iso,
            row.error,
        ]
    });
    Ok((lines.collect(), last))
}

/// What is wanted, as the engine is asked, and whether a number fits more applications than are looked through.
async fn filter(surface: &Surface, wanted: &Wanted, clock: &Clock, most: i64) -> Result<(Filter, bool), Problem> {
    let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
    let mut filter = Filter {
        workflow: some(wanted.workflow()),
        status: some(&wanted.status),
        step: some(&wanted.step),
        error: some(&wanted.error),
        still_since: wanted
            .still
            .parse()
            .ok()
            .and_then(TimeDelta::try_hours)
            .and_then(|ago| clock.now.checked_sub_signed(ago)),
        before: wanted.cursor,
        most,
        ..Filter::default()
    };
    let mut cut = false;
    if !wanted.named.is_empty() {
        filter.ids = Some(Vec::new());
    } else if let Some(q) = some(&wanted.q) {
        let mut found = surface.desk.find_applications(&q).await?;
        cut = found.len() > APPLICATIONS_MAX;
        found.truncate(APPLICATIONS_MAX);
        // What is nobody's number may be a key.
        if found.is_empty() { filter.q = Some(q) } else { filter.ids = Some(found) }
    }
    Ok((filter, cut))
}

/// Our own searches, then the team's.
fn tabs(w: &RunsWords, views: Vec<View>, address: &str) -> Vec<Tab> {
    let ours = [
        ("?workflow=waitlist_application", w.view_applications),
        ("?workflow=&status=suspended", w.view_suspended),
        ("?workflow=&status=unrunnable", w.view_unrunnable),
        ("?workflow=&status=pending", w.view_backing_off),
        ("?workflow=", w.view_all),
    ];
    let ours = ours.into_iter().map(|(query, name)| Tab {
        id: None,
        name: name.to_owned(),
        by: String::new(),
        href: format!("/runs{query}"),
        here: query == address,
    });
    let theirs = views.into_iter().map(|view| Tab {
        id: Some(view.id),
        here: view.query == address,
        href: format!("/runs{}", view.query),
        name: view.name,
        by: view.made_by,
    });
    let mut all: Vec<Tab> = ours.chain(theirs).collect();
    // Where several are the same search, the team's latest one is where we are: it can be removed.
    let here = all.iter().rposition(|tab| tab.here);
    all.iter_mut().enumerate().for_each(|(nth, tab)| tab.here = Some(nth) == here);
    all
}

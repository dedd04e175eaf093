//! `GET /cases`: differences between the books, and the days that were compared; `POST /cases/{id}/resolve`: one is settled;
//! `POST /cases/days`: a day is compared now.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use chrono::{Days, NaiveDate};
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::asked::Why;
use super::page::{Frame, Page, ROWS, query, reason, show, to};
use super::row::{Pick, picks, yuan};
use super::when::{Clock, Stamp};
use super::words::books::{BookWords, standing};
use super::words::names;
use crate::desk::paging;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::records::reconciliation::Reconciliation;
use crate::records::reconciliation::cases::{Case, Wanted as Filter};
use crate::waitlist::reconciliation::Kind;

/// Days that are shown.
const DAYS_SHOWN: usize = 14;

/// Which cases.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    state: String,
    kind: String,
    cursor: Option<Uuid>,
    done: String,
}

/// A case, ready for the page.
struct Row {
    id: Uuid,
    kind: String,
    subject: String,
    entry: Uuid,
    day: String,
    ours: String,
    theirs: String,
    amounts: String,
    found: Stamp,
    resolved: Option<(Stamp, String, String)>,
}

/// A day that was compared, ready for the page.
struct Day {
    run: Uuid,
    date: String,
    ended: Option<Stamp>,
    compared: i32,
    asked: i32,
    found: i32,
}

#[derive(Template)]
#[template(path = "cases.html")]
struct Cases {
    frame: Frame,
    w: &'static BookWords,
    states: Vec<Pick>,
    kinds: Vec<Pick>,
    state: String,
    yesterday: NaiveDate,
    request: Uuid,
    rows: Vec<Row>,
    days: Vec<Day>,
    /// What is drawn anew: this very page of the list.
    live: String,
    older: Option<String>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let (w, language) = (BookWords::of(staff.language), staff.language);
    let clock = Clock { now: surface.desk.now().await?, tz: surface.desk.ports.tz, language };
    let state = if wanted.state.is_empty() { "open" } else { wanted.state.as_str() };
    let filter = Filter {
        state: state.to_owned(),
        kind: (!wanted.kind.is_empty()).then(|| wanted.kind.clone()),
        day: None,
        before: wanted.cursor,
        most: paging::asked(ROWS),
    };
    let mut found = surface.desk.cases(&filter).await?;
    let older = paging::cut(&mut found, ROWS).map(|last| last.id.to_string());
    let pick = |value: &str, name: &str| Pick { value: value.to_owned(), name: name.to_owned(), is: value == state };
    let address =
        |cursor: &str| format!("/cases{}", query(&[("state", state), ("kind", &wanted.kind), ("cursor", cursor)]));
    let days = surface.desk.reconciliations().await?;
    let page = Cases {
        frame: Frame::of(&staff, "cases").done((!wanted.done.is_empty()).then(|| w.resolved.to_owned())),
        states: vec![pick("open", w.open), pick("suspect", w.suspect), pick("resolved", w.resolved)],
        kinds: picks(Kind::ALL.map(Kind::as_str), &wanted.kind, names::difference, language),
        rows: found.into_iter().map(|case| row(case, &clock)).collect(),
        days: days.into_iter().take(DAYS_SHOWN).map(|day| compared(&day, &clock)).collect(),
        live: address(&wanted.cursor.map(|at| at.to_string()).unwrap_or_default()),
        older: older.map(|cursor| address(&cursor)),
        state: state.to_owned(),
        yesterday: clock.today().checked_sub_days(Days::new(1)).unwrap_or_else(|| clock.today()),
        request: Uuid::now_v7(),
        w,
    };
    show(&page)
}

fn row(case: Case, clock: &Clock) -> Row {
    let amounts = match (case.ours_fen, case.theirs_fen) {
        (None, None) => String::new(),
        (ours, theirs) => {
            format!("{} / {}", ours.map(yuan).unwrap_or_default(), theirs.map(yuan).unwrap_or_default())
        }
    };
    Row {
        id: case.id,
        kind: names::difference(&case.kind, clock.language),
        entry: case.entry_id,
        day: clock.day(case.day),
        amounts,
        found: clock.stamp(case.found_at),
        resolved: case
            .resolved_at
            .map(|at| (clock.stamp(at), case.resolved_by.unwrap_or_default(), case.resolution.unwrap_or_default())),
        subject: case.subject,
        ours: standing(&case.ours, clock.language),
        theirs: standing(&case.theirs, clock.language),
    }
}

fn compared(day: &Reconciliation, clock: &Clock) -> Day {
    Day {
        run: day.id,
        date: clock.day(day.day),
        ended: day.ended_at.map(|at| clock.stamp(at)),
        compared: day.compared,
        asked: day.asked,
        found: day.found,
    }
}

/// A day that is compared now.
#[derive(Debug, Deserialize)]
pub(super) struct Again {
    day: NaiveDate,
    reason: String,
    request: String,
}

pub(super) async fn reconcile(State(surface): State<Arc<Surface>>, staff: Staff, Form(again): Form<Again>) -> Page {
    staff.require_to(Permission::Mend)?;
    let by = staff.by(reason(&again.reason)?);
    let started = surface.desk.reconcile(again.day, &by, Some(&again.request)).await?;
    to(&format!("/runs/{}", started.id))
}

pub(super) async fn resolve(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Mend)?;
    surface.desk.resolve_case(id, &staff.by(reason(&why.reason)?)).await?;
    to("/cases?done=1")
}

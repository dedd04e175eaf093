//! `GET /runs/{id}`: where a run stands and why, the way it came, what can be done, and what belongs to it.
//! `POST /runs/{id}/letters/{letter}`: a notice is sent again.

mod application;
pub(super) mod chart;
pub(super) mod content;
mod fields;
mod lacking;
mod telling;
mod turns;
pub(super) mod verbs;

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::audit::{self, DeedRow};
use super::page::{Frame, Page, reason, show, to};
use super::row::{self, Chip, RunRow};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::run::RunWords;
use crate::desk::faults;
use crate::desk::runs::{Beside, Inspected};
use crate::desk::unmask::Part;
use crate::engine::inspect::{Posted, Received};
use crate::engine::store::audit::Wanted;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use application::Application;
use chart::{Chart, Path as Way};
use content::{Content, Unmaskable};
use fields::Known;
use turns::Line;
use verbs::{Deed, Tried};

/// Lines of history that are shown, the last ones.
const HISTORY_MAX: i64 = 500;
/// Deeds of staff that are shown.
const DEEDS_MAX: i64 = 50;

/// Word of what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    done: String,
}

#[derive(Template)]
#[template(path = "run.html")]
struct Run {
    frame: Frame,
    w: &'static RunWords,
    row: RunRow,
    ended: Option<Stamp>,
    failing_since: Option<Stamp>,
    owes: Vec<String>,
    turn: i32,
    parent: Option<Uuid>,
    application: Option<Application>,
    path: Option<Chart>,
    whole: Option<Chart>,
    lines: Vec<Line>,
    /// True where there are more, before those.
    cut: bool,
    deeds: Vec<Deed>,
    /// Why the deed that was just tried is not done, where it has no form any more that could say it.
    refused: String,
    state: Content,
    /// What is in the clear. A page of it is not drawn anew: what was looked at neither goes away nor grows.
    clear: Option<Part>,
    cleared: String,
    /// What may be seen so; empty for those who may not.
    parts: Vec<Unmaskable>,
    inbox: Vec<Heard>,
    letters: Vec<LetterRow>,
    children: Vec<RunRow>,
    audit: Vec<DeedRow>,
}

impl Run {
    fn clears(&self, part: Part) -> bool {
        self.clear.is_some_and(|clear| clear.shows(part))
    }
}

/// A signal, ready for the page.
struct Heard {
    id: String,
    name: String,
    content: Content,
    at: Stamp,
    chip: Chip,
}

/// A letter, ready for the page.
struct LetterRow {
    id: String,
    resendable: bool,
    topic: String,
    content: Content,
    chip: Chip,
    attempt: i32,
    error: String,
    at: Stamp,
}

pub(super) async fn show_run(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Query(said): Query<Done>,
) -> Page {
    let seen = (surface.desk.run(id).await?, surface.desk.beside(id).await?);
    page(&surface, &staff, id, seen, &Came { said: &said.done, ..Came::default() }).await
}

/// The page once more, with a form that was refused.
async fn again(surface: &Surface, staff: &Staff, id: Uuid, tried: Tried) -> Page {
    let seen = (surface.desk.run(id).await?, surface.desk.beside(id).await?);
    page(surface, staff, id, seen, &Came { tried: Some(tried), ..Came::default() }).await
}

/// From what somebody comes to the page.
#[derive(Default)]
struct Came<'a> {
    /// The deed that was just done; may be empty.
    said: &'a str,
    /// The part that is seen in the clear.
    clear: Option<Part>,
    /// The form that was refused.
    tried: Option<Tried>,
}

/// The page of what was seen of a run.
async fn page(
    surface: &Surface,
    staff: &Staff,
    id: Uuid,
    (inspected, beside): (Inspected, Beside),
    came: &Came<'_>,
) -> Page {
    let (said, clear) = (came.said, came.clear);
    let (desk, language) = (&surface.desk, staff.language);
    let w = RunWords::of(language);
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language };
    let history = desk.last_of_history(id, HISTORY_MAX).await?;
    let wanted = Wanted { run: Some(id), most: DEEDS_MAX, ..Wanted::default() };
    let deeds = desk.audit(&wanted).await?;
    let explained = desk.verbs(id).await.unwrap_or_default();
    let seen = inspected.shown.seen.clone();
    let table = desk.engine.registry.tables().find(|table| table.name == seen.workflow);
    let bad = matches!(seen.status.as_str(), "suspended" | "unrunnable" | "faulted");
    let path = Way::of(&history, &seen.step, bad);
    let chart = |whole| table.as_ref().map(|table| Chart::draw(table, &path, whole, language));
    let done = names::deed(said, language).map(|deed| format!("{deed}: {}", w.did));
    let undo = (said == "suspend" && seen.status == "suspended").then(|| format!("/runs/{id}/resume"));
    let known = Known { run: id, workflow: &seen.workflow, state: &inspected.state, clock: &clock };
    let doable = verbs::deeds(explained, &known, came.tried.as_ref());
    let page = Run {
        frame: Frame::of(staff, "runs").done(done).undo(staff.may(Permission::Mend), undo),
        w,
        ended: seen.ended_at.map(|at| clock.stamp(at)),
        failing_since: beside.behind.failing_since.map(|at| clock.stamp(at)),
        owes: beside.behind.owes.iter().map(|owed| names::thing(owed, language)).collect(),
        turn: seen.turn,
        parent: beside.behind.parent,
        application: Application::find(surface, &seen, bad, &clock).await?,
        path: chart(false),
        whole: chart(true),
        cut: i64::try_from(history.len()).is_ok_and(|length| length >= HISTORY_MAX),
        lines: turns::lines(&history, &clock),
        refused: verbs::said_apart(&doable, came.tried.as_ref()),
        deeds: doable,
        state: Content::of(&inspected.state),
        cleared: clear.map(|part| names::part(part.name(), language)).unwrap_or_default(),
        clear,
        parts: if staff.may(Permission::Unmask) { content::parts(language) } else { Vec::new() },
        inbox: inspected.inbox.into_iter().rev().map(|one| heard(w, one, &clock)).collect(),
        letters: beside.letters.into_iter().rev().map(|one| letter(one, &clock)).collect(),
        children: beside.children.into_iter().map(|one| row::run(one, &clock)).collect(),
        audit: deeds.into_iter().map(|one| audit::row(one, &clock)).collect(),
        row: row::run(inspected.shown, &clock),
    };
    show(&page)
}

fn heard(w: &RunWords, one: Received, clock: &Clock) -> Heard {
    let (tone, name) = match one.read_turn {
        None => ("warn", w.unheard.to_owned()),
        Some(0) => ("bad", w.late.to_owned()),
        Some(turn) => ("good", format!("{} #{turn}", w.heard)),
    };
    Heard {
        name: names::signal(&one.name, clock.language),
        content: Content::of(&one.payload),
        at: clock.stamp(one.received_at),
        chip: Chip { tone, name },
        id: one.signal_id,
    }
}

fn letter(one: Posted, clock: &Clock) -> LetterRow {
    LetterRow {
        // Notices alone can be sent once more; the way that they went is known by then.
        resendable: matches!(one.topic.as_str(), "notice" | "sms")
            && !matches!(one.status.as_str(), "pending" | "sending"),
        topic: names::thing(&one.topic, clock.language),
        content: Content::of(&one.payload),
        chip: Chip::like(
            &one.status,
            &[("suspended", "putAside"), ("undeliverable", "unreachable"), ("pending", "queued")],
            clock.language,
        ),
        attempt: one.attempt,
        error: faults::said(one.last_error.as_deref().unwrap_or_default(), clock.language),
        at: clock.stamp(one.settled_at.unwrap_or(one.created_at)),
        id: one.id,
    }
}

/// Why it is sent again.
#[derive(Debug, Deserialize)]
pub(super) struct Why {
    reason: String,
}

pub(super) async fn resend(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((run, letter)): Path<(Uuid, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Mend)?;
    surface.desk.resend_notice(run, &letter, None, &staff.by(reason(&why.reason)?)).await?;
    to(&format!("/runs/{run}?done=notice.resend"))
}

//! Bulk operations: `POST /bulks/preview` says what one would do, `POST /bulks` begins it, `GET /bulks` shows how far they are,
//! `POST /bulks/{id}/{turn}` pauses, resumes or cancels one. What is begun is what was previewed: the form holds
//! the set that was counted. Where that set is void the form comes again, with what it would do now.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::asked::Why;
use super::page::{Frame, Page, ROWS, query, reason, said, show, to};
use super::row::{self, Chip, RunRow};
use super::runs;
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::refused::refusal;
use super::words::runs::RunsWords;
use crate::desk::faults;
use crate::desk::paging;
use crate::desk::runs::Shown;
use crate::desk::staff::Preview;
use crate::engine::staff::Verb;
use crate::engine::staff::bulk::{Asked, AtStep, Bulk, DryRun, Filter, Looked, PER_SECOND, Turned};
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;

/// The most runs that are ticked at one time: a dry run looks at all of them.
const TICKED_MAX: usize = 500;

/// The most runs that a preview lists of either kind: the counts are of all that were looked at.
const LISTED: usize = 50;

/// A field of a form, of which there may be many.
type Fields = Vec<(String, String)>;

/// What is asked for: a verb for the runs that are ticked or, where none is, for those of the filter.
#[derive(Debug, Default)]
pub(super) struct Wish {
    workflow: String,
    status: String,
    step: String,
    error: String,
    pub(super) ids: Vec<Uuid>,
    pub(super) verb: String,
    pub(super) outcome: String,
    pub(super) to: String,
    pub(super) reason: String,
    request: String,
    preview: String,
    /// The address of the list that it was asked for from.
    pub(super) list: String,
}

impl Wish {
    fn read(fields: Fields) -> Self {
        let mut wish = Self::default();
        for (name, value) in fields {
            let field = match name.as_str() {
                "id" => {
                    wish.ids.extend(value.parse::<Uuid>());
                    continue;
                }
                "workflow" => &mut wish.workflow,
                "status" => &mut wish.status,
                "step" => &mut wish.step,
                "error" => &mut wish.error,
                "verb" => &mut wish.verb,
                "outcome" => &mut wish.outcome,
                "to" => &mut wish.to,
                "reason" => &mut wish.reason,
                "request" => &mut wish.request,
                "preview" => &mut wish.preview,
                "list" => &mut wish.list,
                _ => continue,
            };
            *field = value;
        }
        wish
    }

    /// Which runs. Nobody means every run there is by ticking none.
    fn filter(&self) -> Result<Filter, Problem> {
        let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        if self.ids.len() > TICKED_MAX {
            return Err(Problem::form(
                format!("一次最多勾选 {TICKED_MAX} 个流程实例。"),
                format!("At most {TICKED_MAX} runs are ticked at a time."),
            ));
        }
        if !self.ids.is_empty() {
            return Ok(Filter { ids: Some(self.ids.clone()), ..Filter::default() });
        }
        let (status, step, error) = (some(&self.status), some(&self.step), some(&self.error));
        if status.is_none() && step.is_none() && error.is_none() {
            return Err(Problem::form(
                "请勾选流程实例，或先按状态、步骤或错误信息筛选列表。",
                "Tick runs, or filter the list by a status, a step or an error first.",
            ));
        }
        Ok(Filter { workflow: some(&self.workflow), status, step, error, ..Filter::default() })
    }

    fn asked(&self, staff: &Staff) -> Result<Asked, Problem> {
        let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let outcome =
            || some(&self.outcome).ok_or_else(|| Problem::form("请选择要补录的结果。", "Choose the outcome."));
        let step = || some(&self.to).ok_or_else(|| Problem::form("请选择目标步骤。", "Choose the step to jump to."));
        let verb = match self.verb.as_str() {
            "retry" => Verb::Retry,
            "resume" => Verb::Resume,
            "suspend" => Verb::Suspend,
            "cancel" => Verb::Cancel,
            "answer" => Verb::Answer { outcome: outcome()?, patch: None },
            "jump" => Verb::Jump { step: step()?, patch: None },
            _ => return Err(Problem::form("请选择操作。", "Choose the verb.")),
        };
        let filter = self.filter()?;
        let by = staff.by(reason(&self.reason)?);
        let void = |_| Problem::form("请重新预览。", "Look at the preview again.");
        let preview = some(&self.preview).map(|id| id.parse().map_err(void));
        Ok(Asked {
            verb,
            filter,
            by,
            per_second: PER_SECOND,
            request: some(&self.request),
            preview: preview.transpose()?,
        })
    }
}

#[derive(Template)]
#[template(path = "bulk_preview.html")]
struct Previewed<'a> {
    frame: Frame,
    w: &'static RunsWords,
    form: &'a Wish,
    /// Why it was not begun; empty where nothing was refused.
    error: String,
    request: Uuid,
    /// The set that was counted: what is begun.
    set: Uuid,
    verb: String,
    filter: Vec<(&'static str, String)>,
    total: i64,
    looked_at: usize,
    would_change: usize,
    refused: Vec<(usize, String)>,
    steps: Vec<AtStep>,
    /// True where the filter holds more than was looked at.
    not_all: bool,
    lists: Vec<List>,
}

/// The runs that would change, or those that would refuse: the first of `of`.
struct List {
    title: &'static str,
    of: usize,
    lines: Vec<Line>,
}

/// A run that was looked at, with why it would refuse; empty where it would change.
struct Line {
    row: RunRow,
    /// The end of its number: the beginning is a time that many share.
    short: String,
    refusal: String,
}

pub(super) async fn preview(State(surface): State<Arc<Surface>>, staff: Staff, Form(fields): Form<Fields>) -> Page {
    staff.require_to(Permission::Bulk)?;
    previewed(&surface, &staff, &Wish::read(fields), String::new()).await
}

/// What it would do, as a form that begins it; over it `error`, where it was to be begun and is refused.
async fn previewed(surface: &Surface, staff: &Staff, form: &Wish, error: String) -> Page {
    let (asked, Preview { dry, mut stand }) = match look(surface, staff, form).await {
        Ok(found) => found,
        // What another choice could mend is said where it was typed.
        Err(problem) if mendable(&problem) => return runs::again(surface, staff, form, &problem).await,
        Err(problem) => return Err(problem.into()),
    };
    let looked_at = dry.looked_at();
    let steps = dry.by_step().into_iter().map(|at| AtStep {
        workflow: names::workflow(&at.workflow, staff.language),
        step: names::step(&at.step, staff.language),
        ..at
    });
    let steps = steps.collect();
    let w = RunsWords::of(staff.language);
    let mut lists = Vec::new();
    for (refuse, title, of) in
        [(false, w.would_change, dry.would_change), (true, w.would_refuse, looked_at - dry.would_change)]
    {
        lists.push(List { title, of, lines: lines(surface, staff, &dry, &mut stand, refuse).await? });
    }
    let frame = Frame::of(staff, "bulks");
    let page = Previewed {
        filter: described(&asked.filter, &frame, staff),
        frame,
        w,
        request: Uuid::now_v7(),
        set: dry.set,
        verb: verb_in_words(&asked.verb, staff),
        form,
        error,
        total: dry.total,
        looked_at,
        would_change: dry.would_change,
        refused: dry.refused.into_values().map(|(n, first)| (n, refusal(&first, staff.language))).collect(),
        steps,
        not_all: usize::try_from(dry.total).is_ok_and(|total| total > looked_at),
        lists,
    };
    show(&page)
}

/// What another choice or another look could mend.
fn mendable(problem: &Problem) -> bool {
    matches!(problem.status(), StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY)
}

async fn look(surface: &Surface, staff: &Staff, form: &Wish) -> Result<(Asked, Preview), Problem> {
    let asked = form.asked(staff)?;
    let preview = surface.desk.preview_bulk(&asked, LISTED).await?;
    Ok((asked, preview))
}

/// The first of those that would refuse, or of those that would change, in the order of the bulk.
async fn lines(
    surface: &Surface,
    staff: &Staff,
    dry: &DryRun,
    stand: &mut HashMap<Uuid, Shown>,
    refuse: bool,
) -> Result<Vec<Line>, Problem> {
    let clock = Clock::of(surface, staff.language).await?;
    let chosen = dry.each.iter().filter(|one| one.refused.is_some() == refuse);
    let chosen = chosen.filter_map(|Looked { run, refused, .. }| Some((stand.remove(run)?, refused))).take(LISTED);
    let (shown, refusals): (Vec<Shown>, Vec<_>) = chosen.unzip();
    let rows = row::runs(surface, shown, &clock).await?.into_iter().zip(refusals);
    let lines = rows.map(|(row, refused)| Line {
        short: row.id.chars().skip(24).collect(),
        row,
        refusal: refused.as_ref().map(|refused| refusal(refused, staff.language)).unwrap_or_default(),
    });
    Ok(lines.collect())
}

pub(super) async fn begin(State(surface): State<Arc<Surface>>, staff: Staff, Form(fields): Form<Fields>) -> Page {
    staff.require_to(Permission::Bulk)?;
    let form = Wish::read(fields);
    let Err(problem) = begun(&surface, &staff, &form).await else { return to("/bulks") };
    if !mendable(&problem) {
        return Err(problem.into());
    }
    // The set that was counted is void: what it would do now is looked at anew, and nothing is begun.
    let form = Wish { preview: String::new(), ..form };
    let mut page = previewed(&surface, &staff, &form, said(&problem, staff.language)).await?;
    *page.status_mut() = problem.status();
    Ok(page)
}

async fn begun(surface: &Surface, staff: &Staff, form: &Wish) -> Result<(), Problem> {
    surface.desk.begin_bulk(&form.asked(staff)?).await?;
    Ok(())
}

pub(super) async fn turn(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((id, turn)): Path<(Uuid, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Bulk)?;
    let turned = match turn.as_str() {
        "pause" => Turned::Pause,
        "resume" => Turned::Resume,
        "cancel" => Turned::Cancel,
        _ => return Err(Problem::not_found().into()),
    };
    surface.desk.turn_bulk(id, &staff.by(reason(&why.reason)?), turned).await?;
    to("/bulks")
}

/// A bulk, ready for the page.
struct Row {
    id: Uuid,
    status: Chip,
    verb: String,
    filter: Vec<(&'static str, String)>,
    who: String,
    reason: String,
    total: i64,
    done: i64,
    refused: i64,
    skipped: i64,
    share: i64,
    began: Stamp,
    error: Option<String>,
    runs: bool,
    paused: bool,
}

#[derive(Template)]
#[template(path = "bulks.html")]
struct Bulks {
    frame: Frame,
    w: &'static RunsWords,
    rows: Vec<Row>,
    /// What is drawn anew: this very page of the list.
    live: String,
    older: Option<String>,
}

/// From which bulk on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    cursor: Option<Uuid>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(before): Query<Before>) -> Page {
    let clock = Clock::of(&surface, staff.language).await?;
    let frame = Frame::of(&staff, "bulks");
    let mut found = surface.desk.bulks(before.cursor, paging::asked(ROWS)).await?;
    let page = |cursor: Uuid| format!("/bulks{}", query(&[("cursor", &cursor.to_string())]));
    let older = paging::cut(&mut found, ROWS).map(|last| page(last.id));
    let live = before.cursor.map_or_else(|| "/bulks".to_owned(), page);
    let rows = found.into_iter().map(|bulk| row(bulk, &frame, &staff, &clock)).collect();
    show(&Bulks { rows, w: RunsWords::of(staff.language), frame, live, older })
}

fn row(bulk: Bulk, frame: &Frame, staff: &Staff, clock: &Clock) -> Row {
    let refused: i64 =
        bulk.refused.as_object().map_or(0, |all| all.values().filter_map(serde_json::Value::as_i64).sum());
    let passed = bulk.done + refused + bulk.skipped;
    Row {
        id: bulk.id,
        status: Chip::of(&bulk.status, staff.language),
        verb: serde_json::from_value(bulk.arguments)
            .map_or_else(|_| names::verb(&bulk.verb, staff.language), |verb: Verb| verb_in_words(&verb, staff)),
        filter: described(&bulk.filter.0, frame, staff),
        share: if bulk.ended_at.is_some() { 100 } else { (passed * 100).checked_div(bulk.total).unwrap_or(0).min(100) },
        who: bulk.who,
        reason: bulk.reason,
        total: bulk.total,
        done: bulk.done,
        refused,
        skipped: bulk.skipped,
        began: clock.stamp(bulk.created_at),
        error: bulk.last_error.map(|error| faults::said(&error, staff.language)),
        runs: bulk.status == "running",
        paused: bulk.status == "paused",
    }
}

fn verb_in_words(verb: &Verb, staff: &Staff) -> String {
    let name = names::verb(verb.name(), staff.language);
    match verb {
        Verb::Answer { outcome, .. } => format!("{name}: {}", names::outcome(outcome, staff.language)),
        Verb::Jump { step, .. } => format!("{name}: {}", names::step(step, staff.language)),
        _ => name,
    }
}

fn described(filter: &Filter, frame: &Frame, staff: &Staff) -> Vec<(&'static str, String)> {
    let (c, w, language) = (frame.words, RunsWords::of(staff.language), staff.language);
    let all = [
        (c.workflow, filter.workflow.as_deref().map(|one| names::workflow(one, language))),
        (c.status, filter.status.as_deref().map(|one| names::state(one, language))),
        (c.step, filter.step.as_deref().map(|one| names::step(one, language))),
        (w.error, filter.error.clone()),
        (c.key, filter.q.clone()),
        (w.ticked, filter.ids.as_ref().map(|ids| ids.len().to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}

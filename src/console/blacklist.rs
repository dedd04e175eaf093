//! `GET /blacklist`: who may not join a queue, appeals and rules; `POST /appeals/{id}/{grant|refuse}` decides one; `POST /blacklist/rules` shows
//! whom a rule would bar, stores it, or removes it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::asked::Why;
use super::page::{Frame, Page, ROWS, query, reason, show, to};
use super::patient::{BanRow, banned};
use super::row::{Pick, picks};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::people::PatientWords;
use crate::desk::paging;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::waitlist::breach::{Event, Rule, Scope};
use crate::waitlist::language::Language;

/// An appeal, ready for the page.
struct AppealRow {
    id: Uuid,
    patient_id: String,
    name: String,
    said: String,
    opened: Stamp,
    due: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "blacklist.html")]
struct Blacklist {
    frame: Frame,
    w: &'static PatientWords,
    decides: bool,
    bans: Vec<BanRow>,
    appeals: Vec<AppealRow>,
    rules: Vec<(String, Vec<(String, String)>)>,
    form: RuleForm,
    events: Vec<Pick>,
    scopes: Vec<Pick>,
    would_bar: Option<Vec<String>>,
    /// What is drawn anew: these very pages of the lists.
    live: String,
    further_appeals: Option<String>,
    further_bans: Option<String>,
}

/// A rule as a form says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleForm {
    id: String,
    event: String,
    window_days: String,
    threshold: String,
    penalty_days: String,
    scope: String,
    appeal_days: String,
    reason: String,
    what: String,
}

impl RuleForm {
    /// What is stored, for a form to begin from.
    fn of(id: String, rule: &Rule) -> Self {
        let days = |days: Option<u32>| days.map(|days| days.to_string()).unwrap_or_default();
        Self {
            id,
            event: rule.event.as_str().to_owned(),
            window_days: days(rule.window_days),
            threshold: rule.threshold.to_string(),
            penalty_days: rule.penalty_days.to_string(),
            scope: if rule.scope == Scope::Department { "department" } else { "hospital" }.to_owned(),
            appeal_days: days(rule.appeal_days),
            ..Self::default()
        }
    }

    fn rule(&self) -> Result<Rule, Problem> {
        let number = |text: &str, field: &str| {
            text.trim().parse::<u32>().map_err(|_| {
                let name = |language| names::rule(field, language);
                Problem::form(
                    format!("{}须为整数。", name(Language::ZhCn)),
                    format!("{} must be a whole number.", name(Language::En)),
                )
            })
        };
        let days = |text: &str, field: &str| (!text.trim().is_empty()).then(|| number(text, field)).transpose();
        Ok(Rule {
            event: Event::parse(&self.event).ok_or_else(|| {
                Problem::form(
                    "请选择计入的事件：爽约或临时取消。",
                    "Choose what counts: a no-show or a late cancellation.",
                )
            })?,
            window_days: days(&self.window_days, "windowDays")?,
            threshold: number(&self.threshold, "threshold")?,
            penalty_days: number(&self.penalty_days, "penaltyDays")?,
            scope: if self.scope == "department" { Scope::Department } else { Scope::Hospital },
            appeal_days: days(&self.appeal_days, "appealDays")?,
        })
    }

    fn id(&self) -> Result<&str, Problem> {
        let id = self.id.trim();
        let fine = (1..=40).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if fine {
            Ok(id)
        } else {
            Err(Problem::form(
                "规则编号须为 1 至 40 个字母、数字、- 或 _。",
                "A rule's id is 1 to 40 letters, digits, - and _.",
            ))
        }
    }
}

/// The rule that is to be changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    rule: String,
    /// The last appeal of the page before.
    appeal: Option<Uuid>,
    /// So many entries were on the pages before.
    from: u32,
    /// What was just done.
    done: String,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let rules = surface.desk.blacklist_rules().await?;
    let found = rules.into_iter().find(|(id, _)| *id == wanted.rule);
    let form = found.map(|(id, rule)| RuleForm::of(id, &rule)).unwrap_or_default();
    page(&surface, &staff, form, &wanted, None).await
}

pub(super) async fn put_rule(State(surface): State<Arc<Surface>>, staff: Staff, Form(form): Form<RuleForm>) -> Page {
    staff.require_to(Permission::Rules)?;
    let id = form.id()?;
    match form.what.as_str() {
        "look" => {
            let would_bar = surface.desk.rule_would_bar(id, &form.rule()?).await?;
            return page(&surface, &staff, form, &Wanted::default(), Some(would_bar)).await;
        }
        "save" => surface.desk.put_blacklist_rule(id, &form.rule()?, &staff.by(reason(&form.reason)?)).await?,
        "remove" => surface.desk.remove_blacklist_rule(id, &staff.by(reason(&form.reason)?)).await?,
        _ => return Err(Problem::not_found().into()),
    }
    to("/blacklist?done=blacklist.rule")
}

async fn page(
    surface: &Surface,
    staff: &Staff,
    form: RuleForm,
    wanted: &Wanted,
    would_bar: Option<Vec<String>>,
) -> Page {
    let desk = &surface.desk;
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language: staff.language };
    let from = i64::from(wanted.from);
    let mut appeals = desk.appeals("open", wanted.appeal, paging::asked(ROWS)).await?;
    let mut bans = desk.bans(from, paging::asked(ROWS)).await?;
    let address = |appeal: Option<Uuid>, from: i64| {
        let (appeal, from) = (appeal.map(|id| id.to_string()).unwrap_or_default(), from.to_string());
        format!("/blacklist{}", query(&[("appeal", appeal.as_str()), ("from", if from == "0" { "" } else { &from })]))
    };
    let further_appeals = paging::cut(&mut appeals, ROWS).map(|last| address(Some(last.id), from));
    let further_bans = paging::cut(&mut bans, ROWS).map(|_| address(wanted.appeal, from + ROWS));
    let appeals = appeals.into_iter().map(|one| AppealRow {
        id: one.id,
        patient_id: one.patient_id,
        name: one.name.unwrap_or_default(),
        said: one.said,
        opened: clock.stamp(one.opened_at),
        due: one.due_at.map(|at| clock.stamp(at)),
    });
    let rules = desk.blacklist_rules().await?.into_iter().map(|(id, rule)| {
        let fields = serde_json::to_value(&rule).ok().and_then(|rule| rule.as_object().cloned()).unwrap_or_default();
        let fields = fields.into_iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), |text| names::choice(text, staff.language));
            (names::rule(&name, staff.language), value)
        });
        (id, fields.collect())
    });
    let page = Blacklist {
        frame: Frame::of(staff, "blacklist").done(names::deed(&wanted.done, staff.language)),
        w: PatientWords::of(staff.language),
        decides: staff.may(Permission::Blacklist),
        bans: bans.into_iter().map(|one| banned(one, &clock)).collect(),
        appeals: appeals.collect(),
        rules: rules.collect(),
        events: picks(["noShow", "lateCancel"], &form.event, names::choice, staff.language),
        scopes: picks(["hospital", "department"], &form.scope, names::choice, staff.language),
        form,
        would_bar,
        live: address(wanted.appeal, from),
        further_appeals,
        further_bans,
    };
    show(&page)
}

/// Why somebody is barred: a person's words as they are; of a rule, how much it counted.
pub(super) fn why(reason: &str, rule: &str, language: Language) -> String {
    let counted = reason.strip_prefix("rule ").and_then(|rest| rest.strip_prefix(rule)?.strip_prefix(": "));
    match (counted.and_then(|rest| rest.strip_suffix(" breaches")), language) {
        (Some(n), _) if rule.is_empty() || n.parse::<u32>().is_err() => reason.to_owned(),
        (Some(n), Language::ZhCn) => format!("按规则 {rule} 累计 {n} 次"),
        (Some(n), Language::En) => format!("Counted {n} by the rule {rule}"),
        (None, _) => reason.to_owned(),
    }
}

pub(super) async fn decide(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((id, decision)): Path<(Uuid, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Blacklist)?;
    let granted = match decision.as_str() {
        "grant" => true,
        "refuse" => false,
        _ => return Err(Problem::not_found().into()),
    };
    surface.desk.decide_appeal(id, granted, &staff.by(reason(&why.reason)?)).await?;
    to(&format!("/blacklist?done=appeal.{}", if granted { "granted" } else { "refused" }))
}

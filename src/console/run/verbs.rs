//! What can be done to a run: each verb with what it would do, as a form; and `POST /runs/{id}/{verb}`, which does it. Where it is
//! refused the page comes again, with what was typed and why.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::super::access::{Permission, Staff};
use super::super::page::{Page, reason, to};
use super::super::when::Clock;
use super::super::words::names;
use super::super::words::refused::{refusal, refusal_among};
use super::super::words::run::RunWords;
use super::fields::{Group, Known, Typed};
use super::lacking::both;
use crate::desk::verbs as words;
use crate::engine::staff::explain::{Choice, Explained, Would};
use crate::engine::staff::{Refused, Verb};
use crate::http::Surface;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// A verb, ready for the page.
pub(super) struct Deed {
    pub(super) verb: &'static str,
    pub(super) name: String,
    pub(super) allowed: bool,
    pub(super) said: String,
    pub(super) options: Vec<Choosable>,
    /// What cannot be chosen, and why.
    pub(super) barred: Vec<(String, String)>,
    /// What the run knows can be changed with it.
    pub(super) patches: bool,
    pub(super) harsh: bool,
    /// What was typed where it was refused just now; else nothing.
    pub(super) tried: Tried,
}

/// An outcome, step or signal.
pub(super) struct Choosable {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) allowed: bool,
    pub(super) picked: bool,
    pub(super) said: String,
    /// A signal that another step than the present one hears.
    later: bool,
    /// What is said with it.
    pub(super) groups: Vec<Group>,
    /// Where what goes with it has no fields: its JSON, as it was typed before.
    pub(super) raw: Option<String>,
}

/// A form that was refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Tried {
    verb: String,
    /// Why; empty where nothing was refused.
    pub(super) error: String,
    pub(super) asked: Asked,
}

/// The verbs, those that can be done first.
pub(super) fn deeds(explained: Vec<Explained>, known: &Known<'_>, tried: Option<&Tried>) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = explained.into_iter().map(|one| deed(one, known, tried)).collect();
    deeds.sort_by_key(|deed| !deed.allowed);
    deeds
}

/// Why it was refused, where no form is left that could say it.
pub(super) fn said_apart(deeds: &[Deed], tried: Option<&Tried>) -> String {
    let within = deeds.iter().any(|deed| deed.allowed && !deed.tried.error.is_empty());
    tried.filter(|_| !within).map(|tried| tried.error.clone()).unwrap_or_default()
}

fn deed(one: Explained, known: &Known<'_>, tried: Option<&Tried>) -> Deed {
    let language = known.clock.language;
    let tried = tried.filter(|tried| tried.verb == one.verb).cloned().unwrap_or_default();
    let mut options: Vec<Choosable> =
        one.choices.into_iter().map(|choice| choosable(one.verb, choice, known, &tried.asked)).collect();
    options.sort_by_key(|option| (!option.allowed, option.later, option.raw.is_some(), !option.groups.is_empty()));
    let (options, barred): (Vec<Choosable>, Vec<Choosable>) = options.into_iter().partition(|option| option.allowed);
    let allowed = one.would.is_ok() || !options.is_empty();
    let w = RunWords::of(language);
    Deed {
        verb: one.verb,
        name: names::verb(one.verb, language),
        // Where there is a choice, each says for itself what it would do.
        said: match one.verb {
            "answer" if allowed => w.answer_does.to_owned(),
            "jump" if allowed => w.jump_does.to_owned(),
            "signal" if allowed => w.signal_does.to_owned(),
            "retry" if one.would == Ok(Would::TryAgain) => w.retry_does.to_owned(),
            "resume" if one.would == Ok(Would::TryAgain) => w.resume_does.to_owned(),
            _ => said(&one.would, language),
        },
        allowed,
        options,
        barred: barred.into_iter().map(|option| (option.name, option.said)).collect(),
        patches: matches!(one.verb, "answer" | "jump"),
        harsh: matches!(one.verb, "cancel" | "jump"),
        tried,
    }
}

fn choosable(verb: &str, choice: Choice, known: &Known<'_>, asked: &Asked) -> Choosable {
    let language = known.clock.language;
    let name = match verb {
        "answer" => names::outcome(&choice.name, language),
        "signal" => names::signal(&choice.name, language),
        _ => names::step(&choice.name, language),
    };
    let heard = match &choice.would {
        Err(refused) => refusal_among(refused, language),
        would => said(would, language),
    };
    let none = Vec::new;
    let (groups, said) = match &choice.would {
        Err(Refused::Lacks { step, lacks }) => {
            let to = words::would(&Would::Go { to: names::step(step, language) }, language);
            let w = RunWords::of(language);
            (Some(known.fields(&choice.name, lacks, &asked.typed)), format!("{to}{}", w.must_be_said))
        }
        Ok(_) if verb == "signal" => {
            let tells = names::tells(&choice.name, language);
            let apart = if tells.is_empty() || language == Language::ZhCn { "" } else { " " };
            (known.telling(&choice.name, &asked.typed), format!("{tells}{apart}{heard}"))
        }
        _ => (Some(none()), heard),
    };
    let lacks = choice.would.is_err() && groups.as_ref().is_some_and(|groups| !groups.is_empty());
    Choosable {
        name,
        allowed: choice.would.is_ok() || lacks,
        picked: choice.name == asked.choice,
        later: matches!(choice.would, Ok(Would::BeHeard { now: false })),
        said,
        raw: groups.is_none().then(|| asked.typed.get(&raw(&choice.name)).cloned().unwrap_or_default()),
        groups: groups.unwrap_or_else(none),
        value: choice.name,
    }
}

/// The field of a signal's JSON.
fn raw(signal: &str) -> String {
    format!("raw/{signal}")
}

fn said(would: &Result<Would, Refused>, language: Language) -> String {
    match would {
        Ok(Would::Go { to }) => words::would(&Would::Go { to: names::step(to, language) }, language),
        Ok(Would::WaitForRelease { step }) => {
            words::would(&Would::WaitForRelease { step: names::step(step, language) }, language)
        }
        Ok(would) => words::would(would, language),
        Err(refused) => refusal(refused, language),
    }
}

/// What a form says.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    choice: String,
    pub(super) patch: String,
    pub(super) reason: String,
    /// What is said with each choice.
    typed: Typed,
}

impl Asked {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut asked = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "choice" => asked.choice = value,
                "patch" => asked.patch = value,
                "reason" => asked.reason = value,
                _ if ["lack/", "told/", "raw/"].iter().any(|begin| name.starts_with(begin)) => {
                    asked.typed.insert(name, value);
                }
                _ => {}
            }
        }
        asked
    }

    fn verb(&self, name: &str, known: &Known<'_>) -> Result<Verb, Problem> {
        let patch = || Ok::<_, Problem>(both(known.patch(&self.choice, &self.typed)?, json(&self.patch)?));
        Ok(match name {
            "retry" => Verb::Retry,
            "suspend" => Verb::Suspend,
            "resume" => Verb::Resume,
            "cancel" => Verb::Cancel,
            "answer" => Verb::Answer { outcome: self.choice.clone(), patch: patch()? },
            "jump" => Verb::Jump { step: self.choice.clone(), patch: patch()? },
            "signal" => Verb::Signal {
                signal: self.choice.clone(),
                signal_id: format!("console:{}", Uuid::now_v7()),
                payload: self.payload(known)?,
            },
            _ => return Err(Problem::not_found()),
        })
    }

    /// What goes with the chosen signal: what was typed in its fields, or as JSON where it has none.
    fn payload(&self, known: &Known<'_>) -> Result<Value, Problem> {
        if let Some(told) = known.told(&self.choice, &self.typed)? {
            return Ok(told);
        }
        let text = self.typed.get(&raw(&self.choice)).map(String::as_str).unwrap_or_default();
        Ok(json(text)?.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
    }
}

fn json(text: &str) -> Result<Option<Value>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        Problem::form(format!("JSON 无法读取：“{error}”。"), format!("The JSON cannot be read: {error}."))
    })
}

pub(in crate::console) async fn perform(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((id, verb)): Path<(Uuid, String)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Page {
    staff.require_to(Permission::Mend)?;
    let asked = Asked::read(fields);
    let Err(problem) = done(&surface, &staff, id, &verb, &asked).await else {
        return to(&format!("/runs/{id}?done={verb}"));
    };
    // What another choice or another word could mend is said where it was typed.
    if !matches!(problem.status(), StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(problem.into());
    }
    let error = super::super::page::said(&problem, staff.language);
    let mut page = super::again(&surface, &staff, id, Tried { verb, error, asked }).await?;
    *page.status_mut() = problem.status();
    Ok(page)
}

async fn done(surface: &Surface, staff: &Staff, id: Uuid, verb: &str, asked: &Asked) -> Result<(), Problem> {
    let by = staff.by(reason(&asked.reason)?);
    let seen = surface.desk.run(id).await?;
    let clock = Clock::of(surface, staff.language).await?;
    let workflow = &seen.shown.seen.workflow;
    let wanted = asked.verb(verb, &Known { run: id, workflow, state: &seen.state, clock: &clock })?;
    surface.desk.perform(id, &by, &wanted).await?;
    Ok(())
}

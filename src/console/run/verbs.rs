//! What can be done to a run: each verb with what it would do, as a form; and `POST /runs/{id}/{verb}`, which does it.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::super::access::{Permission, Staff};
use super::super::page::{Page, reason, to};
use super::super::words::names;
use crate::desk::verbs as words;
use crate::engine::staff::Verb;
use crate::engine::staff::explain::{Choice, Explained};
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
    /// `patch`, `payload` or nothing.
    pub(super) takes: &'static str,
    pub(super) harsh: bool,
}

/// An outcome, step or signal.
pub(super) struct Choosable {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) allowed: bool,
    pub(super) said: String,
}

/// The verbs, those that can be done first.
pub(super) fn deeds(explained: Vec<Explained>, language: Language) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = explained.into_iter().map(|one| deed(one, language)).collect();
    deeds.sort_by_key(|deed| !deed.allowed);
    deeds
}

fn deed(one: Explained, language: Language) -> Deed {
    let named = match one.verb {
        "answer" => names::outcome,
        "signal" => names::signal,
        _ => names::step,
    };
    let mut options: Vec<Choosable> =
        one.choices.into_iter().map(|choice| choosable(choice, named, language)).collect();
    options.sort_by_key(|option| !option.allowed);
    Deed {
        verb: one.verb,
        name: names::verb(one.verb, language),
        allowed: one.would.is_ok(),
        said: said(&one.would, language),
        options,
        takes: match one.verb {
            "answer" | "jump" => "patch",
            "signal" => "payload",
            _ => "",
        },
        harsh: matches!(one.verb, "cancel" | "jump"),
    }
}

fn choosable(choice: Choice, named: fn(&str, Language) -> String, language: Language) -> Choosable {
    Choosable {
        name: named(&choice.name, language),
        allowed: choice.would.is_ok(),
        said: said(&choice.would, language),
        value: choice.name,
    }
}

fn said(
    would: &Result<crate::engine::staff::explain::Would, crate::engine::staff::Refused>,
    language: Language,
) -> String {
    use crate::engine::staff::Refused;
    use crate::engine::staff::explain::Would;
    let step = |name: &str| names::step(name, language);
    match would {
        Ok(Would::Go { to }) => words::would(&Would::Go { to: names::step(to, language) }, language),
        Ok(Would::WaitForRelease { step }) => {
            words::would(&Would::WaitForRelease { step: names::step(step, language) }, language)
        }
        Ok(would) => words::would(would, language),
        Err(Refused::Lacks { step: at, lacks }) => {
            words::refusal(&Refused::Lacks { step: step(at), lacks: lacks.clone() }, language)
        }
        Err(Refused::WouldStrand { owed, instead }) => {
            let owed = owed.iter().map(|owed| names::thing(owed, language)).collect();
            let instead = instead.iter().map(|at| step(at)).collect();
            words::refusal(&Refused::WouldStrand { owed, instead }, language)
        }
        Err(Refused::AlreadyThere { step: at }) => words::refusal(&Refused::AlreadyThere { step: step(at) }, language),
        Err(refused) => words::refusal(refused, language),
    }
}

/// What a form says.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    choice: String,
    #[serde(default)]
    patch: String,
    #[serde(default)]
    payload: String,
    reason: String,
}

impl Asked {
    fn verb(&self, name: &str) -> Result<Verb, Problem> {
        Ok(match name {
            "retry" => Verb::Retry,
            "suspend" => Verb::Suspend,
            "resume" => Verb::Resume,
            "cancel" => Verb::Cancel,
            "answer" => Verb::Answer { outcome: self.choice.clone(), patch: json(&self.patch)? },
            "jump" => Verb::Jump { step: self.choice.clone(), patch: json(&self.patch)? },
            "signal" => Verb::Signal {
                signal: self.choice.clone(),
                signal_id: format!("console:{}", Uuid::now_v7()),
                payload: json(&self.payload)?.unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            },
            _ => return Err(Problem::not_found()),
        })
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
    Form(asked): Form<Asked>,
) -> Page {
    staff.require_to(Permission::Mend)?;
    let by = staff.by(reason(&asked.reason)?);
    let wanted = asked.verb(&verb)?;
    surface.desk.perform(id, &by, &wanted).await?;
    to(&format!("/runs/{id}?done={verb}"))
}

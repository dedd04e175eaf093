//! What several pages show alike: a run's line, money, a choice of a list.

use askama::Template;
use askama::filters::HtmlSafe;
use serde_json::Value;
use uuid::Uuid;

use super::when::{Clock, Stamp};
use super::words::names;
use crate::desk::faults;
use crate::desk::runs::Shown;
use crate::desk::why::sentence;
use crate::engine::inspect::Why;
use crate::http::Surface;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// A state in words, coloured.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<span class="chip {{ tone }}">{{ name }}</span>"#, ext = "html")]
pub(super) struct Chip {
    pub(super) tone: &'static str,
    pub(super) name: String,
}

impl HtmlSafe for Chip {}

impl Chip {
    /// The state of this name.
    pub(super) fn of(state: &str, language: Language) -> Self {
        Self { tone: names::tone(state), name: names::state(state, language) }
    }

    /// The state `state`, which is called and coloured as `like` here.
    pub(super) fn like(state: &str, like: &[(&str, &'static str)], language: Language) -> Self {
        let named = like.iter().find(|(name, _)| *name == state).map_or(state, |(_, like)| like);
        Self::of(named, language)
    }
}

/// A run's line in a list.
pub(super) struct RunRow {
    pub(super) id: String,
    pub(super) workflow: String,
    pub(super) key: String,
    /// Whom an application is of and for.
    pub(super) about: Option<String>,
    pub(super) step: String,
    pub(super) status: Chip,
    pub(super) why: String,
    pub(super) attempt: i32,
    pub(super) due: Option<Stamp>,
    pub(super) created: Stamp,
    pub(super) updated: Stamp,
    pub(super) error: String,
    /// The same as it is stored: what a search for an error looks at.
    pub(super) stored_error: String,
}

/// A run as its line.
pub(super) fn run(shown: Shown, clock: &Clock) -> RunRow {
    let seen = shown.seen;
    RunRow {
        id: seen.id.to_string(),
        workflow: names::workflow(&seen.workflow, clock.language),
        step: names::step(&seen.step, clock.language),
        status: Chip::of(&seen.status, clock.language),
        why: why(shown.why, clock),
        attempt: seen.attempt,
        due: seen.due_at.map(|at| clock.stamp(at)),
        created: clock.stamp(seen.created_at),
        updated: clock.stamp(seen.updated_at),
        error: match seen.last_error.as_deref() {
            Some(said) if seen.fault.as_deref() == Some("staff") => faults::by_staff(said, clock.language),
            error => faults::said(error.unwrap_or_default(), clock.language),
        },
        stored_error: seen.last_error.unwrap_or_default(),
        about: None,
        key: seen.key,
    }
}

/// The lines of runs, applications with whom they are of and for.
pub(super) async fn runs(surface: &Surface, all: Vec<Shown>, clock: &Clock) -> Result<Vec<RunRow>, Problem> {
    let ids: Vec<Uuid> = all.iter().map(|shown| shown.seen.id).collect();
    let briefs = surface.desk.briefs(&ids).await?;
    let rows = all.into_iter().map(|shown| {
        let brief = briefs.get(&shown.seen.id);
        let about = brief.map(|one| {
            let day = one.visit_date.map(|day| clock.day(day)).unwrap_or_default();
            let (name, doctor) =
                (one.name.as_deref().unwrap_or_default(), one.doctor_name.as_deref().unwrap_or_default());
            format!("{name} {} · {doctor} {day}", one.patient_id)
        });
        RunRow { about, ..run(shown, clock) }
    });
    Ok(rows.collect())
}

/// Why a run is not moving, with steps and signals in the reader's language.
pub(super) fn why(why: Why, clock: &Clock) -> String {
    let why = match why {
        Why::Waits { signals, until } => {
            Why::Waits { signals: signals.iter().map(|one| names::signal(one, clock.language)).collect(), until }
        }
        Why::Unrunnable { step } => Why::Unrunnable { step: names::step(&step, clock.language) },
        other => other,
    };
    sentence(&why, clock.language, clock.tz)
}

/// 分 as yuan.
pub(super) fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

/// A choice of a list: its value, its name, whether it is the one.
pub(super) struct Pick {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) is: bool,
}

/// Choices with `picked` marked.
pub(super) fn picks<'a>(
    all: impl IntoIterator<Item = &'a str>,
    picked: &str,
    name: impl Fn(&str, Language) -> String,
    language: Language,
) -> Vec<Pick> {
    all.into_iter()
        .map(|value| Pick { value: value.to_owned(), name: name(value, language), is: value == picked })
        .collect()
}

/// A time slot in words; empty where there is none.
pub(super) fn slot(slot: Option<&Value>) -> String {
    let part = |name: &str| slot.and_then(|slot| slot.get(name)).and_then(Value::as_str).and_then(|at| at.get(..5));
    match (part("begins"), part("ends")) {
        (Some(begins), Some(ends)) => format!("{begins}–{ends}"),
        (Some(begins), None) => begins.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_whole_fen() {
        assert_eq!(yuan(14_505), "145.05");
        assert_eq!(yuan(-5), "-0.05");
    }

    #[test]
    fn a_slot_is_its_hours() {
        let noon = serde_json::json!({ "begins": "13:30:00", "ends": "14:00:00" });
        assert_eq!(slot(Some(&noon)), "13:30–14:00");
        assert_eq!(slot(None), "");
    }
}

//! A policy's settings as a form: each with its value in effect and where that comes from. A field that is left empty is
//! inherited. Pure.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::page::Not;
use super::row::{Pick, picks};
use super::words::names;
use super::words::policies::PolicyWords;
use crate::desk::policy_changes::InEffect;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;
use crate::waitlist::policy::LevelPolicy;

/// How a setting is typed.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Time,
    Flag,
    Choice(&'static [&'static str]),
}

/// A setting: its field, the field within it where it has parts, and how it is typed.
struct Field {
    name: &'static str,
    part: Option<&'static str>,
    kind: Kind,
}

const fn number(name: &'static str) -> Field {
    Field { name, part: None, kind: Kind::Number }
}

const fn choice(name: &'static str, of: &'static [&'static str]) -> Field {
    Field { name, part: None, kind: Kind::Choice(of) }
}

const fn part(name: &'static str, part: &'static str, kind: Kind) -> Field {
    Field { name, part: Some(part), kind }
}

/// All that can be typed, in the order of the page. Half-days are kept as they are.
const FIELDS: [Field; 29] = [
    choice("switch", &["on", "off"]),
    number("cap"),
    choice("paymentMode", &["none", "prepay", "lockThenPay"]),
    choice("insurancePrepay", &["selfPayFirst", "notAccepted"]),
    choice("feeChange", &["keepPaid", "refundOnly", "refundAndTopUp"]),
    choice("queuePer", &["halfDay", "day"]),
    choice("order", &["fifo", "random"]),
    number("drawWindowMinutes"),
    choice("capReading", &["allMustPass", "firstConfiguredDecides"]),
    choice("capCounts", &["liveInAll", "liveInEach", "everInEach"]),
    part("cutoff", "daysBefore", Kind::Number),
    part("cutoff", "at", Kind::Time),
    part("cutoff", "onWorkingDay", Kind::Flag),
    number("offerWindowMinutes"),
    number("prepayMinutes"),
    number("hardStopMinutesBeforeVisit"),
    number("lockGraceMinutes"),
    part("quietHours", "from", Kind::Time),
    part("quietHours", "to", Kind::Time),
    number("liveEntriesPerPatient"),
    number("liveEntriesPerDepartmentAndDay"),
    number("personsPerAccount"),
    number("declinesMax"),
    number("missedOffersMax"),
    choice("otherQueues", &["keep", "withdrawDepartment", "withdrawDay", "ask"]),
    number("minimumNoticeMinutes"),
    number("releaseDelayMinutesMax"),
    number("reminderHoursBefore"),
    number("questionMinutes"),
];

/// A setting, ready for the page.
pub(super) struct Setting {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) picks: Vec<Pick>,
    /// What was set here; empty: inherited.
    pub(super) own: String,
    pub(super) in_effect: String,
    pub(super) from: String,
}

/// True for a setting that has one of several names.
pub(super) fn chooses(name: &str) -> bool {
    FIELDS.iter().any(|field| field.name == name && matches!(field.kind, Kind::Choice(_)))
}

/// The name of a unit variant.
pub(super) fn name_of(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn words(w: &PolicyWords, field: &Field) -> &'static str {
    match (field.name, field.part) {
        ("switch", _) => w.switch,
        ("cap", _) => w.cap,
        ("paymentMode", _) => w.payment_mode,
        ("insurancePrepay", _) => w.insurance_prepay,
        ("feeChange", _) => w.fee_change,
        ("queuePer", _) => w.queue_per,
        ("order", _) => w.order,
        ("drawWindowMinutes", _) => w.draw_window,
        ("capReading", _) => w.cap_reading,
        ("capCounts", _) => w.cap_counts,
        ("cutoff", Some("daysBefore")) => w.cutoff_days,
        ("cutoff", Some("at")) => w.cutoff_at,
        ("cutoff", _) => w.cutoff_working,
        ("offerWindowMinutes", _) => w.offer_window,
        ("prepayMinutes", _) => w.prepay_minutes,
        ("hardStopMinutesBeforeVisit", _) => w.hard_stop,
        ("lockGraceMinutes", _) => w.lock_grace,
        ("quietHours", Some("from")) => w.quiet_from,
        ("quietHours", _) => w.quiet_to,
        ("liveEntriesPerPatient", _) => w.per_patient,
        ("liveEntriesPerDepartmentAndDay", _) => w.per_department,
        ("personsPerAccount", _) => w.per_account,
        ("declinesMax", _) => w.declines,
        ("missedOffersMax", _) => w.misses,
        ("otherQueues", _) => w.others,
        ("minimumNoticeMinutes", _) => w.notice_minutes,
        ("releaseDelayMinutesMax", _) => w.delay,
        ("reminderHoursBefore", _) => w.reminder,
        _ => w.question,
    }
}

/// All settings of the first of a chain.
pub(super) fn all(found: &InEffect, w: &'static PolicyWords, language: Language) -> Result<Vec<Setting>, Not> {
    let plain = |value: serde_json::Result<Value>| value.map_err(|_| Problem::internal());
    let resolved = plain(serde_json::to_value(&found.policy))?;
    let mut levels = Vec::new();
    for (place, level, own) in &found.chain {
        let name = format!("{} {}", names::thing(level.as_str(), language), place.name);
        levels.push((name, plain(serde_json::to_value(own))?));
    }
    Ok(FIELDS.iter().map(|field| setting(field, &levels, &resolved, w, language)).collect())
}

fn setting(
    field: &Field,
    levels: &[(String, Value)],
    resolved: &Value,
    w: &'static PolicyWords,
    language: Language,
) -> Setting {
    // Switch and cap are each level's own: nothing comes from above.
    let each = matches!(field.name, "switch" | "cap");
    let own = levels.first().and_then(|(_, own)| of(field, own)).map(|value| typed(&value)).unwrap_or_default();
    let own = if field.name == "switch" && own == "inherit" { String::new() } else { own };
    let from = levels.iter().position(|(_, own)| own.get(field.name).is_some());
    let from = match from {
        _ if each => w.each_level.to_owned(),
        Some(0) => w.here.to_owned(),
        Some(nth) => levels.get(nth).map(|(name, _)| name.clone()).unwrap_or_default(),
        None => w.default.to_owned(),
    };
    let in_effect = of(field, resolved).map(|value| typed(&value)).unwrap_or_default();
    let (kind, options) = match field.kind {
        Kind::Number => ("number", Vec::new()),
        Kind::Time => ("time", Vec::new()),
        Kind::Flag => ("choice", flags(w, &own)),
        Kind::Choice(of) => ("choice", picks(of.iter().copied(), &own, names::choice, language)),
    };
    let in_effect = match (field.kind, in_effect.as_str()) {
        _ if each => of_each(field, levels, w, language),
        (Kind::Choice(_), name) => names::choice(name, language),
        (Kind::Flag, "true") => w.yes.to_owned(),
        (Kind::Flag, _) => w.no.to_owned(),
        (_, value) => value.to_owned(),
    };
    Setting { id: id(field), name: words(w, field), kind, picks: options, own, in_effect, from }
}

/// What every level says that says something.
fn of_each(field: &Field, levels: &[(String, Value)], w: &PolicyWords, language: Language) -> String {
    let said = levels.iter().filter_map(|(name, own)| {
        let value =
            of(field, own).map(|value| typed(&value)).filter(|value| value != "inherit" && !value.is_empty())?;
        Some(format!("{name}: {}", names::choice(&value, language)))
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { w.nowhere.to_owned() } else { said.join(" · ") }
}

fn flags(w: &PolicyWords, own: &str) -> Vec<Pick> {
    let flag = |value: &str, name: &str| Pick { value: value.to_owned(), name: name.to_owned(), is: own == value };
    vec![flag("true", w.yes), flag("false", w.no)]
}

fn id(field: &Field) -> String {
    field.part.map_or_else(|| field.name.to_owned(), |part| format!("{}.{part}", field.name))
}

fn of(field: &Field, policy: &Value) -> Option<Value> {
    let whole = policy.get(field.name)?;
    match field.part {
        // A flag that is not set is not written.
        Some(part) => Some(whole.get(part).cloned().unwrap_or(Value::Bool(false))),
        None => Some(whole.clone()),
    }
}

/// A value as a field of a form has it.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.strip_suffix(":00").filter(|_| text.len() == 8).unwrap_or(text).to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a form says; what it has no field for stays as it was.
pub(super) fn read(former: &LevelPolicy, form: &HashMap<String, String>) -> Result<LevelPolicy, Problem> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(former) else { return Err(Problem::internal()) };
    let mut parts: HashMap<&str, Map<String, Value>> = HashMap::new();
    for field in &FIELDS {
        let given = form.get(&id(field)).map(|text| text.trim()).unwrap_or_default();
        let value = if given.is_empty() { None } else { Some(value(field, given)?) };
        match (field.part, value) {
            (None, None) => drop(all.remove(field.name)),
            (None, Some(value)) => drop(all.insert(field.name.to_owned(), value)),
            (Some(part), value) => {
                let whole = parts.entry(field.name).or_default();
                whole.extend(value.map(|value| (part.to_owned(), value)));
            }
        }
    }
    for (name, whole) in parts {
        // A flag alone says nothing.
        if whole.values().all(Value::is_boolean) {
            all.remove(name);
        } else {
            all.insert(name.to_owned(), Value::Object(whole));
        }
    }
    // Of what has two parts both are said.
    serde_json::from_value(Value::Object(all)).map_err(|_| {
        let (zh, en) = (PolicyWords::of(Language::ZhCn), PolicyWords::of(Language::En));
        Problem::form(
            format!("“{}”与“{}”、“{}”与“{}”须成对填写。", zh.cutoff_days, zh.cutoff_at, zh.quiet_from, zh.quiet_to),
            format!("Fill in both: {} and {}; {} and {}.", en.cutoff_days, en.cutoff_at, en.quiet_from, en.quiet_to),
        )
    })
}

fn value(field: &Field, given: &str) -> Result<Value, Problem> {
    let bad = || {
        let name = |language| words(PolicyWords::of(language), field);
        let (zh, en) = match field.kind {
            Kind::Number if given.bytes().all(|digit| digit.is_ascii_digit()) => ("过大", "is too large"),
            Kind::Number => ("须为不小于 0 的整数", "must be a whole number from 0 up"),
            _ => ("不可选", "cannot be chosen"),
        };
        Problem::form(
            format!("{}：“{given}”{zh}。", name(Language::ZhCn)),
            format!("{}: “{given}” {en}.", name(Language::En)),
        )
    };
    Ok(match field.kind {
        Kind::Number => json!(given.parse::<u32>().map_err(|_| bad())?),
        Kind::Time if given.len() == 5 => json!(format!("{given}:00")),
        Kind::Time => json!(given),
        Kind::Flag => json!(given == "true"),
        Kind::Choice(of) if of.contains(&given) => json!(given),
        Kind::Choice(_) => return Err(bad()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> HashMap<String, String> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_left_empty_is_inherited_and_what_has_no_field_stays() {
        let hours = json!({
            "morning": { "from": "07:30:00", "to": "12:00:00" }, "afternoon": { "from": "13:00:00", "to": "17:00:00" },
            "evening": { "from": "18:00:00", "to": "21:00:00" }
        });
        let former: LevelPolicy =
            serde_json::from_value(json!({ "switch": "on", "cap": 5, "halfDays": hours, "declinesMax": 2 })).unwrap();
        let read = read(
            &former,
            &form(&[("cap", "7"), ("cutoff.daysBefore", "1"), ("cutoff.at", "17:30"), ("declinesMax", "")]),
        );
        let read = serde_json::to_value(read.unwrap()).unwrap();
        assert_eq!(
            read,
            json!({ "switch": "inherit", "cap": 7, "halfDays": hours, "cutoff": { "daysBefore": 1, "at": "17:30:00" } })
        );
    }

    #[test]
    fn half_of_a_cutoff_is_refused() {
        assert!(read(&LevelPolicy::default(), &form(&[("cutoff.daysBefore", "1")])).is_err());
        assert!(read(&LevelPolicy::default(), &form(&[("order", "alphabet")])).is_err());
        assert_eq!(
            read(&LevelPolicy::default(), &form(&[("cutoff.onWorkingDay", "true")])).unwrap(),
            LevelPolicy::default()
        );
    }

    #[test]
    fn every_choice_of_a_setting_has_words() {
        let all = FIELDS.iter().filter_map(|field| match field.kind {
            Kind::Choice(of) => Some(of),
            _ => None,
        });
        for choice in all.flatten() {
            assert_ne!(names::choice(choice, Language::ZhCn), *choice);
        }
    }

    /// A setting that no field shows is one that staff cannot see.
    #[test]
    fn every_setting_has_a_field() {
        let all = serde_json::to_value(crate::waitlist::policy::Policy::default()).unwrap();
        let without: Vec<&String> =
            all.as_object().unwrap().keys().filter(|name| !FIELDS.iter().any(|field| field.name == *name)).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}

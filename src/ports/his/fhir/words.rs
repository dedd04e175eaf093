//! Our words beside FHIR's: the systems of identifiers and codes, the extensions, and how a time is written.
//!
//! All of them are listed in `docs/integration/his.md`.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::resources::{Extension, Identifier, OperationOutcome};
use crate::ports::his::{DayPart, ScheduleState, wire};

/// `Appointment.identifier` of a lock: our `LOCK_ID`.
pub const LOCK: &str = "urn:houbu:his:lock";
/// `Appointment.identifier` of a booking: our `ORDER_ID`.
pub const ORDER: &str = "urn:houbu:his:order";
/// `Appointment.identifier` of a booking: HIS's own number.
pub const HIS_ORDER: &str = "urn:houbu:his:his-order";
/// `Slot.identifier`: `<schedule>|<begin>|<end>`.
pub const SLOT: &str = "urn:houbu:his:slot";
/// `serviceType`: the department.
pub const DEPARTMENT: &str = "urn:houbu:his:department";
/// `Patient.identifier` is of the system `urn:houbu:his:id-type:<IDCARD_TYPE>`.
pub const ID_TYPE: &str = "urn:houbu:his:id-type:";
/// `OperationOutcome.issue.details`: the six-digit code of 健康通.
pub const CODE: &str = "urn:houbu:his:code";
/// Every extension is `urn:houbu:his:ext:<name>`.
const EXTENSION: &str = "urn:houbu:his:ext:";

fn named(name: &str) -> Extension {
    Extension { url: format!("{EXTENSION}{name}"), ..Extension::default() }
}

/// A text.
pub fn text(name: &str, value: &str) -> Extension {
    Extension { value_string: Some(value.to_owned()), ..named(name) }
}

/// A code.
pub fn code(name: &str, value: &str) -> Extension {
    Extension { value_code: Some(value.to_owned()), ..named(name) }
}

/// A number.
pub fn number(name: &str, value: i64) -> Extension {
    Extension { value_integer: Some(value), ..named(name) }
}

/// Yes or no.
pub fn flag(name: &str, value: bool) -> Extension {
    Extension { value_boolean: Some(value), ..named(name) }
}

/// An instant.
pub fn instant(name: &str, value: DateTime<Utc>) -> Extension {
    Extension { value_instant: Some(value), ..named(name) }
}

/// The extension of this name.
pub fn find<'a>(extensions: &'a [Extension], name: &str) -> Option<&'a Extension> {
    extensions.iter().find(|it| it.url.strip_prefix(EXTENSION) == Some(name))
}

/// Its text or code.
pub fn text_of<'a>(extensions: &'a [Extension], name: &str) -> Option<&'a str> {
    let found = find(extensions, name)?;
    found.value_string.as_deref().or(found.value_code.as_deref())
}

/// Its number.
pub fn number_of(extensions: &[Extension], name: &str) -> Option<i64> {
    find(extensions, name)?.value_integer
}

/// The value of an identifier of this system.
pub fn value_of<'a>(identifiers: &'a [Identifier], system: &str) -> Option<&'a str> {
    identifiers.iter().find(|it| it.system == system).map(|it| it.value.as_str())
}

/// An identifier.
pub fn identifier(system: &str, value: &str) -> Identifier {
    Identifier { system: system.to_owned(), value: value.to_owned() }
}

/// The hospital's time of a day.
pub fn at(day: NaiveDate, time: NaiveTime, zone: Tz) -> Option<DateTime<FixedOffset>> {
    let at = wire::instant(day.and_time(time), zone)?.with_timezone(&zone);
    Some(at.fixed_offset())
}

/// The day and the time on the hospital's clock.
pub fn local(at: DateTime<FixedOffset>, zone: Tz) -> (NaiveDate, NaiveTime) {
    let local = zone.from_utc_datetime(&at.naive_utc()).naive_local();
    (local.date(), local.time())
}

/// How a part of the day is written.
pub fn part(part: DayPart) -> &'static str {
    match part {
        DayPart::Morning => "morning",
        DayPart::Afternoon => "afternoon",
        DayPart::Evening => "evening",
        DayPart::WholeDay => "whole-day",
    }
}

/// The part of the day so written.
pub fn part_of(written: &str) -> Option<DayPart> {
    [DayPart::Morning, DayPart::Afternoon, DayPart::Evening, DayPart::WholeDay]
        .into_iter()
        .find(|it| part(*it) == written)
}

/// How the state of a schedule is written.
pub fn state(state: ScheduleState) -> &'static str {
    match state {
        ScheduleState::Stopped => "stopped",
        ScheduleState::Open => "open",
        ScheduleState::NotOpen => "not-open",
    }
}

/// The state of a schedule: without our extension an inactive one is stopped.
pub fn state_of(written: Option<&str>, active: bool) -> ScheduleState {
    match written {
        Some("not-open") => ScheduleState::NotOpen,
        Some("stopped") => ScheduleState::Stopped,
        _ if active => ScheduleState::Open,
        _ => ScheduleState::Stopped,
    }
}

/// The six-digit code of an outcome.
pub fn code_of(outcome: &OperationOutcome) -> Option<&str> {
    let codings = outcome.issue.iter().filter_map(|issue| issue.details.as_ref()).flat_map(|it| &it.coding);
    let codes = codings.filter(|coding| coding.system.is_empty() || coding.system == CODE).map(|it| it.code.as_str());
    codes.into_iter().find(|code| code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()))
}

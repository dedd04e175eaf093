//! What the resources of a FHIR server come to in the trade's words. Pure; whatever cannot be read is none, and the call then
//! leaves its outcome unknown.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::resources::{Appointment, Resource, Schedule, Slot};
use super::words::{self, find, number_of, text_of, value_of};
use crate::ports::his::{
    HisSchedule, Holding, ListedBreach, ListedLock, ListedOrder, ListedState, LockStanding, OpenSlot, Order, TimeSlot,
    Visit,
};

/// A schedule. `TOTAL` and `OVER_COUNT` stand in extensions: without them it counts as full, and its times tell.
pub(super) fn schedule_of(schedule: Schedule, department_id: &str, zone: Tz) -> Option<HisSchedule> {
    let doctor = schedule.actor.iter().find_map(|actor| Some((actor.id("Practitioner")?, actor.display.as_deref())));
    let (doctor_id, doctor_name) = doctor?;
    let starts = schedule.planning_horizon.start.as_deref()?;
    let department = schedule.service_type.iter().flat_map(|it| &it.coding).find(|it| it.system == words::DEPARTMENT);
    let count = |name| number_of(&schedule.extension, name).and_then(|count| u32::try_from(count).ok());
    let (visit_date, begins) = day_of(starts, zone)?;
    let noon = NaiveTime::from_hms_opt(12, 0, 0)?;
    let evening = NaiveTime::from_hms_opt(18, 0, 0)?;
    let told = match begins {
        Some(begins) if begins >= evening => "evening",
        Some(begins) if begins >= noon => "afternoon",
        Some(_) => "morning",
        None => "whole-day",
    };
    Some(HisSchedule {
        department_id: department.map_or(department_id, |it| &it.code).to_owned(),
        doctor_id: doctor_id.to_owned(),
        doctor_name: doctor_name.unwrap_or_default().to_owned(),
        doctor_title: text_of(&schedule.extension, "doctor-title").unwrap_or_default().to_owned(),
        visit_date,
        part: words::part_of(text_of(&schedule.extension, "part").unwrap_or(told))?,
        state: words::state_of(text_of(&schedule.extension, "state"), schedule.active.unwrap_or(true)),
        total: count("total").unwrap_or_default(),
        remaining: count("remaining").unwrap_or_default(),
        fee_fen: number_of(&schedule.extension, "fee-fen").unwrap_or_default(),
        timed: find(&schedule.extension, "timed").and_then(|it| it.value_boolean).unwrap_or(true),
        reg_id: schedule.id,
    })
}

/// `2026-10-12`, or an instant.
fn day_of(written: &str, zone: Tz) -> Option<(NaiveDate, Option<NaiveTime>)> {
    if let Ok(day) = written.parse::<NaiveDate>() {
        return Some((day, None));
    }
    let (day, time) = words::local(written.parse().ok()?, zone);
    Some((day, Some(time)))
}

/// The free times, in order: as many places as there are slots of the same time, or as an extension says.
pub(super) fn open_slots(slots: impl Iterator<Item = Slot>, reg_id: &str, day: NaiveDate, zone: Tz) -> Vec<OpenSlot> {
    let mut open = BTreeMap::<(NaiveTime, NaiveTime), u32>::new();
    for slot in slots.filter(|it| it.status == "free" && it.schedule.id("Schedule") == Some(reg_id)) {
        let ((begins_on, begins), (_, ends)) = (words::local(slot.start, zone), words::local(slot.end, zone));
        let places = number_of(&slot.extension, "remaining").map_or(1, |places| u32::try_from(places).unwrap_or(0));
        if begins_on == day && places > 0 {
            let remaining = open.entry((begins, ends)).or_default();
            *remaining = remaining.saturating_add(places);
        }
    }
    let slot = |((begins, ends), remaining)| OpenSlot { slot: TimeSlot::new(begins, ends), remaining };
    open.into_iter().map(slot).collect()
}

/// A lock is held while it is `pending`.
pub(super) fn holding(lock: &Appointment) -> Option<Holding> {
    if lock.status != "pending" {
        return Some(Holding::Gone);
    }
    find(&lock.extension, "lock-expires")?.value_instant.map(Holding::Until)
}

/// A booking that HIS has a number for.
pub(super) fn visit_of(booked: &Appointment) -> Option<Visit> {
    let his_order_id = value_of(&booked.identifier, words::HIS_ORDER).or(booked.id.as_deref())?.to_owned();
    let place = booked.participant.iter().map(|it| &it.actor).find(|it| it.kind.as_deref() == Some("Location"));
    Some(Visit {
        his_order_id,
        serial: text_of(&booked.extension, "serial").unwrap_or_default().to_owned(),
        place: place.and_then(|it| it.display.clone()).unwrap_or_default(),
    })
}

/// An order by its status. One that is only asked for (`proposed`, `pending`, `waitlist`) is no booking yet, and may become
/// one: unknown.
pub(super) fn order_of(found: &Appointment) -> Option<Order> {
    match found.status.as_str() {
        "booked" | "arrived" | "fulfilled" | "checked-in" | "noshow" => visit_of(found).map(Order::Booked),
        "cancelled" | "entered-in-error" => Some(Order::Cancelled),
        _ => None,
    }
}

/// When the visit is, where it has a time.
pub(super) fn time_of(found: &Appointment, zone: Tz) -> Option<TimeSlot> {
    let half_day = find(&found.extension, "of-half-day").and_then(|it| it.value_boolean).unwrap_or(false);
    let (start, end) = found.start.zip(found.end).filter(|_| !half_day)?;
    Some(TimeSlot::new(words::local(start, zone).1, words::local(end, zone).1))
}

pub(super) fn listed_order(line: &Appointment) -> Option<ListedOrder> {
    let refunded_fen = number_of(&line.extension, "refunded-fen");
    let state = match line.status.as_str() {
        "booked" | "arrived" | "fulfilled" | "checked-in" | "noshow" => ListedState::Booked,
        "cancelled" | "entered-in-error" if refunded_fen.is_some() => ListedState::Refunded,
        "cancelled" | "entered-in-error" => ListedState::Cancelled,
        _ => return None,
    };
    Some(ListedOrder {
        order_id: value_of(&line.identifier, words::ORDER)?.to_owned(),
        state,
        out_trade_no: text_of(&line.extension, "out-trade-no").map(str::to_owned),
        paid_fen: number_of(&line.extension, "paid-fen"),
        refunded_fen,
    })
}

pub(super) fn listed_lock(line: &Appointment) -> Option<ListedLock> {
    let state = match (line.status.as_str(), text_of(&line.extension, "lock-state")) {
        ("pending", _) => LockStanding::Held,
        (_, Some("used")) => LockStanding::Used,
        ("cancelled", Some("expired")) => LockStanding::Expired,
        ("cancelled", _) => LockStanding::Unlocked,
        _ => return None,
    };
    let expires_at = find(&line.extension, "lock-expires")?.value_instant?;
    Some(ListedLock { lock_id: value_of(&line.identifier, words::LOCK)?.to_owned(), state, expires_at })
}

pub(super) fn breach_of(line: &Appointment) -> Option<ListedBreach> {
    let patient = line.contained.iter().find_map(|it| match it {
        Resource::Patient(patient) => patient.identifier.first(),
        _ => None,
    })?;
    let department = line.service_type.iter().flat_map(|it| &it.coding).find(|it| it.system == words::DEPARTMENT);
    Some(ListedBreach {
        his_order_id: value_of(&line.identifier, words::HIS_ORDER).or(line.id.as_deref())?.to_owned(),
        id_type: patient.system.strip_prefix(words::ID_TYPE)?.to_owned(),
        id_number: patient.value.clone(),
        department_id: department.map(|it| it.code.clone()).unwrap_or_default(),
        channel_id: text_of(&line.extension, "channel").unwrap_or_default().to_owned(),
        kind: text_of(&line.extension, "breach-kind").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ports::his::ScheduleState;

    fn slots(value: serde_json::Value) -> Vec<OpenSlot> {
        let slots: Vec<Slot> = serde_json::from_value(value).unwrap();
        let day = NaiveDate::from_ymd_opt(2026, 10, 12).unwrap();
        open_slots(slots.into_iter(), "R1", day, chrono_tz::Asia::Shanghai)
    }

    #[test]
    fn r26_only_a_schedule_that_is_said_to_be_inactive_is_stopped() {
        let state = |active: serde_json::Value| {
            let mut written = json!({
                "id": "R1", "actor": [{ "reference": "Practitioner/7", "display": "王医生" }],
                "planningHorizon": { "start": "2026-10-12T08:00:00+08:00" }
            });
            if !active.is_null() {
                written["active"] = active;
            }
            let schedule: Schedule = serde_json::from_value(written).unwrap();
            schedule_of(schedule, "K1", chrono_tz::Asia::Shanghai).unwrap().state
        };
        assert_eq!(state(json!(false)), ScheduleState::Stopped);
        assert_eq!(state(json!(true)), ScheduleState::Open);
        assert_eq!(state(serde_json::Value::Null), ScheduleState::Open, "the element is optional");
    }

    #[test]
    fn a_server_that_lists_a_slot_a_place_is_counted_together() {
        let slot = |status: &str, schedule: &str, start: &str, end: &str| {
            json!({ "resourceType": "Slot", "id": "x", "status": status, "start": start, "end": end,
                    "schedule": { "reference": schedule } })
        };
        let (at, to) = ("2026-10-12T08:00:00+08:00", "2026-10-12T00:30:00Z");
        let open = slots(json!([
            slot("free", "Schedule/R1", "2026-10-12T09:00:00+08:00", "2026-10-12T09:30:00+08:00"),
            slot("free", "Schedule/R1", at, to),
            slot("free", "https://his.example.org/fhir/Schedule/R1", at, to),
            slot("busy", "Schedule/R1", at, to),
            slot("free", "Schedule/R2", at, to),
            slot("free", "Schedule/R1", "2026-10-13T08:00:00+08:00", "2026-10-13T08:30:00+08:00"),
        ]));
        let time = |text: &str| text.parse::<NaiveTime>().unwrap();
        assert_eq!(
            open,
            [
                OpenSlot { slot: TimeSlot::new(time("08:00:00"), time("08:30:00")), remaining: 2 },
                OpenSlot { slot: TimeSlot::new(time("09:00:00"), time("09:30:00")), remaining: 1 },
            ]
        );
    }

    #[test]
    fn an_appointment_of_another_server_is_read_past_what_we_have_no_use_for() {
        let recorded = r#"{
            "resourceType": "Appointment", "id": "example", "meta": { "versionId": "3", "lastUpdated": "2026-10-10T01:00:00Z" },
            "text": { "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Brian MRI results</div>" },
            "identifier": [
                { "use": "official", "system": "urn:houbu:his:order", "value": "W1", "period": { "start": "2026-10-10" } },
                { "system": "http://example.org/sampleappointment-identifier", "value": "123" }
            ],
            "status": "booked",
            "serviceCategory": [{ "coding": [{ "system": "http://example.org/service-category", "code": "gp", "display": "GP" }] }],
            "appointmentType": { "coding": [{ "code": "FOLLOWUP", "display": "A follow up visit" }] },
            "reasonReference": [{ "reference": "Condition/example", "display": "Severe burn of left ear" }], "priority": 5,
            "description": "Discussion on the results", "start": "2026-10-12T00:00:00Z", "end": "2026-10-12T00:30:00Z",
            "created": "2026-10-10", "minutesDuration": 30, "slot": [{ "reference": "Slot/example" }],
            "participant": [
                { "actor": { "reference": "Patient/example", "display": "Peter" }, "required": "required", "status": "accepted" },
                { "type": [{ "coding": [{ "code": "ATND" }] }], "actor": { "reference": "Practitioner/D7" }, "status": "accepted" },
                { "actor": { "type": "Location", "display": "门诊楼3层" }, "required": "required", "status": "accepted" }
            ]
        }"#;
        let Ok(Resource::Appointment(found)) = serde_json::from_str::<Resource>(recorded) else { panic!("unread") };
        let Some(Order::Booked(visit)) = order_of(&found) else { panic!("not booked") };
        assert_eq!((visit.his_order_id.as_str(), visit.place.as_str()), ("example", "门诊楼3层"));
        let slot = time_of(&found, chrono_tz::Asia::Shanghai).unwrap();
        assert_eq!((slot.begins.to_string(), slot.ends.to_string()), ("08:00:00".into(), "08:30:00".into()));
    }

    #[test]
    fn every_status_of_an_appointment_has_its_meaning() {
        for (status, meaning) in [
            ("proposed", "cannot be told"),
            ("pending", "cannot be told"),
            ("waitlist", "cannot be told"),
            ("nonsense", "cannot be told"),
            ("booked", "booked"),
            ("arrived", "booked"),
            ("checked-in", "booked"),
            ("fulfilled", "booked"),
            ("noshow", "booked"),
            ("cancelled", "cancelled"),
            ("entered-in-error", "cancelled"),
        ] {
            let found = Appointment { id: Some("7".into()), status: status.into(), ..Appointment::default() };
            let said = match order_of(&found) {
                Some(Order::Booked(visit)) if visit.his_order_id == "7" => "booked",
                Some(Order::Cancelled) => "cancelled",
                None => "cannot be told",
                other => panic!("{other:?}"),
            };
            assert_eq!(said, meaning, "{status}");
        }
    }
}

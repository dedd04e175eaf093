//! What stands in the books of the simulated HIS, as FHIR resources. Pure.

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::counter::address;
use super::ledger::Ledger;
use super::records::{LockRecord, LockState, OrderRecord, OrderState};
use crate::ports::his::fhir::resources::{
    Appointment, Concept, Issue, OperationOutcome, Participant, Patient, Period, Reference, Resource, Schedule, Slot,
};
use crate::ports::his::fhir::words;
use crate::ports::his::lists::BreachItem;
use crate::ports::his::messages::{RegInfo, TimeRegInfo};
use crate::ports::his::{DayPart, HisSchedule, ScheduleState, TimeSlot};

/// One issue; the six digits of 健康通 stand in its details.
pub(super) fn outcome(kind: &str, code: Option<&str>) -> OperationOutcome {
    let details = code.map(|code| Concept::of(words::CODE, code));
    OperationOutcome { issue: vec![Issue { severity: "error".to_owned(), code: kind.to_owned(), details }] }
}

/// The schedules of 2003.
pub(super) fn schedules(info: &RegInfo, zone: Tz) -> Vec<Resource> {
    let mut all = Vec::new();
    for doctor in &info.reg_doctor_list {
        for day in &doctor.reg_list {
            for part in &day.reg_time_list {
                let (from, to) = hours(part.time_flag);
                let instant = |time| words::at(day.reg_date, time, zone).map(|at| at.to_rfc3339());
                let actor = Reference::to("Practitioner", &doctor.doctor_id);
                all.push(Resource::Schedule(Schedule {
                    id: part.reg_id.clone(),
                    extension: vec![
                        words::code("part", words::part(part.time_flag)),
                        words::code("state", words::state(part.reg_status)),
                        words::number("total", i64::from(part.total)),
                        words::number("remaining", i64::from(part.over_count)),
                        words::number("fee-fen", part.reg_fee.saturating_add(part.treat_fee)),
                        words::text("doctor-title", &doctor.job_title),
                        words::flag("timed", part.istime != "0"),
                    ],
                    active: Some(part.reg_status == ScheduleState::Open),
                    service_type: vec![Concept::of(words::DEPARTMENT, &info.dept_id)],
                    actor: vec![Reference { display: Some(doctor.name.clone()), ..actor }],
                    planning_horizon: Period { start: instant(from), end: instant(to) },
                }));
            }
        }
    }
    all
}

/// About when a half-day is.
fn hours(part: DayPart) -> (NaiveTime, NaiveTime) {
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
    match part {
        DayPart::Morning => (at(8), at(12)),
        DayPart::Afternoon => (at(13), at(18)),
        DayPart::Evening => (at(18), at(21)),
        DayPart::WholeDay => (at(8), at(18)),
    }
}

/// The times of 2004, full ones included.
pub(super) fn slots(info: &TimeRegInfo, reg_id: &str, day: NaiveDate, zone: Tz) -> Vec<Resource> {
    let slot = |it: &crate::ports::his::messages::TimeReg| {
        let name = format!("{reg_id}|{}|{}", it.begin_time.format("%H:%M"), it.end_time.format("%H:%M"));
        Some(Resource::Slot(Slot {
            extension: vec![words::number("remaining", i64::from(it.over_count))],
            identifier: vec![words::identifier(words::SLOT, &name)],
            schedule: Reference::to("Schedule", reg_id),
            status: if it.over_count > 0 { "free" } else { "busy" }.to_owned(),
            start: words::at(day, it.begin_time, zone)?,
            end: words::at(day, it.end_time, zone)?,
        }))
    };
    info.time_reg_list.iter().filter_map(slot).collect()
}

/// Where and when: what lock and order have in common.
fn placed(schedule: &HisSchedule, slot: &TimeSlot, channel: &str, zone: Tz) -> Appointment {
    Appointment {
        extension: vec![
            words::text("schedule", &schedule.reg_id),
            words::text("channel", channel),
            words::code("part", words::part(schedule.part)),
            words::flag("of-half-day", !schedule.timed),
        ],
        service_type: vec![Concept::of(words::DEPARTMENT, &schedule.department_id)],
        start: words::at(schedule.visit_date, slot.begins, zone),
        end: words::at(schedule.visit_date, slot.ends, zone),
        participant: vec![Participant::accepted(Reference::to("Practitioner", &schedule.doctor_id))],
        ..Appointment::default()
    }
}

/// The lock under this id, as it stands.
pub(super) fn lock(ledger: &Ledger, lock_id: &str, zone: Tz) -> Option<Appointment> {
    let lock: &LockRecord = ledger.lock_record(lock_id)?;
    let schedule = ledger.schedule(&lock.reg_id)?.schedule;
    let mut paper = placed(&schedule, &lock.slot, &lock.channel, zone);
    paper.identifier = vec![words::identifier(words::LOCK, lock_id)];
    paper.extension.push(words::instant("lock-expires", lock.expires_at));
    let (status, state) = match lock.state {
        LockState::Held => ("pending", "held"),
        LockState::Used => ("booked", "used"),
        LockState::Unlocked => ("cancelled", "unlocked"),
        LockState::Expired => ("cancelled", "expired"),
    };
    status.clone_into(&mut paper.status);
    paper.extension.push(words::code("lock-state", state));
    Some(paper)
}

/// The order under this id, as it stands.
pub(super) fn order(ledger: &Ledger, order_id: &str, zone: Tz) -> Option<Appointment> {
    let order: &OrderRecord = ledger.order(order_id)?;
    let schedule = ledger.schedule(&order.reg_id)?.schedule;
    let mut paper = placed(&schedule, &order.slot, &order.channel, zone);
    paper.identifier =
        vec![words::identifier(words::ORDER, order_id), words::identifier(words::HIS_ORDER, &order.his_order_id)];
    paper.id = Some(order.his_order_id.clone());
    let status = if order.state == OrderState::Booked { "booked" } else { "cancelled" };
    status.clone_into(&mut paper.status);
    paper.extension.push(words::text("serial", &order.serial.to_string()));
    if let Some(paid) = &order.paid {
        paper.extension.push(words::text("out-trade-no", &paid.out_trade_no));
        paper.extension.push(words::number("paid-fen", paid.amount_fen));
    }
    if order.state == OrderState::Refunded {
        paper.extension.push(words::number("refunded-fen", order.refunded_fen.unwrap_or_default()));
    }
    let (kind, display) = (Some("Location".to_owned()), Some(address(&schedule.department_id)));
    paper.participant.push(Participant::accepted(Reference { kind, display, ..Reference::default() }));
    Some(paper)
}

/// Somebody who did not come.
pub(super) fn breach(line: &BreachItem, day: NaiveDate, zone: Tz) -> Appointment {
    let end = NaiveTime::from_hms_opt(23, 59, 0).unwrap_or_default();
    let document = words::identifier(&format!("{}{}", words::ID_TYPE, line.idcard_type), &line.idcard_no);
    Appointment {
        identifier: vec![words::identifier(words::HIS_ORDER, &line.hosp_order_id)],
        status: "noshow".to_owned(),
        contained: vec![Resource::Patient(Patient {
            id: "patient".to_owned(),
            identifier: vec![document],
            ..Patient::default()
        })],
        extension: vec![words::text("channel", &line.channel_id), words::text("breach-kind", &line.breach_type)],
        service_type: vec![Concept::of(words::DEPARTMENT, &line.dept_id)],
        start: words::at(day, NaiveTime::MIN, zone),
        end: words::at(day, end, zone),
        participant: vec![Participant::accepted(Reference {
            reference: "#patient".to_owned(),
            ..Reference::default()
        })],
        ..Appointment::default()
    }
}

//! `GET /schedules`: schedules with the state of their queues; `GET /schedules/{id}`: one queue in its order, who got what and why.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use chrono::{Days, NaiveDate};
use serde::Deserialize;
use uuid::Uuid;

use super::access::Staff;
use super::page::{Frame, Onward, Page, query, show};
use super::row::{Chip, Pick, slot, yuan};
use super::slots::{Places, places};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::people::queues::QueueWords;
use crate::desk::browse::Listed;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::records::queues::InQueue;
use crate::records::schedules::name_of;
use crate::waitlist::language::Language;

/// Schedules of one page.
const SHOWN: usize = 50;
/// People of one page of a queue.
const PEOPLE_SHOWN: i64 = 200;

/// Which schedules.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    department: String,
    doctor: String,
    from: String,
    to: String,
    waiting: String,
    /// The last schedule of the page before.
    after: String,
}

/// A schedule, ready for the page.
struct Row {
    id: String,
    doctor_id: String,
    doctor: String,
    department: String,
    day: String,
    part: String,
    state: Chip,
    remaining: u32,
    total: u32,
    length: i64,
    cap: Option<(u32, u32, String)>,
    share: u32,
    closed: Option<String>,
    cutoff: Stamp,
    fee: String,
    mode: String,
    order: String,
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct Schedules<'a> {
    frame: Frame,
    w: &'static QueueWords,
    wanted: &'a Wanted,
    from: NaiveDate,
    to: NaiveDate,
    departments: Vec<Pick>,
    rows: Vec<Row>,
    /// What is drawn anew: this very page of the list.
    live: String,
    further: Option<String>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(wanted): Query<Wanted>) -> Page {
    let clock = Clock::of(&surface, staff.language).await?;
    let from = wanted.from.parse().unwrap_or_else(|_| clock.today());
    let to = wanted.to.parse().unwrap_or_else(|_| from.checked_add_days(Days::new(7)).unwrap_or(from));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (department, doctor) = (some(&wanted.department), some(&wanted.doctor));
    let found = surface.desk.schedules(department.as_deref(), doctor.as_deref(), Some(from), Some(to)).await?;
    let mut rows: Vec<Row> = found.iter().map(|one| row(one, &clock)).collect();
    rows.retain(|row| wanted.waiting.is_empty() || row.length > 0);
    // From the beginning where the last one of the page before is not in the list any more.
    let begins = rows.iter().position(|row| row.id == wanted.after).map_or(0, |at| at + 1);
    rows.drain(..begins);
    let address = |from: &str, to: &str, after: &str| {
        let days = [("from", from), ("to", to)];
        let whose = [("department", wanted.department.as_str()), ("doctor", wanted.doctor.as_str())];
        let rest = [("waiting", wanted.waiting.as_str()), ("after", after)];
        format!("/schedules{}", query(&[days, whose, rest].concat()))
    };
    let further = rows.get(SHOWN).and(rows.get(SHOWN - 1));
    let further = further.map(|last| address(&from.to_string(), &to.to_string(), &last.id));
    rows.truncate(SHOWN);
    let departments = surface.desk.departments().await?;
    let page = Schedules {
        frame: Frame::of(&staff, "schedules"),
        w: QueueWords::of(staff.language),
        departments: departments
            .into_iter()
            .map(|one| Pick { is: one.id == wanted.department, name: one.name, value: one.id })
            .collect(),
        live: address(&wanted.from, &wanted.to, &wanted.after),
        wanted: &wanted,
        from,
        to,
        rows,
        further,
    };
    show(&page)
}

fn row(listed: &Listed, clock: &Clock) -> Row {
    let schedule = &listed.schedule;
    let language = clock.language;
    Row {
        id: schedule.id.clone(),
        doctor_id: schedule.doctor_id.clone(),
        doctor: schedule.doctor_name.clone(),
        department: schedule.department_name.clone(),
        day: clock.day(schedule.visit_date),
        part: names::thing(&name_of(&schedule.part), language),
        state: Chip::of(&name_of(&schedule.state), language),
        remaining: schedule.remaining,
        total: schedule.total,
        length: listed.length,
        cap: listed.cap.map(|cap| (cap.most, cap.live, names::thing(cap.level.as_str(), language))),
        share: listed.cap.map_or(0, |cap| (cap.live * 100).checked_div(cap.most).unwrap_or(100).min(100)),
        closed: listed.closed.as_ref().map(|refusal| refusal.message(language)),
        cutoff: clock.stamp(listed.cutoff),
        fee: yuan(schedule.fee_fen),
        mode: names::thing(&name_of(&listed.policy.payment_mode), language),
        order: names::thing(&name_of(&listed.policy.order), language),
    }
}

/// Somebody in the queue, ready for the page.
struct Person {
    id: Uuid,
    patient_id: String,
    name: String,
    beside: Option<String>,
    status: Chip,
    place: Option<i64>,
    arrived: Option<i32>,
    offers: Vec<Chip>,
    slot: String,
    deadline: Option<Stamp>,
    reason: String,
    passed: Option<&'static str>,
    next: bool,
    at: Stamp,
}

/// A draw, ready for the page.
struct Draw {
    commitment: String,
    held: Option<Stamp>,
    drawn: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "schedule.html")]
struct Schedule {
    frame: Frame,
    w: &'static QueueWords,
    row: Row,
    line: Vec<Person>,
    others: Vec<Person>,
    places: Places,
    draw: Option<Draw>,
    hand_out: Option<Uuid>,
    /// What is drawn anew: this very page of the queue.
    live: String,
    /// True where it is not the first one.
    onward: bool,
    further: Option<String>,
}

pub(super) async fn one(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<String>,
    Query(onward): Query<Onward>,
) -> Page {
    let desk = &surface.desk;
    let w = QueueWords::of(staff.language);
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language: staff.language };
    let listed = desk.queue_of(&id).await?;
    let mut people = desk.queue(&id, onward.skip(), PEOPLE_SHOWN + 1).await?;
    let path = format!("/schedules/{}", query(&[("_", &id)]).trim_start_matches("?_="));
    let further = onward.cut(&mut people, &path, PEOPLE_SHOWN);
    let (line, others): (Vec<InQueue>, Vec<InQueue>) = people.into_iter().partition(|one| one.status == "waiting");
    let mut line: Vec<Person> = line.into_iter().map(|one| person(w, &id, one, &clock)).collect();
    // Who is next is not told by a later page: somebody of an earlier one is.
    let first = if onward.skip() == 0 { line.iter_mut().find(|one| one.passed.is_none()) } else { None };
    if let Some(next) = first {
        next.next = true;
    }
    let draw = desk.draw_as_it_stands(&id).await?.map(|draw| Draw {
        commitment: draw.commitment,
        held: draw.held_at.map(|at| clock.stamp(at)),
        drawn: draw.drawn_at.map(|at| clock.stamp(at)),
    });
    let slots = desk.slots(&id).await?;
    let hand_out = slots.run;
    // Whoever is told of among the places is not told of again.
    let told: BTreeSet<Uuid> = slots.given.iter().map(|one| one.entry_id).collect();
    let others: Vec<InQueue> = others.into_iter().filter(|one| !told.contains(&one.id)).collect();
    let page = Schedule {
        frame: Frame::of(&staff, "schedules"),
        w,
        row: row(&listed, &clock),
        line,
        others: others.into_iter().map(|one| person(w, &id, one, &clock)).collect(),
        places: places(slots, &clock),
        draw,
        hand_out,
        live: onward.address(&path),
        onward: onward.skip() > 0,
        further,
    };
    show(&page)
}

fn person(w: &QueueWords, schedule: &str, one: InQueue, clock: &Clock) -> Person {
    let passed = match () {
        () if one.suspended => Some(w.passed_suspended),
        () if one.banned => Some(w.passed_banned),
        () if one.asked => Some(w.passed_asked),
        () => None,
    };
    Person {
        id: one.id,
        patient_id: one.patient_id,
        name: one.name.unwrap_or_default(),
        beside: (one.schedule_id != schedule).then_some(one.schedule_id),
        status: Chip::of(&one.status, clock.language),
        place: one.place,
        arrived: one.arrived,
        offers: one.offers.iter().map(|outcome| offer(outcome, clock.language)).collect(),
        slot: slot(one.slot.as_ref()),
        deadline: one.deadline.map(|at| clock.stamp(at)),
        reason: one.reason.map(|reason| names::state(&reason, clock.language)).unwrap_or_default(),
        passed: passed.filter(|_| one.status == "waiting"),
        next: false,
        at: clock.stamp(one.created_at),
    }
}

fn offer(outcome: &str, language: Language) -> Chip {
    Chip::of(outcome, language)
}

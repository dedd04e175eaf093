//! `GET /patients/{id}`: what is kept of one patient, masked; `POST /patients/{id}/unmask`: the same with the person in the clear,
//! for this one look, which is audited; `POST /patients/{id}/ban` and `/lift`: the blacklist.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::asked::Done;
use super::audit::{self, DeedRow};
use super::blacklist;
use super::page::{Frame, Page, query, reason, show, to};
use super::patients::masked;
use super::row::{Chip, slot, yuan};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::people::PatientWords;
use crate::desk::dossier::Dossier;
use crate::desk::faults;
use crate::engine::store::audit::Wanted as Deeds;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::records::dossier::{Applied, Banned, Offered, Paid, Told};
use crate::records::patients::{Blacklisted, Person};
use crate::waitlist::calendar::day_ends;

/// What staff did lately, as far as it is shown.
const DEEDS: i64 = 10;

/// An application, ready for the page.
struct AppliedRow {
    id: Uuid,
    schedule_id: String,
    status: Chip,
    doctor: String,
    visit: String,
    slot: String,
    reason: String,
    deadline: Option<Stamp>,
    /// When its queue ends.
    cutoff: Option<Stamp>,
    /// Its run stands still for a person.
    halted: bool,
    updated: Stamp,
}

/// A visit, ready for the page.
struct VisitRow {
    entry: Uuid,
    /// Of which doctor and day.
    of: String,
    status: Chip,
    slot: String,
    place: String,
    serial: String,
    at: Stamp,
}

/// Money, ready for the page.
struct PaidRow {
    trade_no: String,
    of: String,
    entry: Uuid,
    status: Chip,
    amount: String,
    refunded: String,
    at: Stamp,
}

/// An offer or a message, ready for the page.
struct Line {
    entry: Uuid,
    chip: Chip,
    name: String,
    note: String,
    at: Stamp,
}

/// What keeps somebody out, ready for a page.
pub(super) struct BanRow {
    pub(super) patient_id: String,
    pub(super) name: String,
    pub(super) reason: String,
    pub(super) rule: String,
    pub(super) department: String,
    pub(super) until: Option<Stamp>,
    pub(super) since: Stamp,
    pub(super) holds: bool,
}

#[derive(Template)]
#[template(path = "patient.html")]
struct Patient<'a> {
    frame: Frame,
    w: &'static PatientWords,
    id: &'a str,
    /// What is drawn anew, but where somebody is seen in the clear: that look neither goes away nor follows what happens.
    address: String,
    masked: [String; 3],
    person: Option<Person>,
    unmasks: bool,
    blacklists: bool,
    accounts: Vec<String>,
    applications: Vec<AppliedRow>,
    visits: Vec<VisitRow>,
    payments: Vec<PaidRow>,
    offers: Vec<Line>,
    messages: Vec<Line>,
    bans: Vec<BanRow>,
    banned: bool,
    /// The first day until which somebody can be barred.
    today: NaiveDate,
    breaches: Vec<(String, String)>,
    deeds: Vec<DeedRow>,
}

/// Why somebody looks or acts.
#[derive(Debug, Deserialize)]
pub(super) struct Why {
    reason: String,
    #[serde(default)]
    until: String,
}

pub(super) async fn one(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<String>,
    Query(said): Query<Done>,
) -> Page {
    page(&surface, &staff, &id, None, &said.done).await
}

pub(super) async fn unmask(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<String>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Unmask)?;
    let person = surface.desk.unmask_patient(&id, &staff.by(reason(&why.reason)?)).await?;
    page(&surface, &staff, &id, Some(person), "").await
}

/// The look is over, whoever comes to its address again: by another language, by logging in anew.
pub(super) async fn over(Path(id): Path<String>) -> Page {
    to(&address(&id))
}

pub(super) async fn ban(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<String>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Blacklist)?;
    let reason = reason(&why.reason)?;
    let until = if why.until.is_empty() {
        None
    } else {
        // To the end of that day.
        let day: NaiveDate = why.until.parse().map_err(|_| no_day())?;
        if day < Clock::of(&surface, staff.language).await?.today() {
            return Err(Problem::form(
                "截止日期已过，请选择今天或之后的日期。",
                "The last day is over: choose today or a later one.",
            )
            .into());
        }
        Some(day_ends(day, surface.desk.ports.tz))
    };
    let entry = Blacklisted { reason: reason.clone(), until };
    surface.desk.put_blacklist(&id, &entry, &staff.by(reason)).await?;
    to(&format!("{}?done=blacklist.put", address(&id)))
}

pub(super) async fn lift(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<String>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Blacklist)?;
    surface.desk.lift_blacklist(&id, &staff.by(reason(&why.reason)?)).await?;
    to(&format!("{}?done=blacklist.lift", address(&id)))
}

/// The page of a patient.
pub(super) fn address(id: &str) -> String {
    let coded = query(&[("_", id)]);
    format!("/patients/{}", coded.strip_prefix("?_=").unwrap_or_default())
}

async fn page(surface: &Surface, staff: &Staff, id: &str, person: Option<Person>, said: &str) -> Page {
    let clock = Clock::of(surface, staff.language).await?;
    let dossier = surface.desk.dossier(id).await?;
    let deeds = Deeds { patient: Some(id.to_owned()), most: DEEDS, ..Deeds::default() };
    let deeds = surface.desk.audit(&deeds).await?;
    let bans: Vec<BanRow> = dossier.bans.iter().cloned().map(|one| banned(one, &clock)).collect();
    // A bar that was just put is lifted again.
    let undo = (said == "blacklist.put" && bans.iter().any(|one| one.holds)).then(|| format!("{}/lift", address(id)));
    let done = names::deed(said, staff.language);
    let page = Patient {
        frame: Frame::of(staff, "patients").done(done).undo(staff.may(Permission::Blacklist), undo),
        w: PatientWords::of(staff.language),
        id,
        address: address(id),
        masked: ["name", "phone", "idNumber"].map(|field| masked(&dossier.masked, field)),
        person,
        unmasks: staff.may(Permission::Unmask),
        blacklists: staff.may(Permission::Blacklist),
        accounts: dossier.accounts.iter().filter(|one| *one != id).cloned().collect(),
        visits: visits(&dossier, &clock),
        payments: payments(&dossier, &clock),
        offers: offers(&dossier, &clock),
        messages: dossier
            .messages
            .iter()
            .map(|told| message(told, of(&dossier, told.run_id, &clock), &clock))
            .collect(),
        breaches: dossier
            .breaches
            .iter()
            .map(|one| (clock.day(one.visit_date), names::state(&one.state, clock.language)))
            .collect(),
        deeds: deeds.into_iter().map(|one| audit::row(one, &clock)).collect(),
        banned: bans.iter().any(|one| one.holds),
        bans,
        today: clock.today(),
        applications: dossier.applications.into_iter().map(|one| applied(one, &clock)).collect(),
    };
    show(&page)
}

/// Of which doctor and half-day an application is; empty where it is too old to be listed.
fn of(dossier: &Dossier, entry: Uuid, clock: &Clock) -> String {
    let one = dossier.applications.iter().find(|one| one.id == entry);
    one.map(|one| format!("{} · {}", doctor(one), half_day(one, clock))).unwrap_or_default()
}

fn doctor(one: &Applied) -> String {
    one.doctor_name.clone().unwrap_or_else(|| one.schedule_id.clone())
}

fn half_day(one: &Applied, clock: &Clock) -> String {
    let part = one.part.as_deref().map(|part| names::thing(part, clock.language)).unwrap_or_default();
    one.visit_date.map(|day| format!("{} {part}", clock.day(day))).unwrap_or_default()
}

fn applied(one: Applied, clock: &Clock) -> AppliedRow {
    AppliedRow {
        id: one.id,
        status: Chip::of(&one.status, clock.language),
        doctor: doctor(&one),
        visit: half_day(&one, clock),
        slot: slot(one.slot.as_ref()),
        reason: one.reason.map(|reason| names::state(&reason, clock.language)).unwrap_or_default(),
        deadline: one.deadline.map(|at| clock.stamp(at)),
        cutoff: one.cutoff.map(|at| clock.stamp(at)),
        halted: one.halted,
        updated: clock.stamp(one.updated_at),
        schedule_id: one.schedule_id,
    }
}

fn visits(dossier: &Dossier, clock: &Clock) -> Vec<VisitRow> {
    let row = |one: &crate::records::visits::Shown| VisitRow {
        entry: one.entry_id,
        of: of(dossier, one.entry_id, clock),
        status: Chip::of(&one.status, clock.language),
        slot: slot(Some(&one.slot)),
        place: one.place.clone(),
        serial: one.serial.clone(),
        at: clock.stamp(one.booked_at),
    };
    dossier.visits.iter().map(row).collect()
}

fn payments(dossier: &Dossier, clock: &Clock) -> Vec<PaidRow> {
    let row = |one: &Paid| PaidRow {
        trade_no: one.out_trade_no.clone(),
        of: of(dossier, one.entry_id, clock),
        entry: one.entry_id,
        status: Chip::like(&one.status, &[("open", "awaitingPayment")], clock.language),
        amount: yuan(one.amount_fen),
        refunded: yuan(one.refunded_fen),
        at: clock.stamp(one.paid_at.unwrap_or(one.updated_at)),
    };
    dossier.payments.iter().map(row).collect()
}

fn offers(dossier: &Dossier, clock: &Clock) -> Vec<Line> {
    // Of another half-day of the day (Q2) it is not the application's own.
    let own = |one: &Offered| {
        dossier.applications.iter().any(|it| (it.id, &it.schedule_id) == (one.entry_id, &one.schedule_id))
    };
    let place = |one: &Offered| if own(one) { of(dossier, one.entry_id, clock) } else { one.schedule_id.clone() };
    let row = |one: &Offered| Line {
        entry: one.entry_id,
        chip: Chip::of(&one.outcome, clock.language),
        name: format!("#{} {}", one.nth, place(one)),
        note: String::new(),
        at: clock.stamp(one.made_at),
    };
    dossier.offers.iter().map(row).collect()
}

fn message(told: &Told, of: String, clock: &Clock) -> Line {
    let kind = match &told.kind {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Object(more)) => more.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let like = [("suspended", "putAside"), ("undeliverable", "unreachable"), ("pending", "queued")];
    Line {
        entry: told.run_id,
        chip: Chip::like(&told.status, &like, clock.language),
        name: format!("{} · {}", names::thing(&told.topic, clock.language), names::notice(&kind, clock.language)),
        note: [of, faults::said(told.last_error.as_deref().unwrap_or_default(), clock.language)]
            .into_iter()
            .filter(|note| !note.is_empty())
            .collect::<Vec<_>>()
            .join(" · "),
        at: clock.stamp(told.settled_at.unwrap_or(told.created_at)),
    }
}

fn no_day() -> Problem {
    Problem::form("截止日期不是有效日期。", "The last day is not a date.")
}

/// What keeps somebody out, as its line.
pub(super) fn banned(one: Banned, clock: &Clock) -> BanRow {
    BanRow {
        patient_id: one.patient_id,
        name: one.name.unwrap_or_default(),
        reason: blacklist::why(&one.reason, &one.rule_id, clock.language),
        rule: one.rule_id,
        department: one.department_id.unwrap_or_default(),
        until: one.until.map(|at| clock.stamp(at)),
        since: clock.stamp(one.created_at),
        holds: one.holds,
    }
}

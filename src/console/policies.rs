//! `GET /policies`: campuses, departments and doctors; `GET /policies/{level}/{id}`: the settings of one, what is inherited and from
//! where, and their last change; `POST` changes them, `POST …/undo` undoes that, `POST …/carry` carries them over to those who wait.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::asked::Why;
use super::audit::{self, DeedRow};
use super::page::{Frame, Page, reason, show, to};
use super::settings::{self, Setting};
use super::when::Clock;
use super::words::names;
use super::words::policies::PolicyWords;
use crate::desk::policy_changes::Since;
use crate::http::Surface;
use crate::http::extract::{Path, Query};
use crate::http::problem::Problem;
use crate::records::policy_tree::Place;
use crate::waitlist::policy::Level;

/// A department with its doctors.
struct Department {
    place: Place,
    doctors: Vec<Place>,
}

/// A campus with its departments.
struct Campus {
    place: Place,
    departments: Vec<Department>,
}

#[derive(Template)]
#[template(path = "policies.html")]
struct Policies {
    frame: Frame,
    w: &'static PolicyWords,
    campuses: Vec<Campus>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff) -> Page {
    let places = surface.desk.places().await?;
    let under = |level: &str, above: &str| -> Vec<Place> {
        places.iter().filter(|place| place.level == level && place.above == above).cloned().collect()
    };
    let campuses = under("campus", "").into_iter().map(|place| {
        let departments = under("department", &place.id).into_iter();
        let departments = departments.map(|place| Department { doctors: under("doctor", &place.id), place });
        Campus { departments: departments.collect(), place }
    });
    let campuses = campuses.collect();
    show(&Policies { frame: Frame::of(&staff, "policies"), w: PolicyWords::of(staff.language), campuses })
}

/// A level of the chain, ready for the page.
struct Step {
    level: String,
    href: String,
    name: String,
    own: bool,
    here: bool,
    live: i32,
    switch: String,
    cap: String,
}

/// The last change of the settings, ready for the page.
struct Last {
    id: Uuid,
    deed: DeedRow,
    /// True where it can be undone by whoever looks.
    way_back: bool,
}

/// Word of what was just done, and which change that was.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    done: String,
    change: Option<Uuid>,
}

/// A change that is undone, and why.
#[derive(Debug, Deserialize)]
pub(super) struct Undone {
    change: Uuid,
    reason: String,
}

#[derive(Template)]
#[template(path = "policy.html")]
struct Policy {
    frame: Frame,
    w: &'static PolicyWords,
    level: &'static str,
    id: String,
    name: String,
    steps: Vec<Step>,
    settings: Vec<Setting>,
    last: Option<Last>,
}

pub(super) async fn one(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((level, id)): Path<(String, String)>,
    Query(said): Query<Said>,
) -> Page {
    let w = PolicyWords::of(staff.language);
    let level = Level::parse(&level).ok_or_else(Problem::not_found)?;
    let found = surface.desk.in_effect(level, &id).await?.ok_or_else(Problem::not_found)?;
    let done = match said.done.as_str() {
        "saved" => Some(w.saved.to_owned()),
        "undone" => Some(w.undone.to_owned()),
        "carried" => Some(w.carried.to_owned()),
        _ => None,
    };
    let steps = found.chain.iter().map(|(place, at, own)| Step {
        level: names::thing(at.as_str(), staff.language),
        href: format!("/policies/{}/{}", at.as_str(), place.id),
        name: place.name.clone(),
        own: place.own,
        here: *at == level,
        live: place.live,
        switch: names::choice(&settings::name_of(&own.switch), staff.language),
        cap: own.cap.map(|cap| cap.to_string()).unwrap_or_default(),
    });
    let may = staff.may(Permission::Rules);
    let clock = Clock::of(&surface, staff.language).await?;
    let last = surface.desk.last_policy_change(level, &id).await?.map(|change| Last {
        id: change.deed.id,
        way_back: change.way_back && may,
        deed: audit::row(change.deed, &clock),
    });
    let just_made = last.as_ref().filter(|last| last.way_back && said.done == "saved" && said.change == Some(last.id));
    let undo = just_made.map(|last| (format!("/policies/{}/{id}/undo", level.as_str()), last.id.to_string()));
    let (action, change) = undo.unzip();
    let fields = change.map(|change| ("change", change)).into_iter().collect();
    let page = Policy {
        frame: Frame::of(&staff, "policies").done(done).undo_with(may, action, fields),
        w,
        level: level.as_str(),
        name: found.chain.first().map(|(place, ..)| place.name.clone()).unwrap_or_default(),
        steps: steps.collect(),
        settings: settings::all(&found, w, staff.language)?,
        last,
        id,
    };
    show(&page)
}

pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((level, id)): Path<(String, String)>,
    Form(form): Form<HashMap<String, String>>,
) -> Page {
    staff.require_to(Permission::Rules)?;
    let at = Level::parse(&level).ok_or_else(Problem::not_found)?;
    let found = surface.desk.in_effect(at, &id).await?.ok_or_else(Problem::not_found)?;
    let former = found.chain.first().map(|(.., own)| own.clone()).unwrap_or_default();
    let by = staff.by(reason(form.get("reason").map_or("", String::as_str))?);
    let policy = settings::read(&former, &form)?;
    // Every field of the form is written: what somebody else has changed meanwhile would be lost.
    let since = match form.get("since").map(|seen| seen.trim()) {
        None => Since::Whatever,
        Some("") => Since::Change(None),
        Some(seen) => Since::Change(Some(seen.parse().map_err(|_| Problem::not_found())?)),
    };
    let change = surface.desk.change_policy(at, &id, &policy, since, &by).await?;
    to(&format!("/policies/{level}/{id}?done=saved&change={change}"))
}

pub(super) async fn undo(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((level, id)): Path<(String, String)>,
    Form(undone): Form<Undone>,
) -> Page {
    staff.require_to(Permission::Rules)?;
    let at = Level::parse(&level).ok_or_else(Problem::not_found)?;
    surface.desk.undo_policy(at, &id, undone.change, &staff.by(reason(&undone.reason)?)).await?;
    to(&format!("/policies/{level}/{id}?done=undone"))
}

pub(super) async fn carry(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((level, id)): Path<(String, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Rules)?;
    let at = Level::parse(&level).ok_or_else(Problem::not_found)?;
    surface.desk.carry_over(at, &id, &staff.by(reason(&why.reason)?)).await?;
    to(&format!("/policies/{level}/{id}?done=carried"))
}

//! `GET /blacklist`: who may not join a queue, appeals and rules; `POST /appeals/{id}/{grant|refuse}` decides one.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::asked::Why;
use super::page::{Frame, Page, ROWS, reason, show, to};
use super::patient::{BanRow, banned};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::people::PatientWords;
use crate::http::Surface;
use crate::http::extract::Path;
use crate::http::problem::Problem;

/// An appeal, ready for the page.
struct AppealRow {
    id: Uuid,
    patient_id: String,
    said: String,
    opened: Stamp,
    due: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "blacklist.html")]
struct Blacklist {
    frame: Frame,
    w: &'static PatientWords,
    decides: bool,
    bans: Vec<BanRow>,
    appeals: Vec<AppealRow>,
    rules: Vec<(String, Vec<(String, String)>)>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff) -> Page {
    let desk = &surface.desk;
    let clock = Clock { now: desk.now().await?, tz: desk.ports.tz, language: staff.language };
    let appeals = desk.appeals("open", None, ROWS).await?.into_iter().map(|one| AppealRow {
        id: one.id,
        patient_id: one.patient_id,
        said: one.said,
        opened: clock.stamp(one.opened_at),
        due: one.due_at.map(|at| clock.stamp(at)),
    });
    let rules = desk.blacklist_rules().await?.into_iter().map(|(id, rule)| {
        let fields = serde_json::to_value(&rule).ok().and_then(|rule| rule.as_object().cloned()).unwrap_or_default();
        let fields = fields.into_iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), |text| names::choice(text, staff.language));
            (names::rule(&name, staff.language), value)
        });
        (id, fields.collect())
    });
    let page = Blacklist {
        frame: Frame::of(&staff, "blacklist"),
        w: PatientWords::of(staff.language),
        decides: staff.may(Permission::Blacklist),
        bans: desk.bans().await?.into_iter().map(|one| banned(one, &clock)).collect(),
        appeals: appeals.collect(),
        rules: rules.collect(),
    };
    show(&page)
}

pub(super) async fn decide(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path((id, decision)): Path<(Uuid, String)>,
    Form(why): Form<Why>,
) -> Page {
    staff.require_to(Permission::Blacklist)?;
    let granted = match decision.as_str() {
        "grant" => true,
        "refuse" => false,
        _ => return Err(Problem::not_found().into()),
    };
    surface.desk.decide_appeal(id, granted, &staff.by(reason(&why.reason)?)).await?;
    to("/blacklist")
}

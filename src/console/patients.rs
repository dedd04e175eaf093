//! `GET /patients`: the latest; `POST /patients`: found by id, phone or ID number, which do not stand in an address. All masked.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::access::Staff;
use super::page::{Frame, Page, show};
use super::words::people::PatientWords;
use crate::desk::search::is_name;
use crate::http::Surface;
use crate::records::search::{Found, PATIENTS_MAX};

/// What is typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    q: String,
}

/// A patient, ready for the page.
struct Row {
    id: String,
    name: String,
    phone: String,
    id_number: String,
    live: i64,
    ever: i64,
}

#[derive(Template)]
#[template(path = "patients.html")]
struct Patients {
    frame: Frame,
    w: &'static PatientWords,
    searched: bool,
    /// True where a name was searched for, by which nobody is found.
    named: bool,
    /// True where more were found than are listed.
    cut: bool,
    rows: Vec<Row>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff) -> Page {
    found(&surface, &staff, "").await
}

pub(super) async fn find(State(surface): State<Arc<Surface>>, staff: Staff, Form(wanted): Form<Wanted>) -> Page {
    found(&surface, &staff, wanted.q.trim()).await
}

async fn found(surface: &Surface, staff: &Staff, q: &str) -> Page {
    let mut rows = surface.desk.find_patients(q).await?;
    let cut = !q.is_empty() && rows.len() > PATIENTS_MAX;
    rows.truncate(PATIENTS_MAX);
    let page = Patients {
        frame: Frame::of(staff, "patients"),
        w: PatientWords::of(staff.language),
        searched: !q.is_empty(),
        named: is_name(q),
        cut,
        rows: rows.into_iter().map(row).collect(),
    };
    show(&page)
}

fn row(found: Found) -> Row {
    let of = |name: &str| masked(&found.masked, name);
    Row {
        name: of("name"),
        phone: of("phone"),
        id_number: of("idNumber"),
        live: found.live,
        ever: found.ever,
        id: found.id,
    }
}

/// A masked field.
pub(super) fn masked(all: &Value, name: &str) -> String {
    all.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

//! `GET /letters`: messages that wait for a person; `POST /letters` sends the ticked ones again.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::page::{Frame, Page, query, reason, show, to};
use super::when::{Clock, Stamp};
use super::words::names;
use super::words::operations::OperationWords;
use crate::desk::faults;
use crate::desk::letters::{RETRIED_MAX, Wanted};
use crate::desk::paging;
use crate::http::Surface;
use crate::http::extract::Query;

/// From which message on, and word of what was done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    after: String,
    done: String,
}

/// A message, ready for the page.
struct Row {
    id: String,
    run: Uuid,
    topic: String,
    attempt: i32,
    error: String,
    at: Stamp,
}

#[derive(Template)]
#[template(path = "letters.html")]
struct Letters {
    frame: Frame,
    w: &'static OperationWords,
    rows: Vec<Row>,
    /// What is drawn anew: this very page of the list.
    live: String,
    further: Option<String>,
}

pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff, Query(asked): Query<Asked>) -> Page {
    let clock = Clock::of(&surface, staff.language).await?;
    let w = OperationWords::of(staff.language);
    let after = (!asked.after.is_empty()).then(|| asked.after.clone());
    let wanted = Wanted { after, most: paging::asked(RETRIED_MAX), ..Wanted::default() };
    let mut found = surface.desk.letters_put_aside(&wanted).await?;
    let page = |after: &str| format!("/letters{}", query(&[("after", after)]));
    let further = paging::cut(&mut found, RETRIED_MAX).map(|last| page(&last.id));
    let rows = found.into_iter().map(|one| Row {
        topic: names::thing(&one.topic, staff.language),
        attempt: one.attempt,
        error: faults::said(one.last_error.as_deref().unwrap_or_default(), staff.language),
        at: clock.stamp(one.created_at),
        run: one.run_id,
        id: one.id,
    });
    let live = page(&asked.after);
    let done = (!asked.done.is_empty()).then(|| w.resent.to_owned());
    show(&Letters { frame: Frame::of(&staff, "letters").done(done), w, rows: rows.collect(), live, further })
}

/// A field of a form, of which there may be many.
type Fields = Vec<(String, String)>;

pub(super) async fn retry(State(surface): State<Arc<Surface>>, staff: Staff, Form(pairs): Form<Fields>) -> Page {
    staff.require_to(Permission::Mend)?;
    let ids: Vec<String> = pairs.iter().filter(|(key, _)| key == "id").map(|(_, value)| value.clone()).collect();
    let why = pairs.into_iter().find(|(key, _)| key == "reason").map(|(_, value)| value).unwrap_or_default();
    surface.desk.retry_letters(&ids, &staff.by(reason(&why)?)).await?;
    to("/letters?done=1")
}

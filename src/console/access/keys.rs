//! API keys: made, changed with an overlap, revoked. A secret is shown once, on the page that answers its making.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::door::{refusal, said};
use super::gate::Sent;
use super::words::Access;
use super::{Denied, Permission, Staff};
use crate::console::asked::Why;
use crate::console::page::{Frame, reason, rendered};
use crate::console::when::{Clock, Stamp};
use crate::desk::DeskError;
use crate::desk::access::{Given, Listed};
use crate::http::Surface;
use crate::http::problem::Problem;

#[derive(Template)]
#[template(path = "access_keys.html")]
struct Page {
    frame: Frame,
    w: &'static Access,
    wrong: Option<&'static str>,
    said: Option<&'static str>,
    given: Option<Given>,
    keys: Vec<Row>,
    configured: Vec<(String, String)>,
    overlaps: [(u64, &'static str); 4],
}

struct Row {
    id: Uuid,
    name: String,
    is_live: bool,
    scopes: String,
    made: Stamp,
    by: String,
    secrets: Vec<Secret>,
}

struct Secret {
    hint: String,
    used: Option<Stamp>,
    ends: Option<Stamp>,
}

/// A key that is asked for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    name: String,
    waitlist: Option<String>,
    runs: Option<String>,
    admin: Option<String>,
    #[serde(default)]
    reason: String,
}

/// How long the secret before is good still.
#[derive(Deserialize)]
pub(super) struct Overlap {
    hours: u64,
    #[serde(default)]
    reason: String,
}

fn row(clock: &Clock, listed: Listed) -> Row {
    let Listed { key, secrets } = listed;
    let secret = |one: crate::records::api_keys::Secret| Secret {
        hint: one.hint,
        used: one.used_at.map(|at| clock.stamp(at)),
        ends: one.ends_at.map(|at| clock.stamp(at)),
    };
    Row {
        id: key.id,
        is_live: key.revoked_at.is_none(),
        scopes: key.scopes.join(", "),
        made: clock.stamp(key.made_at),
        by: key.made_by,
        secrets: if key.revoked_at.is_none() { secrets.into_iter().map(secret).collect() } else { Vec::new() },
        name: key.name,
    }
}

/// What was done: nothing, or a secret that is shown once.
type Done = Result<Option<Given>, DeskError>;

async fn page(surface: &Surface, staff: &Staff, done: Option<Done>) -> Result<Response, Problem> {
    let w = Access::of(staff.language);
    let (wrong, given, says_done) = match done {
        None => (None, None, false),
        Some(Ok(given)) => (None, given, true),
        Some(Err(error)) => (Some(refusal(error)?), None, false),
    };
    let keys = surface.desk.lodge.api_keys().await?;
    let clock = Clock::of_server(surface, staff.language);
    let page = rendered(&Page {
        frame: Frame::of(staff, "users"),
        w,
        wrong: wrong.map(|refused| refused.message(staff.language)),
        said: (says_done && given.is_none()).then_some(w.done),
        given,
        keys: keys.into_iter().map(|key| row(&clock, key)).collect(),
        configured: surface.api_keys.iter().map(|key| (key.name().to_owned(), key.scope_names())).collect(),
        overlaps: [(0, w.overlap_none), (1, w.overlap_hour), (24, w.overlap_day), (24 * 7, w.overlap_week)],
    })?;
    Ok(match wrong {
        None => page,
        Some(refused) => said(refused, page),
    })
}

/// `GET /keys`.
pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff) -> Result<Response, Denied> {
    staff.require_to(Permission::Keys)?;
    Ok(page(&surface, &staff, None).await?)
}

/// `POST /keys`.
pub(super) async fn make(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Sent(wanted): Sent<Wanted>,
) -> Result<Response, Denied> {
    staff.require_to(Permission::Keys)?;
    let ticked = [("waitlist", &wanted.waitlist), ("runs", &wanted.runs), ("admin", &wanted.admin)];
    let scopes: Vec<String> =
        ticked.into_iter().filter(|(_, ticked)| ticked.is_some()).map(|(scope, _)| scope.to_owned()).collect();
    let by = staff.by(reason(&wanted.reason)?);
    let done = surface.desk.lodge.make_api_key(&wanted.name, &scopes, &by).await.map(Some);
    Ok(page(&surface, &staff, Some(done)).await?)
}

/// `POST /keys/{id}/rotate`.
pub(super) async fn rotate(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Sent(overlap): Sent<Overlap>,
) -> Result<Response, Denied> {
    staff.require_to(Permission::Keys)?;
    let by = staff.by(reason(&overlap.reason)?);
    let overlap = Duration::from_secs(overlap.hours.saturating_mul(3600));
    let done = surface.desk.lodge.rotate_api_key(id, overlap, &by).await.map(Some);
    Ok(page(&surface, &staff, Some(done)).await?)
}

/// `POST /keys/{id}/revoke`.
pub(super) async fn revoke(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Sent(why): Sent<Why>,
) -> Result<Response, Denied> {
    staff.require_to(Permission::Keys)?;
    let by = staff.by(reason(&why.reason)?);
    let done = surface.desk.lodge.revoke_api_key(id, &by).await.map(|()| None);
    Ok(page(&surface, &staff, Some(done)).await?)
}

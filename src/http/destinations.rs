//! The systems outside, for operators: how they stand, what waits for them, pause and resume.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::auth::Caller;
use super::extract::{Body, Path};
use super::openapi::{IdempotencyKey, Problems};
use super::problem::Problem;
use super::staff::{Reason, by};
use crate::desk::destinations::{Destination as Found, Switch};
use crate::engine::store::switch::Event as Told;

/// How a system outside stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "his", "state": "open", "concurrencyMax": 16, "ramp": null, "ratePerS": 20.0, "inHand": 0, "answered": 3,
    "failures": 12, "downSince": "2025-11-25T10:00:00+08:00", "openUntil": "2025-11-25T10:01:00+08:00",
    "lastError": "his lock: no answer within 5 s", "paused": null, "runsWaiting": 41, "lettersWaiting": 0
}))]
pub struct Destination {
    /// `his`, `payments`, `messages`.
    pub name: String,
    /// `closed`: it is called; `open`: it is down and not called; `half_open`: one call tries it. `paused` where a person
    /// has paused it, whatever its own state.
    pub state: String,
    /// Calls at one time, all workers together.
    pub concurrency_max: i32,
    /// Calls at one time for now, while it recovers.
    pub ramp: Option<i32>,
    /// Calls a second, all workers together; none: any.
    pub rate_per_s: Option<f64>,
    /// Calls in hand, as of the last second.
    pub in_hand: i64,
    /// Answered calls of the last ten seconds.
    pub answered: i64,
    /// Calls of the last ten seconds that were not answered.
    pub failures: i64,
    /// Since when it is down.
    pub down_since: Option<DateTime<FixedOffset>>,
    /// When it is tried again.
    pub open_until: Option<DateTime<FixedOffset>>,
    /// What went wrong when it was last found down.
    pub last_error: Option<String>,
    /// A person's pause.
    pub paused: Option<Paused>,
    /// Due runs that wait for it or for a worker.
    pub runs_waiting: i64,
    /// Due messages that wait for it or for a worker.
    pub letters_waiting: i64,
}

/// Who paused a destination.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<FixedOffset>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// All of them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Destinations {
    /// By name.
    pub items: Vec<Destination>,
}

/// One of them, with what became of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WholeDestination {
    /// How it stands.
    #[serde(flatten)]
    pub destination: Destination,
    /// Newest first.
    pub events: Vec<Event>,
}

/// Something that became of a destination.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DestinationEvent, example = json!({ "at": "2025-11-25T10:00:00+08:00", "what": "paused", "who": "desk@api", "why": "HIS is being upgraded" }))]
pub struct Event {
    /// When.
    pub at: DateTime<FixedOffset>,
    /// `opened`, `probed`, `closed`, `recovered`, `paused`, `resumed`.
    pub what: String,
    /// The person, where one did it.
    pub who: Option<String>,
    /// The person's reason, or what went wrong.
    pub why: Option<String>,
}

/// The systems outside: limits, state, calls in hand, what waits.
#[utoipa::path(
    get, path = "/v1/destinations", tag = "destinations", security(("apiKey" = [])),
    responses((status = 200, body = Destinations), Problems)
)]
pub(super) async fn list(State(surface): State<Arc<Surface>>) -> Result<Json<Destinations>, Problem> {
    let found = surface.desk.destinations().await?;
    Ok(Json(Destinations { items: found.into_iter().map(|one| destination(&surface, one)).collect() }))
}

/// One of them, with what became of it lately.
#[utoipa::path(
    get, path = "/v1/destinations/{name}", tag = "destinations", security(("apiKey" = [])),
    params(("name" = String, Path)), responses((status = 200, body = WholeDestination), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    Path(name): Path<String>,
) -> Result<Json<WholeDestination>, Problem> {
    Ok(Json(whole(&surface, &name).await?))
}

/// Pauses a destination: within a second nothing new is sent there, and what needs it waits until it is resumed.
#[utoipa::path(
    post, path = "/v1/destinations/{name}/pause", tag = "destinations", security(("apiKey" = [])),
    params(("name" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 200, body = WholeDestination), Problems)
)]
pub(super) async fn pause(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(why): Body<Reason>,
) -> Result<Json<WholeDestination>, Problem> {
    switch(&surface, &caller, &name, Switch::Pause, why).await
}

/// Resumes a destination that a person paused. Where it is down besides, it stays so until it answers.
#[utoipa::path(
    post, path = "/v1/destinations/{name}/resume", tag = "destinations", security(("apiKey" = [])),
    params(("name" = String, Path), IdempotencyKey), request_body = Reason,
    responses((status = 200, body = WholeDestination), Problems)
)]
pub(super) async fn resume(
    State(surface): State<Arc<Surface>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(why): Body<Reason>,
) -> Result<Json<WholeDestination>, Problem> {
    switch(&surface, &caller, &name, Switch::Resume, why).await
}

async fn switch(
    surface: &Surface,
    caller: &Caller,
    name: &str,
    to: Switch,
    why: Reason,
) -> Result<Json<WholeDestination>, Problem> {
    let by = by(caller, why.reason)?;
    surface.desk.switch_destination(name, to, &by.who, &by.reason).await?;
    Ok(Json(whole(surface, name).await?))
}

async fn whole(surface: &Surface, name: &str) -> Result<WholeDestination, Problem> {
    let (found, events) = surface.desk.destination(name).await?;
    let events = events.into_iter().map(|one| event(surface, one)).collect();
    Ok(WholeDestination { destination: destination(surface, found), events })
}

fn destination(surface: &Surface, found: Found) -> Destination {
    let stands = found.stands;
    let paused = stands.paused_at.map(|since| Paused {
        since: surface.local(since),
        by: stands.paused_by.unwrap_or_default(),
        reason: stands.paused_why.unwrap_or_default(),
    });
    Destination {
        name: stands.name,
        state: if paused.is_some() { "paused".to_owned() } else { stands.state },
        concurrency_max: stands.concurrency_max,
        ramp: stands.ramp,
        rate_per_s: stands.rate_per_s,
        in_hand: stands.in_hand,
        answered: stands.ok,
        failures: stands.failures,
        down_since: stands.opened_at.map(|at| surface.local(at)),
        open_until: stands.open_until.map(|at| surface.local(at)),
        last_error: stands.last_error,
        paused,
        runs_waiting: found.runs_waiting,
        letters_waiting: found.letters_waiting,
    }
}

fn event(surface: &Surface, told: Told) -> Event {
    Event { at: surface.local(told.at), what: told.what, who: told.who, why: told.why }
}

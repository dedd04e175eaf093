//! What everybody does to their own account: another password, an end to sessions elsewhere.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use super::Staff;
use super::door::{refusal, said};
use super::gate::Sent;
use super::words::Access;
use crate::console::page::{Frame, rendered};
use crate::console::when::{Clock, Stamp};
use crate::desk::access::{Refused, agreed};
use crate::http::Surface;
use crate::http::problem::Problem;

#[derive(Template)]
#[template(path = "access_account.html")]
struct Page {
    frame: Frame,
    w: &'static Access,
    role: &'static str,
    wrong: Option<&'static str>,
    said: Option<&'static str>,
    has_password: bool,
    sessions: Vec<Session>,
}

struct Session {
    began: Stamp,
    seen: Stamp,
    is_this: bool,
}

/// What is chosen.
#[derive(Deserialize)]
pub(super) struct Chosen {
    present: SecretString,
    password: SecretString,
    again: SecretString,
}

async fn page(
    surface: &Surface,
    staff: &Staff,
    wrong: Option<Refused>,
    done: Option<&'static str>,
) -> Result<Response, Problem> {
    let user = surface.desk.lodge.user(staff.id).await?;
    let sessions = surface.desk.lodge.sessions_of(staff.id).await?;
    let this = staff.token.hash();
    let clock = Clock::of_server(surface, staff.language);
    let page = rendered(&Page {
        frame: Frame::of(staff, "account"),
        w: Access::of(staff.language),
        role: staff.role.title(staff.language),
        wrong: wrong.map(|refused| refused.message(staff.language)),
        said: done,
        has_password: user.has_password,
        sessions: sessions
            .into_iter()
            .map(|one| Session {
                began: clock.stamp(one.began_at),
                seen: clock.stamp(one.seen_at),
                is_this: one.token_hash == this,
            })
            .collect(),
    })?;
    Ok(match wrong {
        None => page,
        Some(refused) => said(refused, page),
    })
}

/// `GET /account`.
pub(super) async fn show_own(State(surface): State<Arc<Surface>>, staff: Staff) -> Result<Response, Problem> {
    page(&surface, &staff, None, None).await
}

/// `POST /account/password`.
pub(super) async fn change_password(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Sent(chosen): Sent<Chosen>,
) -> Result<Response, Problem> {
    let changed = match agreed(&chosen.password, &chosen.again) {
        Ok(()) => surface.desk.lodge.change_password(staff.id, &chosen.present, &chosen.password, &staff.token).await,
        Err(differ) => Err(differ),
    };
    match changed {
        Ok(()) => page(&surface, &staff, None, Some(Access::of(staff.language).password_changed)).await,
        Err(error) => page(&surface, &staff, Some(refusal(error)?), None).await,
    }
}

/// `POST /account/sessions`: every other one ends.
pub(super) async fn end_others(State(surface): State<Arc<Surface>>, staff: Staff) -> Result<Response, Problem> {
    surface.desk.lodge.end_sessions(staff.id, Some(&staff.token), &staff.by("")).await?;
    page(&surface, &staff, None, Some(Access::of(staff.language).sessions_ended)).await
}

//! Users, what administrators do to them, and the table of what each role may.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use super::door::{refusal, said};
use super::gate::Sent;
use super::words::Access;
use super::{Denied, Permission, Role, Staff};
use crate::console::page::{Frame, reason, rendered};
use crate::console::when::{Clock, Stamp};
use crate::desk::DeskError;
use crate::desk::access::role::PERMISSIONS;
use crate::desk::access::token::Token;
use crate::http::Surface;
use crate::http::problem::Problem;
use crate::records::staff_users::User;
use crate::waitlist::language::Language;

#[derive(Template)]
#[template(path = "access_users.html")]
struct Page {
    frame: Frame,
    w: &'static Access,
    wrong: Option<&'static str>,
    said: Option<&'static str>,
    link: Option<String>,
    users: Vec<Row>,
    roles: Vec<(&'static str, &'static str)>,
    permissions: Vec<May>,
}

struct Row {
    id: Uuid,
    name: String,
    role: String,
    /// The role as people call it.
    title: &'static str,
    state: &'static str,
    tone: &'static str,
    is_out: bool,
    is_locked: bool,
    has_links: bool,
    came: Option<Stamp>,
    sessions: i64,
}

struct May {
    what: &'static str,
    may: Vec<bool>,
}

/// Somebody who is invited.
#[derive(Deserialize)]
pub(super) struct Invited {
    name: String,
    role: String,
    #[serde(default)]
    reason: String,
}

/// A role that is given.
#[derive(Deserialize)]
pub(super) struct Given {
    role: String,
    #[serde(default)]
    reason: String,
}

/// What is done to a user.
#[derive(Deserialize)]
pub(super) struct Asked {
    deed: String,
    #[serde(default)]
    reason: String,
}

fn row(clock: &Clock, w: &'static Access, user: User, title: &'static str) -> Row {
    let (state, tone) = match &user {
        User { disabled_at: Some(_), .. } => (w.disabled, "bad"),
        User { locked_until: Some(_), .. } => (w.locked, "warn"),
        User { has_password: false, subject: None, .. } => (w.invited, "calm"),
        _ => (w.active, "good"),
    };
    Row {
        is_out: user.disabled_at.is_some(),
        is_locked: user.locked_until.is_some(),
        has_links: user.subject.is_none(),
        came: user.came_at.map(|at| clock.stamp(at)),
        id: user.id,
        name: user.name,
        title,
        role: user.role,
        state,
        tone,
        sessions: user.sessions,
    }
}

/// What was done, for the page that says so: nothing, or a link that is shown once.
type Done = Result<Option<Token>, DeskError>;

async fn page(surface: &Surface, staff: &Staff, done: Option<Done>) -> Result<Response, Problem> {
    let w = Access::of(staff.language);
    let zh = staff.language == Language::ZhCn;
    let (wrong, link, says_done) = match done {
        None => (None, None, false),
        Some(Ok(link)) => (None, link, true),
        Some(Err(error)) => (Some(refusal(error)?), None, false),
    };
    let users = surface.desk.lodge.users().await?;
    let clock = Clock::of_server(surface, staff.language);
    let title = |user: &User| Role::parse(&user.role).map_or("", |role| role.title(staff.language));
    let page = rendered(&Page {
        frame: Frame::of(staff, "users"),
        w,
        wrong: wrong.map(|refused| refused.message(staff.language)),
        said: (says_done && link.is_none()).then_some(w.done),
        link: link.map(|link| format!("{}/welcome/{}", surface.console.url, link.expose())),
        users: users
            .into_iter()
            .map(|user| (title(&user), user))
            .map(|(title, user)| row(&clock, w, user, title))
            .collect(),
        roles: Role::ALL.iter().map(|role| (role.name(), role.title(staff.language))).collect(),
        permissions: PERMISSIONS
            .iter()
            .map(|(_, needs, what_zh, what_en)| May {
                what: if zh { what_zh } else { what_en },
                may: Role::ALL.iter().map(|role| role >= needs).collect(),
            })
            .collect(),
    })?;
    Ok(match wrong {
        None => page,
        Some(refused) => said(refused, page),
    })
}

fn given_role(name: &str) -> Result<Role, Problem> {
    Role::parse(name).ok_or_else(|| Problem::form("没有该角色。", "There is no such role."))
}

/// `GET /users`.
pub(super) async fn list(State(surface): State<Arc<Surface>>, staff: Staff) -> Result<Response, Denied> {
    staff.require_to(Permission::Users)?;
    Ok(page(&surface, &staff, None).await?)
}

/// `POST /users`.
pub(super) async fn invite(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Sent(invited): Sent<Invited>,
) -> Result<Response, Denied> {
    staff.require_to(Permission::Users)?;
    let (role, by) = (given_role(&invited.role)?, staff.by(reason(&invited.reason)?));
    let done = surface.desk.lodge.invite(&invited.name, role, &by).await.map(Some);
    Ok(page(&surface, &staff, Some(done)).await?)
}

/// `POST /users/{id}/role`.
pub(super) async fn give_role(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Sent(given): Sent<Given>,
) -> Result<Response, Denied> {
    staff.require_to(Permission::Users)?;
    let (role, by) = (given_role(&given.role)?, staff.by(reason(&given.reason)?));
    let done = surface.desk.lodge.give_role(id, role, &by).await.map(|()| None);
    Ok(page(&surface, &staff, Some(done)).await?)
}

/// `POST /users/{id}/deed`.
pub(super) async fn deed(
    State(surface): State<Arc<Surface>>,
    staff: Staff,
    Path(id): Path<Uuid>,
    Sent(asked): Sent<Asked>,
) -> Result<Response, Denied> {
    staff.require_to(Permission::Users)?;
    let (desk, by) = (&surface.desk, staff.by(reason(&asked.reason)?));
    let done = match asked.deed.as_str() {
        "link" => desk.lodge.link_for(id, &by).await.map(Some),
        "sessions" => desk.lodge.end_sessions(id, None, &by).await.map(|_| None),
        "disable" => desk.lodge.shut_out(id, &by).await.map(|()| None),
        "enable" => desk.lodge.let_in_again(id, &by).await.map(|()| None),
        _ => return Err(Problem::not_found().into()),
    };
    Ok(page(&surface, &staff, Some(done)).await?)
}

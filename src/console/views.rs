//! `POST /views`: a search is kept for the team; `POST /views/{id}/remove`: no longer, which is for whoever made it and for operators.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::{Permission, Staff};
use super::page::{Page, query, to};
use super::runs::{Wanted, today};
use crate::http::Surface;
use crate::http::extract::Path;
use crate::http::problem::Problem;

/// A search with a name.
#[derive(Debug, Deserialize)]
pub(super) struct New {
    name: String,
    query: String,
}

pub(super) async fn put(State(surface): State<Arc<Surface>>, staff: Staff, Form(new): Form<New>) -> Page {
    let wanted = Wanted::of(&new.query).filter(|_| new.query.starts_with('?'));
    let wanted = wanted
        .ok_or_else(|| Problem::form("请先查找，再保存为视图。", "A view is a search: search first, then keep it."))?;
    let (wanted, had_number) = wanted.without_numbers(today(&surface).await?);
    if had_number {
        return Err(Problem::form(
            "全组可见的视图不能包含个人的编号。",
            "A view that the whole team sees has no person's number.",
        )
        .into());
    }
    let search = wanted.address(None);
    surface.desk.put_view("runs", &new.name, &search, &staff.by(""), staff.may(Permission::Mend)).await?;
    to(&with(&search, &[("done", "view.put")]))
}

pub(super) async fn remove(State(surface): State<Arc<Surface>>, staff: Staff, Path(id): Path<Uuid>) -> Page {
    let made_it = surface.desk.views("runs").await?.iter().any(|view| view.id == id && *view.made_by == *staff.name);
    if !made_it {
        staff.require_to(Permission::Mend)?;
    }
    let view = surface.desk.remove_view(id, &staff.by("")).await?;
    to(&with(&view.query, &[("done", "view.remove"), ("view", &view.name)]))
}

/// The search with what was done.
fn with(search: &str, done: &[(&str, &str)]) -> String {
    let done = query(done);
    if search.is_empty() { format!("/runs{done}") } else { format!("/runs{search}&{}", done.trim_start_matches('?')) }
}

//! `POST /views`: a search is kept for the team; `POST /views/{id}/remove`: no longer.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::access::Staff;
use super::page::{Page, to};
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
    if !new.query.starts_with('?') {
        return Err(Problem::invalid("a view is a search").into());
    }
    surface.desk.put_view("runs", &new.name, &new.query, &staff.name).await?;
    to(&format!("/runs{}", new.query))
}

pub(super) async fn remove(State(surface): State<Arc<Surface>>, _: Staff, Path(id): Path<Uuid>) -> Page {
    surface.desk.remove_view(id).await?;
    to("/runs")
}

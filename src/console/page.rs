//! A page: its frame, and what goes wrong on the way to one.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};

use super::access::Staff;
use super::assets;
use super::words::Words;
use crate::http::problem::Problem;

/// What stands around a page.
pub(super) struct Frame {
    /// The words of every page.
    pub(super) words: Words,
    /// The language's tag.
    pub(super) tag: &'static str,
    /// Who looks.
    pub(super) name: String,
    /// Goes with every form.
    pub(super) csrf: String,
    /// What assets are asked for by.
    pub(super) version: &'static str,
}

impl Frame {
    /// The frame of the page `here` for `staff`.
    pub(super) fn of(staff: &Staff, _here: &'static str) -> Self {
        Self {
            words: super::words::fixed(staff.language),
            tag: staff.language.tag(),
            name: staff.name.to_string(),
            csrf: staff.csrf.clone(),
            version: assets::version(),
        }
    }
}

/// A page as an answer.
pub(super) fn show(page: &impl Template) -> Result<Response, Problem> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Problem::internal()
    })?;
    Ok(Html(html).into_response())
}

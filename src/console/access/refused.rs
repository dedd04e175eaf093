//! The page of whoever may not: not logged in, without the role, or with a form that is not the session's own.

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Role;
use super::door::{Door, Turned};
use super::words::Access;
use crate::console::page::rendered;
use crate::http::problem::Problem;
use crate::waitlist::language::Language;

/// Why a page is not shown, or a form not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    why: Why,
    language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    NotIn,
    Needs(Role),
    Elsewhere,
}

impl Refused {
    /// Nobody is logged in.
    pub fn not_in(language: Language) -> Self {
        Self { why: Why::NotIn, language }
    }

    /// It needs this role.
    pub fn needs(role: Role, language: Language) -> Self {
        Self { why: Why::Needs(role), language }
    }

    /// The form is not the session's own.
    pub fn elsewhere(language: Language) -> Self {
        Self { why: Why::Elsewhere, language }
    }
}

/// Why a handler has no page: whoever asks may not, or it was not done.
#[derive(Debug)]
pub enum Denied {
    /// It may not.
    Refused(Refused),
    /// It was not done.
    Problem(Problem),
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Problem> for Denied {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => refused.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl Refused {
    /// Its title and its sentence.
    pub(in crate::console) fn in_words(self) -> (&'static str, String) {
        let (_, detail) = self.said();
        (Access::of(self.language).refused_title, detail.to_owned())
    }

    fn said(self) -> (StatusCode, &'static str) {
        let w = Access::of(self.language);
        match self.why {
            Why::NotIn => (StatusCode::UNAUTHORIZED, w.not_in),
            Why::Needs(Role::Viewer) => (StatusCode::FORBIDDEN, w.needs_viewer),
            Why::Needs(Role::Operator) => (StatusCode::FORBIDDEN, w.needs_operator),
            Why::Needs(Role::Administrator) => (StatusCode::FORBIDDEN, w.needs_administrator),
            Why::Elsewhere => (StatusCode::FORBIDDEN, w.elsewhere),
        }
    }
}

/// A page of the door; whoever is logged in sees it within the frame, for which it goes along.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let w = Access::of(self.language);
        let (status, detail) = self.said();
        let (href, link) = if self.why == Why::NotIn { ("/login", w.log_in) } else { ("/", w.back_home) };
        let page = Turned { door: Door::of(self.language), title: w.refused_title, detail, href, link };
        match rendered(&page) {
            Ok(page) => (status, Extension(self), page).into_response(),
            Err(problem) => problem.into_response(),
        }
    }
}

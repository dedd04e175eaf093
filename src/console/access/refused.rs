//! The page of whoever may not: not logged in, without the role, or from a page that is not ours.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::Role;
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

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = if self.why == Why::NotIn { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
        (status, Html(String::new())).into_response()
    }
}

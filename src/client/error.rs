//! What was not done, and why. Never a path or a query, which can name a patient, and never the key.

use reqwest::StatusCode;

use super::shapes::ProblemBody;

/// A call that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused, with a problem (RFC 9457).
    #[error("{} ({}, {}, request {})", .0.detail, .0.code, .0.status, .0.request_id.as_deref().unwrap_or("unknown"))]
    Refused(Box<ProblemBody>),
    /// No answer came, however often it was asked for: whether something was done is not known. The same call under the same
    /// `Idempotency-Key` does it once.
    #[error("no answer after {tries} tries")]
    Unreachable {
        /// How often it was tried.
        tries: u32,
        /// What went wrong last.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that is not one of this API: something between answers in its place, or the versions do not fit.
    #[error("the answer {status} cannot be read: {what} (request {})", request_id.as_deref().unwrap_or("unknown"))]
    Unreadable {
        /// Its status.
        status: StatusCode,
        /// What cannot be read of it.
        what: String,
        /// The request, as the server's log calls it.
        request_id: Option<String>,
    },
    /// It could not even be asked: an address or a key that is none.
    #[error("{0}")]
    Unaskable(String),
}

impl Error {
    /// The problem's stable code, where the API refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// The status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(problem) => Some(problem.status),
            Self::Unreadable { status, .. } => Some(status.as_u16()),
            Self::Unreachable { .. } | Self::Unaskable(_) => None,
        }
    }

    /// The request, as the server's log calls it.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => problem.request_id.as_deref(),
            Self::Unreadable { request_id, .. } => request_id.as_deref(),
            Self::Unreachable { .. } | Self::Unaskable(_) => None,
        }
    }
}

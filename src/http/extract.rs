//! Taking requests in: bodies, paths and queries whose rejections are problems, and what every handler may ask for.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts};
use axum::http::request::Parts;
use chrono::{DateTime, FixedOffset, Utc};

use super::Surface;
use super::problem::{Problem, language_of};
use crate::waitlist::language::Language;

/// The longest wait for a change.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Body<T>(pub T);

/// Parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// The language that the caller reads.
pub struct Reads(pub Language);

impl<S: Sync> FromRequestParts<S> for Reads {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(language_of(&parts.headers)))
    }
}

impl Surface {
    /// An instant with the hospital's offset.
    pub(crate) fn local(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.desk.ports.tz).fixed_offset()
    }
}

/// An id of the caller's: 1 to 64 characters without spaces and control characters.
pub(super) fn foreign_id(id: &str, name: &str) -> Result<(), Problem> {
    let fine = (1..=64).contains(&id.chars().count()) && !id.chars().any(|c| c.is_whitespace() || c.is_control());
    if fine { Ok(()) } else { Err(Problem::invalid(format!("{name} has 1 to 64 characters without spaces"))) }
}

/// `30s`, `500ms` or `30` (seconds); a minute at most.
pub(super) fn wait(text: &str) -> Result<Duration, Problem> {
    let (number, unit_ms) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1000),
    };
    let number: u64 =
        number.trim().parse().map_err(|_| Problem::invalid("wait is a time such as 30s or 500ms, at most 60s"))?;
    Ok(Duration::from_millis(number.saturating_mul(unit_ms)).min(WAIT_MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_a_unit_and_an_end() {
        let table = [("30s", 30_000), ("500ms", 500), ("2", 2000), ("0s", 0), ("90s", 60_000)];
        for (text, ms) in table {
            assert_eq!(wait(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
        for bad in ["", "s", "-1s", "1h", "soon"] {
            assert!(wait(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_of_the_callers_has_no_spaces() {
        assert!(foreign_id("p-1001", "patientId").is_ok());
        for bad in ["", "a b", "a\0b", &"x".repeat(65)] {
            assert!(foreign_id(bad, "patientId").is_err());
        }
    }
}

//! Reconciliation (R36): what the outside listed for a day, what was asked because of it, what our own books say of the
//! same applications, and the cases that came of it.
//!
//! | file | table |
//! |---|---|
//! | here | `reconciliation`: one a day and run |
//! | `lines` | `reconciliation_line`, `reconciliation_question` |
//! | `ours` | our books of the applications that a day concerns |
//! | `cases` | `reconciliation_case` |

pub mod cases;
pub mod lines;
pub mod ours;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// One reconciliation of one day.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Reconciliation {
    /// Its run.
    pub id: Uuid,
    /// The day.
    pub day: NaiveDate,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it was done.
    pub ended_at: Option<DateTime<Utc>>,
    /// Applications that the day concerned.
    pub compared: i32,
    /// Of which both sides were asked again.
    pub asked: i32,
    /// Differences.
    pub found: i32,
    /// Lines of the bill whose numbers are not of our form.
    pub foreign_lines: i32,
}

/// Begins one; a second time changes nothing.
pub async fn begin(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, day: NaiveDate) -> sqlx::Result<()> {
    sqlx::query("insert into reconciliation (hospital, id, day) values ($1, $2, $3) on conflict do nothing")
        .bind(hospital)
        .bind(id)
        .bind(day)
        .execute(db)
        .await
        .map(drop)
}

/// What one came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Applications that the day concerned.
    pub compared: u32,
    /// Of which both sides were asked again.
    pub asked: u32,
    /// Differences.
    pub found: u32,
    /// Lines of the bill whose numbers are not of our form.
    pub foreign_lines: u32,
}

/// Ends one.
pub async fn end(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, counts: &Counts) -> sqlx::Result<()> {
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query(
        "update reconciliation
         set ended_at = engine_now(), compared = $3, asked = $4, found = $5, foreign_lines = $6
         where hospital = $1 and id = $2",
    )
    .bind(hospital)
    .bind(id)
    .bind(number(counts.compared))
    .bind(number(counts.asked))
    .bind(number(counts.found))
    .bind(number(counts.foreign_lines))
    .execute(db)
    .await
    .map(drop)
}

/// The latest, newest first.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str, most: i64) -> sqlx::Result<Vec<Reconciliation>> {
    sqlx::query_as(
        "select id, day, began_at, ended_at, compared, asked, found, foreign_lines
         from reconciliation where hospital = $1 order by began_at desc limit $2",
    )
    .bind(hospital)
    .bind(most)
    .fetch_all(db)
    .await
}

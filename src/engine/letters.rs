//! How many letters stand where, for operators.

use sqlx::PgPool;

use super::store::tally;

/// Every status that a letter can have: what is not listed by [`counts`] is nought.
pub const STATUSES: [&str; 6] = ["pending", "sending", "sent", "suppressed", "undeliverable", "suspended"];

/// Letters by status. Those that are settled are not counted again (see [`tally`]).
pub async fn counts(pool: &PgPool, tenant: &str) -> sqlx::Result<Vec<(String, i64)>> {
    tally::letters(pool, tenant).await
}

//! How many letters stand where, for operators.

use sqlx::PgPool;

/// Every status that a letter can have: what is not listed by [`counts`] is nought.
pub const STATUSES: [&str; 6] = ["pending", "sending", "sent", "suppressed", "undeliverable", "suspended"];

/// Letters by status. Reads the whole outbox of the tenant, once a scrape.
pub async fn counts(pool: &PgPool, tenant: &str) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as("select status, count(*) from outbox where tenant = $1 group by 1 order by 1")
        .bind(tenant)
        .fetch_all(pool)
        .await
}

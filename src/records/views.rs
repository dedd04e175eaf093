//! Searches that the team keeps.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

/// A search with a name.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct View {
    /// Its id.
    pub id: Uuid,
    /// What the team calls it.
    pub name: String,
    /// Filters and columns, as they stand in the page's address.
    pub query: String,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: DateTime<Utc>,
}

/// Those of a page, the eldest first.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str, page: &str) -> sqlx::Result<Vec<View>> {
    sqlx::query_as(
        "select id, name, query, made_by, made_at from saved_view where hospital = $1 and page = $2 order by id limit 100",
    )
    .bind(hospital)
    .bind(page)
    .fetch_all(db)
    .await
}

/// The one of a name, held until the transaction ends.
pub async fn hold(db: impl PgExecutor<'_>, hospital: &str, page: &str, name: &str) -> sqlx::Result<Option<View>> {
    sqlx::query_as(
        "select id, name, query, made_by, made_at from saved_view
         where hospital = $1 and page = $2 and name = $3 for update",
    )
    .bind(hospital)
    .bind(page)
    .bind(name)
    .fetch_optional(db)
    .await
}

/// Makes one, or gives one of this name another search. False where another keeps one of this name and `others` may not be replaced.
pub async fn put(
    db: impl PgExecutor<'_>,
    hospital: &str,
    page: &str,
    name: &str,
    query: &str,
    who: &str,
    others: bool,
) -> sqlx::Result<bool> {
    let put = sqlx::query(
        "insert into saved_view (hospital, id, page, name, query, made_by) values ($1, $2, $3, $4, $5, $6)
         on conflict (hospital, page, name) do update
         set query = excluded.query, made_by = excluded.made_by, made_at = excluded.made_at
         where $7 or saved_view.made_by = excluded.made_by",
    )
    .bind(hospital)
    .bind(Uuid::now_v7())
    .bind(page)
    .bind(name)
    .bind(query)
    .bind(who)
    .bind(others)
    .execute(db)
    .await?;
    Ok(put.rows_affected() > 0)
}

/// Removes one, and says what it was; nothing where there is none.
pub async fn remove(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<View>> {
    sqlx::query_as("delete from saved_view where hospital = $1 and id = $2 returning id, name, query, made_by, made_at")
        .bind(hospital)
        .bind(id)
        .fetch_optional(db)
        .await
}

//! Whether the database has the schema of this program.

use sqlx::PgPool;

/// How many migrations the schema lacks.
pub async fn lacks(pool: &PgPool) -> sqlx::Result<usize> {
    let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(pool).await?;
    let done: Vec<i64> = if exists {
        sqlx::query_scalar("select version from _sqlx_migrations where success").fetch_all(pool).await?
    } else {
        Vec::new()
    };
    Ok(sqlx::migrate!().iter().filter(|migration| !done.contains(&migration.version)).count())
}

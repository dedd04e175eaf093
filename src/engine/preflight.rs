//! Before a deploy: which live runs stand at steps that this program does not know.

use sqlx::PgPool;

/// (workflow, step, runs) of live runs at steps outside `known`; a worker of this program would leave them standing.
pub async fn stranded(pool: &PgPool, tenant: &str, known: &[String]) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(
        "select workflow, step, count(*) from run
         where tenant = $1 and status in ('pending', 'running', 'waiting', 'suspended')
           and workflow || '/' || step <> all($2)
         group by 1, 2 order by 1, 2",
    )
    .bind(tenant)
    .bind(known)
    .fetch_all(pool)
    .await
}

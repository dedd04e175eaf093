//! The departments that the hospital named, with their campuses. They are written by `schedules::put_department`.

use sqlx::PgExecutor;

/// A department and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Department {
    /// HIS's `DEPT_ID`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The campus (院区).
    pub campus_id: String,
    /// The campus's name.
    pub campus_name: String,
}

/// All of them in the order of their ids.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<Department>> {
    sqlx::query_as(
        "select d.id, d.name, d.campus_id, c.name as campus_name
         from department d join campus c on c.hospital = d.hospital and c.id = d.campus_id
         where d.hospital = $1 order by d.id",
    )
    .bind(hospital)
    .fetch_all(db)
    .await
}

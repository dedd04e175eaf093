//! Which doctors, departments and campuses there are, and which of them have settings of their own. Reads only.

use sqlx::PgExecutor;

/// A doctor, department or campus.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Place {
    /// doctor, department or campus.
    pub level: String,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The level above: a doctor's department, a department's campus; empty for a campus.
    pub above: String,
    /// True where settings were made here.
    pub own: bool,
    /// Live applications under it.
    pub live: i32,
}

/// All of them: campuses, departments, doctors, by name. A hospital has some hundreds of doctors.
pub async fn places(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<Place>> {
    sqlx::query_as(
        "select t.level, t.id, t.name, t.above, p.id is not null as own, coalesce(c.live, 0) as live
         from (select 'campus' as level, id, name, '' as above, 0 as nth from campus where hospital = $1
               union all select 'department', id, name, campus_id, 1 from department where hospital = $1
               union all select 'doctor', id, name, department_id, 2 from doctor where hospital = $1) t
         left join policy p on p.hospital = $1 and p.level = t.level and p.id = t.id
         left join capacity c on c.hospital = $1 and c.level = t.level and c.id = t.id
         order by t.nth, t.above, t.id",
    )
    .bind(hospital)
    .fetch_all(db)
    .await
}

//! The runs that a bulk is for. They are written down when they are counted, so that a bulk does what its preview said: who
//! matches later is not in the set, and who matches no longer is found out at its turn.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::super::RunId;
use super::bulk::Filter;

/// The rows of a set that one chunk can reach into: it has fewer runs than a row.
const PARTS_OF_CHUNK: i64 = 2;

/// How long a set can be begun with, hours.
const GOOD_HOURS: i32 = 24;
/// After so many it is forgotten: long after its last beginning, so that none that just began is without its set.
const KEPT_HOURS: i32 = 48;

/// What a set was taken for.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Taken {
    /// The whole verb.
    pub arguments: Value,
    /// Which runs.
    pub filter: sqlx::types::Json<Filter>,
    /// The newest run then.
    pub up_to: RunId,
}

/// A new set, empty as yet.
pub async fn insert(conn: &mut PgConnection, tenant: &str, id: Uuid, taken: &Taken) -> sqlx::Result<()> {
    sqlx::query("insert into bulk_set (tenant, id, arguments, filter, up_to) values ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(id)
        .bind(&taken.arguments)
        .bind(&taken.filter)
        .bind(taken.up_to)
        .execute(conn)
        .await
        .map(drop)
}

/// A set that can still be begun with.
pub async fn find(conn: &mut PgConnection, tenant: &str, id: Uuid) -> sqlx::Result<Option<Taken>> {
    sqlx::query_as(
        "select arguments, filter, up_to from bulk_set
         where tenant = $1 and id = $2 and taken_at > engine_now() - make_interval(hours => $3)",
    )
    .bind(tenant)
    .bind(id)
    .bind(GOOD_HOURS)
    .fetch_optional(conn)
    .await
}

/// How many runs a set has.
pub async fn size(conn: &mut PgConnection, tenant: &str, id: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select coalesce(sum(cardinality(runs)), 0)::int8 from bulk_part where tenant = $1 and set_id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_one(conn)
    .await
}

/// The next runs of a set, in the order of their ids; `most` is not more than a row has.
///
/// Plan: index scan on the primary key of the parts from the cursor on, two rows.
pub async fn next(
    conn: &mut PgConnection,
    tenant: &str,
    id: Uuid,
    after: Option<RunId>,
    most: i64,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar(
        "select run
         from (select runs from bulk_part where tenant = $1 and set_id = $2 and last > $3 order by last limit $5) part
         cross join unnest(part.runs) as run
         where run > $3 order by run limit $4",
    )
    .bind(tenant)
    .bind(id)
    .bind(after.unwrap_or_default())
    .bind(most)
    .bind(PARTS_OF_CHUNK)
    .fetch_all(conn)
    .await
}

/// Forgets old sets that no bulk goes by. Answers how many.
pub async fn forget(db: impl PgExecutor<'_>, tenant: &str, most: i64) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(
        "with old as materialized (
             select s.id from bulk_set s
             where s.tenant = $1 and s.taken_at < engine_now() - make_interval(hours => $2)
               and not exists (select 1 from bulk b where b.tenant = s.tenant and b.set_id = s.id
                                                      and b.status in ('running', 'paused'))
             order by s.id limit $3 for update skip locked)
         delete from bulk_set s using old where s.tenant = $1 and s.id = old.id",
    )
    .bind(tenant)
    .bind(KEPT_HOURS)
    .bind(most)
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}

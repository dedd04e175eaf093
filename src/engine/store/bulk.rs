//! Bulks: one verb over a filter. A chunk's verbs, counts and cursor are one transaction, so that a worker that dies in
//! the middle has done nothing of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::{PgConnection, PgExecutor, Postgres};
use uuid::Uuid;

use super::super::RunId;

/// The runs of one row of a set.
const PART_RUNS: i64 = 1000;

type Scalar<'q, O> = QueryScalar<'q, Postgres, O, PgArguments>;

/// Which runs; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Filter {
    /// Of this workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// With this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// At this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// With a fault of this class: retry, stop, unknown, staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Whose last error contains this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whose key begins so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// One of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<RunId>>,
}

impl Filter {
    /// True where it holds every run there is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A bulk.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Bulk {
    /// Its id.
    pub id: Uuid,
    /// The verb's name.
    pub verb: String,
    /// The whole verb.
    pub arguments: Value,
    /// Which runs.
    pub filter: sqlx::types::Json<Filter>,
    /// Who.
    pub who: String,
    /// Why.
    pub reason: String,
    /// running, paused, done, cancelled.
    pub status: String,
    /// The newest run when it began.
    pub up_to: RunId,
    /// The last run that was looked at.
    pub cursor: Option<RunId>,
    /// How many the filter held when it began.
    pub total: i64,
    /// How many were changed.
    pub done: i64,
    /// How many were refused, by code.
    pub refused: Value,
    /// How many the filter no longer held when their turn came.
    pub skipped: i64,
    /// The runs that it is for; none: it began before they were kept, and goes by its filter.
    pub set_id: Option<Uuid>,
    /// The most runs a second.
    pub per_second: i32,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it last went on.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why its last chunk could not be written; it is tried again.
    pub last_error: Option<String>,
    /// The request that began it, where that has a name.
    pub request: Option<String>,
}

macro_rules! select_bulk {
    ($rest:literal) => {
        concat!(
            "select id, verb, arguments, filter, who, reason, status, up_to, cursor, total, done, refused, skipped,
                    set_id, per_second,
                    created_at, updated_at, ended_at, last_error, request
             from bulk where tenant = $1 ",
            $rest
        )
    };
}

macro_rules! held {
    ($select:literal, $rest:literal) => {
        concat!(
            $select,
            " from run where tenant = $1 and ($2::text is null or workflow = $2)
                and (case when $3::text is null then status in ('pending', 'running', 'waiting', 'suspended')
                          else status = $3 end)
                and ($4::text is null or step = $4) and ($5::text is null or fault = $5)
                and ($6::text is null or position($6 in last_error) > 0)
                and ($7::text is null or starts_with(key, $7)) and id <= $8
                and ($9::uuid[] is null or id = any($9)) ",
            $rest
        )
    };
}

/// What the filter means, in the order of `held!`.
fn holding<'q, O>(query: Scalar<'q, O>, tenant: &'q str, filter: &'q Filter, up_to: RunId) -> Scalar<'q, O> {
    query
        .bind(tenant)
        .bind(&filter.workflow)
        .bind(&filter.status)
        .bind(&filter.step)
        .bind(&filter.fault)
        .bind(&filter.error)
        .bind(&filter.q)
        .bind(up_to)
        .bind(&filter.ids)
}

/// The newest run there is; nil where there is none.
pub async fn newest(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<RunId> {
    let newest: Option<RunId> = sqlx::query_scalar("select id from run where tenant = $1 order by id desc limit 1")
        .bind(tenant)
        .fetch_optional(conn)
        .await?;
    Ok(newest.unwrap_or_default())
}

/// Puts what the filter holds up to `up_to` into a set, as one statement sees it. Answers how many.
pub async fn gather(
    conn: &mut PgConnection,
    tenant: &str,
    filter: &Filter,
    up_to: RunId,
    set: Uuid,
) -> sqlx::Result<i64> {
    let gathering = sqlx::query_scalar(held!(
        "with part as (
             insert into bulk_part (tenant, set_id, last, runs)
             select $1, $10, runs[cardinality(runs)], runs
             from (select array_agg(id order by id) as runs from (
                       select id, (row_number() over (order by id) - 1) / $11 as nth",
        ") held group by nth) parts returning runs)
         select coalesce(sum(cardinality(runs)), 0)::int8 from part"
    ));
    holding(gathering, tenant, filter, up_to).bind(set).bind(PART_RUNS).fetch_one(conn).await
}

/// The next runs that the filter holds, in the order of their ids: of a bulk that began before sets were kept.
///
/// Plan: index scan on the primary key from the cursor on, filtered, up to `most` rows.
pub async fn next(
    conn: &mut PgConnection,
    tenant: &str,
    filter: &Filter,
    up_to: RunId,
    after: Option<RunId>,
    most: i64,
) -> sqlx::Result<Vec<RunId>> {
    let next = sqlx::query_scalar(held!("select id", "and id > $10 order by id limit $11"));
    holding(next, tenant, filter, up_to).bind(after.unwrap_or_default()).bind(most).fetch_all(conn).await
}

/// A bulk that begins. False where the same person's same request, or its set, began one before.
pub async fn insert(conn: &mut PgConnection, tenant: &str, bulk: &Bulk) -> sqlx::Result<bool> {
    let inserted = sqlx::query(
        "insert into bulk (tenant, id, verb, arguments, filter, who, reason, status, up_to, total, per_second, request,
                           set_id)
         values ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9, $10, $11, $12)
         on conflict do nothing",
    )
    .bind(tenant)
    .bind(bulk.id)
    .bind(&bulk.verb)
    .bind(&bulk.arguments)
    .bind(&bulk.filter)
    .bind(&bulk.who)
    .bind(&bulk.reason)
    .bind(bulk.up_to)
    .bind(bulk.total)
    .bind(bulk.per_second)
    .bind(&bulk.request)
    .bind(bulk.set_id)
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// The bulk that this person's request began.
pub async fn begun_by(db: impl PgExecutor<'_>, tenant: &str, who: &str, request: &str) -> sqlx::Result<Option<Bulk>> {
    sqlx::query_as(select_bulk!("and who = $2 and request = $3"))
        .bind(tenant)
        .bind(who)
        .bind(request)
        .fetch_optional(db)
        .await
}

/// The bulk that this set began.
pub async fn begun_of(db: impl PgExecutor<'_>, tenant: &str, set: Uuid) -> sqlx::Result<Option<Bulk>> {
    sqlx::query_as(select_bulk!("and set_id = $2")).bind(tenant).bind(set).fetch_optional(db).await
}

/// A bulk whose chunk could not be written is tried again after `wait_s`; meanwhile others go on.
pub async fn postpone(db: impl PgExecutor<'_>, tenant: &str, id: Uuid, wait_s: f64, why: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update bulk
         set next_at = clock_timestamp() + make_interval(secs => $3), last_error = $4, updated_at = engine_now()
         where tenant = $1 and id = $2 and status = 'running'",
    )
    .bind(tenant)
    .bind(id)
    .bind(wait_s)
    .bind(why)
    .execute(db)
    .await
    .map(drop)
}

/// One bulk.
pub async fn find(db: impl PgExecutor<'_>, tenant: &str, id: Uuid) -> sqlx::Result<Option<Bulk>> {
    sqlx::query_as(select_bulk!("and id = $2")).bind(tenant).bind(id).fetch_optional(db).await
}

/// One bulk, locked.
pub async fn hold(conn: &mut PgConnection, tenant: &str, id: Uuid) -> sqlx::Result<Option<Bulk>> {
    sqlx::query_as(select_bulk!("and id = $2 for update")).bind(tenant).bind(id).fetch_optional(conn).await
}

/// Bulks, newest first, before `before`.
pub async fn list(db: impl PgExecutor<'_>, tenant: &str, before: Option<Uuid>, most: i64) -> sqlx::Result<Vec<Bulk>> {
    sqlx::query_as(select_bulk!("and ($2::uuid is null or id < $2) order by id desc limit $3"))
        .bind(tenant)
        .bind(before)
        .bind(most)
        .fetch_all(db)
        .await
}

/// Which of these runs the filter still holds.
pub async fn still(
    conn: &mut PgConnection,
    tenant: &str,
    filter: &Filter,
    up_to: RunId,
    runs: &[RunId],
) -> sqlx::Result<Vec<RunId>> {
    let still = sqlx::query_scalar(held!("select id", "and id = any($10)"));
    holding(still, tenant, filter, up_to).bind(runs).fetch_all(conn).await
}

/// A running bulk whose next chunk is due, locked: nobody else works at it meanwhile. Only its id: what it holds may be of
/// a release that this program cannot read.
///
/// Plan: index scan on `bulk_running`, one row.
pub async fn claim(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar(
        "select id from bulk where tenant = $1 and status = 'running' and next_at <= clock_timestamp()
         order by next_at limit 1 for update skip locked",
    )
    .bind(tenant)
    .fetch_optional(conn)
    .await
}

/// Writes down how far a bulk has come. `looked_at` runs go toward its rate; ended where `cursor` is none.
pub async fn advance(
    conn: &mut PgConnection,
    tenant: &str,
    bulk: &Bulk,
    cursor: Option<RunId>,
    looked_at: usize,
) -> sqlx::Result<()> {
    let looked_at = f64::from(u32::try_from(looked_at).unwrap_or(u32::MAX));
    sqlx::query(
        "update bulk
         set cursor = coalesce($3, cursor), done = $4, refused = $5, skipped = $7, last_error = null,
             status = case when $3 is null then 'done' else status end,
             ended_at = case when $3 is null then engine_now() end,
             next_at = clock_timestamp() + make_interval(secs => $6), updated_at = engine_now()
         where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(bulk.id)
    .bind(cursor)
    .bind(bulk.done)
    .bind(&bulk.refused)
    .bind(looked_at / f64::from(bulk.per_second.max(1)))
    .bind(bulk.skipped)
    .execute(conn)
    .await
    .map(drop)
}

/// Pauses, resumes or cancels a locked bulk.
pub async fn turn(conn: &mut PgConnection, tenant: &str, id: Uuid, status: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update bulk set status = $3, ended_at = case when $3 = 'cancelled' then engine_now() end,
                         updated_at = engine_now()
         where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
    .bind(status)
    .execute(conn)
    .await
    .map(drop)
}

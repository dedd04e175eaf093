//! Destinations as staff see them, and the switch by which a person pauses one until it is resumed.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgExecutor, PgPool};

use super::audit::{self, Deed};
use super::destinations::event;

/// How a destination stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Calls at one time, all workers together.
    pub concurrency_max: i32,
    /// Calls a second, all workers together; none: any.
    pub rate_per_s: Option<f64>,
    /// closed, open, `half_open`.
    pub state: String,
    /// Since when it is down; none once it has recovered.
    pub opened_at: Option<DateTime<Utc>>,
    /// When it is tried again.
    pub open_until: Option<DateTime<Utc>>,
    /// Calls at one time while it recovers.
    pub ramp: Option<i32>,
    /// What went wrong when it was last found down.
    pub last_error: Option<String>,
    /// Since when a person has it paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who.
    pub paused_by: Option<String>,
    /// Why.
    pub paused_why: Option<String>,
    /// Calls in hand, as live workers wrote last.
    pub in_hand: i64,
    /// True where a live worker had more to do here than it may.
    pub short: bool,
    /// Answered calls of the last seconds.
    pub ok: i64,
    /// Failed calls of the last seconds, those of unknown outcome included.
    pub failures: i64,
    /// The engine's clock.
    pub now: DateTime<Utc>,
}

impl Standing {
    /// True where no call is made for the time being, whatever is due.
    pub fn is_down(&self) -> bool {
        self.state != "closed"
    }
}

macro_rules! select_standing {
    ($where:literal) => {
        concat!(
            "select d.name, d.concurrency_max, d.rate_per_s, d.state, d.opened_at, d.open_until, d.ramp, d.last_error,
                    d.paused_at, d.paused_by, d.paused_why, t.in_hand, t.short, t.ok, t.failures, engine_now() as now
             from destination d cross join lateral (
                 select coalesce(sum(t.in_hand), 0)::int8 as in_hand, coalesce(bool_or(t.short), false) as short,
                        coalesce(sum(t.ok) filter (where t.epoch = d.epoch), 0)::int8 as ok,
                        coalesce(sum(t.failed + t.unknown) filter (where t.epoch = d.epoch), 0)::int8 as failures
                 from destination_tally t
                 join worker w on w.tenant = t.tenant and w.id = t.worker and w.lease_until > clock_timestamp()
                 where t.tenant = d.tenant and t.destination = d.name) t
             where d.tenant = $1",
            $where,
            " order by d.name"
        )
    };
}

/// Every destination.
pub async fn standings(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as(select_standing!("")).bind(tenant).fetch_all(db).await
}

/// One destination.
pub async fn standing(db: impl PgExecutor<'_>, tenant: &str, name: &str) -> sqlx::Result<Option<Standing>> {
    sqlx::query_as(select_standing!(" and d.name = $2")).bind(tenant).bind(name).fetch_optional(db).await
}

/// How much is due for each destination and in nobody's hands: runs, letters. Plan: a range of `run_due` for each
/// priority, of `outbox_due` for each topic.
pub async fn waiting(db: impl PgExecutor<'_>, tenant: &str) -> sqlx::Result<Vec<(String, i64, i64)>> {
    sqlx::query_as(
        "select d.name,
                (select count(*) from run r
                 where r.tenant = $1 and r.lane = d.name and r.status in ('pending', 'waiting')
                   and r.due_at <= engine_now()),
                (select count(*) from outbox o
                 where o.tenant = $1 and o.topic = any(d.topics) and o.status = 'pending' and o.due_at <= engine_now())
         from destination d where d.tenant = $1 order by d.name",
    )
    .bind(tenant)
    .fetch_all(db)
    .await
}

/// Something that became of a destination.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// opened, probed, closed, recovered, paused, resumed.
    pub what: String,
    /// The person, where one did it.
    pub who: Option<String>,
    /// The person's reason, or what went wrong.
    pub why: Option<String>,
}

/// What became of a destination, newest first.
pub async fn events(db: impl PgExecutor<'_>, tenant: &str, name: &str, most: i64) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(
        "select at, what, who, why from destination_event where tenant = $1 and destination = $2
         order by seq desc limit $3",
    )
    .bind(tenant)
    .bind(name)
    .bind(most)
    .fetch_all(db)
    .await
}

/// What came of using the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switched {
    /// It is as was asked for.
    Done,
    /// It was so before: nothing was changed.
    Already,
    /// There is no such destination.
    NoDestination,
}

/// A person pauses a destination: workers make no new call there, within a heartbeat; what is due waits. A worker has
/// seen it when its tally is of the destination's epoch.
pub async fn pause(pool: &PgPool, tenant: &str, name: &str, who: &str, why: &str) -> sqlx::Result<Switched> {
    switch(
        pool,
        tenant,
        name,
        "update destination set paused_at = engine_now(), paused_by = $3, paused_why = $4, epoch = epoch + 1
         where tenant = $1 and name = $2 and paused_at is null",
        ("paused", who, why),
    )
    .await
}

/// A person lets a paused destination be called again. Where it was down besides, it stays so until it answers.
pub async fn resume(pool: &PgPool, tenant: &str, name: &str, who: &str, why: &str) -> sqlx::Result<Switched> {
    switch(
        pool,
        tenant,
        name,
        "update destination set paused_at = null, paused_by = null, paused_why = null, epoch = epoch + 1
         where tenant = $1 and name = $2 and paused_at is not null and $3::text is not null and $4::text is not null",
        ("resumed", who, why),
    )
    .await
}

async fn switch(
    pool: &PgPool,
    tenant: &str,
    name: &str,
    statement: &'static str,
    (what, who, why): (&str, &str, &str),
) -> sqlx::Result<Switched> {
    let mut tx = pool.begin().await?;
    let done = sqlx::query(statement).bind(tenant).bind(name).bind(who).bind(why).execute(&mut *tx).await?;
    if done.rows_affected() > 0 {
        event(&mut tx, tenant, name, what, Some(who), Some(why)).await?;
        let verb = if what == "paused" { "destination.pause" } else { "destination.resume" };
        let about = json!({ "destination": name });
        let deed =
            Deed { who, verb, run: None, job: None, reason: why, before: about.clone(), after: about, bulk: None };
        audit::write(&mut tx, tenant, &deed).await?;
        tx.commit().await?;
        return Ok(Switched::Done);
    }
    let known: bool = sqlx::query_scalar("select exists (select 1 from destination where tenant = $1 and name = $2)")
        .bind(tenant)
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
    Ok(if known { Switched::Already } else { Switched::NoDestination })
}

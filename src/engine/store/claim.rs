//! Claiming due runs, and taking over what a dead worker left.
//!
//! Leases use the server's own clock, never the one moved by hand: a worker is dead when its process is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::super::RunId;
use super::super::flow::NewRun;
use super::super::preflight::Knows;

/// A run in a worker's hands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Claimed {
    /// The run.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// Where it stands.
    pub step: String,
    /// The lane in which it was claimed; `""`: it calls nobody.
    pub lane: String,
    /// The fence of this claim.
    pub generation: i32,
    /// How many turns have been committed.
    pub turn: i32,
    /// Failed attempts at this step.
    pub attempt: i32,
    /// See [`Turn::again`](crate::engine::Turn::again).
    pub again: bool,
    /// Since when the present step has been failing.
    pub failing_since: Option<DateTime<Utc>>,
    /// The obligations that are open.
    pub owes: Vec<String>,
    /// The run that waits for its ending.
    pub parent: Option<RunId>,
    /// The W3C traceparent of what started it.
    pub trace: Option<String>,
    /// Signals ever received when it was claimed.
    pub signal_count: i32,
    /// Since when it was due.
    pub due_at: Option<DateTime<Utc>>,
    /// What it knows.
    pub state: Value,
    /// The database's clock at the claim.
    pub now: DateTime<Utc>,
}

impl Claimed {
    /// A run that begins in the hands of its starter; `now` is the engine's clock.
    pub(in super::super) fn begun(new: NewRun, now: DateTime<Utc>) -> Self {
        Self {
            id: new.id,
            workflow: new.workflow.to_owned(),
            step: new.step.name.to_owned(),
            lane: new.step.lane_stored().to_owned(),
            generation: 1,
            turn: 0,
            attempt: 0,
            again: false,
            failing_since: None,
            owes: Vec::new(),
            parent: None,
            trace: new.trace,
            signal_count: 0,
            due_at: Some(now),
            state: new.state,
            now,
        }
    }
}

/// A signal that no turn has heard yet.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Unread {
    /// The run.
    pub run_id: RunId,
    /// Its id.
    pub signal_id: String,
    /// Its name.
    pub name: String,
    /// What came with it.
    pub payload: Value,
    /// The W3C traceparent of what sent it.
    pub trace: Option<String>,
    /// When it arrived, by the engine's clock.
    pub received_at: DateTime<Utc>,
}

/// What a worker asks for in one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The lane; `""` is the one of those that call nobody.
    pub lane: &'static str,
    /// How many runs.
    pub most: i64,
    /// The priority that comes first, as stored.
    pub first: i16,
}

/// Claims up to `most` due runs that call nobody.
pub async fn claim(
    pool: &PgPool,
    tenant: &str,
    worker: Uuid,
    known: &[String],
    most: i64,
) -> sqlx::Result<Vec<Claimed>> {
    claim_in(pool, tenant, worker, known, &[Ask { lane: "", most, first: 0 }], most).await
}

/// See [`claim_in`].
///
/// Three of four are those due longest, one of four those due last: what was signalled a moment ago does not queue behind
/// a hundred thousand deadlines of one instant, and these go on at three quarters of the speed.
///
/// Plan: for each lane and priority, in their order and only as far as needed, both ends of an index range of `run_due`,
/// `skip locked`; then one primary-key update a row. What waits in a lane that is not asked for is not touched.
pub const CLAIM: &str = "
    with due as materialized (
        select of_lane.id from unnest($4::text[], $5::int8[], $6::smallint[]) as l (lane, most, first)
        cross join lateral (
            select of_priority.id
            from unnest(case l.first when 2 then array[2, 1, 0] when 1 then array[1, 2, 0] else array[0, 1, 2] end
                        ::smallint[]) as p (priority)
            cross join lateral (
                select id from (
                    select id from run
                    where tenant = $1 and lane = l.lane and priority = p.priority and status in ('pending', 'waiting')
                      and due_at <= engine_now() and workflow || '/' || step = any($3)
                    order by due_at limit l.most - l.most / 4 for update skip locked) oldest
                union
                select id from (
                    select id from run
                    where tenant = $1 and lane = l.lane and priority = p.priority and status in ('pending', 'waiting')
                      and due_at <= engine_now() and workflow || '/' || step = any($3)
                    order by due_at desc limit l.most / 4 for update skip locked) latest) of_priority
            limit l.most) of_lane
        limit $7)
    update run r
    set status = 'running', worker = $2, generation = r.generation + 1, updated_at = (select engine_now())
    from due
    where r.tenant = $1 and r.id = due.id
    returning r.id, r.workflow, r.step, r.lane, r.generation, r.turn, r.attempt, r.again, r.signal_count,
              r.failing_since, r.owes, r.parent, r.trace, r.due_at, (select engine_now()) as now,
              state_of(r.tenant, r.id) as state";

/// A claim that takes longer has a connection that hangs; what it claimed all the same is in no hand, and is found there.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Claims up to `most` due runs at steps that this program knows: of each lane as many as are asked for, by priority,
/// oldest due first. A row of `run` that another worker has just moved is read afresh, and its state with it
/// (`state_of`, migration 0011).
pub async fn claim_in(
    db: impl PgExecutor<'_>,
    tenant: &str,
    worker: Uuid,
    known: &[String],
    asks: &[Ask],
    most: i64,
) -> sqlx::Result<Vec<Claimed>> {
    let claiming = sqlx::query_as(CLAIM)
        .bind(tenant)
        .bind(worker)
        .bind(known)
        .bind(asks.iter().map(|ask| ask.lane).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.most).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.first).collect::<Vec<_>>())
        .bind(most)
        .fetch_all(db);
    let claimed = tokio::time::timeout(WAIT_MAX, claiming).await;
    claimed.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// What a worker has in hand, by run and generation, as the database sees it.
pub async fn in_hand(pool: &PgPool, tenant: &str, worker: Uuid) -> sqlx::Result<Vec<(RunId, i32)>> {
    sqlx::query_as("select id, generation from run where tenant = $1 and worker = $2 and status = 'running'")
        .bind(tenant)
        .bind(worker)
        .fetch_all(pool)
        .await
}

/// The unread signals of these runs in the order of arrival.
pub async fn unread(db: impl PgExecutor<'_>, tenant: &str, runs: &[RunId]) -> sqlx::Result<Vec<Unread>> {
    sqlx::query_as(
        "select run_id, signal_id, name, payload, trace, received_at from inbox
         where tenant = $1 and run_id = any($2) and read_turn is null order by run_id, seq",
    )
    .bind(tenant)
    .bind(runs)
    .fetch_all(db)
    .await
}

/// Hands a claimed run back: its next turn is due at once. Does nothing if the claim is no longer ours.
/// `again` says that a handler may have called out since the last commit.
pub async fn release(pool: &PgPool, tenant: &str, run: RunId, generation: i32, again: bool) -> sqlx::Result<()> {
    sqlx::query(
        "update run set status = 'pending', due_at = engine_now(), generation = generation + 1, worker = null,
                        again = again or $4
         where tenant = $1 and id = $2 and generation = $3 and status = 'running'",
    )
    .bind(tenant)
    .bind(run)
    .bind(generation)
    .bind(again)
    .execute(pool)
    .await
    .map(drop)
}

/// Puts a claimed run back as it is, into the lane of its step: no call can be made for it now.
pub async fn put_back(
    pool: &PgPool,
    tenant: &str,
    run: RunId,
    generation: i32,
    lane: &str,
    priority: i16,
) -> sqlx::Result<()> {
    sqlx::query(
        "update run set status = 'pending', due_at = engine_now(), generation = generation + 1, worker = null,
                        lane = $4, priority = $5
         where tenant = $1 and id = $2 and generation = $3 and status = 'running'",
    )
    .bind(tenant)
    .bind(run)
    .bind(generation)
    .bind(lane)
    .bind(priority)
    .execute(pool)
    .await
    .map(drop)
}

/// Renews a worker's lease. Where its row is gone (it stood still for an hour) it is written anew.
pub async fn heartbeat(
    conn: &mut PgConnection,
    tenant: &str,
    worker: Uuid,
    name: &str,
    knows: &Knows,
    lease_s: f64,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into worker (tenant, id, name, lease_until, knows, hears)
         select $1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6
         where (select set_config('synchronous_commit', 'off', true)) = 'off'
         on conflict (tenant, id) do update set lease_until = excluded.lease_until",
    )
    .bind(tenant)
    .bind(worker)
    .bind(name)
    .bind(lease_s)
    .bind(&knows.steps)
    .bind(&knows.signals)
    .execute(conn)
    .await
    .map(drop)
}

/// Ends a worker's lease at once: it has nothing in hand any more.
pub async fn retire(conn: &mut PgConnection, tenant: &str, worker: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from worker where tenant = $1 and id = $2")
        .bind(tenant)
        .bind(worker)
        .execute(conn)
        .await
        .map(drop)
}

/// A run whose workers died so often in a row at the same turn waits for a person: it may be what ends them.
const DEATHS_MAX: i16 = 5;
/// Deaths that lie further apart than this are not in a row, s.
const DEATHS_WITHIN_S: f64 = 600.0;
/// After its second death a run waits up to so long for each, s: who was in the same hands by chance is in others next time.
const APART_S: f64 = 2.0;

/// Takes over runs and letters that workers without a lease hold. Answers how many runs.
///
/// A run that was in dead hands more than once lately comes again by itself, not with all that was beside it; one that was
/// there too often is suspended.
pub async fn reap(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<u64> {
    let runs = sqlx::query(
        "with left_behind as materialized (
             select r.id, case when r.reaped_turn = r.turn
                                and r.reaped_since > clock_timestamp() - make_interval(secs => $3)
                               then r.reaped + 1 else 1 end as deaths from run r
             where r.tenant = $1 and r.status = 'running' and not exists (
                 select 1 from worker w
                 where w.tenant = r.tenant and w.id = r.worker and w.lease_until > clock_timestamp())
             order by r.id for update of r skip locked)
         update run r
         set generation = r.generation + 1, worker = null, again = true, reaped_turn = r.turn, reaped = l.deaths,
             reaped_since = case when l.deaths = 1 then clock_timestamp() else r.reaped_since end,
             status = case when l.deaths >= $2 then 'suspended' else 'pending' end,
             due_at = case when l.deaths < $2
                           then engine_now() + make_interval(secs => (l.deaths - 1) * $4 * random()) end,
             fault = case when l.deaths >= $2 then 'stop' else r.fault end,
             last_error = case when l.deaths < $2 then r.last_error else
                               'the worker died ' || l.deaths || ' times in a row while it was at this step' end
         from left_behind l where r.tenant = $1 and r.id = l.id",
    )
    .bind(tenant)
    .bind(DEATHS_MAX)
    .bind(DEATHS_WITHIN_S)
    .bind(APART_S)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    super::letters::reap(conn, tenant).await?;
    sqlx::query("delete from worker where tenant = $1 and lease_until < clock_timestamp() - interval '1 hour'")
        .bind(tenant)
        .execute(&mut *conn)
        .await?;
    Ok(runs)
}

/// Hands back what a worker that gives up its lease still holds: nobody has died. Answers how many runs.
pub async fn leave(conn: &mut PgConnection, tenant: &str, worker: Uuid) -> sqlx::Result<u64> {
    let runs = sqlx::query(
        "update run set status = 'pending', due_at = engine_now(), generation = generation + 1, worker = null, again = true
         where tenant = $1 and worker = $2 and status = 'running'",
    )
    .bind(tenant)
    .bind(worker)
    .execute(&mut *conn)
    .await?
    .rows_affected();
    super::letters::leave(conn, tenant, worker).await?;
    Ok(runs)
}

/// True while any turn or letter is due or in hand at this instant of the engine's clock, a job is due, or an early signal
/// is still to be put into the inbox of a run that is there. What waits for a destination that is down or paused is neither.
pub async fn busy(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "with still as (
             select name, topics from destination
             where tenant = $1 and (paused_at is not null or (state = 'open' and open_until > engine_now())))
         select exists (select 1 from run where tenant = $1 and status in ('pending', 'waiting')
                                             and due_at <= engine_now() and lane not in (select name from still))
             or exists (select 1 from run where tenant = $1 and status = 'running')
             or exists (select 1 from outbox where tenant = $1 and status = 'pending' and due_at <= engine_now()
                                               and topic not in (select unnest(topics) from still))
             or exists (select 1 from outbox where tenant = $1 and status = 'sending')
             or exists (select 1 from job where tenant = $1 and paused_at is null and due_at <= engine_now())
             or exists (select 1 from unmatched u where u.tenant = $1 and u.status = 'waiting'
                        and (exists (select 1 from run r where r.tenant = $1 and r.workflow = u.workflow
                                                           and r.key = u.key)
                             or exists (select 1 from run r where r.tenant = $1 and r.id = u.run_id)))",
    )
    .bind(tenant)
    .fetch_one(conn)
    .await
}

/// The next instant at which a turn, a letter or a job falls due; for what waits for a destination that is down, not
/// before that one may be tried again; never for what waits for one that is paused.
///
/// Plan: the first row of each destination's, priority's and topic's range.
pub async fn next_due(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar(
        "with place as (
             select name, topics, open_until from destination where tenant = $1 and paused_at is null
             union all select '', array(select distinct topic from outbox o where tenant = $1 and status = 'pending'
                                        and not exists (select 1 from destination d
                                                        where d.tenant = $1 and o.topic = any(d.topics))), null)
         select min(greatest(due_at, open_until)) from (
             select p.open_until, r.due_at from place p
             cross join unnest(array[0, 1, 2]::smallint[]) as of (priority)
             cross join lateral (
                 select due_at from run
                 where tenant = $1 and lane = p.name and priority = of.priority and status in ('pending', 'waiting')
                   and due_at is not null
                 order by due_at limit 1) r
             union all
             select p.open_until, o.due_at from place p cross join unnest(p.topics) as of (topic)
             cross join lateral (
                 select due_at from outbox where tenant = $1 and topic = of.topic and status = 'pending'
                 order by due_at limit 1) o
             union all select null, due_at from job where tenant = $1 and paused_at is null) first",
    )
    .bind(tenant)
    .fetch_one(conn)
    .await
}

//! What workers read and write of destinations: looked at once a heartbeat, changed by whoever is first.
//!
//! A destination's row is written only when its state changes. A change names the epoch that it was decided by: of
//! several workers that decide the same, one does it.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::super::limits::Limits;
use super::super::limits::breaker::{Counts, WINDOW};
use super::super::table::StepRow;
use super::super::table::Table;

/// Brings a destination's limits in line with this program's configuration; what goes there is added to what is known.
pub async fn ensure(pool: &PgPool, tenant: &str, name: &str, limits: &Limits, topics: &[&str]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into destination as d (tenant, name, concurrency_max, rate_per_s, failures_min, failures_share, open_s,
                                       open_max_s, topics)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (tenant, name) do update
         set concurrency_max = $3, rate_per_s = $4, failures_min = $5, failures_share = $6, open_s = $7, open_max_s = $8,
             topics = array(select distinct unnest(d.topics || $9) order by 1)
         where (d.concurrency_max, d.rate_per_s, d.failures_min, d.failures_share, d.open_s, d.open_max_s)
               is distinct from ($3, $4, $5, $6, $7, $8) or not d.topics @> $9",
    )
    .bind(tenant)
    .bind(name)
    .bind(i32::try_from(limits.concurrency_max).unwrap_or(i32::MAX))
    .bind(limits.rate_per_s)
    .bind(i32::try_from(limits.failures_min).unwrap_or(i32::MAX))
    .bind(limits.failures_share)
    .bind(limits.open.as_secs_f64())
    .bind(limits.open_max.as_secs_f64())
    .bind(topics)
    .execute(pool)
    .await
    .map(drop)
}

/// How many runs are brought in line by one statement.
const ALIGNED_MAX: i64 = 5_000;

/// Runs that wait at steps of this table get the step's lane and priority: a release may have changed them. What is not
/// met here (runs in hand, suspended, moved by an older release meanwhile) is put into its lane by who claims it.
///
/// Plan: `run_due`, which holds live rows only.
pub async fn align(pool: &PgPool, tenant: &str, table: &Table) -> sqlx::Result<u64> {
    let mut aligned = 0;
    loop {
        let now = sqlx::query(
            "with t as (select * from unnest($3::text[], $4::text[], $5::smallint[]) as t (step, lane, priority)),
             wrong as materialized (
                 select r.id, t.lane, t.priority from run r join t on t.step = r.step
                 where r.tenant = $1 and r.workflow = $2 and r.status in ('pending', 'waiting')
                   and r.due_at is not null and (r.lane, r.priority) is distinct from (t.lane, t.priority)
                 order by r.id limit $6 for update of r skip locked)
             update run r set lane = w.lane, priority = w.priority from wrong w where r.tenant = $1 and r.id = w.id",
        )
        .bind(tenant)
        .bind(table.name)
        .bind(table.steps.iter().map(|row| row.name).collect::<Vec<_>>())
        .bind(table.steps.iter().map(StepRow::lane_stored).collect::<Vec<_>>())
        .bind(table.steps.iter().map(|row| row.priority.stored()).collect::<Vec<_>>())
        .bind(ALIGNED_MAX)
        .execute(pool)
        .await?
        .rows_affected();
        aligned += now;
        if now == 0 {
            return Ok(aligned);
        }
    }
}

/// The other live workers that share, and with whom each of them reckons.
pub async fn others(pool: &PgPool, tenant: &str, me: Uuid) -> sqlx::Result<Vec<(Uuid, Vec<Uuid>)>> {
    sqlx::query_as(
        "select id, peers from worker
         where tenant = $1 and id <> $2 and lease_until > clock_timestamp() and peers is not null",
    )
    .bind(tenant)
    .bind(me)
    .fetch_all(pool)
    .await
}

/// A destination as a worker sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// See [`Limits`].
    pub concurrency_max: i32,
    /// See [`Limits`].
    pub rate_per_s: Option<f64>,
    /// See [`Limits`].
    pub failures_min: i32,
    /// See [`Limits`].
    pub failures_share: f64,
    /// See [`Limits`].
    pub open_s: f64,
    /// See [`Limits`].
    pub open_max_s: f64,
    /// closed, open, `half_open`.
    pub state: String,
    /// Raised by every change of state.
    pub epoch: i32,
    /// When it may be tried again.
    pub open_until: Option<DateTime<Utc>>,
    /// Who makes the one call.
    pub prober: Option<Uuid>,
    /// Calls at one time while it recovers.
    pub ramp: Option<i32>,
    /// True where a person has paused it.
    pub paused: bool,
    /// What the others may have in hand.
    pub held: i64,
    /// Answered calls of the others.
    pub ok: i64,
    /// Failed calls of the others.
    pub failed: i64,
    /// Calls of the others that left the outcome unknown.
    pub unknown: i64,
    /// True where somebody may and should try whether it is there again.
    pub probe_wanted: bool,
    /// The engine's clock.
    pub now: DateTime<Utc>,
    /// Who looks.
    pub me: Uuid,
}

/// Looks at destinations. Plan: their rows by primary key; a destination's tallies are as many as workers; whether
/// anything is due is looked up only where a destination may be tried, and stops at the first.
pub async fn look(pool: &PgPool, tenant: &str, me: Uuid, names: &[&str]) -> sqlx::Result<Vec<Seen>> {
    sqlx::query_as(
        "select d.name, d.concurrency_max, d.rate_per_s, d.failures_min, d.failures_share, d.open_s, d.open_max_s,
                d.state, d.epoch, d.open_until, d.prober, d.ramp, d.paused_at is not null as paused, t.held, t.ok,
                t.failed, t.unknown, engine_now() as now, $2 as me,
                case when (d.state = 'open' and d.open_until <= engine_now())
                       or (d.state = 'half_open' and d.prober <> $2 and not exists (
                               select 1 from worker w
                               where w.tenant = d.tenant and w.id = d.prober and w.lease_until > clock_timestamp()))
                     then exists (select 1 from unnest(array[0, 1, 2]::smallint[]) p
                                  where exists (select 1 from run r
                                                where r.tenant = d.tenant and r.lane = d.name and r.priority = p
                                                  and r.status in ('pending', 'waiting') and r.due_at <= engine_now()))
                       or exists (select 1 from outbox o
                                  where o.tenant = d.tenant and o.topic = any(d.topics) and o.status = 'pending'
                                    and o.due_at <= engine_now())
                     else false end as probe_wanted
         from destination d cross join lateral (
             select coalesce(sum(t.holds), 0)::int8 as held,
                    coalesce(sum(t.ok) filter (where counts), 0)::int8 as ok,
                    coalesce(sum(t.failed) filter (where counts), 0)::int8 as failed,
                    coalesce(sum(t.unknown) filter (where counts), 0)::int8 as unknown
             from destination_tally t
             join worker w on w.tenant = t.tenant and w.id = t.worker and w.lease_until > clock_timestamp()
             cross join lateral (
                 select t.epoch = d.epoch and t.counted_at > engine_now() - make_interval(secs => $4) as counts) c
             where t.tenant = d.tenant and t.destination = d.name and t.worker <> $2) t
         where d.tenant = $1 and d.name = any($3)",
    )
    .bind(tenant)
    .bind(me)
    .bind(names)
    .bind(WINDOW.as_seconds_f64())
    .fetch_all(pool)
    .await
}

/// What a worker writes of one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The destination.
    pub destination: &'static str,
    /// Calls that it may have in hand until it writes again.
    pub holds: u32,
    /// Calls that it has in hand.
    pub in_hand: u32,
    /// It had more to do here than it may.
    pub short: bool,
    /// The destination's, when these were counted.
    pub epoch: i32,
    /// Its calls of the last seconds.
    pub counts: Counts,
}

/// Writes a worker's tallies and with whom it reckons, in one transaction. False where the worker has no row any more:
/// then nobody reckons with it, and it may call nobody.
pub async fn publish(pool: &PgPool, tenant: &str, me: Uuid, peers: &[Uuid], tallies: &[Tally]) -> sqlx::Result<bool> {
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let known = sqlx::query(
        "with known as (
             update worker set peers = $3
             where tenant = $1 and id = $2 and peers is distinct from $3 returning 1),
         told as (
             insert into destination_tally as d (tenant, destination, worker, holds, in_hand, short, epoch, ok, failed,
                                                 unknown)
             select $1, t.destination, $2, t.holds, t.in_hand, t.short, t.epoch, t.ok, t.failed, t.unknown
             from unnest($4::text[], $5::int[], $6::int[], $7::bool[], $8::int[], $9::int[], $10::int[], $11::int[])
                  as t (destination, holds, in_hand, short, epoch, ok, failed, unknown)
             on conflict (tenant, destination, worker) do update
             set holds = excluded.holds, in_hand = excluded.in_hand, short = excluded.short, epoch = excluded.epoch,
                 ok = excluded.ok, failed = excluded.failed, unknown = excluded.unknown, counted_at = engine_now())
         select 1 from worker where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(me)
    .bind(peers)
    .bind(tallies.iter().map(|tally| tally.destination).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.holds)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.in_hand)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| tally.short).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| tally.epoch).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.counts.ok)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.counts.failed)).collect::<Vec<_>>())
    .bind(tallies.iter().map(|tally| number(tally.counts.unknown)).collect::<Vec<_>>())
    .fetch_optional(pool)
    .await?;
    Ok(known.is_some())
}

/// Removes what a worker that ends has written, and what workers left that are gone for long.
pub async fn forget(pool: &PgPool, tenant: &str, me: Uuid) -> sqlx::Result<()> {
    sqlx::query(
        "delete from destination_tally t
         where t.tenant = $1 and (t.worker = $2 or not exists (
             select 1 from worker w where w.tenant = t.tenant and w.id = t.worker))",
    )
    .bind(tenant)
    .bind(me)
    .execute(pool)
    .await
    .map(drop)
}

/// What is to become of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is down: no call is made for a while.
    Opens {
        /// What went wrong.
        error: String,
    },
    /// This worker makes one call.
    Probes,
    /// This worker leaves that call to another: it had none to make.
    LeavesProbe,
    /// It answers again.
    Closes {
        /// So many calls at one time for now.
        ramp: Option<i32>,
    },
    /// It goes on answering.
    Ramps {
        /// So many calls at one time until now.
        from: u32,
        /// So many from now on; none: all.
        to: Option<u32>,
    },
}

/// Changes a destination's state, as decided by `epoch`. False where somebody else was first.
pub async fn change(
    pool: &PgPool,
    tenant: &str,
    me: Uuid,
    name: &str,
    epoch: i32,
    change: &Change,
) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let (statement, ramp, from) = match change {
        Change::Opens { .. } => (OPENS, None, None),
        Change::Probes => (PROBES, None, None),
        Change::LeavesProbe => (LEAVES_PROBE, None, None),
        Change::Closes { ramp } => (CLOSES, *ramp, None),
        Change::Ramps { from, to } => (RAMPS, to.map(number), Some(number(*from))),
    };
    let error = match change {
        // Where others' failures opened it, what went wrong is theirs.
        Change::Opens { error } if !error.is_empty() => Some(error.as_str()),
        _ => None,
    };
    let changed = sqlx::query(statement)
        .bind(tenant)
        .bind(name)
        .bind(epoch)
        .bind(me)
        .bind(error)
        .bind(ramp)
        .bind(from)
        .execute(&mut *tx)
        .await?
        .rows_affected()
        > 0;
    if changed && let Some(what) = told(change) {
        event(&mut tx, tenant, name, what, None, error).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

fn told(change: &Change) -> Option<&'static str> {
    match change {
        Change::Opens { .. } => Some("opened"),
        Change::Probes => Some("probed"),
        Change::Closes { ramp: Some(_) } => Some("closed"),
        Change::Closes { ramp: None } | Change::Ramps { to: None, .. } => Some("recovered"),
        Change::LeavesProbe | Change::Ramps { .. } => None,
    }
}

// All of these take tenant, name, epoch, worker, error, ramp and the former ramp, so that they are bound alike.
const OPENS: &str = "
    update destination
    set state = 'open', epoch = epoch + 1, opened_at = coalesce(opened_at, engine_now()), prober = null, ramp = null,
        openings = openings + 1,
        open_until = engine_now() + make_interval(secs => least(open_max_s, open_s * 2.0 ^ least(openings, 30))),
        last_error = coalesce($5, last_error)
    where tenant = $1 and name = $2 and epoch = $3 and (prober is null or prober = $4)
      and $6::int is null and $7::int is null";
const PROBES: &str = "
    update destination d
    set state = 'half_open', epoch = epoch + 1, prober = $4, open_until = null
    where tenant = $1 and name = $2 and epoch = $3 and paused_at is null
      and (open_until <= engine_now() or (state = 'half_open' and not exists (
               select 1 from worker w
               where w.tenant = d.tenant and w.id = d.prober and w.lease_until > clock_timestamp())))
      and $5::text is null and $6::int is null and $7::int is null";
const LEAVES_PROBE: &str = "
    update destination
    set state = 'open', epoch = epoch + 1, prober = null, open_until = engine_now()
    where tenant = $1 and name = $2 and epoch = $3 and prober = $4
      and $5::text is null and $6::int is null and $7::int is null";
const CLOSES: &str = "
    update destination
    set state = 'closed', epoch = epoch + 1, prober = null, ramp = $6,
        opened_at = case when $6 is null then null else opened_at end,
        openings = case when $6 is null then 0 else openings end
    where tenant = $1 and name = $2 and epoch = $3 and prober = $4 and $5::text is null and $7::int is null";
const RAMPS: &str = "
    update destination
    set ramp = $6, opened_at = case when $6 is null then null else opened_at end,
        openings = case when $6 is null then 0 else openings end
    where tenant = $1 and name = $2 and epoch = $3 and state = 'closed' and ramp = $7
      and $4::uuid is not null and $5::text is null";

/// Writes down what became of a destination.
pub(super) async fn event(
    conn: &mut PgConnection,
    tenant: &str,
    name: &str,
    what: &str,
    who: Option<&str>,
    why: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query("insert into destination_event (tenant, destination, what, who, why) values ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(name)
        .bind(what)
        .bind(who)
        .bind(why)
        .execute(conn)
        .await
        .map(drop)
}

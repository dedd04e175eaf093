//! One look at the whole: what is due and for how long, what needs a person, who works. Reads only what lives.
//!
//! Every statement keeps to ranges of partial indexes, so that a look costs as much among ten million ended runs as
//! among none. Only the counts of parked runs grow with them: one entry of `run_live` each.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};

use super::super::handling::HANDLER_MAX;
use super::super::inspect;
use super::super::jobs::look as job;
use super::super::preflight::{self, Knows, Member, Unrunnable};
use super::switch::{self, Standing};
use super::{jobs, months};

/// Something that is due and in nobody's hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, sqlx::FromRow)]
pub struct Backlog {
    /// How many.
    pub count: i64,
    /// How long the oldest has been, seconds; 0 where there is none.
    pub oldest_s: f64,
}

/// A job, as it is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticking {
    /// Its row.
    pub row: jobs::Row,
    /// What it is at.
    pub standing: job::Standing,
    /// How long its tick, or the next attempt at it, has been due, seconds; 0 where none is or where it is paused.
    pub due_s: f64,
}

impl Ticking {
    /// The job with this row.
    pub fn of(row: jobs::Row) -> Self {
        let due = row.due_at.filter(|_| row.paused_at.is_none());
        let due_s = due.map_or(0.0, |due| (row.now - due).as_seconds_f64().max(0.0));
        Self { standing: job::Standing::of(&row), due_s, row }
    }
}

/// How the whole stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Runs that have not ended: workflow, status as people see it, how many.
    pub runs: Vec<(String, String, i64)>,
    /// What is due, by destination; `""`: those that call nobody.
    pub due: Vec<(String, Backlog)>,
    /// Runs at steps that nobody could run.
    pub unrunnable: Vec<Unrunnable>,
    /// Turns in hand for longer than a handler may take.
    pub long_turns: i64,
    /// Letters that are not settled, by status.
    pub letters: Vec<(String, i64)>,
    /// Letters that are due.
    pub letters_due: Backlog,
    /// Those of them whose destination takes letters: it is there, and nobody has paused it.
    pub letters_late: Backlog,
    /// Who works.
    pub workers: Vec<Member>,
    /// How destinations stand.
    pub destinations: Vec<Standing>,
    /// Signals, hints apart, whose run is not there.
    pub unmatched: Backlog,
    /// Jobs, by name.
    pub jobs: Vec<Ticking>,
    /// Bulks whose last chunk could not be written, and why one of them; none where there are none.
    pub bulks_failing: Option<(i64, String)>,
    /// Of this month and the next, those whose history has no table.
    pub months_missing: u32,
    /// True where the engine's clock is set by hand.
    pub clock_by_hand: bool,
    /// How far the server's clock is ahead of this machine's, seconds.
    pub clock_ahead_s: f64,
}

impl Survey {
    /// How many runs have this status.
    pub fn with_status(&self, status: &str) -> i64 {
        self.runs.iter().filter(|(_, of, _)| of == status).map(|(.., n)| n).sum()
    }

    /// How many letters have this status.
    pub fn letters_with(&self, status: &str) -> i64 {
        self.letters.iter().filter(|(of, _)| of == status).map(|(_, n)| n).sum()
    }
}

/// Takes a look. `ours` is what this program can run, `lanes` are its destinations.
pub async fn take(pool: &PgPool, tenant: &str, ours: &Knows, lanes: &[&str]) -> sqlx::Result<Survey> {
    let mut conn = pool.acquire().await?;
    let (clock_by_hand, clock_ahead_s) = clock(&mut conn).await?;
    let crew = preflight::crew(&mut *conn, tenant).await?;
    let steps = crew.steps(ours);
    let places = preflight::places(&mut *conn, tenant).await?;
    Ok(Survey {
        runs: inspect::counted(&places, &steps),
        due: due(&mut conn, tenant, lanes).await?,
        unrunnable: preflight::outside(&places, &steps),
        long_turns: long_turns(&mut conn, tenant).await?,
        letters: letters(&mut conn, tenant).await?,
        letters_due: letters_due(&mut conn, tenant).await?,
        letters_late: letters_late(&mut conn, tenant).await?,
        workers: crew.members,
        destinations: switch::standings(&mut *conn, tenant).await?,
        unmatched: unmatched(&mut conn, tenant).await?,
        bulks_failing: bulks_failing(&mut conn, tenant).await?,
        jobs: jobs::all(&mut *conn, tenant).await?.into_iter().map(Ticking::of).collect(),
        months_missing: months::missing(&mut conn).await?,
        clock_by_hand,
        clock_ahead_s,
    })
}

async fn bulks_failing(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Option<(i64, String)>> {
    let failing: (i64, Option<String>) = sqlx::query_as(
        "select count(*), max(last_error) from bulk
         where tenant = $1 and status = 'running' and last_error is not null",
    )
    .bind(tenant)
    .fetch_one(conn)
    .await?;
    Ok(failing.1.map(|error| (failing.0, error)))
}

/// Whether the engine's clock is set by hand, and how far the server's own is ahead of this machine's: the middle of the
/// question's way there and back is taken for the instant of the answer.
async fn clock(conn: &mut PgConnection) -> sqlx::Result<(bool, f64)> {
    let asked_at = Utc::now();
    let (by_hand, there): (bool, DateTime<Utc>) =
        sqlx::query_as("select exists (select 1 from clock), clock_timestamp()").fetch_one(conn).await?;
    let here = asked_at + (Utc::now() - asked_at) / 2;
    Ok((by_hand, (there - here).as_seconds_f64()))
}

/// Due runs by destination. Plan: for each destination and priority a range of `run_due`.
async fn due(conn: &mut PgConnection, tenant: &str, lanes: &[&str]) -> sqlx::Result<Vec<(String, Backlog)>> {
    let rows: Vec<(String, i64, f64)> = sqlx::query_as(
        "select place.name, sum(d.n)::int8,
                coalesce(extract(epoch from engine_now() - min(d.oldest))::float8, 0)
         from (select name from destination where tenant = $1 union select unnest($2::text[]) union select '') as place
         cross join unnest(array[0, 1, 2]::smallint[]) as of (priority)
         cross join lateral (
             select count(*) as n, min(due_at) as oldest from run
             where tenant = $1 and lane = place.name and priority = of.priority and status in ('pending', 'waiting')
               and due_at <= engine_now()) d
         group by place.name order by place.name",
    )
    .bind(tenant)
    .bind(lanes)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(lane, count, oldest_s)| (lane, Backlog { count, oldest_s })).collect())
}

/// Turns in hand for longer than a handler may take. Plan: the rows of `run_running`, as many as there are hands.
async fn long_turns(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<i64> {
    let longest = TimeDelta::from_std(HANDLER_MAX).unwrap_or_default().num_seconds();
    sqlx::query_scalar(
        "select count(*) from run
         where tenant = $1 and status = 'running' and updated_at < engine_now() - make_interval(secs => $2)",
    )
    .bind(tenant)
    .bind(longest)
    .fetch_one(conn)
    .await
}

/// Letters that are not settled. Plan: `outbox_due`, `outbox_sending` and `outbox_awaits_person`, index-only.
pub async fn letters(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "select 'pending', count(*) from outbox where tenant = $1 and status = 'pending'
         union all select 'sending', count(*) from outbox where tenant = $1 and status = 'sending'
         union all select 'suspended', count(*) from outbox where tenant = $1 and status = 'suspended'",
    )
    .bind(tenant)
    .fetch_all(conn)
    .await
}

/// Due letters. Plan: `outbox_due`, which holds what is not settled.
async fn letters_due(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Backlog> {
    sqlx::query_as(
        "select count(*) as count, coalesce(extract(epoch from engine_now() - min(due_at))::float8, 0) as oldest_s
         from outbox where tenant = $1 and status = 'pending' and due_at <= engine_now()",
    )
    .bind(tenant)
    .fetch_one(conn)
    .await
}

/// Due letters that no destination holds up. Plan: `outbox_due`, a topic at a time.
async fn letters_late(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Backlog> {
    sqlx::query_as(
        "select count(*) as count, coalesce(extract(epoch from engine_now() - min(due_at))::float8, 0) as oldest_s
         from outbox where tenant = $1 and status = 'pending' and due_at <= engine_now()
           and topic not in (select unnest(topics) from destination
                             where tenant = $1 and (paused_at is not null or state <> 'closed'))",
    )
    .bind(tenant)
    .fetch_one(conn)
    .await
}

/// Signals without a run, hints apart: a hint that nobody waits for is nobody's loss. Plan: the waiting ones.
async fn unmatched(conn: &mut PgConnection, tenant: &str) -> sqlx::Result<Backlog> {
    sqlx::query_as(
        "select count(*) as count, coalesce(extract(epoch from engine_now() - min(received_at))::float8, 0) as oldest_s
         from unmatched where tenant = $1 and status = 'waiting' and signal_id not like 'hint:%'",
    )
    .bind(tenant)
    .fetch_one(conn)
    .await
}

//! What the database says when a simulation is over, a run at a time. Reads only; judges nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use houbu::engine::RunId;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgRow;

use super::harbour::Logbook;
use super::stage::TENANT;

/// One run with everything that stands about it.
#[derive(Debug, Clone)]
pub struct RunFacts {
    pub row: Row,
    pub book: Logbook,
    /// Its history in order.
    pub turns: Vec<Turn>,
    /// Its inbox in order of arrival.
    pub inbox: Vec<Received>,
    /// Its letters: id and status.
    pub letters: Vec<(String, String)>,
    /// Where the workflow's own table says that it stands, and after how many entries.
    pub place: Option<(String, i32)>,
}

/// A row of `run`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub id: RunId,
    pub workflow: String,
    pub key: String,
    pub step: String,
    pub status: String,
    pub turn: i32,
    pub signal_count: i32,
    pub owes: Vec<String>,
    pub parent: Option<RunId>,
    pub last_error: Option<String>,
}

/// A line of history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Turn {
    pub run_id: RunId,
    #[sqlx(rename = "turn")]
    pub number: i32,
    pub at: DateTime<Utc>,
    pub step: String,
    pub woke: Option<String>,
    pub outcome: Option<String>,
    pub next: String,
    pub error: Option<String>,
}

/// A row of an inbox.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Received {
    pub run_id: RunId,
    pub signal_id: String,
    pub name: String,
    #[sqlx(rename = "received_at")]
    pub came_at: DateTime<Utc>,
    pub read_turn: Option<i32>,
    /// When it came into the inbox, where that was later: its run was not there when it was received.
    pub matched_at: Option<DateTime<Utc>>,
}

/// A signal whose run there is not.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Kept {
    pub workflow: Option<String>,
    pub key: Option<String>,
    pub run_id: Option<RunId>,
    pub signal_id: String,
}

/// A row of the audit.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Audited {
    pub run_id: RunId,
    pub who: String,
    pub verb: String,
    pub reason: String,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Facts {
    pub runs: HashMap<RunId, RunFacts>,
    pub kept: Vec<Kept>,
    /// What people did.
    pub audit: Vec<Audited>,
    /// Leases that have not ended.
    pub leases: i64,
}

/// Reads everything.
pub async fn read(pool: &PgPool) -> sqlx::Result<Facts> {
    let rows: Vec<Row> = all(
        pool,
        "select id, workflow, key, step, status, turn, signal_count, owes, parent, last_error from run where tenant = $1",
    )
    .await?;
    let books: Vec<(RunId, Value)> = all(pool, "select run_id, state from run_state where tenant = $1").await?;
    let mut books: HashMap<RunId, Value> = books.into_iter().collect();
    let turns: Vec<Turn> = all(
        pool,
        "select run_id, turn, at, step, woke, outcome, next, error from turn where tenant = $1 order by run_id, seq",
    )
    .await?;
    let mut turns = by_run(turns, |turn| turn.run_id);
    let inbox: Vec<Received> = all(
        pool,
        "select i.run_id, i.signal_id, i.name, i.received_at, i.read_turn,
                (select min(u.settled_at) from unmatched u
                 where u.tenant = i.tenant and u.matched_run = i.run_id and u.signal_id = i.signal_id) as matched_at
         from inbox i where i.tenant = $1 order by i.run_id, i.seq",
    )
    .await?;
    let mut inbox = by_run(inbox, |received| received.run_id);
    let letters: Vec<(RunId, String, String)> =
        all(pool, "select run_id, id, status from outbox where tenant = $1").await?;
    let mut letters = by_run(letters, |letter| letter.0);
    let places: Vec<(RunId, String, i32)> = all(pool, "select run_id, step, entries from place where $1 <> ''").await?;
    let mut places: HashMap<RunId, (String, i32)> =
        places.into_iter().map(|(run, step, entries)| (run, (step, entries))).collect();
    let runs = rows
        .into_iter()
        .map(|row| {
            let id = row.id;
            let facts = RunFacts {
                book: serde_json::from_value(books.remove(&id).unwrap_or_default()).unwrap(),
                turns: turns.remove(&id).unwrap_or_default(),
                inbox: inbox.remove(&id).unwrap_or_default(),
                letters: letters.remove(&id).unwrap_or_default().into_iter().map(|(_, id, so)| (id, so)).collect(),
                place: places.remove(&id),
                row,
            };
            (id, facts)
        })
        .collect();
    let kept =
        all(pool, "select workflow, key, run_id, signal_id from unmatched where tenant = $1 and status = 'waiting'")
            .await?;
    let audit = all(pool, "select run_id, who, verb, reason from audit where tenant = $1 order by id").await?;
    let leases = sqlx::query_scalar("select count(*) from worker where lease_until > clock_timestamp()");
    Ok(Facts { runs, kept, audit, leases: leases.fetch_one(pool).await? })
}

async fn all<T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin>(
    pool: &PgPool,
    query: &'static str,
) -> sqlx::Result<Vec<T>> {
    sqlx::query_as(query).bind(TENANT).fetch_all(pool).await
}

fn by_run<T>(all: Vec<T>, run: impl Fn(&T) -> RunId) -> HashMap<RunId, Vec<T>> {
    let mut of = HashMap::<RunId, Vec<T>>::new();
    for one in all {
        of.entry(run(&one)).or_default().push(one);
    }
    of
}

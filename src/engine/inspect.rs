//! Finds and shows runs; says why one is not moving. Reads only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

use super::RunId;
use super::preflight::{self, Place, Runnable};
use super::store::lists;

/// A run as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Seen {
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: String,
    /// The caller's name for it.
    pub key: String,
    /// Where it stands.
    pub step: String,
    /// The destination that its step calls; empty: none.
    pub lane: String,
    /// pending, running, waiting, suspended, cancelled, faulted, completed.
    pub status: String,
    /// Committed turns.
    pub turn: i32,
    /// Failed attempts at this step.
    pub attempt: i32,
    /// When its next turn is due.
    pub due_at: Option<DateTime<Utc>>,
    /// The signals that wake it.
    pub listens: Vec<String>,
    /// What went wrong last; where a person suspended it, who and why.
    pub last_error: Option<String>,
    /// The class of that; `staff` where a person suspended it.
    pub fault: Option<String>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it last moved.
    pub updated_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which runs are wanted; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The workflow.
    pub workflow: Option<String>,
    /// The status.
    pub status: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// The beginning of the key, or a whole id.
    pub q: Option<String>,
    /// Only these.
    pub ids: Option<Vec<RunId>>,
    /// Only those that have not moved since; of no status: that live.
    pub still_since: Option<DateTime<Utc>>,
    /// Whose last error contains this text.
    pub error: Option<String>,
    /// Only those that this run started.
    pub parent: Option<RunId>,
    /// Only runs older than this one: the last of the page before.
    pub before: Option<RunId>,
    /// The most runs of a page.
    pub most: i64,
    /// Every `workflow/step` that somebody can run: live runs elsewhere have the status [`UNRUNNABLE`]. None: whatever
    /// stands in the row is the status.
    pub runnable: Option<Vec<String>>,
}

/// The status in which a run is shown whose step nobody knows, whatever its row says.
pub const UNRUNNABLE: &str = "unrunnable";

/// Runs, newest first, archived ones included.
pub async fn list(db: impl PgExecutor<'_>, tenant: &str, filter: &Filter) -> sqlx::Result<Vec<Seen>> {
    lists::list(db, tenant, filter).await
}

/// One run, wherever it is.
pub async fn find(db: impl PgExecutor<'_>, tenant: &str, id: RunId) -> sqlx::Result<Option<Seen>> {
    lists::find(db, tenant, id).await
}

/// The run of this key, wherever it is.
pub async fn find_key(db: impl PgExecutor<'_>, tenant: &str, workflow: &str, key: &str) -> sqlx::Result<Option<Seen>> {
    lists::find_key(db, tenant, workflow, key).await
}

/// What a run knows.
pub async fn state(db: impl PgExecutor<'_>, tenant: &str, id: RunId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar(
        "select state from run_state where tenant = $1 and run_id = $2
         union all
         select state from run_archive where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(db)
    .await
}

/// One line of a run's history.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Told {
    /// The line's place.
    pub seq: i64,
    /// The turn that was committed; failed attempts carry that of the turn that they did not come to.
    pub turn: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// The step that was handled.
    pub step: String,
    /// The signal that woke it, `deadline`, or `staff`.
    pub woke: Option<String>,
    /// What was decided; none where it failed.
    pub outcome: Option<String>,
    /// Where it went.
    pub next: String,
    /// What went wrong, or the staff's reason.
    pub error: Option<String>,
    /// Failed attempts before.
    pub attempt: i32,
    /// How long the handler took.
    pub took_ms: i32,
}

/// The lines of a run, whether it has ended or not, beyond the line `$3`.
macro_rules! lines {
    ($order:literal) => {
        concat!(
            "select seq, turn, at, step, woke, outcome, next, error, attempt, took_ms from turn
             where tenant = $1 and run_id = $2 and seq > $3
               and at >= (select created_at from run where tenant = $1 and id = $2
                          union all
                          select created_at from run_archive where tenant = $1 and id = $2) - interval '31 days'
               and at <= coalesce((select ended_at from run where tenant = $1 and id = $2
                                   union all
                                   select ended_at from run_archive where tenant = $1 and id = $2) + interval '31 days',
                                  'infinity')
             order by seq ",
            $order,
            " limit $4"
        )
    };
}

/// The statement of [`history`]: tenant, run, line, how many.
///
/// Plan: one index scan a month that the run lived in. The bounds leave out the other months; they are a month wider
/// than its life, for lines that were written while it ended and for a clock that is set by hand.
pub const HISTORY: &str = lines!("asc");

/// A run's history, oldest first, after the line `after`.
pub async fn history(
    db: impl PgExecutor<'_>,
    tenant: &str,
    id: RunId,
    after: i64,
    most: i64,
) -> sqlx::Result<Vec<Told>> {
    sqlx::query_as(HISTORY).bind(tenant).bind(id).bind(after).bind(most).fetch_all(db).await
}

/// The last lines of a run's history, oldest first.
pub async fn last_of_history(db: impl PgExecutor<'_>, tenant: &str, id: RunId, most: i64) -> sqlx::Result<Vec<Told>> {
    let mut lines: Vec<Told> =
        sqlx::query_as(lines!("desc")).bind(tenant).bind(id).bind(-1_i64).bind(most).fetch_all(db).await?;
    lines.reverse();
    Ok(lines)
}

/// A signal in a run's inbox.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Received {
    /// Its id.
    pub signal_id: String,
    /// Its name.
    pub name: String,
    /// What came with it.
    pub payload: Value,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// The turn that heard it; none: not yet; 0: it came too late for any.
    pub read_turn: Option<i32>,
}

/// The last signals that a run received, oldest first.
pub async fn inbox(db: impl PgExecutor<'_>, tenant: &str, id: RunId, most: i64) -> sqlx::Result<Vec<Received>> {
    sqlx::query_as(
        "select signal_id, name, payload, received_at, read_turn from (
             select signal_id, name, payload, received_at, read_turn, seq from inbox
             where tenant = $1 and run_id = $2 order by seq desc limit $3) last
         order by seq",
    )
    .bind(tenant)
    .bind(id)
    .bind(most)
    .fetch_all(db)
    .await
}

/// What stands behind a run: who started it, what it owes.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub struct Behind {
    /// The run that started it.
    pub parent: Option<RunId>,
    /// Obligations that are open, or may be.
    pub owes: Vec<String>,
    /// Since when its step fails.
    pub failing_since: Option<DateTime<Utc>>,
}

/// What stands behind a run.
pub async fn behind(db: impl PgExecutor<'_>, tenant: &str, id: RunId) -> sqlx::Result<Option<Behind>> {
    sqlx::query_as(
        "select parent, owes, failing_since from run where tenant = $1 and id = $2
         union all
         select parent, owes, failing_since from run_archive where tenant = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
    .fetch_optional(db)
    .await
}

/// A letter that a run wrote.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Posted {
    /// Its id, which the receiver sees.
    pub id: String,
    /// Which outlet delivers it.
    pub topic: String,
    /// What it says: names and texts are filled in when it is sent.
    pub payload: Value,
    /// pending, sending, sent, suppressed, undeliverable, suspended.
    pub status: String,
    /// Failed attempts.
    pub attempt: i32,
    /// When it is tried next, or was due.
    pub due_at: DateTime<Utc>,
    /// Why it was not sent.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was sent, or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// The last letters that a run wrote, oldest first. Plan: `outbox_run`.
pub async fn outbox(db: impl PgExecutor<'_>, tenant: &str, id: RunId, most: i64) -> sqlx::Result<Vec<Posted>> {
    sqlx::query_as(
        "select * from (
             select id, topic, payload, status, attempt, due_at, last_error, created_at, settled_at from outbox
             where tenant = $1 and run_id = $2 order by created_at desc, id desc limit $3) last
         order by created_at, id",
    )
    .bind(tenant)
    .bind(id)
    .bind(most)
    .fetch_all(db)
    .await
}

/// How many runs that have not ended each workflow has in each status; `runnable` as in [`Filter`], and what somebody has
/// suspended stays suspended.
pub async fn counts(
    db: impl PgExecutor<'_>,
    tenant: &str,
    runnable: &[String],
) -> sqlx::Result<Vec<(String, String, i64)>> {
    Ok(counted(&preflight::places(db, tenant).await?, runnable))
}

/// The same of where they stand.
pub fn counted(places: &[Place], runnable: &[String]) -> Vec<(String, String, i64)> {
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for place in places {
        let runs = place.status == "suspended" || place.is_in(runnable);
        let status = if runs { place.status.as_str() } else { UNRUNNABLE };
        *counts.entry((&place.workflow, status)).or_default() += place.runs;
    }
    counts.into_iter().map(|((workflow, status), runs)| (workflow.to_owned(), status.to_owned(), runs)).collect()
}

/// Why a run is not moving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It has ended.
    Ended,
    /// A worker has it in hand.
    InHand,
    /// Nothing holds it: the next free worker takes it.
    DueNow,
    /// No live worker knows its step: it waits for a release that does.
    Unrunnable {
        /// The step.
        step: String,
    },
    /// No worker lives.
    NobodyWorks,
    /// It waits for one of these signals, until then.
    Waits {
        /// The signals.
        signals: Vec<String>,
        /// Its deadline.
        until: Option<DateTime<Utc>>,
    },
    /// Its step failed and is tried again then.
    BacksOff {
        /// When.
        until: DateTime<Utc>,
        /// What went wrong.
        error: String,
        /// How often it failed.
        attempts: i32,
    },
    /// A person must look.
    Suspended {
        /// Why.
        reason: String,
    },
    /// A person has suspended it.
    SuspendedByStaff {
        /// Who, and why.
        said: String,
    },
    /// Its step is due and its destination takes no more calls for now.
    LimitFull {
        /// The destination.
        lane: String,
    },
    /// Its destination is down: what needs it waits.
    DestinationDown {
        /// The destination.
        lane: String,
        /// Since when.
        since: Option<DateTime<Utc>>,
        /// When it is tried again; none: that is being done.
        until: Option<DateTime<Utc>>,
        /// What went wrong.
        error: String,
    },
    /// A person has paused its destination.
    DestinationPaused {
        /// The destination.
        lane: String,
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Its turn is due then.
    DueLater {
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why `run` is not moving at `now`; `runnable` says who could run its step.
pub fn why(run: &Seen, runnable: Runnable, now: DateTime<Utc>) -> Why {
    let error = || run.last_error.clone().unwrap_or_default();
    let due = run.status == "running" || run.due_at.is_some_and(|due| due <= now);
    match run.status.as_str() {
        "completed" | "cancelled" | "faulted" => Why::Ended,
        "suspended" if run.fault.as_deref() == Some("staff") => Why::SuspendedByStaff { said: error() },
        "suspended" => Why::Suspended { reason: error() },
        _ if runnable == Runnable::No => Why::Unrunnable { step: run.step.clone() },
        _ if runnable == Runnable::NobodyWorks && due => Why::NobodyWorks,
        "running" => Why::InHand,
        _ if due => Why::DueNow,
        "waiting" => Why::Waits { signals: run.listens.clone(), until: run.due_at },
        _ => match run.due_at {
            Some(until) if run.attempt > 0 => Why::BacksOff { until, error: error(), attempts: run.attempt },
            Some(at) => Why::DueLater { at },
            None => Why::Suspended { reason: error() },
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn run(status: &str, due_in: Option<i64>, attempt: i32) -> Seen {
        let now = DateTime::UNIX_EPOCH;
        Seen {
            id: RunId::nil(),
            workflow: "w".to_owned(),
            key: "k".to_owned(),
            step: "S".to_owned(),
            lane: String::new(),
            status: status.to_owned(),
            turn: 1,
            attempt,
            due_at: due_in.map(|seconds| now + TimeDelta::seconds(seconds)),
            listens: vec!["A".to_owned()],
            last_error: Some("broken".to_owned()),
            fault: None,
            created_at: now,
            updated_at: now,
            ended_at: None,
        }
    }

    #[test]
    fn every_standstill_has_its_reason() {
        use Runnable::{No, NobodyWorks, Yes};
        let unrunnable = || Why::Unrunnable { step: "S".to_owned() };
        let now = DateTime::UNIX_EPOCH;
        let at = |seconds| now + TimeDelta::seconds(seconds);
        let table = [
            (run("completed", None, 0), No, Why::Ended),
            (run("running", None, 0), Yes, Why::InHand),
            (run("running", None, 0), No, unrunnable()),
            (run("running", None, 0), NobodyWorks, Why::NobodyWorks),
            (run("suspended", None, 3), Yes, Why::Suspended { reason: "broken".to_owned() }),
            (run("waiting", Some(5), 0), Yes, Why::Waits { signals: vec!["A".to_owned()], until: Some(at(5)) }),
            (run("waiting", Some(0), 0), Yes, Why::DueNow),
            (run("pending", Some(-1), 0), Yes, Why::DueNow),
            (run("pending", Some(-1), 0), No, unrunnable()),
            (run("waiting", Some(5), 0), No, unrunnable()),
            (run("suspended", None, 3), No, Why::Suspended { reason: "broken".to_owned() }),
            (
                Seen { fault: Some("staff".to_owned()), ..run("suspended", None, 0) },
                Yes,
                Why::SuspendedByStaff { said: "broken".to_owned() },
            ),
            (run("pending", Some(-1), 0), NobodyWorks, Why::NobodyWorks),
            (run("pending", Some(9), 0), NobodyWorks, Why::DueLater { at: at(9) }),
            (run("pending", Some(9), 2), Yes, Why::BacksOff { until: at(9), error: "broken".to_owned(), attempts: 2 }),
            (run("pending", Some(9), 0), Yes, Why::DueLater { at: at(9) }),
        ];
        for (run, runnable, expected) in table {
            assert_eq!(why(&run, runnable, now), expected, "{} {:?}", run.status, run.due_at);
        }
    }
}

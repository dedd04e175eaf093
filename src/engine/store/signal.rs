//! Signals: written into the run's inbox before anybody is told that they arrived, heard once per id.
//!
//! A signal raises the run's `signal_count`. A turn that resolves a wait commits only if it saw that count, so a
//! signal and a deadline of the same instant have one winner; the loser stays in the inbox, unread and visible.

use std::borrow::Cow;

use serde_json::Value;
use sqlx::PgConnection;

use super::super::RunId;
use super::super::flow::{ChildEnded, To};

/// A signal on its way.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Which run.
    pub to: To,
    /// Its name in the receiver's table.
    pub name: Cow<'static, str>,
    /// The same id is heard once.
    pub id: String,
    /// What goes with it.
    pub payload: Value,
}

impl ChildEnded {
    /// The signal that tells `parent`. Its id is the child's: a run ends once.
    pub fn signal(&self, parent: RunId, name: String) -> Outgoing {
        let payload = serde_json::json!({
            "run": self.run, "workflow": self.workflow, "key": self.key, "ending": self.ending,
            "cancelled": self.cancelled,
        });
        Outgoing { to: To::Run(parent), name: name.into(), id: format!("ended:{}", self.run), payload }
    }
}

/// What came of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// It stands in the run's inbox.
    Delivered,
    /// It stood there already.
    Duplicate,
    /// There is no such run.
    NoRun,
}

/// Sends one signal, in the caller's transaction.
pub async fn signal(conn: &mut PgConnection, tenant: &str, signal: &Outgoing) -> sqlx::Result<Signalled> {
    let known = resolve(conn, tenant, std::slice::from_ref(signal)).await?;
    let [Some(run)] = known[..] else { return Ok(Signalled::NoRun) };
    let put = put(conn, tenant, &[(run, signal)]).await?;
    Ok(if put == 0 { Signalled::Duplicate } else { Signalled::Delivered })
}

/// Sends many and answers how many were new. Those for runs that do not exist are dropped with a log line.
pub async fn deliver(conn: &mut PgConnection, tenant: &str, signals: &[Outgoing]) -> sqlx::Result<usize> {
    if signals.is_empty() {
        return Ok(0);
    }
    let known = resolve(conn, tenant, signals).await?;
    let mut addressed = Vec::with_capacity(signals.len());
    for (signal, run) in signals.iter().zip(known) {
        if let Some(run) = run {
            addressed.push((run, signal));
        } else {
            tracing::warn!(signal = %signal.name, to = ?signal.to, "a signal is for a run that does not exist");
        }
    }
    put(conn, tenant, &addressed).await
}

/// The runs that signals are for, locked in the order of their ids: `run` rows come first in every transaction.
async fn resolve(conn: &mut PgConnection, tenant: &str, signals: &[Outgoing]) -> sqlx::Result<Vec<Option<RunId>>> {
    let (mut workflows, mut keys) = (Vec::new(), Vec::new());
    for signal in signals {
        if let To::Key { workflow, key } = &signal.to {
            workflows.push(*workflow);
            keys.push(key.as_str());
        }
    }
    let by_key: Vec<(String, String, RunId)> = if keys.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(
            "select r.workflow, r.key, r.id
             from unnest($2::text[], $3::text[]) as t (workflow, key)
             join run r on r.tenant = $1 and r.workflow = t.workflow and r.key = t.key",
        )
        .bind(tenant)
        .bind(&workflows)
        .bind(&keys)
        .fetch_all(&mut *conn)
        .await?
    };
    let wanted: Vec<Option<RunId>> = signals
        .iter()
        .map(|signal| match &signal.to {
            To::Run(id) => Some(*id),
            To::Key { workflow, key } => {
                by_key.iter().find(|(w, k, _)| w == workflow && k == key).map(|(_, _, id)| *id)
            }
        })
        .collect();
    let locked = lock(conn, tenant, wanted.iter().flatten().copied().collect()).await?;
    Ok(wanted.into_iter().map(|id| id.filter(|id| locked.contains(id))).collect())
}

/// Locks one run for the rest of the transaction: what its turns would change stays as it is. False where there is no
/// such run.
pub async fn hold(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<bool> {
    Ok(!lock(conn, tenant, vec![run]).await?.is_empty())
}

/// Where the run of this key stands: status and step. It stands there for the rest of the transaction, and others may
/// look at it in the same way; its turns and signals wait.
pub async fn hold_still(
    conn: &mut PgConnection,
    tenant: &str,
    workflow: &str,
    key: &str,
) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as("select status, step from run where tenant = $1 and workflow = $2 and key = $3 for share")
        .bind(tenant)
        .bind(workflow)
        .bind(key)
        .fetch_optional(conn)
        .await
}

/// Locks these runs in the order of their ids and answers which exist.
pub(in super::super) async fn lock(
    conn: &mut PgConnection,
    tenant: &str,
    runs: Vec<RunId>,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar("select id from run where tenant = $1 and id = any($2) order by id for update")
        .bind(tenant)
        .bind(runs)
        .fetch_all(conn)
        .await
}

/// Writes signals into inboxes (as late ones where the run has ended) and wakes the runs that listen for them. Answers how many were new.
async fn put(conn: &mut PgConnection, tenant: &str, signals: &[(RunId, &Outgoing)]) -> sqlx::Result<usize> {
    if signals.is_empty() {
        return Ok(0);
    }
    let new: Vec<(RunId, String)> = sqlx::query_as(
        "insert into inbox (tenant, run_id, signal_id, name, payload, read_turn)
         select $1, t.*, case when r.status in ('completed', 'cancelled', 'faulted') then 0 end
         from unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[]) as t (run_id, signal_id, name, payload)
         join run r on r.tenant = $1 and r.id = t.run_id
         on conflict (tenant, run_id, signal_id) do nothing
         returning run_id, name",
    )
    .bind(tenant)
    .bind(signals.iter().map(|(run, _)| *run).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| signal.id.as_str()).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| &*signal.name).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| &signal.payload).collect::<Vec<_>>())
    .fetch_all(&mut *conn)
    .await?;
    let (runs, names): (Vec<RunId>, Vec<String>) = new.into_iter().unzip();
    // One row a run by primary key; `due_at` moves only for a run that waits for one of these names.
    sqlx::query(
        "update run r
         set signal_count = r.signal_count + t.n,
             due_at = case when r.status = 'waiting' and r.listens && t.names
                           then least(r.due_at, engine_now()) else r.due_at end
         from (select run_id, count(*)::int as n, array_agg(name) as names
               from unnest($2::uuid[], $3::text[]) as t (run_id, name) group by run_id) t
         where r.tenant = $1 and r.id = t.run_id",
    )
    .bind(tenant)
    .bind(&runs)
    .bind(&names)
    .execute(conn)
    .await?;
    Ok(runs.len())
}

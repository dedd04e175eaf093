//! Signals: written into the run's inbox before anybody is told that they arrived, heard once per id.
//!
//! A signal raises the run's `signal_count`. A turn that resolves a wait commits only if it saw that count, so a
//! signal and a deadline of the same instant have one winner; the loser stays in the inbox, unread and visible.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::super::RunId;
use super::super::flow::{ChildEnded, To};
use super::super::measure;
use super::super::sizes::{self, Stored};
use super::super::traces;
use super::unmatched::Address;
use super::{archive, unmatched};

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

impl Outgoing {
    /// Where it waits while its run is not there.
    pub(super) fn address(&self) -> Address {
        match &self.to {
            To::Key { workflow, key } => (Some((*workflow).to_owned()), Some(key.clone()), None, self.id.clone()),
            To::Run(run) => (None, None, Some(*run), self.id.clone()),
        }
    }
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
    /// It stood there already, or is kept already.
    Duplicate,
    /// There is no such run: it is kept until there is one (see [`unmatched`]).
    Kept,
}

/// Sends one signal, in the caller's transaction.
pub async fn signal(conn: &mut PgConnection, tenant: &str, signal: &Outgoing) -> sqlx::Result<Signalled> {
    let came = deliver(conn, tenant, std::slice::from_ref(signal)).await?;
    Ok(came.first().copied().unwrap_or(Signalled::Duplicate))
}

/// Sends many, in the caller's transaction, and answers what came of each.
pub async fn deliver(conn: &mut PgConnection, tenant: &str, signals: &[Outgoing]) -> sqlx::Result<Vec<Signalled>> {
    if signals.is_empty() {
        return Ok(Vec::new());
    }
    let places = resolve(conn, tenant, signals).await?;
    place(conn, tenant, signals, &places).await
}

/// Sends hints: of those for a run that there is not yet, one of each name is kept. Whoever appears looks for himself;
/// being told a hundred times would make him look a hundred times.
pub async fn hint(conn: &mut PgConnection, tenant: &str, hints: &[Outgoing]) -> sqlx::Result<Vec<Signalled>> {
    let places = resolve(conn, tenant, hints).await?;
    let named: Vec<Outgoing> = hints
        .iter()
        .zip(&places)
        .map(|(hint, place)| match place {
            Place::Nowhere => Outgoing { id: format!("hint:{}", hint.name), ..hint.clone() },
            Place::Live(_) | Place::Archived(_) => hint.clone(),
        })
        .collect();
    place(conn, tenant, &named, &places).await
}

/// How many of some signals came to what; the others had come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Fates {
    pub(in super::super) new: usize,
    pub(in super::super) late: usize,
    pub(in super::super) kept: usize,
}

/// Where the run of a signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In `run`, locked.
    Live(RunId),
    /// In the archive: whatever comes is late.
    Archived(RunId),
    /// There is none.
    Nowhere,
}

/// Writes signals where their runs are.
async fn place(
    conn: &mut PgConnection,
    tenant: &str,
    signals: &[Outgoing],
    places: &[Place],
) -> sqlx::Result<Vec<Signalled>> {
    for signal in signals {
        sizes::check(Stored::Signal, &signal.payload)?;
    }
    let (mut live, mut archived, mut nowhere) = (Vec::new(), Vec::new(), Vec::new());
    for (signal, place) in signals.iter().zip(places) {
        match place {
            Place::Live(run) => live.push((*run, signal)),
            Place::Archived(run) => archived.push((*run, signal)),
            Place::Nowhere => nowhere.push(signal),
        }
    }
    let (mut new, ended) = put(conn, tenant, &live).await?;
    let late = put_late(conn, tenant, &archived).await?;
    let mut kept = unmatched::keep(conn, tenant, &nowhere).await?;
    let fates = Fates { new: new.len() - ended, late: late.len() + ended, kept: kept.len() };
    measure::signals(&fates, signals.len());
    new.extend(late);
    let came = |(signal, place): (&Outgoing, &Place)| match place {
        Place::Live(run) | Place::Archived(run) if new.remove(&(*run, signal.id.clone())) => Signalled::Delivered,
        Place::Nowhere if kept.remove(&signal.address()) => Signalled::Kept,
        _ => Signalled::Duplicate,
    };
    Ok(signals.iter().zip(places).map(came).collect())
}

/// The runs that signals are for, locked in the order of their ids: `run` rows come first in every transaction. What
/// came earlier and still waits for one of them is put before.
async fn resolve(conn: &mut PgConnection, tenant: &str, signals: &[Outgoing]) -> sqlx::Result<Vec<Place>> {
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
        // The archive is looked at in the same statement: a run on its way there is in one of the two.
        sqlx::query_as(
            "select t.workflow, t.key, coalesce(r.id, a.id)
             from unnest($2::text[], $3::text[]) as t (workflow, key)
             left join run r on r.tenant = $1 and r.workflow = t.workflow and r.key = t.key
             left join run_archive a on r.id is null
                                    and a.tenant = $1 and a.workflow = t.workflow and a.key = t.key
             where r.id is not null or a.id is not null",
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
    let (live, early) = lock_with_early(conn, tenant, wanted.iter().flatten().copied().collect()).await?;
    if !early.is_empty() {
        unmatched::match_to(conn, tenant, &early).await?;
    }
    let missing: Vec<RunId> = wanted.iter().flatten().copied().filter(|id| !live.contains(id)).collect();
    let archived = if missing.is_empty() { Vec::new() } else { archive::hold(conn, tenant, &missing).await? };
    Ok(wanted
        .into_iter()
        .map(|id| match id {
            Some(id) if live.contains(&id) => Place::Live(id),
            Some(id) if archived.contains(&id) => Place::Archived(id),
            _ => Place::Nowhere,
        })
        .collect())
}

/// Locks these runs in the order of their ids; answers which exist, and for which of them earlier signals wait.
async fn lock_with_early(
    conn: &mut PgConnection,
    tenant: &str,
    runs: Vec<RunId>,
) -> sqlx::Result<(Vec<RunId>, Vec<RunId>)> {
    if runs.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    // The look into unmatched_key and unmatched_run costs no statement of its own: mostly they are empty.
    let locked: Vec<(RunId, bool)> = sqlx::query_as(
        "select r.id,
                exists (select 1 from unmatched u where u.tenant = r.tenant and u.status = 'waiting'
                                                   and u.workflow = r.workflow and u.key = r.key)
                or exists (select 1 from unmatched u where u.tenant = r.tenant and u.status = 'waiting'
                                                      and u.run_id = r.id)
         from run r where r.tenant = $1 and r.id = any($2) order by r.id for update of r",
    )
    .bind(tenant)
    .bind(runs)
    .fetch_all(conn)
    .await?;
    let early = locked.iter().filter(|(_, waits)| *waits).map(|(run, _)| *run).collect();
    Ok((locked.into_iter().map(|(run, _)| run).collect(), early))
}

/// Locks one run for the rest of the transaction: what its turns would change stays as it is. False where there is no
/// such run.
pub async fn hold(conn: &mut PgConnection, tenant: &str, run: RunId) -> sqlx::Result<bool> {
    Ok(!lock(conn, tenant, vec![run]).await?.is_empty())
}

/// How many signals of this name a run has heard: one that is sent anew after that has another id.
pub async fn heard(db: impl PgExecutor<'_>, tenant: &str, run: RunId, name: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from inbox where tenant = $1 and run_id = $2 and name = $3 and read_turn is not null",
    )
    .bind(tenant)
    .bind(run)
    .bind(name)
    .fetch_one(db)
    .await
}

/// The signals of this name that these runs have not heard. Plan: `inbox_unread`.
pub async fn unheard(
    db: impl PgExecutor<'_>,
    tenant: &str,
    runs: &[RunId],
    name: &str,
) -> sqlx::Result<Vec<(RunId, Value)>> {
    sqlx::query_as(
        "select run_id, payload from inbox
         where tenant = $1 and run_id = any($2) and name = $3 and read_turn is null order by run_id, seq",
    )
    .bind(tenant)
    .bind(runs)
    .bind(name)
    .fetch_all(db)
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

/// What was written: the run and the signal's id.
type New = HashSet<(RunId, String)>;

/// Writes signals into inboxes in the order given (as late ones where the run has ended) and wakes the runs that listen
/// for them. Answers the new ones, and how many of them are late.
async fn put(conn: &mut PgConnection, tenant: &str, signals: &[(RunId, &Outgoing)]) -> sqlx::Result<(New, usize)> {
    if signals.is_empty() {
        return Ok((New::new(), 0));
    }
    let new: Vec<(RunId, String, String, bool)> = sqlx::query_as(
        "insert into inbox (tenant, run_id, signal_id, name, payload, read_turn, trace)
         select $1, t.run_id, t.signal_id, t.name, t.payload,
                case when r.status in ('completed', 'cancelled', 'faulted') then 0 end, $6
         from unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[]) with ordinality
              as t (run_id, signal_id, name, payload, nth)
         join run r on r.tenant = $1 and r.id = t.run_id
         order by t.nth
         on conflict (tenant, run_id, signal_id) do nothing
         returning run_id, signal_id, name, read_turn is not null",
    )
    .bind(tenant)
    .bind(signals.iter().map(|(run, _)| *run).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| signal.id.as_str()).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| &*signal.name).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| &signal.payload).collect::<Vec<_>>())
    .bind(traces::here())
    .fetch_all(&mut *conn)
    .await?;
    let (runs, names): (Vec<RunId>, Vec<&str>) = new.iter().map(|(run, _, name, _)| (*run, name.as_str())).unzip();
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
    let late = new.iter().filter(|(.., late)| *late).count();
    Ok((new.into_iter().map(|(run, id, ..)| (run, id)).collect(), late))
}

/// Writes signals for archived runs into their inboxes: they came too late for any turn and stay visible as turn 0.
async fn put_late(conn: &mut PgConnection, tenant: &str, signals: &[(RunId, &Outgoing)]) -> sqlx::Result<New> {
    if signals.is_empty() {
        return Ok(New::new());
    }
    let new: Vec<(RunId, String)> = sqlx::query_as(
        "insert into inbox (tenant, run_id, signal_id, name, payload, read_turn)
         select $1, t.run_id, t.signal_id, t.name, t.payload, 0
         from unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[]) with ordinality
              as t (run_id, signal_id, name, payload, nth)
         order by t.nth
         on conflict (tenant, run_id, signal_id) do nothing
         returning run_id, signal_id",
    )
    .bind(tenant)
    .bind(signals.iter().map(|(run, _)| *run).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| signal.id.as_str()).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| &*signal.name).collect::<Vec<_>>())
    .bind(signals.iter().map(|(_, signal)| &signal.payload).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().collect())
}

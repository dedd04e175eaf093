//! Starting runs: idempotent by (workflow, key), in the caller's transaction. A key in the archive is taken too; how that
//! holds against an archiver at work stands with `start_runs` (migration 0011).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryScalar;
use sqlx::{PgConnection, Postgres};
use uuid::Uuid;

use super::super::RunId;
use super::super::flow::{ChildEnded, Effect, NewRun, Parent};
use super::super::sizes::{self, Stored};
use super::trouble::is_refusal;
use super::turns::{Came, Done};

type Scalar<'q, O> = QueryScalar<'q, Postgres, O, PgArguments>;

/// What starting came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The run of that key.
    pub id: RunId,
    /// False where it had been started before.
    pub new: bool,
}

/// Starts a run with all that this causes, in the caller's transaction.
pub async fn start(conn: &mut PgConnection, tenant: &str, new: NewRun) -> sqlx::Result<Started> {
    let id = new.id;
    let started = start_all(conn, tenant, vec![new]).await?;
    Ok(started.first().copied().unwrap_or(Started { id, new: false }))
}

/// Starts many with all that this causes, in the caller's transaction, and answers what came of each. One call where none
/// of them causes anything and no key stood already.
pub async fn start_all(conn: &mut PgConnection, tenant: &str, mut new: Vec<NewRun>) -> sqlx::Result<Vec<Started>> {
    let caused: Vec<Vec<Effect>> = new.iter_mut().map(|one| std::mem::take(&mut one.effects)).collect();
    let started = insert(conn, tenant, &new).await?;
    let caused = started.iter().zip(caused).filter(|(one, _)| one.new);
    let effects = caused.flat_map(|(one, effects)| effects.into_iter().map(|effect| (one.id, effect))).collect();
    super::write_effects(conn, tenant, effects).await?;
    Ok(started)
}

/// A run of that key stands already: `parent` hears of its ending as of any child's, at once where it has ended. A run
/// has one parent; who comes second waits for its own deadline.
async fn adopt(conn: &mut PgConnection, tenant: &str, run: RunId, parent: &Parent) -> sqlx::Result<()> {
    let stands: Option<(String, String, String, String)> = sqlx::query_as(
        "update run set parent = $3, reports = $4
         where tenant = $1 and id = $2 and coalesce(parent, $3) = $3
         returning workflow, key, step, status",
    )
    .bind(tenant)
    .bind(run)
    .bind(parent.run)
    .bind(&parent.signal)
    .fetch_optional(&mut *conn)
    .await?;
    let stands = match stands {
        None => archived(conn, tenant, run).await?,
        some => some,
    };
    let Some((workflow, key, ending, status)) = stands else {
        tracing::warn!(%run, parent = %parent.run, "a run that has a parent already was started as another one's child");
        return Ok(());
    };
    if matches!(status.as_str(), "completed" | "cancelled" | "faulted") {
        let ended = ChildEnded { run, workflow, key, ending, cancelled: status == "cancelled" };
        super::signal(conn, tenant, &ended.signal(parent.run, parent.signal.clone())).await?;
    }
    Ok(())
}

/// Workflow, key, ending and status of an archived run.
async fn archived(
    conn: &mut PgConnection,
    tenant: &str,
    run: RunId,
) -> sqlx::Result<Option<(String, String, String, String)>> {
    sqlx::query_as("select workflow, key, step, status from run_archive where tenant = $1 and id = $2")
        .bind(tenant)
        .bind(run)
        .fetch_optional(conn)
        .await
}

/// Starts a run whose first step acts and which causes nothing, in the hands of a worker: it is running there. Answers the
/// engine's clock beside it. One statement, so that it needs no transaction of the caller's.
pub async fn start_held(
    conn: &mut PgConnection,
    tenant: &str,
    new: &NewRun,
    holder: Uuid,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sizes::check(Stored::Input, &new.state)?;
    let held = "select engine_now() from start_runs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    bound(sqlx::query_scalar(held), tenant, std::slice::from_ref(new)).bind(holder).fetch_optional(conn).await
}

/// Starts a run as it rests after its first turn, `done`: a move that touches nothing else. Answers the engine's clock;
/// `None`, and nothing is written, where the run has to start like any other (migration 0030): there is one of its key, a signal
/// waits for it, or its turn cannot be written, which is for its turn to say.
pub async fn start_decided(
    conn: &mut PgConnection,
    tenant: &str,
    new: &NewRun,
    done: &Done,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let Came::Moved(to) = &done.result else { return Ok(None) };
    sizes::check(Stored::Input, &new.state)?;
    if sizes::check(Stored::State, &to.state).is_err() {
        return Ok(None);
    }
    let (status, until, hears) = to.rest.stored();
    let written = sqlx::query_scalar(
        "select start_decided($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(tenant)
    .bind(new.id)
    .bind(new.workflow)
    .bind(&new.key)
    .bind(new.trace.as_deref())
    .bind(done.step)
    .bind(to.chosen.outcome)
    .bind(done.took_ms())
    .bind(to.chosen.next)
    .bind(status)
    .bind(until)
    .bind(hears)
    .bind(to.lane)
    .bind(to.priority.stored())
    .bind(to.owes.join(","))
    .bind(&to.state)
    .fetch_one(conn)
    .await;
    match written {
        Err(error) if is_refusal(&error) => Ok(None),
        written => written,
    }
}

/// The rows of new runs; of those whose key stands already, the run that has it. Waits for a concurrent start of the same
/// key, then answers that one.
pub(super) async fn insert(conn: &mut PgConnection, tenant: &str, new: &[NewRun]) -> sqlx::Result<Vec<Started>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let started: HashSet<RunId> = rows(conn, tenant, new).await?.into_iter().collect();
    let others: Vec<&NewRun> = new.iter().filter(|one| !started.contains(&one.id)).collect();
    let standing = stand(conn, tenant, &others).await?;
    for one in &others {
        if let (Some(id), Some(parent)) = (standing.get(&(one.workflow.to_owned(), one.key.clone())), &one.parent) {
            adopt(conn, tenant, *id, parent).await?;
        }
    }
    let came = |one: &NewRun| match standing.get(&(one.workflow.to_owned(), one.key.clone())) {
        _ if started.contains(&one.id) => Ok(Started { id: one.id, new: true }),
        Some(id) => Ok(Started { id: *id, new: false }),
        None => Err(sqlx::Error::RowNotFound),
    };
    new.iter().map(came).collect()
}

/// One call of `start_runs` (migration 0011): answers the runs that were started.
async fn rows(conn: &mut PgConnection, tenant: &str, new: &[NewRun]) -> sqlx::Result<Vec<RunId>> {
    for one in new {
        sizes::check(Stored::Input, &one.state)?;
    }
    let start = "select * from start_runs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    bound(sqlx::query_scalar(start), tenant, new).fetch_all(conn).await
}

fn bound<'q, O>(start: Scalar<'q, O>, tenant: &'q str, new: &'q [NewRun]) -> Scalar<'q, O> {
    start
        .bind(tenant)
        .bind(new.iter().map(|one| one.id).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.workflow).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.key.as_str()).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.step.name).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.step.hears.join(",")).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.step.lane_stored()).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.step.priority.stored()).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.due_at).collect::<Vec<_>>())
        .bind(new.iter().map(|one| &one.state).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.parent.as_ref().map(|parent| parent.run)).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.parent.as_ref().map(|parent| parent.signal.as_str())).collect::<Vec<_>>())
        .bind(new.iter().map(|one| one.trace.as_deref()).collect::<Vec<_>>())
}

/// The runs that stand under these keys, by workflow and key. The archive is looked at by the same statement: a run on its
/// way there is in one of the two.
async fn stand(
    conn: &mut PgConnection,
    tenant: &str,
    of: &[&NewRun],
) -> sqlx::Result<HashMap<(String, String), RunId>> {
    if of.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(String, String, RunId)> = sqlx::query_as(
        "select t.workflow, t.key, coalesce(r.id, a.id)
         from unnest($2::text[], $3::text[]) as t (workflow, key)
         left join run r on r.tenant = $1 and r.workflow = t.workflow and r.key = t.key
         left join run_archive a on r.id is null and a.tenant = $1 and a.workflow = t.workflow and a.key = t.key
         where r.id is not null or a.id is not null",
    )
    .bind(tenant)
    .bind(of.iter().map(|one| one.workflow).collect::<Vec<_>>())
    .bind(of.iter().map(|one| one.key.as_str()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().map(|(workflow, key, id)| ((workflow, key), id)).collect())
}

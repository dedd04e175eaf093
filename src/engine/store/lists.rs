//! Finds runs for people: live and archived ones as one list, newest first.
//!
//! Each list is a statement with the conditions that were asked for and no other, so that the server's plan is that of
//! the question, not of every question there could be. Plans: `run_live` for a live status, `run_step` for a step,
//! `run_key` for the beginning of a key, `run_recent` for a workflow, else the primary key; the archive's twins beside
//! them. What has completed is most of what there is: a page of it is found at once by the order alone.

use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::super::RunId;
use super::super::inspect::{Filter, Seen, UNRUNNABLE};

/// What is shown of a run, in the live table and in the archive alike.
macro_rules! shown {
    () => {
        "id, workflow, key, step, lane, status, turn, attempt, due_at, listens, last_error, created_at, updated_at, ended_at"
    };
}

/// One run from where it is: both tables in one statement, so that a run on its way into the archive is seen once.
macro_rules! select_one {
    ($where:literal) => {
        concat!(
            "select ",
            shown!(),
            " from run where tenant = $1 and ",
            $where,
            " union all select ",
            shown!(),
            " from run_archive where tenant = $1 and ",
            $where
        )
    };
}

/// Statuses that only live runs have: the archive need not be looked at.
const LIVE: [&str; 4] = ["pending", "running", "waiting", "suspended"];

/// The greatest character: what begins with a text comes before the text with this behind it, byte by byte.
const GREATEST: char = char::MAX;

/// One run.
pub async fn find(db: impl PgExecutor<'_>, tenant: &str, id: RunId) -> sqlx::Result<Option<Seen>> {
    sqlx::query_as(select_one!("id = $2")).bind(tenant).bind(id).fetch_optional(db).await
}

/// The run of this key.
pub async fn find_key(db: impl PgExecutor<'_>, tenant: &str, workflow: &str, key: &str) -> sqlx::Result<Option<Seen>> {
    sqlx::query_as(select_one!("workflow = $2 and key = $3"))
        .bind(tenant)
        .bind(workflow)
        .bind(key)
        .fetch_optional(db)
        .await
}

/// Runs, newest first.
pub async fn list(db: impl PgExecutor<'_>, tenant: &str, filter: &Filter) -> sqlx::Result<Vec<Seen>> {
    let mut query = statement(tenant, filter);
    query.build_query_as().fetch_all(db).await
}

fn statement(tenant: &str, filter: &Filter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("select * from (");
    part(&mut query, "run", "rest_step", tenant, filter);
    if filter.step.is_some() && filter.status.as_deref().is_none_or(|status| status == "running") {
        // `rest_step` is empty while a run is in hand; those few are looked at one by one.
        let in_hand = Filter { status: Some("running".to_owned()), ..filter.clone() };
        query.push(" union all ");
        part(&mut query, "run", "step", tenant, &in_hand);
    }
    if filter.status.as_deref().is_none_or(|status| status != UNRUNNABLE && !LIVE.contains(&status)) {
        query.push(" union all ");
        part(&mut query, "run_archive", "step", tenant, filter);
    }
    // Written out: a plan for any number of rows would be made for a tenth of all.
    query.push(format_args!(") page order by id desc limit {}", filter.most));
    query
}

/// One table's page, `step_column` compared with the step that is asked for. The status is written out, since a partial
/// index is used only where the plan knows it.
fn part(
    query: &mut QueryBuilder<Postgres>,
    table: &'static str,
    step_column: &'static str,
    tenant: &str,
    filter: &Filter,
) {
    query
        .push(concat!("(select ", shown!(), " from "))
        .push(table)
        .push(" where tenant = ")
        .push_bind(tenant.to_owned());
    if let Some(workflow) = &filter.workflow {
        query.push(" and workflow = ").push_bind(workflow.clone());
    }
    if let Some(status) = &filter.status {
        match stated(status) {
            Some(status) => query.push(format_args!(" and status = '{status}'")),
            None if status == UNRUNNABLE => query.push(" and status in ('pending', 'running', 'waiting')"),
            None => query.push(" and false"),
        };
        if let Some(runnable) = &filter.runnable
            && !["suspended", "completed", "cancelled", "faulted"].contains(&status.as_str())
        {
            let is = if status == UNRUNNABLE { "<> all(" } else { "= any(" };
            query.push(" and workflow || '/' || step ").push(is).push_bind(runnable.clone()).push(")");
        }
    }
    if let Some(step) = &filter.step {
        query.push(" and ").push(step_column).push(" = ").push_bind(step.clone());
    }
    if let Some(q) = &filter.q {
        query.push(" and (key ~>=~ ").push_bind(q.clone()).push(" and key ~<~ ").push_bind(format!("{q}{GREATEST}"));
        if let Ok(id) = q.parse::<RunId>() {
            query.push(" or id = ").push_bind(id);
        }
        query.push(")");
    }
    if let Some(ids) = &filter.ids {
        query.push(" and id = any(").push_bind(ids.clone()).push(")");
    }
    if let Some(since) = filter.still_since {
        query.push(" and updated_at <= ").push_bind(since);
    }
    if let Some(error) = &filter.error {
        query.push(" and position(lower(").push_bind(error.clone()).push(") in lower(last_error)) > 0");
    }
    if let Some(parent) = filter.parent {
        query.push(" and parent = ").push_bind(parent);
    }
    if let Some(before) = filter.before {
        query.push(" and id < ").push_bind(before);
    }
    query.push(format_args!(" order by id desc limit {})", filter.most));
}

/// A status as it stands in the table: what comes from outside never becomes part of a statement.
fn stated(status: &str) -> Option<&'static str> {
    LIVE.into_iter().chain(["completed", "cancelled", "faulted"]).find(|one| *one == status)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn sql(filter: &Filter) -> String {
        statement("t", filter).sql().as_str().to_owned()
    }

    #[test]
    fn a_live_status_leaves_the_archive_alone() {
        let of = |status: &str| sql(&Filter { status: Some(status.to_owned()), most: 5, ..Filter::default() });
        assert!(!of("waiting").contains("run_archive"));
        assert!(!of(UNRUNNABLE).contains("run_archive"));
        assert!(of("completed").contains("run_archive"));
        assert!(of("'; drop table run").contains(" and false"));
    }
}

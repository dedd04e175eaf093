//! Finds runs for people: live and archived ones as one list, newest first.
//!
//! Each list is a statement with the conditions that were asked for and no other, so that the server's plan is that of
//! the question, not of every question there could be. Plans: `run_live` for a live status, `run_step` for a step,
//! `run_key` for the beginning of a key, `run_erred` for an error's text, `run_recent` for a workflow, else the primary key;
//! the archive's twins beside them. What has completed is most of what there is: a page of it is found at once by the order
//! alone. A million runs beside a page are measured by the bench's C1.

use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::super::RunId;
use super::super::inspect::{Filter, Seen, UNRUNNABLE};

/// What is shown of a run, in the live table and in the archive alike.
macro_rules! shown {
    () => {
        "id, workflow, key, step, lane, status, turn, attempt, due_at, listens, last_error, fault, created_at, updated_at, ended_at"
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
const LIVE: [&str; 4] = ["pending", IN_HAND, "waiting", "suspended"];

/// The status of a run that a worker has in hand.
const IN_HAND: &str = "running";

/// So many keys with one beginning are looked up by it. Where there are more, runs are looked through in their order: a page of
/// them is soon full.
const FEW_KEYS: i64 = 1_000;

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
    let mut query = QueryBuilder::new("");
    let of = |status: &str| Filter { status: Some(status.to_owned()), ..filter.clone() };
    match filter.status.as_deref() {
        Some(UNRUNNABLE) => {
            places(&mut query, tenant, filter);
            query.push("select * from (");
            for column in ["rest_step", "step"] {
                query.push(if column == "step" { " union all " } else { "" });
                query.push("(select stands.* from place cross join lateral (");
                page(&mut query, "run", column, tenant, filter);
                query.push(") stands)");
            }
        }
        // What has ended moves no more: what has stood still for so long is sought among those that live.
        None if filter.still_since.is_some() => {
            query.push("select * from (");
            for (nth, status) in LIVE.into_iter().enumerate() {
                query.push(if nth == 0 { "" } else { " union all " });
                let column = if status == IN_HAND { "step" } else { "rest_step" };
                page(&mut query, "run", column, tenant, &Filter { runnable: None, ..of(status) });
            }
        }
        status => {
            query.push("select * from (");
            page(&mut query, "run", "rest_step", tenant, filter);
            if filter.step.is_some() && status.is_none_or(|status| status == IN_HAND) {
                // `rest_step` is empty while a run is in hand; those few are looked at one by one.
                query.push(" union all ");
                page(&mut query, "run", "step", tenant, &of(IN_HAND));
            }
            if status.is_none_or(|status| !LIVE.contains(&status)) {
                query.push(" union all ");
                page(&mut query, "run_archive", "step", tenant, filter);
            }
        }
    }
    // Written out: a plan for any number of rows would be made for a tenth of all.
    query.push(format_args!(") page order by id desc limit {}", filter.most));
    query
}

/// Where live runs stand that nobody could run: few places, or none, found in `run_live` alone.
fn places(query: &mut QueryBuilder<Postgres>, tenant: &str, filter: &Filter) {
    query
        .push(
            "with place as materialized (
                 select workflow, step from (
                     select workflow, step from run where status in ('pending', 'running', 'waiting') and tenant = ",
        )
        .push_bind(tenant.to_owned())
        .push(" group by workflow, step) stands where workflow || '/' || step <> all(")
        .push_bind(filter.runnable.clone().unwrap_or_default())
        .push(")) ");
}

/// One table's page; by the beginning of a key it is two, of which the server runs one.
fn page(
    query: &mut QueryBuilder<Postgres>,
    table: &'static str,
    step_column: &'static str,
    tenant: &str,
    filter: &Filter,
) {
    let Some(q) = &filter.q else { return part(query, table, step_column, tenant, filter, None) };
    part(query, table, step_column, tenant, filter, Some((q, Keys::Few)));
    query.push(" union all ");
    part(query, table, step_column, tenant, filter, Some((q, Keys::Many)));
}

/// How many keys begin so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Few,
    Many,
}

/// One table's page, `step_column` compared with the step that is asked for. The status is written out, since a partial
/// index is used only where the plan knows it.
fn part(
    query: &mut QueryBuilder<Postgres>,
    table: &'static str,
    step_column: &'static str,
    tenant: &str,
    filter: &Filter,
    q: Option<(&str, Keys)>,
) {
    query
        .push(concat!("(select ", shown!(), " from "))
        .push(table)
        .push(" where tenant = ")
        .push_bind(tenant.to_owned());
    if let Some(workflow) = &filter.workflow {
        // A step is nearly always one workflow's, and few of a workflow's runs live: those are found first.
        let still = filter.still_since.is_some() && filter.status.as_deref().is_some_and(|one| LIVE.contains(&one));
        let is = if filter.step.is_some() || still { " and workflow || '' = " } else { " and workflow = " };
        query.push(is).push_bind(workflow.clone());
    }
    if let Some(status) = &filter.status {
        match stated(status) {
            Some(status) => query.push(format_args!(" and status = '{status}'")),
            None if status == UNRUNNABLE => query
                .push(if step_column == "step" {
                    " and status = 'running'"
                } else {
                    " and status in ('pending', 'waiting')"
                })
                .push(" and ")
                .push(step_column)
                .push(" = place.step and workflow || '' = place.workflow"),
            None => query.push(" and false"),
        };
        if let Some(runnable) = &filter.runnable
            && ["pending", IN_HAND, "waiting"].contains(&status.as_str())
        {
            query.push(" and workflow || '/' || step = any(").push_bind(runnable.clone()).push(")");
        }
    }
    if let Some(step) = &filter.step {
        query.push(" and ").push(step_column).push(" = ").push_bind(step.clone());
    }
    if let Some((q, keys)) = q {
        begins(query, table, tenant, q, keys);
    }
    if let Some(ids) = &filter.ids {
        query.push(" and id = any(").push_bind(ids.clone()).push(")");
    }
    if let Some(since) = filter.still_since {
        query.push(" and updated_at <= ").push_bind(since);
    }
    if let Some(error) = &filter.error {
        query
            .push(" and last_error is not null and position(lower(")
            .push_bind(error.clone())
            .push(") in lower(last_error)) > 0");
    }
    if let Some(parent) = filter.parent {
        query.push(" and parent = ").push_bind(parent);
    }
    if let Some(before) = filter.before {
        query.push(" and id < ").push_bind(before);
    }
    query.push(format_args!(" order by id desc limit {})", filter.most));
}

/// Keys that begin with `q`, or the run of this id. However the server guesses how many there are, few are looked up by
/// `run_key` and many are met in the order of the page.
fn begins(query: &mut QueryBuilder<Postgres>, table: &'static str, tenant: &str, q: &str, keys: Keys) {
    let keyed = |query: &mut QueryBuilder<Postgres>| {
        query.push(" from ").push(table).push(" where tenant = ").push_bind(tenant.to_owned());
        query.push(" and key ~>=~ ").push_bind(q.to_owned()).push(" and key ~<~ ").push_bind(format!("{q}{GREATEST}"));
        query.push(format_args!(" order by key using ~<~ limit {}", FEW_KEYS + 1));
    };
    query.push(" and (select count(*) from (select key");
    keyed(query);
    let is = if keys == Keys::Few { "<=" } else { ">" };
    query.push(format_args!(") beginning) {is} {FEW_KEYS}"));
    let id = q.parse::<RunId>().ok();
    match keys {
        Keys::Few => {
            query.push(" and id = any(array(select id");
            keyed(query);
            query.push(") || ").push_bind(id.into_iter().collect::<Vec<_>>()).push(")");
        }
        Keys::Many => {
            query.push(" and (left(key, length(").push_bind(q.to_owned()).push(")) = ").push_bind(q.to_owned());
            query.push(" or id = any(").push_bind(id.into_iter().collect::<Vec<_>>()).push("))");
        }
    }
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

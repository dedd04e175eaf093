//! History by month: partitions of `turn` are made ahead and dropped whole. All tenants of a database share them.
//!
//! Nothing here makes a commit wait for long: every statement that needs a table for itself gives up after
//! `PATIENCE_MS` and is tried again in the next round; until then lines go to the default partition, where they are
//! found as well.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool};

/// How long a change of the table's shape waits for whoever uses it, ms.
const PATIENCE_MS: u32 = 300;
/// The most lines that are moved from the default partition when a month gets its own. A month that holds more there
/// (nobody made its partition while it ran) stays there.
const MOVED_MAX: i64 = 20_000;
/// The lines of a live run that are kept however old they are, the newest first.
pub const LINES_KEPT_MAX: i64 = 5_000;

/// A month of history, by UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Month(NaiveDate);

impl Month {
    fn of(at: DateTime<Utc>) -> Option<Self> {
        NaiveDate::from_ymd_opt(at.year(), at.month(), 1).map(Self)
    }

    fn next(self) -> Option<Self> {
        self.0.checked_add_months(Months::new(1)).map(Self)
    }

    fn begins(self) -> DateTime<Utc> {
        self.0.and_time(NaiveTime::MIN).and_utc()
    }

    /// `turn_y2026m09`.
    fn table(self) -> String {
        format!("turn_y{:04}m{:02}", self.0.year(), self.0.month())
    }

    fn parse(table: &str) -> Option<Self> {
        let (year, month) = table.strip_prefix("turn_y")?.split_once('m')?;
        NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1).map(Self)
    }
}

/// Makes the partitions of this month and the next where they are missing. Answers how many were made.
pub async fn make_ahead(pool: &PgPool) -> sqlx::Result<u32> {
    let (now, there) = look(pool).await?;
    let Some(this) = Month::of(now) else { return Ok(0) };
    let mut made = 0;
    for month in [Some(this), this.next()].into_iter().flatten() {
        if !there.contains(&month) && unless_busy(make(pool, month).await)?.unwrap_or(false) {
            made += 1;
        }
    }
    Ok(made)
}

/// Drops the oldest month that ended `days` ago by the engine's clock; what live runs still need of it is carried over
/// to the default partition. True where one was dropped.
pub async fn drop_oldest(pool: &PgPool, days: i32) -> sqlx::Result<bool> {
    let (now, there) = look(pool).await?;
    let Some(cut) = now.checked_sub_signed(TimeDelta::days(days.into())) else { return Ok(false) };
    let old = there.into_iter().filter(|month| month.next().is_some_and(|next| next.begins() <= cut)).min();
    let Some(month) = old else { return Ok(false) };
    let dropped = unless_busy(drop_month(pool, month).await)?.unwrap_or(false);
    if dropped {
        tracing::info!(month = month.table(), "a month of history is past its time and dropped");
    }
    Ok(dropped)
}

/// Deletes up to `most` lines of the default partition that are `days` old: those of runs that have left the live table,
/// and what a live run has beyond [`LINES_KEPT_MAX`]. Answers how many.
pub async fn forget_lines(pool: &PgPool, days: i32, most: i64) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(
        "with old as materialized (
             select t.tenant, t.run_id, t.seq,
                    row_number() over (partition by t.tenant, t.run_id order by t.seq desc) as nth,
                    exists (select 1 from run r where r.tenant = t.tenant and r.id = t.run_id) as live
             from turn_default t where t.at < engine_now() - make_interval(days => $1))
         delete from turn_default t
         using (select tenant, run_id, seq from old where not live or nth > $2 limit $3) o
         where t.tenant = o.tenant and t.run_id = o.run_id and t.seq = o.seq",
    )
    .bind(days)
    .bind(LINES_KEPT_MAX)
    .bind(most)
    .execute(pool)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Of this month and the next, those that have no partition.
pub async fn missing(conn: &mut PgConnection) -> sqlx::Result<u32> {
    let (now, there) = look(conn).await?;
    let this = Month::of(now);
    let wanted = [this, this.and_then(Month::next)];
    Ok(wanted.into_iter().flatten().map(|month| u32::from(!there.contains(&month))).sum())
}

/// What time it is, and the months that have a partition.
async fn look(db: impl PgExecutor<'_>) -> sqlx::Result<(DateTime<Utc>, Vec<Month>)> {
    let (now, tables): (DateTime<Utc>, Vec<String>) = sqlx::query_as(
        "select engine_now(), coalesce((select array_agg(c.relname::text) from pg_inherits i
                                        join pg_class c on c.oid = i.inhrelid
                                        where i.inhparent = 'turn'::regclass), '{}')",
    )
    .fetch_one(db)
    .await?;
    Ok((now, tables.iter().filter_map(|table| Month::parse(table)).collect()))
}

/// One month's partition, with what the default partition holds of it. False where another process is at it, or where
/// there is too much to move.
///
/// `create table … partition of` would keep readers off `turn` as well; attaching a table keeps them off the default
/// partition only, which the server reads to be sure that none of the month's lines stays there.
async fn make(pool: &PgPool, month: Month) -> sqlx::Result<bool> {
    let Some(next) = month.next() else { return Ok(false) };
    let (table, begins, ends) = (month.table(), month.begins(), next.begins());
    let mut tx = pool.begin().await?;
    if !alone(&mut tx).await? {
        return Ok(false);
    }
    // Another process may have been quicker.
    let made: bool = sqlx::query_scalar("select to_regclass($1) is not null").bind(&table).fetch_one(&mut *tx).await?;
    if made {
        return Ok(false);
    }
    let there: i64 =
        sqlx::query_scalar("select count(*) from (select 1 from turn_default where at >= $1 and at < $2 limit $3) few")
            .bind(begins)
            .bind(ends)
            .bind(MOVED_MAX + 1)
            .fetch_one(&mut *tx)
            .await?;
    if there > MOVED_MAX {
        tracing::warn!(table, "this month's history stays in the default partition, which holds too much of it");
        return Ok(false);
    }
    // Writers wait before they choose a partition: one that had chosen the default would find that the line has no place
    // there any more. Readers go on.
    sqlx::query("lock table turn in share mode").execute(&mut *tx).await?;
    sqlx::query("lock table turn_default in access exclusive mode").execute(&mut *tx).await?;
    // The name is made of two numbers, the bounds of dates: nothing in these texts comes from outside.
    let shape = format!("create table {table} (like turn including defaults including constraints including indexes)");
    sqlx::query(AssertSqlSafe(shape)).execute(&mut *tx).await?;
    let fill = format!(
        "with moved as (delete from turn_default where at >= $1 and at < $2 returning *)
         insert into {table} select * from moved"
    );
    sqlx::query(AssertSqlSafe(fill)).bind(begins).bind(ends).execute(&mut *tx).await?;
    let attach = format!(
        "alter table turn attach partition {table} for values from ('{}') to ('{}')",
        begins.to_rfc3339(),
        ends.to_rfc3339()
    );
    sqlx::query(AssertSqlSafe(attach)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// What is to be kept is read before anybody is kept off `turn`. A month that is past gets no new lines, and to be sure of
/// that its writers are kept off while it is read: a commit may be under way that began before a clock was set by hand.
async fn drop_month(pool: &PgPool, month: Month) -> sqlx::Result<bool> {
    let table = month.table();
    let mut tx = pool.begin().await?;
    if !alone(&mut tx).await? {
        return Ok(false);
    }
    let there: bool = sqlx::query_scalar("select to_regclass($1) is not null").bind(&table).fetch_one(&mut *tx).await?;
    if !there {
        return Ok(false);
    }
    let quiet = format!("lock table {table} in share mode");
    sqlx::query(AssertSqlSafe(quiet)).execute(&mut *tx).await?;
    let needed = format!(
        "create temporary table carried on commit drop as
         select t.* from {table} t
         where exists (select 1 from run r where r.tenant = t.tenant and r.id = t.run_id)"
    );
    sqlx::query(AssertSqlSafe(needed)).execute(&mut *tx).await?;
    let detach = format!("alter table turn detach partition {table}");
    sqlx::query(AssertSqlSafe(detach)).execute(&mut *tx).await?;
    sqlx::query("insert into turn select * from carried").execute(&mut *tx).await?;
    sqlx::query(AssertSqlSafe(format!("drop table {table}"))).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// One process at a time, and none that waits: false where another one is at it.
async fn alone(conn: &mut PgConnection) -> sqlx::Result<bool> {
    let patience = format!("set local lock_timeout = {PATIENCE_MS}");
    sqlx::query(AssertSqlSafe(patience)).execute(&mut *conn).await?;
    sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtext('houbu:history'), 0)").fetch_one(conn).await
}

/// `None` where others used the table all the while (`lock_not_available`, a deadlock): the next round tries again.
fn unless_busy<T>(result: sqlx::Result<T>) -> sqlx::Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) => {
            let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
            if matches!(code.as_deref(), Some("55P03" | "40P01")) { Ok(None) } else { Err(error) }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_a_table_and_an_end() {
        let december = Month::of("2025-12-31T23:59:59Z".parse().unwrap()).unwrap();
        assert_eq!(december.table(), "turn_y2025m12");
        assert_eq!(Month::parse("turn_y2025m12"), Some(december));
        assert_eq!(december.next().unwrap().begins(), "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(Month::parse("turn_default"), None);
        assert_eq!(Month::parse("turn_y2025m13"), None);
    }
}

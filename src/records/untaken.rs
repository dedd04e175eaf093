//! Callbacks that were signed rightly and could not be taken: a row each, of which a day of one source has only so many. The body
//! of such a row says `why`, and carries nothing of what came but its size and its hash.

use sqlx::{PgConnection, PgExecutor};

use super::callbacks::{Callback, Fate};

/// Writes a callback down that was not taken, with its fate, where its source has fewer than `rows_max` such rows of today or it
/// came before, and answers under which id: under `instead` where another one that was taken stands under its own. None where it has
/// more. Whoever writes another one of this source meanwhile waits, so that there are never more.
///
/// Plan: `callback_untaken`, `rows_max` of its entries at the most.
pub async fn write(
    conn: &mut PgConnection,
    hospital: &str,
    callback: &Callback<'_>,
    fate: Fate,
    rows_max: i64,
    instead: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 400))")
        .bind(hospital)
        .bind(callback.source)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar(
        "insert into callback (hospital, source, event_id, kind, subject, body, fate)
         select $1, $2, id, $4, $5, $6, $7
         from (select case when exists (select from callback where hospital = $1 and source = $2 and event_id = $3 and not body ? 'why')
                           then $9 else $3 end as id) as under
         where (select count(*) from (
                    select from callback
                    where hospital = $1 and source = $2 and received_at >= date_trunc('day', engine_now(), 'UTC')
                      and body ? 'why' and fate <> 'unbelieved' and (fate = 'ignored') = ($7 = 'ignored')
                    limit $8) as today) < $8
            or exists (select from callback where hospital = $1 and source = $2 and event_id = id)
         on conflict (hospital, source, event_id) do update set times = callback.times + 1
         returning event_id",
    )
    .bind(hospital)
    .bind(callback.source)
    .bind(callback.event_id)
    .bind(callback.kind)
    .bind(callback.subject)
    .bind(callback.body)
    .bind(fate.as_str())
    .bind(rows_max)
    .bind(instead)
    .fetch_optional(conn)
    .await
}

/// Counts that a callback which stands there came again.
pub async fn came_again(
    db: impl PgExecutor<'_>,
    hospital: &str,
    source: &str,
    event_id: &str,
    times: i32,
) -> sqlx::Result<()> {
    sqlx::query(
        "update callback set times = least(times::bigint + $4, 2147483647)
         where hospital = $1 and source = $2 and event_id = $3",
    )
    .bind(hospital)
    .bind(source)
    .bind(event_id)
    .bind(times)
    .execute(db)
    .await
    .map(drop)
}

/// Counts what has no row of its own, in one of its source, its fate and the day; a person who has seen to that is asked again.
pub async fn more(
    db: impl PgExecutor<'_>,
    hospital: &str,
    source: &str,
    (fate, why): (Fate, &str),
    times: i32,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into callback (hospital, source, event_id, kind, subject, body, times, fate)
         values ($1, $2, to_char(engine_now() at time zone 'UTC', 'YYYY-MM-DD') || ' more ' || $3, 'unreadable', '',
                 jsonb_build_object('why', $4::text), $5, $3)
         on conflict (hospital, source, event_id) do update
         set times = least(callback.times::bigint + excluded.times, 2147483647), fate = excluded.fate",
    )
    .bind(hospital)
    .bind(source)
    .bind(fate.as_str())
    .bind(why)
    .bind(times)
    .execute(db)
    .await
    .map(drop)
}

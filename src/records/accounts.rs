//! Accounts, as hashes, and the persons for whom they have joined queues (R33).

use sqlx::{PgConnection, PgExecutor, PgPool};

/// How long a person counts for an account, days.
const COUNTS_FOR_DAYS: i32 = 30;

/// An account that asks.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
pub struct Account {
    /// Its hash.
    pub id: Vec<u8>,
    /// How often it was admitted.
    pub applied: i32,
    /// The persons of the last 30 days, by the hex of their hash.
    pub persons: Vec<String>,
}

/// These accounts; one that never joined a queue is left out.
pub async fn read(db: impl PgExecutor<'_>, hospital: &str, ids: &[&[u8]]) -> sqlx::Result<Vec<Account>> {
    sqlx::query_as(
        "select a.id, a.applied, coalesce(array_agg(encode(p.person, 'hex')) filter (where p.person is not null), '{}')
                as persons
         from account a
         left join account_person p on p.hospital = a.hospital and p.account_id = a.id
                                   and p.last_at > engine_now() - make_interval(days => $3)
         where a.hospital = $1 and a.id = any($2) group by a.id, a.applied",
    )
    .bind(hospital)
    .bind(ids)
    .bind(COUNTS_FOR_DAYS)
    .fetch_all(db)
    .await
}

/// Writes down for whom they join queues now, in the transaction that admits them. `seen`: account and `applied` as it was
/// read. False where one of them was admitted elsewhere meanwhile: then nothing may be admitted.
pub async fn note(
    conn: &mut PgConnection,
    hospital: &str,
    seen: &[(Vec<u8>, i32)],
    persons: &[(Vec<u8>, String)],
) -> sqlx::Result<bool> {
    let ids: Vec<&[u8]> = seen.iter().map(|(id, _)| id.as_slice()).collect();
    let noted = sqlx::query(
        "insert into account as a (hospital, id, applied)
         select $1, t.id, t.seen + 1 from unnest($2::bytea[], $3::int[]) as t (id, seen) order by t.id
         on conflict (hospital, id) do update set applied = excluded.applied where a.applied = excluded.applied - 1",
    )
    .bind(hospital)
    .bind(&ids)
    .bind(seen.iter().map(|(_, applied)| *applied).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    if noted.rows_affected() < seen.len() as u64 {
        return Ok(false);
    }
    sqlx::query(
        "insert into account_person (hospital, account_id, person)
         select distinct $1, t.account, decode(t.person, 'hex') from unnest($2::bytea[], $3::text[]) as t (account, person)
         on conflict (hospital, account_id, person) do update set last_at = excluded.last_at",
    )
    .bind(hospital)
    .bind(persons.iter().map(|(account, _)| account.as_slice()).collect::<Vec<_>>())
    .bind(persons.iter().map(|(_, person)| person.as_str()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(true)
}

/// The persons of one statement.
const BATCH: i64 = 1_000;

/// Forgets for whom accounts joined queues longer ago than counts, in small statements, and what is left of an account that
/// has nobody then; says for how many persons.
pub async fn delete_older(pool: &PgPool, hospital: &str) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        let deleted = sqlx::query(
            "with old as materialized (
                 select account_id, person from account_person
                 where hospital = $1 and last_at < engine_now() - make_interval(days => $2)
                 limit $3 for update skip locked)
             delete from account_person a using old
             where a.hospital = $1 and a.account_id = old.account_id and a.person = old.person",
        )
        .bind(hospital)
        .bind(COUNTS_FOR_DAYS)
        .bind(BATCH)
        .execute(pool)
        .await?
        .rows_affected();
        all += deleted;
        if deleted < BATCH.unsigned_abs() {
            break;
        }
    }
    while forget_empty(pool, hospital).await? == BATCH.unsigned_abs() {}
    Ok(all)
}

/// Forgets accounts that join for nobody any more; whoever joins with one begins it anew. An admission that is being written
/// holds its account.
async fn forget_empty(pool: &PgPool, hospital: &str) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(
        "with empty as materialized (
             select id from account a
             where a.hospital = $1
               and not exists (select from account_person p where p.hospital = $1 and p.account_id = a.id)
             limit $2 for update skip locked)
         delete from account a using empty where a.hospital = $1 and a.id = empty.id
           and not exists (select from account_person p where p.hospital = $1 and p.account_id = a.id)",
    )
    .bind(hospital)
    .bind(BATCH)
    .execute(pool)
    .await?;
    Ok(forgotten.rows_affected())
}

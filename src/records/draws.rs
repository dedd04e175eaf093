//! Draws of queues' orders (R17): the sealed seed before, the tickets and the open seed after.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::waitlist::draw::{self, PROCEDURE, Seed, Transcript};

/// A draw as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Draw {
    /// The hash that was published.
    pub commitment: String,
    /// The seed, sealed.
    pub sealed: Vec<u8>,
    /// When the first one applied; none: nobody has yet.
    pub opened_at: Option<DateTime<Utc>>,
    /// Who applies before this takes part.
    pub held_at: Option<DateTime<Utc>>,
    /// When it was held.
    pub drawn_at: Option<DateTime<Utc>>,
    /// The seed in clear, once it was held.
    pub seed: Option<String>,
}

/// The draw of a schedule, if there is one.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, schedule_id: &str) -> sqlx::Result<Option<Draw>> {
    sqlx::query_as(
        "select commitment, sealed, opened_at, held_at, drawn_at, seed from draw where hospital = $1 and schedule_id = $2",
    )
    .bind(hospital)
    .bind(schedule_id)
    .fetch_optional(db)
    .await
}

/// Fixes the seed of a schedule's draw, for good: one that is fixed already stays.
pub async fn fix(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule_id: &str,
    commitment: &str,
    sealed: &[u8],
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into draw (hospital, schedule_id, commitment, sealed) values ($1, $2, $3, $4)
         on conflict (hospital, schedule_id) do nothing",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(commitment)
    .bind(sealed)
    .execute(db)
    .await
    .map(drop)
}

/// The window begins, and ends at `held_at`. Called in the transaction that starts the hand-out.
pub async fn open(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule_id: &str,
    opened_at: DateTime<Utc>,
    held_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "update draw set opened_at = $3, held_at = $4 where hospital = $1 and schedule_id = $2 and opened_at is null",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(opened_at)
    .bind(held_at)
    .execute(db)
    .await
    .map(drop)
}

/// Holds the draw, once: whoever applied in the window gets the places of the window in the order that seed and pool come
/// to. The caller holds the row of the hand-out's run, which every admission to the schedule shares, so that the pool is
/// whole; nothing but that lock and the entries' own is taken here.
pub async fn hold(conn: &mut PgConnection, hospital: &str, schedule_id: &str, seed: &Seed) -> sqlx::Result<()> {
    let held = sqlx::query(
        "update draw set drawn_at = engine_now(), seed = $3
         where hospital = $1 and schedule_id = $2 and drawn_at is null and opened_at is not null",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(seed.to_hex())
    .execute(&mut *conn)
    .await?;
    if held.rows_affected() == 0 {
        return Ok(());
    }
    // In the order in which all lock several entries, so that nobody waits in a circle.
    let mut pool: Vec<(Uuid, i64)> = sqlx::query_as(
        "select e.id, e.seq from entry e join draw d on d.hospital = e.hospital and d.schedule_id = e.schedule_id
         where e.hospital = $1 and e.schedule_id = $2 and e.created_at < d.held_at order by e.id for update of e",
    )
    .bind(hospital)
    .bind(schedule_id)
    .fetch_all(&mut *conn)
    .await?;
    pool.sort_unstable_by_key(|(_, seq)| *seq);
    let (applications, places): (Vec<Uuid>, Vec<i64>) = pool.into_iter().unzip();
    let drawn = draw::order(seed, &applications);
    sqlx::query(
        "insert into draw_ticket (hospital, schedule_id, entry_id, arrived, place)
         select $1, $2, a.id, a.nth, p.nth
         from unnest($3::uuid[]) with ordinality as a (id, nth)
         join unnest($4::uuid[]) with ordinality as p (id, nth) using (id)",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(&applications)
    .bind(&drawn)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update entry e set seq = t.seq, version = e.version + 1, updated_at = engine_now()
         from unnest($2::uuid[], $3::bigint[]) as t (id, seq) where e.hospital = $1 and e.id = t.id",
    )
    .bind(hospital)
    .bind(&drawn)
    .bind(&places)
    .execute(conn)
    .await
    .map(drop)
}

/// The transcript of a draw that was held.
pub async fn transcript(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule_id: &str,
    draw: &Draw,
) -> sqlx::Result<Option<Transcript>> {
    let Some(seed) = draw.seed.clone() else { return Ok(None) };
    let tickets: Vec<(Uuid, i32)> = sqlx::query_as(
        "select entry_id, place from draw_ticket where hospital = $1 and schedule_id = $2 order by arrived",
    )
    .bind(hospital)
    .bind(schedule_id)
    .fetch_all(db)
    .await?;
    let applications = tickets.iter().map(|(id, _)| *id).collect();
    let mut placed = tickets;
    placed.sort_by_key(|(_, place)| *place);
    Ok(Some(Transcript {
        procedure: PROCEDURE.to_owned(),
        hospital: hospital.to_owned(),
        schedule_id: schedule_id.to_owned(),
        commitment: draw.commitment.clone(),
        seed,
        applications,
        order: placed.into_iter().map(|(id, _)| id).collect(),
    }))
}

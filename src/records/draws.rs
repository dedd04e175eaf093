//! Draws of queues' orders (R17): the sealed seed before, the tickets and the open seed after.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::waitlist::draw::{self, PROCEDURE, Seed, Transcript};

/// A draw as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Draw {
    /// Whose draw it is, where the half-days of a day are drawn together (Q2); none: its own.
    pub of_schedule: Option<String>,
    /// The hash that was published.
    pub commitment: String,
    /// The seed, sealed; empty where the draw is another schedule's.
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
        "select of_schedule, commitment, sealed, opened_at, held_at, drawn_at, seed from draw
         where hospital = $1 and schedule_id = $2",
    )
    .bind(hospital)
    .bind(schedule_id)
    .fetch_optional(db)
    .await
}

/// Fixes the seed of a schedule's draw, for good: one that is fixed already stays. One that was to be drawn with others, before
/// anybody could apply, has its own from then on (Q2).
pub async fn fix(
    db: impl PgExecutor<'_>,
    hospital: &str,
    schedule_id: &str,
    commitment: &str,
    sealed: &[u8],
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into draw (hospital, schedule_id, commitment, sealed) values ($1, $2, $3, $4)
         on conflict (hospital, schedule_id) do update
         set commitment = excluded.commitment, sealed = excluded.sealed, of_schedule = null
         where draw.of_schedule is not null and draw.opened_at is null",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(commitment)
    .bind(sealed)
    .execute(db)
    .await
    .map(drop)
}

/// Has these schedules drawn together with `root`, whose seed is fixed; one that has opened with a draw of its own keeps that (Q2).
pub async fn share(db: impl PgExecutor<'_>, hospital: &str, root: &str, schedules: &[&str]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into draw (hospital, schedule_id, commitment, sealed, of_schedule)
         select r.hospital, t.id, r.commitment, '', r.schedule_id
         from draw r cross join unnest($3::text[]) as t (id)
         where r.hospital = $1 and r.schedule_id = $2 and t.id <> $2 order by t.id
         on conflict (hospital, schedule_id) do update
         set commitment = excluded.commitment, sealed = excluded.sealed, of_schedule = excluded.of_schedule
         where draw.opened_at is null",
    )
    .bind(hospital)
    .bind(root)
    .bind(schedules)
    .execute(db)
    .await
    .map(drop)
}

/// Whose draw the half-days of a day have together: the one that was published, or the first one's.
pub async fn root(conn: &mut PgConnection, hospital: &str, schedules: &[&str]) -> sqlx::Result<String> {
    let fixed: Option<String> = sqlx::query_scalar(
        "select coalesce(of_schedule, schedule_id) from draw
         where hospital = $1 and schedule_id = any($2) and opened_at is null
         order by of_schedule is null, schedule_id limit 1",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_optional(conn)
    .await?;
    Ok(fixed.or_else(|| schedules.iter().min().map(|first| (*first).to_owned())).unwrap_or_default())
}

/// The draw of one of these schedules whose window is open, and when it is held.
pub async fn under_way(
    conn: &mut PgConnection,
    hospital: &str,
    schedules: &[&str],
) -> sqlx::Result<Option<(String, DateTime<Utc>)>> {
    sqlx::query_as(
        "select coalesce(of_schedule, schedule_id), held_at from draw
         where hospital = $1 and schedule_id = any($2) and opened_at is not null and drawn_at is null
           and held_at > engine_now()
         order by schedule_id limit 1",
    )
    .bind(hospital)
    .bind(schedules)
    .fetch_optional(conn)
    .await
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

/// Holds the draw, once, whichever of the schedules that are drawn together says so first: whoever applied in the window gets the places of the window in the order that seed and pool come
/// to. The caller holds the row of a hand-out's run, which every admission to any of them shares, so that the pool is
/// whole; nothing but that lock and the entries' own is taken here.
pub async fn hold(conn: &mut PgConnection, hospital: &str, schedule_id: &str, seed: &Seed) -> sqlx::Result<()> {
    let held: Vec<String> = sqlx::query_scalar(
        "update draw d set drawn_at = engine_now(), seed = $3
         from (select coalesce(of_schedule, schedule_id) as root from draw where hospital = $1 and schedule_id = $2) own
         where d.hospital = $1 and (d.schedule_id = own.root or d.of_schedule = own.root) and d.drawn_at is null
           and d.opened_at is not null
         returning own.root",
    )
    .bind(hospital)
    .bind(schedule_id)
    .bind(seed.to_hex())
    .fetch_all(&mut *conn)
    .await?;
    let Some(root) = held.first() else { return Ok(()) };
    // In the order in which all lock several entries, so that nobody waits in a circle.
    let mut pool: Vec<(Uuid, i64)> = sqlx::query_as(
        "select e.id, e.seq from draw d join entry e on e.hospital = d.hospital and e.schedule_id = d.schedule_id
         where d.hospital = $1 and (d.schedule_id = $2 or d.of_schedule = $2) and e.created_at < d.held_at
         order by e.id for update of e",
    )
    .bind(hospital)
    .bind(root)
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
    .bind(root)
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
    let schedule_id = draw.of_schedule.as_deref().unwrap_or(schedule_id);
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

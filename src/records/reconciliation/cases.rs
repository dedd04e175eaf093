//! Differences as cases for staff. A case is never deleted but as a suspicion that came to nothing.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

/// Who resolves a case where the books agree again.
pub const ITSELF: &str = "reconciliation";

/// A difference that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// What.
    pub kind: &'static str,
    /// The order, refund or lock.
    pub subject: String,
    /// The application.
    pub entry_id: Uuid,
    /// In our books.
    pub ours: String,
    /// In theirs.
    pub theirs: String,
    /// 分.
    pub ours_fen: Option<i64>,
    /// 分.
    pub theirs_fen: Option<i64>,
    /// Its run may still settle it.
    pub suspect: bool,
}

/// Writes differences down. A suspicion that is found again where nothing moves becomes a case; a case that staff resolved
/// stays resolved as long as both sides say what they said then.
pub async fn put(conn: &mut PgConnection, hospital: &str, day: NaiveDate, found: &[Found]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = found.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into reconciliation_case as c (hospital, day, id, kind, subject, entry_id, ours, theirs, ours_fen,
                                               theirs_fen, state)
         select distinct on (t.kind, t.subject) $1, $2, t.id, t.kind, t.subject, t.entry_id, t.ours, t.theirs,
                t.ours_fen, t.theirs_fen, case when t.suspect then 'suspect' else 'open' end
         from unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],
                     $11::bool[])
              as t (id, kind, subject, entry_id, ours, theirs, ours_fen, theirs_fen, suspect)
         on conflict (hospital, kind, subject) do update
         set seen_at = engine_now(), day = case when c.state = 'resolved' then excluded.day else c.day end, ours = excluded.ours, theirs = excluded.theirs,
             ours_fen = excluded.ours_fen, theirs_fen = excluded.theirs_fen,
             state = case when c.state = 'open' then 'open' else excluded.state end,
             resolved_at = null, resolved_by = null, resolution = null
         where c.state <> 'resolved' or c.resolved_by = $12
            or (c.ours, c.theirs, c.ours_fen, c.theirs_fen) is distinct from
               (excluded.ours, excluded.theirs, excluded.ours_fen, excluded.theirs_fen)",
    )
    .bind(hospital)
    .bind(day)
    .bind(ids)
    .bind(found.iter().map(|one| one.kind).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.entry_id).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.ours.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.theirs.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.ours_fen).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.theirs_fen).collect::<Vec<_>>())
    .bind(found.iter().map(|one| one.suspect).collect::<Vec<_>>())
    .bind(ITSELF)
    .execute(conn)
    .await
    .map(drop)
}

/// A case or suspicion that is not resolved.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Standing {
    /// The application.
    pub entry_id: Uuid,
    /// What.
    pub kind: String,
    /// The order, refund or lock.
    pub subject: String,
}

/// What is not resolved about these applications.
pub async fn standing(db: impl PgExecutor<'_>, hospital: &str, entries: &[Uuid]) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as(
        "select entry_id, kind, subject from reconciliation_case
         where hospital = $1 and entry_id = any($2) and state <> 'resolved' order by kind, subject",
    )
    .bind(hospital)
    .bind(entries)
    .fetch_all(db)
    .await
}

/// The days on which something of these kinds was found that is not resolved, the latest first.
pub async fn days(db: impl PgExecutor<'_>, hospital: &str, kinds: &[&str], most: i64) -> sqlx::Result<Vec<NaiveDate>> {
    sqlx::query_scalar(
        "select distinct day from reconciliation_case
         where hospital = $1 and state in ('open', 'suspect') and kind = any($2) order by day desc limit $3",
    )
    .bind(hospital)
    .bind(kinds)
    .bind(most)
    .fetch_all(db)
    .await
}

/// The books agree again about these: a case is resolved, a suspicion is gone.
pub async fn agree(conn: &mut PgConnection, hospital: &str, day: NaiveDate, over: &[Standing]) -> sqlx::Result<u64> {
    let kinds: Vec<&str> = over.iter().map(|one| one.kind.as_str()).collect();
    let subjects: Vec<&str> = over.iter().map(|one| one.subject.as_str()).collect();
    sqlx::query(
        "delete from reconciliation_case c using unnest($2::text[], $3::text[]) as t (kind, subject)
         where c.hospital = $1 and c.kind = t.kind and c.subject = t.subject and c.state = 'suspect'",
    )
    .bind(hospital)
    .bind(&kinds)
    .bind(&subjects)
    .execute(&mut *conn)
    .await?;
    let resolved = sqlx::query(
        "update reconciliation_case c
         set state = 'resolved', resolved_at = engine_now(), resolved_by = $4,
             resolution = 'the books agree again, by the reconciliation of ' || $5
         from unnest($2::text[], $3::text[]) as t (kind, subject)
         where c.hospital = $1 and c.kind = t.kind and c.subject = t.subject and c.state = 'open'",
    )
    .bind(hospital)
    .bind(&kinds)
    .bind(&subjects)
    .bind(ITSELF)
    .bind(day.to_string())
    .execute(conn)
    .await?;
    Ok(resolved.rows_affected())
}

/// A case as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Case {
    /// Its id; the cursor of the next page.
    pub id: Uuid,
    /// What.
    pub kind: String,
    /// The order, refund or lock.
    pub subject: String,
    /// The application.
    pub entry_id: Uuid,
    /// The day whose reconciliation found it last.
    pub day: NaiveDate,
    /// In our books.
    pub ours: String,
    /// In theirs.
    pub theirs: String,
    /// 分.
    pub ours_fen: Option<i64>,
    /// 分.
    pub theirs_fen: Option<i64>,
    /// suspect, open, resolved.
    pub state: String,
    /// When it was found first.
    pub found_at: DateTime<Utc>,
    /// When it was found last.
    pub seen_at: DateTime<Utc>,
    /// When it was resolved.
    pub resolved_at: Option<DateTime<Utc>>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// Why.
    pub resolution: Option<String>,
}

macro_rules! select_case {
    ($rest:literal) => {
        concat!(
            "select id, kind, subject, entry_id, day, ours, theirs, ours_fen, theirs_fen, state, found_at, seen_at,
                    resolved_at, resolved_by, resolution
             from reconciliation_case where hospital = $1 and ",
            $rest
        )
    };
}

/// Which cases are wanted; what is absent does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// suspect, open or resolved.
    pub state: String,
    /// This kind.
    pub kind: Option<String>,
    /// Of this day.
    pub day: Option<NaiveDate>,
    /// Only cases before this one: the last of the page before.
    pub before: Option<Uuid>,
    /// The most of a page.
    pub most: i64,
}

/// Cases, newest first.
pub async fn list(db: impl PgExecutor<'_>, hospital: &str, wanted: &Wanted) -> sqlx::Result<Vec<Case>> {
    sqlx::query_as(select_case!(
        "state = $2 and ($3::text is null or kind = $3) and ($4::date is null or day = $4)
         and ($5::uuid is null or id < $5) order by id desc limit $6"
    ))
    .bind(hospital)
    .bind(&wanted.state)
    .bind(&wanted.kind)
    .bind(wanted.day)
    .bind(wanted.before)
    .bind(wanted.most)
    .fetch_all(db)
    .await
}

/// One case.
pub async fn find(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<Case>> {
    sqlx::query_as(select_case!("id = $2")).bind(hospital).bind(id).fetch_optional(db).await
}

/// One case, held until the transaction ends.
pub async fn hold(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<Case>> {
    sqlx::query_as(select_case!("id = $2 for update")).bind(hospital).bind(id).fetch_optional(db).await
}

/// A person resolves a case.
pub async fn resolve(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    who: &str,
    resolution: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "update reconciliation_case
         set state = 'resolved', resolved_at = engine_now(), resolved_by = $3, resolution = $4
         where hospital = $1 and id = $2",
    )
    .bind(hospital)
    .bind(id)
    .bind(who)
    .bind(resolution)
    .execute(db)
    .await
    .map(drop)
}

//! What the outside listed and answered, line by line.

use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// One line of a list.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Line {
    /// payment, refund, order or lock.
    pub book: String,
    /// `out_trade_no`, `out_refund_no`, `ORDER_ID`, `LOCK_ID`.
    pub reference: String,
    /// The application that the reference derives from.
    pub entry_id: Uuid,
    /// The line.
    pub body: Value,
}

/// Writes lines down; a line that is listed again says what it says now.
pub async fn put(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, lines: &[Line]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into reconciliation_line (hospital, reconciliation, book, reference, entry_id, body)
         select distinct on (t.book, t.reference) $1, $2, t.*
         from unnest($3::text[], $4::text[], $5::uuid[], $6::jsonb[]) as t (book, reference, entry_id, body)
         on conflict (hospital, reconciliation, book, reference) do update set body = excluded.body",
    )
    .bind(hospital)
    .bind(id)
    .bind(lines.iter().map(|line| line.book.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.reference.as_str()).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| line.entry_id).collect::<Vec<_>>())
    .bind(lines.iter().map(|line| &line.body).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}

/// The lines of these applications: of this reconciliation, and what the provider's bills told in earlier ones, oldest
/// first.
pub async fn of(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, entries: &[Uuid]) -> sqlx::Result<Vec<Line>> {
    sqlx::query_as(
        "select book, reference, entry_id, body from reconciliation_line
         where hospital = $1 and entry_id = any($3) and (reconciliation = $2 or book in ('payment', 'refund'))
         order by read_at, book, reference",
    )
    .bind(hospital)
    .bind(id)
    .bind(entries)
    .fetch_all(db)
    .await
}

/// Deletes what was listed and asked more than `days` ago.
pub async fn forget(pool: &sqlx::PgPool, hospital: &str, days: i32) -> sqlx::Result<()> {
    sqlx::query(
        "delete from reconciliation_line where hospital = $1 and read_at < engine_now() - make_interval(days => $2)",
    )
    .bind(hospital)
    .bind(days)
    .execute(pool)
    .await?;
    sqlx::query(
        "delete from reconciliation_question q using reconciliation r
         where q.hospital = $1 and r.hospital = $1 and r.id = q.reconciliation
           and r.began_at < engine_now() - make_interval(days => $2)",
    )
    .bind(hospital)
    .bind(days)
    .execute(pool)
    .await
    .map(drop)
}

/// Something to be asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// order, refund or visit.
    pub about: &'static str,
    /// Its number.
    pub reference: String,
    /// The application.
    pub entry_id: Uuid,
}

/// Writes questions down; one that stands there stays as it is.
pub async fn ask(db: impl PgExecutor<'_>, hospital: &str, id: Uuid, questions: &[Question]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into reconciliation_question (hospital, reconciliation, about, reference, entry_id)
         select $1, $2, t.* from unnest($3::text[], $4::text[], $5::uuid[]) as t on conflict do nothing",
    )
    .bind(hospital)
    .bind(id)
    .bind(questions.iter().map(|one| one.about).collect::<Vec<_>>())
    .bind(questions.iter().map(|one| one.reference.as_str()).collect::<Vec<_>>())
    .bind(questions.iter().map(|one| one.entry_id).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}

/// The next question about one of these that has no answer.
pub async fn open(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    about: &[&str],
) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as(
        "select about, reference from reconciliation_question
         where hospital = $1 and reconciliation = $2 and about = any($3) and answer is null
         order by about, reference limit 1",
    )
    .bind(hospital)
    .bind(id)
    .bind(about)
    .fetch_optional(db)
    .await
}

/// Writes an answer down.
pub async fn answer(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    (about, reference): (&str, &str),
    answer: &Value,
) -> sqlx::Result<()> {
    sqlx::query(
        "update reconciliation_question set answer = $5, asked_at = engine_now()
         where hospital = $1 and reconciliation = $2 and about = $3 and reference = $4",
    )
    .bind(hospital)
    .bind(id)
    .bind(about)
    .bind(reference)
    .bind(answer)
    .execute(db)
    .await
    .map(drop)
}

/// An answer.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Answered {
    /// order, refund or visit.
    pub about: String,
    /// Its number.
    pub reference: String,
    /// The application.
    pub entry_id: Uuid,
    /// What was said.
    pub answer: Value,
}

/// The answers about these applications.
pub async fn answers(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    entries: &[Uuid],
) -> sqlx::Result<Vec<Answered>> {
    sqlx::query_as(
        "select about, reference, entry_id, answer from reconciliation_question
         where hospital = $1 and reconciliation = $2 and entry_id = any($3) and answer is not null
         order by about, reference",
    )
    .bind(hospital)
    .bind(id)
    .bind(entries)
    .fetch_all(db)
    .await
}

/// The applications that something was asked about.
pub async fn asked(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select distinct entry_id from reconciliation_question where hospital = $1 and reconciliation = $2 order by 1",
    )
    .bind(hospital)
    .bind(id)
    .fetch_all(db)
    .await
}

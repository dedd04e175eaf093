//! What the outside told us, with its fate: every verified callback leaves one row, repeated ones raise its count.

use serde_json::Value;
use sqlx::PgConnection;

/// A verified callback.
#[derive(Debug, Clone)]
pub struct Callback<'a> {
    /// his, wechat-pay or wechat.
    pub source: &'a str,
    /// The sender's id of it; the same event has the same id.
    pub event_id: &'a str,
    /// What it says, for example `5007` or `TRANSACTION.SUCCESS`.
    pub kind: &'a str,
    /// Our id of what it is about.
    pub subject: &'a str,
    /// What it carried, without personal data.
    pub body: &'a Value,
}

/// Writes a callback down; true where it is the first of its id.
pub async fn receive(conn: &mut PgConnection, hospital: &str, callback: &Callback<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "insert into callback (hospital, source, event_id, kind, subject, body, fate)
         values ($1, $2, $3, $4, $5, $6, 'received')
         on conflict (hospital, source, event_id) do update set times = callback.times + 1
         returning times = 1",
    )
    .bind(hospital)
    .bind(callback.source)
    .bind(callback.event_id)
    .bind(callback.kind)
    .bind(callback.subject)
    .bind(callback.body)
    .fetch_one(conn)
    .await
}

/// Writes down what became of a callback.
pub async fn settle(
    conn: &mut PgConnection,
    hospital: &str,
    source: &str,
    event_id: &str,
    fate: &str,
) -> sqlx::Result<()> {
    sqlx::query("update callback set fate = $4 where hospital = $1 and source = $2 and event_id = $3")
        .bind(hospital)
        .bind(source)
        .bind(event_id)
        .bind(fate)
        .execute(conn)
        .await
        .map(drop)
}

//! Where the sandbox keeps its books: one JSON record a row, in a PostgreSQL schema of its own.
//!
//! A server changes its records in memory under one lock and saves them before it answers; a server that dies in
//! between has done nothing that anybody was told. With no pool the books live in memory only.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgPool;

/// The store of all books of the sandbox.
#[derive(Clone)]
pub struct Store {
    pool: Option<PgPool>,
}

/// One record to be saved.
pub struct Record {
    book: &'static str,
    id: String,
    body: serde_json::Value,
}

impl Record {
    /// The record `id` of `book`.
    pub fn new(book: &'static str, id: impl Into<String>, body: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { book, id: id.into(), body: serde_json::to_value(body)? })
    }
}

impl Store {
    /// Books that end with the process.
    pub fn in_memory() -> Self {
        Self { pool: None }
    }

    /// Books in the schema `sandbox` of this database, made if it is not there.
    pub async fn open(pool: PgPool) -> sqlx::Result<Self> {
        sqlx::raw_sql(
            "create schema if not exists sandbox;
             create table if not exists sandbox.record (
                 book text not null, id text not null, body jsonb not null, primary key (book, id));",
        )
        .execute(&pool)
        .await?;
        Ok(Self { pool: Some(pool) })
    }

    /// Writes records over what stood under their ids. The commit is not awaited on disk: these are not our books.
    pub async fn save(&self, records: Vec<Record>) -> sqlx::Result<()> {
        let Some(pool) = &self.pool else { return Ok(()) };
        if records.is_empty() {
            return Ok(());
        }
        // One row a key: a statement may not touch a row twice, and the last value of a record is what counts.
        let mut last = std::collections::BTreeMap::new();
        for record in records {
            last.insert((record.book, record.id), record.body);
        }
        let (mut books, mut ids, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for ((book, id), body) in last {
            books.push(book);
            ids.push(id);
            bodies.push(body);
        }
        sqlx::query(
            "insert into sandbox.record (book, id, body)
             select * from unnest($1::text[], $2::text[], $3::jsonb[])
             where (select set_config('synchronous_commit', 'off', true)) = 'off'
             on conflict (book, id) do update set body = excluded.body",
        )
        .bind(books)
        .bind(ids)
        .bind(bodies)
        .execute(pool)
        .await
        .map(drop)
    }

    /// All records of one book.
    pub async fn load<T: DeserializeOwned + Send + Unpin>(&self, book: &str) -> anyhow::Result<Vec<(String, T)>> {
        let Some(pool) = &self.pool else { return Ok(Vec::new()) };
        let rows: Vec<(String, serde_json::Value)> =
            sqlx::query_as("select id, body from sandbox.record where book = $1").bind(book).fetch_all(pool).await?;
        rows.into_iter().map(|(id, body)| Ok((id, serde_json::from_value(body)?))).collect()
    }
}

//! Where the sandbox keeps its books: one JSON record a row, in a PostgreSQL schema of its own.
//!
//! A server changes its records in memory under one lock and saves them before it answers; a server that dies in
//! between has done nothing that anybody was told. With no pool the books live in memory only. A copy of the books can be
//! read while the process that keeps them goes on; nothing is ever saved through it.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgPool;

/// The store of all books of the sandbox.
#[derive(Clone)]
pub struct Store {
    keeps: Keeps,
}

#[derive(Clone)]
enum Keeps {
    /// Nothing.
    Nothing,
    /// In the database.
    Rows(PgPool),
    /// What stood there at one instant: book, id, record.
    Copy(Arc<Vec<(String, String, serde_json::Value)>>),
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
        Self { keeps: Keeps::Nothing }
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
        Ok(Self { keeps: Keeps::Rows(pool) })
    }

    /// All books as they stand at this instant; `None` where this database has none. One statement reads them, so that
    /// they fit each other while whoever keeps them goes on.
    pub async fn copy(pool: &PgPool) -> sqlx::Result<Option<Self>> {
        let kept: bool = sqlx::query_scalar("select to_regclass('sandbox.record') is not null").fetch_one(pool).await?;
        if !kept {
            return Ok(None);
        }
        let rows = sqlx::query_as("select book, id, body from sandbox.record").fetch_all(pool).await?;
        Ok(Some(Self { keeps: Keeps::Copy(Arc::new(rows)) }))
    }

    /// Writes records over what stood under their ids. The commit is not awaited on disk: these are not our books.
    pub async fn save(&self, records: Vec<Record>) -> sqlx::Result<()> {
        let Keeps::Rows(pool) = &self.keeps else { return Ok(()) };
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
        let rows: Vec<(String, serde_json::Value)> = match &self.keeps {
            Keeps::Nothing => Vec::new(),
            Keeps::Rows(pool) => {
                sqlx::query_as("select id, body from sandbox.record where book = $1").bind(book).fetch_all(pool).await?
            }
            Keeps::Copy(rows) => {
                let of_book = rows.iter().filter(|(of, _, _)| of == book);
                of_book.map(|(_, id, body)| (id.clone(), body.clone())).collect()
            }
        };
        rows.into_iter().map(|(id, body)| Ok((id, serde_json::from_value(body)?))).collect()
    }
}

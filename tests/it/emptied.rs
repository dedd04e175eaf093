//! A demo empties the database that it is given: only one that is empty, or that a demo made.

use houbu::app::database::Database as Ours;

use crate::cluster::Database;

async fn empties(db: &Database) -> anyhow::Result<()> {
    Ours { pool: db.pool.clone(), server: None }.empty_for_demo().await
}

async fn exists(db: &Database, table: &str) -> bool {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(table).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test]
async fn a_database_of_somebody_else_is_left_alone() {
    let db = Database::new().await;
    sqlx::raw_sql(
        "drop schema sandbox cascade; drop schema public cascade; create schema public;
         create table public.ledger (entry int); insert into public.ledger values (1);",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let refused = empties(&db).await.unwrap_err().to_string();
    assert!(refused.contains("no demo made"), "{refused}");
    let kept: i64 = sqlx::query_scalar("select count(*) from public.ledger").fetch_one(&db.pool).await.unwrap();
    assert_eq!(kept, 1);
    sqlx::query("drop table public.ledger").execute(&db.pool).await.unwrap();
    empties(&db).await.unwrap();
    db.remove().await;
}

/// A hospital's clock is never set by hand; a demo's always is.
#[tokio::test]
async fn a_hospital_at_work_is_left_alone() {
    let db = Database::new().await;
    let run = "insert into run (tenant, id, workflow, key, step, status) values ('H1', $1, 'w', 'k', 's', 'waiting')";
    sqlx::query(run).bind(uuid::Uuid::now_v7()).execute(&db.pool).await.unwrap();
    assert!(empties(&db).await.is_err());
    let runs: i64 = sqlx::query_scalar("select count(*) from run").fetch_one(&db.pool).await.unwrap();
    assert_eq!(runs, 1);

    houbu::engine::clock::set(&db.pool, "2026-09-01T00:00:00Z".parse().unwrap()).await.unwrap();
    empties(&db).await.unwrap();
    assert!(!exists(&db, "public.run").await && !exists(&db, "sandbox.record").await);
    db.remove().await;
}

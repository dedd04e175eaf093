//! The sandbox's books as another process reads them while they are kept: the same, and left as they are.

use chrono::{NaiveTime, TimeDelta, Utc};
use houbu::demo::check_stored_books;
use houbu::ports::his::{DayPart, HisSchedule, OpenSlot, ScheduleState, TimeSlot};
use houbu::sandbox::books::Store;
use houbu::sandbox::faults::Level;
use houbu::sandbox::his::{self, ScheduleSeed, channel};
use houbu::sandbox::outside::{Outside, SandboxClock};

use crate::cluster::Database;

fn schedule() -> ScheduleSeed {
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    ScheduleSeed {
        campus_id: "c1".to_owned(),
        schedule: HisSchedule {
            reg_id: "S1".to_owned(),
            department_id: "d1".to_owned(),
            doctor_id: "doc1".to_owned(),
            doctor_name: "Li".to_owned(),
            doctor_title: "Chief".to_owned(),
            visit_date: (Utc::now() + TimeDelta::days(3)).date_naive(),
            part: DayPart::Morning,
            state: ScheduleState::Open,
            total: 4,
            remaining: 4,
            fee_fen: 5000,
            timed: true,
        },
        slots: vec![OpenSlot { slot: TimeSlot::new(at(8), at(9)), remaining: 4 }],
    }
}

/// Everything that stands in the sandbox's tables.
async fn rows(db: &Database) -> Vec<(String, String, serde_json::Value)> {
    let all = "select book, id, body from sandbox.record order by book, id";
    sqlx::query_as(all).fetch_all(&db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_books_are_those_that_are_kept_and_reading_leaves_no_trace() {
    let db = Database::new().await;
    sqlx::raw_sql("drop schema if exists sandbox cascade").execute(&db.pool).await.unwrap();
    let error = check_stored_books(&db.pool, "h001").await.unwrap_err().to_string();
    assert!(error.contains("holds no sandbox's books"), "{error}");
    let schemas = "select count(*) from pg_namespace where nspname = 'sandbox'";
    assert_eq!(sqlx::query_scalar::<_, i64>(schemas).fetch_one(&db.pool).await.unwrap(), 0);

    let clock = SandboxClock::at(Utc::now());
    let store = Store::open(db.pool.clone()).await.unwrap();
    let outside = Outside::start(7, Level::None, chrono_tz::Asia::Shanghai, store, clock.clone()).await.unwrap();
    outside.his.add_schedules(vec![schedule()]).await.unwrap();
    outside.his.fill_all(vec![("S1".to_owned(), 3, channel::WINDOW.to_owned())]).await.unwrap();
    let before = rows(&db).await;
    let copy = Store::copy(&db.pool).await.unwrap().unwrap();
    let (stored, kept) = (his::stored_books(&copy, clock.now()).await.unwrap(), outside.his.books().await);
    assert_eq!(kept.orders.len(), 3);
    assert_eq!(serde_json::to_value(&stored).unwrap(), serde_json::to_value(&kept).unwrap());
    assert_eq!(check_stored_books(&db.pool, "h001").await.unwrap().len(), 0);
    assert_eq!(rows(&db).await, before);
    db.remove().await;
}

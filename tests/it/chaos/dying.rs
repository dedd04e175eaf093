//! A worker that is killed (kill -9) in the middle of a turn: its runs move on elsewhere, within its lease and a beat.

use chrono::{DateTime, Utc};
use houbu::engine::MOVES_ON_WITHIN;
use houbu::records::callbacks::{self, Callback};
use serde_json::json;

use super::process::Process;
use super::{Ward, wait_for};
use crate::hospital::world::{DEPARTMENT, HOSPITAL};
use crate::stories::stoppage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_worker_held_moves_on() {
    let ward = Ward::open().await;
    let first = ward.worker("first").await;
    let entries = ward.applications(1..=3).await;
    ward.until_booking_is_held(entries[0]).await;
    let second = ward.worker("second").await;
    first.dies();
    assert_eq!(first.ends().await, 128 + 9);
    // By the database's own account, since a test's machine may be busy: its lease is no longer than promised, and until
    // it has ended nobody takes over what HIS was asked.
    let (now, until): (DateTime<Utc>, DateTime<Utc>) =
        sqlx::query_as("select clock_timestamp(), lease_until from worker where name = $1")
            .bind(first.lease())
            .fetch_one(&ward.hospital.db.pool)
            .await
            .unwrap();
    assert!((until - now).to_std().unwrap_or_default() < MOVES_ON_WITHIN, "a lease until {until} at {now}");
    wait_for("the second one to take over", || async {
        let taken = "select exists (select 1 from run r join worker w on w.id = r.worker and w.name = $2
                                    where r.id = $1 and r.status = 'running' and r.again)";
        sqlx::query_scalar(taken).bind(entries[0]).bind(second.lease()).fetch_one(&ward.hospital.db.pool).await.unwrap()
    })
    .await;
    let taken_at: DateTime<Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&ward.hospital.db.pool).await.unwrap();
    assert!(taken_at >= until, "taken over at {taken_at}, before the lease had ended");
    ward.gate.opens();
    ward.hospital.until_still().await;
    assert_eq!(ward.hospital.status(entries[0]).await, "booked");
    assert_eq!(ward.bookings(entries[0]).await, 1);
    second.leaves().await;
    ward.hospital.finish().await;
}

/// A push was stored, and the process died before it was done: whichever process serves does it, though nobody brings it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_push_that_a_dead_process_left_is_done_by_another() {
    let ward = Ward::open().await;
    let first = ward.worker("first").await;
    let entry = ward.applications(1..=1).await[0];
    first.leaves().await;
    let body = json!(stoppage("s1", DEPARTMENT, None));
    let left = Callback { source: "his", event_id: "s1", kind: "5001", subject: "W1", body: &body };
    let mut conn = ward.hospital.db.pool.acquire().await.unwrap();
    assert!(callbacks::receive(&mut conn, HOSPITAL, &left).await.unwrap());
    let long_ago = "update callback set received_at = engine_now() - interval '2 minutes'";
    sqlx::query(long_ago).execute(&mut *conn).await.unwrap();
    drop(conn);
    let process = Process::serve(&ward, "serving", &[]).await;
    wait_for("the push to be done", || async {
        let done = "select fate = 'delivered' from callback where event_id = 's1'";
        sqlx::query_scalar(done).fetch_one(&ward.hospital.db.pool).await.unwrap()
    })
    .await;
    // The money goes back as after any other 停诊.
    ward.hospital.pass_minutes(20).await;
    assert_eq!(ward.hospital.status(entry).await, "stopped");
    process.leaves().await;
    ward.hospital.finish().await;
}

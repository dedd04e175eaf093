//! A worker that is asked to end (SIGTERM): every turn is finished or handed back, and no lease is left.

use super::process::Process;
use super::{Ward, wait_for};

/// Turns that are committed.
async fn turns(ward: &Ward) -> i64 {
    sqlx::query_scalar("select count(*) from turn").fetch_one(&ward.hospital.db.pool).await.unwrap()
}

async fn leaves_nothing(ward: &Ward, gone: &Process) {
    assert!(!ward.leases().await.contains(&gone.lease()), "no lease is left");
    let held: i64 = sqlx::query_scalar(
        "select count(*) from run r where r.status = 'running' and not exists (
             select 1 from worker w where w.id = r.worker)",
    )
    .fetch_one(&ward.hospital.db.pool)
    .await
    .unwrap();
    assert_eq!(held, 0, "runs in the hands of nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_turn_is_finished_or_handed_back() {
    let ward = Ward::open().await;
    let first = ward.worker("first").await;
    let before = turns(&ward).await;
    for patient in 1..=16 {
        let reply = ward.hospital.door.apply("w1-am", &crate::hospital::world::patient_id(patient)).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
    }
    wait_for("it to be at work", || async { turns(&ward).await > before }).await;
    first.leaves().await;
    leaves_nothing(&ward, &first).await;
    let second = ward.worker("second").await;
    ward.hospital.pass_seconds(20).await;
    let waiting: i64 = sqlx::query_scalar("select count(*) from entry where status = 'waiting'")
        .fetch_one(&ward.hospital.db.pool)
        .await
        .unwrap();
    assert_eq!(waiting, 16);
    second.leaves().await;
    ward.hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_under_way_is_waited_for() {
    let ward = Ward::open().await;
    let first = ward.worker("first").await;
    let entries = ward.applications(1..=1).await;
    ward.until_booking_is_held(entries[0]).await;
    first.asked();
    wait_for("it to hear that", || async { first.log().contains("ending") }).await;
    assert!(ward.leases().await.contains(&first.lease()), "it keeps its lease while it has something in hand");
    ward.gate.opens();
    assert_eq!(first.ends().await, 0);
    leaves_nothing(&ward, &first).await;
    assert_eq!(ward.bookings(entries[0]).await, 1, "its turn was finished");
    assert!(ward.stands_at(entries[0], "Visit", "waiting").await);
    let second = ward.worker("second").await;
    ward.hospital.until_still().await;
    second.leaves().await;
    ward.hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_longer_than_the_drain_is_handed_back() {
    let ward = Ward::open().await;
    let first = Process::work(&ward, "first", &[("HOUBU_WORKER__DRAIN_MAX_S", "1")]).await;
    let entries = ward.applications(1..=1).await;
    ward.until_booking_is_held(entries[0]).await;
    first.leaves().await;
    leaves_nothing(&ward, &first).await;
    assert!(ward.stands_at(entries[0], "Booking", "pending").await, "handed back, not finished");
    ward.gate.opens();
    let second = ward.worker("second").await;
    ward.hospital.until_still().await;
    assert_eq!(ward.hospital.status(entries[0]).await, "booked");
    assert_eq!(ward.bookings(entries[0]).await, 1);
    second.leaves().await;
    ward.hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_twice_ends_at_once() {
    let ward = Ward::open().await;
    let first = ward.worker("first").await;
    let entries = ward.applications(1..=1).await;
    ward.until_booking_is_held(entries[0]).await;
    first.asked();
    wait_for("it to hear that", || async { first.log().contains("ending") }).await;
    first.asked();
    assert_eq!(first.ends().await, 128 + 15, "{}", first.log());
    assert!(ward.leases().await.contains(&first.lease()), "it has given up nothing");
    ward.gate.opens();
    let second = ward.worker("second").await;
    ward.hospital.until_still().await;
    assert_eq!(ward.bookings(entries[0]).await, 1);
    second.leaves().await;
    ward.hospital.finish().await;
}

//! A worker that is stopped (SIGSTOP, a frozen virtual machine) in the middle of a turn for longer than its lease: another
//! one takes over, and what the first does when it wakes counts for nothing.

use super::{Ward, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_wakes_up_commits_nothing() {
    let ward = Ward::open().await;
    let first = ward.worker("first").await;
    let entries = ward.applications(1..=3).await;
    ward.until_booking_is_held(entries[0]).await;
    first.stands_still();
    // HIS has booked, and its answer lies before a process that does not read it.
    ward.gate.opens();
    let second = ward.worker("second").await;
    ward.hospital.until_still().await;
    assert_eq!(ward.hospital.status(entries[0]).await, "booked");
    assert_eq!(ward.bookings(entries[0]).await, 1);
    let before = ward.hospital.everything().await;

    first.wakes();
    wait_for("the first one to come back", || async {
        let alive = "select exists (select 1 from worker where name = $1 and lease_until > clock_timestamp())";
        sqlx::query_scalar(alive).bind(first.lease()).fetch_one(&ward.hospital.db.pool).await.unwrap()
    })
    .await;
    // Whoever ends in good order has tried to commit whatever it had in hand.
    first.leaves().await;
    let after = ward.hospital.everything().await;
    for (table, rows) in &after {
        assert_eq!(Some(rows), before.get(table), "{table} changed when the first one woke");
    }
    ward.hospital.free_a_place("w1-am").await;
    assert_eq!(ward.hospital.status(entries[1]).await, "booked", "life goes on");
    second.leaves().await;
    ward.hospital.finish().await;
}

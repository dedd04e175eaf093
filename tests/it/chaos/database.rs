//! PostgreSQL is killed under load and started again: the processes that worked go on, none of them started anew.

use houbu::waitlist::policy::PaymentMode;

use super::process::Process;
use super::{Ward, wait_for};
use crate::cluster::{Database, Own};
use crate::hospital::{Hospital, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_on_when_the_database_comes_back() {
    let mut own = Own::start().await;
    let url = own.server().url("houbu");
    let setup = Setup { places: 8, patients: 16, ..Setup::paying(PaymentMode::Prepay) };
    let database = Database::on(own.server(), "houbu").await;
    let ward = Ward::of(Hospital::on(database, setup, false).await).await;
    let front = Process::serve(&ward, "serve", &[]).await;
    let works = ward.worker("work").await;
    let entries = ward.applications(1..=3).await;
    ward.until_booking_is_held(entries[0]).await;

    own.kill();
    // HIS has booked; who asked cannot write it down.
    ward.gate.opens();
    wait_for("both to miss the database", || async {
        [&front, &works].iter().all(|process| process.log().contains("could not be renewed"))
    })
    .await;
    own.start_again().await;
    assert_eq!(own.server().url("houbu"), url, "it came back where it was");

    wait_for("the booking to be written down", || async { ward.is_booked(entries[0]).await }).await;
    ward.hospital.until_still().await;
    assert_eq!(ward.bookings(entries[0]).await, 1);
    ward.hospital.free_a_place("w1-am").await;
    assert_eq!(ward.hospital.status(entries[1]).await, "booked", "life goes on");
    for process in [front, works] {
        assert!(process.ended().is_none(), "nothing of ours was started anew");
        process.leaves().await;
    }
    ward.hospital.finish().await;
    own.end().await;
}

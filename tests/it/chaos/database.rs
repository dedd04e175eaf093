//! PostgreSQL is killed under load and started again: the processes that worked go on, none of them started anew.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use houbu::postgres::{DataDir, Durability, Options, Server};
use houbu::waitlist::policy::PaymentMode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::Process;
use super::{Ward, wait_for};
use crate::cluster::Database;
use crate::hospital::{Hospital, Setup};

async fn start(options: Options) -> Server {
    tokio::task::spawn_blocking(move || Server::start(&options).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_on_when_the_database_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL runs under an account of its own.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let options = Options {
        data: DataDir::Kept(folder.path().join("pg")),
        durability: Durability::Full,
        max_connections: 100,
        settings: vec![("shared_buffers".to_owned(), "32MB".to_owned())],
    };
    let server = start(options.clone()).await;
    let url = server.url("houbu");
    let setup = Setup { places: 8, patients: 16, ..Setup::paying(PaymentMode::Prepay) };
    let database = Database::on(&server, "houbu").await;
    let ward = Ward::of(Hospital::on(database, setup, false).await).await;
    let front = Process::serve(&ward, "serve", &[]).await;
    let works = ward.worker("work").await;
    let entries = ward.applications(1..=3).await;
    ward.until_booking_is_held(entries[0]).await;

    kill(Pid::from_raw(i32::try_from(server.process()).unwrap()), Signal::SIGKILL).unwrap();
    // HIS has booked; who asked cannot write it down.
    ward.gate.opens();
    wait_for("both to miss the database", || async {
        [&front, &works].iter().all(|process| process.log().contains("could not be renewed"))
    })
    .await;
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    let server = start(options).await;
    assert_eq!(server.url("houbu"), url, "it came back where it was");

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
    drop(server);
}

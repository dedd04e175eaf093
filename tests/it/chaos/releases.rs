//! A rolling deploy that goes back and forth: a process of the new release beside a worker of an old one, which knows
//! nothing of applications. What only the new one knows waits for it, is shown as unrunnable while it is away, and goes on
//! when it is back.

use std::sync::Arc;

use houbu::engine::worker::{self, Options, Worker};
use houbu::engine::{Engine, Registry, RunId};
use houbu::workflows::schedule_sync::ScheduleSync;
use houbu::workflows::slot_release::SlotRelease;
use reqwest::Method;

use super::{Ward, wait_for};
use crate::hospital::world::HOSPITAL;

/// A worker of a release without applications.
async fn old_release(ward: &Ward) -> Worker {
    let ports = &ward.hospital.desk.ports;
    let registry = Registry::default().with::<SlotRelease>(Arc::clone(ports)).with::<ScheduleSync>(Arc::clone(ports));
    let engine = Engine::new(ward.hospital.db.pool.clone(), HOSPITAL, registry);
    worker::start(engine, Options { name: "old".to_owned(), ..Options::default() }).await.unwrap()
}

/// What is shown as unrunnable: where, and how many.
async fn unrunnable(ward: &Ward) -> Vec<(String, i64)> {
    let survey = ward.hospital.desk.engine.survey().await.unwrap();
    assert_eq!(
        survey.with_status("unrunnable"),
        survey.unrunnable.iter().map(|place| place.runs).sum::<i64>(),
        "runs are shown as what they are counted as"
    );
    survey.unrunnable.into_iter().map(|place| (place.step, place.runs)).collect()
}

/// The names of the signals that nobody has heard yet.
async fn unheard(ward: &Ward, run: RunId) -> Vec<String> {
    sqlx::query_scalar("select name from inbox where run_id = $1 and read_turn is null order by seq")
        .bind(run)
        .fetch_all(&ward.hospital.db.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_new_release_knows_waits_for_it() {
    let ward = Ward::open().await;
    let new = ward.worker("new").await;
    let entries = ward.applications(1..=3).await;
    let old = old_release(&ward).await;
    assert_eq!(unrunnable(&ward).await, [], "one who knows them is enough");

    new.leaves().await;
    assert_eq!(unrunnable(&ward).await, [("Waiting".to_owned(), 3)]);
    let gone = ward.hospital.door.ask(Method::DELETE, &format!("/v1/waitlist/{}", entries[2]), None).await;
    assert!((200..300).contains(&gone.status), "{}", gone.body);
    // The old release hands places out as ever; whom it offers one to it cannot move.
    ward.hospital.free_a_place_and_go_on("w1-am").await;
    wait_for("an offer to the first in line", || async { unheard(&ward, entries[0]).await == ["Offer"] }).await;
    assert_eq!(unheard(&ward, entries[2]).await, ["Withdrawal"]);
    for entry in &entries {
        assert!(
            ward.stands_at(*entry, "Waiting", "waiting").await || ward.stands_at(*entry, "Waiting", "pending").await
        );
    }
    assert_eq!(unrunnable(&ward).await, [("Waiting".to_owned(), 3)], "shown as that, whatever its row says");

    let new = ward.worker("new again").await;
    assert_eq!(unrunnable(&ward).await, []);
    ward.hospital.until_still().await;
    let booked = ward.hospital.status(entries[0]).await;
    let waits = ward.hospital.status(entries[1]).await;
    assert_eq!((booked.as_str(), waits.as_str()), ("booked", "waiting"));
    assert_eq!(unheard(&ward, entries[0]).await, [""; 0], "nothing was lost");
    ward.hospital.pass_minutes(30).await;
    assert_eq!(ward.hospital.status(entries[2]).await, "withdrawn");
    new.leaves().await;
    old.stop().await;
    ward.hospital.finish().await;
}

//! A queue whose order is drawn (R17): nobody gets a place before the draw, anybody can check it, and who comes later
//! stands behind.

use std::process::Command;

use houbu::engine::RunId;
use houbu::records::draws;
use houbu::waitlist::draw::{Seed, Transcript};
use houbu::waitlist::policy::{LevelPolicy, PaymentMode, QueueOrder, Switch};
use reqwest::Method;
use serde_json::{Value, json};

use super::{RELEASE, Told, statuses};
use crate::hospital::world::{CAMPUS, HOSPITAL, cutoff};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

const DRAWN: &[&str] = &[
    "Gathering on deadline: Over",
    "Drawing: Drawn",
    "Idle on Freed: Hint",
    "Refreshing: Found",
    "Matching: Offered",
    "Answering on Answer: Took",
    "Matching: Exhausted",
];
const STOPPED_BEFORE: &[&str] = &["Gathering on Stoppage: Stopped", "Stopping: Told"];

pub const TOLD: &[Told] = &[(RELEASE, DRAWN), (RELEASE, STOPPED_BEFORE)];

fn drawn_after(minutes: u32) -> LevelPolicy {
    LevelPolicy {
        switch: Switch::On,
        payment_mode: Some(PaymentMode::None),
        order: Some(QueueOrder::Random),
        draw_window_minutes: Some(minutes),
        ..LevelPolicy::default()
    }
}

async fn drawing(patients: u32) -> Hospital {
    Hospital::open(Setup { policy: drawn_after(30), patients, ..Setup::paying(PaymentMode::None) }).await
}

impl Hospital {
    async fn draw(&self, schedule: &str) -> Value {
        self.ask(Method::GET, &format!("/v1/schedules/{schedule}/draw"), None).await
    }

    async fn shown(&self, entry: RunId) -> Value {
        self.ask(Method::GET, &format!("/v1/waitlist/{entry}"), None).await
    }

    /// Who waits, by the place that they are told.
    async fn line_of(&self, entries: &[RunId]) -> Vec<RunId> {
        let mut line = Vec::new();
        for entry in entries {
            line.extend(self.shown(*entry).await["position"].as_i64().map(|place| (place, *entry)));
        }
        line.sort_unstable();
        line.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// What `houbu draw verify` says of a file, and whether it is content.
fn verified(file: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
    // Whoever checks has neither our configuration nor our database.
    command.env_clear().arg("draw").arg("verify").arg(file).args(arguments);
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_the_order_of_a_queue_is_drawn_and_anybody_can_hold_the_draw_again() {
    let hospital = drawing(14).await;
    let before = hospital.draw("w1-am").await;
    assert_eq!(before["stage"], "fixed");
    let published = before["commitment"].as_str().unwrap().to_owned();

    let mut entries = Vec::new();
    for patient in 1..=12 {
        entries.push(hospital.apply("w1-am", patient).await);
    }
    let open = hospital.draw("w1-am").await;
    assert_eq!((&open["stage"], &open["commitment"]), (&json!("open"), &json!(published)));
    assert_eq!(
        (&open["seed"], &open["order"], &open["heldAt"]),
        (&Value::Null, &Value::Null, &json!("2026-09-01T10:30:00+08:00"))
    );
    assert_eq!(hospital.shown(entries[0]).await["position"], Value::Null, "who came first has no place yet");
    // Whoever withdraws before the draw is in it all the same: the pool cannot be shaped by withdrawing.
    hospital.withdraw(entries[4]).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(20).await;
    assert_eq!(statuses(&hospital, [entries[0], entries[1]]).await, ["waiting", "waiting"], "a place before the draw");

    hospital.pass_minutes(15).await;
    assert_eq!(hospital.release_steps("w1-am").await, DRAWN);
    let answer = hospital.draw("w1-am").await;
    assert_eq!((&answer["stage"], &answer["commitment"]), (&json!("drawn"), &json!(published)));
    let transcript: Transcript = serde_json::from_value(answer.clone()).unwrap();
    assert_eq!(transcript.applications, entries);
    assert_eq!(transcript.verify(Some(&published)), Ok(()));
    assert_ne!(transcript.order, entries, "one in 479 million draws");

    let mut served: Vec<RunId> = transcript.order.clone();
    served.retain(|entry| *entry != entries[4]);
    assert_eq!(hospital.status(served[0]).await, "booked");
    assert_eq!(hospital.line_of(&entries).await, served[1..]);
    let late = hospital.apply("w1-am", 13).await;
    assert_eq!(hospital.shown(late).await["position"], json!(served.len()), "behind everybody who was drawn");
    for winner in &served[1..4] {
        hospital.free_a_place("w1-am").await;
        assert_eq!(hospital.status(*winner).await, "booked");
    }

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("draw.json");
    std::fs::write(&file, answer.to_string()).unwrap();
    let own = served[0].to_string();
    let (content, said) = verified(&file, &["--commitment", &published, "--application", &own]);
    assert!(content && said.contains("fixed at the opening") && said.contains("these 12 applications"), "{said}");
    let (content, said) = verified(&file, &["--application", &late.to_string()]);
    assert!(!content && said.contains("took no part"), "{said}");
    let mut bent = transcript;
    bent.order.swap(0, 11);
    std::fs::write(&file, serde_json::to_string(&bent).unwrap()).unwrap();
    let (content, said) = verified(&file, &["--commitment", &published]);
    assert!(!content && said.contains("the order is not the one"), "{said}");
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_where_the_schedule_stops_before_the_draw_nothing_is_drawn() {
    let hospital = drawing(4).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.stop("w1-am").await;
    assert_eq!(hospital.release_steps("w1-am").await, STOPPED_BEFORE);
    assert_eq!(hospital.status(entry).await, "stopped");
    let draw = hospital.draw("w1-am").await;
    assert_eq!((&draw["stage"], &draw["seed"]), (&json!("open"), &Value::Null));
    hospital.finish().await;
}

/// A switch of the order counts for the next draw: queues that have opened keep what they began with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_queue_keeps_the_order_that_it_opened_with() {
    let hospital = drawing(4).await;
    let first = hospital.apply("w1-am", 1).await;
    let order = |order: &str| json!({ "switch": "on", "paymentMode": "none", "order": order });
    hospital.ask(Method::PUT, &format!("/v1/policies/campus/{CAMPUS}"), Some(order("fifo"))).await;
    hospital.apply("w1-am", 2).await;
    let by_arrival = [hospital.apply("w2-am", 1).await, hospital.apply("w2-am", 3).await];
    assert_eq!(hospital.line_of(&by_arrival).await, by_arrival);
    assert_eq!(hospital.door.ask(Method::GET, "/v1/schedules/w2-am/draw", None).await.status, 404);
    hospital.ask(Method::PUT, &format!("/v1/policies/campus/{CAMPUS}"), Some(order("random"))).await;
    assert_eq!(hospital.door.ask(Method::GET, "/v1/schedules/w2-am/draw", None).await.status, 404);
    hospital.pass_minutes(31).await;
    let draw = hospital.draw("w1-am").await;
    assert_eq!(draw["applications"].as_array().unwrap().len(), 2);
    assert!(hospital.shown(first).await["position"].is_i64());
    hospital.finish().await;
}

/// A queue that opens late is drawn half way to its cutoff, and then still served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_a_late_queue_is_drawn_in_time() {
    let hospital = drawing(4).await;
    hospital.pass_until(cutoff() - chrono::TimeDelta::minutes(10)).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(4).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.pass_minutes(1).await;
    assert_eq!(hospital.status(entry).await, "booked");
    hospital.finish().await;
}

/// The draw gives the entry another place, and its payment has it wait, at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_whoever_pays_while_the_draw_is_held_stands_in_the_queue() {
    let policy = LevelPolicy { payment_mode: Some(PaymentMode::Prepay), ..drawn_after(30) };
    let hospital = Hospital::open(Setup { policy, ..Setup::paying(PaymentMode::Prepay) }).await;
    let entry = hospital.apply("w1-am", 1).await;
    assert_eq!(hospital.status(entry).await, "awaitingPrepayment");
    let mut draw = hospital.db.pool.begin().await.unwrap();
    draws::hold(&mut draw, HOSPITAL, "w1-am", &Seed::random().unwrap()).await.unwrap();
    let draw_ends = async {
        let blocked = "select exists (select from pg_stat_activity
                                      where datname = current_database() and wait_event_type = 'Lock')";
        let blocked = async || sqlx::query_scalar(blocked).fetch_one(&hospital.db.pool).await.unwrap();
        wait_for("the payment to be written", blocked).await;
        draw.commit().await.unwrap();
    };
    tokio::join!(hospital.pass_seconds(30), draw_ends);
    assert_eq!(hospital.status(entry).await, "waiting");
    hospital.finish().await;
}

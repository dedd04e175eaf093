//! HIS is away for an hour in the middle of the offers: what needs it waits, nobody is forgotten, and hardly a call is
//! made in vain.

use chrono::TimeDelta;
use houbu::sandbox::wechat_pay::Payer;
use houbu::waitlist::policy::PaymentMode;
use houbu::waitlist::status::EntryStatus;
use reqwest::Method;
use serde_json::json;

use crate::hospital::world::{SCHEDULES, cutoff, local};
use crate::hospital::{Hospital, Setup};
use crate::patience::wait_for;

const PATIENTS: u32 = 18;

async fn his(hospital: &Hospital) -> serde_json::Value {
    let reply = hospital.door.ask(Method::GET, "/v1/destinations/his", None).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_without_his_costs_nobody_anything() {
    let setup = Setup { places: 10, patients: PATIENTS, ..Setup::paying(PaymentMode::LockThenPay) };
    let hospital = Hospital::open(setup).await;
    let mut entries = Vec::new();
    for patient in 1..=PATIENTS {
        hospital.payer(patient, Payer::Pays { after: std::time::Duration::from_secs(20) });
        entries.push(hospital.apply(SCHEDULES[patient as usize % 3], patient).await);
    }
    for schedule in SCHEDULES {
        for _ in 0..PATIENTS / 3 {
            hospital.free_a_place(schedule).await;
        }
    }
    for entry in &entries {
        assert_eq!(hospital.status(*entry).await, "offered");
    }

    // What HIS answered before does not speak for it any more.
    hospital.pass_seconds(15).await;
    hospital.line.cut(true);
    for entry in &entries {
        hospital.confirm(*entry).await;
    }
    hospital.pass_minutes(1).await;
    let down = his(&hospital).await;
    assert_eq!(down["state"], "open", "{down:#}");
    assert!(down["lastError"].as_str().unwrap().contains("the line is cut"), "{down:#}");
    assert_eq!(down["events"][0]["what"], "opened");
    let mut why = String::new();
    for entry in &entries {
        let run = hospital.door.ask(Method::GET, &format!("/v1/runs/{entry}"), None).await;
        assert_eq!(run.body["step"], "Booking");
        why = run.body["why"].as_str().unwrap_or_default().to_owned();
    }
    assert!(why.contains("HIS") && why.contains("不可用"), "{why}");

    hospital.pass_minutes(59).await;
    let in_vain = hospital.line.in_vain();
    // Everybody's first call, a round that may have been on its way when HIS was found down, and then one a pause: 30 s,
    // 1, 2, 4 minutes, and every 5 minutes. Without pauses it would be eighteen for each.
    assert!(in_vain <= 18 + 16 + 14, "{in_vain} calls in vain");

    hospital.line.cut(false);
    hospital.pass_minutes(10).await;
    assert_eq!(his(&hospital).await["state"], "closed");
    hospital.pass_until(local(5, 12, 0)).await;
    for entry in &entries {
        let status = EntryStatus::parse(&hospital.status(*entry).await).unwrap();
        assert!(!status.live() && status != EntryStatus::Settling, "{entry} is still {status:?}");
    }
    let most: i32 = sqlx::query_scalar("select max(attempt) from turn").fetch_one(&hospital.db.pool).await.unwrap();
    assert!(most <= 3, "a step was tried {most} times in vain");
    hospital.finish().await;
}

/// Staff pause HIS for its maintenance and resume it: nothing is called meanwhile, everything goes on afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_pause_his_for_its_maintenance() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let ask = async |verb: &str, reason: &str| {
        let path = format!("/v1/destinations/his/{verb}");
        hospital.door.ask(Method::POST, &path, Some(json!({ "reason": reason }))).await
    };
    assert_eq!(ask("resume", "nobody paused it").await.code(), "not_paused");
    assert_eq!(ask("pause", "").await.status, 422);
    let paused = ask("pause", "upgrade until noon").await;
    assert_eq!((paused.status, &paused.body["state"]), (200, &json!("paused")));
    assert_eq!(paused.body["paused"]["reason"], "upgrade until noon");
    assert_eq!(ask("pause", "once more").await.code(), "already_paused");
    let nowhere =
        hospital.door.ask(Method::POST, "/v1/destinations/nowhere/pause", Some(json!({ "reason": "x" }))).await;
    assert_eq!(nowhere.status, 404);
    // The switch counts within a heartbeat; this story begins after it.
    wait_for("the switch to be seen", || hospital.worker_has_seen_the_switch("his")).await;
    hospital.free_a_place("w1-am").await;
    hospital.pass_minutes(90).await;
    assert_eq!(hospital.status(entry).await, "waiting");
    let run = hospital.run_of_key("slot_release", "w1-am").await;
    let shown = hospital.door.ask(Method::GET, &format!("/v1/runs/{run}"), None).await;
    assert!(shown.body["why"].as_str().unwrap().contains("upgrade until noon"), "{}", shown.body["why"]);
    assert_eq!(his(&hospital).await["runsWaiting"], 1);
    assert_eq!(ask("resume", "it is back").await.status, 200);
    hospital.pass_until(hospital.now() + TimeDelta::minutes(1)).await;
    assert_eq!(hospital.status(entry).await, "booked");
    let told = his(&hospital).await;
    assert_eq!((&told["events"][0]["what"], &told["events"][0]["who"]), (&json!("resumed"), &json!("stories@api")));
    let audit = hospital.door.ask(Method::GET, "/v1/audit", None).await;
    let mut deeds: Vec<&serde_json::Value> = audit.body["items"].as_array().unwrap().iter().collect();
    deeds.retain(|deed| deed["verb"].as_str().unwrap().starts_with("destination."));
    let deeds: Vec<_> =
        deeds.iter().map(|deed| (&deed["verb"], &deed["before"]["destination"], &deed["reason"])).collect();
    let his = json!("his");
    let (resume, pause) = (json!("destination.resume"), json!("destination.pause"));
    assert_eq!(deeds[0], (&resume, &his, &json!("it is back")));
    assert_eq!((deeds.len(), deeds[1].0), (2, &pause));
    hospital.finish().await;
}

/// R26: who never ordered anything is told of the end in time, whatever the payment provider does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_a_free_application_ends_without_the_payment_provider() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.turns("payments", "pause").await;
    hospital.pass_until(cutoff()).await;
    assert_eq!(hospital.status(entry).await, "expired");
    assert_eq!(hospital.told(1).await, ["waitlist_submitted", "waitlist_failed"]);
    hospital.finish().await;
}

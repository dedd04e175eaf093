//! Signals by a run's key over HTTP, before and after the run is there; and what is too large to be stored.

use axum::http::{Request, StatusCode};
use houbu::engine::sizes::{INPUT_BYTES_MAX, SIGNAL_BYTES_MAX};
use houbu::waitlist::policy::LevelPolicy;
use serde_json::{Value, json};

use super::surface::{House, WEAK};

const PULL: &str = "/v1/workflows/schedule_sync/runs/0101/signals/PullNow";

fn signal(id: &str) -> Value {
    json!({ "signalId": id, "payload": { "retire": false } })
}

fn start(key: &str, filling: usize) -> Value {
    let input = json!({
        "id": key, "pulled_at": null, "next_at": "2026-03-03T00:00:00Z", "freed": [], "stopped": [],
        "filling": "x".repeat(filling),
    });
    json!({ "key": key, "input": input })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_by_key_waits_for_its_run_and_is_shown_meanwhile() {
    let house = House::open(LevelPolicy::default()).await;
    let sends = async |id: &str| house.ask("POST", PULL, None, Some(signal(id))).await;
    for (id, fate) in [("a", "kept"), ("a", "duplicate"), ("b", "kept")] {
        let answer = sends(id).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::ACCEPTED, json!({ "accepted": true, "fate": fate })));
    }
    for payload in [json!(null), json!(7), json!("x"), json!([])] {
        let odd = house.ask("POST", PULL, None, Some(json!({ "signalId": "odd", "payload": payload }))).await;
        assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY, "what goes with a signal are fields: {payload}");
    }
    let shown = house.get("/v1/signals/unmatched").await.json();
    let ids: Vec<&str> = shown["items"].as_array().unwrap().iter().filter_map(|one| one["signalId"].as_str()).collect();
    assert_eq!(ids, ["b", "a"], "newest first");
    assert_eq!(shown["items"][0]["payload"], json!({ "retire": false }));
    let older = house.get(&format!("/v1/signals/unmatched?cursor={}", shown["items"][0]["id"])).await.json();
    assert_eq!(older["items"].as_array().map(Vec::len), Some(1));
    let weak = Request::get("/v1/signals/unmatched").header("authorization", format!("Bearer {WEAK}"));
    let weak = house.send(weak.body(axum::body::Body::empty()).unwrap()).await.json();
    assert_eq!(weak["items"][0]["signal"], "PullNow");
    assert!(weak["items"][0].get("payload").is_none(), "what came with it is for those who may see it");

    let started = house.ask("POST", "/v1/workflows/schedule_sync/runs", None, Some(start("0101", 0))).await;
    assert_eq!(started.status, StatusCode::CREATED);
    let inbox = started.json()["inbox"].clone();
    assert_eq!(inbox.as_array().map(Vec::len), Some(2), "both are in its inbox: {inbox}");
    assert_eq!((&inbox[0]["signalId"], &inbox[1]["signalId"]), (&json!("a"), &json!("b")));
    for (id, fate) in [("a", "duplicate"), ("c", "delivered")] {
        assert_eq!(sends(id).await.json()["fate"], fate);
    }
    let matched = house.get("/v1/signals/unmatched?status=matched").await.json();
    assert_eq!(matched["items"][0]["matchedRunId"], started.json()["runId"]);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_signal_is_refused_by_name() {
    let house = House::open(LevelPolicy::default()).await;
    let runs = "/v1/workflows/schedule_sync/runs";
    let table = [
        ("/v1/workflows/none/runs/0101/signals/PullNow".to_owned(), signal("a"), 404, "unknown_workflow"),
        (format!("{runs}/0101/signals/Push"), signal("a"), 422, "unknown_signal"),
        (PULL.to_owned(), signal(""), 422, "invalid_request"),
        (format!("{runs}/{}/signals/PullNow", "k".repeat(201)), signal("a"), 422, "invalid_request"),
    ];
    for (path, body, status, code) in table {
        let answer = house.ask("POST", &path, None, Some(body)).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
    }
    assert_eq!(house.get("/v1/signals/unmatched?status=lost").await.code(), "unreadable");
    assert_eq!(house.hospital.count("select count(*) from unmatched").await, 0);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_with_its_limit() {
    let house = House::open(LevelPolicy::default()).await;
    let large = json!({ "signalId": "a", "payload": { "retire": false, "x": "y".repeat(SIGNAL_BYTES_MAX) } });
    let answer = house.ask("POST", PULL, None, Some(large)).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    assert_eq!(answer.json()["limit"], SIGNAL_BYTES_MAX);
    assert_eq!(answer.json()["detail"], "The request has more than 64 KiB.");

    let runs = "/v1/workflows/schedule_sync/runs";
    let answer = house.ask("POST", runs, None, Some(start("0101", INPUT_BYTES_MAX))).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "too_large"));
    assert_eq!(answer.json()["limit"], INPUT_BYTES_MAX);
    let answer = house.ask("POST", runs, None, Some(start("0101", INPUT_BYTES_MAX - 1_000))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "the body may be larger than the input that it carries");
    assert_eq!(house.hospital.count("select count(*) from unmatched").await, 0);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_at_the_edges_come_back_as_they_went() {
    let house = House::open(LevelPolicy::default()).await;
    let edges = json!([f64::MAX, -f64::MAX, 1e308, 1e200, f64::MIN_POSITIVE, 5e-324, u64::MAX, i64::MIN, 0.1]);
    let sent = json!({ "signalId": "edges", "payload": { "retire": false, "edges": edges } });
    assert_eq!(house.ask("POST", PULL, None, Some(sent)).await.status, StatusCode::ACCEPTED);
    let shown = house.get("/v1/signals/unmatched").await;
    assert_eq!(shown.status, StatusCode::OK, "what was accepted can be read: {}", shown.text);
    let came = shown.json()["items"][0]["payload"]["edges"].clone();
    let numbers = |list: &Value| list.as_array().unwrap().iter().map(Value::as_f64).collect::<Vec<_>>();
    assert_eq!(numbers(&came), numbers(&edges));
    let started = house.ask("POST", "/v1/workflows/schedule_sync/runs", None, Some(start("0101", 0))).await;
    assert_eq!(started.status, StatusCode::CREATED, "its run reads it too: {}", started.text);
    house.hospital.close().await;
}

//! What staff do over the API: verbs explained in the caller's language, bulks, and the audit.

use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hospital::Hospital;
use crate::hospital::door::Reply;
use crate::patience::wait_for;

async fn get(hospital: &Hospital, path: &str) -> Value {
    let reply = hospital.door.ask(Method::GET, path, None).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.body
}

async fn post(hospital: &Hospital, path: &str, body: Value) -> Reply {
    hospital.door.ask(Method::POST, path, Some(body)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_are_explained_in_both_languages() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    let path = format!("/v1/runs/{entry}/verbs");
    let line = |verbs: &Value, verb: &str| {
        verbs["items"].as_array().unwrap().iter().find(|line| line["verb"] == verb).unwrap().clone()
    };
    let zh = get(&hospital, &path).await;
    assert_eq!(line(&zh, "cancel")["message"], "转到 Clearing。");
    let jump = line(&zh, "jump");
    let closure = jump["choices"].as_array().unwrap().iter().find(|choice| choice["name"] == "Closure").unwrap();
    assert_eq!((&closure["allowed"], &closure["code"]), (&json!(false), &json!("would_strand")));
    assert_eq!(closure["owed"], json!(["Money"]));
    assert!(closure["message"].as_str().unwrap().contains("可安全转到"), "{closure}");
    let english = hospital.door.keyed(Method::GET, &path).header("accept-language", "en");
    let en = crate::hospital::door::Door::reply(english).await.body;
    assert_eq!(line(&en, "retry")["message"], "The run is neither suspended nor backing off.");
    assert_eq!(line(&en, "signal")["choices"][0]["message"], "It is kept for a later step.");
    let unknown = hospital.door.ask(Method::GET, &format!("/v1/runs/{}/verbs", uuid::Uuid::now_v7()), None).await;
    assert_eq!(unknown.status, 404);
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_over_the_api_is_tried_done_and_written_down() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    for patient in 1..=3 {
        hospital.apply("w1-am", patient).await;
    }
    let bulk = json!({
        "verb": "suspend", "filter": { "workflow": "waitlist_application" }, "reason": "HIS is being moved",
        "perSecond": 1000
    });
    let mut dry = bulk.clone();
    dry["dryRun"] = json!(true);
    let tried = post(&hospital, "/v1/runs/bulk", dry).await;
    assert_eq!((tried.status, &tried.body["wouldChange"]), (200, &json!(3)), "{}", tried.body);
    assert_eq!(get(&hospital, "/v1/runs/bulk").await["items"], json!([]));
    let begun = post(&hospital, "/v1/runs/bulk", bulk).await;
    assert_eq!((begun.status, &begun.body["total"]), (202, &json!(3)), "{}", begun.body);
    let path = format!("/v1/runs/bulk/{}", begun.body["bulkId"].as_str().unwrap());
    wait_for("the bulk to be done", || async { get(&hospital, &path).await["status"] == "done" }).await;
    assert_eq!(get(&hospital, "/v1/runs?status=suspended").await["items"].as_array().unwrap().len(), 3);
    let paused = post(&hospital, &format!("{path}/pause"), json!({ "reason": "too late" })).await;
    assert_eq!((paused.status, paused.code()), (409, "bulk_stands"));
    let audit = get(&hospital, "/v1/audit?who=stories&verb=suspend").await;
    let deeds = audit["items"].as_array().unwrap();
    assert_eq!(deeds.len(), 3);
    assert!(deeds.iter().all(|deed| deed["reason"] == "HIS is being moved" && deed["bulkId"] == begun.body["bulkId"]));
    for (wrong, body) in [
        ("no filter", json!({ "verb": "retry", "filter": {}, "reason": "x" })),
        ("no such verb", json!({ "verb": "burn", "filter": { "status": "waiting" }, "reason": "x" })),
        ("no step", json!({ "verb": "jump", "filter": { "status": "waiting" }, "reason": "x" })),
        ("no rate", json!({ "verb": "retry", "filter": { "status": "waiting" }, "reason": "x", "perSecond": 0 })),
    ] {
        let refused = post(&hospital, "/v1/runs/bulk", body).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_request"), "{wrong}: {}", refused.body);
    }
    let resumed = json!({ "verb": "resume", "filter": { "fault": "staff" }, "reason": "HIS is back" });
    assert_eq!(post(&hospital, "/v1/runs/bulk", resumed).await.status, 202);
    let none_left = || async { get(&hospital, "/v1/runs?status=suspended").await["items"] == json!([]) };
    wait_for("everybody to be resumed", none_left).await;
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_were_refused_are_listed_and_sent_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    sqlx::query("update outbox set status = 'suspended', attempt = 1, settled_at = null, last_error = 'errcode 40037'")
        .execute(&hospital.db.pool)
        .await
        .unwrap();
    let aside = get(&hospital, "/v1/letters?error=40037").await;
    let letters = aside["items"].as_array().unwrap();
    assert!(!letters.is_empty() && letters.iter().all(|one| one["runId"] == entry.to_string()), "{aside}");
    assert_eq!(letters[0]["error"], "errcode 40037");
    assert_eq!(get(&hospital, "/v1/letters?topic=nothing").await["items"], json!([]));
    let retry = async |body: Value| post(&hospital, "/v1/letters/retry", body).await;
    assert_eq!(retry(json!({ "reason": "everything" })).await.code(), "invalid_request");
    let again = retry(json!({ "error": "40037", "reason": "the template is approved again" })).await;
    assert_eq!((again.status, &again.body["more"]), (202, &json!(false)));
    assert_eq!(again.body["letterIds"].as_array().unwrap().len(), letters.len());
    hospital.until_still().await;
    assert_eq!(get(&hospital, "/v1/letters").await["items"], json!([]));
    let audit = get(&hospital, &format!("/v1/audit?runId={entry}")).await;
    assert_eq!(audit["items"][0]["verb"], "letter.retry");
    hospital.finish().await;
}

//! What staff do over the API: verbs explained in the caller's language, bulks, and the audit.

use houbu::client::shapes::{AuditWanted, Language, LettersWanted, Retry, VerbLine, Verbs};
use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

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

fn line<'a>(verbs: &'a Verbs, verb: &str) -> &'a VerbLine {
    verbs.items.iter().find(|line| line.verb == verb).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_are_explained_in_both_languages() {
    let hospital = Hospital::paying(PaymentMode::Prepay).await;
    let entry = hospital.apply("w1-am", 1).await;
    hospital.pass_minutes(1).await;
    let houbu = hospital.door.client();
    let zh = houbu.verbs(entry).await.unwrap().body;
    assert_eq!(line(&zh, "cancel").verdict.message, "转到 Clearing。");
    let closure = line(&zh, "jump").choices.iter().find(|choice| choice.name == "Closure").unwrap();
    assert_eq!((closure.verdict.allowed, closure.verdict.code.as_deref()), (false, Some("would_strand")));
    assert_eq!(closure.verdict.owed, ["Money"]);
    assert!(closure.verdict.message.contains("可安全转到"), "{closure:?}");
    let en = houbu.reading(Language::En).verbs(entry).await.unwrap().body;
    assert_eq!(line(&en, "retry").verdict.message, "The run is neither suspended nor backing off.");
    assert_eq!(line(&en, "signal").choices[0].verdict.message, "It is kept for a later step.");
    assert_eq!(houbu.verbs(uuid::Uuid::now_v7()).await.unwrap_err().status(), Some(404));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reason_names_nobodys_number() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let entry = hospital.apply("w1-am", 1).await;
    let reason = json!({ "reason": "患者 13800138000 来电" });
    let refused = post(&hospital, &format!("/v1/runs/{entry}/suspend"), reason).await;
    assert_eq!((refused.status, refused.code()), (422, "personal_reason"), "{}", refused.body);
    for blank in ["", "  ", "\u{3000}"] {
        let refused = post(&hospital, &format!("/v1/runs/{entry}/suspend"), json!({ "reason": blank })).await;
        assert_eq!(refused.status, 422, "{blank:?}: {}", refused.body);
    }
    let said = json!({ "signalId": "1", "payload": {}, "reason": "证件 11010519491231002X" });
    for path in [
        format!("/v1/runs/{entry}/signals/Confirm"),
        format!("/v1/workflows/waitlist_application/runs/{entry}/signals/Confirm"),
    ] {
        assert_eq!(post(&hospital, &path, said.clone()).await.code(), "personal_reason", "{path}");
    }
    assert_eq!(get(&hospital, "/v1/audit?verb=suspend").await["items"], json!([]));
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
    let at = &tried.body["bySteps"][0];
    assert_eq!((&at["workflow"], &at["wouldChange"]), (&json!("waitlist_application"), &json!(3)), "{}", tried.body);
    assert_eq!((&at["wouldRefuse"], &tried.body["refusing"]), (&json!(0), &json!([])));
    assert_eq!(get(&hospital, "/v1/runs/bulk").await["items"], json!([]));
    // Whoever joins after the preview is not its business.
    let late = hospital.apply("w1-am", 4).await;
    let (mut exact, mut other) = (bulk.clone(), bulk);
    exact["previewId"] = tried.body["previewId"].clone();
    other["previewId"] = json!(Uuid::now_v7());
    let void = post(&hospital, "/v1/runs/bulk", other).await;
    assert_eq!((void.status, void.code()), (409, "preview_void"), "{}", void.body);
    let begun = post(&hospital, "/v1/runs/bulk", exact).await;
    assert_eq!((begun.status, &begun.body["total"]), (202, &json!(3)), "{}", begun.body);
    let path = format!("/v1/runs/bulk/{}", begun.body["bulkId"].as_str().unwrap());
    wait_for("the bulk to be done", || async { get(&hospital, &path).await["status"] == "done" }).await;
    assert_eq!(get(&hospital, &path).await["skipped"], 0);
    assert_eq!(get(&hospital, "/v1/runs?status=suspended").await["items"].as_array().unwrap().len(), 3);
    assert_eq!(hospital.status(late).await, "waiting");
    let paused = post(&hospital, &format!("{path}/pause"), json!({ "reason": "too late" })).await;
    assert_eq!((paused.status, paused.code()), (409, "bulk_stands"));
    let audit = get(&hospital, "/v1/audit?who=stories@api&verb=suspend").await;
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
    let houbu = hospital.door.client();
    let of = |error: Option<&str>, topic: Option<&str>| LettersWanted {
        error: error.map(str::to_owned),
        topic: topic.map(str::to_owned),
        ..LettersWanted::default()
    };
    let letters = houbu.letters(&of(Some("40037"), None)).await.unwrap().body.items;
    assert!(!letters.is_empty() && letters.iter().all(|one| one.run_id == entry), "{letters:?}");
    assert_eq!(letters[0].error.as_deref(), Some("errcode 40037"));
    assert!(houbu.letters(&of(None, Some("nothing"))).await.unwrap().items.is_empty());
    let everything = Retry { reason: "everything".to_owned(), ..Retry::default() };
    assert_eq!(houbu.retry_letters(&everything).await.unwrap_err().code(), Some("invalid_request"));
    let approved = Retry { error: Some("40037".to_owned()), reason: "approved again".to_owned(), ..Retry::default() };
    let again = houbu.retry_letters(&approved).await.unwrap();
    assert_eq!((again.status.as_u16(), again.more, again.letter_ids.len()), (202, false, letters.len()));
    hospital.until_still().await;
    assert!(houbu.letters(&LettersWanted::default()).await.unwrap().items.is_empty());
    let audit = houbu.audit(&AuditWanted { run_id: Some(entry), ..AuditWanted::default() }).await.unwrap();
    assert_eq!(audit.items[0].verb, "letter.retry");
    hospital.finish().await;
}

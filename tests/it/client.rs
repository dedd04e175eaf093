//! `houbu::client` against the real surface over a socket, and against one that is away, busy or in a hurry.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use houbu::client::shapes::{EntriesWanted, EntryStatus, Language, NewEntry, NewRun, Reason, RunsWanted};
use houbu::client::{Client, Error, Retries};
use houbu::waitlist::policy::PaymentMode;
use serde_json::json;

use crate::hospital::Hospital;
use crate::hospital::door::listen;
use crate::hospital::world::patient_id;

fn client(hospital: &Hospital) -> Client {
    hospital.door.client().reading(Language::En)
}

fn wish(patient: u32) -> NewEntry {
    NewEntry { schedule_id: "w1-am".to_owned(), patient_id: patient_id(patient), ..NewEntry::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_a_service_joins_looks_waits_and_leaves_by_the_client() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let houbu = client(&hospital);
    let queue = houbu.queue("w1-am").await.unwrap();
    assert!(queue.open && queue.request_id.is_some(), "{queue:?}");

    let keyed = houbu.keyed("order-77");
    let joined = keyed.apply(&wish(1)).await.unwrap();
    assert_eq!((joined.status, joined.replayed), (StatusCode::CREATED, false));
    let again = keyed.apply(&wish(1)).await.unwrap();
    assert_eq!((again.waitlist_id, again.replayed), (joined.waitlist_id, true));
    let other = keyed.apply(&wish(2)).await.unwrap_err();
    assert_eq!((other.code(), other.status()), (Some("idempotency_key_reused"), Some(422)));
    let refused = houbu.apply(&wish(1)).await.unwrap_err();
    assert_eq!(refused.status(), Some(409), "{refused}");
    let id = refused.request_id().unwrap();
    assert!(!id.is_empty() && refused.to_string().contains(id), "{refused}");

    let entry = houbu.entry_once(joined.waitlist_id, |entry| entry.status == EntryStatus::Waiting).await.unwrap();
    assert_eq!(entry.position, Some(1));
    let watching = houbu.clone();
    let left = tokio::spawn(async move {
        watching.entry_once(entry.waitlist_id, |entry| entry.status == EntryStatus::Withdrawn).await
    });
    houbu.withdraw(joined.waitlist_id).await.unwrap();
    hospital.until_still().await;
    let left = tokio::time::timeout(Duration::from_secs(10), left).await.expect("it is told of the change").unwrap();
    assert_eq!(left.unwrap().position, None);
    let wanted = EntriesWanted { patient_id: patient_id(1), ..EntriesWanted::default() };
    let mine: Vec<_> = houbu.every(&wanted).try_collect().await.unwrap();
    assert_eq!(mine.len(), 1);

    let wrong = Client::new(hospital.door.address(), "a-key-that-nobody-has-ever-made").unwrap();
    let nobody = wrong.runs(&RunsWanted::default()).await.unwrap_err();
    assert_eq!((nobody.code(), nobody.status()), (Some("unauthorized"), Some(401)));
    assert!(!format!("{wrong:?} {nobody:?} {nobody}").contains("nobody-has-ever"));
    hospital.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r37_lists_go_on_page_after_page_and_nothing_is_left_out_or_twice() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let houbu = client(&hospital);
    let mut started = BTreeSet::new();
    for nth in 0..120 {
        let input = json!({
            "id": "K1", "pulled_at": null, "next_at": "2099-01-01T00:00:00Z", "freed": [], "stopped": []
        });
        let new = NewRun { key: format!("paged-{nth}"), input };
        started.insert(houbu.start("schedule_sync", &new).await.unwrap().run.run_id);
    }
    let wanted = RunsWanted { q: Some("paged-".to_owned()), ..RunsWanted::default() };
    let first = houbu.runs(&wanted).await.unwrap();
    assert!(first.items.len() < started.len() && first.next_cursor.is_some(), "there is more than one page");
    let listed: Vec<_> = houbu.every(&wanted).map_ok(|run| run.run_id).try_collect().await.unwrap();
    assert_eq!(listed.len(), started.len(), "none twice");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), started);

    let entry = houbu.apply(&wish(1)).await.unwrap().waitlist_id;
    let reason = Reason { reason: "to see".to_owned() };
    assert_eq!(houbu.retry(entry, &reason).await.unwrap_err().code(), Some("not_suspended"));
    let suspended = houbu.suspend(entry, &reason).await.unwrap();
    assert_eq!((suspended.status, suspended.run.status.as_str()), (StatusCode::ACCEPTED, "suspended"));
    let lines: Vec<_> = houbu.every_line(entry).try_collect().await.unwrap();
    assert!(lines.iter().any(|line| line.error.as_deref() == Some("stories@api: to see")), "{lines:?}");
    houbu.resume(entry, &reason).await.unwrap();
    hospital.until_still().await;
    hospital.finish().await;
}

/// A server that answers in turn what it is told to, and writes down what it was asked.
struct Moody {
    answers: Mutex<Vec<Option<Response>>>,
    keys: Mutex<Vec<String>>,
}

async fn moody(State(moody): State<Arc<Moody>>, request: Request) -> Response {
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    moody.keys.lock().unwrap().push(key.to_owned());
    let answer = moody.answers.lock().unwrap().remove(0);
    match answer {
        Some(answer) => answer,
        // The handler is torn off, and with it the connection: no answer comes.
        None => panic!("the line is cut on purpose"),
    }
}

fn problem(status: StatusCode, code: &str, retry_after: Option<&str>) -> Response {
    let body = json!({ "type": "urn:x", "title": "t", "status": status.as_u16(), "detail": "d", "code": code });
    let mut response = (status, body.to_string()).into_response();
    if let Some(after) = retry_after {
        response.headers_mut().insert("retry-after", after.parse().unwrap());
    }
    response
}

fn done() -> Response {
    json!({ "letterIds": [], "more": false }).to_string().into_response()
}

/// What came of a POST to a server of these answers, the keys that it saw, and how long it took.
async fn post(answers: Vec<Option<Response>>, retries: Retries) -> (Result<bool, Error>, Vec<String>, Duration) {
    let (listener, address) = listen().await;
    let server = Arc::new(Moody { answers: Mutex::new(answers), keys: Mutex::default() });
    let router = Router::new().fallback(moody).with_state(Arc::clone(&server));
    let keeper = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let client = Client::new(&address, "a key").unwrap().retrying(retries);
    let began = Instant::now();
    let body = houbu::client::shapes::Retry { reason: "to see".to_owned(), ..Default::default() };
    let came = client.retry_letters(&body).await.map(|retried| retried.more);
    keeper.abort();
    (came, server.keys.lock().unwrap().clone(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_asked_again_under_one_key_and_not_before_it_is_wanted() {
    let quick = Retries { wait_first: Duration::from_millis(1), ..Retries::default() };
    let busy = problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", Some("1"));
    let away = problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some("1"));
    let (came, keys, took) = post(vec![Some(busy), None, Some(away), Some(done())], quick).await;
    assert!(!came.unwrap(), "the fourth answer counts");
    assert_eq!(keys.len(), 4);
    assert!(!keys[0].is_empty() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(took >= Duration::from_secs(2), "Retry-After is heeded: {took:?}");

    let in_progress = problem(StatusCode::CONFLICT, "in_progress", Some("0"));
    let (came, keys, _) = post(vec![Some(in_progress), Some(done())], quick).await;
    assert_eq!((came.is_ok(), keys.len()), (true, 2), "the same request was being answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_pass_ends_at_once_and_what_does_not_end_is_given_up() {
    let quick = Retries { wait_first: Duration::from_millis(1), ..Retries::default() };
    let (came, keys, _) = post(vec![Some(problem(StatusCode::CONFLICT, "bulk_stands", None))], quick).await;
    assert_eq!((came.unwrap_err().code(), keys.len()), (Some("bulk_stands"), 1));
    let long = problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", Some("600"));
    let (came, keys, took) = post(vec![Some(long)], quick).await;
    assert_eq!((came.unwrap_err().status(), keys.len()), (Some(429), 1), "ten minutes are the caller's to wait");
    assert!(took < Duration::from_secs(5));
    let (came, keys, _) = post(vec![None, None, None, None], quick).await;
    assert!(matches!(came.unwrap_err(), Error::Unreachable { tries: 4, .. }));
    assert_eq!(keys.len(), 4);
    let page = (StatusCode::OK, "<html>a proxy's page</html>").into_response();
    let (came, keys, _) = post(vec![Some(page)], quick).await;
    assert!(matches!(came.unwrap_err(), Error::Unreadable { .. }));
    assert_eq!(keys.len(), 1);
}

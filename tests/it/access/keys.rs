//! Keys of the API: made in the console, changed with an overlap, revoked, and how often each may ask.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use houbu::desk::access::rates::Rate;
use houbu::desk::access::role::Role;
use houbu::engine::staff::By;
use serde_json::json;

use super::{deeds, last_deed, logged_in, staffed};
use crate::surface::{Answer, House};

async fn ask(house: &House, key: &str, path: &str) -> Answer {
    let request = Request::get(path).header("authorization", format!("Bearer {key}"));
    house.send(request.header("accept-language", "en").body(Body::empty()).unwrap()).await
}

fn by() -> By {
    By { who: "admin".to_owned(), reason: String::new() }
}

const RUNS: &str = "/v1/runs";
const DEPARTMENTS: &str = "/v1/departments";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_shown_once_changed_and_revoked() {
    let house = staffed().await;
    let mut admin = logged_in(&house, Role::Administrator).await;
    assert!(admin.get("/keys").await.text.contains("From the configuration"), "those of the configuration are shown");
    let page = admin.post("/keys", &[("name", "Website"), ("runs", "on"), ("reason", "a reason")]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let secret = page.between("<pre id=\"secret\">", "</pre>");
    assert!(secret.starts_with("houbu_") && secret.len() == 49, "{secret}");
    assert!(!admin.get("/keys").await.text.contains(&secret));
    assert_eq!(ask(&house, &secret, RUNS).await.status, 200);
    assert_eq!(ask(&house, &secret, DEPARTMENTS).await.code(), "forbidden", "it has the scope runs alone");
    assert_eq!(ask(&house, &secret[..48], RUNS).await.code(), "unauthorized");
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("select hash from api_key_secret")
        .fetch_all(&house.hospital.desk.engine.pool)
        .await
        .unwrap();
    assert!(stored.iter().all(|hash| hash.len() == 32));

    for (fields, status) in [
        (vec![("name", "website"), ("runs", "on")], 409),
        (vec![("name", "all"), ("runs", "on")], 409),
        (vec![("name", "kiosk")], 422),
        (vec![("name", "自助机"), ("runs", "on")], 422),
    ] {
        let fields = [&fields[..], &[("reason", "a reason")]].concat();
        assert_eq!(admin.post("/keys", &fields).await.status, status, "{fields:?}");
    }

    let id = house.hospital.desk.lodge.api_key_named("website").await.unwrap().id;
    let page = admin.post(&format!("/keys/{id}/rotate"), &[("hours", "24"), ("reason", "a reason")]).await;
    let second = page.between("<pre id=\"secret\">", "</pre>");
    assert_eq!(ask(&house, &secret, RUNS).await.status, 200, "for a day more");
    assert_eq!(ask(&house, &second, RUNS).await.status, 200);
    let page = admin.post(&format!("/keys/{id}/rotate"), &[("hours", "0"), ("reason", "a reason")]).await;
    let third = page.between("<pre id=\"secret\">", "</pre>");
    for (former, status) in [(&secret, 401), (&second, 401), (&third, 200)] {
        assert_eq!(ask(&house, former, RUNS).await.status, status);
    }

    assert_eq!(admin.post(&format!("/keys/{id}/revoke"), &[("reason", "the website moved")]).await.status, 200);
    assert_eq!(ask(&house, &third, RUNS).await.code(), "unauthorized");
    let deed = last_deed(&house).await;
    assert_eq!((&deed["verb"], &deed["reason"]), (&json!("key.revoke"), &json!("the website moved")));
    assert_eq!(admin.post(&format!("/keys/{id}/revoke"), &[("reason", "again")]).await.status, 409);
    assert_eq!(admin.post(&format!("/keys/{id}/rotate"), &[("hours", "1"), ("reason", "a reason")]).await.status, 409);
    assert_eq!(
        admin.post("/keys", &[("name", "website"), ("runs", "on"), ("reason", "a reason")]).await.status,
        409,
        "histories name it"
    );
    let of_keys: Vec<String> = deeds(&house).await.into_iter().filter(|deed| deed.contains(" key.")).collect();
    assert_eq!(of_keys, ["admin key.make", "admin key.rotate", "admin key.rotate", "admin key.revoke"]);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_but_an_administrator_makes_keys() {
    let house = staffed().await;
    let mut operator = logged_in(&house, Role::Operator).await;
    assert_eq!(operator.get("/keys").await.status, 403);
    assert_eq!(operator.post("/keys", &[("name", "kiosk"), ("runs", "on"), ("reason", "a reason")]).await.status, 403);
    assert!(house.hospital.desk.lodge.api_keys().await.unwrap().is_empty());
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overlap_ends_and_at_most_two_secrets_open_anything() {
    let house = staffed().await;
    let desk = &house.hospital.desk;
    let first = desk.lodge.make_api_key("kiosk", &["runs".to_owned()], &by()).await.unwrap();
    let day = Duration::from_hours(24);
    let second = desk.lodge.rotate_api_key(first.id, day, &by()).await.unwrap();
    let third = desk.lodge.rotate_api_key(first.id, day, &by()).await.unwrap();
    let fit = async |secret: &str| desk.lodge.key_holder(secret).await.unwrap().is_some();
    assert!(!fit(&first.secret).await && fit(&second.secret).await && fit(&third.secret).await);
    sqlx::query("update api_key_secret set ends_at = ends_at - interval '1 day'")
        .execute(&desk.engine.pool)
        .await
        .unwrap();
    // What this process knew of it is forgotten with the next change.
    desk.lodge.make_api_key("other", &["runs".to_owned()], &by()).await.unwrap();
    assert!(!fit(&second.secret).await && fit(&third.secret).await);
    assert_eq!(desk.lodge.api_keys().await.unwrap()[0].secrets.len(), 1);
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_a_key_asks_no_database_for_it_and_its_use_is_written_down_for_many() {
    let house = staffed().await;
    let desk = &house.hospital.desk;
    let key = desk.lodge.make_api_key("kiosk", &["runs".to_owned()], &by()).await.unwrap();
    assert!(desk.lodge.key_holder(&key.secret).await.unwrap().is_some());
    // Whoever asks now finds the table gone, if they look.
    let pool = &desk.engine.pool;
    sqlx::query("alter table api_key_secret rename to away").execute(pool).await.unwrap();
    for _ in 0..100 {
        assert!(desk.lodge.key_holder(&key.secret).await.unwrap().is_some());
        assert!(desk.lodge.key_holder("houbu_nonsense").await.unwrap().is_none());
    }
    sqlx::query("alter table away rename to api_key_secret").execute(pool).await.unwrap();
    assert!(desk.lodge.api_keys().await.unwrap()[0].secrets[0].used_at.is_none());
    desk.lodge.write_down_used_keys().await;
    assert!(desk.lodge.api_keys().await.unwrap()[0].secrets[0].used_at.is_some());
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_knows_a_key_and_its_end_after_a_few_seconds() {
    let house = staffed().await;
    let desk = &house.hospital.desk;
    let ports = Arc::clone(&desk.ports);
    let other = houbu::desk::Desk::new(Arc::clone(&desk.engine), ports, Arc::clone(&desk.lookup));
    assert!(other.lodge.key_holder("houbu_nonsense").await.unwrap().is_none());
    let key = desk.lodge.make_api_key("kiosk", &["runs".to_owned()], &by()).await.unwrap();
    crate::patience::wait_for("the other process to know the key", || async {
        other.lodge.key_holder(&key.secret).await.unwrap().is_some()
    })
    .await;
    desk.lodge.revoke_api_key(key.id, &by()).await.unwrap();
    crate::patience::wait_for("the other process to know that it is revoked", || async {
        other.lodge.key_holder(&key.secret).await.unwrap().is_none()
    })
    .await;
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let rate = Rate { at_once: 3, every: Duration::from_mins(10) };
    let house = House::at_rate(rate).await;
    for _ in 0..3 {
        assert_eq!(house.get(RUNS).await.status, 200);
    }
    let refused = house.get(RUNS).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code(), "too_many_requests");
    let after: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((500..=600).contains(&after), "{after}");
    assert_eq!(ask(&house, crate::surface::WEAK, RUNS).await.status, 200, "another key is not held up");
    house.hospital.close().await;
}

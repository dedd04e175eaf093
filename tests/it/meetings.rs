//! Two transactions that lock the same rows in another order: PostgreSQL ends one of them, and whoever asked for that one
//! hears nothing of it, because it is done again.

use std::time::Duration;

use houbu::waitlist::policy::PaymentMode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::hospital::door::Reply;
use crate::hospital::{Hospital, door};
use crate::patience::wait_at_most;

/// How many wait for a lock.
pub async fn waiters(hospital: &Hospital) -> i64 {
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(&hospital.db.pool).await.unwrap()
}

/// Somebody else locks what `first` names, the request begins and waits for it, and then somebody else wants what the
/// request holds by now. The request is the one that is ended: it has waited longer.
async fn meets(hospital: &Hospital, first: &'static str, then: &'static str, request: (Method, &str, Value)) -> Reply {
    let mut other = hospital.db.pool.begin().await.unwrap();
    sqlx::query("set local deadlock_timeout = '1min'").execute(&mut *other).await.unwrap();
    assert!(sqlx::query(first).execute(&mut *other).await.unwrap().rows_affected() > 0, "{first}");
    let (method, path, body) = request;
    let asked = tokio::spawn(door::Door::reply(hospital.door.keyed(method, path).json(&body)));
    wait_at_most(Duration::from_secs(20), "the request to wait", || async { waiters(hospital).await > 0 }).await;
    assert!(sqlx::query(then).execute(&mut *other).await.unwrap().rows_affected() > 0, "{then}");
    other.commit().await.unwrap();
    asked.await.unwrap()
}

macro_rules! lock {
    ($id:literal) => {
        concat!("select 1 from patient where id = '", $id, "' for update")
    };
}

/// How often PostgreSQL has ended one of two that waited for each other.
async fn deadlocks(hospital: &Hospital) -> i64 {
    sqlx::query("select pg_stat_force_next_flush()").execute(&hospital.db.pool).await.ok();
    let counted = "select deadlocks from pg_stat_database where datname = current_database()";
    sqlx::query_scalar(counted).fetch_one(&hospital.db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_locks_a_person_and_meets_another_is_done_again() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    let person = |number: u32| {
        json!({ "name": "张三丰", "idType": "1", "idNumber": "11010519491231002X", "phone": "13800138000",
                "openid": format!("wx-{number}") })
    };
    hospital.ask(Method::PUT, "/v1/patients/p1", Some(person(1))).await;
    hospital.ask(Method::PUT, "/v1/patients/p2", Some(person(2))).await;
    let account = "insert into account_person (hospital, account_id, person)
                   select hospital, 'family', id_hash from patient where id = 'p3'";
    sqlx::query(account).execute(&hospital.db.pool).await.unwrap();
    let (p1, p2) = (lock!("p1"), lock!("p2"));

    // A patient is written under one id, and known under another that somebody has locked.
    let stored = meets(&hospital, p1, p2, (Method::PUT, "/v1/patients/p2", person(2))).await;
    assert_eq!(stored.status, 200, "{}", stored.body);

    // An appeal is decided while its patient is being locked by one who comes to the appeal afterwards.
    hospital.ask(Method::PUT, "/v1/blacklist/p4", Some(json!({ "reason": "resale" }))).await;
    let appeal = hospital.ask(Method::POST, "/v1/blacklist/p4/appeals", Some(json!({ "said": "not me" }))).await;
    let path = format!("/v1/blacklist-appeals/{}/decide", appeal["appealId"].as_str().unwrap());
    let granted = json!({ "granted": true, "reason": "it was another one" });
    let appeals = "select 1 from blacklist_appeal for update";
    let decided = meets(&hospital, lock!("p4"), appeals, (Method::POST, &path, granted)).await;
    assert_eq!((decided.status, &decided.body["state"]), (200, &json!("granted")), "{}", decided.body);

    // A person is forgotten while an account joins a queue for them: that begins with the account.
    let accounts = "update account_person set last_at = last_at";
    let why = json!({ "reason": "the person asks for it" });
    let erased = meets(&hospital, accounts, lock!("p3"), (Method::POST, "/v1/patients/p3/erasure", why)).await;
    assert_eq!(erased.status, 204, "{}", erased.body);

    wait_at_most(Duration::from_secs(20), "three to be counted", || async { deadlocks(&hospital).await >= 3 }).await;
    hospital.finish().await;
}

//! Whether the whole is well, as operators and orchestrators ask: over the API, at the terminal, and for readiness.

use std::process::Command;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use houbu::engine::store::months;
use houbu::waitlist::policy::PaymentMode;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::patience::wait_for;
use super::surface::{House, WEAK, on};
use crate::hospital::Hospital;
use crate::hospital::world::HOSPITAL;

/// The codes of a report's findings.
fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// The months of history that the hand-moved clock asks for: a worker that keeps house makes them when it comes to it.
async fn months_are_there(pool: &PgPool) {
    wait_for("the months of history", || async {
        let _ = months::make_ahead(pool).await.unwrap();
        months::missing(&mut pool.acquire().await.unwrap()).await.unwrap() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_says_what_is_wrong_and_what_to_do() {
    let house = House::open(on(PaymentMode::None)).await;
    months_are_there(&house.hospital.pool).await;
    let report = house.get("/v1/health").await.json();
    assert_eq!((&report["status"], codes(&report)), (&json!("critical"), vec!["no_workers", "clock_by_hand"]));
    assert!(report["findings"][0]["sentence"].as_str().unwrap().starts_with("No worker is alive"), "{report}");
    assert!(report["findings"][0]["advice"].as_str().unwrap().contains("houbu work"), "{report}");

    let asked = |key: Option<&str>| {
        let request = Request::get("/v1/health").header("accept-language", "zh-CN");
        let request = key.into_iter().fold(request, |it, key| it.header("authorization", format!("Bearer {key}")));
        request.body(Body::empty()).unwrap()
    };
    let chinese = house.send(asked(Some(WEAK))).await.json();
    assert!(chinese["findings"][0]["sentence"].as_str().unwrap().contains("没有工作进程"), "{chinese}");
    assert_eq!(house.send(asked(None)).await.status, StatusCode::UNAUTHORIZED);

    let worker = house.work().await;
    let report = house.get("/v1/health").await.json();
    assert_eq!((&report["status"], codes(&report)), (&json!("notice"), vec!["clock_by_hand"]), "{report}");
    assert_eq!(report["workers"].as_array().unwrap().len(), 1);

    let stray = "insert into run (tenant, id, workflow, key, step, status, due_at)
                 values ($1, gen_random_uuid(), 'slot_release', 'x', 'OfAnotherRelease', 'pending', engine_now())";
    sqlx::query(stray).bind(super::clinic::HOSPITAL).execute(&house.hospital.pool).await.unwrap();
    let report = house.get("/v1/health").await.json();
    assert_eq!(codes(&report), ["unrunnable", "clock_by_hand"]);
    let sentence = report["findings"][0]["sentence"].as_str().unwrap();
    assert_eq!(sentence, "1 run of slot_release stands at OfAnotherRelease, which no live worker knows.");
    worker.stop().await;
    house.hospital.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_says_why_not() {
    let house = House::open(on(PaymentMode::None)).await;
    let ready = house.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (StatusCode::OK, json!({ "status": "ok", "reasons": [] })));
    let worker = house.work().await;
    assert_eq!(house.get("/readyz").await.status, StatusCode::OK);
    worker.stop().await;
    assert_eq!(house.get("/readyz").await.status, StatusCode::OK, "nothing is expected of a worker that has ended");

    let last = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    sqlx::query(last).execute(&house.hospital.pool).await.unwrap();
    let behind = house.get("/readyz").await;
    assert_eq!(behind.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(behind.json()["reasons"][0]["code"], "schema");
    assert_eq!(behind.json()["reasons"][0]["reason"], "The schema lacks 1 migrations of this program.");

    house.hospital.desk.engine.pool.close().await;
    let away = house.get("/readyz").await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(away.json()["reasons"][0]["code"], "database");
    assert_eq!(house.get("/healthz").await.status, StatusCode::OK, "the process lives");
    house.hospital.close().await;
}

/// What `houbu health` said, and its exit code.
async fn at_the_terminal(hospital: &Hospital, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_houbu"));
    command.arg("health").args(arguments);
    command.env("DATABASE_URL", hospital.db.url()).env("HOUBU_HOSPITAL", HOSPITAL);
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8(ended.stdout).unwrap() + &String::from_utf8(ended.stderr).unwrap();
    (ended.status.code().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_terminal_says_it_with_its_exit_code() {
    let hospital = Hospital::paying(PaymentMode::None).await;
    hospital.apply("w1-am", 1).await;
    months_are_there(&hospital.db.pool).await;
    let (code, said) = at_the_terminal(&hospital, &[]).await;
    assert!(code == 0 && said.contains("1 workers") && said.contains("The clock is set by hand"), "{said}");

    sqlx::query("update worker set lease_until = clock_timestamp() - interval '1 hour'")
        .execute(&hospital.db.pool)
        .await
        .unwrap();
    let heard = || async {
        let (_, said) = at_the_terminal(&hospital, &["--json"]).await;
        let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("no JSON: {said}"));
        // No story of the hospital begins with its jobs.
        codes(&report) == ["job_paused", "job_paused", "job_paused", "clock_by_hand"]
    };
    wait_for("the worker's next heartbeat", heard).await;

    let stood: String = sqlx::query_scalar("select step from run where workflow = 'slot_release'")
        .fetch_one(&hospital.db.pool)
        .await
        .unwrap();
    let stray = "update run set step = $1, due_at = engine_now() where workflow = 'slot_release'";
    sqlx::query(stray).bind("OfAnotherRelease").execute(&hospital.db.pool).await.unwrap();
    let (code, said) = at_the_terminal(&hospital, &["--language", "zh"]).await;
    assert!(code == 1 && said.contains("OfAnotherRelease") && said.contains("critical"), "{said}");
    sqlx::query(stray).bind(stood).execute(&hospital.db.pool).await.unwrap();
    hospital.finish().await;
}
